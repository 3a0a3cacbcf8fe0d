"""The history of a run: three kinds of message, made of parts. The state of a run *is* its list of messages.

UserMessage        TextPart | ImagePart
AssistantMessage   TextPart | ThinkingPart | ToolCall
ToolResult         TextPart | ImagePart          answers exactly one ToolCall of the assistant message before it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]

StopReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    text: str
    signature: str = ""
    """What the provider wants back unchanged with the text; empty where there is none."""


@dataclass(frozen=True, slots=True)
class ImagePart:
    media_type: str
    """As in HTTP: "image/png"."""
    data: bytes


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    """Unique in a history."""
    name: str
    arguments: str
    """JSON text exactly as the model wrote it, so that a history sent back stays byte for byte the same. It may be
    invalid: the loop parses it, and an invalid one is never run."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of one reply, or the sum of several."""

    input_tokens: int = 0
    """All tokens of the request, those read from a cache among them."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    """As billed by the provider, or by the tokens' price; None where neither is known."""
    is_estimate: bool = False
    """The cost, and perhaps the tokens, are our own reckoning, or the cost of a part is not known."""

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        unknown = [
            each for each in (self, other) if each.cost_usd is None and (each.input_tokens or each.output_tokens)
        ]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            sum(costs) if costs else None,
            self.is_estimate or other.is_estimate or bool(costs and unknown),
        )


@dataclass(frozen=True, slots=True)
class UserMessage:
    parts: tuple[TextPart | ImagePart, ...]


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    parts: tuple[TextPart | ThinkingPart | ToolCall, ...]
    stop_reason: StopReason
    usage: Usage = Usage()
    model: str = ""
    """The model that answered, as the provider names it."""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


@dataclass(frozen=True, slots=True)
class ToolResult:
    call_id: str
    parts: tuple[TextPart | ImagePart, ...]
    is_error: bool = False

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


Message = UserMessage | AssistantMessage | ToolResult


def user_text(text: str) -> UserMessage:
    return UserMessage((TextPart(text),))
