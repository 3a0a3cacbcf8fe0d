"""The interactive session: a line to write in, below what is printed for good, also while a run goes on.

Enter ──> queue ──one after the other──> Host.perform ──events──> LiveFrontEnd ──> screen
  keys ──> Editor ──> what is typed, what waits, how things stand ──footer──────────┘
             └── while a question stands: a yes, a choice, a line for whoever asked
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Literal

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool
from cline_cli.frontends._answering import Answering, commands_of, with_commands
from cline_cli.frontends._question import HELP, lay_out_question
from cline_cli.frontends._style import BOLD, CYAN, DIM, MAGENTA, YELLOW, paint
from cline_cli.frontends.console._answer import Answer
from cline_cli.frontends.console._input_view import View
from cline_cli.frontends.console._keys import Written
from cline_cli.frontends.console._picker import Item, Picker
from cline_cli.frontends.console.editor import Editor
from cline_cli.frontends.console.front_end import ConsoleFrontEnd, Footer
from cline_cli.frontends.console.screen import BLANK, Line, Position, Screen
from cline_cli.frontends.conversation import Completion, Host
from cline_cli.frontends.manner import Manner
from cline_cli.text import display_width, one_line, sanitize, visible

PASTES_MARKED, PASTES_UNMARKED = "\x1b[?2004h", "\x1b[?2004l"
TWICE_S = 2.0
"""Within which a second Ctrl-C leaves."""
TYPING_S, PAUSE_S = 1.0, 0.5
"""Whoever typed so shortly before a question came has to pause for so long before a key answers it."""
PROMPT = "> "
STOP_HINT = "esc to stop"
QUEUED_ROWS = 3


class LiveFrontEnd(ConsoleFrontEnd):
    """The live screen with a line to write in below it."""

    def __init__(self, screen: Screen, manner: Manner, session: Interactive, clock: Callable[[], float]) -> None:
        super().__init__(screen, manner, clock=clock)
        self._session = session

    def _footer(self, columns: int) -> Footer:
        return self._session.lay_out(columns)

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
        """Put the question of a tool call; it stands above the line, and takes the keys."""
        return await self._session.ask(tool, arguments, patterns)

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        """Put a question of the model's; the line takes the answer."""
        return await self._session.inquire(question, options)

    @property
    def columns(self) -> int:
        """How wide a line may be."""
        return self._columns

    @property
    def rows(self) -> int:
        """How high the terminal is."""
        return self._screen.size.rows

    def set_hint(self, hint: str) -> None:
        """Say beside what goes on how it can be stopped."""
        self._activity.hint = hint

    def begin_anew(self) -> None:
        """Count what was said as another's: what comes next is a new message."""
        self._answer = Answer()

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


