"""`--json` ends with its `run_result` whatever a run was doing when a signal came."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.test_endings import LEAVING, LEFT, LINE, VALIDATOR, Line, read_result
from tests.e2e.test_stopping import SIGNALS, STUBBORN, is_alive, started, wait_until
from tests.fake_server import FakeServer, Turn, calls, hang, slow, status, text

LONG = text("a long answer " * 40_000, pieces=40)
"""Many times what a pipe holds."""
Process = subprocess.Popen[bytes]
Reached = Callable[[FakeServer], bool]


class State(NamedTuple):
    turns: tuple[Turn, ...]
    is_reached: Reached
    iterations: int
    argv: tuple[str, ...] = ("-y", "do it now")
    stdin: bytes | None = None
    """What is typed into a pipe that stays open; the state is reached when that is taken."""
    pids: tuple[str, ...] = ()
    """Files with the numbers of processes that were started."""
    left: tuple[str, ...] = ()
    """Those of them that are told of as left running."""


def was_asked(times: int = 1) -> Reached:
    return lambda server: len(server.requests) == times


def has_started(*names: str) -> Reached:
    """Return whether commands have written their pids to files of these names."""
    return lambda _: all(Path(name).exists() and Path(name).read_text().strip() for name in names)


def at_once(_: FakeServer) -> bool:
    return True


STATES = {
    "waiting": State((hang(),), was_asked(), 1),
    "streaming": State((slow(["word "] * 600, 0.1),), was_asked(), 1),
    "in-a-retry-pause": State((status(429, "slow down", {"Retry-After": "60"}),), was_asked(), 1),
    "in-a-stubborn-command": State(
        (calls(("run_commands", {"commands": [STUBBORN]})),),
        has_started("shell", "escaped"),
        iterations=1,
        pids=("shell", "escaped"),
    ),
    "with-processes-left-running": State(
        (calls(("run_commands", {"commands": [LEAVING]})), hang()), was_asked(2), 2, pids=LEFT, left=LEFT
    ),
    "reading-stdin": State((), at_once, 0, stdin=b"some text"),
    "waiting-for-a-key": State((), at_once, 0, ("-k", "-", "-y", "do it now"), stdin=b"sk-half-a-ke"),
}
ALL_SIGNALS_IN = ("waiting", "in-a-stubborn-command", "waiting-for-a-key")
CASES = [
    pytest.param(state, number, id=f"{name}-{number.name}")
    for name, state in STATES.items()
    for number in (SIGNALS if name in ALL_SIGNALS_IN else (signal.SIGTERM,))
]


@contextmanager
def a_pipe() -> Iterator[list[int]]:
    """Give the two ends of a pipe; whoever closes one puts a -1 in its place."""
    ends = [*os.pipe()]
    try:
        yield ends
    finally:
        for end in ends:
            if end >= 0:
                os.close(end)


def has_bytes(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def is_full(descriptor: int) -> bool:
    return not select.select([], [descriptor], [], 0)[1]


def drain(ends: list[int]) -> bytes:
    """Return what is in a pipe and still comes, up to the end of its last writer."""
    os.close(ends[1])
    ends[1] = -1
    with open(ends[0], "rb", closefd=False) as reader:
        return reader.read()


def pids_in(names: tuple[str, ...]) -> set[int]:
    return {int(Path(name).read_text()) for name in names}


def error_line(stderr: bytes) -> str:
    """Return the one line that stderr holds, but for what is told of a standard input that does not end."""
    lines = stderr.decode().splitlines(keepends=True)
    (line,) = [line for line in lines if not line.startswith("cline: waiting for st")]
    assert LINE.fullmatch(line)
    return line


@pytest.mark.parametrize(("state", "number"), CASES)
def test_the_result_is_the_last_line_when_a_signal_comes(state: State, number: signal.Signals) -> None:
    with a_pipe() as ends, FakeServer(*state.turns) as server:
        stdin = subprocess.DEVNULL if state.stdin is None else ends[0]
        with started(server, "--json", *state.argv, stdin=stdin) as process:
            if state.stdin is not None:
                os.write(ends[1], state.stdin)
                wait_until(lambda: not has_bytes(ends[0]), "the read")
            wait_until(lambda: state.is_reached(server), "the state")
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == SIGNALS[number]
    assert error_line(stderr) == f"cline: interrupted by {number.name}\n"
    result = read_result(stdout, SIGNALS[number])
    assert (result["finishReason"], result["errorClass"]) == ("aborted", "cancelled")
    assert result["iterations"] == state.iterations
    assert {process["pid"] for process in result["leftoverProcesses"]} == pids_in(state.left)
    assert not [pid for pid in pids_in(state.pids) if is_alive(pid)]


def parse_torn(stdout: bytes) -> list[Line]:
    """Return the lines but for the last, which may be torn."""
    whole, _, _ = stdout.rpartition(b"\n")
    lines: list[Line] = [json.loads(line) for line in whole.split(b"\n")]
    for line in lines:
        VALIDATOR.validate(line)
    return lines


@pytest.mark.parametrize("number", SIGNALS)
def test_only_the_last_line_is_torn_when_nobody_reads(number: signal.Signals) -> None:
    with a_pipe() as ends, FakeServer(LONG) as server:
        with started(server, "--json", "-y", "do it now", stdout=ends[1]) as process:
            wait_until(lambda: is_full(ends[1]), "the pipe is full")
            process.send_signal(number)
            _, stderr = process.communicate(timeout=30)
            stdout = drain(ends)
    assert process.returncode == SIGNALS[number]
    assert error_line(stderr) == f"cline: interrupted by {number.name}\n"
    lines = parse_torn(stdout)
    assert lines[0]["type"] == "run_start"
    assert "run_result" not in [line["type"] for line in lines]


def test_every_line_is_whole_when_the_reader_goes_on_after_the_signal() -> None:
    with a_pipe() as ends, FakeServer(LONG) as server:
        with started(server, "--json", "-y", "do it now", stdout=ends[1]) as process:
            wait_until(lambda: is_full(ends[1]), "the pipe is full")
            process.send_signal(signal.SIGTERM)
            stdout = drain(ends)
            _, stderr = process.communicate(timeout=30)
    assert process.returncode == 143
    assert read_result(stdout, 143)["errorClass"] == "cancelled"
    assert error_line(stderr) == "cline: interrupted by SIGTERM\n"


def test_the_deadline_is_told_in_the_last_line_when_it_waits_for_a_key() -> None:
    with a_pipe() as ends, FakeServer() as server:
        with started(server, "--json", "-k", "-", "-t", "0.5", "do it now", stdin=ends[0]) as process:
            stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 124
    assert read_result(stdout, 124)["errorClass"] == "timeout"
    assert "timed out" in error_line(stderr)


def has_a_say(process: Process) -> bool:
    """Return whether the program, and not only Python, decides what a signal does: it has put off or caught SIGTERM."""
    try:
        fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    except OSError:
        return True
    bit = 1 << (signal.SIGTERM - 1)
    return any(int(fields.get(name, "0"), 16) & bit for name in ("SigBlk", "SigCgt"))


@pytest.mark.parametrize("attempt", range(6))
@pytest.mark.parametrize("number", SIGNALS)
def test_the_end_is_clean_when_a_signal_comes_early(number: signal.Signals, attempt: int) -> None:
    with FakeServer(text("Hello."), repeat_last=True) as server:
        with started(server, "--json", "-y", "do it now") as process:
            if number == signal.SIGINT:  # before that, Python tells of it in its own way
                wait_until(lambda: has_a_say(process), "the program runs")
            time.sleep(random.uniform(0, 0.1) * attempt)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=30)
    assert b"Traceback" not in stderr
    assert stderr.count(b"\n") <= 1
    if stdout:
        assert process.returncode in {SIGNALS[number], 0}
        read_result(stdout, process.returncode)
    else:
        assert process.returncode == -number


@pytest.mark.parametrize("argv", [("--json",), ()], ids=["json", "text"])
def test_the_run_goes_on_when_sighup_was_ignored_from_the_start(argv: tuple[str, ...]) -> None:
    with FakeServer(slow(["word "] * 5, 0.1)) as server:
        environment = {**os.environ, "CLINE_API_KEY": "sk-test-0123456789", "CLINE_API_BASE_URL": server.origin}
        script = "trap '' HUP; exec \"$@\""
        command = ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "cline_cli", "-y", *argv, "do it now"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as process:
            try:
                wait_until(lambda: server.requests, "the request")
                process.send_signal(signal.SIGHUP)
                stdout, stderr = process.communicate(timeout=30)
            finally:
                process.kill()
    assert (process.returncode, stderr) == (0, b"")
    answer = read_result(stdout, 0)["text"].encode() if argv else stdout
    assert answer.split() == [b"word"] * 5


@pytest.mark.parametrize("does_read", [True, False], ids=["read-on", "left"])
def test_the_result_that_is_being_told_is_what_the_run_ends_with(does_read: bool) -> None:
    with a_pipe() as ends, FakeServer(LONG) as server:
        with started(server, "--json", "-q", "do it now", stdout=ends[1]) as process:
            wait_until(lambda: is_full(ends[1]), "the answer to be told")
            process.send_signal(signal.SIGTERM)
            printed = drain(ends) if does_read else b""
            process.communicate(timeout=30)
    if does_read:
        assert (process.returncode, json.loads(printed)["exitCode"]) == (0, 0)
    else:
        assert process.returncode == 128 + signal.SIGTERM
