from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.tools._weave import WeaveError, tokenize, weave


def test_words_and_marks_are_tokens_and_the_rest_is_gaps() -> None:
    tokens = tokenize("  if x_1 >= 2:\n\tpass  \n")
    assert tokens.words == ("if", "x_1", ">", "=", "2", ":", "pass")
    assert tokens.lead == "  "
    assert tokens.gaps == (" ", " ", "", " ", "", "\n\t")


@pytest.mark.parametrize(
    ("own", "old", "new", "expected"),
    [
        ("a = [\n    1,\n    2,\n]", "a = [1, 2]".replace("2", "2,"), "a = [1, 3,]", "a = [\n    1,\n    3,\n]"),
        ("    x = 1", "x=1", "x=2", "    x = 2"),
        ("    x = 1", "  x = 1", "    x = 1\n    y = 2", "      x = 1\n      y = 2"),
        ("    x = 1", "x = 1", "    x = 2", "    x = 2"),
        ("\tx = 1", "    x = 1", "  x = 1", "  x = 1"),
        ("if a:\n  b\n  c", "if a:\n    b\n    c", "if a:\n    b\nc", "if a:\n  b\nc"),
        ("if a:\n    b", "if a:\n  b", "if a:\n  if d:\n    b", "if a:\n    if d:\n      b"),
        ("f(a,b)", "f( a, b )", "f( a, b, c )", "f(a,b, c )"),
        ("a\n\n\nb", "a\nb", "a\nc", "a\n\n\nc"),
        ("a \nb", "a\nb", "a\nb\nc", "a \nb\nc"),
        ("a\n\n    b", "a \n  b", "a\n  c", "a\n\n    c"),
        ("a:\n        b", "a: b", "a:\n    c", "a:\n        c"),
    ],
)
def test_whitespace_is_merged(own: str, old: str, new: str, expected: str) -> None:
    assert weave(own, old, new) == expected


@pytest.mark.parametrize(
    ("own", "old", "new"),
    [("a\nb", "a b", "a x b"), ("a\nb\nc", "a b c", "a c"), ("a\nb", "a b", "a x y"), ("a\nb", "a b", "x y z b")],
)
def test_nothing_is_guessed_when_line_breaks_are_missing(own: str, old: str, new: str) -> None:
    with pytest.raises(WeaveError):
        weave(own, old, new)


WORDS = st.lists(st.sampled_from(["a", "b", "(", ")", "="]), min_size=1, max_size=8)
GAP = st.sampled_from([" ", "\n", "\n    ", "\n\t", "  ", " \n\n  "])


@settings(deadline=None)
@given(WORDS, st.data())
def test_nothing_changes_when_the_model_changes_nothing(words: list[str], data: st.DataObject) -> None:
    def spread() -> str:
        lead = data.draw(st.sampled_from(["", "  ", "\t"]))
        return lead + "".join(word + data.draw(GAP) for word in words[:-1]) + words[-1]

    own, old = spread(), spread()
    assert weave(own, old, old) == own


@settings(deadline=None)
@given(WORDS, WORDS, st.data())
def test_the_tokens_are_the_new_ones_whatever_the_whitespace(
    old: list[str], new: list[str], data: st.DataObject
) -> None:
    own = "".join(word + data.draw(GAP) for word in old[:-1]) + old[-1]
    try:
        woven = weave(own, " ".join(old), " ".join(new))
    except WeaveError:
        return
    assert list(tokenize(woven).words) == new
