"""The question that stands before every tool call. Policy, and the console's yes or no, are behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool


@dataclass(frozen=True, slots=True)
class Allow:
    arguments: JsonObject
    """What to run: the call's own arguments, or what the person made of them."""
    remembers: bool = False
    """What is like it need not be asked for again in this session."""


@dataclass(frozen=True, slots=True)
class Deny:
    reason: str
    """For the model."""
    told: str = ""
    """For people, in few words; empty where the reason serves them as well."""


Approve = Callable[[Tool, JsonObject], Awaitable[Allow | Deny]]
