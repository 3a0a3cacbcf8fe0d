"""How long a model of OpenAI's may be told to think: which levels it takes, and which of them is meant. Pure.

Sources: the comments of `reasoning.effort` in OpenAI's API description (openai-python 3.57), its pages on single models
and what its errors list as supported values, all read 2026-11. A level that a model does not take is an error there.
"""

from __future__ import annotations

import re

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.provider import Effort
from cline_cli.catalog.models import facts

_SCALE = ("none", "minimal", "low", "medium", "high", "xhigh")
_LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"gpt-[34]|chatgpt|gpt-5-chat", ()),
    (r"gpt-[\d.]+-chat", ("medium",)),
    (r"gpt-5-pro", ("high",)),
    (r"gpt-[\d.]+-pro", ("medium", "high", "xhigh")),
    (r"gpt-5\.1-codex-max|gpt-[\d.]+-astra", ("low", "medium", "high", "xhigh")),
    (r"o\d|codex|gpt-5(\.1)?-codex", ("low", "medium", "high")),
    (r"gpt-5(-|$)", ("minimal", "low", "medium", "high")),
    (r"gpt-5\.1", ("none", "low", "medium", "high")),
    (r"gpt-([5-9]|\d\d)", ("none", "low", "medium", "high", "xhigh")),
)
"""The first that a name begins with counts; no levels are those of a model that does not reason."""


def reasons(model: str) -> bool:
    """Return whether a model is known to think before it answers."""
    levels = _levels_of(model)
    if levels is not None:
        return bool(levels)
    known = facts(model)
    return bool(known and known.reasons)


def choose_effort(model: str, effort: Effort | int | None) -> str | None:
    """Return the level to ask for, the nearest that the model takes; None for none at all.

    A budget in tokens becomes a level first. A model that nothing is known of is asked for what was given.
    """
    levels = _levels_of(model)
    if effort is None or levels == ():
        return None
    level = effort if isinstance(effort, str) else _to_level(effort)
    if levels is None:
        return level
    wanted = _SCALE.index(level)
    return min(levels, key=lambda name: abs(_SCALE.index(name) - wanted))


def reasoning_options(model: str, effort: Effort | int | None, *, has_summary: bool) -> JsonObject:
    """Return the parts of a request's body that are about thinking; `has_summary` asks for a summary of it."""
    level = choose_effort(model, effort)
    if level is None and not reasons(model):
        return {}
    summary = {"summary": "auto"} if has_summary and level != "none" else {}
    reasoning = {**({"effort": level} if level else {}), **summary}
    return {"reasoning": reasoning} if reasoning else {}


def _levels_of(model: str) -> tuple[str, ...] | None:
    """Return the levels that a model takes; None where that is not known."""
    name = model.lower().rpartition("/")[2]
    return next((levels for pattern, levels in _LEVELS if re.match(pattern, name)), None)


def _to_level(budget_tokens: int) -> str:
    if budget_tokens <= 0:
        return "none"
    return "low" if budget_tokens <= 4096 else "medium" if budget_tokens <= 16384 else "high"
