from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.machine._descendants import Process, read_processes
from cline_cli.machine._writers import Writer, find_writer, judge, name_of, parse_peer, to_peer_request

linux_only = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")
VERDICT = """
import asyncio
from cline_cli.machine._writers import find_writer
writer = asyncio.run(find_writer(0))
print(writer.verdict, writer.process.pid if writer.process else 0)
"""
ANSWER = bytes.fromhex(
    "300000001400000001000000581800000101010036250000010000000000000008000200372500000500060000000000"
)
"""What Linux 6.18 said of socket 9526, whose peer is 9527."""
REFUSED = bytes.fromhex("24000000020000000100000058180000feffffff28000000140001000100000058180000")
"""ENOENT: there is no such socket."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        with suppress(OSError):
            os.close(descriptor)


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.communicate()


def sleeper(children: list[subprocess.Popen[bytes]], stdout: int, stdin: int = subprocess.DEVNULL) -> int:
    children.append(subprocess.Popen(["sleep", "60"], stdin=stdin, stdout=stdout))
    return children[-1].pid


def ask_a_child(stdin: int) -> tuple[str, int]:
    answer = subprocess.run([sys.executable, "-c", VERDICT], stdin=stdin, stdout=subprocess.PIPE, check=True).stdout
    verdict, pid = answer.decode().split()
    return verdict, int(pid)


def find(descriptor: int, known: Process | None = None) -> Writer:
    return asyncio.run(find_writer(descriptor, known))


@linux_only
def test_nobody_is_going_to_write_when_only_the_parent_holds_the_pipe(pipe: tuple[int, int]) -> None:
    assert ask_a_child(pipe[0]) == ("idle", 0)


@linux_only
def test_nobody_is_going_to_write_when_only_the_parent_holds_the_socket() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert ask_a_child(there.fileno()) == ("idle", 0)


@linux_only
def test_a_sibling_is_the_producer_when_it_holds_the_pipe(
    pipe: tuple[int, int], children: list[subprocess.Popen[bytes]]
) -> None:
    pid = sleeper(children, pipe[1])
    assert ask_a_child(pipe[0]) == ("producer", pid), "the parent holds it too"
    os.close(pipe[1])
    assert ask_a_child(pipe[0]) == ("producer", pid)


@linux_only
def test_a_sibling_in_a_session_of_its_own_is_the_producer(
    pipe: tuple[int, int], children: list[subprocess.Popen[bytes]]
) -> None:
    children.append(subprocess.Popen(["sleep", "60"], stdout=pipe[1], start_new_session=True))
    assert ask_a_child(pipe[0]) == ("producer", children[0].pid)


@linux_only
def test_a_sibling_is_the_producer_when_it_holds_the_socket(children: list[subprocess.Popen[bytes]]) -> None:
    here, there = socket.socketpair()
    with there:
        with here:
            pid = sleeper(children, here.fileno())
        assert ask_a_child(there.fileno()) == ("producer", pid)


@linux_only
def test_a_child_is_the_producer_when_a_shell_became_this_process(
    pipe: tuple[int, int], children: list[subprocess.Popen[bytes]]
) -> None:
    pid = sleeper(children, pipe[1])
    os.close(pipe[1])
    writer = find(pipe[0])
    assert (writer.verdict, writer.process and writer.process.pid) == ("producer", pid)


@linux_only
def test_a_reader_of_the_same_pipe_is_no_producer(
    pipe: tuple[int, int], children: list[subprocess.Popen[bytes]]
) -> None:
    sleeper(children, subprocess.DEVNULL, stdin=pipe[0])
    assert find(pipe[0]) == Writer("idle")


@linux_only
def test_a_process_is_the_producer_when_it_opened_the_named_pipe_for_writing(
    tmp_path: Path, children: list[subprocess.Popen[bytes]]
) -> None:
    os.mkfifo(tmp_path / "fifo")
    both = os.open(tmp_path / "fifo", os.O_RDWR)
    reading = os.open(tmp_path / "fifo", os.O_RDONLY)
    try:
        assert find(reading) == Writer("idle"), "it is this process"
        writing = os.open(tmp_path / "fifo", os.O_WRONLY)
        pid = sleeper(children, writing)
        os.close(writing)
        assert ask_a_child(reading) == ("producer", pid)
    finally:
        os.close(both)
        os.close(reading)


@linux_only
def test_the_producer_is_looked_for_anew_when_the_known_one_is_gone(
    pipe: tuple[int, int], children: list[subprocess.Popen[bytes]]
) -> None:
    sleeper(children, pipe[1])
    known = find(pipe[0]).process
    assert known is not None
    assert find(pipe[0], known).process == known
    children[0].kill()
    children[0].wait()
    assert find(pipe[0], known) == Writer("idle")


@linux_only
def test_a_known_producer_is_not_believed_when_it_holds_the_pipe_no_longer(
    pipe: tuple[int, int], children: list[subprocess.Popen[bytes]]
) -> None:
    pid = sleeper(children, subprocess.DEVNULL)
    assert find(pipe[0], read_processes()[pid]) == Writer("idle")


@linux_only
def test_a_hidden_process_of_the_pipeline_is_taken_for_the_producer_when_nobody_else_is(
    pipe: tuple[int, int], children: list[subprocess.Popen[bytes]]
) -> None:
    hide = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print(flush=True); input()"
    children.append(subprocess.Popen([sys.executable, "-c", hide], stdin=subprocess.PIPE, stdout=pipe[1]))
    os.read(pipe[0], 1)
    with without_privileges():
        assert find(pipe[0]) == Writer("unknown"), "this process holds it too, and perhaps not alone"
        os.close(pipe[1])
        writer = find(pipe[0])
    assert writer.verdict == "producer"
    assert writer.process
    assert writer.process.group == os.getpgrp(), "where tests run side by side, there are several of them"


@contextmanager
def without_privileges() -> Iterator[None]:
    """Look at others as an ordinary user does: root sees everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_it_cannot_be_told_when_it_is_a_connection_over_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as here:
        assert find(here.fileno()) == Writer("unknown")


