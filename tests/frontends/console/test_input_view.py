from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.frontends.console._input_view import View, lay_out
from cline_cli.frontends.console.screen import Position
from cline_cli.text import display_width, visible

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def plain(view: View) -> list[str]:
    return [STYLE.sub("", line.text) for line in view.lines]


@pytest.mark.parametrize(
    ("text", "cursor", "rows", "position"),
    [
        ("", 0, ["> "], (0, 2)),
        ("abc", 3, ["> abc"], (0, 5)),
        ("abc", 1, ["> abc"], (0, 3)),
        ("ab\ncd", 4, ["> ab", "  cd"], (1, 3)),
        ("ab\n", 3, ["> ab", "  "], (1, 2)),
        ("abcdefghij", 10, ["> abcdefg", "  hij"], (1, 5)),
        ("abcdefg", 7, ["> abcdefg", "  "], (1, 2)),
        ("中文字中", 4, ["> 中文字", "  中"], (1, 4)),
        ("a\tb", 2, ["> a    b"], (0, 7)),
        ("a\u202eb", 2, ["> a", "  <U+202E", "  >b"], (2, 3)),
        ("👨\u200d👩", 3, ["> 👨👩"], (0, 6)),
    ],
)
def test_the_text_is_broken_and_the_cursor_stands_in_it(
    text: str, cursor: int, rows: list[str], position: tuple[int, int]
) -> None:
    view = lay_out(text, cursor, 10, 12)
    assert plain(view) == rows
    assert view.cursor == Position(*position)


@given(st.text(), st.integers(0, 300), st.integers(12, 80), st.integers(1, 12))
def test_it_fits_and_the_cursor_is_inside(text: str, place: int, columns: int, max_rows: int) -> None:
    view = lay_out(text, min(place, len(text)), columns, max_rows)
    assert len(view.lines) <= max_rows
    for line, shown in zip(view.lines, plain(view), strict=True):
        assert line.cells == display_width(shown) <= columns
    assert 0 <= view.cursor.row < len(view.lines)
    assert 2 <= view.cursor.column <= columns


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.integers(12, 60))
def test_nothing_of_the_text_is_left_out(text: str, columns: int) -> None:
    view = lay_out(text, 0, columns, 10_000)
    kept = "".join(character for character in text if character not in "\n\t\u200d\ufe0e\ufe0f")
    shown = "".join(row[2:] for row in plain(view))
    assert shown.replace(" ", "") == visible(kept).replace(" ", "")


def test_the_rows_around_the_cursor_are_shown_when_they_are_many() -> None:
    text = "\n".join(str(number) for number in range(100))
    assert plain(lay_out(text, len(text), 20, 3))[-1] == "  99"
    assert plain(lay_out(text, 0, 20, 3)) == ["> 0", "  1", "  2"]


def test_the_hint_stands_where_nothing_is_typed_only() -> None:
    assert plain(lay_out("", 0, 20, 3, hint="ask")) == ["> ask"]
    assert lay_out("", 0, 20, 3, hint="ask").cursor == Position(0, 2)
    assert plain(lay_out("x", 1, 20, 3, hint="ask")) == ["> x"]
