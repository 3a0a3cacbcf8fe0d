"""One prompt to its answer, and every way in which that can be stopped.

stdin, files, words ──> UserMessage ──> app.build ──> Agent.run ──> session ──> front end
                                                         ^
SIGINT, SIGTERM, SIGHUP, --timeout, late input ── cancel that task, wait for its clean-up, then show one RunFinished
"""

from __future__ import annotations

import asyncio
import datetime
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cline_cli import app as composition
from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import Event, Notice, RunFinished, ToolProgress
from cline_cli.agent.messages import JsonObject, Usage
from cline_cli.agent.provider import TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.agent.tool import Tool
from cline_cli.commands._asked import Asked
from cline_cli.commands._keeping import Keeping
from cline_cli.commands._leftovers import Leftovers
from cline_cli.commands._prompt import Prompt, Wanted, read_prompt
from cline_cli.commands._prose import describe_rules
from cline_cli.commands._redacting import Redacting, make_redactor
from cline_cli.commands._sandbox import to_json
from cline_cli.commands._setting import open_sandbox, settle
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import (
    ClineError,
    DeliveryError,
    InternalError,
    InterruptedRunError,
    LateInputError,
)
from cline_cli.frontends import FrontEnd
from cline_cli.frontends.choose import choose_front_end
from cline_cli.machine.input import has_arrived, input_arrives
from cline_cli.machine.output import Output
from cline_cli.machine.process import kill_all
from cline_cli.machine.sandbox import Report, Sandbox
from cline_cli.redaction import MaskedBytes
from cline_cli.session.store import Header, Session
from cline_cli.text import one_line
from cline_cli.workspace.mentions import find_mentions

if TYPE_CHECKING:  # lazy: as below
    from cline_cli.commands._changes import Changes

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_S = 1.9
"""Within which a run that was stopped has ended."""
CLEAN_UP_S = 1.5
"""Of that, for its children and connections."""
LAST_WORDS_S = 1.0
"""Of that, for whoever reads to take what is left to say; less where cleaning up took long."""
_PIECES = (TextDelta, ThinkingDelta, ToolCallDelta, ToolProgress)
"""Of something that is kept when it is whole."""


async def converse(
    asked: Asked, choice: composition.Chosen, session: Session | None, environment: Environment, paths: Paths
) -> int:
    """Run one prompt to its end and return 0.

    Raises:
        ClineError: why the run did not complete; what there was to show has been shown.
        OSError: standard output cannot be written; BrokenPipeError where its reader has gone.
    """
    loop = asyncio.get_running_loop()
    header = Header(
        session_id=choice.endpoint.session_id,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
        cwd=str(asked.workspace),
        provider=choice.endpoint.provider,
        model=choice.model,
        mode=asked.options.mode,
    )
    folder = None if paths.is_homeless else paths.state / "sessions"
    keeping = Keeping(session, folder, header, is_wanted=asked.is_kept, is_dry=asked.is_dry)
    stop: asyncio.Future[ClineError] = loop.create_future()
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup asks to live on
            reason = InterruptedRunError(number, signal.Signals(number).name)
            loop.add_signal_handler(number, _stop, stop, reason, keeping.forget)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if asked.deadline.left_s is not None:
        loop.call_later(asked.deadline.left_s, _stop, stop, asked.deadline.reason)
    conversation = _Conversation(asked, choice, environment, paths, stop, keeping)
    try:
        work = loop.create_task(conversation.run())
        both: set[asyncio.Future[ClineError] | asyncio.Future[ClineError | None]] = {work, stop}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        error = await conversation.conclude(work) if work.done() else await conversation.stop(work, stop.result())
    finally:
        keeping.close()
    if error is not None:
        raise error
    return 0


def _stop(stop: asyncio.Future[ClineError], reason: ClineError, forget: Callable[[], None] = lambda: None) -> None:
    """Ask the run to end; a second signal does not ask."""
    if not stop.done():
        stop.set_result(reason)
    elif isinstance(reason, InterruptedRunError):
        kill_all()
        forget()
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"cline: {reason}, at once\n".encode())
        os._exit(reason.exit_code)


