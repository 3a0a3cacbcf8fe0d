"""Draws the cells of a terminal as SVG: text in a monospace font, each run of a style at its own place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

CELL, LINE, BASE, MARGIN, SIZE = 8.4, 18, 13, 12, 14
"""Pixels: of a cell and of a line, from a line's top to its text, around all, of the font."""
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
DIM = 0.6


class Cell(NamedTuple):
    text: str
    """Empty behind a wide character."""
    colour: str = "default"
    is_bold: bool = False
    is_dim: bool = False
    is_underlined: bool = False
    is_italic: bool = False


class Palette(NamedTuple):
    background: str
    foreground: str
    colours: dict[str, str]
    """By pyte's names."""


DARK = Palette(
    "#16181d",
    "#d6d9df",
    {
        "black": "#5c6370", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef",
        "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#d6d9df",
    },
)  # fmt: skip
LIGHT = Palette(
    "#fbfbfa",
    "#24292f",
    {
        "black": "#24292f", "red": "#b3261e", "green": "#1a7f37", "brown": "#8a6100", "blue": "#0550ae",
        "magenta": "#8250df", "cyan": "#0a7080", "white": "#6e7781",
    },
)  # fmt: skip


def draw(rows: Sequence[Sequence[Cell]], cursor: tuple[int, int] | None, palette: Palette) -> str:
    """Return the picture of a screen; empty lines at its end are left out."""
    shown = list(rows)
    while len(shown) > 1 and not "".join(cell.text for cell in shown[-1]).strip():
        shown.pop()
    columns = max(len(row) for row in rows)
    width, height = round(columns * CELL + 2 * MARGIN), len(shown) * LINE + 2 * MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" font-size="{SIZE}">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{palette.background}"/>',
    ]
    for number, row in enumerate(shown):
        parts += _draw_row(row, MARGIN + number * LINE, palette)
    if cursor and cursor[0] < len(shown):
        x, y = MARGIN + cursor[1] * CELL, MARGIN + cursor[0] * LINE
        size = f'width="{CELL}" height="{LINE}"'
        parts.append(f'<rect x="{x:.1f}" y="{y}" {size} fill="{palette.foreground}" opacity="0.7"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw_row(row: Sequence[Cell], top: int, palette: Palette) -> Iterator[str]:
    for start, text, cell in _runs(row):
        if not text.strip():
            continue
        colour = palette.colours.get(cell.colour.removeprefix("bright"), palette.foreground)
        style = "".join(
            (
                ' font-weight="bold"' if cell.is_bold else "",
                ' font-style="italic"' if cell.is_italic else "",
                ' text-decoration="underline"' if cell.is_underlined else "",
                f' opacity="{DIM}"' if cell.is_dim else "",
            )
        )
        x = MARGIN + start * CELL
        length = len(text.rstrip()) * CELL
        fitted = f' textLength="{length:.1f}"' if text.isascii() else ""
        yield (
            f'<text x="{x:.1f}" y="{top + BASE}" fill="{colour}"{style}{fitted} xml:space="preserve">'
            f"{escape(text.rstrip())}</text>"
        )


def _runs(row: Sequence[Cell]) -> Iterator[tuple[int, str, Cell]]:
    """Yield where a run of one style begins, its text, and its style; a wide character is a run of its own."""
    start, text, style = 0, "", Cell("")
    for column, cell in enumerate(row):
        is_wide = cell.text != "" and column + 1 < len(row) and row[column + 1].text == ""
        if cell._replace(text="") != style or is_wide or cell.text == "":
            if text:
                yield start, text, style
            start, text, style = column, "", cell._replace(text="")
        text += cell.text
        if is_wide:
            yield start, text, style
            start, text = column + 2, ""
    if text:
        yield start, text, style
