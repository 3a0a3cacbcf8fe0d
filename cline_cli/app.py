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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.answer import CheckAnswer
from cline_cli.agent.approval import Approve
from cline_cli.agent.budget import Price
from cline_cli.agent.compaction import Mode as Compaction
from cline_cli.agent.compactor import UNKNOWN_WINDOW_TOKENS, Window
from cline_cli.agent.limits import Limits
from cline_cli.agent.loop import Agent
from cline_cli.agent.messages import JsonObject, Message, TextPart, UserMessage
from cline_cli.agent.prompt import Facts, compact_system_prompt, describe, describe_rules, system_prompt
from cline_cli.agent.provider import Effort, Provider
from cline_cli.catalog.models import ModelFacts, facts, output_limit
from cline_cli.config.credentials import FLAG_VARIABLE, Recipient, find_key, find_optional_key, open_stores
from cline_cli.config.paths import Paths
from cline_cli.config.settings import Settings, choose_provider, find_base_url
from cline_cli.environment import Environment
from cline_cli.errors import UsageError
from cline_cli.machine.process import child_variables, end_leftovers
from cline_cli.machine.sandbox import Report, Sandbox, Wanted
from cline_cli.network.http import IDLE_S, REQUEST_S, Network
from cline_cli.policy.decide import Action, Mode, Policy
from cline_cli.policy.rules import Rules
from cline_cli.providers import KEY_VARIABLES, PROVIDERS, Endpoint, Row, require
from cline_cli.text import visible
from cline_cli.tools import Toolbox, Workplace, build_tools
from cline_cli.workspace.confinement import Confinement
from cline_cli.workspace.ignored import find_ignored, nothing
from cline_cli.workspace.rules import Rules as ProjectRules

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
    sandbox: Wanted = Wanted("off")
    rules: tuple[Rules, ...] = ()
    """What may run, and what may not, as its owners wrote it."""
    has_tools: bool = True
    limits: Limits = Limits()
    compaction: Compaction = "agentic"
    idle_s: float = IDLE_S
    """For how long a provider may send nothing."""
    request_s: float = REQUEST_S
    """How long one request may take, to the last byte of its reply."""
    effort: Effort | int | None = None
    schema: JsonObject | None = None
    """What the answer has to satisfy."""


class Chosen(NamedTuple):
    """Who is asked."""

    row: Row
    endpoint: Endpoint
    model: str
    notices: tuple[str, ...]
    """What the person should know of it, a line each."""
    price: Price | None = None
    """None where it is not known."""
    takes_images: bool | None = None
    """None where it is not known."""


@dataclass(frozen=True, slots=True)
class Run:
    """An agent with what it holds open."""

    agent: Agent
    network: Network
    policy: Policy
    rules: ProjectRules
    sandbox: Sandbox
    surroundings: str
    """What goes to the end of the prompt, for a model whose system prompt must always be the same; or empty."""

    def adapt(self, prompt: UserMessage) -> UserMessage:
        return UserMessage((*prompt.parts, TextPart(f"\n\n{self.surroundings}"))) if self.surroundings else prompt

    async def close(self, *, leaves: bool = False) -> None:
        """End what commands left running, unless it is to live on, and let go of connections."""
        try:
            if not leaves:
                await end_leftovers()
        finally:
            self.sandbox.close(leaves=leaves)
            await self.agent.provider.close()
            await self.network.close()


def choose(
    options: Options, key_flag: str | None, settings: Settings, environment: Environment, paths: Paths, session_id: str
) -> Chosen:
    """Settle provider, model, address and key: flag before environment before settings before the table.

    `key_flag` is what `-k` gave; it stands apart so that no key travels among the options.

    Raises:
        UsageError: there is no such provider, no model can be told, or its price is needed and not known.
        NotSignedInError: there is no key, or none that can be used.
    """
    variables = environment.variables
    found = choose_provider(options.provider, variables, settings, KEY_VARIABLES)
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
        find = find_optional_key if row.is_key_optional else find_key
        secret = find(recipient, key_flag, variables, settings, open_stores(paths, environment.home))
        if secret:
            key, source, has_other = secret.value, secret.source, secret.also_saved
            notices += (secret.notice,) if secret.notice else ()
    known = find_facts(name, row, model)
    price = _find_price(row, known)
    if price is None and options.limits.max_cost_usd is not None:
        raise UsageError(f"--max-cost cannot be kept: the price of {model} is not known", "Use --max-total-tokens")
    endpoint = Endpoint(name, base_url, key, source, session_id, has_other)
    return Chosen(row, endpoint, model, notices, price, _takes_images(row, known))


def find_facts(provider: str, row: Row, model: str) -> ModelFacts | None:
    """Return what is known of a model at a provider, or None.

    A server of one's own says nowhere how much it loaded of a model and what it costs: that is not known, and not 0.
    """
    known = facts(model, provider)
    if known and row.is_key_optional:
        return known._replace(
            context_window=None,
            max_output_tokens=None,
            input_usd=None,
            output_usd=None,
            cache_read_usd=None,
            cache_write_usd=None,
        )
    return known


def _find_price(row: Row, known: ModelFacts | None) -> Price | None:
    if row.is_compact:  # it runs on this machine
        return Price(0, 0)
    if known is None or known.input_usd is None or known.output_usd is None:
        return None
    return Price(known.input_usd, known.output_usd, known.cache_read_usd, known.cache_write_usd)


def _takes_images(row: Row, known: ModelFacts | None) -> bool | None:
    if row.is_compact:
        return False
    return known.takes_images if known else None


