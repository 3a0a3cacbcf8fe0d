"""Some lines out of a text of any length, read piece by piece in bounded memory. Pure.

Lines end with \\n, as for grep, compilers and diffs, and are 1-based; the \\r of a \\r\\n is not shown.
"""

from __future__ import annotations

MAX_LINES = 2_000
MAX_LINE_CHARACTERS = 2_000


class Window:
    """Takes a text in pieces and keeps the lines from `start` to `end` (inclusive), as far as the limits allow.

    `end` is not before `start`; None means the last one.
    """

    def __init__(self, start: int, end: int | None, max_bytes: int, max_lines: int = MAX_LINES) -> None:
        self.start = start
        self._last_wanted = end
        self._max_lines = max_lines
        self._room = max_bytes
        self._lines: list[str] = []
        self._number = 1
        """Of the line that is open."""
        self._open: list[str] = []
        self._open_length = 0
        self._is_full = False
        self._ends_with_newline = True

    @property
    def is_full(self) -> bool:
        """Whether all that is wanted and fits has been kept, so that more text changes only `total`."""
        return self._is_full

    @property
    def total(self) -> int:
        """How many lines there were so far."""
        return self._number - 1 if self._ends_with_newline else self._number

    @property
    def end(self) -> int:
        """The last line that was kept; `start` - 1 where none was."""
        return self.start + len(self._lines) - 1

    @property
    def text(self) -> str:
        """The lines, each with its number."""
        width = len(str(self.end))
        return "\n".join(f"{number:>{width}} | {line}" for number, line in enumerate(self._lines, self.start))

    def feed(self, text: str) -> None:
        if not text:
            return
        self._ends_with_newline = text.endswith("\n")
        newlines = text.count("\n")
        if self._is_full or self._number + newlines < self.start:
            self._number += newlines
            return
        pieces = text.split("\n")
        for position, piece in enumerate(pieces):
            self._grow(piece)
            if position < newlines and self._end_line():
                self._number += newlines - position - 1
                return

    def close(self) -> None:
        """Take what was fed as all there is."""
        if not self._ends_with_newline and not self._is_full:
            self._keep()

    def _grow(self, piece: str) -> None:
        room = MAX_LINE_CHARACTERS - self._open_length
        if self._number >= self.start and room > 0 and piece:
            self._open.append(piece[:room])
        self._open_length += len(piece)

    def _end_line(self) -> bool:
        """Return whether the window is full now."""
        self._keep()
        self._number += 1
        self._open, self._open_length = [], 0
        return self._is_full

    def _keep(self) -> None:
        if self._number < self.start or self._is_full:
            return
        line = "".join(self._open).removesuffix("\r")
        hidden = self._open_length - MAX_LINE_CHARACTERS
        if hidden > 0:
            line += f" … [line {self._number}: {hidden:,} more characters are not shown; start_byte reads them]"
        size = len(line.encode("utf-8", "replace")) + 1
        if size > self._room:
            self._is_full = True
            return
        self._room -= size
        self._lines.append(line)
        self._is_full = len(self._lines) >= self._max_lines or self._number == self._last_wanted
