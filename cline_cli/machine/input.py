"""Standard input, read to its end in a way that can be stopped at any moment."""

from __future__ import annotations

import asyncio
import os
import stat

from cline_cli.errors import UsageError

PIECE_BYTES = 1 << 16


async def read_to_end(descriptor: int) -> bytes:
    """Return everything up to the end of the input. Cancelling it leaves what was not read where it was.

    Raises:
        UsageError: it cannot be read: a folder, a failing disk, a terminal that hung up.
    """
    pieces: list[bytes] = []
    try:
        can_wait = _can_wait(descriptor)
        while True:
            if can_wait:
                await _readable(descriptor)
            else:
                await asyncio.sleep(0)
            try:
                piece = os.read(descriptor, PIECE_BYTES)
            except BlockingIOError:  # whoever shares this descriptor made it non-blocking, and was faster
                continue
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
    except OSError as error:
        raise UsageError(f"cannot read standard input: {error.strerror}") from error


def is_partly_read(descriptor: int) -> bool:
    """Whether it is a file that another program has begun to read: the list of a `while read` loop around us."""
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and os.lseek(descriptor, 0, os.SEEK_CUR) > 0
    except OSError:
        return False


def _can_wait(descriptor: int) -> bool:
    """Whether the kernel tells when there is something to read: pipes, sockets, terminals; a file is always ready."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_reader(descriptor, lambda: None)
    except PermissionError:  # epoll's word for a regular file, a folder and the like
        return False
    loop.remove_reader(descriptor)
    return True


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
