"""What an interactive session does: it answers prompts one after the other, in one conversation that is kept.

    line ──> "/..." ──> slash.SLASH          a command of the session
        ├──> "!..." ──> _aside.run_aside     a command of the shell, whose output the model may get
        └──> a prompt ──> Conversation.prompt ──> Redacting ──> Keeping ──> front end

Stopping cancels the task of the prompt, waits for its clean-up, and keeps what it did and said.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from cline_cli import app as composition
from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import Compacted, Event, ToolProgress, UsageUpdated
from cline_cli.agent.messages import JsonObject, Usage
from cline_cli.agent.provider import TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.agent.tool import Tool
from cline_cli.commands._asked import Asked
from cline_cli.commands._keeping import Keeping
from cline_cli.commands._mentioning import Mentioning
from cline_cli.commands._prompting import Prompting
from cline_cli.commands._redacting import Redacting, make_redactor
from cline_cli.commands._setting import open_sandbox, settle
from cline_cli.config.paths import Paths
from cline_cli.config.settings import Settings, load_settings
from cline_cli.conversation import Conversation
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, InternalError, StoppedError
from cline_cli.frontends._style import RED
from cline_cli.frontends.console.interactive import Interactive
from cline_cli.frontends.conversation import Completion, Standing
from cline_cli.frontends.figures import format_cost
from cline_cli.machine.sandbox import Sandbox
from cline_cli.session.prompt_history import PromptHistory
from cline_cli.session.store import Header, Session
from cline_cli.text import one_line

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


class Commands(NamedTuple):
    """What a line may ask for besides a prompt."""

    slash: Mapping[str, Slash]
    run_aside: Callable[[Chat, str], Coroutine[None, None, None]]
    """Runs the command of a `!` line."""


class Place(NamedTuple):
    """What surrounds a session, and does not change in it."""

    settings: Settings
    environment: Environment
    paths: Paths
    key: str | None = None
    """What -k gave, for the provider that was asked first."""


class Chat:
    """The host of an interactive session; ready after `open`, until `close`."""

    def __init__(
        self,
        asked: Asked,
        choice: composition.Chosen,
        place: Place,
        console: Interactive,
        history: PromptHistory,
        commands: Commands,
    ) -> None:
        self.asked, self.place, self.console = asked, place, console
        self.slash, self._run_aside = commands
        self.choice = choice
        self.options = asked.options
        self.greeting = ""
        self.title = f"cline: {asked.workspace.name}"
        self.usage = Usage(cost_usd=0.0)
        """Of the whole session so far."""
        self.asides: list[str] = []
        """What goes along with the next prompt."""
        self.keeping = self._keep_anew(None)
        self.conversation: Conversation
        self._history = history
        self._mentioning = Mentioning(asked.workspace, composition.command_variables(place.environment))
        self._redacting = Redacting(make_redactor(choice, place.environment.variables))
        self._sandbox: Sandbox
        self._prompting: Prompting | None = None
        """The prompt that is being answered."""
        self._work: asyncio.Task[None] | None = None
        self._context_tokens = 0

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
            await self._guarded(self._run_aside(self, line[1:].strip()))
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

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Do something that can be stopped, and tell why it failed, if it did.

        Raises:
            OSError: the terminal is gone.
        """
        task = self._work = asyncio.create_task(work)
        await asyncio.wait({task})
        self._work = None
        failure = None if task.cancelled() else task.exception()
        if isinstance(failure, OSError):
            raise failure
        error = StoppedError() if task.cancelled() else self._to_error(failure)
        prompting, self._prompting = self._prompting, None
        if error:
            await self._conclude(error, prompting)
        if prompting:
            self.usage = self.usage + prompting.usage
            self._context_tokens = prompting.context_tokens or self._context_tokens

    def _to_error(self, failure: BaseException | None) -> ClineError | None:
        if failure is None or isinstance(failure, ClineError):
            return failure
        return InternalError(failure, (self.choice.endpoint.key,))

    async def _conclude(self, error: ClineError, prompting: Prompting | None) -> None:
        """Tell and keep how a line ended."""
        if prompting and prompting.is_begun:
            await prompting.conclude(error)
        elif isinstance(error, StoppedError):
            await self.console.tell("stopped")
        else:
            await self.console.tell(f"cline: {self._redacting.redact(error)}", RED)

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
            self.console.front_end.set_window(self.conversation.context_window)

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
        self._prompting = prompting = Prompting(
            self.asked,
            self.place.environment,
            self.conversation,
            self.keeping,
            self._redacting,
            self.console,
            tuple(self.asides),
        )
        await prompting.run(text)
        self.asides.clear()

    def _record(self, event: Event) -> str:
        return self.keeping.record(event, self._redacting.history(self.conversation.messages))

    async def _approve(self, tool: Tool, arguments: JsonObject) -> Allow | Deny:
        assert self._prompting, "calls come from a prompt"
        return await self._prompting.approve(tool, arguments)
