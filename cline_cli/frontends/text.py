"""The front end of pipes, files and dumb terminals: the answer on stdout, a line for what happens on stderr.

Stdout gets the answer and one newline, and no escape byte. While tools are offered a message may turn out to be mere
progress, so the text is held until the run has finished; where no tools are offered it streams, unless it is to be held
there too. What was held is one write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import assert_never

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    LeftoverProcess,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolSettled,
    ToolStarted,
    UsageUpdated,
)
from cline_cli.agent.messages import AssistantMessage, JsonObject
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import Tool
from cline_cli.errors import ServerError
from cline_cli.frontends._pace import Pace
from cline_cli.frontends.figures import (
    OUTCOME_CELLS,
    describe_compaction,
    describe_outcome,
    describe_run,
    format_duration,
)
from cline_cli.frontends.manner import Manner
from cline_cli.machine.output import Output
from cline_cli.text import Sanitizer, one_line, sanitize

SILENCE_S = 30
"""When nothing came for so long, that is said; and again at every full minute."""
LONG_PAUSE_S = 5
"""A pause before a retry that is worth a line."""
SUMMARY_CELLS = 120
NOTICE_CELLS = 300


Question = Callable[[Tool, JsonObject, tuple[str, ...]], Awaitable[Allow | Deny]]


async def ask_on_terminal(tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
    from cline_cli.frontends._ask import ask  # lazy: only an interactive run asks

    return await ask(tool, arguments, patterns)


async def inquire_on_terminal(question: str, options: tuple[str, ...]) -> str:
    from cline_cli.frontends._ask import inquire  # lazy: as above

    return await inquire(question, options)


@dataclass(slots=True)
class _Message:
    """The message that is being streamed to stdout."""

    sanitizer: Sanitizer = field(default_factory=Sanitizer)
    white_space: str = ""
    """What ended the text so far: written only when more text follows, since exactly one newline ends an answer."""
    written: list[str] = field(default_factory=list)
    """What is out of it, or of the same message in a try that broke off."""
    owed: str = ""
    """Of what is out, what this try has yet to say again."""

    @property
    def is_out(self) -> bool:
        """Some of it has been written."""
        return bool(self.written)

    def take(self, text: str) -> str:
        """Return what is to be written now.

        Raises:
            ServerError: it goes on differently from what is out.
        """
        text = self.white_space + self.sanitizer.feed(text)
        body = text.rstrip()
        self.white_space = text[len(body) :]
        if self.owed:
            said_again = min(len(body), len(self.owed))
            if body[:said_again] != self.owed[:said_again]:
                raise _differs()
            self.owed, body = self.owed[said_again:], body[said_again:]
        if body:
            self.written.append(body)
        return body

    def begin_again(self) -> _Message:
        """Return the message for another try, which has to begin with what is out."""
        return _Message(written=self.written, owed="".join(self.written))


def _differs() -> ServerError:
    return ServerError("the reply broke off after part of it was printed, and came differently then", "Run it again")


class TextFrontEnd:
    def __init__(
        self,
        stdout: Output,
        stderr: Output,
        manner: Manner,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        question: Question = ask_on_terminal,
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._manner = manner
        self._clock = clock
        self._question = question
        self._pace = Pace(clock)
        self._silence = _Silence(self._say, clock, sleep)
        self._streams = manner.streams and not manner.holds
        """Whether the text of the current message is written as it comes."""
        self._message = _Message()
        self._streamed: str | None = None
        """The last message that went to stdout whole."""
        self._has_told_impure = False
        self._has_worked = False
        """A tool has run, so that there are lines about the run anyway."""

    async def show(self, event: Event) -> None:
        """Show one event; returns when its bytes are written.

        Raises:
            OSError: stdout cannot be written; BrokenPipeError where its reader is gone.
            ServerError: a reply that broke off while it was streamed to a pipe came differently when asked for again.
        """
        self._silence.last_s = self._clock()
        match event:
            case TextDelta(text):
                if self._streams:
                    await self._stream(text)
            case ThinkingDelta() | ToolCallDelta() | ToolProgress() | UsageUpdated():
                pass
            case Notice(_, text):
                if self._manner.is_verbose:  # it is no failure yet, and those are told
                    await self._say(one_line(text, NOTICE_CELLS))
            case RunStarted() | IterationStarted() | Compacted() | ReplyDiscarded() | Waiting() | MessageFinished():
                await self._show_request(event)
            case ToolStarted(call, summary):
                self._silence.running[call.id] = summary
            case ToolSettled(call):
                self._silence.running.pop(call.id, None)
            case ToolFinished():
                self._silence.running.pop(event.call.id, None)
                self._has_worked = True
                if event.output.answer is None:  # one that hands in the answer is no work to report
                    await self._say(f"{one_line(event.summary, SUMMARY_CELLS)} -> {describe_outcome(event)}")
            case RunFinished():
                await self._finish(event)
            case _:
                assert_never(event)

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
        """Put the question of a tool call to the person at the terminal."""
        self._silence.is_held = True
        try:
            return await self._question(tool, arguments, patterns)
        finally:
            self._silence.is_held = False
            self._silence.last_s = self._clock()

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        self._silence.is_held = True
        try:
            return await inquire_on_terminal(question, options)
        finally:
            self._silence.is_held = False
            self._silence.last_s = self._clock()

    async def close(self) -> None:
        await self._silence.end()

    async def _show_request(
        self, event: RunStarted | IterationStarted | Compacted | ReplyDiscarded | Waiting | MessageFinished
    ) -> None:
        """Show what concerns one request to the model."""
        match event:
            case RunStarted(model):
                if self._manner.is_verbose:
                    await self._say(f"[model] provider={self._manner.facts.provider} model={one_line(model)}")
                    if line := self._manner.facts.sandbox_line:
                        await self._say(f"[sandbox] {one_line(line)}")
                if not self._manner.is_quiet:
                    self._silence.begin()
            case IterationStarted():
                self._streams = (self._manner.streams or not event.has_tools) and not self._manner.holds
                self._pace.begin()
                self._message = _Message()
            case Compacted():
                self._pace.begin()
                if self._has_worked or self._manner.is_verbose:
                    await self._say(describe_compaction(event))
            case ReplyDiscarded(cause):
                await self._discard(cause)
            case Waiting(delay_s, cause):
                self._silence.cause = one_line(cause, OUTCOME_CELLS)
                if delay_s >= (0.1 if self._manner.is_verbose else LONG_PAUSE_S):
                    await self._say(f"waiting {format_duration(delay_s)}: {self._silence.cause}")
            case MessageFinished(message):
                self._silence.cause = ""
                await self._end_message(message)

    async def _stream(self, text: str) -> None:
        self._pace.text_came()
        if new := self._message.take(text):
            await self._stdout.write_text(new)

    async def _discard(self, cause: str) -> None:
        """Forget the text of a reply that is void; what is out of it in a pipe is the beginning of the next one."""
        if self._message.is_out and self._manner.is_watched:
            await self._end_line()
            await self._say(f"the reply broke off, and is asked for again: {one_line(cause, OUTCOME_CELLS)}")
        self._message = self._message.begin_again()

    async def _end_message(self, message: AssistantMessage) -> None:
        if self._message.owed:
            raise _differs()
        if self._message.is_out:
            await self._end_line()
            self._streamed = message.text
            if message.tool_calls and not self._manner.is_watched and not self._has_told_impure:
                self._has_told_impure = True
                await self._say("--stream: what the model says between its calls is on standard output too")
        if self._manner.is_verbose:
            await self._say(self._pace.describe(message.usage))

    async def _end_line(self) -> None:
        """End the text that is out with exactly one newline."""
        # A try that has not yet come as far as what is out adds nothing to it.
        rest = "" if self._message.owed else self._message.white_space + self._message.sanitizer.close()
        self._message = _Message()
        await self._stdout.write_text(rest.rstrip("\n") + "\n")

    async def _finish(self, run: RunFinished) -> None:
        await self._silence.end()
        if self._message.is_out:
            await self._end_line()
        elif run.patch is not None and run.text:
            with suppress(OSError):
                await self._stderr.write_text(sanitize(run.text).rstrip("\n") + "\n")
        elif run.text != self._streamed and run.has_answer:
            await self._stdout.write_text(sanitize(run.text).rstrip("\n") + "\n")
        if run.patch and self._manner.is_watched:
            await self._stdout.write_text(sanitize(run.patch.decode("utf-8", "replace")))
        elif run.patch:
            await self._stdout.write(run.patch)
        for line in _describe_leftovers(run.leftover_processes):
            await self._say(line)
        if run.tool_calls:
            await self._say(f"{'stopped' if run.error else 'done'}: {describe_run(run)}")
            if run.error and self._manner.facts.is_session_kept:
                await self._say(f'resume: cline --id {self._manner.facts.session_id} "continue"')

    async def _say(self, line: str) -> None:
        """Write a line to stderr; a stderr that is closed or gone is no reason to end a run."""
        if not self._manner.is_quiet:
            start = "\n" if self._manner.is_watched and self._message.is_out else ""
            with suppress(OSError):
                await self._stderr.write_text(f"{start}cline: {line}\n")


def _describe_leftovers(processes: tuple[LeftoverProcess, ...]) -> Iterator[str]:
    """Yield a line for the processes that were ended, and one for those that could not be."""
    fates = {"ended": (True, False), "could not end": (False, False), "left alone": (False, True)}
    for verb, fate in fates.items():
        names = [
            f"{one_line(process.command, SUMMARY_CELLS)} (pid {process.pid})"
            for process in processes
            if (process.is_ended, process.is_wanted) == fate
        ]
        if names:
            count = "1 process" if len(names) == 1 else f"{len(names):,} processes"
            more = f" and {len(names) - MAX_LEFTOVERS:,} more" if len(names) > MAX_LEFTOVERS else ""
            yield f"{verb} {count} that commands left running: {', '.join(names[:MAX_LEFTOVERS])}{more}"


MAX_LEFTOVERS = 10
"""Of processes, those that are named."""


class _Silence:
    """Says what is waited for when nothing has come for long."""

    def __init__(
        self,
        say: Callable[[str], Awaitable[None]],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.last_s = 0.0
        """When the last event came."""
        self.running: dict[str, str] = {}
        """Call id -> summary of the calls that run."""
        self.cause = ""
        """Why the provider said that it waits."""
        self.is_held = False
        """Somebody else has the floor: a question is open."""
        self._say = say
        self._clock = clock
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._watch())

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _watch(self) -> None:
        since_s, due_s = self.last_s, SILENCE_S
        while True:
            await self._sleep(since_s + due_s - self._clock())
            if self.last_s != since_s:
                since_s, due_s = self.last_s, SILENCE_S
            else:
                if not self.is_held:
                    await self._say(f"waiting for {self._describe()}, {format_duration(due_s)}")
                due_s = (due_s // 60 + 1) * 60

    def _describe(self) -> str:
        if self.running:
            return one_line(next(iter(self.running.values())), SUMMARY_CELLS)
        return f"model ({self.cause})" if self.cause else "model"
