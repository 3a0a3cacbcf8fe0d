from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import termios
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.frontends._ask import Edit, ask, inquire, leave_row, read_keys, read_line
from cline_cli.frontends._edit_line import NotEditableError
from cline_cli.frontends._keyboard import Keyboard
from cline_cli.frontends._question import HELP, WHY
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

    async def until(self, text: str, times: int = 1) -> None:
        while self.look().count(text) < times:
            await asyncio.sleep(0.001)

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


async def never_edits(text: str, terminal: int, label: str) -> str | None:
    raise AssertionError("nobody asked for that")


def converse(
    terminal: Terminal,
    person: Callable[[], Awaitable[None]],
    *,
    patterns: tuple[str, ...] = (),
    edit: Edit = never_edits,
) -> Allow | Deny:
    """Ask; once the question stands there, let the person act; return the verdict."""

    terminal.look()
    terminal.seen = b""

    async def main() -> Allow | Deny:
        asking = asyncio.create_task(ask(TOOL, ARGUMENTS, patterns, opened=terminal.open, edit=edit))
        await terminal.until(WHY)
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
        (b"y", Allow(ARGUMENTS)),
        (b"y\r", Allow(ARGUMENTS)),
        (b"YES\r", Allow(ARGUMENTS)),
        (b"yes\n", Allow(ARGUMENTS)),
        (b"x\x7fy\r", Allow(ARGUMENTS)),
        (b"\r", Deny("The user said no.")),
        (b"n\r", Deny("The user said no.")),
        (b"\x1b", Deny("The user said no.")),
        (b"y\x1b", Deny("The user said no.")),
        (b"\x1b[A\x1b[1;5Dy", Allow(ARGUMENTS)),
        (b"\x1b[A\r", Deny("The user said no.")),
        (b"no\x15y", Allow(ARGUMENTS)),
        (b"\x04", Deny("The user said no.")),
        (b"no, because it is mine\r", Deny("The user said no: because it is mine")),
        (b"use uv\r", Deny("The user said no: use uv")),
        (b"you must not\r", Deny("The user said no: you must not")),
        ("no, é語\x7f!\r".encode(), Deny("The user said no: é!")),
    ],
)
def test_the_verdict_is_what_was_typed(terminal: Terminal, keys: bytes, verdict: Allow | Deny) -> None:
    before = terminal.attributes
    assert converse(terminal, typing(terminal, keys)) == verdict
    assert terminal.attributes == before
    assert not has_input(terminal), "what follows would take it for its own"
    assert terminal.look().endswith("\n")


