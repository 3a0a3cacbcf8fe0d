from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.tools._window import MAX_LINE_CHARACTERS, Window


def fill(window: Window, *pieces: str) -> Window:
    for piece in pieces:
        window.feed(piece)
    window.close()
    return window


def test_lines_are_numbered_and_aligned() -> None:
    text = "".join(f"line {number}\n" for number in range(1, 13))
    window = fill(Window(9, 11, 1_000), text)
    assert window.text == " 9 | line 9\n10 | line 10\n11 | line 11"
    assert (window.end, window.total) == (11, 12)


@pytest.mark.parametrize(
    ("text", "expected", "total"),
    [("", "", 0), ("\n", "1 | ", 1), ("a", "1 | a", 1), ("a\n\n", "1 | a\n2 | ", 2), ("a\r\nb", "1 | a\n2 | b", 2)],
)
def test_the_last_line_counts_whether_it_is_ended_or_not(text: str, expected: str, total: int) -> None:
    window = fill(Window(1, None, 1_000), text)
    assert (window.text, window.total) == (expected, total)


def test_lines_stop_when_there_are_enough() -> None:
    window = fill(Window(2, None, 1_000, max_lines=2), "a\nb\nc\n", "d\ne")
    assert (window.text, window.end, window.total) == ("2 | b\n3 | c", 3, 5)


def test_lines_stop_when_the_next_does_not_fit() -> None:
    window = fill(Window(1, None, 6), "ab\ncd\nef\n")
    assert (window.text, window.total) == ("1 | ab\n2 | cd", 3)


def test_a_long_line_is_cut_and_says_so() -> None:
    window = fill(Window(1, None, 100_000), "x" * 1_500, "x" * 1_500, "\nnext\n")
    first, second = window.text.split("\n")
    assert (
        first
        == f"1 | {'x' * MAX_LINE_CHARACTERS} … [line 1: 1,000 more characters are not shown; start_byte reads them]"
    )
    assert second == "2 | next"


TEXT = st.lists(st.sampled_from(["a", "bc", "\n", "\r\n", "ä"]), max_size=30).map("".join)


LINES = st.tuples(st.integers(1, 10), st.none() | st.integers(0, 8))


@settings(deadline=None)
@given(TEXT, st.lists(st.integers(0, 60)), LINES, st.integers(1, 5))
def test_the_cuts_between_pieces_do_not_matter(
    text: str, cuts: list[int], lines_wanted: tuple[int, int | None], max_lines: int
) -> None:
    start, more = lines_wanted
    end = None if more is None else start + more
    whole = fill(Window(start, end, 1_000, max_lines), text)
    ordered = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[here:there] for here, there in pairwise(ordered)]
    parts = fill(Window(start, end, 1_000, max_lines), *pieces)
    assert (parts.text, parts.total, parts.end) == (whole.text, whole.total, whole.end)
    lines = text.split("\n")
    lines = lines if lines[-1] else lines[:-1]
    assert whole.total == len(lines)
    stop = min(start + max_lines - 1, end if end is not None else len(lines), len(lines))
    expected = [lines[number - 1].removesuffix("\r") for number in range(start, stop + 1)]
    assert [line.partition(" | ")[2] for line in whole.text.split("\n") if whole.text] == expected
