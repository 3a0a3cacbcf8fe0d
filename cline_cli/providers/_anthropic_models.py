"""What Anthropic's models take: how they are told to think, how much they give at most. Pure.

By generation, which the name tells. Sources, read 2026-11: platform.claude.com/docs, "Thinking", "Effort", "Structured
outputs" and "What's new in Claude Opus 5.5" (Sonnet 5.5, Haiku 5.5); the types of Anthropic's Python SDK 2.14. Models
of others that are served in this format are taken for those of the generation with budgets, as their makers do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.provider import Effort, Request
from cline_cli.catalog.models import facts, output_limit

LEAST_BUDGET = 1024
"""Tokens; less is refused. As much is left for the answer."""
_LARGE_ANSWER = 32_000
"""Tokens; each model since 3.7 can give as many."""
_SMALL_ANSWER = 8192

# A text, compiled when it is first needed.
_NAME = r"claude-(?:([a-z]+)-)?(\d{1,2})(?!\d)(?:[.-](\d{1,2})(?!\d))?(?:-([a-z]+))?"
"""`claude-sonnet-4-6`, `claude-3-7-sonnet-20250219`, `claude-sonnet-4-20250514`, which has no second number."""
_BUDGETS: Mapping[str, int] = {"low": 4096, "medium": 16_384, "high": 32_768, "xhigh": 49_152}


class Plan(NamedTuple):
    """How a request says what is asked of the model."""

    max_tokens: int
    """Of thinking and answer together."""
    thinking: JsonObject
    """The value of `thinking`; empty where none is to be sent."""
    effort: str = ""
    """The value of `output_config.effort`; empty where none is to be sent."""


class _Model(NamedTuple):
    family: str
    version: tuple[int, int]

    @property
    def is_adaptive(self) -> bool:
        """It decides itself how much it thinks, guided by the effort."""
        return self.family == "mythos" or self.version >= (4, 6)

    @property
    def takes_xhigh(self) -> bool:
        return self.version >= (4, 7)

    @property
    def always_thinks(self) -> bool:
        return self.family in {"fable", "mythos"} or (self.family == "opus" and self.version >= (5, 5))


def takes_schema(model: str) -> bool:
    """Return whether the model can be held to a JSON schema."""
    known = _read(model)
    return known is not None and (known.is_adaptive or known.version >= (4, 5))


def plan(request: Request, *, most_tokens: int | None = None, may_think: bool = True) -> Plan:
    """Return what to ask of the request's model.

    `most_tokens` is what the server gives at most, where it has said so. A budget stays below the tokens that are asked
    for: it shrinks where their number was given, and is added where it was not.
    """
    known = _read(request.model)
    asked = request.max_tokens or _usual_limit(request.model, known)
    limit = min(asked, most_tokens or asked)
    if not may_think or request.effort is None or (known and known.version < (3, 7)):
        return Plan(limit, {})
    if request.effort in {"none", 0}:
        return _without_thinking(known, limit)
    if known and known.is_adaptive:
        level = request.effort if isinstance(request.effort, str) else _level_of(request.effort)
        # without `display`, the newer ones keep what they think to themselves
        return Plan(limit, {"type": "adaptive", "display": "summarized"}, _effort_of(known, level))
    budget = max(LEAST_BUDGET, _BUDGETS[request.effort] if isinstance(request.effort, str) else request.effort)
    if not request.max_tokens:
        limit = min(asked + budget, most_tokens or _most(request.model, known) or asked + budget)
    budget = min(budget, limit - LEAST_BUDGET)
    thinking: JsonObject = {"type": "enabled", "budget_tokens": budget} if budget >= LEAST_BUDGET else {}
    return Plan(limit, thinking)


def _read(model: str) -> _Model | None:
    """Return what the name tells; None for a model that is not Anthropic's, or has no version in its name."""
    name = model.lower()
    if "claude-mythos-preview" in name:
        return _Model("mythos", (4, 6))
    found = re.search(_NAME, name)
    if not found:
        return None
    return _Model(found[1] or found[4] or "", (int(found[2]), int(found[3] or 0)))


def _without_thinking(known: _Model | None, limit: int) -> Plan:
    if known and known.always_thinks:
        return Plan(limit, {"type": "adaptive"}, "low")
    if known and known.family == "sonnet" and known.version >= (5, 5):
        return Plan(limit, {"type": "between_tools"})
    return Plan(limit, {"type": "disabled"})


def _level_of(budget: int) -> Effort:
    """Return the smallest level whose budget is not below this one."""
    return "low" if budget <= 4096 else "medium" if budget <= 16_384 else "high" if budget <= 32_768 else "xhigh"


def _effort_of(known: _Model, level: Effort) -> str:
    return "max" if level == "xhigh" and not known.takes_xhigh else level


def _usual_limit(model: str, known: _Model | None) -> int:
    """Return how many tokens to ask for: this format has no request without a number."""
    limit = output_limit(model)
    if limit:
        return limit
    if known is None:
        return _SMALL_ANSWER
    return _LARGE_ANSWER if known.version >= (3, 7) else _SMALL_ANSWER if known.version >= (3, 5) else 4096


def _most(model: str, known: _Model | None) -> int | None:
    catalogued = facts(model)
    if catalogued and catalogued.max_output_tokens:
        return catalogued.max_output_tokens
    return None if known is None else _LARGE_ANSWER if known.family == "opus" else 64_000
