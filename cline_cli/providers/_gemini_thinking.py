"""How long a model of Gemini may think: a budget in tokens up to 2.5, a level since 3. Pure.

Budgets, levels and who takes which: ai.google.dev/gemini-api/docs/generate-content/thinking, and for what a level is in
tokens ai.google.dev/gemini-api/docs/openai, read 2026-11. A level that a model does not know is a 400 (3.7 Flash and
3.1 Pro refuse MINIMAL), so nothing lower than LOW is asked of a model that is not known to take it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.provider import Effort

UNKNOWN = 0.0
"""The generation of a model whose name does not tell."""

# Texts, compiled when they are first needed.
_GENERATION = r"gemini-(\d+(?:\.\d+)?)"
_LATEST = r"gemini-[a-z-]+-latest"
_LATEST_GENERATION = 3.0
_TAKES_MINIMAL = r"flash-lite|gemini-3-flash"

_LEVELS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH"}
_BUDGETS = {"none": 0, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768}


class _Limits(NamedTuple):
    """Of the budget, in tokens."""

    lowest: int
    highest: int
    can_be_off: bool


def generation_of(model: str) -> float:
    """Return 2.5 for "gemini-2.5-pro", 3.0 for "gemini-flash-latest", UNKNOWN for a name without a number."""
    match = re.search(_GENERATION, model.lower())
    if match:
        return float(match[1])
    return _LATEST_GENERATION if re.search(_LATEST, model.lower()) else UNKNOWN


def thinking_config(model: str, effort: Effort | int | None, max_tokens: int | None = None) -> JsonObject:
    """Return the `thinkingConfig` for a model, which also asks for its thoughts; empty where there is none to send.

    `max_tokens` are those of thoughts and answer together: no more than half of them are for the thoughts.
    """
    generation = generation_of(model)
    if generation == 2.5:
        return _in_tokens(model.lower(), effort, max_tokens)
    if UNKNOWN < generation < 2.5:
        return {}
    if effort is None:
        return {"includeThoughts": True} if generation else {}
    if effort in {"none", 0}:
        return {"thinkingLevel": "MINIMAL" if re.search(_TAKES_MINIMAL, model.lower()) else "LOW"}
    level = effort if isinstance(effort, str) else "low" if effort <= 4096 else "medium" if effort <= 16_384 else "high"
    return {"thinkingLevel": _LEVELS[level], "includeThoughts": True}


def _in_tokens(model: str, effort: Effort | int | None, max_tokens: int | None) -> JsonObject:
    """Any other budget is brought within the model's limits. Thoughts are not asked for where there are none."""
    limits = _limits_of(model)
    if effort is None:
        return {} if "lite" in model else {"includeThoughts": True}
    budget = _BUDGETS[effort] if isinstance(effort, str) else effort
    if not budget:
        return {"thinkingBudget": 0 if limits.can_be_off else limits.lowest}
    highest = min(limits.highest, max_tokens // 2) if max_tokens else limits.highest
    return {"thinkingBudget": max(min(budget, highest), limits.lowest), "includeThoughts": True}


def _limits_of(model: str) -> _Limits:
    if "pro" in model:
        return _Limits(128, 32_768, can_be_off=False)
    return _Limits(512 if "lite" in model else 1, 24_576, can_be_off=True)
