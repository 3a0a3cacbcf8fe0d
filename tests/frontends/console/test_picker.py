from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.frontends.console._picker import SHOWN, Item, Picker
from cline_cli.text import display_width

STYLE = re.compile(r"\x1b\[[0-9;]*m")
ITEMS = [Item("cline", "anthropic/claude"), Item("anthropic", "claude"), Item("gemini"), *map(Item, "abcdefghij")]
KEYS = ("enter", "escape", "up", "down", "tab", "backspace", "clear", "end", "x", "a", "中")


def press(picker: Picker, *keys: str) -> object:
    answers = [picker.press(key) for key in keys]
    return answers[-1]


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (("enter",), 0),
        (("down", "enter"), 1),
        (("tab", "down", "enter"), 2),
        (("up", "enter"), len(ITEMS) - 1),
        ((*"anthr", "enter"), 1),
        ((*"gem", "enter"), 2),
        ((*"gemx", "backspace", "enter"), 2),
        ((*"zzz", "enter"), None),
        ((*"zzz", "clear", "enter"), 0),
        (("escape",), "none"),
        (("end",), "none"),
    ],
)
def test_keys_choose(keys: tuple[str, ...], answer: object) -> None:
    assert press(Picker("Which?", ITEMS), *keys) == answer


def test_it_begins_with_the_one_that_is_in_force() -> None:
    assert Picker("Which?", ITEMS, 2).press("enter") == 2


def test_it_says_what_is_typed_and_how_many_there_are() -> None:
    picker = Picker("Which?", ITEMS)
    press(picker, *"cl")
    rows = [STYLE.sub("", line.text) for line in picker.lay_out(60)]
    assert rows[0] == "Which? cl"
    assert rows[1] == "> cline      anthropic/claude"
    assert rows[-1].startswith("2 of 13, ")


@given(st.lists(st.sampled_from(KEYS), max_size=30), st.integers(20, 200))
def test_it_never_fails_and_fits(keys: list[str], columns: int) -> None:
    picker = Picker("Which one of these is to be asked from now on?", ITEMS)
    for key in keys:
        answer = picker.press(key)
        assert answer in (None, "none") or (isinstance(answer, int) and 0 <= answer < len(ITEMS))
        lines = picker.lay_out(columns)
        assert len(lines) <= SHOWN + 2
        for line in lines:
            assert line.cells == display_width(STYLE.sub("", line.text)) <= columns