def test_it_cannot_be_told_when_there_is_no_proc(pipe: tuple[int, int], tmp_path: Path) -> None:
    assert asyncio.run(find_writer(pipe[0], proc=tmp_path)) == Writer("unknown")


def process(pid: int, parent: int, group: int = 50, session: int = 5, started: int = 100) -> Process:
    return Process(pid, parent, group, session, started, is_zombie=False)


INIT, SHELL, TIMEOUT, ME = process(1, 0, 1, 1), process(50, 1), process(60, 50), process(65, 60, started=101)
MATE, LEAF, CHILD = process(59, 50), process(64, 59, started=101), process(70, 65, started=200)
READER, OTHER_JOB = process(61, 50), process(55, 50, group=55, started=90)
STRANGER = process(80, 1, group=80, session=80, started=500)
ALL = {one.pid: one for one in (INIT, SHELL, TIMEOUT, ME, MATE, LEAF, CHILD, READER, OTHER_JOB, STRANGER)}
"""A pipeline `MATE -> LEAF | TIMEOUT -> ME -> CHILD | READER` in a shell that has another job too."""
SEEN = dict.fromkeys((1, 50, 60, 65), False)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (SEEN | {65: True}, Writer("idle")),
        (SEEN | {60: True}, Writer("idle")),
        (SEEN | {50: True}, Writer("idle")),
        (SEEN | {1: True}, Writer("idle")),
        (SEEN | {50: True, 59: True}, Writer("producer", MATE)),
        (SEEN | {59: True, 64: True}, Writer("producer", LEAF)),
        (SEEN | {59: True, 80: True}, Writer("producer", MATE)),
        (SEEN | {70: True}, Writer("producer", CHILD)),
        (SEEN | {80: True}, Writer("producer", STRANGER)),
        (SEEN | {50: True, 80: None}, Writer("idle")),
        (SEEN | {50: True, 61: None}, Writer("idle")),
        (SEEN | {50: True, 55: None}, Writer("unknown")),
        (SEEN | {50: True, 59: None}, Writer("unknown")),
        (SEEN | {59: None}, Writer("producer", MATE)),
        (SEEN | {70: None}, Writer("producer", CHILD)),
        (SEEN | {61: None}, Writer("unknown")),
        (SEEN | {64: None}, Writer("unknown")),
        (SEEN | {55: None}, Writer("unknown")),
        (SEEN | {80: None}, Writer("unknown")),
        (SEEN | {50: None}, Writer("unknown")),
        (SEEN, Writer("unknown")),
    ],
)
def test_the_verdict_follows_from_who_holds_it_and_who_cannot_be_seen(
    found: dict[int, bool | None], expected: Writer
) -> None:
    assert judge(ME, ALL, found) == expected


def test_ancestors_are_found_when_numbers_are_used_again_in_a_circle() -> None:
    first, second = process(10, 11), process(11, 10)
    assert judge(first, {10: first, 11: second}, {11: True}) == Writer("idle")


def test_the_peer_is_read_from_the_answer_of_the_kernel() -> None:
    assert parse_peer(ANSWER) == 9527


def test_the_peer_is_found_behind_what_fills_no_whole_word() -> None:
    name = (5).to_bytes(2, sys.byteorder) + bytes(2) + b"x" + bytes(3)
    peer = (8).to_bytes(2, sys.byteorder) + (2).to_bytes(2, sys.byteorder) + (9527).to_bytes(4, sys.byteorder)
    assert parse_peer(ANSWER[:32] + name + peer) == 9527


@pytest.mark.parametrize("answer", [REFUSED, ANSWER[:32], ANSWER[:38], b""])
def test_there_is_no_peer_when_the_kernel_names_none(answer: bytes) -> None:
    assert parse_peer(answer) is None


@pytest.mark.skipif(sys.byteorder != "little", reason="the bytes are those of a little-endian machine")
def test_the_request_is_the_one_that_linux_defines() -> None:
    header, request = "28000000 1400 0100 00000000 00000000", "01 00 0000 ffffffff 36250000 04000000 ffffffff ffffffff"
    assert to_peer_request(0x2536) == bytes.fromhex(header + request)


@given(st.binary(max_size=80))
def test_an_answer_is_read_without_a_fault_whatever_it_is(rest: bytes) -> None:
    assert parse_peer(ANSWER[:32] + rest) is None or b"\2\0" in rest


def test_a_name_is_fit_for_a_terminal_when_a_process_chose_another(tmp_path: Path) -> None:
    (tmp_path / "65").mkdir()
    (tmp_path / "65" / "comm").write_bytes(b"py\x1b[31mtest\xff\n")
    assert name_of(ME, tmp_path) == "pytest\ufffd (pid 65)"


def test_the_number_is_told_when_there_is_no_name(tmp_path: Path) -> None:
    assert name_of(ME, tmp_path) == "a process (pid 65)"
