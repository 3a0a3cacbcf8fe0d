"""A shortcut past the JSON of plain text deltas. Pure.

Most of a stream is events that differ in one string only, the text. Where an event was parsed and did nothing but add
its text, what stands around that string is kept; an event with the same around another string adds that string. Strings
with escapes take the long way, so that what is between the quotes is the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_LESSONS = 16
"""A server that puts something new into each event is parsed as any other after so many in vain."""
LONGEST_LESSON = 10_000
"""Characters; one event may be so large that it must not be copied."""
_ESCAPED = re.compile(r'["\\\x00-\x1f]')
_PROBE = "\u2402probe\u2403"


class TextShortcut:
    """Knows one shape of event at a time; `parse_text` is the long way: an event -> the text that it adds."""

    def __init__(self, parse_text: Callable[[str], str | None]) -> None:
        self._parse_text = parse_text
        self._head = "\0"
        """Before the text, with its quotation mark; at first nothing that an event could begin with."""
        self._tail = ""
        self._lessons = 0

    def read(self, event: str) -> str | None:
        """Return the text of an event that is known to do nothing but add it, or None."""
        head, tail = self._head, self._tail
        if not event.startswith(head) or not event.endswith(tail) or len(event) < len(head) + len(tail):
            return None
        text = event[len(head) : len(event) - len(tail)]
        if _ESCAPED.search(text):
            return None
        self._lessons = 0
        return text

    def learn(self, event: str, text: str) -> None:
        """Remember the shape of an event that did nothing but add `text`, which is not empty."""
        if self._lessons >= MAX_LESSONS or len(text) > LONGEST_LESSON or _ESCAPED.search(text):
            return
        self._lessons += 1
        head, quoted, tail = event.partition(f'"{text}"')
        if quoted and self._parse_text(f'{head}"{_PROBE}"{tail}') == _PROBE:
            self._head, self._tail = f'{head}"', f'"{tail}'

    def forget(self) -> None:
        """Know no shape: what comes next adds to something else."""
        self._head, self._tail = "\0", ""
