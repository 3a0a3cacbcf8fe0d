"""The line in which a prompt is written: prompt_toolkit edits, completes and remembers; what it looks like is ours.

    keys ──> prompt_toolkit: buffer, history, search, completion ──after each──> Handlers.changed ──> view ──> screen
      └──while a question stands── Handlers.taker ──> whoever asked

prompt_toolkit draws into nothing: there is one place that moves the cursor, and that is `screen`.
"""

from __future__ import annotations

import asyncio
import os
import re
import termios
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.completion import Completion as Offered
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding.key_bindings import KeyBindings
from prompt_toolkit.layout.containers import HSplit, Window
from prompt_toolkit.layout.controls import BufferControl, SearchBufferControl
from prompt_toolkit.layout.layout import Layout
from prompt_toolkit.output import DummyOutput

from cline_cli.frontends._style import BOLD, DIM, paint
from cline_cli.frontends.console._input_view import View, lay_out
from cline_cli.frontends.console._keys import Handlers, Written, bind
from cline_cli.frontends.console._paste import Pastes
from cline_cli.frontends.console.screen import Line
from cline_cli.text import display_width, one_line

ESCAPE_S = 0.05
"""After so long an Esc is one, and not the beginning of another key."""
MENU_ROWS = 8
MAX_ROWS = 12
"""Of what is typed that are shown at once."""


_COMPLETED = re.compile(r"""\A/\S*(?: [^\n]*)?\Z|(?<![^\s(\[{<"'`,;])@(?:"[^"\n]*|[^\s"'`<>]*)\Z""")


class Editor:
    def __init__(self, terminal: int, handlers: Handlers, history: Iterable[str] = ()) -> None:
        """Read keys from that descriptor, which stays the caller's."""
        self.handlers = handlers
        self.taker: Callable[[str], None] | None = None
        """Gets all keys, while somebody asks for something else than a prompt."""
        self.pastes = Pastes()
        self.put_text = ""
        """What was last put into the line, and not typed."""
        self._terminal = terminal
        self._before = termios.tcgetattr(terminal)
        self._source = os.fdopen(os.dup(terminal), "r", encoding="utf-8", errors="replace", closefd=True)
        self._input = Vt100Input(self._source)
        self.buffer = Buffer(
            multiline=True,
            history=InMemoryHistory(list(history)),
            completer=_Completer(handlers),
            complete_while_typing=True,
            enable_history_search=False,
        )
        self._search = SearchBufferControl()
        self._control = BufferControl(self.buffer, search_buffer_control=self._search)
        self.application: Application[None] = Application(
            layout=Layout(HSplit([Window(self._control), Window(self._search)]), self._control),
            key_bindings=KeyBindings(),
            input=self._input,
            output=DummyOutput(),
            include_default_pygments_style=False,
            enable_page_navigation_bindings=False,
        )
        self.application.ttimeoutlen = self.application.timeoutlen = ESCAPE_S
        self.application.terminal_size_polling_interval = None
        self.application.key_bindings = bind(self)
        self.application.after_render += lambda _: self._note_rendered()
        self.is_ready = asyncio.Event()
        """Keys are taken: what is typed from now on is for the line."""

    async def run(self) -> None:
        """Take keys until `close`; the terminal is as it was then, however this ends."""
        try:
            await self.application.run_async(set_exception_handler=False, handle_sigint=False)
        finally:
            with suppress(OSError, termios.error):
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)
            self._source.close()

    def _note_rendered(self) -> None:
        self.is_ready.set()
        self.handlers.changed()

    def close(self) -> None:
        if self.application.is_running and not self.application.is_done:
            self.application.exit()

    def restore(self) -> None:
        """Put the terminal back at once, as before it was edited at."""
        with suppress(OSError, termios.error):
            termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)

    @asynccontextmanager
    async def released(self) -> AsyncIterator[None]:
        """Leave the terminal to somebody else for a while, as it was before all this."""
        raw = termios.tcgetattr(self._terminal)
        with self._input.detach():
            self.restore()
            try:
                yield
            finally:
                with suppress(OSError, termios.error):
                    termios.tcsetattr(self._terminal, termios.TCSANOW, raw)
        self.application.invalidate()

    @property
    def text(self) -> str:
        """What stands in the line."""
        return self.buffer.text

    def put(self, text: str) -> None:
        """Let this stand in the line in place of what does."""
        self.put_text = text
        self.buffer.set_document(Document(text, len(text)), bypass_readonly=True)

    def take(self) -> Written:
        """Return what stands in the line, and remember and clear it."""
        shown = self.buffer.text
        written = Written(shown, self.pastes.expand(shown))
        if shown.strip() and self.buffer.history.get_strings()[-1:] != [written.text]:
            self.buffer.history.append_string(written.text)
        self.buffer.reset()
        self.pastes = Pastes()
        return written

    def clear(self) -> None:
        """Forget what stands in the line."""
        self.buffer.reset()
        self.pastes = Pastes()

    def completes(self, before: str) -> bool:
        """Tell whether there are ways in which a text may go on: it ends with `@path`, or is a `/command`."""
        return bool(_COMPLETED.search(before))

    def view(self, columns: int, *, label: str, hint: str = "") -> View:
        """Return what is typed, as rows, and below it what could be meant."""
        document = self.buffer.document
        if self.application.layout.is_searching:
            state = self._control.search_state
            label = f"history: {one_line(self._search.buffer.text)} > "
            label = label if display_width(label) < columns // 2 else "history > "
            state.text = self._search.buffer.text
            document, hint = self.buffer.document_for_search(state), ""
        view = lay_out(document.text, document.cursor_position, columns, MAX_ROWS, label=label, hint=hint)
        return View([*view.lines, *self._menu(columns)], view.cursor)

    def _menu(self, columns: int) -> list[Line]:
        state = self.buffer.complete_state
        if state is None or not state.completions or self.application.layout.is_searching:
            return []
        place = state.complete_index
        first = max(0, min((place or 0) - MENU_ROWS // 2, len(state.completions) - MENU_ROWS))
        shown = state.completions[first : first + MENU_ROWS]
        width = min(max(display_width(item.display_text) for item in shown), columns - 4)
        return [_menu_row(item, width, columns, is_chosen=number == place) for number, item in enumerate(shown, first)]


def _menu_row(item: Offered, width: int, columns: int, *, is_chosen: bool) -> Line:
    name = one_line(item.display_text, width)
    about, room = "", columns - width - 6
    if item.display_meta_text and room > 8:
        about = " " * (width - display_width(name) + 2) + one_line(item.display_meta_text, room)
    text = f"{'> ' if is_chosen else '  '}{name}"
    return Line(
        paint(text, BOLD) + paint(about, DIM) if is_chosen else paint(text + about, DIM),
        display_width(text) + display_width(about),
    )


class _Completer(Completer):
    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Offered]:
        """Offer nothing at once: what there is takes a moment."""
        del document, complete_event
        return ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Offered, None]:
        del complete_event  # whether it was asked for or comes while typing makes no difference
        before = document.text_before_cursor
        if not _COMPLETED.search(before):
            return
        for found in await self._handlers.complete(before):
            yield Offered(found.text, -found.replaced, display=found.shown, display_meta=found.about)
