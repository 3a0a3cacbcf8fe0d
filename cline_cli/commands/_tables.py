"""Tables for a terminal, drawn by rich: as wide as the terminal, a row a line, and what is to be copied never cut.

The widths are reckoned here, since rich would cut any column: those that can be cut share what the others leave, and
where even their least does not fit, columns are left out.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cline_cli.frontends.choose import why_plain
from cline_cli.text import display_width, one_line

GAP = 2


class Column(NamedTuple):
    title: str
    justify: Literal["left", "right"] = "left"
    least_cells: int = 0
    """To so few cells it may be cut; 0 is never."""
    weight: int = 1
    """Of two columns that are cut, one with twice the weight is twice as wide, if it has use for it."""
    leaves: int = 0
    """Where there is no room, the column with the highest number is left out first; 0 always stays."""


class Cell(NamedTuple):
    text: str
    """It may hold anything; it is shown as one line."""
    style: str = ""
    """As rich names it."""


def is_styled(variables: Mapping[str, str]) -> bool:
    """Return whether a terminal is to be coloured."""
    return not why_plain(variables)


def paint(text: str, style: str) -> str:
    """Return text that may be shown in a style, as rich names it."""
    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def render_table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, *, is_coloured: bool, note: str = ""
) -> str:
    """Return a table of lines of at most `width` cells, but for a column that may not be cut, and below it a note."""
    lines = [[Cell(one_line(cell.text), cell.style) for cell in row] for row in rows]
    natural = [
        max(display_width(column.title), *(display_width(row[number].text) for row in lines), 0)
        for number, column in enumerate(columns)
    ]
    widths = _allot(columns, natural, width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for number, cells in widths.items():
        column = columns[number]
        table.add_column(column.title, justify=column.justify, width=cells, no_wrap=True, overflow="ellipsis")
    for row in lines:
        table.add_row(*(Text(one_line(row[number].text, cells), row[number].style) for number, cells in widths.items()))
    file = io.StringIO()
    console = Console(
        file=file,
        width=max(width, sum(widths.values()) + GAP * len(widths)),
        force_terminal=True,
        color_system="standard" if is_coloured else None,
        no_color=False,
        legacy_windows=False,
        _environ={},
    )
    console.print(table)
    if note:
        console.print(Text(note, "dim"), soft_wrap=True)
    return "\n".join(line.rstrip(" ") for line in file.getvalue().split("\n"))


def _allot(columns: Sequence[Column], natural: Sequence[int], width: int) -> dict[int, int]:
    """Return how many cells each column gets that is shown, by its number."""
    least = [
        min(cells, column.least_cells) if column.least_cells else cells
        for column, cells in zip(columns, natural, strict=True)
    ]
    shown = list(range(len(columns)))
    while sum(least[number] for number in shown) + GAP * (len(shown) - 1) > width:
        last = max(shown, key=lambda number: columns[number].leaves)
        if not columns[last].leaves:
            break
        shown.remove(last)
    widths = {number: least[number] for number in shown}
    spare = width - sum(widths.values()) - GAP * (len(shown) - 1)
    while spare > 0:
        growing = [number for number in shown if widths[number] < natural[number]]
        if not growing:
            break
        widths[min(growing, key=lambda number: widths[number] / columns[number].weight)] += 1
        spare -= 1
    return widths
