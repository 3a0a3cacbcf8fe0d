"""`--timeout`: one deadline for a whole run, before its event loop and in it."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

from cline_cli.errors import TimedOutError


class Deadline:
    def __init__(self, timeout_s: float | None) -> None:
        """Begin to count; None is no deadline."""
        self._timeout_s = timeout_s
        self._started = time.monotonic()

    @property
    def left_s(self) -> float | None:
        if self._timeout_s is None:
            return None
        return max(0.0, self._started + self._timeout_s - time.monotonic())

    @property
    def reason(self) -> TimedOutError:
        return TimedOutError(f"timed out after {self._timeout_s:g} s", "Give it longer with --timeout")

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Enforce it on what may block before there is an event loop: a key that is piped in, a keyring.

        Raises:
            TimedOutError: it passed.
        """
        if self._timeout_s is None:
            yield
            return

        def end(_number: int, _frame: FrameType | None) -> None:
            raise self.reason

        before = signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, self.left_s or 1e-6)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
