"""Whatever a run is doing, a signal or its deadline ends it, with its children, and with the right exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fake_server import FakeServer, Turn, calls, hang, slow, status, text

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
STUBBORN = (
    "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; echo $$ > escaped; sleep 60' & echo $$ > shell; sleep 60"
)


@contextmanager
def started(
    server: FakeServer, *argv: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cline_cli", *argv],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "CLINE_API_KEY": "sk-test-0123456789", "CLINE_API_BASE_URL": server.origin},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: object, what: str) -> None:
    assert callable(condition)
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail(f"never happened: {what}")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> str:
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == SIGNALS[number]
    return stderr.decode()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("turn", [hang(), slow(["word "] * 600, 0.1)], ids=["waiting", "streaming"])
def test_a_signal_ends_a_run_that_waits_for_the_model(turn: Turn, number: signal.Signals) -> None:
    with FakeServer(turn) as server, started(server, "-n", "hi there") as process:
        wait_until(lambda: server.requests, "the request")
        stderr = end(process, number)
    assert stderr == f"cline: interrupted by {number.name}\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_run_in_a_stubborn_command_and_what_escaped_from_it(number: signal.Signals) -> None:
    with FakeServer(calls(("run_commands", {"commands": [STUBBORN]}))) as server:
        with started(server, "-y", "do it now") as process:
            wait_until(lambda: all(Path(name).exists() and Path(name).read_text() for name in ("shell", "escaped")), "")
            pids = [int(Path(name).read_text()) for name in ("shell", "escaped")]
            assert all(is_alive(pid) for pid in pids)
            end(process, number)
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_signal_ends_a_run_that_reads_standard_input() -> None:
    reading, writing = os.pipe()
    try:
        with FakeServer() as server, started(server, "hi there", stdin=reading) as process:
            os.write(writing, b"some text")
            wait_until(lambda: not _is_readable(reading), "the read")
            end(process, signal.SIGTERM)
        assert server.requests == []
    finally:
        os.close(reading)
        os.close(writing)


def _is_readable(descriptor: int) -> bool:
    import select  # lazy: for this one question

    return bool(select.select([descriptor], [], [], 0)[0])


def test_a_signal_ends_a_run_whose_reader_takes_nothing() -> None:
    reading, writing = os.pipe()
    try:
        with FakeServer(text("long " * 100_000)) as server:
            with started(server, "-n", "hi there", stdout=writing) as process:
                wait_until(lambda: _is_readable(reading), "the first bytes")
                end(process, signal.SIGTERM)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_signal_ends_a_run_when_nobody_reads_its_errors_either() -> None:
    reading, writing = os.pipe()
    try:
        with FakeServer(text("long " * 100_000)) as server:
            environment = {**os.environ, "CLINE_API_KEY": "sk-test-0123456789", "CLINE_API_BASE_URL": server.origin}
            command = [sys.executable, "-m", "cline_cli", "-n", "hi there"]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, env=environment
            )
            wait_until(lambda: _is_readable(reading), "the first bytes")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 143
    finally:
        os.close(reading)
        os.close(writing)


def test_a_signal_ends_a_run_in_a_retry_pause() -> None:
    with FakeServer(status(429, "slow down", {"Retry-After": "60"})) as server:
        with started(server, "hi there") as process:
            wait_until(lambda: server.requests, "the request")
            end(process, signal.SIGINT)


def test_a_second_signal_ends_a_run_at_once_with_its_children() -> None:
    with FakeServer(calls(("run_commands", {"commands": [STUBBORN]}))) as server:
        with started(server, "-y", "do it now") as process:
            wait_until(lambda: all(Path(name).exists() and Path(name).read_text() for name in ("shell", "escaped")), "")
            pids = [int(Path(name).read_text()) for name in ("shell", "escaped")]
            process.send_signal(signal.SIGINT)
            end(process, signal.SIGINT)
    wait_until(lambda: not [pid for pid in pids if is_alive(pid)], "the end of the children")


def test_a_deadline_ends_a_run() -> None:
    with FakeServer(hang()) as server, started(server, "-t", "0.5", "hi there") as process:
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 124
    assert b"timed out after 0.5 s" in stderr


def test_a_deadline_ends_a_run_that_waits_for_its_key() -> None:
    reading, writing = os.pipe()
    try:
        with FakeServer() as server, started(server, "-k", "-", "-t", "0.5", "hi there", stdin=reading) as process:
            process.communicate(timeout=30)
        assert process.returncode == 124
    finally:
        os.close(reading)
        os.close(writing)


def test_a_deadline_ends_a_command_and_its_children() -> None:
    with FakeServer(calls(("run_commands", {"commands": [STUBBORN]}))) as server:
        with started(server, "-y", "-t", "3", "do it now") as process:
            process.communicate(timeout=40)
    assert process.returncode == 124
    pids = [int(Path(name).read_text()) for name in ("shell", "escaped")]
    assert not [pid for pid in pids if is_alive(pid)]


def test_what_a_command_left_running_ends_with_the_run() -> None:
    commands = ["sleep 60 & echo $! > background", "setsid sleep 60 & echo $! > daemon"]
    with FakeServer(calls(("run_commands", {"commands": commands})), text("Done.")) as server:
        with started(server, "-y", "do it now") as process:
            stdout, _ = process.communicate(timeout=40)
    assert (process.returncode, stdout) == (0, b"Done.\n")
    pids = [int(Path(name).read_text()) for name in ("background", "daemon")]
    assert not [pid for pid in pids if is_alive(pid)]


def test_the_run_ends_as_by_sigpipe_when_its_reader_is_gone() -> None:
    reading, writing = os.pipe()
    with FakeServer(slow(["word "] * 50, 0.05)) as server:
        with started(server, "-n", "hi there", stdout=writing) as process:
            os.close(writing)
            os.read(reading, 5)
            os.close(reading)
            _, stderr = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGPIPE
    assert stderr == b""


def test_the_run_fails_when_the_disk_is_full() -> None:
    with FakeServer(text("Hello.")) as server, Path("/dev/full").open("wb") as full:
        with started(server, "hi there", stdout=full.fileno()) as process:
            _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert stderr.decode().count("\n") == 1
    assert "No space left" in stderr.decode()
