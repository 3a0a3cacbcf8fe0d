"""What an interactive session does: it answers prompts one after the other, in one conversation that is kept.

    line ──> "/..." ──> slash.SLASH          a command of the session
        ├──> "!..." ──> _aside.run_aside     a command of the shell, whose output the model may get
        └──> a prompt ──> Conversation.prompt ──> Redacting ──> Keeping ──> front end

Stopping cancels the task of the prompt, waits for its clean-up, and keeps what it did and said.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cline_cli import app as composition
from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import Compacted, Event, MessageFinished, RunFinished, ToolProgress, UsageUpdated
from cline_cli.agent.messages import AssistantMessage, JsonObject, TextPart, ToolResult, Usage, UserMessage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.agent.tool import Tool
from cline_cli.commands._approving import Approving
from cline_cli.commands._asked import Asked
from cline_cli.commands._changes import Changes
from cline_cli.commands._keeping import Keeping
from cline_cli.commands._leftovers import Leftovers
from cline_cli.commands._mentioning import Mentioning
from cline_cli.commands._prompt import Prompt, Wanted, read_prompt
from cline_cli.commands._prose import describe_rules
from cline_cli.commands._redacting import Redacting, make_redactor
from cline_cli.commands._setting import open_sandbox, settle
from cline_cli.config.paths import Paths
from cline_cli.config.settings import Settings, load_settings
from cline_cli.conversation import Conversation
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, DeniedError, InternalError, StoppedError
from cline_cli.frontends._style import RED
from cline_cli.frontends.console.interactive import Interactive
from cline_cli.frontends.conversation import Completion, Standing
from cline_cli.frontends.figures import format_cost
from cline_cli.machine.sandbox import Sandbox
from cline_cli.redaction import MaskedBytes
from cline_cli.session.prompt_history import PromptHistory
from cline_cli.session.store import Header, Session
from cline_cli.text import one_line
from cline_cli.workspace.mentions import find_mentions

CLEAN_UP_S = 1.5
"""For the children and connections of a run that was stopped."""
_PIECES = (TextDelta, ThinkingDelta, ToolCallDelta, ToolProgress)


class Slash(NamedTuple):
    """A command of the session: a row of the table in slash.py."""

    help: str
    perform: Callable[[Chat, str], Awaitable[bool]]
    """Takes what was written behind the name; returns whether the session goes on."""
    argument: str = ""
    """What may be written there, for people."""
    complete: Callable[[Chat, str], Sequence[str]] = lambda _chat, _typed: ()
    """Returns what could be meant by what was written there so far."""


class Place(NamedTuple):
    """What surrounds a session, and does not change in it."""

    settings: Settings
    environment: Environment
    paths: Paths
    key: str | None = None
    """What -k gave, for the provider that was asked first."""


class Chat:
    """The host of an interactive session; made by `open_chat`, closed by `close`."""

    def __init__(  # each stands for itself
        self,
        asked: Asked,
        choice: composition.Chosen,
        place: Place,
        console: Interactive,
        history: PromptHistory,
        slash: Mapping[str, Slash],
    ) -> None:
        self.asked, self.place, self.console = asked, place, console
        self.slash = slash
        self.choice = choice
        self.options = asked.options
        self.greeting = ""
        self.spent_usd: float | None = 0.0
        self.usage = Usage(cost_usd=0.0)
        """Of the whole session so far."""
        self.asides: list[str] = []
        """What goes along with the next prompt."""
        self.keeping = self._keep_anew(None)
        self.conversation: Conversation
        self._history = history
        self._mentioning = Mentioning(
            asked.workspace, composition.command_variables(place.environment), place.environment.home
        )
        self._redacting = Redacting(make_redactor(choice, place.environment.variables))
        self._sandbox: Sandbox
        self._changes: Changes | None = None
        self._leftovers = Leftovers(is_sparing=asked.leaves_running)
        self._work: asyncio.Task[None] | None = None
        self._context_tokens = 0
        self._said: list[str] = []
        """What the model says in a message that is not whole yet."""

    async def open(self, session: Session | None) -> None:
        """Make ready for the first prompt.

        Raises:
            SandboxError: what is required is not to be had here.
        """
        self._sandbox = await open_sandbox(self.asked, self.place.environment, self.place.paths)
        self.keeping = self._keep_anew(session)
        setting = settle(self.asked, self.choice, self.place.environment, self.place.paths, self._sandbox)
        setting = setting._replace(
            messages=self.keeping.messages,
            read_roots=self.keeping.read_roots,
            question=self.console.front_end.inquire,
        )
        self.conversation = Conversation(
            self.choice, self.options, setting, self._approve, self.place.environment, self.place.paths
        )
        self._mentioning.refresh()

    async def close(self) -> None:
        """End what is left running, and let others have the session."""
        await self._mentioning.close()
        await self._leftovers.end()
        await self.conversation.close()
        self._sandbox.close(leaves=self.asked.leaves_running)
        self.keeping.close()

    @property
    def standing(self) -> Standing:
        """How things stand, for the line below the one that is typed in."""
        window = self.conversation.context_window
        percent = round(100 * self._context_tokens / window) if window and self._context_tokens else None
        cost = self.usage.cost_usd
        return Standing(
            self.options.mode,
            self.choice.model,
            self.options.auto_approve,
            percent,
            format_cost(cost, is_estimate=self.usage.is_estimate) if cost else "",
        )

    async def perform(self, line: str) -> bool:
        """Do what a line asks for; return whether the session goes on."""
        name, _, rest = line.strip().partition(" ")
        if name.startswith("/") and "/" not in name[1:] and "\n" not in name:
            return await self._perform_slash(name[1:], rest.strip())
        if line.startswith("!") and line[1:].strip():
            from cline_cli.commands._aside import run_aside  # lazy: few sessions run one

            await self._guarded(run_aside(self, line[1:].strip()))
            return True
        await self._guarded(self.ask(line))
        return True

    async def _perform_slash(self, name: str, rest: str) -> bool:
        found = [name] if name in self.slash else [one for one in self.slash if name and one.startswith(name)]
        if len(found) != 1:
            meant = f"Was it {' or '.join(f'/{one}' for one in found)}? " if found else ""
            await self.console.tell(f"cline: there is no /{one_line(name)}. {meant}/help lists them", RED)
            return True
        goes_on = True

        async def perform() -> None:
            nonlocal goes_on
            goes_on = await self.slash[found[0]].perform(self, rest)

        await self._guarded(perform())
        return goes_on

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Do something that can be stopped, and tell why it failed, if it did.

        Raises:
            OSError: the terminal is gone.
        """
        task = self._work = asyncio.ensure_future(work)
        await asyncio.wait({task})
        self._work = None
        if task.cancelled():
            await self._conclude(StoppedError())
            return
        failure = task.exception()
        if failure is None:
            return
        if isinstance(failure, OSError) and not isinstance(failure, ClineError):
            raise failure
        if not isinstance(failure, ClineError):
            failure = InternalError(failure, (self.choice.endpoint.key,))
        await self._conclude(failure)

    async def _conclude(self, error: ClineError) -> None:
        """Tell and keep how a prompt ended, if that has not been done."""
        if self._changes is not None:
            self._keep_said()
            await self._finish(self.conversation.run.agent.finish(error))
        elif isinstance(error, StoppedError):
            await self.console.tell("stopped")
        else:
            await self.tell_error(error)

    def stop(self) -> None:
        """End what goes on."""
        if self._work:
            self._work.cancel()

    def toggle_mode(self) -> None:
        """Plan from the next prompt on, or act."""
        self.options = replace(self.options, mode="plan" if self.options.mode == "act" else "act")

    async def complete(self, before: str) -> Sequence[Completion]:
        """Return what could stand for the end of a text."""
        if not before.startswith("/"):
            return await self._mentioning.complete(before)
        name, space, rest = before[1:].partition(" ")
        if space:
            row = self.slash.get(name)
            found = row.complete(self, rest) if row else ()
            return [Completion(text, len(rest), text) for text in found]
        return [
            Completion(f"/{one}{' ' if row.argument else ''}", len(before), f"/{one} {row.argument}".strip(), row.help)
            for one, row in self.slash.items()
            if one.startswith(name)
        ]

    def remember(self, line: str) -> None:
        """Keep a line for the histories of later sessions."""
        self._history.add(line)

    async def tell_error(self, error: ClineError) -> None:
        """Say why something failed."""
        self._redacting.redact(error)
        await self.console.tell(f"cline: {error}", RED)

    async def change(
        self, *, choice: composition.Chosen | None = None, options: composition.Options | None = None
    ) -> None:
        """Go on with another model or mode, in the same conversation."""
        if choice:
            self.choice = choice
            self._redacting = Redacting(make_redactor(choice, self.place.environment.variables))
        self.options = options or self.options
        self._context_tokens = 0 if choice else self._context_tokens
        await self._follow()

    async def go_on_with(self, session: Session | None) -> None:
        """Leave the conversation for another one, or for a new one."""
        self.keeping.close()
        session_id = session.id if session else composition.new_session_id()
        self.choice = self.choice._replace(endpoint=replace(self.choice.endpoint, session_id=session_id))
        self.keeping = self._keep_anew(session)
        self._context_tokens = 0
        self.asides.clear()
        setting = self.conversation.setting._replace(read_roots=self.keeping.read_roots)
        await self.conversation.change(choice=self.choice, setting=setting, messages=self.keeping.messages)

    async def _follow(self) -> None:
        """Make the conversation what was chosen, if it is not."""
        if self.conversation.options != self.options or self.conversation.choice != self.choice:
            await self.conversation.change(choice=self.choice, options=self.options)

    def _keep_anew(self, session: Session | None) -> Keeping:
        paths = self.place.paths
        header = Header(
            session_id=self.choice.endpoint.session_id,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            cwd=str(self.asked.workspace),
            provider=self.choice.endpoint.provider,
            model=self.choice.model,
            mode=self.options.mode,
        )
        folder = None if paths.is_homeless else paths.state / "sessions"
        return Keeping(session, folder, header, is_wanted=self.asked.is_kept, is_dry=False)

    async def compact(self) -> bool:
        """Make the conversation shorter; return whether anything could be left out."""
        await self._follow()
        is_shorter = False
        async for event in self.conversation.compact():
            is_shorter = is_shorter or isinstance(event, Compacted)
            if isinstance(event, UsageUpdated):
                self.usage = self.usage + event.usage
            else:
                self._record(event)
                await self.console.front_end.show(self._redacting.redact(event))
        self._context_tokens = 0 if is_shorter else self._context_tokens
        return is_shorter

    def reload_settings(self) -> None:
        """Take notice of what was saved in the meantime, of providers and keys; options of the session stay."""
        saved = load_settings(self.place.paths.settings_file)
        settings = replace(self.place.settings, provider=saved.provider, providers=saved.providers)
        self.place = self.place._replace(settings=settings)

    async def ask(self, text: str) -> None:
        """Run one prompt to its end.

        Raises:
            ClineError: there was nothing to run.
            OSError: the terminal is gone.
        """
        await self._follow()
        prompt = await self._read_prompt(text)
        new_roots = tuple(root for root in prompt.read_roots if root not in self.conversation.setting.read_roots)
        if new_roots:
            setting = self.conversation.setting
            await self.conversation.change(setting=setting._replace(read_roots=(*setting.read_roots, *new_roots)))
        agent = self.conversation.run.agent
        for notice in self.keeping.begin(self._redacting.redact(agent.system)):
            await self.console.tell(f"cline: {notice}")
        self._changes = self._open_changes()
        self._said.clear()
        message = UserMessage((*prompt.message.parts, *(TextPart(f"\n\n{aside}") for aside in self.asides)))
        self.asides.clear()
        async for told in self.conversation.prompt(message):
            for event in self._redacting.take(told):
                if isinstance(event, RunFinished):
                    await self._finish(event)
                else:
                    await self._pass_on(event)

    async def _pass_on(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._said.append(text)
            case MessageFinished() | ReplyDiscarded():
                self._said.clear()
            case UsageUpdated(usage):
                self._context_tokens = usage.input_tokens + usage.output_tokens
        if not isinstance(event, _PIECES) and (complaint := self._record(event)):
            await self.console.tell(f"cline: {complaint}")
        await self.console.front_end.show(event)

    async def _finish(self, finished: RunFinished) -> None:
        """Keep and show the end of a prompt, once."""
        changes, self._changes = self._changes, None
        if isinstance(finished.error, DeniedError):  # by the person who sits here, or told on the card of the call
            finished = replace(finished, error=None)
        await self._leftovers.end()
        if changes:
            finished = await changes.settle(finished)
        finished = self._redacting.redact(replace(finished, leftover_processes=self._leftovers.told))
        self._leftovers = Leftovers(is_sparing=self.asked.leaves_running)
        self.usage = self.usage + finished.usage
        self._record(finished)
        await self.console.front_end.show(finished)
        for process in finished.leftover_processes:
            fate = "was ended" if process.is_ended else "runs on"
            await self.console.tell(f"cline: what was left running {fate}: {one_line(process.command)} ({process.pid})")
        if finished.error:
            if isinstance(finished.error, StoppedError):
                await self.console.tell("stopped; what was done and said is kept")
            else:
                await self.tell_error(finished.error)

    def _keep_said(self) -> None:
        """Put what the model had said when it was stopped into the history: the next prompt may go on from there."""
        messages = self.conversation.messages
        text = "".join(self._said)
        self._said.clear()
        if text.strip() and messages and isinstance(messages[-1], UserMessage | ToolResult):
            usage = Usage(cost_usd=0.0)
            messages.append(AssistantMessage((TextPart(text),), "stop", usage, self.choice.model))

    def _record(self, event: Event) -> str:
        return self.keeping.record(event, self._redacting.history(self.conversation.messages))

    async def _read_prompt(self, text: str) -> Prompt:
        asked = self.asked
        mentions = find_mentions(text, asked.workspace, self.place.environment.home)
        for name in mentions.missing:
            await self.console.tell(f"cline: @{one_line(name)} is not attached: there is no such file")
        wanted = Wanted(
            typed=text.strip(),
            files=(),
            mode="ignore",
            requires_stdin=False,
            has_tools=self.options.has_tools,
            takes_images=self.choice.takes_images,
            max_bytes=asked.max_stdin_bytes,
            workspace=asked.workspace,
            open_spool=self.keeping.open_spool,
            make_mask=lambda: MaskedBytes(self._redacting.redactor),
            mentioned=mentions.paths,
        )
        environment = replace(self.place.environment, stdin=None, is_stdin_terminal=False)
        return await read_prompt(wanted, environment, self._tell)

    async def _tell(self, notice: str) -> None:
        await self.console.tell(f"cline: {one_line(self._redacting.redact(notice))}")

    async def tell_rules(self) -> None:
        """Say what was left out of the rules, and with -v which they are."""
        rules = self.conversation.run.rules
        for notice in describe_rules(rules, is_verbose=self.asked.manner.is_verbose):
            await self._tell(notice)

    async def _approve(self, tool: Tool, arguments: JsonObject) -> Allow | Deny:
        changes = self._changes or self._open_changes()
        policy = self.conversation.run.policy
        return await Approving(policy, changes, self.console.front_end.ask, self._tell)(tool, arguments)

    def _open_changes(self) -> Changes:
        return Changes(
            self.asked.workspace,
            self.asked.fate,
            self.choice.endpoint.session_id,
            composition.command_variables(self.place.environment),
            lambda: self.keeping.open_place(is_needed=False),
        )
