"""The interactive session: a line to write in, below what is printed for good, also while a run goes on.

Enter ──> queue ──one after the other──> Host.perform ──events──> LiveFrontEnd ──> screen
  keys ──> Editor ──> what is typed, what waits, how things stand ──footer──────────┘
             └── while a question stands: a yes, a choice, a line for whoever asked
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool
from cline_cli.frontends._style import BOLD, CYAN, DIM, MAGENTA, YELLOW, paint
from cline_cli.frontends.console._keys import Written
from cline_cli.frontends.console._live import PASTES_MARKED, PASTES_UNMARKED, LiveFrontEnd
from cline_cli.frontends.console._questions import PROMPT, Questions
from cline_cli.frontends.console.editor import Editor
from cline_cli.frontends.console.front_end import Footer
from cline_cli.frontends.console.screen import Line, Position, Screen
from cline_cli.frontends.conversation import Completion, Host
from cline_cli.frontends.manner import Manner
from cline_cli.text import display_width, one_line, sanitize, visible

TITLE_KEPT, TITLE_GIVEN_BACK = "\x1b[22;2t", "\x1b[23;2t"
BELL = "\a"
TWICE_S = 2.0
"""Within which a second Ctrl-C leaves."""
HINT = "ask, or /help"
STOP_HINT = "esc to stop"
QUEUED_ROWS = 3


class Comforts(NamedTuple):
    """What an interactive session does besides, where it is wanted."""

    has_title: bool = False
    """Name the window."""
    bell_s: float = 0
    """Ring after a run of this length; 0 for never."""


NO_COMFORTS = Comforts()


class Interactive:
    """One interactive session at a terminal."""

    def __init__(
        self,
        screen: Screen,
        manner: Manner,
        terminal: int,
        history: Iterable[str] = (),
        comforts: Comforts = NO_COMFORTS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._comforts = comforts
        self.front_end = LiveFrontEnd(screen, manner, self, clock)
        self._terminal = terminal
        self._editor = Editor(terminal, self, history)
        self._host: Host | None = None
        self._waiting: deque[Written] = deque()
        """What is to be sent when the run is over."""
        self._is_busy = False
        self._is_open = self._is_over = False
        self._is_released = False
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_drawing = False
        self._interrupted_s = -100.0
        self._typed_before = ""
        self.questions = Questions(self._editor, self.print_lines, lambda: self.front_end.columns, self.changed, clock)

    async def run(self, host: Host, first: str = "") -> None:
        """Take prompts and do what they ask until the person leaves, with `first` before all others.

        Raises:
            OSError: the terminal is gone.
        """
        self._host = host
        if first:
            self._waiting.append(Written(first, first))
            self._woken.set()
        await self.front_end.set_mode(PASTES_MARKED)
        await self._entitle(host.title)
        editing = asyncio.create_task(self._editor.run())
        editing.add_done_callback(lambda _: self.leave())
        try:
            ready = asyncio.create_task(self._editor.is_ready.wait())
            await asyncio.wait({ready, editing}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            self._is_open = True
            await self.tell(host.greeting)
            await self._serve(host)
        finally:
            self._is_over = True
            for written in self._waiting:  # not sent, and not lost
                host.remember(written.text)
            self._editor.close()
            await asyncio.wait({editing}, timeout=1)
            await self._finish_drawing()
            with suppress(OSError):
                await self._entitle("")
                await self.front_end.set_mode(PASTES_UNMARKED)
            self._editor.restore()
            failure = editing.exception() if editing.done() and not editing.cancelled() else None
            if failure and not isinstance(failure, EOFError):  # a terminal that hung up, which a signal tells as well
                raise failure

    async def _entitle(self, title: str) -> None:
        """Name the window, if that is wanted; an empty title gives back the one that it had."""
        if self._comforts.has_title:
            shown = one_line(title, 60)
            await self.front_end.set_mode(f"{TITLE_KEPT}\x1b]2;{shown}\x07" if title else TITLE_GIVEN_BACK)

    async def _serve(self, host: Host) -> None:
        goes_on = True
        while goes_on and not self._is_over:
            if not self._waiting:
                self._woken.clear()
                await self._woken.wait()
                continue
            written = self._waiting.popleft()
            await self._show_prompt(written)
            host.remember(written.text)
            self._is_busy, began_s = True, self._clock()
            self.front_end.set_hint(STOP_HINT)
            try:
                goes_on = await host.perform(written.text)
            finally:
                self._is_busy = False
                self.front_end.set_hint("")
            await self.front_end.draw()
            if 0 < self._comforts.bell_s <= self._clock() - began_s:
                await self.front_end.set_mode(BELL)

    async def _finish_drawing(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.front_end.close()

    # What is shown

    def lay_out(self, columns: int) -> Footer:
        """Return what stands below all else: what waits, what is typed, how things stand."""
        if self._is_over or not self._is_open or self._host is None:
            return Footer((), Position(0, 0))
        view = self.questions.lay_out(columns)
        lines = [] if view else self._lay_out_waiting(columns)
        if view is None:
            hint = self.questions.hint or ("" if self._is_busy else HINT)
            view = self._editor.view(columns, label=self.questions.label, hint=hint)
        cursor = Position(len(lines) + view.cursor.row, view.cursor.column)
        return Footer([*lines, *view.lines, self._lay_out_standing(self._host, columns)], cursor)

    def _lay_out_waiting(self, columns: int) -> list[Line]:
        shown = list(self._waiting)[:QUEUED_ROWS]
        lines = [_dim(one_line(f"waits: {written.shown}", columns)) for written in shown]
        if len(self._waiting) > QUEUED_ROWS:
            lines.append(_dim(f"and {len(self._waiting) - QUEUED_ROWS} more wait"))
        if lines and not self._editor.text:
            lines.append(_dim(one_line("Up takes the last one back", columns)))
        return lines

    def _lay_out_standing(self, host: Host, columns: int) -> Line:
        if self._clock() - self._interrupted_s < TWICE_S:
            return Line(paint(text := one_line("Ctrl-C once more leaves", columns), YELLOW), display_width(text))
        standing = host.standing
        parts = [standing.model]
        if standing.is_auto_approved:
            parts.append("approves all")
        if standing.context_percent is not None:
            parts.append(f"{standing.context_percent}% of context")
        if standing.cost:
            parts.append(standing.cost)
        mode = standing.mode
        rest = " " + one_line("· " + " · ".join(parts), max(1, columns - display_width(mode) - 1))
        return Line(
            paint(mode, MAGENTA if mode == "plan" else CYAN) + paint(rest, DIM),
            display_width(mode) + display_width(rest),
        )

    async def tell(self, text: str, style: str = DIM) -> None:
        """Print lines of our own for good."""
        await self.front_end.draw(cards=[_styled(line, style) for line in sanitize(text).expandtabs(4).split("\n")])

    async def clear(self) -> None:
        """Begin on an empty screen; what stood there goes into the terminal's history."""
        await self.front_end.clear()

    def restore(self) -> None:
        """Put the terminal back at once: the process ends now."""
        self._editor.restore()
        with suppress(OSError):
            if select.select([], [self._terminal], [], 0)[1]:
                os.write(self._terminal, f"{PASTES_UNMARKED}\r\n".encode())

    async def print_lines(self, lines: Sequence[Line]) -> None:
        """Print lines for good; they hold nothing that steers the terminal but styles."""
        await self.front_end.draw(texts=lines)

    async def show_markdown(self, text: str) -> None:
        """Print a text of our own, rendered, for good."""
        answer = self.front_end.new_answer()
        answer.feed(text)
        answer.close()
        columns = self.front_end.columns
        for block in await answer.render_finished(columns):
            await self.front_end.draw(texts=block)

    async def _show_prompt(self, written: Written) -> None:
        self.front_end.begin_anew()
        lines = visible(written.shown, multiline=True).expandtabs(4).split("\n")
        shown = [f"{PROMPT if number == 0 else '  '}{line}" for number, line in enumerate(lines)]
        await self.front_end.draw(texts=[Line(paint(line, BOLD), display_width(line)) for line in shown])

    def changed(self) -> None:
        """Draw anew, soon: something that is typed has changed."""
        if self._editor.text != self._typed_before:
            self._typed_before = self._editor.text
            if self._typed_before not in {"", self._editor.put_text}:
                self.questions.note_typing()
        if not self._is_drawing and not self._is_over:
            self._is_drawing = True
            self._start(self._draw())

    async def _draw(self) -> None:
        self._is_drawing = False
        with suppress(OSError):
            await self.front_end.draw()

    def _start(self, work: object) -> None:
        assert asyncio.iscoroutine(work), "a coroutine"
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What the keys ask for

    def submit(self, written: Written) -> None:
        """Send a line, or let it wait for the end of the run; or give it to whoever waits for one."""
        if self.questions.submit(written) or not written.text.strip():
            return
        self._waiting.append(written)
        self._woken.set()

    def escape(self) -> None:
        """Stop what goes on; what waits comes back into the line."""
        if not self.questions.give_up() and self._is_busy and self._host:
            self._host.stop()
            self._take_all_back()

    def _take_all_back(self) -> None:
        texts = [written.text for written in self._waiting]
        self._waiting.clear()
        if texts:
            self._editor.put("\n".join([*texts, *filter(None, [self._editor.text])]))

    def interrupt(self) -> None:
        """Stop what goes on, or clear the line; twice leaves."""
        if self._is_released:  # it is for the program that has the terminal
            return
        now_s = self._clock()
        if now_s - self._interrupted_s < TWICE_S:
            self.leave()
            return
        self._interrupted_s = now_s
        asyncio.get_running_loop().call_later(TWICE_S, self.changed)
        if self.questions.give_up():
            pass
        elif self._is_busy:
            self.escape()
        else:
            self._editor.clear()
        self.changed()

    def leave(self) -> None:
        """End the session; a run is stopped before."""
        self._is_over = True
        self._woken.set()
        self.questions.give_up()
        if self._is_busy and self._host:
            self._host.stop()

    def toggle_mode(self) -> None:
        """Plan or act from now on."""
        if self._host and not self.questions.is_reading_line:
            self._host.toggle_mode()
            self.changed()

    def take_back(self) -> str | None:
        """Return the last line that waits, which it then does not any more."""
        return self._waiting.pop().text if self._waiting else None

    async def complete(self, before: str) -> Sequence[Completion]:
        """Return what could stand for the end of the text."""
        return await self._host.complete(before) if self._host else ()

    def suspend(self) -> None:
        """Give the terminal back to the shell until it calls again."""
        self._start(self._suspend())

    async def _suspend(self) -> None:
        loop = asyncio.get_running_loop()
        async with self.released():
            loop.remove_signal_handler(signal.SIGTSTP)
            os.killpg(os.getpgrp(), signal.SIGTSTP)
            loop.add_signal_handler(signal.SIGTSTP, self.suspend)
        self.changed()

    def edit_outside(self) -> None:
        """Let $EDITOR have what is typed."""
        self._start(self._edit_outside())

    async def _edit_outside(self) -> None:
        from cline_cli.frontends.console._outside import edit  # lazy: few prompts are written so

        text = self._editor.pastes.expand(self._editor.text)
        async with self.released():
            edited, complaint = await edit(text)
        if complaint:
            await self.tell(f"cline: {complaint}")
        else:
            self._editor.put(edited)
        self.changed()

    @asynccontextmanager
    async def released(self) -> AsyncIterator[None]:
        """Leave the terminal to another program for a while, as it was before the session."""
        async with self.front_end.withdrawn(), self._editor.released():
            self._is_released = True
            try:
                yield
            finally:
                self._is_released = False

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
        """Put the question of a tool call to the person; its keys act at once."""
        return await self.questions.ask(tool, arguments, patterns)

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        """Put a question of the model's; return an option by its number, or words; empty for none."""
        return await self.questions.inquire(question, options)


def _styled(text: str, style: str) -> Line:
    return Line(paint(text, style), display_width(text))


def _dim(text: str) -> Line:
    return _styled(text, DIM)
