"""One prompt to its answer, and every way in which that can be stopped.

stdin, words ──> UserMessage ──> app.build ──> Agent.run ──> front end
                                                  ^
SIGINT, SIGTERM, SIGHUP, --timeout ── cancel that task, wait for its clean-up, then show one RunFinished
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from cline_cli import app as composition
from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import RunFinished
from cline_cli.agent.messages import JsonObject, UserMessage, user_text
from cline_cli.agent.tool import Tool
from cline_cli.commands._deadline import Deadline
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, InterruptedRunError, UsageError
from cline_cli.frontends import FrontEnd
from cline_cli.frontends.choose import choose_front_end
from cline_cli.frontends.manner import Manner
from cline_cli.machine.input import is_partly_read, read_to_end
from cline_cli.machine.output import Output
from cline_cli.machine.process import kill_all
from cline_cli.policy.decide import decide
from cline_cli.text import one_line

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLEAN_UP_S = 1.5
"""How long a run that was stopped may take to end its children and connections."""
WAITING_TOLD_S = 1.0
LAST_WORDS_S = 0.4
"""How long whoever reads may take to accept what is left to say after that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as it was asked for on the command line."""

    options: composition.Options
    prompt: str
    """As it was typed; `-` alone stands for standard input, empty for none."""
    workspace: Path
    deadline: Deadline
    manner: Manner


def check_prompt(prompt: str, environment: Environment) -> None:
    """See that there can be a prompt, before anything else is done.

    Raises:
        UsageError: none was typed, and nothing is piped in.
    """
    if not prompt and (environment.stdin is None or environment.is_stdin_terminal):
        raise UsageError("no prompt was given", 'Give one: cline "Explain what a REST API is."')


async def converse(asked: Asked, choice: composition.Chosen, environment: Environment, paths: Paths) -> int:
    """Run one prompt to its end and return 0.

    Raises:
        ClineError: why the run did not complete; what there was to show has been shown.
        OSError: standard output cannot be written; BrokenPipeError where its reader has gone.
    """
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[ClineError] = loop.create_future()
    for number in SIGNALS:
        loop.add_signal_handler(number, _stop, stop, InterruptedRunError(number, signal.Signals(number).name))
    if asked.deadline.left_s is not None:
        loop.call_later(asked.deadline.left_s, _stop, stop, asked.deadline.reason)
    front_end = choose_front_end(environment, asked.manner)
    conversation = _Conversation(asked, choice, environment, paths, front_end)
    work = loop.create_task(conversation.run())
    both: set[asyncio.Future[ClineError] | asyncio.Future[ClineError | None]] = {work, stop}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    try:
        error = work.result() if work.done() else await conversation.stop(work, stop.result())
    except OSError as failure:
        if isinstance(failure, BrokenPipeError):
            raise
        raise ClineError(f"cannot write the output: {failure.strerror}") from failure
    if error is not None:
        raise error
    return 0


def _stop(stop: asyncio.Future[ClineError], reason: ClineError) -> None:
    """Ask the run to end; a second signal does not ask."""
    if not stop.done():
        stop.set_result(reason)
    elif isinstance(reason, InterruptedRunError):
        kill_all()
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"cline: {reason}, at once\n".encode())
        os._exit(reason.exit_code)


@dataclass(slots=True)
class _Conversation:
    asked: Asked
    choice: composition.Chosen
    environment: Environment
    paths: Paths
    front_end: FrontEnd
    running: composition.Run | None = None

    async def run(self) -> ClineError | None:
        """Read the prompt, run it, show what happens, and return why it did not complete."""
        try:
            prompt = await self._read_prompt()
            self.running = composition.build(
                self.choice, self.asked.options, self.asked.workspace, self._approve, self.environment, self.paths
            )
            for notice in self.choice.notices:
                await self._tell(notice)
            async with aclosing(self.running.agent.run(self.running.adapt(prompt))) as events:
                async for event in events:
                    await self.front_end.show(event)
                    if isinstance(event, RunFinished):
                        return event.error
            raise AssertionError("a run ends with RunFinished")
        finally:
            if self.running:
                await self.running.close()
            await self.front_end.close()

    async def stop(self, work: asyncio.Task[ClineError | None], reason: ClineError) -> ClineError:
        """End the task within CLEAN_UP_S, and say what there is to say within LAST_WORDS_S."""
        work.cancel()
        await asyncio.wait({work}, timeout=CLEAN_UP_S)
        if work.done() and not work.cancelled():
            work.exception()  # looked at, so that asyncio does not report it; the reason of the stop is what counts
        if self.running:
            with suppress(TimeoutError, OSError, ClineError):
                await asyncio.wait_for(self.front_end.show(self.running.agent.finish(reason)), LAST_WORDS_S)
            await self.front_end.close()
        return reason

    async def _read_prompt(self) -> UserMessage:
        """Put together what was typed and what was piped in.

        Raises:
            UsageError: there is neither, or standard input cannot be read.
        """
        reads_stdin = self.asked.prompt == "-"
        typed = "" if reads_stdin else self.asked.prompt
        descriptor = self.environment.stdin
        is_piped = descriptor is not None and not self.environment.is_stdin_terminal
        piped = ""
        if descriptor is not None and typed and is_partly_read(descriptor):
            await self._tell("standard input is a file that something else is reading: it is left alone")
        elif descriptor is not None and (is_piped or reads_stdin):
            piped = (await self._read_all(descriptor)).decode("utf-8", "replace")
        text = compose(typed, piped)
        if not text:
            raise UsageError("no prompt was given, and standard input is empty", 'Give one: cline "Explain this."')
        return user_text(text)

    async def _read_all(self, descriptor: int) -> bytes:
        """Read standard input to its end; after WAITING_TOLD_S without an end it is said what is waited for."""
        reading = asyncio.ensure_future(read_to_end(descriptor))
        try:
            await asyncio.wait({reading}, timeout=WAITING_TOLD_S)
            if not reading.done():
                await self._tell("waiting for standard input to end; < /dev/null does without it")
            return await reading
        finally:
            reading.cancel()

    async def _tell(self, notice: str) -> None:
        if not self.asked.manner.is_quiet:
            await Output(self.environment.stderr).write(f"cline: {one_line(notice)}\n".encode())

    async def _approve(self, tool: Tool, arguments: JsonObject) -> Allow | Deny:
        options = self.asked.options
        verdict = decide(
            changes=tool.spec.effect == "changes",
            mode=options.mode,
            auto_approve=options.auto_approve,
            is_interactive=self.environment.is_interactive,
        )
        if verdict.kind == "ask":
            return await self.front_end.ask(tool, arguments)
        return Allow(arguments) if verdict.kind == "allow" else Deny(verdict.reason)


def compose(typed: str, piped: str) -> str:
    """Return the message made of a prompt and of what was piped in: the prompt, a blank line, the input."""
    typed = typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    piped = piped.rstrip("\r\n")
    if not piped.strip():
        return typed
    return f"{typed}\n\n{piped}" if typed else piped
