"""Lets the person edit a text at the terminal, such as a command that a question stands before.

prompt_toolkit has the terminal while that goes on. It would send characters without a width as they are, those that
turn the direction of a text among them; `Visible` writes out all that cannot be seen, as the question does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from cline_cli.text import visible

if TYPE_CHECKING:  # lazy: as below
    from prompt_toolkit.application import Application
    from prompt_toolkit.input.vt100 import Vt100Input
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent
    from prompt_toolkit.layout.processors import Processor
    from prompt_toolkit.output.vt100 import Vt100_Output

ESCAPE_S = 0.1
"""After so long an Esc is one, and not the beginning of another key."""
HELP = "Enter: done  Alt-Enter: a new line  Esc: back to the question"
FIRST, OTHERS, WRAPPED = "  $ ", "  > ", "  ⋮ "
"""What rows begin with, as in the question: the first line's, those of other lines, those where a line goes on."""


class NotEditableError(Exception):
    """Nothing can be edited at this terminal; the message is for the person, and says what would work instead."""


async def edit_text(text: str, terminal: int, label: str = "", variables: Mapping[str, str] = os.environ) -> str | None:
    """Return the text as the person wants it; None where they gave up, by Esc, Ctrl-C or Ctrl-D.

    The label, if there is one, stands below it as long as it is edited, and says what is. The descriptor is that of a
    terminal, and stays the caller's. Cancelling leaves the terminal as it was.

    Raises:
        NotEditableError: the terminal cannot be steered.
        OSError: it is gone.
    """
    name = variables.get("TERM", "")
    if name in {"", "dumb"}:
        cause = f"TERM is {name or 'not set'}"
        raise NotEditableError(f"Nothing can be edited at this terminal ({cause}): say in words what to run instead.")
    from prompt_toolkit.input.typeahead import clear_typeahead  # lazy: 110 ms, and few calls are edited
    from prompt_toolkit.input.vt100 import Vt100Input  # lazy: as above

    with (
        os.fdopen(os.dup(terminal), "r", encoding="utf-8", errors="replace") as source,
        os.fdopen(os.dup(terminal), "w", encoding="utf-8", errors="replace") as sink,
    ):
        keys = Vt100Input(source)
        application = _to_application(text, label, keys, _to_output(sink))
        try:
            with suppress(EOFError):  # it hung up, which whoever reads next is told
                return await application.run_async(set_exception_handler=False, handle_sigint=False)
            return None
        finally:
            clear_typeahead(keys)  # what was typed behind the end is for nobody


def _to_output(sink: TextIO) -> Vt100_Output:
    from prompt_toolkit.data_structures import Size  # lazy: as above
    from prompt_toolkit.output.vt100 import Vt100_Output  # lazy: as above

    def measure() -> Size:
        with suppress(OSError):
            size = os.get_terminal_size(sink.fileno())
            if size.columns and size.lines:
                return Size(rows=size.lines, columns=size.columns)
        return Size(rows=24, columns=80)

    # Asking where the cursor is would wait for an answer that a terminal may not give.
    return Vt100_Output(sink, measure, enable_cpr=False)


def _to_application(text: str, label: str, keys: Vt100Input, output: Vt100_Output) -> Application[str | None]:
    from prompt_toolkit.application import Application  # lazy: as above
    from prompt_toolkit.buffer import Buffer  # lazy: as above
    from prompt_toolkit.document import Document  # lazy: as above
    from prompt_toolkit.filters import is_done  # lazy: as above
    from prompt_toolkit.layout import (  # lazy: as above
        BufferControl,
        ConditionalContainer,
        FormattedTextControl,
        HSplit,
        Layout,
        Window,
    )
    from prompt_toolkit.output import ColorDepth  # lazy: as above

    buffer = Buffer(document=Document(text, len(text)), multiline=True)

    def begin_row(line: int, wrapped: int) -> str:
        return WRAPPED if wrapped else OTHERS if line else FIRST

    control = BufferControl(buffer, input_processors=[_to_processor()])
    written = Window(control, wrap_lines=True, dont_extend_height=True, get_line_prefix=begin_row)
    keys_told = Window(FormattedTextControl(f"{label}{HELP}"), wrap_lines=True, dont_extend_height=True)
    application: Application[str | None] = Application(
        layout=Layout(HSplit([written, ConditionalContainer(keys_told, ~is_done)])),
        key_bindings=_bind(),
        input=keys,
        output=output,
        color_depth=ColorDepth.DEPTH_1_BIT,
        include_default_pygments_style=False,
        enable_page_navigation_bindings=False,
    )
    application.ttimeoutlen = application.timeoutlen = ESCAPE_S
    application.terminal_size_polling_interval = None
    return application


def _bind() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings  # lazy: as above

    bindings = KeyBindings()

    @bindings.add("enter")
    @bindings.add("c-j")
    def _(event: KeyPressEvent) -> None:
        event.app.exit(result=event.current_buffer.text)

    @bindings.add("escape", "enter")
    @bindings.add("escape", "c-j")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add("escape")
    @bindings.add("c-c")
    @bindings.add("c-d")
    def _(event: KeyPressEvent) -> None:
        event.app.exit(result=None)

    @bindings.add("c-z")
    def _(_event: KeyPressEvent) -> None:
        """Do nothing: it would be inserted."""

    return bindings


def _to_processor() -> Processor:
    from bisect import bisect_right  # lazy: as above

    from prompt_toolkit.formatted_text import StyleAndTextTuples  # lazy: as above
    from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput  # lazy: as above
    from prompt_toolkit.layout.utils import explode_text_fragments  # lazy: as above

    class Visible(Processor):
        def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
            shown: StyleAndTextTuples = []
            starts = [0]
            for style, character, *_ in explode_text_fragments(transformation_input.fragments):
                piece = visible(character)
                shown.append((style, piece))
                starts.append(starts[-1] + len(piece))
            last = len(starts) - 1

            def to_shown(position: int) -> int:
                return starts[min(position, last)] + max(0, position - last)

            def to_source(position: int) -> int:
                return bisect_right(starts, position) - 1

            return Transformation(shown, to_shown, to_source)

    return Visible()
