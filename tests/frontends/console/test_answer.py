from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import pytest

from cline_cli.frontends.console._answer import Answer, load

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def look(text: str, rows: int = 10) -> list[str]:
    load()
    answer = Answer()
    answer.feed(text)
    return [STYLE.sub("", line.text) for line in answer.look(40, rows)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("done\n\nA **bo", ["A **bo"]),
        ("A text\n-", ["A text"]),
        ("A text\n==", ["A text"]),
        ("A text\n- b", ["A text", "", " • b"]),
        ("- a\n-", [" • a"]),
        ("```py\nx = 1\n``", ["x = 1"]),
        ("| a |\n|--", []),
        ("done\n\n", []),
        ("", []),
        (" \n ", []),
    ],
)
def test_a_look_is_calm_when_the_last_line_is_not_yet_readable(text: str, lines: list[str]) -> None:
    assert look(text) == lines


def test_a_look_is_never_higher_than_wanted() -> None:
    assert look("".join(f"- item {number}\n" for number in range(100)), rows=3) == [
        " • item 97",
        " • item 98",
        " • item 99",
    ]


def test_the_first_piece_that_can_be_seen_is_told() -> None:
    answer = Answer()
    assert [answer.feed(piece) for piece in ("\n", "\x1b[1m", "a", "b")] == [False, False, True, False]


def test_finished_blocks_stay_until_they_are_dropped() -> None:
    answer = Answer()
    answer.feed("one\n\ntwo\n\nthree")
    for _ in range(2):
        blocks = asyncio.run(answer.render_finished(40))
        assert [[line.text for line in block] for block in blocks] == [["one"], ["two"]]
    answer.drop(1)
    assert answer.has_shown
    answer.close()
    assert len(asyncio.run(answer.render_finished(40))) == 2


def test_the_first_look_imports_nothing_heavy() -> None:
    program = """
import sys
from cline_cli.frontends.console import front_end
from cline_cli.frontends.console._answer import Answer
answer = Answer()
answer.feed("A **bold** text\\nof two lines")
print([line.text for line in answer.look(12, 5)], "rich" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['A **bold** …', 'of two lines'] False\n"


def test_the_head_of_a_table_is_not_shown_before_it_is_known_to_be_one() -> None:
    answer = Answer()
    answer.feed("| name | size |\n")
    assert answer.look(40, 10) == []
    answer.feed("|---|---|\n| a | 1 |\n")
    assert len(answer.look(40, 10)) >= 3
