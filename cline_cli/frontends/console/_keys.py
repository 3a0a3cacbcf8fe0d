"""Which key does what in the line; what is not here is as in prompt_toolkit's Emacs mode, so as in a shell.

Enter             sends                     Alt-Enter, \\ Enter   a new line
Tab               completes; plan or act    Up, Down             lines, then history, or what waits to be sent
Esc               stops the run             Ctrl-C               likewise; clears the line; twice leaves
Ctrl-D            leaves, on an empty line  Ctrl-R               searches the history
Ctrl-X Ctrl-E     $EDITOR                   Ctrl-Z               suspends
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition, Filter, is_searching
from prompt_toolkit.key_binding.key_bindings import KeyBindings
from prompt_toolkit.key_binding.key_processor import KeyPressEvent
from prompt_toolkit.keys import Keys

from cline_cli.frontends.console._paste import Pastes
from cline_cli.frontends.conversation import Completion

TAKEN = {
    "enter": "enter",
    "c-j": "enter",
    "escape": "escape",
    "backspace": "backspace",
    "c-u": "clear",
    "c-d": "end",
    "up": "up",
    "down": "down",
    "tab": "tab",
}
"""The keys that whoever asks something gets, under the names that are used there."""


class Written(NamedTuple):
    shown: str
    """With tokens in place of what was pasted."""
    text: str
    """Whole."""


class Handlers(Protocol):
    """Who is told what the person wants."""

    def submit(self, written: Written) -> None: ...
    def escape(self) -> None: ...
    def interrupt(self) -> None: ...
    def leave(self) -> None: ...
    def toggle_mode(self) -> None: ...
    def suspend(self) -> None: ...
    def edit_outside(self) -> None: ...
    def take_back(self) -> str | None:
        """Return the last line that waits to be sent, which it then does not any more."""
        ...

    def changed(self) -> None: ...
    async def complete(self, before: str) -> Sequence[Completion]:
        """Return what could stand for the end of the text."""
        ...


class Writing(Protocol):
    """The line that the keys work on."""

    handlers: Handlers
    taker: Callable[[str], None] | None
    """Gets all keys, while somebody asks for something else than a prompt."""
    pastes: Pastes
    buffer: Buffer

    def put(self, text: str) -> None: ...
    def take(self) -> Written: ...
    def completes(self, before: str) -> bool: ...


def bind(editor: Writing) -> KeyBindings:
    """Return the keys of the line, and of a question that stands in its place."""
    bindings = KeyBindings()
    is_typing = Condition(lambda: editor.taker is None) & ~is_searching
    _bind_question(bindings, editor)
    _bind_sending(bindings, editor, is_typing)
    _bind_steering(bindings, editor, is_typing)
    _bind_pasting(bindings, editor, is_typing)
    _bind_history(bindings, editor, is_typing)
    return bindings


def _bind_question(bindings: KeyBindings, editor: Writing) -> None:
    is_taken = Condition(lambda: editor.taker is not None)

    def give(key: str) -> None:
        if editor.taker:
            editor.taker(key)
            editor.handlers.changed()

    def give_named(name: str) -> None:
        @bindings.add(name, filter=is_taken, eager=name != "escape")
        def _(_event: KeyPressEvent) -> None:
            give(TAKEN[name])

    for name in TAKEN:
        give_named(name)

    @bindings.add(Keys.Any, filter=is_taken)
    def _(event: KeyPressEvent) -> None:
        if len(event.data) == 1 and event.data.isprintable():
            give(event.data)

    @bindings.add(Keys.BracketedPaste, filter=is_taken)
    def _(event: KeyPressEvent) -> None:
        for character in event.data:
            if character.isprintable():
                give(character)

    @bindings.add("c-c", filter=is_taken)
    def _(_event: KeyPressEvent) -> None:
        editor.handlers.interrupt()


def _bind_sending(bindings: KeyBindings, editor: Writing, is_typing: Filter) -> None:
    buffer = editor.buffer

    @bindings.add("enter", filter=is_typing)
    @bindings.add("c-j", filter=is_typing)  # what was typed before the session began comes so
    def _(_event: KeyPressEvent) -> None:
        state = buffer.complete_state
        if state and state.current_completion:
            buffer.complete_state = None  # it stands in the line already
        elif buffer.document.char_before_cursor == "\\" and buffer.document.is_cursor_at_the_end_of_line:
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            editor.handlers.submit(editor.take())

    @bindings.add("escape", "enter", filter=is_typing)
    @bindings.add("escape", "c-j", filter=is_typing)
    def _(_event: KeyPressEvent) -> None:
        buffer.insert_text("\n")

    @bindings.add("tab", filter=is_typing)
    def _(_event: KeyPressEvent) -> None:
        if buffer.complete_state and buffer.complete_state.completions:
            if len(buffer.complete_state.completions) == 1:
                buffer.apply_completion(buffer.complete_state.completions[0])
            else:
                buffer.complete_next()
        elif editor.completes(buffer.document.text_before_cursor):
            buffer.start_completion(select_first=True)
        else:
            editor.handlers.toggle_mode()


def _bind_steering(bindings: KeyBindings, editor: Writing, is_typing: Filter) -> None:
    handlers, buffer = editor.handlers, editor.buffer

    @bindings.add("escape", filter=is_typing)
    def _(_event: KeyPressEvent) -> None:
        if buffer.complete_state:
            buffer.cancel_completion()
        else:
            handlers.escape()

    @bindings.add("c-c", filter=is_typing)
    def _(_event: KeyPressEvent) -> None:
        handlers.interrupt()

    @bindings.add("c-d", filter=is_typing & Condition(lambda: not buffer.text))
    def _(_event: KeyPressEvent) -> None:
        handlers.leave()

    @bindings.add("c-z")
    def _(_event: KeyPressEvent) -> None:
        handlers.suspend()

    @bindings.add("c-x", "c-e", filter=is_typing)
    def _(_event: KeyPressEvent) -> None:
        handlers.edit_outside()


def _bind_pasting(bindings: KeyBindings, editor: Writing, is_typing: Filter) -> None:
    buffer = editor.buffer

    @bindings.add(Keys.BracketedPaste, filter=is_typing)
    def _(event: KeyPressEvent) -> None:
        buffer.insert_text(editor.pastes.take(event.data))

    @bindings.add("backspace", filter=is_typing)
    def _(event: KeyPressEvent) -> None:
        token = editor.pastes.token_before(buffer.document.text_before_cursor)
        buffer.delete_before_cursor(len(token) or event.arg)

    @bindings.add("delete", filter=is_typing)
    def _(event: KeyPressEvent) -> None:
        token = editor.pastes.token_after(buffer.document.text_after_cursor)
        buffer.delete(len(token) or event.arg)


def _bind_history(bindings: KeyBindings, editor: Writing, is_typing: Filter) -> None:
    buffer = editor.buffer

    @bindings.add("up", filter=is_typing)
    @bindings.add("c-p", filter=is_typing)
    def _(event: KeyPressEvent) -> None:
        if buffer.complete_state:
            buffer.complete_previous()
        elif not buffer.text and (waiting := editor.handlers.take_back()) is not None:
            editor.put(waiting)
        else:
            buffer.auto_up(event.arg)

    @bindings.add("down", filter=is_typing)
    @bindings.add("c-n", filter=is_typing)
    def _(event: KeyPressEvent) -> None:
        if buffer.complete_state:
            buffer.complete_next()
        else:
            buffer.auto_down(event.arg)
