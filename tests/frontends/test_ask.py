from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import termios
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.frontends._ask import HINT, ask, describe, inquire, judge, lay_out, read_answer
from cline_cli.frontends._style import RED
from cline_cli.text import display_width
from tests.fakes import FakeTool

ARGUMENTS: JsonObject = {"commands": ["pytest -q", "rm -rf build"]}


class Commands(FakeTool):
    def summary(self, arguments: JsonObject) -> str:
        return "$ pytest -q (+1 more)"


TOOL = Commands(name="run_commands", effect="changes")


class Terminal:
    """A pseudo-terminal: what the person sees and types at one end, what is asked at the other."""

    def __init__(self) -> None:
        self.person, self.program = pty.openpty()
        self.seen = b""
        os.set_blocking(self.person, False)

    def open(self) -> int:
        return os.open(os.ttyname(self.program), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    @property
    def attributes(self) -> list[int | list[bytes | int]]:
        return termios.tcgetattr(self.program)

    def look(self) -> str:
        with contextlib.suppress(BlockingIOError):
            self.seen += os.read(self.person, 65536)
        return self.seen.decode().replace("\r\n", "\n")

    def type(self, keys: bytes) -> None:
        os.write(self.person, keys)

    def close(self) -> None:
        for descriptor in (self.person, self.program):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


async def until_asked(terminal: Terminal) -> None:
    while HINT not in terminal.look():
        await asyncio.sleep(0.001)


def converse(terminal: Terminal, person: Callable[[], Awaitable[None]]) -> Allow | Deny:
    """Ask; once the question stands there, let the person act; return the verdict."""

    terminal.look()
    terminal.seen = b""

    async def main() -> Allow | Deny:
        asking = asyncio.create_task(ask(TOOL, ARGUMENTS, opened=terminal.open))
        await until_asked(terminal)
        await person()
        return await asking

    return asyncio.run(main())


def typing(terminal: Terminal, keys: bytes) -> Callable[[], Awaitable[None]]:
    async def person() -> None:
        terminal.type(keys)

    return person


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        (b"y\r", Allow(ARGUMENTS)),
        (b"YES\r", Allow(ARGUMENTS)),
        (b"x\x7fy\r", Allow(ARGUMENTS)),
        (b"\r", Deny("The user said no.")),
        (b"n\r", Deny("The user said no.")),
        (b"\x1b", Deny("The user said no.")),
        (b"y\x1b", Deny("The user said no.")),
        (b"\x1b[A", Deny("The user said no.")),
        (b"\x04", Deny("The user said no.")),
        (b"no, because it is mine\r", Deny("The user said no: because it is mine")),
        (b"use uv\r", Deny("The user said no: use uv")),
    ],
)
def test_the_verdict_is_the_line_that_was_typed(terminal: Terminal, keys: bytes, verdict: Allow | Deny) -> None:
    before = terminal.attributes
    assert converse(terminal, typing(terminal, keys)) == verdict
    assert terminal.attributes == before


@pytest.mark.parametrize(
    ("keys", "patterns", "verdict"),
    [
        (b"a\r", ("pytest *",), Allow(ARGUMENTS, remembers=True)),
        (b"always\r", ("pytest *", "rm -rf *"), Allow(ARGUMENTS, remembers=True)),
        (b"a\r", (), Deny("The user said no: a")),
        (b"y\r", ("pytest *",), Allow(ARGUMENTS)),
    ],
)
def test_always_is_an_answer_where_it_says_what_it_would_allow(
    terminal: Terminal, keys: bytes, patterns: tuple[str, ...], verdict: Allow | Deny
) -> None:
    async def main() -> Allow | Deny:
        asking = asyncio.create_task(ask(TOOL, ARGUMENTS, patterns, opened=terminal.open))
        await until_asked(terminal)
        terminal.type(keys)
        return await asking

    assert asyncio.run(main()) == verdict
    told = f"a: always, in this session, for {', '.join(patterns)}\n"
    assert (told in terminal.look()) is bool(patterns)


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(b"2\r", "blue"), (b"green, please\r", "green, please"), (b"9\r", "9"), (b"\r", ""), (b"\x1b", ""), (b"\x04", "")],
)
def test_a_question_of_the_model_is_answered_by_number_or_in_words(
    terminal: Terminal, keys: bytes, answer: str
) -> None:
    async def main() -> str:
        asking = asyncio.create_task(inquire("Which \x1b[31mone?\nNow.", ("red", "blue"), opened=terminal.open))
        while "own words" not in terminal.look():
            await asyncio.sleep(0.001)
        terminal.type(keys)
        return await asking

    before = terminal.attributes
    assert asyncio.run(main()) == answer
    assert terminal.attributes == before
    assert terminal.look().startswith(
        "? Which <U+001B>[31mone?\n? Now.\n  1  red\n  2  blue\na number, or your own words: "
    )


