"""What a provider is to the loop: a request in, a stream of deltas out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from cline_cli.agent.messages import AssistantMessage, JsonObject, Message
from cline_cli.agent.tool import ToolSpec

Effort = Literal["none", "low", "medium", "high", "xhigh"]


@dataclass(frozen=True, slots=True)
class Request:
    model: str
    system: str
    """The system prompt; empty for none."""
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int | None = None
    """The most output tokens to ask for; None leaves it to the provider."""
    effort: Effort | int | None = None
    """How long a reasoning model may think: a level, a budget in tokens, or None for the model's own default."""
    schema: JsonObject | None = None
    """A JSON schema that the answer is to satisfy, for providers that can hold a model to it; else it is no promise."""
    may_call: bool = True
    """Whether the reply may call the tools. Where not they are sent all the same, with a tool choice of "none": some
    servers refuse calls in a history when no tools are declared, and the prefix of what is cached stays the same."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A tool call is growing; for display only, the whole call stands in the AssistantMessage."""

    name: str
    arguments: str
    """The new piece of its JSON text."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing comes for a while, on purpose: a pause before a retry, a model that is being loaded."""

    delay_s: float
    """How long; 0 where that is not known."""
    cause: str


@dataclass(frozen=True, slots=True)
class ReplyDiscarded:
    """Every delta since the request is void: the reply broke off and is asked for again."""

    cause: str


Delta = TextDelta | ThinkingDelta | ToolCallDelta | Waiting | ReplyDiscarded | AssistantMessage


class Provider(Protocol):
    def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one reply; the last is its AssistantMessage, and there is exactly one.

        Raises:
            ProviderError: nothing else; retries that were worth trying have been tried.
        """
        ...

    def measure(self, request: Request) -> int:
        """Return how many bytes this request would send. Sends nothing."""
        ...

    async def close(self) -> None:
        """Let go of connections and child processes. May be called twice."""
        ...
