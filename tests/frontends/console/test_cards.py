from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.frontends._style import DIM, GREEN, RED
from cline_cli.frontends.console._cards import MOST_LINES, lay_out_diff
from cline_cli.text import display_width
from cline_cli.tools._diff import compare

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def plain(diff: str, columns: int = 60) -> list[str]:
    return [STYLE.sub("", line.text) for line in lay_out_diff(diff, columns)]


def test_each_line_has_its_number_and_its_mark() -> None:
    before = "".join(f"{number}\n" for number in range(1, 13))
    diff = compare(before, before.replace("5\n", "five\nand a half\n")).text
    assert plain(diff) == [
        "  2   2",
        "  3   3",
        "  4   4",
        "  5 - 5",
        "  5 + five",
        "  6 + and a half",
        "  7   6",
        "  8   7",
        "  9   8",
    ]


def test_hunks_are_parted() -> None:
    before = "".join(f"{number}\n" for number in range(1, 31))
    diff = compare(before, before.replace("3\n", "x\n", 1).replace("28\n", "y\n")).text
    assert "⋮" in [line.strip() for line in plain(diff)]
    assert "  28 - 28" in plain(diff)


def test_what_went_is_red_and_what_came_is_green() -> None:
    lines = lay_out_diff(compare("a\nb\n", "a\nc\n").text, 60)
    styles = {STYLE.sub("", line.text).strip(): line.text for line in lines}
    assert RED in styles["2 - b"]
    assert GREEN in styles["2 + c"]
    assert DIM in styles["1   a"]


def test_a_long_diff_is_cut_and_says_so() -> None:
    diff = compare("", "".join(f"{number}\n" for number in range(100))).text
    assert len(plain(diff)) == MOST_LINES + 1
    assert plain(diff)[-1] == "  … 80 more lines (cline diff shows all)"
    assert plain(diff, 30)[-1] == "  … 80 more lines"
    assert STYLE.sub("", lay_out_diff(diff, 60, whole="/diff")[-1].text) == "  … 80 more lines (/diff shows all)"


def test_one_line_too_many_is_counted_as_one() -> None:
    diff = compare("", "x\n" * (MOST_LINES + 1)).text
    assert plain(diff)[-1] == "  … 1 more line (cline diff shows all)"


def test_what_the_diff_lacked_before_is_counted_too() -> None:
    diff = compare("", "".join(f"{number}\n" for number in range(2000))).text
    assert plain(diff)[-1] == "  … 1,980 more lines (cline diff shows all)"
    short = compare("", "1\n2\n3\n4\n", max_lines=4).text
    assert plain(short) == ["  1 + 1", "  2 + 2", "  3 + 3", "  … 1 more line (cline diff shows all)"]


def test_an_end_without_a_line_break_is_told() -> None:
    assert plain(compare("a\n", "a").text)[-1].strip() == "No newline at end of file"


def test_tabs_and_blank_lines_keep_their_place() -> None:
    assert plain(compare("\ta\n\nb\n", "\ta\n\nc\n").text) == [
        "  1       a",
        "  2 ",
        "  3 - b",
        "  3 + c",
    ]


def test_a_file_without_lines_to_show_is_only_named() -> None:
    assert [line.strip() for line in plain("*** gone.py (deleted)\n*** a.py\n@@ -1,0 +1,1 @@\n+x")] == [
        "gone.py (deleted)",
        "a.py",
        "1 + x",
    ]


def test_a_wide_line_fills_the_room_that_there_is() -> None:
    row = "中" * 400
    assert plain(compare("", f"{row}\n").text, 21) == [f"  1 + {'中' * 7}…"]


def test_what_cannot_be_seen_is_shown() -> None:
    assert plain(compare("", "x\u202ey\x1b[31m\n").text) == ["  1 + x<U+202E>y<U+001B>[31m"]


def test_files_have_their_names_when_there_are_several() -> None:
    diff = f"*** a.py\n{compare('', 'x' + chr(10)).text}\n*** b.py\n{compare('', 'y' + chr(10)).text}"
    assert [line.strip() for line in plain(diff)] == ["a.py", "1 + x", "b.py", "1 + y"]


@given(st.text(), st.text(), st.integers(1, 100))
def test_no_line_is_wider_than_the_terminal(before: str, after: str, columns: int) -> None:
    for line in lay_out_diff(compare(before, after).text, columns):
        assert line.cells <= columns
        assert line.cells == display_width(STYLE.sub("", line.text))


@pytest.mark.parametrize("columns", [20, 40])
def test_wide_characters_are_cut_between_them(columns: int) -> None:
    (line,) = lay_out_diff(compare("", "中文" * 40 + "\n").text, columns)
    assert line.cells <= columns
    assert line.text.endswith("…\x1b[0m")
