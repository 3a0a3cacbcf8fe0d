from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.text import MAX_SEQUENCE, Sanitizer, display_width, one_line, sanitize, visible

PIECES = (
    *(
        "\x1b",
        "[",
        "]",
        "P",
        "_",
        "^",
        "X",
        "\\",
        "(",
        "31m",
        "0;",
        "\x07",
        "\x18",
        "\x1a",
        "\r",
        "\n",
        "\t",
        "\x7f",
        "\x00",
    ),
    *(
        "\x80",
        "\x85",
        "\x90",
        "\x98",
        "\x9b",
        "\x9c",
        "\x9d",
        "\x9e",
        "\x9f",
        "\ud83d",
        "\ude00",
        "a",
        "é",
        "👩\u200d💻",
        " ",
    ),
)
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=40).map("".join)
PLAIN = st.text(st.one_of(st.characters(exclude_categories=("Cs", "Cc")), st.sampled_from("\n\t")))
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@given(HOSTILE, st.lists(st.integers(0, 120)))
def test_any_split_equals_the_whole_when_text_is_hostile(text: str, cuts: list[int]) -> None:
    sanitizer = Sanitizer()
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [sanitizer.feed(text[start:end]) for start, end in itertools.pairwise(bounds)]
    assert "".join(pieces) + sanitizer.close() == sanitize(text)


@given(HOSTILE)
def test_nothing_that_steers_is_left_when_text_is_hostile(text: str) -> None:
    once = sanitize(text)
    assert not FORBIDDEN.search(once)
    assert sanitize(once) == once


@given(PLAIN)
def test_text_is_unchanged_when_nothing_in_it_steers(text: str) -> None:
    assert sanitize(text) == text


@given(
    PLAIN,
    PLAIN,
    st.sampled_from(["\x1b[38;5;1m", "\x1b]0;a title\x07", "\x1b]8;;http://x\x1b\\", "\x9b2J", "\x1b(B", "\x1bc"]),
)
def test_only_the_sequence_goes_when_it_stands_in_plain_text(before: str, after: str, sequence: str) -> None:
    assert sanitize(before + sequence + after) == before + after


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[?25l\x1b[2J\x1b[1;1Hhome", "home"),
        ("a\x1b]52;c;aGk=\x07b", "ab"),
        ("a\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        ("a\x1bPq#0;2;0;0;0\x1b\\b", "ab"),
        ("a\x1b_Gf=100;AAAA\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
        ("a\x9d0;title\x9cb\x90q\x9cc\x9bmd", "abcd"),
        ("\x1b#8\x1b(0lqk\x1b)B", "lqk"),
        ("\x1b\x1b[31mx", "x"),
        ("\x1b[3\x1b[1mx", "x"),
        ("\x1bé", "é"),
        ("\x1b[31éx", "éx"),
        ("bell\x07 back\x08space del\x7f nul\x00 nel\x85", "bell backspace del nul nel"),
        ("one\r\ntwo\rthree\r\r\nfour", "one\ntwo\nthree\n\nfour"),
        ("tab\tstays", "tab\tstays"),
        ("\ud83d\ude00 \ud83d \ude00", "😀 \ufffd \ufffd"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_text_is_as_expected_when_it_holds_sequences(text: str, expected: str) -> None:
    assert sanitize(text) == expected


def test_the_halves_are_joined_when_a_cut_parts_them() -> None:
    sanitizer = Sanitizer()
    assert [sanitizer.feed("a\ud83d"), sanitizer.feed("\ude00b"), sanitizer.close()] == ["a", "😀b", ""]


@pytest.mark.parametrize("opener", ["\x1b]0;", "\x1bP", "\x1b_", "\x9d", "\x1b["])
def test_the_answer_goes_on_when_a_sequence_never_ends(opener: str) -> None:
    assert sanitize(opener + "1" * (2 * MAX_SEQUENCE)).endswith("1" * MAX_SEQUENCE)
    assert sanitize(f"{opener}123\nthe rest") == "\nthe rest"


def test_the_answer_goes_on_when_a_sequence_that_never_ends_comes_in_pieces() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.feed("\x1b]") == ""
    assert len("".join(sanitizer.feed("1" * 1000) for _ in range(10))) == 10_000 - MAX_SEQUENCE


def test_nothing_is_held_back_when_the_text_is_plain() -> None:
    sanitizer = Sanitizer()
    assert [sanitizer.feed(piece) for piece in ("a\n", "\n", "b\r", "\n", "c")] == ["a\n", "\n", "b\n", "", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rm -rf build", "rm -rf build"),
        ("über/日本語.txt", "über/日本語.txt"),
        ("safe\u202etxt.exe", "safe<U+202E>txt.exe"),
        ("a\u200bb\u200dc\ufeffd\u00ade", "a<U+200B>b<U+200D>c<U+FEFF>d<U+00AD>e"),
        ("rm\u00a0-rf\u3000x", "rm<U+00A0>-rf<U+3000>x"),
        ("a\u2028b\x1b[2Kc\x07", "a<U+2028>b<U+001B>[2Kc<U+0007>"),
        ("\u3164\u115f\u2800\ufe0f\U000e0041\U000e0100", "<U+3164><U+115F><U+2800><U+FE0F><U+E0041><U+E0100>"),
        ("a\nb\tc", "a<U+000A>b<U+0009>c"),
        ("\ud800", "<U+D800>"),
    ],
)
def test_what_cannot_be_seen_is_shown_when_a_decision_hangs_on_it(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_lines_and_tabs_are_kept_when_several_lines_are_shown() -> None:
    assert visible("if x:\n\ty\r\n", multiline=True) == "if x:\n\ty<U+000D>\n"


@given(st.text())
def test_all_that_is_shown_is_printable_when_text_is_anything(text: str) -> None:
    assert visible(text).isprintable()
    assert one_line(text).isprintable()


@given(st.text(), st.integers(0, 30))
def test_a_line_fits_when_it_is_cut(text: str, width: int) -> None:
    line = one_line(text, width)
    assert display_width(line) <= width
    assert line == one_line(text) or line.endswith("…") or width == 0


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("two\n  lines\r\nand \x1b[31mred\x1b[0m", None, "two lines and red"),
        ("exactly", 7, "exactly"),
        ("one more", 7, "one mo…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("x", 0, ""),
    ],
)
def test_a_line_is_as_expected_when_text_is_folded(text: str, width: int | None, expected: str) -> None:
    assert one_line(text, width) == expected


@pytest.mark.parametrize(
    ("text", "cells"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("😀", 2), ("👩\u200d💻", 4)]
)
def test_cells_are_counted_when_characters_are_wide_or_have_no_width(text: str, cells: int) -> None:
    assert display_width(text) == cells
