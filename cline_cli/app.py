"""The composition root: from what was asked, set up and found to an agent that can run.

    choose   settings, flags, variables -> provider, model, address, key
    build    these, a folder and an approval -> Run

Reaches providers and tools through their tables only, so that adding one never changes this file.
"""

from __future__ import annotations

import datetime
import os
import platform
import secrets
import string
import time
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.approval import Approve
from cline_cli.agent.limits import Limits
from cline_cli.agent.loop import Agent
from cline_cli.agent.messages import TextPart, UserMessage
from cline_cli.agent.prompt import Facts, compact_system_prompt, describe, system_prompt
from cline_cli.agent.provider import Effort, Provider
from cline_cli.config.credentials import Recipient, find_key, open_stores
from cline_cli.config.paths import Paths
from cline_cli.config.settings import Settings, choose_provider, find_base_url
from cline_cli.environment import Environment
from cline_cli.errors import UsageError
from cline_cli.machine.process import child_variables, end_leftovers
from cline_cli.network.http import Network
from cline_cli.policy.decide import Mode
from cline_cli.providers import PROVIDERS, Endpoint, Row, require
from cline_cli.text import visible
from cline_cli.tools import Toolbox, Workplace, build_tools
from cline_cli.workspace.confinement import Confinement

NAMES_TOLD = 60
"""How many names of the working directory a model is told."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked to be, whoever asked."""

    provider: str | None = None
    model: str | None = None
    system: str | None = None
    mode: Mode = "act"
    auto_approve: bool = False
    has_tools: bool = True
    limits: Limits = Limits()
    effort: Effort | int | None = None


class Chosen(NamedTuple):
    """Who is asked."""

    row: Row
    endpoint: Endpoint
    model: str
    notices: tuple[str, ...]
    """What the person should know of it, a line each."""


@dataclass(frozen=True, slots=True)
class Run:
    """An agent with what it holds open."""

    agent: Agent
    network: Network
    surroundings: str
    """What goes to the end of the prompt, for a model whose system prompt must always be the same; or empty."""

    def adapt(self, prompt: UserMessage) -> UserMessage:
        return UserMessage((*prompt.parts, TextPart(f"\n\n{self.surroundings}"))) if self.surroundings else prompt

    async def close(self) -> None:
        """End what the run left running, and let go of connections."""
        try:
            await end_leftovers()
        finally:
            await self.agent.provider.close()
            await self.network.close()


def choose(
    options: Options, key_flag: str | None, settings: Settings, environment: Environment, paths: Paths
) -> Chosen:
    """Settle provider, model, address and key: flag before environment before settings before the table.

    `key_flag` is what `-k` gave; it stands apart so that no key travels among the options.

    Raises:
        UsageError: there is no such provider, or no model can be told.
        NotSignedInError: there is no key, or none that can be used.
    """
    variables = environment.variables
    found = choose_provider(
        options.provider, variables, settings, {name: row.key_variables for name, row in PROVIDERS.items()}
    )
    name, row = require(found.provider if found else "cline")
    notices: tuple[str, ...] = ()
    if found and found.others:
        notices = (f"using {name}; there are also keys for {', '.join(found.others)} (choose with -P)",)
    saved = settings.of(name)
    model = options.model or variables.get("CLINE_MODEL") or saved.model or row.default_model
    if not model:
        raise UsageError(f"{name} has no default model", "Name one with -m")
    base_url = find_base_url(name, row.base_url, variables, settings)
    key, source, has_other = "", "", False
    if row.key_variables:
        recipient = Recipient(name, row.key_variables, base_url, row.base_url)
        secret = find_key(recipient, key_flag, variables, settings, open_stores(paths, environment.home))
        key, source, has_other = secret.value, secret.source, secret.also_saved
        notices += (secret.notice,) if secret.notice else ()
    return Chosen(row, Endpoint(name, base_url, key, source, _new_session_id(), has_other), model, notices)


def build(
    choice: Chosen, options: Options, workspace: Path, approve: Approve, environment: Environment, paths: Paths
) -> Run:
    """Put an agent together; nothing is sent or started yet."""
    network = Network(variables=environment.variables)
    provider: Provider = import_module(f"cline_cli.providers.{choice.row.module}").connect(
        choice.endpoint, network, paths
    )
    facts = _gather(workspace, options, environment) if options.has_tools else None
    toolbox = Toolbox({}, ())
    if options.has_tools:
        toolbox = build_tools(_workplace(workspace, options, environment), only_reads=options.mode == "plan")
    is_compact = choice.row.is_compact
    return Run(
        Agent(
            provider=provider,
            model=choice.model,
            system=_system(options, facts, is_compact=is_compact),
            tools=toolbox.tools,
            offered=toolbox.offered,
            approve=approve,
            limits=options.limits,
            effort=options.effort,
        ),
        network,
        describe(facts) if facts and is_compact else "",
    )


def _workplace(workspace: Path, options: Options, environment: Environment) -> Workplace:
    keys = {variable for row in PROVIDERS.values() for variable in row.key_variables}
    confinement = Confinement(workspace, environment.home, allows_outside=options.auto_approve)
    return Workplace(confinement, child_variables(environment.variables, keys))


def _system(options: Options, facts: Facts | None, *, is_compact: bool) -> str:
    if facts is None:
        return options.system or ""
    if is_compact:
        return options.system or compact_system_prompt()
    return f"{options.system}\n\n{describe(facts)}" if options.system else system_prompt(facts)


def _gather(workspace: Path, options: Options, environment: Environment) -> Facts:
    can_change = options.mode == "act" and (options.auto_approve or environment.is_interactive)
    return Facts(
        cwd=str(workspace),
        entries=_list_names(workspace),
        platform=platform.system(),
        date=datetime.datetime.now().astimezone().date().isoformat(),
        mode=options.mode,
        approval=("auto" if options.auto_approve else "asked") if can_change else "denied",
    )


def _list_names(workspace: Path) -> tuple[str, ...]:
    """Return what lies in the folder, in order; no more is looked at than is told."""
    try:
        with os.scandir(workspace) as entries:
            names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in islice(entries, NAMES_TOLD)]
    except OSError:
        return ()
    return tuple(sorted(visible(name) for name in names if name != ".git/"))


def _new_session_id() -> str:
    """Return an id of the original command's form: the time in milliseconds, and five random characters."""
    letters = string.ascii_lowercase + string.digits
    return f"{time.time_ns() // 1_000_000}_{''.join(secrets.choice(letters) for _ in range(5))}"
