"""The live screen: text becomes Markdown as it comes, calls become cards, and one status line says what goes on.

`show` takes what happens and prints what is final; what is live is drawn when the painter finds it due.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, assert_never

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolSettled,
    ToolStarted,
    UsageUpdated,
)
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import Tool
from cline_cli.frontends._ask import ask, inquire
from cline_cli.frontends._pace import Pace
from cline_cli.frontends._style import DIM, paint
from cline_cli.frontends.console._activity import Activity
from cline_cli.frontends.console._answer import Answer, is_loaded
from cline_cli.frontends.console._painter import Painter
from cline_cli.frontends.console.screen import BLANK, Line, Position, Screen
from cline_cli.frontends.figures import describe_changes, describe_compaction, describe_run, format_duration
from cline_cli.frontends.manner import Manner
from cline_cli.text import display_width, one_line, sanitize

CLOSE_S = 0.5
"""How long a terminal that takes nothing may hold the end of a run."""

THOUGHT_S = 2.0
"""For how long the model has to think before it is told."""

Kind = Literal["text", "card"]


async def _ask_in_colour(tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
    return await ask(tool, arguments, patterns, is_styled=True)


class ConsoleFrontEnd:
    _undo = "cline undo"
    """How the changes of a run are taken back."""

    def __init__(
        self,
        screen: Screen,
        manner: Manner,
        *,
        clock: Callable[[], float] = time.monotonic,
        stops: bool = False,
        question: Callable[[Tool, JsonObject, tuple[str, ...]], Awaitable[Allow | Deny]] = _ask_in_colour,
    ) -> None:
        """`stops` takes SIGTSTP over while a run goes on: nothing live is left standing above the shell's prompt."""
        self._stops = stops
        self._screen = screen
        self._manner = manner
        self._question = question
        self._answer = Answer(is_light=self._manner.is_light)
        self._activity = Activity(clock)
        self._pace = Pace(clock)
        self._thoughts: list[str] = []
        self._streamed: str | None = None
        """The last message that is on the screen whole."""
        self._before: Kind | None = None
        """What was printed last."""
        self._stopping: asyncio.Task[None] | None = None
        self._drawing = asyncio.Lock()
        self._painter = Painter(self.draw, clock)

    async def show(self, event: Event) -> None:
        """Show one event; what is final has been written when it returns.

        Raises:
            OSError: the terminal is gone.
        """
        self._painter.check()
        match event:
            case TextDelta(text):
                if self._thoughts:
                    await self._end_thinking()
                self._pace.text_came()
                self._activity.text_came()
                await self._painter.show_text(is_first=self._answer.feed(text))
            case ThinkingDelta(text):
                self._thoughts.append(text)
                self._activity.wait("thinking", detail="".join(self._thoughts[-50:]))
            case ToolCallDelta(name):
                if self._thoughts:
                    await self._end_thinking()
                self._activity.wait(f"calling {one_line(name, 40)}")
            case ToolStarted() | ToolProgress() | ToolFinished() | ToolSettled():
                await self._show_call(event)
            case RunStarted() | IterationStarted() | Compacted() | Waiting() | ReplyDiscarded() | MessageFinished():
                await self._show_request(event)
            case Notice(_, text):
                await self._note(text)
            case UsageUpdated(usage, total):
                self._activity.note_usage(usage, total, self._manner.facts.context_window)
            case RunFinished():
                await self._finish(event)
            case _:
                assert_never(event)

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
        """Put the question of a tool call to the person at the terminal; what is live makes room for it."""
        await self.draw()
        self._activity.note_shown(tool.summary(arguments))
        async with self._asking():
            return await self._question(tool, arguments, patterns)

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        """Put a question of the model's to the person at the terminal; what is live makes room for it."""
        await self.draw()
        async with self._asking():
            return await inquire(question, options, is_styled=True)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Make room for a question, which then has the terminal, and stops by itself."""
        async with self._drawing:
            await self._screen.show([BLANK] if self._before else [])
            self._listen(is_listening=False)
            try:
                yield
            finally:
                self._before = "text"
                self._listen(is_listening=True)

    def _listen(self, *, is_listening: bool) -> None:
        """Take over what stops the process for a while, or leave it to the system."""
        if self._stops:
            loop = asyncio.get_running_loop()
            if is_listening:
                loop.add_signal_handler(signal.SIGTSTP, self._stop_soon)
            else:
                loop.remove_signal_handler(signal.SIGTSTP)

    def _stop_soon(self) -> None:
        self._stopping = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        async with self._drawing:
            await self._screen.show()
            self._listen(is_listening=False)
            os.kill(os.getpid(), signal.SIGTSTP)  # comes back when the shell lets it go on
            self._listen(is_listening=True)

    async def close(self) -> None:
        """Take the live lines down. A terminal that takes nothing for CLOSE_S is left as it is, then and later."""
        self._listen(is_listening=False)
        try:
            async with asyncio.timeout(CLOSE_S), self._drawing:
                await self._painter.end()
                await self._screen.show()
        except TimeoutError:
            self._screen.give_up()
            await self._painter.end()
        except OSError:
            await self._painter.end()

    @property
    def _columns(self) -> int:
        """How wide lines may be: one cell less than the terminal, since a full row wraps in its own way everywhere."""
        return self._screen.size.columns - 1

    async def _show_call(self, event: ToolStarted | ToolProgress | ToolFinished | ToolSettled) -> None:
        """Show what concerns one call of a tool."""
        match event:
            case ToolStarted():
                self._activity.start(event)
            case ToolProgress(call_id, text):
                self._activity.report(call_id, text)
                self._painter.note_change()
            case ToolFinished():
                cards = self._activity.finish(event, self._columns)
                # A call that hands in the answer is no work to report.
                await self.draw(cards=cards if event.output.answer is None else ())

    async def _show_request(
        self, event: RunStarted | IterationStarted | Compacted | Waiting | ReplyDiscarded | MessageFinished
    ) -> None:
        """Show what concerns one request to the model."""
        match event:
            case RunStarted(model):
                self._painter.begin()
                self._activity.begin()
                self._listen(is_listening=True)
                if self._manner.is_verbose:
                    await self._note(f"[model] provider={self._manner.facts.provider} model={model}")
                    if line := self._manner.facts.sandbox_line:
                        await self._note(f"[sandbox] {line}")
            case IterationStarted():
                await self._begin_message()
                if self._activity.hint:  # its line has gone with the cards, and is to stand again at once
                    self._painter.note_change()
            case Compacted():
                self._pace.begin()
                await self._note(describe_compaction(event))
            case Waiting(delay_s, cause):
                self._activity.wait(cause, delay_s=delay_s)
            case ReplyDiscarded(cause):
                if self._answer.has_shown:
                    await self._note(f"the reply broke off, and is asked for again: {cause}")
                await self._begin_message()
            case MessageFinished(message):
                await self._end_thinking()
                self._activity.rest()
                self._answer.close()
                await self.draw()
                self._streamed = message.text
                if self._manner.is_verbose:
                    await self._note(self._pace.describe(message.usage))

    async def _note(self, text: str) -> None:
        """Print a dim line that is neither text nor a card."""
        line = one_line(text)
        await self.draw(cards=[Line(paint(line, DIM), display_width(line))])

    async def _begin_message(self) -> None:
        async with self._drawing:
            self._answer = Answer(is_light=self._manner.is_light)
        self._thoughts.clear()
        self._pace.begin()
        self._activity.wait("waiting for model")

    async def _end_thinking(self) -> None:
        """Forget the thoughts, and say how long they took; or print them, where everything is told."""
        text = sanitize("".join(self._thoughts)).strip()
        self._thoughts.clear()
        took_s = self._activity.waited_s("thinking")
        if text and self._manner.is_verbose:
            await self.draw(
                cards=[Line(paint(line, DIM), display_width(line)) for line in text.expandtabs(4).split("\n")]
            )
        elif took_s >= THOUGHT_S:
            await self._note(f"thought for {format_duration(int(took_s))}")

    async def _finish(self, run: RunFinished) -> None:
        async with self._drawing:
            await self._painter.end()
        self._activity.rest()
        self._answer.close()
        await self.draw()
        if run.has_answer and run.text != self._streamed:
            self._answer = Answer(is_light=self._manner.is_light)
            self._answer.feed(run.text)
            self._answer.close()
            await self.draw()
        if run.tool_calls or self._manner.is_verbose:
            await self._note(f"{'stopped: ' if run.error else ''}{describe_run(run)}")
        if changes := describe_changes(run, self._undo):
            await self._note(changes)

    def _footer(self, columns: int) -> Footer:
        """Return the live lines that always stand last, and where among them the cursor is; none for a single run."""
        del columns
        return Footer((), Position(0, 0))

    async def draw(self, cards: Sequence[Line] = (), texts: Sequence[Line] = ()) -> None:
        """Print the blocks that are finished, then the texts and the cards, and draw what is live below."""
        async with self._drawing:
            answer, columns = self._answer, self._columns
            blocks = await answer.render_finished(columns) if answer.is_closed or is_loaded() else []
            printed = Column(self._before)
            for block in blocks:
                printed.add("text", block)
            printed.add("text", texts)
            printed.add("card", [] if self._manner.is_quiet else cards)
            footer = self._footer(columns)
            live = Column(printed.before)
            live.add("text", answer.look(columns, max(1, self._screen.size.rows - 3 - len(footer.lines))))
            live.add("card", [] if self._manner.is_quiet else self._activity.status(columns))
            cursor = None
            if footer.lines:
                live.add("text", footer.lines)
                start = len(live.lines) - len(footer.lines)
                cursor = Position(start + footer.cursor.row, footer.cursor.column)
            await self._screen.show(printed.lines, live.lines, cursor)
            answer.drop(len(blocks))
            self._before = printed.before


class Footer(NamedTuple):
    lines: Sequence[Line]
    cursor: Position


@dataclass(slots=True)
class Column:
    """Lines in which a blank one parts what does not belong together."""

    before: Kind | None
    """What stands above."""
    lines: list[Line] = field(default_factory=list)

    def add(self, kind: Kind, lines: Sequence[Line]) -> None:
        if not lines:
            return
        if self.before is not None and (kind == "text" or self.before != kind):
            self.lines.append(BLANK)
        self.lines += lines
        self.before = kind
