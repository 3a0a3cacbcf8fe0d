"""An agent that is asked again and again: what may change between two prompts, and what stays.

change, clear ──> app.build ──> Run, with the history and what was allowed "always"
prompt ─────────> Agent.run ──> events
compact ────────> a shorter history
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib import import_module

from cline_cli.agent.approval import Approve
from cline_cli.agent.events import Event
from cline_cli.agent.messages import Message, UserMessage
from cline_cli.app import Chosen, Options, Run, Setting, build, find_facts
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment


@dataclass(slots=True)
class Conversation:
    choice: Chosen
    options: Options
    setting: Setting
    approve: Approve
    environment: Environment
    paths: Paths
    run: Run = field(init=False)

    def __post_init__(self) -> None:
        self.run = self._build()

    @property
    def messages(self) -> list[Message]:
        """The history; it is the agent's own."""
        return self.run.agent.messages

    @property
    def context_window(self) -> int | None:
        """How many tokens the model can read in all; None where it is not known."""
        choice = self.choice
        known = find_facts(choice.endpoint.provider, choice.row, choice.model)
        return known.context_window if known else None

    async def prompt(self, message: UserMessage) -> AsyncGenerator[Event, None]:
        """Ask, and yield what happens; the last event is RunFinished, unless this is cancelled."""
        self._renew()
        async with aclosing(self.run.agent.run(self.run.adapt(message))) as events:
            async for event in events:
                yield event

    async def compact(self) -> AsyncGenerator[Event, None]:
        """Replace the older part of the history by something shorter; yields Compacted where that was possible."""
        self._renew()
        async with aclosing(self.run.agent.compact()) as events:
            async for event in events:
                yield event

    async def change(
        self,
        *,
        choice: Chosen | None = None,
        options: Options | None = None,
        setting: Setting | None = None,
        messages: Sequence[Message] | None = None,
    ) -> None:
        """Go on with another model, mode, place or history; what is not given stays."""
        kept = tuple(self.messages if messages is None else messages)
        remembered = self.run.policy.remembered
        await self._let_go()
        self.choice, self.options = choice or self.choice, options or self.options
        self.setting = (setting or self.setting)._replace(messages=kept)
        self.run = self._build()
        self.run.policy.remembered[:] = remembered

    async def close(self) -> None:
        """End what commands left running, and let go of connections."""
        await self.run.close()

    def _build(self) -> Run:
        return build(self.choice, self.options, self.setting, self.approve, self.environment, self.paths)

    def _renew(self) -> None:
        """Give the provider its patience back: a server that failed in an earlier run is asked as often in this one."""
        choice = self.choice
        if not choice.row.is_compact:  # it holds a model in its memory, and asks no server
            module = import_module(f"cline_cli.providers.{choice.row.module}")
            self.run.agent.provider = module.connect(choice.endpoint, self.run.network, self.paths)

    async def _let_go(self) -> None:
        await self.run.agent.provider.close()
        await self.run.network.close()
