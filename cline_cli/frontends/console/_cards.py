"""A diff as people read one: line numbers, what went in red, what came in green, what stands around it dim. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cline_cli.frontends._style import BOLD, DIM, GREEN, RED, paint
from cline_cli.frontends.console.screen import Line
from cline_cli.text import display_width, visible

MOST_LINES = 20
TAB_CELLS = 4
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class _Row(NamedTuple):
    number: str
    mark: str
    text: str
    style: str


def lay_out_diff(diff: str, columns: int, most_lines: int = MOST_LINES) -> list[Line]:
    """Return the hunks of a diff as indented lines of at most `columns` cells; of a longer one its beginning."""
    rows = list(_read(diff))
    shown = rows[:most_lines]
    width = max((len(row.number) for row in shown), default=0)
    lines = [_lay_out(row, width, columns) for row in shown]
    if len(rows) > most_lines:
        missing = len(rows) - most_lines
        text = f"  … {missing} more line{'' if missing == 1 else 's'}"[:columns]
        lines.append(Line(paint(text, DIM), display_width(text)))
    return lines


def _read(diff: str) -> Iterator[_Row]:
    old = new = 0
    is_first = True
    for line in diff.split("\n"):
        mark, text = line[:1], line[1:]
        if hunk := _HUNK.match(line):
            if not is_first:
                yield _Row("", "⋮", "", DIM)
            old, new, is_first = int(hunk[1]), int(hunk[2]), False
        elif line.startswith("*** "):
            yield _Row("", "", line[4:], BOLD)
            is_first = True
        elif mark == "+":
            yield _Row(str(new), mark, text, GREEN)
            new += 1
        elif mark == "-":
            yield _Row(str(old), mark, text, RED)
            old += 1
        elif mark == " " or not line:
            yield _Row(str(new), "", text, DIM)
            old, new = old + 1, new + 1
        else:  # that a file ends without a line break, or that the diff was cut
            yield _Row("", "", line.strip("\\[] "), DIM)


def _lay_out(row: _Row, width: int, columns: int) -> Line:
    gutter = f"  {row.number:>{width}} "
    text = f"{row.mark or ' '} {visible(row.text.expandtabs(TAB_CELLS))}".rstrip()
    room = columns - display_width(gutter)
    if display_width(text) > room:
        while text and display_width(text) >= room:
            text = text[:-1]
        text += "…" if room > 0 else ""
    if room < 4:
        return Line("", 0)
    return Line(paint(gutter, DIM) + paint(text, row.style), display_width(gutter) + display_width(text))