class Setting(NamedTuple):
    """Where a run works, and what it goes on from."""

    workspace: Path
    messages: tuple[Message, ...] = ()
    """Of the session that is gone on with."""
    read_roots: tuple[Path, ...] = ()
    """Folders outside the workspace that may be read."""
    sandbox: Sandbox = Sandbox(Report())
    """What confines commands."""
    rules: ProjectRules = ProjectRules()
    """What the project and the user want, in prose."""
    question: Callable[[str, tuple[str, ...]], Awaitable[str]] | None = None
    """Puts a question of the model's to the person."""
    write_roots: tuple[Path, ...] | None = None
    """Where files may be written, if not everywhere."""
    protected: tuple[Path, ...] = ()
    """What no tool may change: our own settings and sessions."""


def build(
    choice: Chosen, options: Options, setting: Setting, approve: Approve, environment: Environment, paths: Paths
) -> Run:
    """Put an agent together; nothing is sent or started yet."""
    network = Network(idle_s=options.idle_s, request_s=options.request_s, variables=environment.variables)
    provider: Provider = import_module(f"cline_cli.providers.{choice.row.module}").connect(
        choice.endpoint, network, paths
    )
    surroundings = _gather(setting, options, environment) if options.has_tools else None
    confinement = Confinement(
        setting.workspace,
        environment.home,
        allows_outside=options.auto_approve,
        read_roots=setting.read_roots,
        write_roots=setting.write_roots,
        protected=setting.protected,
        is_ignored=find_ignored(setting.workspace) if options.has_tools else nothing,
    )
    policy = Policy(
        options.mode, options.auto_approve, environment.is_interactive, options.rules, confinement.leads_outside
    )
    toolbox = Toolbox({}, ())
    if options.has_tools:
        toolbox = build_tools(
            Workplace(
                confinement,
                command_variables(environment),
                setting.sandbox,
                policy.allows_host,
                lambda host: policy.judge((Action("fetch", host),)).kind == "allow",
                setting.question if environment.is_interactive else None,
            ),
            policy.may_ever,
            edits_by="apply_patch" if _edits_by_patch(choice) else "editor",
        )
    is_compact = choice.row.is_compact
    return Run(
        Agent(
            provider=provider,
            model=choice.model,
            system=_system(options, surroundings, is_compact=is_compact),
            tools=toolbox.tools,
            offered=toolbox.offered,
            approve=approve,
            limits=replace(options.limits, price=choice.price),
            max_tokens=output_limit(choice.model) if options.limits.max_cost_usd is not None else None,
            effort=options.effort,
            schema=options.schema,
            check=_checker(options.schema),
            window=_find_window(choice, options.compaction),
            messages=list(setting.messages),
        ),
        network,
        policy,
        setting.rules,
        setting.sandbox,
        describe(surroundings) if surroundings and is_compact else "",
    )


def _find_window(choice: Chosen, mode: Compaction) -> Window:
    """Return what a request may take to read: the model's window less the output that is asked for, half at least."""
    if choice.row.is_compact:  # its provider makes the history fit by itself
        return Window("off", 0)
    known = find_facts(choice.endpoint.provider, choice.row, choice.model)
    window_tokens = (known.context_window if known else None) or UNKNOWN_WINDOW_TOKENS
    return Window(mode, max(window_tokens // 2, window_tokens - (output_limit(choice.model) or 0)))


def _edits_by_patch(choice: Chosen) -> bool:
    known = find_facts(choice.endpoint.provider, choice.row, choice.model)
    return known is not None and known.edit_format == "patch"


def _checker(schema: JsonObject | None) -> CheckAnswer | None:
    if schema is None:
        return None
    from cline_cli.schema import AnswerCheck  # lazy: few runs have a schema

    return AnswerCheck(schema)


def command_variables(environment: Environment) -> Mapping[str, str]:
    """Return the environment of commands: without any key of ours."""
    keys = {FLAG_VARIABLE, *(variable for row in PROVIDERS.values() for variable in row.key_variables)}
    return child_variables(environment.variables, keys)


def _system(options: Options, surroundings: Facts | None, *, is_compact: bool) -> str:
    prompt = _base_prompt(options, surroundings, is_compact=is_compact)
    if options.schema is None:
        return prompt
    from cline_cli.schema import schema_instructions  # lazy: as above

    return f"{prompt}\n\n{schema_instructions(options.schema)}".lstrip()


def _base_prompt(options: Options, surroundings: Facts | None, *, is_compact: bool) -> str:
    if surroundings is None:
        return options.system or ""
    if is_compact:
        return options.system or compact_system_prompt()
    if options.system:
        return f"{options.system}\n\n{describe(surroundings)}{describe_rules(surroundings)}"
    return system_prompt(surroundings)


def _gather(setting: Setting, options: Options, environment: Environment) -> Facts:
    workspace = setting.workspace
    can_change = options.mode == "act" and (options.auto_approve or environment.is_interactive)
    return Facts(
        cwd=str(workspace),
        entries=_list_names(workspace),
        platform=platform.system(),
        date=datetime.datetime.now().astimezone().date().isoformat(),
        mode=options.mode,
        approval=("auto" if options.auto_approve else "asked") if can_change else "denied",
        rules=tuple((rule.name, rule.text) for rule in setting.rules.told),
        named_rules=tuple((rule.name, rule.paths) for rule in setting.rules.named),
    )


def _list_names(workspace: Path) -> tuple[str, ...]:
    """Return what lies in the folder, in order; no more is looked at than is told."""
    try:
        with os.scandir(workspace) as entries:
            names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in islice(entries, NAMES_TOLD)]
    except OSError:
        return ()
    return tuple(sorted(visible(name) for name in names if name != ".git/"))


def new_session_id() -> str:
    """Return an id of the original command's form: the time in milliseconds, and five random characters."""
    letters = string.ascii_lowercase + string.digits
    return f"{time.time_ns() // 1_000_000}_{''.join(secrets.choice(letters) for _ in range(5))}"
