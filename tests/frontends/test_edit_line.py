from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import termios
from collections.abc import Iterator

import pytest

from cline_cli.frontends._edit_line import HELP, NotEditableError, edit_text

VARIABLES = {"TERM": "xterm"}


class Terminal:
    """A pseudo-terminal, and the person at its other end."""

    def __init__(self) -> None:
        self.person, self.program = pty.openpty()
        termios.tcsetwinsize(self.program, (24, 80))
        os.set_blocking(self.person, False)
        os.set_blocking(self.program, False)
        self.seen = ""

    @property
    def attributes(self) -> list[int | list[bytes | int]]:
        return termios.tcgetattr(self.program)

    def look(self) -> str:
        with contextlib.suppress(BlockingIOError):
            self.seen += os.read(self.person, 65536).decode()
        return self.seen

    async def until(self, text: str) -> None:
        while text not in self.look():
            await asyncio.sleep(0.001)

    def type(self, keys: str) -> None:
        os.write(self.person, keys.encode())

    def close(self) -> None:
        for descriptor in (self.person, self.program):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def edit(terminal: Terminal, text: str, keys: str, label: str = "") -> str | None:
    """Edit; once the help stands there, type the keys; return the result."""

    async def main() -> str | None:
        editing = asyncio.create_task(edit_text(text, terminal.program, label, VARIABLES))
        await terminal.until(HELP)
        terminal.type(keys)
        return await editing

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "keys", "edited"),
    [
        ("touch made", "\r", "touch made"),
        ("touch made", "2\r", "touch made2"),
        ("touch made", "\x7f\n", "touch mad"),
        ("touch made", "\x1b[D\x1b[D_\r", "touch ma_de"),
        ("touch made", "\x01時\r", "時touch made"),
        ("a\nb", "\x10\x05c\r", "ac\nb"),
        ("a", "\x1b\rb\r", "a\nb"),
        ("a", "\x1b[200~\rb\x1b[201~c\r", "a\nbc"),
        ("a", "\x1ab\r", "ab"),
        ("a\u202eb\x1b[2J", "c\r", "a\u202eb\x1b[2Jc"),
        ("\u202eb", "\x7f\x7f\r", ""),
        ("a", "b\x1b", None),
        ("a", "\x03", None),
        ("a", "b\x04", None),
    ],
)
def test_the_text_is_as_the_person_left_it(terminal: Terminal, text: str, keys: str, edited: str | None) -> None:
    before = terminal.attributes
    assert edit(terminal, text, keys) == edited
    assert terminal.attributes == before
    assert not os.get_blocking(terminal.program)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm \u202ea", "rm <U+202E>a"),
        ("rm\u200b\u2060\u00a0a", "rm<U+200B><U+2060><U+00A0>a"),
        ("rm\x1b[2Ja", "rm<U+001B>[2Ja"),
        ("rm\x9b2J\ra", "rm<U+009B>2J<U+000D>a"),
        ("rm\udc80a", "rm<U+DC80>a"),
    ],
)
def test_what_cannot_be_seen_is_written_out(terminal: Terminal, text: str, shown: str) -> None:
    assert edit(terminal, text, "\r") == text
    seen = terminal.look()
    assert f"  $ {shown}" in seen
    assert "[2J" not in seen.replace(f"  $ {shown}", ""), "it was not sent as it is"
    assert not {"\u202e", "\u200b", "\u2060", "\u00a0", "\x9b"} & set(seen)


def test_what_is_edited_is_said_as_long_as_it_is(terminal: Terminal) -> None:
    assert edit(terminal, "ls", "\r", "Command 1 of 2.  ") == "ls"
    assert f"Command 1 of 2.  {HELP}" in terminal.look()


def test_what_is_typed_behind_the_end_is_in_no_other_text(terminal: Terminal) -> None:
    assert edit(terminal, "a", "b\rc\r") == "ab"
    terminal.seen = ""
    assert edit(terminal, "a", "d\r") == "ad"


def test_the_terminal_is_as_it_was_when_editing_is_cancelled(terminal: Terminal) -> None:
    before = terminal.attributes

    async def main() -> None:
        editing = asyncio.create_task(edit_text("a", terminal.program, variables=VARIABLES))
        await terminal.until(HELP)
        assert terminal.attributes != before
        editing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await editing

    asyncio.run(main())
    assert terminal.attributes == before


def test_nothing_is_edited_when_the_terminal_hangs_up(terminal: Terminal) -> None:
    async def main() -> str | None:
        editing = asyncio.create_task(edit_text("a", terminal.program, variables=VARIABLES))
        await terminal.until(HELP)
        os.close(terminal.person)
        return await editing

    with contextlib.suppress(OSError):
        assert asyncio.run(main()) is None


@pytest.mark.parametrize("variables", [{}, {"TERM": ""}, {"TERM": "dumb"}])
def test_nothing_is_written_when_the_terminal_cannot_be_steered(terminal: Terminal, variables: dict[str, str]) -> None:
    with pytest.raises(NotEditableError, match="TERM is"):
        asyncio.run(edit_text("a", terminal.program, variables=variables))
    assert not select.select([terminal.person], [], [], 0)[0]
