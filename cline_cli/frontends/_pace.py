"""How long a message takes, for people who ask for it."""

from __future__ import annotations

from collections.abc import Callable

from cline_cli.agent.messages import Usage
from cline_cli.frontends.figures import describe_usage, format_duration


class Pace:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started_s = clock()
        self._first_text_s: float | None = None

    def begin(self) -> None:
        """A message is asked for."""
        self._started_s, self._first_text_s = self._clock(), None

    def text_came(self) -> None:
        if self._first_text_s is None:
            self._first_text_s = self._clock() - self._started_s

    def describe(self, usage: Usage) -> str:
        """Return `[message] 2.7 s, first text after 0.4 s, 200 in (80 cached), 20 out, $0.0007`."""
        first = "" if self._first_text_s is None else f"first text after {format_duration(self._first_text_s)}, "
        return f"[message] {format_duration(self._clock() - self._started_s)}, {first}{describe_usage(usage)}"
