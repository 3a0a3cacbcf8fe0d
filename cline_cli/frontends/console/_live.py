"""The live screen with something below it all the time: what is typed, how things stand, a question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool
from cline_cli.frontends.console._answer import Answer
from cline_cli.frontends.console.front_end import ConsoleFrontEnd, Footer
from cline_cli.frontends.console.screen import Screen
from cline_cli.frontends.manner import Manner

PASTES_MARKED, PASTES_UNMARKED = "\x1b[?2004h", "\x1b[?2004l"


class Below(Protocol):
    """What stands below, and asks there."""

    def lay_out(self, columns: int) -> Footer: ...
    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny: ...
    async def inquire(self, question: str, options: tuple[str, ...]) -> str: ...


class LiveFrontEnd(ConsoleFrontEnd):
    """The live screen with a line to write in below it."""

    _undo = "/undo"

    def __init__(self, screen: Screen, manner: Manner, below: Below, clock: Callable[[], float]) -> None:
        super().__init__(screen, manner, clock=clock)
        self._below = below
        self._activity.whole = "/diff"

    def _footer(self, columns: int) -> Footer:
        return self._below.lay_out(columns)

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
        """Put the question of a tool call; it stands above the line, and takes the keys."""
        self._activity.note_shown(tool.summary(arguments))
        return await self._below.ask(tool, arguments, patterns)

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        """Put a question of the model's; the line takes the answer."""
        return await self._below.inquire(question, options)

    @property
    def columns(self) -> int:
        """How wide a line may be."""
        return self._columns

    async def clear(self) -> None:
        """Begin on an empty screen."""
        async with self._drawing:
            await self._screen.clear()
            self._before = None

    def set_window(self, tokens: int | None) -> None:
        """Say how much the model that is asked from now on can read."""
        self._manner = replace(self._manner, facts=replace(self._manner.facts, context_window=tokens))

    def set_hint(self, hint: str) -> None:
        """Say beside what goes on how it can be stopped."""
        self._activity.hint = hint

    def new_answer(self) -> Answer:
        """Return what renders another text for this terminal."""
        return Answer(is_light=self._manner.is_light)

    def begin_anew(self) -> None:
        """Count what was said as another's: what comes next is a new message."""
        self._answer = self.new_answer()

    @asynccontextmanager
    async def withdrawn(self) -> AsyncIterator[None]:
        """Take the live lines away and draw nothing, while somebody else has the terminal."""
        async with self._drawing:
            await self._screen.show()
            await self._screen.write(PASTES_UNMARKED)
            try:
                yield
            finally:
                self._before = "text"
                await self._screen.write(PASTES_MARKED)

    async def set_mode(self, sequence: str) -> None:
        """Switch a mode of the terminal."""
        async with self._drawing:
            await self._screen.write(sequence)
