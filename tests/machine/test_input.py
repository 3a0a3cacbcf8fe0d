from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cline_cli.errors import UsageError
from cline_cli.machine.input import (
    InputKind,
    Patience,
    WaitingNotice,
    has_arrived,
    input_arrives,
    is_coming,
    is_partly_read,
    kind_of,
    read_into,
)

HASTY = Patience(silence_s=0.02, told_s=0.05, unknown_s=0.1, recheck_s=0.05)
linux_only = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        close(descriptor)


def close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)


def awaited(descriptor: int, tell: Callable[[str], Awaitable[None]], patience: Patience = HASTY) -> bool:
    async def main() -> bool:
        return await is_coming(descriptor, WaitingNotice(tell, "waiting for the end", patience), patience)

    return asyncio.run(main())


async def read_to_end(descriptor: int) -> bytes:
    pieces: list[bytes] = []
    await read_into(descriptor, pieces.append)
    return b"".join(pieces)


async def never(notice: str) -> None:
    pytest.fail(f"nothing was to be said: {notice}")


def test_it_is_coming_when_bytes_are_there(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x")
    assert awaited(pipe[0], never)
    assert os.read(pipe[0], 10) == b"x"


def test_it_is_coming_when_it_has_ended_already(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    assert awaited(pipe[0], never)


@linux_only
def test_it_is_not_coming_when_nobody_else_can_write(pipe: tuple[int, int]) -> None:
    assert not awaited(pipe[0], never, Patience(silence_s=0.02, unknown_s=1000))


def test_it_is_waited_for_only_so_long_when_it_cannot_be_told_who_writes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as here:
        assert not awaited(here.fileno(), never)


def test_it_is_coming_when_the_first_byte_comes_while_it_cannot_be_told_who_writes() -> None:
    async def main() -> bool:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as here:
            there, _ = server.accept()
            with there:
                patience = Patience(silence_s=0.01, unknown_s=50)
                asyncio.get_running_loop().call_later(0.05, there.send, b"x")
                return await is_coming(here.fileno(), WaitingNotice(never, "", patience), patience)

    assert asyncio.run(main())


@linux_only
def test_a_producer_is_named_and_waited_for_until_it_writes(pipe: tuple[int, int]) -> None:
    said: list[str] = []
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=pipe[1]) as producer:
        os.close(pipe[1])

        async def release(notice: str) -> None:
            said.append(notice)
            assert producer.stdin
            producer.stdin.write(b"late")
            producer.stdin.flush()

        assert awaited(pipe[0], release)
        assert os.read(pipe[0], 10) == b"late"
        assert said == [f"waiting for stdin from cat (pid {producer.pid})"]


@linux_only
def test_it_is_not_coming_when_the_producer_goes_and_only_we_are_left(pipe: tuple[int, int]) -> None:
    with subprocess.Popen(["sleep", "60"], stdout=pipe[1]) as producer:

        async def end(notice: str) -> None:
            producer.kill()
            await asyncio.to_thread(producer.wait)

        assert not awaited(pipe[0], end)
        assert producer.returncode is not None, "it was waited for before"


@linux_only
def test_waiting_can_be_cancelled_while_a_producer_is_silent(pipe: tuple[int, int]) -> None:
    async def main() -> None:
        told = asyncio.Event()

        async def tell(notice: str) -> None:
            told.set()

        task = asyncio.create_task(is_coming(pipe[0], WaitingNotice(tell, "", HASTY), HASTY))
        await told.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not asyncio.get_running_loop().remove_reader(pipe[0]), "no reader is left"

    with subprocess.Popen(["sleep", "60"], stdout=pipe[1]) as producer:
        asyncio.run(main())
        producer.kill()


def test_everything_is_read_when_it_comes_slowly(pipe: tuple[int, int]) -> None:
    async def main() -> bytes:
        reading = asyncio.create_task(read_to_end(pipe[0]))
        for piece in (b"some ", b"text", b"."):
            os.write(pipe[1], piece)
            while has_arrived(pipe[0]):
                await asyncio.sleep(0)
        os.close(pipe[1])
        return await reading

    assert asyncio.run(main()) == b"some text."


def test_everything_is_read_when_it_is_a_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as file:
        assert asyncio.run(read_to_end(file.fileno())) == data


def test_everything_is_read_when_somebody_made_the_descriptor_non_blocking(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[0], False)
    with subprocess.Popen(["sh", "-c", "sleep 0.05; printf later"], stdout=pipe[1]):
        os.close(pipe[1])
        assert asyncio.run(read_to_end(pipe[0])) == b"later"


def test_the_descriptor_stays_blocking_for_others_when_it_was_read(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    asyncio.run(read_to_end(pipe[0]))
    assert not fcntl.fcntl(pipe[0], fcntl.F_GETFL) & os.O_NONBLOCK


@pytest.mark.parametrize("is_always_ready", [False, True])
def test_reading_can_be_cancelled_in_a_flood(pipe: tuple[int, int], is_always_ready: bool) -> None:
    sizes: list[int] = []

    async def main(descriptor: int) -> None:
        task = asyncio.create_task(read_into(descriptor, lambda piece: sizes.append(len(piece))))
        turns = 0
        while sum(sizes) < 20_000_000:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 10, "others get their turn"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not asyncio.get_running_loop().remove_reader(descriptor)

    with subprocess.Popen(["yes"], stdout=pipe[1]) as flood, Path("/dev/zero").open("rb") as zeros:
        asyncio.run(main(zeros.fileno() if is_always_ready else pipe[0]))
        flood.kill()


@pytest.mark.parametrize("is_known", [pytest.param(True, marks=linux_only), False])
def test_it_is_said_once_what_is_waited_for_when_the_end_does_not_come(pipe: tuple[int, int], is_known: bool) -> None:
    said: list[str] = []

    async def main() -> None:
        closed = asyncio.Event()

        async def tell(notice: str) -> None:
            said.append(notice)
            os.write(pipe[1], b"more")
            closed.set()

        notice = WaitingNotice(tell, "waiting for the end", HASTY)
        reading = asyncio.create_task(read_into(pipe[0], lambda _: None, notice))
        await closed.wait()
        for _ in range(3):
            await asyncio.sleep(HASTY.told_s / 5)
        assert notice.due_in_s is None
        os.close(pipe[1])
        if is_known:
            producer.kill()
        await reading

    with subprocess.Popen(["sleep", "60"], stdout=pipe[1] if is_known else subprocess.DEVNULL) as producer:
        asyncio.run(main())
        producer.kill()
    assert said == [f"waiting for stdin from sleep (pid {producer.pid})" if is_known else "waiting for the end"]


@pytest.mark.parametrize(
    ("name", "flags", "words"), [(".", os.O_RDONLY, "Is a directory"), ("w", os.O_WRONLY | os.O_CREAT, "Bad file")]
)
def test_an_error_names_the_cause_when_it_cannot_be_read(name: str, flags: int, words: str) -> None:
    descriptor = os.open(name, flags)
    try:
        with pytest.raises(UsageError, match=f"cannot read standard input: {words}"):
            asyncio.run(read_to_end(descriptor))
    finally:
        os.close(descriptor)


def test_an_arrival_is_noticed_without_being_read(pipe: tuple[int, int]) -> None:
    async def main() -> None:
        task = asyncio.create_task(input_arrives(pipe[0]))
        await asyncio.sleep(0.01)
        assert not task.done()
        assert not has_arrived(pipe[0])
        os.write(pipe[1], b"late")
        await task
        assert has_arrived(pipe[0])

    asyncio.run(main())
    assert os.read(pipe[0], 10) == b"late"


@pytest.mark.parametrize("is_socket", [False, True])
def test_nothing_arrives_when_the_other_end_is_closed(is_socket: bool) -> None:
    async def main() -> None:
        if is_socket:
            here, there = (one.detach() for one in socket.socketpair())
        else:
            here, there = os.pipe()
        try:
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(input_arrives(here))
            await asyncio.sleep(0.01)
            os.close(there)
            await asyncio.sleep(0.02)
            assert not task.done()
            assert not loop.remove_reader(here), "the end is an event for ever, and is not listened to"
            assert not has_arrived(here)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            os.close(here)

    asyncio.run(main())


def test_no_reader_is_left_when_waiting_for_an_arrival_is_cancelled(pipe: tuple[int, int]) -> None:
    async def main() -> None:
        task = asyncio.create_task(input_arrives(pipe[0]))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not asyncio.get_running_loop().remove_reader(pipe[0])

    asyncio.run(main())


def test_nothing_has_arrived_when_the_descriptor_is_closed(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"x")
    assert has_arrived(pipe[0])
    os.close(pipe[0])
    assert not has_arrived(pipe[0])


@pytest.mark.parametrize(
    ("name", "kind"), [(os.devnull, "null"), ("/dev/zero", "device"), (".", "file"), ("fifo", "pipe")]
)
def test_the_kind_is_told_of_what_has_a_name(name: str, kind: InputKind) -> None:
    if name == "fifo":
        os.mkfifo(name)
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    assert kind_of(descriptor) == kind
    os.close(descriptor)
    assert kind_of(descriptor) == "none"


def test_the_kind_is_told_of_what_has_none(pipe: tuple[int, int]) -> None:
    here, there = socket.socketpair()
    with here, there:
        assert [kind_of(one) for one in (pipe[0], here.fileno(), None)] == ["pipe", "socket", "none"]


def test_a_file_is_partly_read_when_its_offset_is_not_at_the_beginning(tmp_path: Path, pipe: tuple[int, int]) -> None:
    (tmp_path / "list").write_text("one\ntwo\n")
    with (tmp_path / "list").open("rb", buffering=0) as file:
        assert not is_partly_read(file.fileno())
        file.readline()
        assert is_partly_read(file.fileno())
    assert not is_partly_read(pipe[0])
