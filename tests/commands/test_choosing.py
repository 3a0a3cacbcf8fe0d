from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.commands._choosing import (
    Item,
    describe_model,
    find_provider,
    lay_out,
    rank_models,
    read_number,
    wrap,
)
from cline_cli.providers import ALIASES, PROVIDERS
from cline_cli.text import display_width

ITEMS = [Item("cline", "one account, the models of all vendors"), Item("ollama", "found at http://localhost:11434/v1")]


def test_items_stand_in_columns_when_there_is_room() -> None:
    assert lay_out(ITEMS, 80) == (
        "   1  cline   one account, the models of all vendors\n   2  ollama  found at http://localhost:11434/v1\n"
    )


def test_what_there_is_to_say_stands_below_a_name_when_there_is_no_room_beside_it() -> None:
    assert lay_out([Item("a-name-that-is-rather-long", "200k context; $3 in")], 40) == (
        "   1  a-name-that-is-rather-long\n      200k context; $3 in\n"
    )


@given(st.lists(st.builds(Item, st.text(max_size=30), st.text(max_size=90)), max_size=12), st.integers(0, 200))
def test_no_text_of_others_makes_a_line_of_its_own_or_steers_the_terminal(items: list[Item], columns: int) -> None:
    shown = lay_out(items, columns)
    assert all(character.isprintable() or character == "\n" for character in shown)
    starts = [line[:4].strip() for line in shown.splitlines()]
    assert [start for start in starts if start] == [str(number) for number in range(1, len(items) + 1)]


def test_words_are_not_cut_where_the_terminal_ends() -> None:
    sentence = "Cline refused the key: unauthorized (401)"
    assert wrap(sentence, 30) == "Cline refused the key:\nunauthorized (401)\n"
    assert all(display_width(line) < 30 for line in wrap(sentence, 30).splitlines())


@pytest.mark.parametrize(
    ("answer", "place"),
    [("1", 0), ("3", 2), ("0", None), ("4", None), ("", None), ("-1", None), ("1.0", None), ("²", None), ("٣", None)],
)
def test_a_number_is_read_when_the_list_has_it(answer: str, place: int | None) -> None:
    assert read_number(answer, 3) == place
    assert read_number("9" * 5000, 3) is None


@pytest.mark.parametrize(
    ("answer", "provider"),
    [
        ("cline", "cline"),
        ("CLINE", "cline"),
        ("openr", "openrouter"),
        ("anth", "anthropic"),
        ("openai", "openai-compatible"),
    ],
)
def test_a_provider_is_meant_by_its_names_and_by_their_beginning(answer: str, provider: str) -> None:
    assert find_provider(answer).provider == provider


def test_every_name_and_other_name_means_its_provider() -> None:
    assert {name: find_provider(name).provider for name in PROVIDERS} == {name: name for name in PROVIDERS}
    assert {name: find_provider(name).provider for name in ALIASES} == dict(ALIASES)


def test_it_is_told_which_a_beginning_may_mean_and_which_are_near() -> None:
    assert find_provider("open").provider == ""
    for name in ("openai-native", "openrouter", "openai-compatible"):
        assert name in find_provider("open").complaint
    assert find_provider("opnrouter").complaint.startswith("There is no provider opnrouter; the nearest are openrouter")
    assert find_provider("").provider == ""


@given(st.text(max_size=40))
def test_no_complaint_steers_the_terminal(answer: str) -> None:
    meant = find_provider(answer)
    assert meant.complaint.isprintable()
    assert bool(meant.provider) != bool(meant.complaint)


def test_the_default_comes_first_and_then_what_is_known() -> None:
    names = ("ai21/jamba-mini", "anthropic/claude-opus-4.6", "openai/gpt-5.4", "x/unheard-of", "openai/gpt-5.4")
    assert rank_models(names, "openai/gpt-5.4")[:2] == ("openai/gpt-5.4", "anthropic/claude-opus-4.6")
    assert sorted(rank_models(names, "")) == sorted(set(names))
    assert rank_models(names, "")[-1] == "x/unheard-of"


def test_what_is_known_of_a_model_is_told_in_few_words() -> None:
    assert "context; $" in describe_model("anthropic/claude-sonnet-4.6")
    assert "per million" in describe_model("anthropic/claude-sonnet-4.6")
    assert describe_model("x/unheard-of") == ""
