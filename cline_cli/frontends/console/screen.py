"""The one place that moves the cursor: lines printed for good, and below them live lines that are replaced.

    printed        scrolls away with the terminal's own history
    printed
    live           at most one screen, each shorter than the terminal is wide, so that it takes exactly one row
    live ▌         the cursor stays at the end of the last one

It never hides the cursor and changes no mode, so there is nothing to restore but the live lines themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cline_cli.machine.output import Output

MIN_COLUMNS, MIN_ROWS = 20, 4
"""In a smaller terminal nothing is live."""
ERASE_BELOW, ERASE_RIGHT = "\x1b[J", "\x1b[K"


class Line(NamedTuple):
    text: str
    """With its styles, and without a newline."""
    cells: int
    """How many cells of the terminal it takes."""


BLANK = Line("", 0)


class Size(NamedTuple):
    columns: int
    rows: int


def measure(descriptor: int | None, variables: Mapping[str, str]) -> Size:
    """Return how large the terminal is; COLUMNS makes it narrower, and says how wide it is where nothing else does."""
    try:
        columns, rows = os.get_terminal_size(descriptor if descriptor is not None else -1)
    except OSError:
        columns, rows = 0, 0
    wanted = variables.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        columns = min(int(wanted), columns or int(wanted))
    return Size(columns or 80, rows or 24)


class Screen:
    def __init__(self, output: Output, measure_size: Callable[[], Size]) -> None:
        self._output = output
        self._measure = measure_size
        self._live: tuple[Line, ...] = ()
        self._columns = 0
        """How wide the terminal was when the live lines were drawn."""
        self._is_torn = False
        """A write was cut short: where the cursor stands is not known."""
        self._is_given_up = False

    @property
    def size(self) -> Size:
        return self._measure()

    def give_up(self) -> None:
        """Write nothing any more: the terminal takes nothing."""
        self._is_given_up = True

    async def show(self, printed: Sequence[Line] = (), live: Sequence[Line] = ()) -> None:
        """Print lines for good, and replace the live lines; what does not fit of those is left out at the top.

        Raises:
            OSError: the terminal is gone.
        """
        if self._is_given_up:
            return
        size = self.size
        drawable = size.columns >= MIN_COLUMNS and size.rows >= MIN_ROWS
        fitting = tuple(line for line in live if line.cells < size.columns)[1 - size.rows :] if drawable else ()
        has_changed = fitting != self._live or (fitting and size.columns != self._columns) or self._is_torn
        if not printed and not has_changed:
            return
        data = self._compose(printed, fitting, size)
        self._live, self._is_torn = (), True
        await self._output.write_text(data)
        self._live, self._columns, self._is_torn = fitting, size.columns, False

    def _compose(self, printed: Sequence[Line], live: Sequence[Line], size: Size) -> str:
        is_resized = size.columns != self._columns
        if self._live and live and not printed and not is_resized and not self._is_torn:
            # Written over in place, so that what stays the same does not flicker.
            up = f"\r\x1b[{len(self._live) - 1}A" if len(self._live) > 1 else "\r"
            return up + "\n".join(line.text + ERASE_RIGHT for line in live) + ERASE_BELOW
        erased = self._erase(size, is_resized=is_resized)
        return erased + "".join(f"{line.text}\n" for line in printed) + "\n".join(line.text for line in live)

    def _erase(self, size: Size, *, is_resized: bool) -> str:
        """Return what takes the live lines away and leaves the cursor where the first of them began."""
        if self._is_torn:
            return "\x1b[0m\r\n"
        if not self._live:
            return ""
        if is_resized:
            # A terminal that became narrower has wrapped them.
            rows = sum(max(1, -(-line.cells // size.columns)) for line in self._live)
            return (f"\r\x1b[{rows - 1}A" if rows > 1 else "\r") + ERASE_BELOW
        # Row by row: tmux takes an erased screen for one that scrolled, and would keep the live lines in its history.
        return f"\r{ERASE_RIGHT}" + f"\x1b[1A{ERASE_RIGHT}" * (len(self._live) - 1)
