"""`!command` in a session: a shell command of the person's own, shown as it runs, its output offered to the model."""

from __future__ import annotations

import asyncio
import codecs

from cline_cli import app as composition
from cline_cli.commands._chat import Chat
from cline_cli.errors import ClineError
from cline_cli.frontends._style import DIM, RED
from cline_cli.machine.process import Command, run_process
from cline_cli.text import Sanitizer, visible

MAX_CHARACTERS = 30_000
"""Of its output that the model gets: the beginning and the end."""
FRAME_S = 0.1
TIMEOUT_S = 3600.0


async def run_aside(chat: Chat, line: str) -> None:
    """Run a command line as the person would in a shell, without asking: it is the person who wrote it.

    Raises:
        ClineError: it cannot be started.
    """
    command = Command(
        ("/bin/sh", "-c", line),
        chat.asked.workspace,
        composition.command_variables(chat.place.environment),
        TIMEOUT_S,
    )
    shown = _Shown()
    try:
        running = asyncio.create_task(run_process(command, shown.add))
        telling = asyncio.create_task(_tell(chat, shown))
        try:
            completed = await running
        finally:
            running.cancel()
            telling.cancel()
            await asyncio.gather(running, telling, return_exceptions=True)
    except (OSError, ValueError) as error:
        raise ClineError(f"the command could not be started: {error}") from error
    shown.end()
    await _tell_new(chat, shown)
    how = f"exit {completed.exit_code}" if completed.exit_code is not None else f"ended by {completed.signal_name}"
    await chat.console.tell(how, DIM if completed.exit_code == 0 else RED)
    if await chat.console.questions.read_key("offer this to the model with the next prompt? [y/N]") == "y":
        chat.asides.append(f"The user ran `{line}`, {how}:\n\n{_cut(shown.text)}")
        await chat.console.tell("it goes along with the next prompt", "")


class _Shown:
    """What a command prints, line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.told = 0
        """How many of them were shown."""
        self.has_come = asyncio.Event()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sanitizer = Sanitizer()
        self._rest = ""

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def add(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + self._sanitizer.feed(self._decoder.decode(data))).split("\n")
        self.lines += lines
        self.has_come.set()

    def end(self) -> None:
        rest = self._rest + self._sanitizer.close()
        self.lines += [rest] if rest else []


async def _tell(chat: Chat, shown: _Shown) -> None:
    while True:
        await shown.has_come.wait()
        shown.has_come.clear()
        await _tell_new(chat, shown)
        await asyncio.sleep(FRAME_S)


async def _tell_new(chat: Chat, shown: _Shown) -> None:
    new, shown.told = shown.lines[shown.told :], len(shown.lines)
    if new:
        await chat.console.tell(visible("\n".join(new), multiline=True), "")


def _cut(text: str) -> str:
    half = MAX_CHARACTERS // 2
    return text if len(text) <= MAX_CHARACTERS else f"{text[:half]}\n[...]\n{text[-half:]}"
