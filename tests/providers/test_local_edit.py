from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from cline_cli.providers._local_edit import (
    Place,
    Token,
    complete,
    find_doubts,
    is_complete,
    keep_effective,
    meaning,
    select,
    to_replacement,
)

CODE = "def add(a, b):\n    return a - b\n"


def tokens(*texts: str, doubt: str = "", instead: str = "", probability: float = 0.3) -> tuple[Token, ...]:
    return tuple(
        Token(text, ((text, -0.1), (instead, math.log(probability))) if text == doubt else ((text, -0.1),))
        for text in texts
    )


def test_the_doubted_word_is_found_when_the_model_copies_a_mistake() -> None:
    copied = tokens("def add(a, b):", "\n   ", " return a", " -", " b", "\n", doubt=" -", instead=" +")
    assert [(place.offset, place.word) for place in find_doubts(CODE, copied).places] == [(27, " +")]


def test_places_end_when_the_model_leaves_the_original() -> None:
    left = tokens("def add(a, b):", "\n    x", " -", doubt=" -", instead=" +")
    assert find_doubts(CODE, left) == ((), 14)


def test_places_count_from_the_beginning_when_the_rewriting_began_later() -> None:
    copied = tokens("    return a", " -", " b", doubt=" -", instead=" +")
    assert [place.offset for place in find_doubts(CODE, copied, 15).places] == [27]


def test_unlikely_words_comments_and_blanks_are_no_places_when_they_are_found() -> None:
    for word, probability in ((" +", 0.01), (" # why", 0.5), ("  ", 0.5), ("```", 0.5), ("\ufffd", 0.5)):
        copied = tokens("def add(a, b):", "\n    return a", " -", doubt=" -", instead=word, probability=probability)
        assert find_doubts(CODE, copied).places == ()


def test_the_likeliest_place_is_first_when_there_are_several() -> None:
    text = Token("def", (("def", -0.2), ("class", math.log(0.1)), ("import", math.log(0.6))))
    assert [place.word for place in find_doubts(CODE, (text,)).places] == ["import", "class"]


def test_one_line_is_replaced_when_a_place_is_completed() -> None:
    assert complete(CODE, Place(27, " +", 0.5), " b\nand more") == ("def add(a, b):\n    return a + b\n",)


def test_a_line_can_be_put_before_when_the_place_starts_one() -> None:
    replaced, inserted = complete(CODE, Place(15, "    a = 1", 0.5), "")
    assert replaced == "def add(a, b):\n    a = 1\n"
    assert inserted == "def add(a, b):\n    a = 1\n    return a - b\n"


def test_a_missing_line_is_added_when_the_word_ends_its_line() -> None:
    code = "def f():\n    x = 1\n\n\ny = 2\n"
    offset = code.index("1") + 1
    assert (
        complete(code, Place(offset, "\n", 0.5), "    return x\n")[0]
        == "def f():\n    x = 1\n    return x\n\n\ny = 2\n"
    )


def test_candidates_are_dropped_when_they_change_nothing_or_cannot_be_read() -> None:
    same, broken, good = (
        "def add(a, b):\n    return (a - b)  # x\n",
        "def add(:\n",
        "def add(a, b):\n    return a + b\n",
    )
    assert select("a.py", CODE, (same, broken, good, good + "\n")) == (good,)


def test_blanks_do_not_count_when_it_is_not_python() -> None:
    assert meaning("a.txt", "one  two\n\n") == meaning("a.txt", " one two ")
    assert meaning("a.py", "\0") is None


def test_a_rewriting_is_refused_when_it_stopped_half_way() -> None:
    assert is_complete("a\nb\nc\n", "a\nx\nc\n")
    assert not is_complete("a\nb\nc\nd\n", "a\n")


def test_only_what_does_something_is_changed_when_the_model_loses_comments() -> None:
    code = '"""Adds."""\n\n\ndef add(a, b):\n    """Sum."""\n    return a - b\n\n\nx = 1\n# one\nz = 0\ny = 2\n'
    rewritten = "def add(a, b):\n    return a + b\n\n\nx = 1\nz = 0\ny = 3\n"
    kept = '"""Adds."""\n\n\ndef add(a, b):\n    return a + b\n\n\nx = 1\n# one\nz = 0\ny = 3\n'
    assert keep_effective("a.py", code, rewritten) == kept


LINES = st.lists(st.sampled_from(["a", "b = 1", "", "  c", "def f():", "x"]), min_size=1, max_size=6, unique=True)


@given(LINES, LINES)
def test_the_replacement_makes_the_wanted_text_when_it_is_applied(present: list[str], wanted: list[str]) -> None:
    text = "\n".join(present)
    old, new = to_replacement(text, "\n".join(wanted))
    if text.strip() and present != wanted:
        assert old in text
        assert text.replace(old, new, 1).rstrip("\n") == "\n".join(wanted).rstrip("\n")