class Interactive:
    """One interactive session at a terminal."""

    def __init__(
        self,
        screen: Screen,
        manner: Manner,
        terminal: int,
        history: Iterable[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.front_end = LiveFrontEnd(screen, manner, self, clock)
        self._editor = Editor(terminal, self, history)
        self._host: Host | None = None
        self._waiting: deque[Written] = deque()
        """What is to be sent when the run is over."""
        self._is_busy = False
        self._is_over = False
        self._is_released = False
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_drawing = False
        self._interrupted_s = self._typed_s = -100.0
        self._typed_before = ""
        self._label = PROMPT
        self._hint = ""
        self._answering: Answering | None = None
        self._answer_hint = ""
        self._armed_s = 0.0
        """From when on keys answer."""
        self._key_question = ""
        self._picker: Picker | None = None
        self._line: asyncio.Future[Written | None] | None = None
        """Of a line that somebody else waits for."""

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
        editing = asyncio.create_task(self._editor.run())
        editing.add_done_callback(lambda _: self.leave())
        try:
            await self.tell(host.greeting)
            await self._serve(host)
        finally:
            self._is_over = True
            self._editor.close()
            await asyncio.wait({editing}, timeout=1)
            await self._finish_drawing()
            with suppress(OSError):
                await self.front_end.set_mode(PASTES_UNMARKED)
            self._editor.restore()
            failure = editing.exception() if editing.done() and not editing.cancelled() else None
            if failure and not isinstance(failure, EOFError):  # a terminal that hung up, which a signal tells as well
                raise failure

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
            self._is_busy = True
            self.front_end.set_hint(STOP_HINT)
            try:
                goes_on = await host.perform(written.text)
            finally:
                self._is_busy = False
                self.front_end.set_hint("")
            await self.front_end.draw()

    async def _finish_drawing(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.front_end.close()

    # What is shown

    def lay_out(self, columns: int) -> Footer:
        """Return what stands below all else: what waits, what is typed, how things stand."""
        if self._is_over or self._host is None:
            return Footer((), Position(0, 0))
        if self._picker:
            lines = self._picker.lay_out(columns)
            return Footer(lines, Position(0, lines[0].cells))
        lines = self._lay_out_waiting(columns)
        if self._key_question:
            line = _styled(one_line(self._key_question, columns), BOLD)
            view: Footer | View = Footer([line], Position(0, line.cells))
        elif self._answering:
            view = self._lay_out_answer(columns)
        else:
            hint = self._hint or ("" if self._is_busy else "ask, or /help")
            view = self._editor.view(columns, label=self._label, hint=hint)
        cursor = Position(len(lines) + view.cursor.row, view.cursor.column)
        return Footer([*lines, *view.lines, self._lay_out_standing(self._host, columns)], cursor)

    def _lay_out_answer(self, columns: int) -> Footer:
        assert self._answering, "a question stands"
        hint = self._answer_hint if self._is_armed() else f"(stop typing, then) {self._answer_hint}"
        typed = visible(self._answering.typed)
        head = one_line(hint, columns - 1) + " " if display_width(hint) + display_width(typed) + 1 < columns else ""
        while display_width(head + typed) >= columns:
            typed = typed[1:]
        line = Line(paint(head, DIM) + typed, display_width(head + typed))
        return Footer([line], Position(0, line.cells))

    def _lay_out_waiting(self, columns: int) -> list[Line]:
        shown = list(self._waiting)[:QUEUED_ROWS]
        lines = [_dim(one_line(f"waits: {written.shown}", columns)) for written in shown]
        if len(self._waiting) > QUEUED_ROWS:
            lines.append(_dim(f"and {len(self._waiting) - QUEUED_ROWS} more wait"))
        if lines and not self._editor.buffer.text:
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
        await self.front_end.draw(texts=[BLANK] * self.front_end.rows)

    def restore(self) -> None:
        """Put the terminal back at once: the process ends now."""
        self._editor.restore()

    async def print_lines(self, lines: Sequence[Line]) -> None:
        """Print lines for good; they hold nothing that steers the terminal but styles."""
        await self.front_end.draw(texts=lines)

    async def show_markdown(self, text: str) -> None:
        """Print a text of our own, rendered, for good."""
        answer = Answer()
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
        if self._editor.buffer.text != self._typed_before:
            self._typed_before, self._typed_s = self._editor.buffer.text, self._clock()
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
        if self._line and not self._line.done():
            self._line.set_result(written)
            return
        if not written.text.strip():
            return
        self._waiting.append(written)
        self._woken.set()

    def escape(self) -> None:
        """Stop what goes on; what waits comes back into the line."""
        if self._line and not self._line.done():
            self._line.set_result(None)
        elif self._is_busy and self._host:
            self._host.stop()
            self._take_all_back()

    def _take_all_back(self) -> None:
        texts = [written.text for written in self._waiting]
        self._waiting.clear()
        if texts:
            self._editor.put("\n".join([*texts, *filter(None, [self._editor.buffer.text])]))

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
        if self._editor.taker:
            self._editor.taker("escape")
        elif (self._line and not self._line.done()) or self._is_busy:
            self.escape()
        else:
            self._editor.clear()
        self.changed()

    def leave(self) -> None:
        """End the session; a run is stopped before."""
        self._is_over = True
        self._woken.set()
        if self._editor.taker:
            self._editor.taker("escape")
        if self._line and not self._line.done():
            self._line.set_result(None)
        if self._is_busy and self._host:
            self._host.stop()

    def toggle_mode(self) -> None:
        """Plan or act from now on."""
        if self._host and not (self._line and not self._line.done()):
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

        text = self._editor.pastes.expand(self._editor.buffer.text)
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

    # What others ask

    def _is_armed(self) -> bool:
        return self._clock() >= self._armed_s

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
        """Put the question of a tool call to the person; its keys act at once."""
        while True:
            *rows, (hint, _) = lay_out_question(tool, arguments, patterns, self.front_end.columns + 1)
            await self.print_lines([_styled(row, style) for row, style in rows])
            self._answer_hint = hint.strip()
            answer = await self._answer(Answering(arguments, patterns))
            if answer == "help":
                await self.print_lines([_styled(row, DIM) for row in HELP])
            elif answer == "edit":
                edited = await self._edit_commands(commands_of(arguments))
                if edited is not None:
                    return Allow(with_commands(arguments, edited))
            else:
                return answer

    async def _answer(self, answering: Answering) -> Allow | Deny | Literal["edit", "help"]:
        """Return what the keys say; those that were typed before the question, and just then, do not count."""
        now_s = self._clock()
        self._armed_s = now_s + PAUSE_S if now_s - self._typed_s < TYPING_S else now_s
        answered: asyncio.Future[Allow | Deny | Literal["edit", "help"]] = asyncio.get_running_loop().create_future()

        def take(key: str) -> None:
            if not self._is_armed() and key != "escape":
                self._armed_s = self._clock() + PAUSE_S
                asyncio.get_running_loop().call_later(PAUSE_S, self.changed)
                return
            answer = answering.press(key)
            if answer is not None and not answered.done():
                answered.set_result(answer)

        self._answering, self._editor.taker = answering, take
        self.changed()
        if self._armed_s > now_s:
            asyncio.get_running_loop().call_later(PAUSE_S, self.changed)
        try:
            return await answered
        finally:
            self._answering, self._editor.taker = None, None
            self._typed_s = -100.0

    async def _edit_commands(self, commands: tuple[str, ...]) -> tuple[str, ...] | None:
        edited: list[str] = []
        for command in commands:
            written = await self.read_line("edit > ", command)
            if written is None:
                return None
            edited.append(written.text)
        return tuple(command for command in edited if command.strip()) or None

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        """Put a question of the model's; return an option by its number, or words; empty for none."""
        lines = [_styled(visible(f"? {line}"), BOLD) for line in question.split("\n")]
        lines += [_styled(visible(f"  {number}  {option}"), "") for number, option in enumerate(options, 1)]
        await self.print_lines(lines)
        written = await self.read_line("answer > ", hint="a number, or your own words" if options else "")
        words = sanitize(written.text).strip() if written else ""
        if words.isdecimal() and 1 <= int(words) <= len(options):
            words = options[int(words) - 1]
        await self.tell(f"  {one_line(words) or '(no answer)'}")
        return words

    async def read_line(self, label: str, text: str = "", *, hint: str = "") -> Written | None:
        """Return a line that is asked for in place of a prompt; None where the person gave up. What was typed stays."""
        kept, self._label, self._hint = self._editor.buffer.text, label, hint
        self._line = asyncio.get_running_loop().create_future()
        self._editor.put(text)
        self.changed()
        try:
            return await self._line
        finally:
            self._line, self._label, self._hint = None, PROMPT, ""
            self._editor.put(kept)
            self.changed()

    async def read_key(self, question: str) -> str:
        """Return the key that answers a question, in lower case; "escape" where the person gave up."""
        pressed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        kept, self._key_question = self._key_question, one_line(question)
        self._editor.taker = lambda key: None if pressed.done() else pressed.set_result(key.lower())
        self.changed()
        try:
            return await pressed
        finally:
            self._key_question, self._editor.taker = kept, None

    async def choose(self, title: str, items: Sequence[Item], chosen: int = 0) -> int | None:
        """Let the person choose one of many; return its number, or None for none."""
        picked: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        picker = Picker(title, items, chosen)

        def take(key: str) -> None:
            number = picker.press(key)
            if number is not None and not picked.done():
                picked.set_result(None if number == "none" else number)

        self._picker, self._editor.taker = picker, take
        self.changed()
        try:
            return await picked
        finally:
            self._picker, self._editor.taker = None, None


def _styled(text: str, style: str) -> Line:
    return Line(paint(text, style), display_width(text))


def _dim(text: str) -> Line:
    return _styled(text, DIM)
