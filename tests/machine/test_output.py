from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cline_cli.machine.output import Output

MUCH = bytes(range(256)) * 4096
"""1 MiB: more than any pipe or terminal takes without a reader."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        close_if_open(descriptor)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Return the two ends of a raw pseudo-terminal: ours, and the one of the program."""
    reader, writer = pty.openpty()
    attributes = termios.tcgetattr(writer)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(writer, termios.TCSANOW, attributes)
    yield reader, writer
    for descriptor in (reader, writer):
        close_if_open(descriptor)


def close_if_open(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


def read_slowly(descriptor: int, size: int, into: list[bytes]) -> None:
    while size > 0:
        piece = os.read(descriptor, 5000)
        into.append(piece)
        size -= len(piece)
        time.sleep(0.0005)


async def write_until_stuck(output: Output) -> asyncio.Task[None]:
    """Start a write that cannot end, and return it once it waits for its reader."""
    task = asyncio.create_task(output.write(MUCH))
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert not task.done()
    return task


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_every_byte_arrives_when_the_reader_is_slow(kind: str, request: pytest.FixtureRequest) -> None:
    reader, writer = request.getfixturevalue(kind)
    received: list[bytes] = []
    thread = threading.Thread(target=read_slowly, args=(reader, len(MUCH), received), daemon=True)
    thread.start()
    asyncio.run(Output(writer).write(MUCH))
    thread.join()
    assert b"".join(received) == MUCH


def test_every_byte_arrives_when_the_descriptor_is_a_socket() -> None:
    here, there = socket.socketpair()
    received: list[bytes] = []
    with here, there:
        thread = threading.Thread(target=read_slowly, args=(there.fileno(), len(MUCH), received), daemon=True)
        thread.start()
        asyncio.run(Output(here.fileno()).write(MUCH))
        thread.join()
    assert b"".join(received) == MUCH


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_a_write_ends_at_once_when_it_is_cancelled_while_nobody_reads(
    kind: str, request: pytest.FixtureRequest
) -> None:
    _, writer = request.getfixturevalue(kind)

    async def main() -> None:
        task = await write_until_stuck(Output(writer))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_the_descriptor_stays_blocking_for_others_when_it_was_written_to(
    kind: str, request: pytest.FixtureRequest
) -> None:
    _, writer = request.getfixturevalue(kind)
    asyncio.run(Output(writer).write(b"x"))
    assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK


def test_every_byte_arrives_when_somebody_else_made_the_descriptor_non_blocking(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    received: list[bytes] = []
    thread = threading.Thread(target=read_slowly, args=(reader, len(MUCH), received), daemon=True)
    thread.start()
    asyncio.run(Output(writer).write(MUCH))
    thread.join()
    assert b"".join(received) == MUCH


def test_writes_do_not_mix_when_they_are_concurrent(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    first, second = b"a" * 100_000, b"b" * 100_000
    received: list[bytes] = []

    async def main() -> None:
        output = Output(writer)
        await asyncio.gather(output.write(first), output.write(second))

    thread = threading.Thread(target=read_slowly, args=(reader, 200_000, received), daemon=True)
    thread.start()
    asyncio.run(main())
    thread.join()
    assert b"".join(received) == first + second


def test_what_is_out_is_known_when_a_write_in_pieces_is_cancelled(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    taken: list[int] = []

    async def write(output: Output) -> None:
        while True:
            taken.append(await output.write_some(memoryview(MUCH)[sum(taken) :]))

    async def main() -> None:
        output = Output(writer)
        task = asyncio.create_task(write(output))
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(main())
    assert len(taken) > 1, "in pieces"
    os.set_blocking(reader, False)
    assert os.read(reader, len(MUCH)) == MUCH[: sum(taken)]


def test_a_file_takes_all_in_one_piece(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        assert asyncio.run(Output(file.fileno()).write_some(memoryview(MUCH))) == len(MUCH)


def test_it_is_one_write_when_it_fits(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    asyncio.run(Output(writer).write_text("über\n"))
    assert os.read(reader, 100) == "über\n".encode()


def test_text_is_written_when_it_holds_surrogates(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    asyncio.run(Output(writer).write_text("a\ud800b"))
    assert os.read(reader, 100) == b"a?b"


def test_the_pipe_is_broken_when_its_reader_is_gone(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        asyncio.run(Output(writer).write(b"x"))


def test_the_pipe_is_broken_when_its_reader_goes_while_we_wait(pipe: tuple[int, int]) -> None:
    reader, writer = pipe

    async def main() -> None:
        task = await write_until_stuck(Output(writer))
        os.close(reader)
        with pytest.raises(BrokenPipeError):
            await task

    asyncio.run(main())


def test_an_error_is_raised_when_the_terminal_is_gone(terminal: tuple[int, int]) -> None:
    reader, writer = terminal
    output = Output(writer)
    os.close(reader)
    with pytest.raises(OSError, match="Input/output error"):
        asyncio.run(output.write(b"x"))


def test_a_file_is_appended_to_where_it_stands_when_it_is_a_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before ")
    with path.open("ab") as file:
        asyncio.run(Output(file.fileno()).write(MUCH))
    assert path.read_bytes() == b"before " + MUCH


def test_nothing_waits_when_the_descriptor_is_dev_null() -> None:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        asyncio.run(Output(descriptor).write(MUCH))
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_an_error_is_raised_when_the_disk_is_full() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space left"):
            asyncio.run(Output(descriptor).write(b"x"))
    finally:
        os.close(descriptor)


def test_an_error_is_raised_when_the_descriptor_is_closed() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        asyncio.run(Output(None).write(b"x"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        asyncio.run(Output(None).write_some(memoryview(b"x")))


def test_its_own_descriptor_is_closed_when_the_output_is_forgotten(terminal: tuple[int, int]) -> None:
    gc.collect()  # what other tests left to be closed is closed now, and not in between
    before = set(os.listdir("/dev/fd"))  # noqa: PTH208  # names, not paths
    output = Output(terminal[1])
    during = set(os.listdir("/dev/fd"))  # noqa: PTH208
    del output
    assert len(during) > len(before)
    assert set(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_a_signal_ends_the_process_when_nobody_reads(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    program = """
import asyncio, signal, sys
from cline_cli.machine.output import Output

async def main():
    task = asyncio.create_task(Output(1).write(bytes(1 << 20)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print("ready", file=sys.stderr, flush=True)
    await asyncio.wait({task})
    sys.exit(7 if task.cancelled() else 1)

asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE)
    with process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 7
