"""The question that stands before a call: shown whole on /dev/tty, answered there, also where stdin is a pipe.

A line is read, not a key: two keys for a yes are two chances to read. `y` or `yes` allows; Enter, Esc, Ctrl-D, `n`
and a terminal that hangs up deny; any other line denies too, and is told to the model as the reason. Ctrl-C is a signal
here as everywhere, so it ends the run.

The text of a model cannot pass for the question itself: only the title begins at the left edge. All else is indented,
and broken here, since a line that the terminal breaks would go on at that edge.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import termios
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import groupby

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import Tool
from cline_cli.frontends._style import BOLD, DIM, GREEN, RED, paint
from cline_cli.frontends.figures import is_command
from cline_cli.machine.output import Output
from cline_cli.text import display_width, one_line, sanitize, visible

COMMANDS = frozenset({"command", "commands", "cmd"})
REMOVED = frozenset({"old_text", "old"})
ADDED = frozenset({"new_text", "new", "content"})
"""Arguments that are shown as what they are, whichever tool has them: command lines, and the two sides of a change."""
HINT = "y: yes   Enter: no   or say why not: "
ESCAPE = "\x1b"
STYLES = {"+ ": GREEN, "- ": RED}
INDENT = "  "
CONTINUED = "  ⋮ "
"""Begins the rows of a line after its first: no line begins with it otherwise."""
MIN_COLUMNS, USUAL_COLUMNS = 8, 80
MAX_SPACES = 7
"""How long a gap may be that is shown as it is: a longer one could push what matters out of sight."""
MAX_INDENT = 32
"""Likewise for what a line begins with: the code of a file is indented."""
MAX_BLANK_LINES = 2
TAB_CELLS = 4
POLL_S = 0.05


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
) -> Allow | Deny:
    """Show the call whole, with what "always" would allow, and return what the person says to it.

    Cancelling leaves the terminal as it was.
    """
    try:
        terminal = opened()
    except OSError as error:
        return Deny(f"Nobody could be asked: the terminal cannot be opened ({error.strerror}).")
    try:
        columns = _measure(terminal)
        rows = [*_title(tool.summary(arguments), columns), *lay_out(arguments, columns), *_offer(patterns, columns)]
        answer = await _put(terminal, [paint(row, style if is_styled else "") for row, style in rows])
    except (OSError, termios.error):
        return Deny("Nobody could be asked: the terminal is gone.")
    finally:
        os.close(terminal)
    return judge(answer, arguments, may_remember=bool(patterns))


async def inquire(
    question: str, options: tuple[str, ...], *, is_styled: bool = False, opened: Callable[[], int] = open_terminal
) -> str:
    """Put a question of the model's, and return what the person types: one of the options by its number, or words."""
    try:
        terminal = opened()
    except OSError:
        return ""
    try:
        columns = _measure(terminal)
        rows = [(row, BOLD) for line in question.split("\n") for row in _break(f"? {visible(line)}", columns, "")]
        for number, option in enumerate(options, 1):
            rows += [(row, "") for row in _break(f"{number}  {visible(option)}", columns, INDENT)]
        rows.append(("a number, or your own words: " if options else "your answer: ", DIM))
        answer = await _put(terminal, [paint(row, style if is_styled else "") for row, style in rows])
    except (OSError, termios.error):
        return ""
    finally:
        os.close(terminal)
    words = "" if ESCAPE in answer else sanitize(answer).strip()
    if words.isdecimal() and 1 <= int(words) <= len(options):
        return options[int(words) - 1]
    return words


def _offer(patterns: tuple[str, ...], columns: int) -> Iterator[tuple[str, str]]:
    """Yield what may be answered; the last row is where the answer is typed."""
    if patterns:
        told = visible(f"a: always, in this session, for {', '.join(patterns)}")
        yield from ((row, DIM) for row in _break(told, columns, ""))
    yield HINT, DIM


def judge(answer: str, arguments: JsonObject, *, may_remember: bool = False) -> Allow | Deny:
    """Read a line as a yes, an always, a no, or a no with a reason."""
    if may_remember and answer.strip().lower() in {"a", "always"}:
        return Allow(arguments, remembers=True)
    if answer.strip().lower() in {"y", "yes"}:
        return Allow(arguments)
    words = "" if ESCAPE in answer else sanitize(answer).strip()
    reason = re.sub(r"^no?\b[\s,.:;!-]*", "", words, flags=re.IGNORECASE)
    return Deny(f"The user said no: {reason}" if reason else "The user said no.")


def lay_out(arguments: JsonObject, columns: int) -> Iterator[tuple[str, str]]:
    """Yield the arguments as rows with their styles: indented, and narrower than a terminal of so many columns."""
    for line in describe(arguments):
        style = STYLES.get(line[:2], "")
        yield from ((row, style) for row in _break(line, columns, INDENT))


