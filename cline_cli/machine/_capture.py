"""What a child prints: read from a pipe of our own as it comes, its beginning and its end kept.

The pipe is ours and not subprocess.PIPE, because waiting for a process would then also wait for everybody who inherited
the pipe: a background process of the command would hold the call until it ends (measured on CPython 3.11).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_READ_BYTES = 65_536
"""A pipe's default capacity on Linux. Larger reads and pipes were not faster in any way that counts: 0.6 s a GB."""
_DISCARDED_AT_ONCE = 16
_PAUSE_S = 0.05
"""Between two rounds of discarding: a noisy background process is slowed to 20 MB/s instead of taking our time."""


class Capture:
    """Collects at most `max_bytes`: all of a shorter output, else a head of one third and a tail of two."""

    def __init__(self, max_bytes: int, on_output: Callable[[bytes], None] | None, on_full: Callable[[], None] | None):
        """Open the pipe and begin to read; `on_full` is called when `max_bytes` have come, and the tail is not kept."""
        self._loop = asyncio.get_running_loop()
        self._descriptor, self.write_end = os.pipe()
        os.set_blocking(self._descriptor, False)
        self._on_output, self._on_full = on_output, on_full
        self._head_bytes = max_bytes if on_full else max_bytes // 3
        self._tail_bytes = max_bytes - self._head_bytes
        self._head, self._tail = bytearray(), bytearray()
        self._total = 0
        self._ended = asyncio.Event()
        self._loop.add_reader(self._descriptor, self._read)

    @property
    def head(self) -> bytes:
        return bytes(self._head)

    @property
    def tail(self) -> bytes:
        return bytes(self._tail[-self._tail_bytes :]) if self._tail_bytes else b""

    @property
    def omitted_bytes(self) -> int:
        """How many bytes came between head and tail."""
        return self._total - len(self.head) - len(self.tail)

    @property
    def is_open(self) -> bool:
        """Whether somebody still holds the other end."""
        return not self._ended.is_set()

    def close_write_end(self) -> None:
        os.close(self.write_end)

    async def drain(self, timeout_s: float) -> None:
        """Read on until the end of the output, at most so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            pass

    def discard(self) -> None:
        """Read and forget from now on, so that whoever still writes neither blocks nor dies of a broken pipe."""
        if self.is_open:
            self._loop.add_reader(self._descriptor, self._throw_away)

    def close(self) -> None:
        """Let go of the pipe. May be called twice, and after its event loop has ended."""
        if self.is_open:
            self._ended.set()
            if not self._loop.is_closed():
                self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)

    def _read(self) -> None:
        data = self._take()
        if not data:
            return
        self._total += len(data)
        if self._on_output:
            self._on_output(data)
        room = self._head_bytes - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data and self._tail_bytes:
            self._tail += data
            if len(self._tail) > 2 * self._tail_bytes:
                del self._tail[: -self._tail_bytes]
        if self._on_full and self._total >= self._head_bytes:
            self._on_full()

    def _throw_away(self) -> None:
        for _ in range(_DISCARDED_AT_ONCE):
            if not self._take():
                return
        self._loop.remove_reader(self._descriptor)
        self._loop.call_later(_PAUSE_S, self.discard)

    def _take(self) -> bytes:
        """Return what can be read now; nothing at the end, which closes the pipe."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return b""
        if not data:
            self.close()
        return data
