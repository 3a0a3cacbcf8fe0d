"""Waiting for a descriptor outside of an event loop, in a way that a signal ends at whatever moment it comes.

A signal that comes just before a blocking read, or that another thread takes, does not interrupt it: its handler would
run only after the read. So what is waited for is the descriptor, or a pipe that the interpreter writes to at a signal.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator


class Bell:
    def __init__(self, descriptor: int) -> None:
        self._bell = descriptor

    def wait_for(self, descriptor: int) -> None:
        """Return as soon as there is something to read, or the end of it; what a signal raises is raised here.

        Raises:
            OSError: it cannot be waited for.
        """
        while True:
            ready = select.select([descriptor, self._bell], [], [])[0]
            if self._bell not in ready:
                return
            os.read(self._bell, 1)  # what the signal does is done by now, or before the next line


@contextlib.contextmanager
def ringing() -> Iterator[Bell]:
    """Give a bell that rings at signals. Only in the main thread."""
    bell, rope = os.pipe()
    os.set_blocking(rope, False)
    before = signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
    try:
        yield Bell(bell)
    finally:
        signal.set_wakeup_fd(before)
        os.close(bell)
        os.close(rope)
