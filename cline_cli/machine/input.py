"""Standard input: whether anything is going to come, and what comes, in a way that can be stopped at any moment.

It is read only where poll says that there is something, never by way of O_NONBLOCK: that flag belongs to the open file
description, which is shared with the shell and every program in the pipeline.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import stat
import struct
import termios
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cline_cli.errors import UsageError
from cline_cli.machine._writers import Writer, find_writer, name_of

StdinMode = Literal["auto", "wait", "ignore"]
InputKind = Literal["none", "null", "pipe", "socket", "file", "device"]
PIECE_BYTES = 1 << 16
"""A pipe's default capacity on Linux."""
_PIECES_AT_ONCE = 16
"""Before others get their turn, however fast it comes."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is waited for."""

    silence_s: float = 0.3
    """A pipe that was silent so long makes us ask who could write."""
    told_s: float = 1.0
    """After that it is said what is waited for."""
    unknown_s: float = 3.0
    """For the first byte, where it cannot be told who could write."""
    recheck_s: float = 1.0
    """Between two looks whether the producer is still there."""


PATIENCE = Patience()


class WaitingNotice:
    """Says once, when it is due, who or what is waited for. Its time begins when it is made."""

    __slots__ = ("_due_at", "_is_told", "_otherwise", "_tell")

    def __init__(self, tell: Callable[[str], Awaitable[None]], otherwise: str, patience: Patience = PATIENCE) -> None:
        """`otherwise` is the sentence for where nobody is known who could write."""
        self._tell, self._otherwise = tell, otherwise
        self._due_at = _now() + patience.told_s
        self._is_told = False

    @property
    def due_in_s(self) -> float | None:
        """None when it has been said."""
        return None if self._is_told else max(0.0, self._due_at - _now())

    async def say(self, writer: Writer) -> None:
        if not self._is_told:
            self._is_told = True
            process = writer.process
            await self._tell(f"waiting for stdin from {name_of(process)}" if process else self._otherwise)


def kind_of(descriptor: int | None) -> InputKind:
    """Return what a descriptor is; "none" where it is closed."""
    try:
        status = os.fstat(descriptor) if descriptor is not None else None
    except OSError:
        status = None
    if status is None:
        return "none"
    if stat.S_ISFIFO(status.st_mode):
        return "pipe"
    if stat.S_ISSOCK(status.st_mode):
        return "socket"
    if stat.S_ISCHR(status.st_mode):
        return "null" if _is_null(status) else "device"
    return "device" if stat.S_ISBLK(status.st_mode) else "file"


def is_partly_read(descriptor: int) -> bool:
    """Whether it is a file that another program has begun to read: the list of a `while read` loop around us."""
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and os.lseek(descriptor, 0, os.SEEK_CUR) > 0
    except OSError:
        return False


async def is_coming(descriptor: int, notice: WaitingNotice, patience: Patience = PATIENCE) -> bool:
    """Wait until there is something to read, or its end; return False when nobody seems to be going to write.

    A pipe or a socket that is silent is waited for as long as a producer holds its other end; see `_writers`.
    """
    began = _now()
    writer = Writer("unknown")
    pause: float = patience.silence_s
    while not await _is_ready(descriptor, pause):
        writer = await find_writer(descriptor, writer.process)
        due = notice.due_in_s
        if writer.verdict == "producer":
            if due == 0:
                await notice.say(writer)
            pause = min(patience.recheck_s, due or patience.recheck_s)
        else:
            left = began + patience.unknown_s - _now()
            if writer.verdict == "idle" or left <= 0:
                return await _is_ready(descriptor, 0)
            pause = min(patience.recheck_s, left)
    return True


async def read_into(descriptor: int, take: Callable[[bytes], None], notice: WaitingNotice | None = None) -> None:
    """Hand over everything up to the end of the input. Cancelling it leaves what was not read where it was.

    Raises:
        UsageError: it cannot be read: a folder, a failing disk, a terminal that hung up.
    """
    while True:
        for _ in range(_PIECES_AT_ONCE):
            if not _has_event(descriptor):
                break
            piece = _read_piece(descriptor)
            if piece == b"":
                return
            if piece:
                take(piece)
        await asyncio.sleep(0)
        if not await _is_ready(descriptor, notice.due_in_s if notice else None) and notice:
            await notice.say(await find_writer(descriptor))


async def input_arrives(descriptor: int) -> None:
    """Return when there are bytes on an input that we went on without, and never if it just ends. Reads none."""
    while True:
        await _is_ready(descriptor, None)
        if has_arrived(descriptor):
            return
        if _has_event(descriptor):  # its end, which is an event for ever
            await asyncio.get_running_loop().create_future()


def has_arrived(descriptor: int) -> bool:
    """Whether there are bytes to be read now. Reads none."""
    try:
        answer = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    except OSError:  # it is closed, or nothing that can be asked
        return False
    return bool(struct.unpack("=i", answer)[0] > 0)


def _is_null(status: os.stat_result) -> bool:
    try:
        return status.st_rdev == Path(os.devnull).stat().st_rdev
    except OSError:  # a container without it
        return False


def _read_piece(descriptor: int) -> bytes | None:
    """Return what is there; nothing at the end, None where somebody else was faster."""
    try:
        return os.read(descriptor, PIECE_BYTES)
    except BlockingIOError:  # whoever shares this descriptor made it non-blocking
        return None
    except OSError as error:
        raise UsageError(f"cannot read standard input: {error.strerror}") from error


def _has_event(descriptor: int) -> bool:
    """Whether a read would not wait: there are bytes, an end or an error; a file is always ready."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


async def _is_ready(descriptor: int, timeout_s: float | None) -> bool:
    """Wait, at most so long, until a read would not wait; return whether that is so."""
    if _has_event(descriptor):
        return True
    if timeout_s == 0:
        return False
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ready)
    try:
        await asyncio.wait({ready}, timeout=timeout_s)
    finally:
        loop.remove_reader(descriptor)
    return ready.done()


def _settle(ready: asyncio.Future[None]) -> None:
    """Wake the waiter; the loop may call again before it has run."""
    if not ready.done():
        ready.set_result(None)


def _now() -> float:
    return asyncio.get_running_loop().time()
