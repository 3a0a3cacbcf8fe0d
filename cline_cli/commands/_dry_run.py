"""`--dry-run`: what a run would be, told instead of begun."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cline_cli.agent.messages import JsonValue
from cline_cli.app import Chosen, Run
from cline_cli.commands._asked import Asked
from cline_cli.commands._prompt import Prompt
from cline_cli.text import one_line


def collect(
    asked: Asked, choice: Chosen, running: Run, prompt: Prompt, *, is_interactive: bool
) -> dict[str, JsonValue]:
    """Return what there is to know of the run, under names of JSON."""
    endpoint, agent, options = choice.endpoint, running.agent, asked.options
    request = agent.first_request(running.adapt(prompt.message))
    tail = f" (...{endpoint.key[-4:]})" if len(endpoint.key) >= 12 else ""
    limits = {
        "turns": options.limits.max_turns,
        "tokens": options.limits.max_total_tokens,
        "usd": options.limits.max_cost_usd,
        "seconds": asked.deadline.left_s and round(asked.deadline.left_s),
    }
    return {
        "provider": endpoint.provider,
        "url": endpoint.base_url or None,
        "model": choice.model,
        "key": f"{endpoint.key_source}{tail}" if endpoint.key else None,
        "mode": options.mode,
        "changes": _say_changes(asked, running, is_interactive=is_interactive),
        "folder": str(asked.workspace),
        "tools": [spec.name for spec in agent.offered],
        "rules": [rule.name for rule in (*running.rules.told, *running.rules.named)],
        "sessionMessages": len(agent.messages),
        "limits": {name: value for name, value in limits.items() if value is not None},
        "stdin": prompt.stdin,
        "requestBytes": agent.provider.measure(request),
    }


def describe(facts: Mapping[str, JsonValue]) -> str:
    """Return a line for each fact."""
    names = {name: re.sub("[A-Z]", lambda letter: f" {letter[0].lower()}", name) for name in facts}
    width = max(map(len, names.values())) + 2
    return "\n".join(f"{names[name]:<{width}}{one_line(_say(value))}" for name, value in facts.items())


def _say_changes(asked: Asked, running: Run, *, is_interactive: bool) -> str:
    if not running.agent.offered:
        return "cannot be made: there are no tools"
    if asked.options.mode == "plan":
        return "are denied"
    return "run" if asked.options.auto_approve else "are asked for" if is_interactive else "are denied"


def _say(value: JsonValue) -> str:
    if value is None or value in ([], {}):
        return "none"
    match value:
        case dict():
            return ", ".join(f"{name} {item}" for name, item in value.items())
        case list():
            return ", ".join(map(str, value))
    return str(value)
