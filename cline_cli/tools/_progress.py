"""Passes a command's output on for people while it comes: seldom and in small pieces, however much it prints."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from cline_cli.agent.tool import Report

PAUSE_S = 0.1
MAX_BYTES = 4_096
"""Of one piece; of more only the end is passed on."""


class Progress:
    def __init__(self, report: Report, clock: Callable[[], float]) -> None:
        self._report = report
        self._clock = clock
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._next_at = clock()
        self._waiting = b""

    def add(self, data: bytes) -> None:
        self._waiting = (self._waiting + data)[-MAX_BYTES:]
        now = self._clock()
        if now >= self._next_at:
            self.flush()
            self._next_at = now + PAUSE_S

    def flush(self) -> None:
        """Pass on what is waiting."""
        text = self._decoder.decode(self._waiting)
        self._waiting = b""
        if text:
            self._report(text)
