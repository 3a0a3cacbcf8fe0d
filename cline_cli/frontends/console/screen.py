"""The one place that moves the cursor: lines printed for good, and below them live lines that are replaced.

    printed        scrolls away with the terminal's own history
    printed
    live           at most one screen, each shorter than the terminal is wide, so that it takes exactly one row
    live ▌         the cursor stays at the end of the last one, or where it is told to

It never hides the cursor and leaves no mode changed, so there is nothing to restore but the live lines themselves.

A terminal that becomes narrower either breaks its lines anew, or cuts them: from inside nobody can tell which. So it is
told by name (`rewraps`); one without a name is taken for one that cuts, where at worst a live line is left standing,
while the other mistake would erase what was printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cline_cli.machine.output import Output

MIN_COLUMNS, MIN_ROWS = 20, 4
"""In a smaller terminal nothing is live."""
ERASE_BELOW, ERASE_RIGHT = "\x1b[J", "\x1b[K"
WRAP_OFF, WRAP_ON = "\x1b[?7l", "\x1b[?7h"
"""A line that was made for a wider terminal, and comes when that is narrower already, takes one row all the same."""
REWRAPPING = (
    *("ALACRITTY_WINDOW_ID", "GHOSTTY_RESOURCES_DIR", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "TERM_PROGRAM", "TMUX"),
    *("VTE_VERSION", "WEZTERM_PANE", "WT_SESSION"),
)
"""Variables by which terminals that break their lines anew make themselves known."""
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Line(NamedTuple):
    text: str
    """With its styles, and without a newline."""
    cells: int
    """How many cells of the terminal it takes."""


BLANK = Line("", 0)


class Size(NamedTuple):
    columns: int
    rows: int


class Position(NamedTuple):
    """Where the cursor stands among live lines."""

    row: int
    """0-based, from the first of them."""
    column: int
    """0-based, in cells."""


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


def rewraps(variables: Mapping[str, str]) -> bool:
    """Tell whether the terminal is known to break its lines anew when it becomes narrower."""
    name = variables.get("TERM", "")
    return name.startswith(("tmux", "foot", "alacritty", "xterm-kitty", "xterm-ghostty")) or any(
        variables.get(variable) for variable in REWRAPPING
    )


class Screen:
    def __init__(
        self,
        output: Output,
        measure_size: Callable[[], Size],
        *,
        is_rewrapping: bool = True,
        has_colour: bool = True,
    ) -> None:
        self._output = output
        self._measure = measure_size
        self._is_rewrapping = is_rewrapping
        self._has_colour = has_colour
        self._live: tuple[Line, ...] = ()
        self._cursor = Position(0, 0)
        """Where it was left."""
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

    async def write(self, sequence: str) -> None:
        """Write what changes a mode of the terminal, and moves nothing.

        Raises:
            OSError: the terminal is gone.
        """
        if not self._is_given_up:
            await self._output.write_text(sequence)

    async def clear(self) -> None:
        """Begin on an empty screen; what stood there goes into the terminal's own history.

        Raises:
            OSError: the terminal is gone.
        """
        await self.show()
        await self.write("\n" * self.size.rows + "\x1b[H")

    async def show(
        self, printed: Sequence[Line] = (), live: Sequence[Line] = (), cursor: Position | None = None
    ) -> None:
        """Print lines for good, and replace the live lines; what does not fit of those is left out at the top.

        The cursor is left at that position among `live`, or at their end.

        Raises:
            OSError: the terminal is gone.
        """
        if self._is_given_up:
            return
        size = self.size
        drawable = size.columns >= MIN_COLUMNS and size.rows >= MIN_ROWS
        fitting, cursor = _fit(live, cursor, size) if drawable else ((), Position(0, 0))
        is_as_drawn = fitting == self._live and cursor == self._cursor and not self._is_torn
        if not printed and is_as_drawn and (not fitting or size.columns == self._columns):
            return
        data = self._compose(printed, fitting, cursor, size)
        self._live, self._is_torn = (), True
        await self._output.write_text(data if self._has_colour else _STYLE.sub("", data))
        self._live, self._cursor, self._columns, self._is_torn = fitting, cursor, size.columns, False

    def _compose(self, printed: Sequence[Line], live: Sequence[Line], cursor: Position, size: Size) -> str:
        is_resized = size.columns != self._columns
        if self._live and live and not printed and not is_resized and not self._is_torn:
            # Written over in place, so that what stays the same does not flicker.
            up = f"\r\x1b[{self._cursor.row}A" if self._cursor.row else "\r"
            lines = "\n".join(line.text + ERASE_RIGHT for line in live) + ERASE_BELOW
            return up + self._unwrapped(lines) + _leave(live, cursor)
        erased = self._erase(size, is_resized=is_resized)
        drawn = self._unwrapped("\n".join(line.text for line in live)) + _leave(live, cursor) if live else ""
        return erased + "".join(f"{line.text}\n" for line in printed) + drawn

    def _unwrapped(self, lines: str) -> str:
        return lines if self._is_rewrapping else f"{WRAP_OFF}{lines}{WRAP_ON}"

    def _erase(self, size: Size, *, is_resized: bool) -> str:
        """Return what takes the live lines away and leaves the cursor where the first of them began."""
        if self._is_torn:
            return f"\x1b[0m{'' if self._is_rewrapping else WRAP_ON}\r\n"
        if not self._live:
            return ""
        if is_resized:
            rows = self._cursor.row
            if self._is_rewrapping:  # what is wider than the terminal is now has been broken
                above = self._live[: self._cursor.row]
                rows = sum(max(1, -(-line.cells // size.columns)) for line in above)
                rows += self._cursor.column // size.columns
            return (f"\r\x1b[{rows}A" if rows else "\r") + ERASE_BELOW
        # Row by row: tmux takes an erased screen for one that scrolled, and would keep the live lines in its history.
        below = len(self._live) - 1 - self._cursor.row
        down = f"\x1b[{below}B" if below else ""
        return f"{down}\r{ERASE_RIGHT}" + f"\x1b[1A{ERASE_RIGHT}" * (len(self._live) - 1)


def _fit(live: Sequence[Line], cursor: Position | None, size: Size) -> tuple[tuple[Line, ...], Position]:
    """Return the live lines that can be drawn, the last of them, and where among them the cursor is to stand."""
    kept = [(number, line) for number, line in enumerate(live) if line.cells < size.columns][1 - size.rows :]
    lines = tuple(line for _, line in kept)
    if not lines:
        return (), Position(0, 0)
    if cursor is not None:
        row = next((row for row, (number, _) in enumerate(kept) if number == cursor.row), None)
        if row is not None:
            return lines, Position(row, min(cursor.column, size.columns - 1))
    return lines, Position(len(lines) - 1, lines[-1].cells)


def _leave(live: Sequence[Line], cursor: Position) -> str:
    """Return what moves the cursor from the end of the live lines to where it is to stand."""
    below = len(live) - 1 - cursor.row
    if not below and cursor.column == live[-1].cells:
        return ""
    return (f"\x1b[{below}A" if below else "") + "\r" + (f"\x1b[{cursor.column}C" if cursor.column else "")
