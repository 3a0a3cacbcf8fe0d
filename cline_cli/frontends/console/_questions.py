"""What stands in the place of the prompt while somebody asks something else: a yes, words, one of many, a key.

One question stands at a time. Whoever was typing when it came has to pause first: those keys were meant for the prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool
from cline_cli.frontends._answering import Answering, Wish, commands_of, with_commands
from cline_cli.frontends._question import HELP, lay_out_question
from cline_cli.frontends._style import BOLD, DIM, paint
from cline_cli.frontends.console._input_view import View
from cline_cli.frontends.console._keys import Written
from cline_cli.frontends.console._picker import Item, Picker
from cline_cli.frontends.console.screen import Line, Position
from cline_cli.text import display_width, one_line, sanitize, visible

TYPING_S, PAUSE_S = 1.0, 0.5
"""Whoever typed so shortly before a question came has to pause for so long before a key answers it."""
UNARMED = "stop typing, then answer: "
PROMPT = "> "


class TypedLine(Protocol):
    """The line that is typed in."""

    taker: Callable[[str], None] | None

    @property
    def text(self) -> str: ...
    def put(self, text: str) -> None: ...


class Questions:
    def __init__(
        self,
        line: TypedLine,
        print_lines: Callable[[Sequence[Line]], Awaitable[None]],
        measure_columns: Callable[[], int],
        changed: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._line = line
        self._print = print_lines
        self._measure = measure_columns
        self._changed = changed
        self._clock = clock
        self._typed_s = -100.0
        self._armed_s = 0.0
        """From when on keys answer."""
        self._answering: Answering | None = None
        self._keys: list[str] = []
        """That came in one go, and have not been looked at."""
        self._question = ""
        """What stands before the answer."""
        self._picker: Picker | None = None
        self._written: asyncio.Future[Written | None] | None = None
        """Of a line that is asked for in place of a prompt."""
        self.label, self.hint = PROMPT, ""

    @property
    def is_reading_line(self) -> bool:
        """Whether the next line is an answer, and no prompt."""
        return self._written is not None and not self._written.done()

    def note_typing(self) -> None:
        """Somebody types: what comes now may be meant for the line, whatever is asked."""
        self._typed_s = self._clock()

    def submit(self, written: Written | None) -> bool:
        """Take a line as the answer, None for no answer; return whether somebody had asked for it."""
        if self._written is None or self._written.done():
            return False
        self._written.set_result(written)
        return True

    def give_up(self) -> bool:
        """Answer with nothing; return whether anything was asked."""
        if self._line.taker:
            self._line.taker("escape")
            return True
        return self.submit(None)

    def lay_out(self, columns: int) -> View | None:
        """Return what stands in place of the prompt; None where that may stand, too."""
        if self._picker:
            lines = self._picker.lay_out(columns)
            return View(lines, Position(0, lines[0].cells))
        if not self._question:
            return None
        question = self._question if self._clock() >= self._armed_s else UNARMED
        typed = visible(self._answering.typed) if self._answering else ""
        room = columns - display_width(question)
        if room < display_width(typed) + 1:
            question = "" if display_width(typed) else one_line(question, columns - 1)
        while display_width(question + typed) >= columns:
            typed = typed[1:]
        line = Line(paint(question, DIM) + typed, display_width(question + typed))
        return View([line], Position(0, line.cells))

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
        """Put the question of a tool call; its keys act at once."""
        while True:
            *rows, (hint, _) = lay_out_question(tool, arguments, patterns, self._measure() + 1)
            await self._print([_styled(row, style) for row, style in rows])
            answer = await self._answer(hint, Answering(arguments, patterns))
            if answer == "help":
                await self._print([_styled(row, DIM) for row in HELP])
            elif answer == "edit":
                edited = await self._edit_commands(commands_of(arguments))
                if edited:
                    return Allow(with_commands(arguments, edited))
            else:
                return answer

    async def _answer(self, question: str, answering: Answering) -> Allow | Deny | Wish:
        """Return what the keys say; keys that come in one go, as of a program or a paste, are read together."""
        answered: asyncio.Future[Allow | Deny | Wish] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()

        def settle() -> None:
            keys, self._keys = self._keys, []
            answer = answering.press_all(keys)
            if answer is not None and not answered.done():
                answered.set_result(answer)
            self._changed()

        def take(key: str) -> None:
            if self._clock() < self._armed_s and key != "escape":
                self._disarm()
                return
            if not self._keys:
                loop.call_soon(settle)
            self._keys.append(key)

        self._answering = answering
        self._armed_s = self._clock()
        if self._clock() - self._typed_s < TYPING_S:
            self._disarm()
        with self._asking(question, take):
            try:
                return await answered
            finally:
                self._answering = None

    def _disarm(self) -> None:
        self._armed_s = self._clock() + PAUSE_S
        asyncio.get_running_loop().call_later(PAUSE_S, self._changed)

    @contextmanager
    def _asking(self, question: str, take: Callable[[str], None]) -> Iterator[None]:
        self._question, self._line.taker = question, take
        self._changed()
        try:
            yield
        finally:
            self._question, self._line.taker = "", None
            self._typed_s = -100.0
            self._changed()

    async def _edit_commands(self, commands: tuple[str, ...]) -> tuple[str, ...]:
        """Return the commands as they were edited, without those that were emptied; none where that was given up."""
        edited: list[str] = []
        for command in commands:
            written = await self.read_line("edit > ", command)
            if written is None:
                return ()
            edited.append(written.text)
        return tuple(command for command in edited if command.strip())

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        """Put a question of the model's; return an option by its number, or words; empty for none."""
        lines = [_styled(visible(f"? {line}"), BOLD) for line in question.split("\n")]
        lines += [_styled(visible(f"  {number}  {option}"), "") for number, option in enumerate(options, 1)]
        await self._print(lines)
        written = await self.read_line("answer > ", hint="a number, or your own words" if options else "")
        words = sanitize(written.text).strip() if written else ""
        if words.isdecimal() and 1 <= int(words) <= len(options):
            words = options[int(words) - 1]
        await self._print([_styled(f"  {one_line(words) or '(no answer)'}", DIM)])
        return words

    async def read_line(self, label: str, text: str = "", *, hint: str = "") -> Written | None:
        """Return a line that is asked for in place of a prompt; None where the person gave up. What was typed stays."""
        kept, self.label, self.hint = self._line.text, label, hint
        self._written = asyncio.get_running_loop().create_future()
        self._line.put(text)
        self._changed()
        try:
            return await self._written
        finally:
            self._written, self.label, self.hint = None, PROMPT, ""
            self._line.put(kept)
            self._changed()

    async def read_key(self, question: str) -> str:
        """Return the key that answers a question, in lower case; "escape" where the person gave up."""
        pressed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        with self._asking(one_line(question) + " ", lambda key: None if pressed.done() else pressed.set_result(key)):
            return (await pressed).lower()

    async def choose(self, title: str, items: Sequence[Item], chosen: int = 0) -> int | None:
        """Let the person choose one of many; return its number, or None for none."""
        picked: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._picker = picker = Picker(title, items, chosen)

        def take(key: str) -> None:
            number = picker.press(key)
            if number is not None and not picked.done():
                picked.set_result(None if number == "none" else number)

        with self._asking(title, take):
            try:
                return await picked
            finally:
                self._picker = None


def _styled(text: str, style: str) -> Line:
    return Line(paint(text, style), display_width(text))
