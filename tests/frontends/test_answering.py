from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.frontends._answering import Answering, Wish, commands_of, judge, with_commands

ARGUMENTS: JsonObject = {"commands": ["pytest -q", "rm -rf build"], "timeout": 9}
EDIT: JsonObject = {"path": "a.txt"}
NO = Deny("The user said no.")
LETTERS = st.text(st.characters(exclude_categories=["C"]))
KEYS = st.one_of(LETTERS.filter(lambda text: len(text) == 1), st.sampled_from(["backspace", "clear", "y", "a", "e"]))


def press(answering: Answering, keys: list[str]) -> Allow | Deny | Wish | None:
    """Press one after the other, until one says something."""
    for key in keys:
        if answer := answering.press(key):
            return answer
    return None


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["y"], Allow(ARGUMENTS)),
        (["Y"], Allow(ARGUMENTS)),
        (["a"], Allow(ARGUMENTS, remembers=True)),
        (["e"], "edit"),
        (["?"], "help"),
        (["n"], None),
        (["n", "enter"], NO),
        ([*"no", "enter"], NO),
        (["enter"], NO),
        (["escape"], NO),
        (["end"], NO),
        ([*"no, y", "escape"], NO),
        ([*"no, why? a yes", "enter"], Deny("The user said no: why? a yes")),
        ([*"use uv", "enter"], Deny("The user said no: use uv")),
        ([*"nothing", "enter"], Deny("The user said no: nothing")),
        (["語", "y", "enter"], Deny("The user said no: 語y")),
        (["n", "backspace", "y"], Allow(ARGUMENTS)),
        ([*"no", "clear", "e"], "edit"),
        (["backspace", "clear", "n", "backspace", "backspace", "enter"], NO),
        ([" ", "y"], None),
        ([" ", "y", "enter"], Allow(ARGUMENTS)),
    ],
)
def test_keys_answer_when_they_come_one_by_one(keys: list[str], answer: Allow | Deny | Wish | None) -> None:
    assert press(Answering(ARGUMENTS, ("pytest *",)), keys) == answer


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["y"], Allow(ARGUMENTS)),
        (["y", "enter"], Allow(ARGUMENTS)),
        ([*"yes", "enter"], Allow(ARGUMENTS)),
        (["a", "enter"], Allow(ARGUMENTS, remembers=True)),
        ([*"always", "enter"], Allow(ARGUMENTS, remembers=True)),
        (["e", "enter"], "edit"),
        (["?", "enter", "enter"], "help"),
        (["n", "enter", "y", "enter"], NO),
        ([*"no, not here", "enter"], Deny("The user said no: not here")),
        ([*"you must not", "enter"], Deny("The user said no: you must not")),
        ([*"always ask", "enter"], Deny("The user said no: always ask")),
        ([*"you must not"], None),
        (["y", "escape"], NO),
        (["x", "backspace", "y", "enter"], Allow(ARGUMENTS)),
        ([], None),
    ],
)
def test_what_comes_in_one_go_is_read_as_words(keys: list[str], answer: Allow | Deny | Wish | None) -> None:
    assert Answering(ARGUMENTS, ("pytest *",)).press_all(keys) == answer


def test_what_comes_in_one_go_stays_words_when_more_comes() -> None:
    answering = Answering(ARGUMENTS)
    assert answering.press_all([*"yo"]) is None
    assert answering.press_all(["y"]) is None
    assert answering.typed == "yoy"
    assert answering.press("enter") == Deny("The user said no: yoy")


def test_letters_are_words_when_there_is_nothing_to_remember_or_to_edit() -> None:
    assert press(Answering(EDIT), ["a", "enter"]) == Deny("The user said no: a")
    assert press(Answering(EDIT), ["e", "enter"]) == Deny("The user said no: e")
    assert press(Answering(EDIT, ("edit:a.txt",)), ["a"]) == Allow(EDIT, remembers=True)


def test_what_is_typed_can_be_shown() -> None:
    answering = Answering(ARGUMENTS)
    assert [(answering.press(key), answering.typed) for key in ["n", "o", "backspace", "語"]] == [
        (None, "n"),
        (None, "no"),
        (None, "n"),
        (None, "n語"),
    ]
    answering.press("clear")
    assert answering.typed == ""
    answering.press("y")
    assert answering.typed == "y"


@given(st.lists(KEYS))
def test_only_a_yes_allows_when_keys_are_anything(keys: list[str]) -> None:
    answering = Answering(ARGUMENTS)
    for key in keys:
        before = answering.typed
        answer = answering.press(key)
        if isinstance(answer, Allow):
            assert not before
            assert key in {"y", "Y"}
        if answer:
            return
    before = answering.typed
    assert isinstance(answering.press("enter"), Allow) == (before.strip().lower() in {"y", "yes"})


@given(st.one_of(st.text(), st.sampled_from(["y", " Yes\n", "\x9b1my", "y\x1b", "yes, but", "ye"])))
def test_only_a_yes_allows_when_a_line_is_anything(answer: str) -> None:
    assert isinstance(judge(answer, ARGUMENTS), Allow) == (answer.strip().lower() in {"y", "yes"})


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        (ARGUMENTS, ("pytest -q", "rm -rf build")),
        (EDIT, ()),
        ({"commands": "ls"}, ()),
        ({"commands": []}, ()),
        ({"commands": ["ls", 1]}, ()),
    ],
)
def test_the_commands_are_those_of_a_call_in_its_normal_form(arguments: JsonObject, commands: tuple[str, ...]) -> None:
    assert commands_of(arguments) == commands


def test_all_but_the_commands_stays_when_they_are_changed() -> None:
    assert with_commands(ARGUMENTS, ("ls",)) == {"commands": ["ls"], "timeout": 9}
    assert with_commands(ARGUMENTS, commands_of(ARGUMENTS)) == ARGUMENTS
    assert ARGUMENTS["commands"] == ["pytest -q", "rm -rf build"]