def describe(arguments: JsonObject) -> Iterator[str]:
    """Yield the arguments as lines of any length, whole, with what cannot be seen made visible."""
    for name, value in arguments.items():
        if name in COMMANDS:
            for command in value if isinstance(value, list | tuple) else (value,):
                yield from _mark(_to_text(command), "$ ", "> ")
        elif isinstance(value, str) and name in REMOVED | ADDED:
            mark = "+ " if name in ADDED else "- "
            yield from _mark(value, mark, mark)
        elif value is not None:
            text = _to_text(value)
            is_long = "\n" in text
            # A name that is quoted cannot begin like a command or a change.
            label = visible(name if name.isidentifier() else json.dumps(name, ensure_ascii=False))
            label = _count_spaces(label, MAX_SPACES)
            yield f"{label}:" if is_long else f"{label}: {_count_spaces(visible(text), MAX_SPACES)}"
            yield from _mark(text, "| ", "| ") if is_long else ()


def _to_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _mark(text: str, first: str, others: str) -> Iterator[str]:
    """Yield the lines of a text, each with its mark, and a count in place of many blank ones."""
    mark = first
    for is_blank, group in groupby(text.removesuffix("\n").split("\n"), lambda line: not line.strip(" \t")):
        lines = tuple(group)
        if is_blank and len(lines) > MAX_BLANK_LINES:
            lines = (f"<{len(lines)} blank lines>",)
        for line in lines:
            yield mark + _count_spaces(visible(line, multiline=True), MAX_INDENT)
            mark = others


def _count_spaces(line: str, max_indent: int) -> str:
    """Return the line with a count, such as `<40 spaces>`, in place of long gaps, and with tabs as spaces."""

    def replace(gap: re.Match[str]) -> str:
        spaces = gap[0].replace("\t", " " * TAB_CELLS)
        if len(spaces) <= (MAX_SPACES if gap.start() else max_indent):
            return spaces
        kinds = {" ": "spaces", "\t": "tabs"}
        return f"<{len(gap[0])} {' and '.join(kinds[kind] for kind in kinds if kind in gap[0])}>"

    return re.sub(r"[ \t]+", replace, line)


def _title(summary: str, columns: int) -> Iterator[tuple[str, str]]:
    title = "Allow: run this?" if is_command(summary) else f"Allow: {one_line(summary)}?"
    return ((row, BOLD) for row in _break(title, columns, ""))


def _break(line: str, columns: int, start: str) -> Iterator[str]:
    """Yield the line as rows, all of them one cell narrower than the terminal: a full row may wrap by itself."""
    room = max(columns, MIN_COLUMNS) - 1
    row, cells = start, len(start)
    for character in line:
        width = display_width(character)
        if cells + width > room:
            yield row
            row, cells = CONTINUED, len(CONTINUED)
        row += character
        cells += width
    yield row


def _measure(terminal: int) -> int:
    """Return how many columns the terminal has."""
    try:
        return os.get_terminal_size(terminal).columns or USUAL_COLUMNS
    except OSError:
        return USUAL_COLUMNS


async def _put(terminal: int, rows: list[str]) -> str:
    """Show the rows and return the line that is typed behind the last of them.

    Raises:
        OSError: the terminal is gone; likewise termios.error.
    """
    output = Output(terminal)
    await output.write_text("".join(f"{row}\n" for row in rows[:-1]))
    return await read_answer(terminal, lambda: output.write_text(rows[-1]))


async def read_answer(terminal: int, prompt: Callable[[], Awaitable[None]]) -> str:
    """Prompt, and read one line; empty where the terminal says that no more will come.

    What was typed before does not answer. From the prompt on all does: a program that answers is quick.

    Raises:
        OSError: the terminal is gone; likewise termios.error.
    """
    before = termios.tcgetattr(terminal)
    termios.tcflush(terminal, termios.TCIFLUSH)
    termios.tcsetattr(terminal, termios.TCSANOW, _in_line_mode(before))
    answer = ""
    try:
        await prompt()
        while True:
            await _wait_until_readable(terminal)
            with suppress(BlockingIOError):
                answer = os.read(terminal, 4096).decode("utf-8", "replace")
                return answer
    finally:
        with suppress(OSError, termios.error):
            if not answer.endswith("\n"):
                termios.tcflush(terminal, termios.TCIFLUSH)
                os.write(terminal, b"\n")
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def _in_line_mode(attributes: list[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    """Return the attributes with line editing, echo and signals on, and with Esc as a second key that ends a line."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = attributes
    assert isinstance(iflag, int)
    assert isinstance(lflag, int)
    assert isinstance(characters, list)
    characters = list(characters)
    characters[termios.VEOL] = ESCAPE.encode()
    lflag |= termios.ICANON | termios.ECHO | termios.ECHOE | termios.ISIG
    return [iflag | termios.ICRNL, oflag, cflag, lflag, ispeed, ospeed, characters]


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
