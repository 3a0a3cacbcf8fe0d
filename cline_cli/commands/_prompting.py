"""One prompt of an interactive session: from its text to its end, however that comes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import Event, MessageFinished, RunFinished, ToolProgress, UsageUpdated
from cline_cli.agent.messages import AssistantMessage, JsonObject, TextPart, ToolResult, Usage, UserMessage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.agent.tool import Tool
from cline_cli.app import command_variables
from cline_cli.commands._approving import Approving
from cline_cli.commands._asked import Asked
from cline_cli.commands._changes import Changes
from cline_cli.commands._keeping import Keeping
from cline_cli.commands._leftovers import Leftovers
from cline_cli.commands._prompt import Prompt, Wanted, read_prompt
from cline_cli.commands._redacting import Redacting
from cline_cli.conversation import Conversation
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, DeniedError, StoppedError
from cline_cli.frontends._style import RED
from cline_cli.frontends.console.interactive import Interactive
from cline_cli.redaction import MaskedBytes
from cline_cli.text import one_line
from cline_cli.workspace.mentions import find_mentions

_PIECES = (TextDelta, ThinkingDelta, ToolCallDelta, ToolProgress)
"""Of something that is kept when it is whole."""


@dataclass(slots=True)
class Prompting:
    asked: Asked
    environment: Environment
    conversation: Conversation
    keeping: Keeping
    redacting: Redacting
    console: Interactive
    asides: Sequence[str] = ()
    """What goes along with the prompt."""
    usage: Usage = Usage(cost_usd=0.0)
    """What it took."""
    context_tokens: int = 0
    """How long the conversation was at its last reply; 0 where there was none."""
    is_begun: bool = False
    is_over: bool = False
    """Its end has been kept, and is shown."""
    _changes: Changes = field(init=False)
    _leftovers: Leftovers = field(init=False)
    _said: list[str] = field(default_factory=list)
    """What the model says in a message that is not whole yet."""

    def __post_init__(self) -> None:
        self._leftovers = Leftovers(is_sparing=self.asked.leaves_running)
        self._changes = Changes(
            self.asked.workspace,
            self.asked.fate,
            self.conversation.choice.endpoint.session_id,
            command_variables(self.environment),
            lambda: self.keeping.open_place(is_needed=False),
        )

    async def run(self, text: str) -> None:
        """Ask, and show what happens, to its end.

        Raises:
            ClineError: there was nothing to ask.
            OSError: the terminal is gone.
        """
        prompt = await self._read(text)
        await self._open_roots(prompt)
        for notice in self.keeping.begin(self.redacting.redact(self.conversation.run.agent.system)):
            await self.tell(notice)
        self.is_begun = True
        message = UserMessage((*prompt.message.parts, *(TextPart(f"\n\n{aside}") for aside in self.asides)))
        async with aclosing(self.conversation.prompt(message)) as events:
            async for told in events:
                for event in self.redacting.take(told):
                    if isinstance(event, RunFinished):
                        await self._finish(event)
                    else:
                        await self._pass_on(event)

    async def conclude(self, error: ClineError) -> None:
        """Keep and show an end that came from outside, once."""
        if not self.is_over:
            self._keep_said()
            await self._finish(self.conversation.run.agent.finish(error))

    async def approve(self, tool: Tool, arguments: JsonObject) -> Allow | Deny:
        """Answer for a call, as the agent asks before it."""
        policy = self.conversation.run.policy
        return await Approving(policy, self._changes, self.console.front_end.ask, self.tell)(tool, arguments)

    async def tell(self, notice: str) -> None:
        """Say something that the person should know."""
        await self.console.tell(f"cline: {one_line(self.redacting.redact(notice))}")

    async def _pass_on(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._said.append(text)
            case MessageFinished() | ReplyDiscarded():
                self._said.clear()
            case UsageUpdated(usage):
                self.context_tokens = usage.input_tokens + usage.output_tokens
        if not isinstance(event, _PIECES) and (complaint := self._record(event)):
            await self.tell(complaint)
        await self.console.front_end.show(event)

    async def _finish(self, finished: RunFinished) -> None:
        self.is_over = True
        if isinstance(finished.error, DeniedError):  # by the person who sits here, or told on the card of the call
            finished = replace(finished, error=None)
        await self._leftovers.end()
        finished = await self._changes.settle(finished)
        finished = self.redacting.redact(replace(finished, leftover_processes=self._leftovers.told))
        self.usage = finished.usage
        self._record(finished)
        await self.console.front_end.show(finished)
        if told := await self._changes.close():
            await self.tell(told)
        for process in finished.leftover_processes:
            fate = "was ended" if process.is_ended else "runs on"
            await self.tell(f"what was left running {fate}: {one_line(process.command)} ({process.pid})")
        if isinstance(finished.error, StoppedError):
            await self.console.tell("stopped; what was done and said is kept")
        elif finished.error:
            await self.console.tell(f"cline: {finished.error}", RED)

    def _keep_said(self) -> None:
        """Put what the model had said when it was stopped into the history: the next prompt may go on from there."""
        messages = self.conversation.messages
        text = "".join(self._said)
        self._said.clear()
        if text.strip() and messages and isinstance(messages[-1], UserMessage | ToolResult):
            model = self.conversation.choice.model
            messages.append(AssistantMessage((TextPart(text),), "stop", Usage(cost_usd=0.0), model))

    def _record(self, event: Event) -> str:
        return self.keeping.record(event, self.redacting.history(self.conversation.messages))

    async def _open_roots(self, prompt: Prompt) -> None:
        """Let the model read what the prompt refers to outside of the workspace."""
        setting = self.conversation.setting
        roots = tuple(root for root in prompt.read_roots if root not in setting.read_roots)
        if roots:
            await self.conversation.change(setting=setting._replace(read_roots=(*setting.read_roots, *roots)))

    async def _read(self, text: str) -> Prompt:
        asked, choice = self.asked, self.conversation.choice
        mentions = find_mentions(text, asked.workspace, self.environment.home)
        for name in mentions.missing:
            await self.tell(f"@{name} is not attached: there is no such file")
        wanted = Wanted(
            typed=text.strip(),
            files=(),
            mode="ignore",
            requires_stdin=False,
            has_tools=asked.options.has_tools,
            takes_images=choice.takes_images,
            max_bytes=asked.max_stdin_bytes,
            workspace=asked.workspace,
            open_spool=self.keeping.open_spool,
            make_mask=lambda: MaskedBytes(self.redacting.redactor),
            mentioned=mentions.paths,
        )
        environment = replace(self.environment, stdin=None, is_stdin_terminal=False)
        return await read_prompt(wanted, environment, self.tell)