def has_input(terminal: Terminal) -> bool:
    """Whether something is left that was typed."""
    raw = terminal.attributes
    assert isinstance(raw[3], int)
    raw[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(terminal.program, termios.TCSANOW, raw)
    return bool(select.select([terminal.program], [], [], 0.05)[0])


@pytest.mark.parametrize(
    ("pieces", "is_first", "keys"),
    [
        ((b"y", b"ou must not\r"), True, [*"you must not", "enter"]),
        ((b"y", b"es", b"\r"), True, [*"yes", "enter"]),
        ((b"\x1b", b"[", b"A"), False, []),
        ((b"\x1b[", b"Ay\r"), False, ["y", "enter"]),
        ((b"n",), False, ["n"]),
    ],
)
def test_what_was_sent_together_is_read_together_when_it_comes_in_pieces(
    pieces: tuple[bytes, ...], is_first: bool, keys: list[str]
) -> None:
    reader, writer = os.pipe()

    async def main() -> list[str]:
        reading = asyncio.create_task(read_keys(reader, Keyboard(), is_first=is_first, gap_s=50))
        for piece in pieces:
            os.write(writer, piece)
            while select.select([reader], [], [], 0)[0]:
                await asyncio.sleep(0.001)
        return await reading

    try:
        assert asyncio.run(main()) == keys
    finally:
        os.close(reader)
        os.close(writer)


def test_nothing_is_left_of_what_was_typed_behind_an_answer(terminal: Terminal) -> None:
    terminal.type(b"es\r")
    assert has_input(terminal)
    leave_row(terminal.program)
    assert not has_input(terminal)


def test_letters_typed_one_by_one_are_words_when_the_first_is_no_answer(terminal: Terminal) -> None:
    async def person() -> None:
        for number, key in enumerate("not y", 1):
            terminal.type(key.encode())
            await terminal.until(WHY + "not y"[:number])
        terminal.type(b"\r")

    assert converse(terminal, person) == Deny("The user said no: not y")


def test_what_is_typed_is_shown_without_what_steers_the_terminal(terminal: Terminal) -> None:
    converse(terminal, typing(terminal, b"no\xc2\x9b2J \xe2\x80\xae\x1b[31mx\r"))
    assert terminal.look().endswith(f"{WHY}no2J x\n")


def test_a_wide_character_is_wiped_out_whole_when_it_is_taken_back(terminal: Terminal) -> None:
    async def person() -> None:
        terminal.type("no語".encode())
        await terminal.until("no語")
        terminal.type(b"\x7f")
        await terminal.until("no語\b\b  \b\b")
        terminal.type(b"\r")

    assert converse(terminal, person) == Deny("The user said no.")


def test_the_keys_are_explained_and_the_question_stands_again_when_that_is_wanted(terminal: Terminal) -> None:
    async def person() -> None:
        terminal.type(b"?\r")
        await terminal.until(WHY, 2)
        terminal.type(b"y")

    assert converse(terminal, person) == Allow(ARGUMENTS)
    seen = terminal.look()
    assert f"{WHY}?\n" + "\n".join(HELP)[:200] in seen.replace("\n  ⋮ ", "")
    assert seen.count("$ pytest -q") == 1
    assert seen.endswith(f"{WHY}y\n")


class Editing:
    """Edits as it is told to, and remembers what it was given."""

    def __init__(self, *results: str | None) -> None:
        self.results = list(results)
        self.given: list[str] = []

    async def __call__(self, text: str, terminal: int, label: str) -> str | None:
        assert os.isatty(terminal)
        self.given.append(f"{label}{text}")
        return self.results.pop(0)


@pytest.mark.parametrize(
    ("results", "commands"),
    [
        (("pytest -x", "rm -rf build"), ["pytest -x", "rm -rf build"]),
        (("pytest -q", "rm -rf build"), ["pytest -q", "rm -rf build"]),
        (("pytest -x", " "), ["pytest -x"]),
    ],
)
def test_the_call_is_allowed_as_it_was_edited(
    terminal: Terminal, results: tuple[str, ...], commands: list[str]
) -> None:
    before = terminal.attributes
    editing = Editing(*results)
    verdict = converse(terminal, typing(terminal, b"e"), patterns=("pytest *",), edit=editing)
    assert verdict == Allow({"commands": commands})
    assert editing.given == ["Command 1 of 2.  pytest -q", "Command 2 of 2.  rm -rf build"]
    assert terminal.look().endswith(f"{WHY}e\n")
    assert terminal.attributes == before


@pytest.mark.parametrize("results", [(None,), ("pytest -x", None), ("", " ")])
def test_the_question_stands_again_whole_when_editing_is_given_up(
    terminal: Terminal, results: tuple[str | None, ...]
) -> None:
    async def person() -> None:
        terminal.type(b"e\r")
        await terminal.until(WHY, 2)
        terminal.type(b"y")

    assert converse(terminal, person, edit=Editing(*results)) == Allow(ARGUMENTS)
    assert terminal.look().count("Allow: run this?\n  $ pytest -q\n  $ rm -rf build\n") == 2


def test_the_question_stands_again_when_nothing_can_be_edited(terminal: Terminal) -> None:
    async def edit(text: str, terminal: int, label: str) -> str | None:
        raise NotEditableError("Not here.")

    async def person() -> None:
        terminal.type(b"e")
        await terminal.until(WHY, 2)
        terminal.type(b"\r")

    assert converse(terminal, person, edit=edit) == Deny("The user said no.")
    assert f"{WHY}e\n  Not here.\nAllow: run this?\n" in terminal.look()


@pytest.mark.parametrize("times", [1, 2])
def test_nothing_answers_that_was_typed_before_the_question_stood_again(terminal: Terminal, times: int) -> None:
    async def person() -> None:
        for number in range(times):
            await terminal.until(WHY, number + 1)
            terminal.type(b"?\ry\r")
        await terminal.until(WHY, times + 1)
        terminal.type(b"\r")

    assert converse(terminal, person) == Deny("The user said no.")


@pytest.mark.parametrize(
    ("keys", "patterns", "verdict"),
    [
        (b"a\r", ("pytest *",), Allow(ARGUMENTS, remembers=True)),
        (b"always\r", ("pytest *", "rm -rf *"), Allow(ARGUMENTS, remembers=True)),
        (b"a", ("pytest *",), Allow(ARGUMENTS, remembers=True)),
        (b"a\r", (), Deny("The user said no: a")),
        (b"y\r", ("pytest *",), Allow(ARGUMENTS)),
    ],
)
def test_always_is_an_answer_where_it_says_what_it_would_allow(
    terminal: Terminal, keys: bytes, patterns: tuple[str, ...], verdict: Allow | Deny
) -> None:
    assert converse(terminal, typing(terminal, keys), patterns=patterns) == verdict
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
    assert terminal.look().startswith(
        f"Allow: run this?\n  $ pytest -q\n  $ rm -rf build\ny: yes  n: no  e: edit  ?: help  {WHY}"
    )


def test_what_was_typed_before_does_not_answer(terminal: Terminal) -> None:
    terminal.type(b"y\ry\r")
    assert converse(terminal, typing(terminal, b"\r")) == Deny("The user said no.")


def test_a_line_that_is_typed_at_once_answers(terminal: Terminal) -> None:
    terminal.type(b"n\r")

    async def prompt() -> None:
        terminal.type(b"y\r")

    descriptor = terminal.open()
    try:
        assert asyncio.run(asyncio.wait_for(read_line(descriptor, prompt), 20)) == "y\n"
    finally:
        os.close(descriptor)


def test_a_key_that_is_typed_at_once_answers_when_the_prompt_has_only_begun(terminal: Terminal) -> None:
    async def main() -> Allow | Deny:
        asking = asyncio.create_task(ask(TOOL, ARGUMENTS, opened=terminal.open))
        await terminal.until("y: yes")
        terminal.type(b"yes\r")
        return await asking

    assert asyncio.run(main()) == Allow(ARGUMENTS)


def test_what_follows_an_escape_does_not_answer_the_next_question(terminal: Terminal) -> None:
    converse(terminal, typing(terminal, b"\x1b\x1by\r"))
    assert converse(terminal, typing(terminal, b"\r")) == Deny("The user said no.")


def test_the_terminal_is_as_it_was_when_the_question_is_cancelled(terminal: Terminal) -> None:
    before = terminal.attributes

    async def main() -> None:
        asking = asyncio.create_task(ask(TOOL, ARGUMENTS, opened=terminal.open))
        await terminal.until(WHY)
        assert terminal.attributes != before
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(main())
    assert terminal.attributes == before


def test_an_answer_can_be_typed_when_the_terminal_was_left_raw(terminal: Terminal) -> None:
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


@pytest.mark.parametrize(("columns", "widest"), [(30, 29), (0, 79)])
def test_rows_fit_the_terminal_when_it_tells_its_width(terminal: Terminal, columns: int, widest: int) -> None:
    termios.tcsetwinsize(terminal.program, (24, columns))
    name = "a" * 200

    async def main() -> None:
        tool = FakeTool(name=name, effect="changes")
        asking = asyncio.create_task(ask(tool, {"command": f"rm b #{'x' * 200}"}, opened=terminal.open))
        await terminal.until(WHY)
        terminal.type(b"\r")
        await asking

    asyncio.run(main())
    *rows, _ = terminal.look().splitlines()
    assert max(map(len, rows)) == widest
    assert rows[0].startswith("Allow: aaa")
    assert all(row.startswith("  ") for row in rows[1:] if "y: yes" not in row)


def test_colour_is_used_only_when_it_is_asked_for(terminal: Terminal) -> None:
    async def main() -> None:
        for is_styled in (False, True):
            asking = asyncio.create_task(
                ask(TOOL, {"old_text": "a", "new_text": "b"}, is_styled=is_styled, opened=terminal.open)
            )
            await terminal.until(WHY)
            assert ("\x1b[31m  - a\x1b[0m" in terminal.look()) == is_styled
            terminal.type(b"\r")
            await asking
            terminal.seen = b""

    asyncio.run(main())
