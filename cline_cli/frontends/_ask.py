"""The question that stands before a call: shown whole on /dev/tty, answered there, also where stdin is a pipe.

    ask ──rows──> terminal ──bytes──> Keyboard ──keys──> Answering ──> a yes, a no with its reason
     ^                                    └──> Echo: what is typed           │
     └─────────────── edit, help <───────────────────────────────────────────┘

What was typed before the question does not answer it. From the question on all does: a program that answers is quick.
Ctrl-C is a signal here as everywhere, so it ends the run; only while a command is edited it leads back to the question.

A question of the model's, which `inquire` puts, takes a line instead of keys.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import termios
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool
from cline_cli.frontends._answering import Answering, Wish, commands_of, with_commands
from cline_cli.frontends._edit_line import NotEditableError, edit_text
from cline_cli.frontends._keyboard import ESCAPE, Echo, Keyboard
from cline_cli.frontends._question import HELP, INDENT, break_line, lay_out_question
from cline_cli.frontends._style import BOLD, DIM, paint
from cline_cli.machine.output import Output
from cline_cli.text import display_width, sanitize, visible

USUAL_COLUMNS = 80
POLL_S = 0.05
GAP_S = 0.05
"""What comes so soon after another byte was sent together with it."""
MOST_KEYS = 10_000
"""How many keys may come in one go, so that an endless stream of them is no endless wait."""

Row = tuple[str, str]
"""A row, and its style."""
Attributes = list[int | list[bytes | int]]
Edit = Callable[[str, int, str], Awaitable[str | None]]
"""As `edit_text`."""


def open_terminal() -> int:
    """Open the terminal of this process: a description of our own, so that non-blocking stays our own affair.

    Raises:
        OSError: there is none.
    """
    return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)


async def ask(
    tool: Tool,
    arguments: JsonObject,
    patterns: tuple[str, ...] = (),
    *,
    is_styled: bool = False,
    opened: Callable[[], int] = open_terminal,
    edit: Edit = edit_text,
) -> Allow | Deny:
    """Show the call whole, with what "always" would allow, and return what the person says to it.

    Cancelling leaves the terminal as it was.
    """
    try:
        descriptor = opened()
    except OSError as error:
        return Deny(f"Nobody could be asked: the terminal cannot be opened ({error.strerror}).")
    try:
        return await _ask_until_answered(_Terminal(descriptor, is_styled), tool, arguments, patterns, edit)
    except (EOFError, OSError, termios.error):
        return Deny("Nobody could be asked: the terminal is gone.")
    finally:
        os.close(descriptor)


async def inquire(
    question: str, options: tuple[str, ...], *, is_styled: bool = False, opened: Callable[[], int] = open_terminal
) -> str:
    """Put a question of the model's, and return what the person types: one of the options by its number, or words."""
    try:
        descriptor = opened()
    except OSError:
        return ""
    try:
        terminal = _Terminal(descriptor, is_styled)
        columns = terminal.columns
        rows = [(row, BOLD) for line in question.split("\n") for row in break_line(f"? {visible(line)}", columns, "")]
        for number, option in enumerate(options, 1):
            rows += [(row, "") for row in break_line(f"{number}  {visible(option)}", columns, INDENT)]
        await terminal.show(rows)
        last = ("a number, or your own words: " if options else "your answer: ", DIM)
        answer = await read_line(descriptor, lambda: terminal.prompt(last))
    except (OSError, termios.error):
        return ""
    finally:
        os.close(descriptor)
    words = "" if ESCAPE in answer else sanitize(answer).strip()
    if words.isdecimal() and 1 <= int(words) <= len(options):
        return options[int(words) - 1]
    return words


class _Terminal:
    """The terminal as it is written to."""

    def __init__(self, descriptor: int, is_styled: bool) -> None:
        """Take a descriptor that stays the caller's, and does not block."""
        self.descriptor = descriptor
        self._is_styled = is_styled
        self._output = Output(descriptor)

    @property
    def columns(self) -> int:
        try:
            return os.get_terminal_size(self.descriptor).columns or USUAL_COLUMNS
        except OSError:
            return USUAL_COLUMNS

    async def show(self, rows: Iterable[Row]) -> None:
        """Raises OSError; likewise the others."""
        await self.write("".join(f"{self.paint(row)}\n" for row in rows))

    async def prompt(self, row: Row) -> None:
        await self.write(self.paint(row))

    async def write(self, text: str) -> None:
        await self._output.write_text(text)

    def paint(self, row: Row) -> str:
        return paint(row[0], row[1] if self._is_styled else "")


async def _ask_until_answered(
    terminal: _Terminal, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...], edit: Edit
) -> Allow | Deny:
    """Raises EOFError, OSError, termios.error."""
    answer: Allow | Deny | Wish | None = None
    while True:
        rows = lay_out_question(tool, arguments, patterns, terminal.columns)
        if answer != "help":  # else it still stands there
            await terminal.show(rows[:-1])
        answer = await _read_answer(terminal, rows[-1], Answering(arguments, patterns))
        if answer == "help":
            await terminal.show((row, DIM) for line in HELP for row in break_line(line, terminal.columns, ""))
        elif answer != "edit":
            return answer
        elif commands := await _edit_commands(terminal, commands_of(arguments), edit):
            return Allow(with_commands(arguments, commands))


