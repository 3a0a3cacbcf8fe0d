"""How what is typed stands on the screen: broken into rows, with the cursor among them. Pure.

What cannot be seen is shown as `<U+202E>`, as everywhere; joiners and variation selectors are left out, since how wide
they make what they join is another matter in every terminal, and the cursor has to stand where the text is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cline_cli.frontends._style import DIM, paint
from cline_cli.frontends.console.screen import Line, Position
from cline_cli.text import display_width, visible

TAB_CELLS = 4
_UNSHOWN = frozenset("\u200d\ufe0e\ufe0f")


class View(NamedTuple):
    lines: list[Line]
    cursor: Position


class _Row(NamedTuple):
    text: str
    cells: int


def lay_out(text: str, cursor: int, columns: int, max_rows: int, *, label: str = "> ", hint: str = "") -> View:
    """Return rows of at most `columns` cells, and of more than `max_rows` those around the cursor.

    `cursor` counts characters of the text, `label` stands before the first row, and its width before all others;
    `hint` is shown dim where nothing is typed.
    """
    margin = display_width(label)
    room = max(4, columns - margin - 1)
    rows: list[_Row] = []
    position = Position(0, 0)
    start = 0
    for line in text.split("\n"):
        if start <= cursor <= start + len(line):
            broken, row, column = _break(line, cursor - start, room)
            position = Position(len(rows) + row, margin + column)
        else:
            broken, _, _ = _break(line, 0, room)
        rows += broken
        start += len(line) + 1
    first = max(0, min(position.row - max_rows + 1, len(rows) - max_rows)) if len(rows) > max_rows else 0
    first = max(first, min(position.row, len(rows) - max_rows)) if len(rows) > max_rows else 0
    shown = rows[first : first + max_rows]
    lines = [_to_line(row, label if number == 0 else " " * margin) for number, row in enumerate(shown, first)]
    if not text and hint:
        cut = hint[:room]
        lines[0] = Line(lines[0].text + paint(cut, DIM), lines[0].cells + display_width(cut))
    return View(lines, Position(position.row - first, position.column))


def _to_line(row: _Row, label: str) -> Line:
    return Line(label + row.text, display_width(label) + row.cells)


def _break(line: str, cursor: int, room: int) -> tuple[list[_Row], int, int]:
    """Return the rows of a line, and the row and the column of the cursor, which stands before that character."""
    rows: list[_Row] = []
    text, cells = "", 0
    found: tuple[int, int] | None = None
    for index, shown in enumerate(_show(line)):
        width = display_width(shown)
        if cells and cells + width > room:
            rows.append(_Row(text, cells))
            text, cells = "", 0
        if index == cursor:
            found = len(rows), cells
        text += shown
        cells += width
        while cells > room:  # only what is written out can be so wide
            rows.append(_Row(text[:room], room))
            text, cells = text[room:], cells - room
    if found is None:
        if cells >= room:
            rows.append(_Row(text, cells))
            text, cells = "", 0
        found = len(rows), cells
    rows.append(_Row(text, cells))
    return rows, *found


def _show(line: str) -> Iterator[str]:
    for character in line:
        if character == "\t":
            yield " " * TAB_CELLS
        else:
            yield "" if character in _UNSHOWN else visible(character)
