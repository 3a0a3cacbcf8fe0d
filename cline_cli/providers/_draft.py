"""A reply that grows: its parts in the order in which they come, and what keeps it from being one. Pure."""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from cline_cli.agent.messages import (
    AssistantMessage,
    Message,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    Usage,
)
from cline_cli.agent.provider import TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.errors import ProviderError
from cline_cli.network.http import CutOffError

MAX_REPLY_CHARACTERS = 16 * 1024 * 1024
MAX_PARTS = 10_000
"""Of text, thinking and calls; many empty ones are no reply either."""


@dataclass(slots=True)
class CallDraft:
    """A tool call that grows."""

    id: str
    """Empty where the server gives none."""
    name: str
    arguments: io.StringIO = field(default_factory=io.StringIO)


@dataclass(slots=True)
class _Prose:
    """Text, or thinking."""

    text: io.StringIO = field(default_factory=io.StringIO)
    is_thinking: bool = False
    signature: str = ""
    is_closed: bool = False


class Draft:
    """The reply of `provider`; `taken_ids` are those of the calls that the history already holds."""

    def __init__(self, provider: str, taken_ids: Container[str]) -> None:
        self._provider = provider
        self._taken_ids = taken_ids
        self._parts: list[_Prose | CallDraft] = []
        self._characters = 0

    def add_text(self, text: str) -> TextDelta:
        """Raises ProviderError, as all that adds does: the reply is larger than any that makes sense."""
        self._prose(is_thinking=False).text.write(self.count(text))
        return TextDelta(text)

    def add_thinking(self, text: str) -> ThinkingDelta:
        self._prose(is_thinking=True).text.write(self.count(text))
        return ThinkingDelta(text)

    def sign(self, signature: str) -> None:
        """Close the thinking that came last, or an empty one, with what the provider wants back with it."""
        prose = self._prose(is_thinking=True)
        prose.signature = self.count(signature)
        prose.is_closed = True

    def close_part(self) -> None:
        """Let what comes next be a part of its own."""
        last = self._parts[-1] if self._parts else None
        if isinstance(last, _Prose):
            last.is_closed = True

    def open_call(self, identity: str, name: str) -> CallDraft:
        """Raises ProviderError, as all that adds does."""
        call = CallDraft(identity, name)
        self._append(call)
        return call

    def add_arguments(self, call: CallDraft, piece: str) -> ToolCallDelta:
        call.arguments.write(self.count(piece))
        return ToolCallDelta(call.name, piece)

    def finish(self, stop_reason: StopReason, usage: Usage, model: str) -> AssistantMessage:
        """Return the reply; `stop_reason` of "stop" and "tool_calls" is set right by whether there are calls.

        Raises:
            CutOffError: it holds a call of no tool.
        """
        drafts = [part for part in self._parts if isinstance(part, CallDraft)]
        calls = iter(self.identify(drafts))
        parts: list[TextPart | ThinkingPart | ToolCall] = []
        for part in self._parts:
            if isinstance(part, CallDraft):
                parts.append(next(calls))
            elif part.is_thinking:
                parts.append(ThinkingPart(part.text.getvalue(), part.signature))
            else:
                parts.append(TextPart(part.text.getvalue()))
        return AssistantMessage(tuple(parts), settle(stop_reason, has_calls=bool(drafts)), usage, model)

    def identify(self, drafts: Iterable[CallDraft]) -> tuple[ToolCall, ...]:
        """Return the calls with ids that are unique in the history: one that is missing or taken is replaced.

        Raises:
            CutOffError: one of them is of no tool.
        """
        used: set[str] = set()
        calls: list[ToolCall] = []
        for draft in drafts:
            if not draft.name:
                raise self.cut_off("holds a call of no tool")
            identity = draft.id
            number = len(used)
            while not identity or identity in used or identity in self._taken_ids:
                number += 1
                identity = f"call_{number}"
            used.add(identity)
            calls.append(ToolCall(identity, draft.name, draft.arguments.getvalue()))
        return tuple(calls)

    def count(self, piece: str) -> str:
        """Return the piece, which is now part of the reply's size."""
        self._characters += len(piece)
        if self._characters > MAX_REPLY_CHARACTERS:
            raise self.too_large("it does not end")
        return piece

    def cut_off(self, what: str) -> CutOffError:
        return CutOffError(f"the reply of {self._provider} {what}", "Try again later")

    def too_large(self, why: str) -> ProviderError:
        return ProviderError(f"cannot use the reply of {self._provider}: {why}", "Try another model")

    def _prose(self, *, is_thinking: bool) -> _Prose:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, _Prose) and last.is_thinking == is_thinking and not last.is_closed:
            return last
        prose = _Prose(is_thinking=is_thinking)
        self._append(prose)
        return prose

    def _append(self, part: _Prose | CallDraft) -> None:
        if len(self._parts) >= MAX_PARTS:
            raise self.too_large("it does not end")
        self._parts.append(part)


def settle(stop_reason: StopReason, *, has_calls: bool) -> StopReason:
    """Return why a reply ended: whether it calls tools is seen, whatever its server says of that."""
    if stop_reason in {"stop", "tool_calls"}:
        return "tool_calls" if has_calls else "stop"
    return stop_reason


def call_ids(messages: Sequence[Message]) -> frozenset[str]:
    """Return the ids of all calls in a history."""
    replies = (message for message in messages if isinstance(message, AssistantMessage))
    return frozenset(call.id for reply in replies for call in reply.tool_calls)