def test_nobody_answers_where_there_is_no_terminal() -> None:
    def no_terminal() -> int:
        raise OSError(6, "No such device")

    assert asyncio.run(inquire("Which?", (), opened=no_terminal)) == ""


def test_the_call_is_shown_whole_when_it_is_asked_for(terminal: Terminal) -> None:
    converse(terminal, typing(terminal, b"\r"))
    assert terminal.look().startswith(f"Allow: run this?\n  $ pytest -q\n  $ rm -rf build\n{HINT}")


def test_what_was_typed_before_does_not_answer(terminal: Terminal) -> None:
    terminal.type(b"y\ry\r")
    assert converse(terminal, typing(terminal, b"\r")) == Deny("The user said no.")


def test_what_is_typed_at_once_answers(terminal: Terminal) -> None:
    terminal.type(b"n\r")

    async def prompt() -> None:
        terminal.type(b"y\r")

    descriptor = terminal.open()
    try:
        assert asyncio.run(asyncio.wait_for(read_answer(descriptor, prompt), 20)) == "y\n"
    finally:
        os.close(descriptor)


def test_what_follows_an_escape_does_not_answer_the_next_question(terminal: Terminal) -> None:
    converse(terminal, typing(terminal, b"\x1bOy\r"))
    assert converse(terminal, typing(terminal, b"\r")) == Deny("The user said no.")


def test_the_terminal_is_as_it_was_when_the_question_is_cancelled(terminal: Terminal) -> None:
    before = terminal.attributes

    async def main() -> None:
        asking = asyncio.create_task(ask(TOOL, ARGUMENTS, opened=terminal.open))
        await until_asked(terminal)
        assert terminal.attributes != before
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())
    assert terminal.attributes == before


def test_a_line_can_be_typed_when_the_terminal_was_left_raw(terminal: Terminal) -> None:
    raw = terminal.attributes
    assert isinstance(raw[3], int)
    raw[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    termios.tcsetattr(terminal.program, termios.TCSANOW, raw)

    async def person() -> None:
        flags = terminal.attributes[3]
        assert isinstance(flags, int)
        assert flags & termios.ISIG, "Control-C stays a signal"
        terminal.type(b"y\r")

    assert converse(terminal, person) == Allow(ARGUMENTS)
    assert terminal.attributes[3] == raw[3]


def test_the_call_is_denied_when_the_terminal_hangs_up(terminal: Terminal) -> None:
    async def person() -> None:
        os.close(terminal.person)

    verdict = converse(terminal, person)
    assert isinstance(verdict, Deny)


def test_the_call_is_denied_when_no_terminal_can_be_opened() -> None:
    def opened() -> int:
        raise OSError(6, "No such device or address")

    verdict = asyncio.run(ask(TOOL, ARGUMENTS, opened=opened))
    assert isinstance(verdict, Deny)
    assert "No such device or address" in verdict.reason


def test_the_call_is_denied_when_what_opens_is_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def opened() -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT)

    assert isinstance(asyncio.run(ask(TOOL, ARGUMENTS, opened=opened)), Deny)


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


@pytest.mark.parametrize(("columns", "widest"), [(30, 29), (0, 79)])
def test_rows_fit_the_terminal_when_it_tells_its_width(terminal: Terminal, columns: int, widest: int) -> None:
    termios.tcsetwinsize(terminal.program, (24, columns))
    name = "a" * 200

    async def main() -> None:
        tool = FakeTool(name=name, effect="changes")
        asking = asyncio.create_task(ask(tool, {"command": f"rm b #{'x' * 200}"}, opened=terminal.open))
        await until_asked(terminal)
        terminal.type(b"\r")
        await asking

    asyncio.run(main())
    rows = terminal.look().partition(HINT)[0].splitlines()
    assert max(map(len, rows)) == widest
    assert rows[0].startswith("Allow: aaa")
    assert all(row.startswith("  ") for row in rows[1:])


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.lists(st.text()), st.integers(), st.none())))
def test_no_line_steers_the_terminal_when_arguments_are_anything(arguments: JsonObject) -> None:
    assert all(line.isprintable() for line in describe(arguments))


@given(st.one_of(st.text(), st.sampled_from(["y", " Yes\n", "\x9b1my", "y\x1b", "yes, but", "ye"])))
def test_only_a_yes_allows_when_anything_is_typed(answer: str) -> None:
    assert isinstance(judge(answer, ARGUMENTS), Allow) == (answer.strip().lower() in {"y", "yes"})


def test_colour_is_used_only_when_it_is_asked_for(terminal: Terminal) -> None:
    async def main() -> None:
        for is_styled in (False, True):
            asking = asyncio.create_task(
                ask(TOOL, {"old_text": "a", "new_text": "b"}, is_styled=is_styled, opened=terminal.open)
            )
            await until_asked(terminal)
            assert ("\x1b[31m  - a\x1b[0m" in terminal.look()) == is_styled
            terminal.type(b"\r")
            await asking
            terminal.seen = b""

    asyncio.run(main())
