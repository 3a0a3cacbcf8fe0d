from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonObject
from cline_cli.frontends._question import WHY, describe, lay_out, lay_out_question
from cline_cli.frontends._style import BOLD, DIM, RED
from cline_cli.text import display_width
from tests.fakes import FakeTool

TOOL = FakeTool("run_commands", effect="changes")


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({"command": "echo a\nrm b"}, ["$ echo a", "> rm b"]),
        ({"commands": "ls"}, ["$ ls"]),
        ({"path": "a.py", "old_text": "x\ny\n", "new_text": "z"}, ["path: a.py", "- x", "- y", "+ z"]),
        ({"path": "a.py", "content": "x\n\ty\n\n"}, ["path: a.py", "+ x", "+     y", "+ "]),
        ({"path": "a\u202eyp.exe", "old_text": None}, ["path: a<U+202E>yp.exe"]),
        ({"command": "ls\u200b -l\x1b[2K\r"}, ["$ ls<U+200B> -l<U+001B>[2K<U+000D>"]),
        ({"insert_line": 3, "all": True}, ["insert_line: 3", "all: true"]),
        ({"a\nb": "c\nd"}, ['"a\\nb":', "| c", "| d"]),
        ({"range": {"from": 1}}, ["range:", "| {", '|   "from": 1', "| }"]),
        ({"$ ls #": "x"}, ['"$ ls #": x']),
        ({"command": "rm b" + " " * 8 + "# ls"}, ["$ rm b<8 spaces># ls"]),
        ({"command": "rm b" + " " * 7 + "# ls"}, ["$ rm b       # ls"]),
        ({"path": " " * 40 + "b" + "\t" * 9}, ["path: <40 spaces>b" + "<U+0009>" * 9]),
        ({"new_text": " " * 32 + "x\n" + " " * 33 + "y"}, ["+ " + " " * 32 + "x", "+ <33 spaces>y"]),
        ({"new_text": "x\t\ty \t \tz"}, ["+ x<2 tabs>y<4 spaces and tabs>z"]),
        ({"new_text": "a\n\n\nb\n \n\t\n\nc"}, ["+ a", "+ ", "+ ", "+ b", "+ <3 blank lines>", "+ c"]),
        ({"command": "\n\n\nls"}, ["$ <3 blank lines>", "> ls"]),
        ({"commands": [{"command": "ls"}]}, ["$ {", '>   "command": "ls"', "> }"]),
    ],
)
def test_arguments_are_shown_whole_and_readable(arguments: JsonObject, lines: list[str]) -> None:
    assert list(describe(arguments)) == lines


PIECES = st.lists(
    st.one_of(st.text(), st.sampled_from(["  ⋮ ", "$ ls", " " * 90, "\n" * 9, "\t", "語" * 50, "e\u0301"]))
)
TEXTS = PIECES.map("".join)
CALLS = st.dictionaries(
    st.one_of(TEXTS, st.sampled_from(["command", "commands", "old_text", "new_text", "path"])),
    st.one_of(TEXTS, st.lists(TEXTS), st.integers(), st.none()),
)


@given(CALLS, st.integers(8, 100))
def test_no_row_begins_at_the_edge_or_reaches_the_other_when_arguments_are_anything(
    arguments: JsonObject, columns: int
) -> None:
    rows = [row for row, _ in lay_out(arguments, columns)]
    assert all(row.startswith("  ") and display_width(row) < columns for row in rows)
    continued = "".join(row.removeprefix("  ⋮ ") if row.startswith("  ⋮ ") else f"\n{row[2:]}" for row in rows)
    assert continued.split("\n")[1:] == list(describe(arguments)), "the whole text, and no line that looks continued"


@given(CALLS)
def test_no_gap_is_long_when_arguments_are_anything(arguments: JsonObject) -> None:
    for line in describe(arguments):
        assert " " * 40 not in line
        assert " " * 9 not in line[2:].strip()


def test_a_line_keeps_its_colour_when_it_is_broken() -> None:
    assert list(lay_out({"old_text": "x" * 9}, 10)) == [("  - xxxxx", RED), ("  ⋮ xxxx", RED)]


def test_a_wide_character_takes_two_cells_when_a_line_is_broken() -> None:
    assert [row for row, _ in lay_out({"command": "語語語a"}, 10)] == ["  $ 語語", "  ⋮ 語a"]


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.lists(st.text()), st.integers(), st.none())))
def test_no_line_steers_the_terminal_when_arguments_are_anything(arguments: JsonObject) -> None:
    assert all(line.isprintable() for line in describe(arguments))


@pytest.mark.parametrize(
    ("arguments", "patterns", "columns", "rows"),
    [
        ({"path": "a"}, (), 80, ["y: yes  n: no  ?: help  " + WHY]),
        ({"commands": ["ls"]}, (), 80, ["y: yes  n: no  e: edit  ?: help  " + WHY]),
        (
            {"commands": ["ls"]},
            ("ls *", "wc"),
            80,
            [
                "a: always, in this session, for ls *, wc",
                "y: yes  n: no  a: always  e: edit  ?: help  " + WHY,
            ],
        ),
        ({"commands": ["ls"]}, (), 60, ["y: yes  n: no  e: edit  ?: help", WHY]),
        ({"commands": ["ls"]}, (), 20, ["y: yes  n: no", "e: edit  ?: help", WHY]),
    ],
)
def test_what_may_be_answered_is_told_and_leaves_room_behind_it(
    arguments: JsonObject, patterns: tuple[str, ...], columns: int, rows: list[str]
) -> None:
    laid_out = lay_out_question(TOOL, arguments, patterns, columns)
    assert laid_out[-len(rows) :] == [(row, DIM) for row in rows]
    assert laid_out[-len(rows) - 1][1] != DIM, "the call itself, and no other row of these"


@given(st.text(), st.text(), st.lists(st.text(), max_size=3).map(tuple), st.integers(20, 100))
def test_only_the_title_and_the_answers_begin_at_the_edge_when_a_call_is_anything(
    name: str, command: str, patterns: tuple[str, ...], columns: int
) -> None:
    rows = lay_out_question(FakeTool(name, effect="changes"), {"commands": [command]}, patterns, columns)
    assert all(display_width(row) < columns and row.isprintable() for row, _ in rows)
    at_the_edge = [row for row, style in rows if style not in {BOLD, DIM} and not row.startswith("  ")]
    assert not at_the_edge
    assert rows[0][0].startswith("Allow: ")
    assert rows[-1][0].endswith(WHY)
