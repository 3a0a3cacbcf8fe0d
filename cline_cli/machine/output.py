"""The one door for output: writes that can be stopped at any moment, however slow or stuck the reader is.

A plain `os.write` to a full pipe, or to a terminal that was halted, blocks the thread; a signal does not end it, so a
run could not be stopped while its reader sleeps. Setting O_NONBLOCK would be wrong: the flag belongs to the open file
description, which is shared with the shell and every program in the pipeline. So:

    regular file, /dev/null   os.write: it never waits for a reader
    pipe, socket              poll, then at most PIPE_BUF bytes, which a writable pipe takes without blocking
    terminal                  opened once more by its name: a description of our own, with O_NONBLOCK

Whoever has to wait does so in the event loop.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import stat
import weakref


class Output:
    """A descriptor that is written to whole and in order; concurrent writes follow one another."""

    __slots__ = ("__weakref__", "_descriptor", "_lock", "_most", "_poll")

    def __init__(self, descriptor: int | None) -> None:
        """Take a descriptor that stays the caller's; None for one that is closed."""
        self._descriptor = descriptor
        self._lock = asyncio.Lock()
        self._poll: select.poll | None = None
        self._most = 1 << 30
        if descriptor is None:
            return
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISCHR(mode) and os.isatty(descriptor):
            self._descriptor = own = _reopen_terminal(descriptor)
            if own != descriptor:
                weakref.finalize(self, os.close, own)
                return
        elif not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            return
        self._most = select.PIPE_BUF
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    async def write(self, data: bytes) -> None:
        """Write all of the data. Cancelling stops it, with some of the data written.

        Raises:
            BrokenPipeError: the reader is gone.
            OSError: anything else that keeps the data from being written; EBADF where the descriptor is closed.
        """
        async with self._lock:
            rest = memoryview(data)
            while rest:
                rest = rest[await self.write_some(rest) :]

    async def write_some(self, data: memoryview) -> int:
        """Wait until there is room, write as much as one call may, and return how many bytes that were.

        Cancelling ends the wait, and then nothing was written: whoever has to know what is out uses this, and keeps
        other writers away in the meantime.

        Raises:
            OSError: as `write`.
        """
        descriptor = self._descriptor
        if descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._poll and not self._poll.poll(0):
            await _wait_until_writable(descriptor)
        while True:
            try:
                return os.write(descriptor, data[: self._most])
            except BlockingIOError:
                await _wait_until_writable(descriptor)

    async def write_text(self, text: str) -> None:
        """Write text as UTF-8, whatever the locale says; a lone surrogate becomes a question mark.

        Raises:
            OSError: as `write`.
        """
        await self.write(text.encode("utf-8", "replace"))


def _reopen_terminal(descriptor: int) -> int:
    """Return a non-blocking descriptor of our own for the same terminal, or the given one where it cannot be opened.

    It cannot after `su` to somebody else, or in a container without its name in /dev.
    """
    try:
        own = os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return descriptor
    if os.fstat(own).st_rdev == os.fstat(descriptor).st_rdev:
        return own
    os.close(own)
    return descriptor


async def _wait_until_writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    writable: asyncio.Future[None] = loop.create_future()
    loop.add_writer(descriptor, _settle, writable)
    try:
        await writable
    finally:
        loop.remove_writer(descriptor)


def _settle(writable: asyncio.Future[None]) -> None:
    """Wake the waiter; the loop may call again before it has run."""
    if not writable.done():
        writable.set_result(None)
