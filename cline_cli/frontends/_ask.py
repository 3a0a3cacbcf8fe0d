"""The question that stands before a call: shown whole on /dev/tty, answered there, also where stdin is a pipe.

A line is read, not a key: two keys for a yes are two chances to read. `y` or `yes` allows; Enter, Esc, Ctrl-D, `n`
and a terminal that hangs up deny; any other line denies too, and is told to the model as the reason. Ctrl-C is a signal
here as everywhere, so it ends the run.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import Tool
from cline_cli.frontends._style import BOLD, DIM, GREEN, RED, paint
from cline_cli.machine.output import Output
from cline_cli.text import sanitize, visible

COMMANDS = frozenset({"command", "commands", "cmd"})
REMOVED = frozenset({"old_text", "old"})
ADDED = frozenset({"new_text", "new", "content"})
"""Arguments that are shown as what they are, whichever tool has them: command lines, and the two sides of a change."""
HINT = "y: yes   Enter: no   or say why not: "
ESCAPE = "\x1b"
STYLES = {"+ ": GREEN, "- ": RED}
POLL_S = 0.05


def open_terminal() -> int:
    """Open the terminal of this process: a description of our own, so that non-blocking stays our own affair.

    Raises:
        OSError: there is none.
    """
    return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)


async def ask(
    tool: Tool, arguments: JsonObject, *, is_styled: bool = False, opened: Callable[[], int] = open_terminal
) -> Allow | Deny:
    """Show the call whole, and return what the person says to it. Cancelling leaves the terminal as it was."""
    try:
        terminal = opened()
    except OSError as error:
        return Deny(f"Nobody could be asked: the terminal cannot be opened ({error.strerror}).")
    try:
        await Output(terminal).write_text(_write_question(tool, arguments, is_styled=is_styled))
        answer = await _read_answer(terminal)
    except (OSError, termios.error):
        return Deny("Nobody could be asked: the terminal is gone.")
    finally:
        os.close(terminal)
    return judge(answer, arguments)


def judge(answer: str, arguments: JsonObject) -> Allow | Deny:
    """Read a line as a yes, a no, or a no with a reason."""
    if answer.strip().lower() in {"y", "yes"}:
        return Allow(arguments)
    words = "" if ESCAPE in answer else sanitize(answer).strip()
    reason = re.sub(r"^no?\b[\s,.:;!-]*", "", words, flags=re.IGNORECASE)
    return Deny(f"The user said no: {reason}" if reason else "The user said no.")


def describe(arguments: JsonObject) -> Iterator[str]:
    """Yield the arguments as lines, whole, with what cannot be seen made visible.

    The question indents them, so that no text of a model can pass for a line of its own.
    """
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
            yield f"{visible(name)}:" if is_long else f"{visible(name)}: {visible(text)}"
            yield from _mark(text, "| ", "| ") if is_long else ()


def _to_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _mark(text: str, first: str, others: str) -> Iterator[str]:
    for index, line in enumerate(text.removesuffix("\n").split("\n")):
        yield (others if index else first) + visible(line, multiline=True)


def _write_question(tool: Tool, arguments: JsonObject, *, is_styled: bool) -> str:
    lines = [(f"Allow {visible(tool.spec.name)}?", BOLD)]
    lines += [(f"  {line}", STYLES.get(line[:2], "")) for line in describe(arguments)]
    return "\n".join(paint(line, style if is_styled else "") for line, style in [*lines, (HINT, DIM)])


async def _read_answer(terminal: int) -> str:
    """Read one line; empty where the terminal says that no more will come.

    Raises:
        OSError: the terminal is gone; likewise termios.error.
    """
    before = termios.tcgetattr(terminal)
    # What was typed before the question stood there does not answer it.
    termios.tcflush(terminal, termios.TCIFLUSH)
    termios.tcsetattr(terminal, termios.TCSANOW, _in_line_mode(before))
    answer = ""
    try:
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
