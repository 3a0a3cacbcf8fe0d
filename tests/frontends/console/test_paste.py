from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cline_cli.frontends.console._paste import Pastes

LONG = "\n".join(f"line {number}" for number in range(5000))


def test_a_short_paste_is_what_it_is() -> None:
    assert Pastes().take("two\r\nlines\r") == "two\nlines\n"


def test_a_long_paste_is_a_token_that_stands_for_it() -> None:
    pastes = Pastes()
    token = pastes.take(LONG)
    assert token == "[pasted 5,000 lines]"
    assert pastes.expand(f"look: {token}.") == f"look: {LONG}."


def test_two_pastes_of_one_length_are_told_apart() -> None:
    pastes = Pastes()
    first, second, again = pastes.take(LONG), pastes.take(LONG.upper()), pastes.take(LONG)
    assert (first, second, again) == ("[pasted 5,000 lines]", "[pasted 5,000 lines, 2]", first)
    assert pastes.expand(second + first) == LONG.upper() + LONG


def test_what_a_paste_holds_is_not_expanded_once_more() -> None:
    pastes = Pastes()
    token = pastes.take(LONG)
    other = pastes.take(f"{token}\n" * 10)
    assert pastes.expand(other) == f"{token}\n" * 10


def test_a_token_that_was_typed_by_hand_stays() -> None:
    assert Pastes().expand("[pasted 5,000 lines]") == "[pasted 5,000 lines]"


def test_a_token_is_found_before_and_behind_the_cursor() -> None:
    pastes = Pastes()
    token = pastes.take(LONG)
    assert pastes.token_before(f"x {token}") == token
    assert pastes.token_before(f"{token} x") == ""
    assert pastes.token_after(f"{token} x") == token


@given(st.lists(st.text(min_size=1), max_size=6))
def test_all_that_was_pasted_comes_back(texts: list[str]) -> None:
    pastes = Pastes()
    tokens = [pastes.take(text * 40) for text in texts]
    for text, token in zip(texts, tokens, strict=True):
        whole = (text * 40).replace("\r\n", "\n").replace("\r", "\n")
        assert pastes.expand(token) == (whole if token != whole else pastes.expand(whole))