@dataclass(slots=True)
class _Conversation:
    asked: Asked
    choice: composition.Chosen
    environment: Environment
    paths: Paths
    stop_request: asyncio.Future[ClineError]
    keeping: Keeping
    front_end: FrontEnd | None = None
    """Made when it is known whether the run is kept."""
    started_s: float = field(default_factory=time.monotonic)
    running: composition.Run | None = None
    stdin: JsonObject = field(default_factory=dict)
    leftovers: Leftovers = field(init=False)
    is_shown: bool = False
    """RunFinished has been shown, or is being shown."""
    redacting: Redacting = field(init=False)
    changes: Changes | None = None
    """What a run changes; made when it is about to, or when something is to become of it."""
    sandbox: Sandbox = field(default_factory=lambda: Sandbox(Report(detail="commands are approved one by one")))

    def __post_init__(self) -> None:
        self.leftovers = Leftovers(is_sparing=self.asked.leaves_running)
        self.redacting = Redacting(make_redactor(self.choice, self.environment.variables))

    async def run(self) -> ClineError | None:
        """Read the prompt, run it, show what happens, and return why it did not complete."""
        watch: asyncio.Task[None] | None = None
        try:
            prompt = await self._read_prompt()
            self.stdin = prompt.stdin
            setting = await self._settle_down((*prompt.read_roots, *self.keeping.read_roots))
            self.running = running = composition.build(
                self.choice, self.asked.options, setting, self._approve, self.environment, self.paths
            )
            if self.asked.is_dry:
                await self._tell_dry_run(running, prompt)
                return None
            notices = (*self.choice.notices, *self.keeping.begin(self.redacting.redact(running.agent.system)))
            for notice in (*notices, *describe_rules(running.rules, is_verbose=self.asked.manner.is_verbose)):
                await self._tell(notice)
            if prompt.is_stdin_open and self.environment.stdin is not None:
                watch = asyncio.create_task(self._watch_stdin(self.environment.stdin))
            return await self._pump(running, prompt)
        finally:
            if watch:
                watch.cancel()
            await self.leftovers.end()
            if self.changes and (told := await self.changes.close()):
                await self._tell(told)
            if self.running:
                await self.running.close(leaves=self.asked.leaves_running)
            self.sandbox.close(leaves=self.asked.leaves_running)
            if self.front_end and self.is_shown:
                await self.front_end.close()

    async def _settle_down(self, read_roots: tuple[Path, ...]) -> composition.Setting:
        """Return where the run works, with its sandbox, which is open then.

        Raises:
            SandboxError: what is required is not to be had here.
        """
        self.sandbox = await open_sandbox(self.asked, self.environment, self.paths)
        setting = settle(self.asked, self.choice, self.environment, self.paths, self.sandbox)
        return setting._replace(messages=self.keeping.messages, read_roots=read_roots, question=self._inquire)

    async def conclude(self, work: asyncio.Task[ClineError | None]) -> ClineError | None:
        """Return why the work, which is over, did not complete; whatever it was, it has been shown then.

        Raises:
            OSError: standard output cannot be written.
        """
        failure = work.exception()
        if isinstance(failure, BrokenPipeError):
            self._keep(self._finish(ClineError("whoever reads the answer has gone")))
            raise failure
        if isinstance(failure, OSError):
            failure = ClineError(f"cannot write the output: {failure.strerror}")
        if failure is None:
            return work.result()
        if not isinstance(failure, ClineError):
            failure = InternalError(failure, (self.choice.endpoint.key,))
        await self._show_end(failure, LAST_WORDS_S)
        return failure

    async def stop(self, work: asyncio.Task[ClineError | None], reason: ClineError) -> ClineError | None:
        """End the task within CLEAN_UP_S, and say what there is to say within STOP_S.

        A run whose outcome is already being told keeps it, if it is told in time.
        """
        until_s = time.monotonic() + STOP_S
        if self.is_shown:
            await asyncio.wait({work}, timeout=LAST_WORDS_S)
            if work.done():
                return await self.conclude(work)
        work.cancel()
        await asyncio.wait({work}, timeout=min(CLEAN_UP_S, until_s - time.monotonic()))
        if work.done() and not work.cancelled():
            work.exception()  # looked at, so that asyncio does not report it; the reason of the stop is what counts
        await self._show_end(reason, min(LAST_WORDS_S, max(0, until_s - time.monotonic())))
        return reason

    async def _pump(self, running: composition.Run, prompt: Prompt) -> ClineError | None:
        """Pass on what the agent tells, to the session first."""
        front_end = self._open_front_end()
        async with aclosing(running.agent.run(running.adapt(prompt.message))) as events:
            async for told in events:
                for event in self.redacting.take(told):
                    if isinstance(event, RunFinished):
                        finished = await self._complete(event, prompt)
                        self._keep(finished)
                        self.is_shown = True
                        await front_end.show(finished)
                        if finished.error:
                            finished.error.is_shown = True
                        return finished.error
                    if not isinstance(event, _PIECES) and (complaint := self._record(event)):
                        await self._tell(complaint)
                    await front_end.show(event)
        raise AssertionError("a run ends with RunFinished")

    async def _complete(self, finished: RunFinished, prompt: Prompt) -> RunFinished:
        """Do what is left to do at the end of a run, and add to its last event what came of it."""
        await self.leftovers.end()
        if self.asked.fate.may_go_back or self.changes:
            finished = await self._open_changes().settle(finished)
        error = finished.error
        if prompt.is_stdin_open and self.environment.stdin is not None and has_arrived(self.environment.stdin):
            error = error or _late()
        if self.asked.output and replace(finished, error=error).has_answer:
            try:
                await self.asked.output.deliver(f"{finished.text.rstrip(chr(10))}\n".encode("utf-8", "replace"))
            except DeliveryError as failure:
                error = failure
        return self._finish(error, finished)

    def _finish(self, error: ClineError | None, finished: RunFinished | None = None) -> RunFinished:
        """Return the last event of the run as it stands."""
        if finished is None and self.running:
            finished = self.running.agent.finish(error)
        if finished is None:
            finished = RunFinished("", Usage(cost_usd=0.0), 0, 0, time.monotonic() - self.started_s, error)
        left = self.leftovers.told
        finished = replace(finished, error=error or finished.error, leftover_processes=left, stdin=self.stdin)
        return self.redacting.redact(finished)

    async def _show_end(self, error: ClineError, most_s: float) -> None:
        """Show how the run ended, if that is not shown already and whoever reads takes it in time."""
        if self.is_shown:
            return
        self.is_shown = True
        finished = self._finish(error)
        self._keep(finished)
        front_end = self._open_front_end()
        with suppress(TimeoutError, OSError, ClineError):
            async with asyncio.timeout(most_s):
                for event in self.redacting.take(finished):
                    await front_end.show(event)
        await front_end.close()
        error.is_shown = True

    def _open_front_end(self) -> FrontEnd:
        if self.front_end is None:
            manner = self.asked.manner
            report = self.sandbox.report
            options = self.asked.options
            is_told = options.has_tools and (options.auto_approve or options.sandbox.mode != "off")
            told = report.describe() if is_told else ""
            facts = replace(
                manner.facts, is_session_kept=self.keeping.is_kept, sandbox=to_json(report), sandbox_line=told
            )
            self.front_end = choose_front_end(self.environment, replace(manner, facts=facts))
        return self.front_end

    def _keep(self, finished: RunFinished) -> None:
        if self.running:
            self._record(finished)

    def _record(self, event: Event) -> str:
        """Keep what is new; return what the person should know of it."""
        assert self.running, "nothing happens before there is an agent"
        return self.keeping.record(event, self.redacting.history(self.running.agent.messages))

    async def _read_prompt(self) -> Prompt:
        asked = self.asked
        mentions = find_mentions(asked.prompt, asked.workspace, self.environment.home)
        for name in mentions.missing:
            await self._tell(f"@{name} is not attached: there is no such file")
        wanted = Wanted(
            typed=asked.prompt,
            files=asked.files,
            mode=asked.stdin_mode,
            requires_stdin=asked.requires_stdin,
            has_tools=asked.options.has_tools,
            takes_images=self.choice.takes_images,
            max_bytes=asked.max_stdin_bytes,
            workspace=asked.workspace,
            open_spool=self.keeping.open_spool,
            make_mask=lambda: MaskedBytes(self.redacting.redactor),
            mentioned=tuple(path for path in mentions.paths if path not in asked.files),
        )
        return await read_prompt(wanted, self.environment, self._tell)

    async def _watch_stdin(self, descriptor: int) -> None:
        """End the run when input comes that it has gone on without."""
        await input_arrives(descriptor)
        _stop(self.stop_request, _late())

    async def _tell_dry_run(self, running: composition.Run, prompt: Prompt) -> None:
        """Show a run whose answer is what it would have been."""
        from cline_cli.commands._dry_run import collect, describe  # lazy: few runs are dry

        facts = collect(self.asked, self.choice, running, prompt, is_interactive=self.environment.is_interactive)
        front_end = self._open_front_end()
        self.is_shown = True
        await front_end.show(Notice("dry_run", "nothing is sent", facts))
        finished = replace(self._finish(None), text=describe(facts))
        await front_end.show(finished)

    async def _tell(self, notice: str) -> None:
        if not self.asked.manner.is_quiet:
            with suppress(OSError):  # a stderr that is closed or gone is no reason to end a run
                await Output(self.environment.stderr).write(
                    f"cline: {one_line(self.redacting.redact(notice))}\n".encode()
                )

    async def _approve(self, tool: Tool, arguments: JsonObject) -> Allow | Deny:
        assert self.running, "calls come from an agent"
        from cline_cli.commands._approving import Approving  # lazy: 5 ms, and many runs call no tool

        return await Approving(self.running.policy, self._open_changes(), self._ask, self._tell)(tool, arguments)

    def _open_changes(self) -> Changes:
        if self.changes is None:
            from cline_cli.commands._changes import Changes  # lazy: 8 ms, as above

            fate = self.asked.fate
            self.changes = Changes(
                self.asked.workspace,
                fate,
                self.choice.endpoint.session_id,
                composition.command_variables(self.environment),
                lambda: self.keeping.open_place(is_needed=fate.may_go_back),
            )
        return self.changes

    async def _ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
        return await self._open_front_end().ask(tool, arguments, patterns)

    async def _inquire(self, question: str, options: tuple[str, ...]) -> str:
        return await self._open_front_end().inquire(question, options)


def _late() -> LateInputError:
    return LateInputError("input arrived too late: the run had gone on without it", "--stdin wait waits for it")