async def _edit_commands(terminal: _Terminal, commands: tuple[str, ...], edit: Edit) -> tuple[str, ...]:
    """Return the commands as the person wants them, without those that were emptied; none to ask again.

    Raises:
        OSError: the terminal is gone.
    """
    edited: list[str] = []
    for number, command in enumerate(commands, 1):
        label = f"Command {number} of {len(commands)}.  " if len(commands) > 1 else ""
        try:
            text = await edit(command, terminal.descriptor, label)
        except NotEditableError as error:
            await terminal.show((row, DIM) for row in break_line(str(error), terminal.columns, INDENT))
            return ()
        if text is None:
            return ()
        edited.append(text)
    return tuple(text for text in edited if text.strip())


async def _read_answer(terminal: _Terminal, row: Row, answering: Answering) -> Allow | Deny | Wish:
    """Show the last row of a question, and return what the keys say.

    Raises:
        EOFError: no more will come.
        OSError: the terminal is gone; likewise termios.error.
    """
    keyboard = Keyboard()
    echo = Echo(terminal.columns, display_width(row[0]))

    def show_again() -> None:
        nonlocal echo
        echo = Echo(terminal.columns, display_width(row[0]))
        with suppress(OSError):
            os.write(terminal.descriptor, (terminal.paint(row) + echo.show(answering.typed)).encode())

    with _mode(terminal.descriptor, _to_key_mode, show_again):
        try:
            await terminal.prompt(row)
            while True:
                keys = await read_keys(terminal.descriptor, keyboard, is_first=not answering.typed)
                answer = answering.press_all(keys)
                await terminal.write(echo.show(answering.typed))
                if answer:
                    return answer
        finally:
            leave_row(terminal.descriptor)


async def read_keys(terminal: int, keyboard: Keyboard, *, is_first: bool, gap_s: float = GAP_S) -> list[str]:
    """Return the keys that come next; of the first keys all that came in one go.

    Raises:
        EOFError: no more will come.
        OSError: the terminal is gone.
    """
    keys = keyboard.feed(await _read(terminal))
    while (keyboard.is_waiting or (is_first and keys)) and keys[-1:] != ["enter"] and len(keys) < MOST_KEYS:
        try:
            async with asyncio.timeout(gap_s):
                more = await _read(terminal)
        except TimeoutError:
            break
        keys += keyboard.feed(more)
    return [*keys, *keyboard.settle()]


async def read_line(terminal: int, prompt: Callable[[], Awaitable[None]]) -> str:
    """Prompt, and read one line; empty where the terminal says that no more will come.

    The terminal edits and echoes it. It ends with Esc where it was given up.

    Raises:
        OSError: the terminal is gone; likewise termios.error.
    """
    answer = ""
    with _mode(terminal, _to_line_mode, lambda: None):
        try:
            await prompt()
            with suppress(EOFError):
                answer = (await _read(terminal)).decode("utf-8", "replace")
            return answer
        finally:
            if not answer.endswith("\n"):
                leave_row(terminal)


@contextmanager
def _mode(terminal: int, change: Callable[[Attributes], Attributes], show_again: Callable[[], None]) -> Iterator[None]:
    """Forget what was typed, and put the terminal into a mode for a while; not while the run is stopped."""
    before = termios.tcgetattr(terminal)
    changed = change(before)
    termios.tcflush(terminal, termios.TCIFLUSH)
    termios.tcsetattr(terminal, termios.TCSANOW, changed)
    loop = asyncio.get_running_loop()
    is_stoppable = signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL

    def suspend() -> None:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
        loop.remove_signal_handler(signal.SIGTSTP)
        os.killpg(os.getpgrp(), signal.SIGTSTP)  # comes back when the shell lets it go on
        loop.add_signal_handler(signal.SIGTSTP, suspend)
        with suppress(OSError, termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, changed)
        show_again()

    if is_stoppable:
        loop.add_signal_handler(signal.SIGTSTP, suspend)
    try:
        yield
    finally:
        if is_stoppable:
            loop.remove_signal_handler(signal.SIGTSTP)
        with suppress(OSError, termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def leave_row(terminal: int) -> None:
    """Go on below the question, and forget what else was typed behind it."""
    with suppress(OSError, termios.error):
        termios.tcflush(terminal, termios.TCIFLUSH)
        os.write(terminal, b"\n")


def _to_key_mode(attributes: Attributes) -> Attributes:
    """Return the attributes with signals on, and neither line editing nor echo."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = attributes
    assert isinstance(lflag, int)
    assert isinstance(characters, list)
    characters = list(characters)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    lflag = lflag & ~(termios.ICANON | termios.ECHO) | termios.ISIG
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, characters]


def _to_line_mode(attributes: Attributes) -> Attributes:
    """Return the attributes with line editing, echo and signals on, and with Esc as a second key that ends a line."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = attributes
    assert isinstance(iflag, int)
    assert isinstance(lflag, int)
    assert isinstance(characters, list)
    characters = list(characters)
    characters[termios.VEOL] = ESCAPE.encode()
    lflag |= termios.ICANON | termios.ECHO | termios.ECHOE | termios.ISIG
    return [iflag | termios.ICRNL, oflag, cflag, lflag, ispeed, ospeed, characters]


async def _read(terminal: int) -> bytes:
    """Return what was typed, at least one byte.

    Raises:
        EOFError: no more will come.
        OSError: the terminal is gone.
    """
    while True:
        await _wait_until_readable(terminal)
        with suppress(BlockingIOError):
            if data := os.read(terminal, 4096):
                return data
            raise EOFError


async def _wait_until_readable(terminal: int) -> None:
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(terminal, lambda: None if readable.done() else readable.set_result(None))
    except OSError:  # kqueue takes every terminal but /dev/tty, and no event tells of it
        while not select.select([terminal], [], [], 0)[0]:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        return
    try:
        await readable
    finally:
        loop.remove_reader(terminal)
