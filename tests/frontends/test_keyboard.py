from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.frontends._keyboard import Echo, Keyboard
from cline_cli.text import display_width, visible

COLUMNS = 20
TYPED = st.lists(st.text(st.sampled_from("ab语e\u0301\u202e "), max_size=40))


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"no\r", ["n", "o", "enter"]),
        (b"\n\x7f\x08\x15\x04", ["enter", "backspace", "backspace", "clear", "end"]),
        ("é語".encode(), ["é", "語"]),
        (b"\x1b[Ay", ["y"]),
        (b"\x1b[1;5Ay", ["y"]),
        (b"\x1b[[Ay", ["y"]),
        (b"\x1bOPy", ["y"]),
        (b"\x1bOy\r", ["enter"]),
        (b"\x1bby", ["y"]),
        (b"\x1b\x7fy", ["y"]),
        (b"\x1b]11;rgb:0/0/0\x07y", ["y"]),
        (b"\x1b]11;rgb:0/0/0\x1b\\y", ["y"]),
        (b"\x1b[200~no\x1b[201~", ["n", "o"]),
        (b"\x1b\x1b[A", ["escape"]),
        (b"\x1b\r", ["escape", "enter"]),
        (b"\x00\t\x17\xc2\x9bn", ["n"]),
        (b"\xffn", ["\ufffd", "n"]),
    ],
)
def test_bytes_are_keys_wherever_they_are_cut(data: bytes, keys: list[str]) -> None:
    assert Keyboard().feed(data) == keys
    cut = Keyboard()
    assert [key for byte in data for key in cut.feed(bytes([byte]))] == keys
    assert not cut.is_waiting


@pytest.mark.parametrize(
    ("data", "keys"),
    [(b"\x1b", ["escape"]), (b"\x1b[", []), (b"\x1bO", []), (b"\x1b]0;y", []), (b"\x1b\x1b", ["escape"])],
)
def test_an_escape_is_one_when_nothing_follows(data: bytes, keys: list[str]) -> None:
    keyboard = Keyboard()
    keyboard.feed(data)
    assert (keyboard.is_waiting, keyboard.settle(), keyboard.is_waiting) == (True, keys, False)
    assert keyboard.feed(b"y") == ["y"]


@given(st.binary())
def test_keys_are_printable_or_named_when_bytes_are_anything(data: bytes) -> None:
    keyboard = Keyboard()
    names = {"enter", "escape", "backspace", "clear", "end"}
    assert all(key in names or (len(key) == 1 and key.isprintable()) for key in keyboard.feed(data))


class Row:
    """The row of a terminal that the cursor stands in, as far as printing and backspaces go."""

    def __init__(self, cells: int) -> None:
        self.cells = ["#"] * cells
        self.column = cells

    def feed(self, data: str) -> None:
        for character in data:
            if character == "\b":
                assert self.column, "the cursor would leave the row"
                self.column -= 1
            elif character == "\n":
                self.cells, self.column = [], 0
            elif not display_width(character):
                self.cells[self.column - 1] += character
            else:
                width = display_width(character)
                self.cells[self.column : self.column + width] = [character, *[""] * (width - 1)]
                self.column += width
            assert self.column < COLUMNS, "the terminal would wrap"

    @property
    def text(self) -> str:
        return "".join(self.cells)


@given(TYPED, st.integers(0, COLUMNS - 2))
def test_what_is_typed_is_what_is_seen_when_it_is_anything(texts: list[str], cells: int) -> None:
    echo, row = Echo(COLUMNS, cells), Row(cells)
    start = "#" * cells
    for typed in texts:
        written = echo.show(typed)
        start = "  > " if "\n" in written else start
        row.feed(written)
        shown = visible(typed)
        while display_width(shown) >= COLUMNS - len(start) or shown.startswith("\u0301"):
            shown = shown[1:]
        seen = row.text.removeprefix(start)
        assert seen.rstrip() == shown.rstrip()
        assert row.column == len(start) + display_width(shown)


def test_words_move_to_a_row_of_their_own_when_they_do_not_fit() -> None:
    echo = Echo(COLUMNS, 15)
    assert echo.show("no, ") == "no, "
    assert echo.show("no, b") == "\n  > no, b"
    assert echo.show("no, ") == "\b \b"


def test_what_is_typed_does_not_steer_the_terminal() -> None:
    assert Echo(COLUMNS, 0).show("a\x9b\u202e") == "a<U+009B><U+202E>"[-19:]


@pytest.mark.parametrize(
    ("before", "after", "written"),
    [
        ("", "y", "y"),
        ("ab", "a", "\b \b"),
        ("a語", "a", "\b\b  \b\b"),
        ("abc", "", "\b\b\b   \b\b\b"),
        ("ae\u0301", "ae", "\be"),
        ("same", "same", ""),
    ],
)
def test_only_what_changed_is_written(before: str, after: str, written: str) -> None:
    echo = Echo(COLUMNS, 0)
    echo.show(before)
    assert echo.show(after) == written
