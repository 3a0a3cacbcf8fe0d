"""A diff as people read one: line numbers, what went in red, what came in green, what stands around it dim. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from cline_cli.frontends._style import BOLD, DIM, GREEN, RED, paint
from cline_cli.frontends.console.screen import Line
from cline_cli.text import display_width, visible

MOST_LINES = 20
TAB_CELLS = 4
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_LEFT_OUT = re.compile(r"\[\.\.\. ([\d,]+) more lines of this diff\]")


class _Row(NamedTuple):
    number: str
    mark: str
    text: str
    style: str
    hidden: int = 0
    """How many lines are left out in its place, where the diff was cut before."""


def lay_out_diff(diff: str, columns: int, most_lines: int = MOST_LINES, *, whole: str = "cline diff") -> list[Line]:
    """Return the hunks of a diff as indented lines of at most `columns` cells; of a longer one its beginning.

    `whole` is the command that shows all of it.
    """
    rows = list(_read(diff))
    shown = list(takewhile(lambda row: not row.hidden, rows[:most_lines]))
    width = max((len(row.number) for row in shown), default=0)
    lines = [_lay_out(row, width, columns) for row in shown]
    if missing := sum(row.hidden or 1 for row in rows[len(shown) :]):
        text = f"  … {missing:,} more line{'' if missing == 1 else 's'}"
        longer = f"{text} ({whole} shows all)"
        text = longer if display_width(longer) <= columns else _cut(text, columns)
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
        elif left_out := _LEFT_OUT.match(line):
            yield _Row("", "", "", DIM, hidden=int(left_out[1].replace(",", "")))
        elif mark == "+":
            yield _Row(str(new), mark, text, GREEN)
            new += 1
        elif mark == "-":
            yield _Row(str(old), mark, text, RED)
            old += 1
        elif mark == " ":
            yield _Row(str(new), "", text, DIM)
            old, new = old + 1, new + 1
        elif line:  # that a file ends without a line break
            yield _Row("", "", line.strip("\\ "), DIM)


def _lay_out(row: _Row, width: int, columns: int) -> Line:
    gutter = f"  {row.number:>{width}} "
    room = columns - display_width(gutter)
    if room < 4:
        return Line("", 0)
    text = _cut(f"{row.mark or ' '} {visible(row.text.expandtabs(TAB_CELLS))}".rstrip(), room)
    return Line(paint(gutter, DIM) + paint(text, row.style), display_width(gutter) + display_width(text))


def _cut(text: str, columns: int) -> str:
    """Return what of the text fits, its own spaces kept, with … at the end where some of it does not."""
    if display_width(text) <= columns:
        return text
    cells = 0
    for index, character in enumerate(text):
        cells += display_width(character)
        if cells >= columns:
            return f"{text[:index]}…" if columns > 0 else ""
    return text
