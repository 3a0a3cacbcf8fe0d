"""A history that broke off, made into one that every provider accepts. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from cline_cli.agent.messages import AssistantMessage, Message, TextPart, ToolCall, ToolResult

INTERRUPTED = "Interrupted: it may have been done in part, in whole, or not at all. Look before you do it again."


def interrupted(call: ToolCall) -> ToolResult:
    """Return the result of a call that was begun, or not even that, and of which no more is known."""
    return ToolResult(call.id, (TextPart(json.dumps({"error": INTERRUPTED})),), is_error=True)


def repair(messages: Sequence[Message]) -> list[Message]:
    """Return the history with each tool call answered once, directly after its message and in the order of the calls.

    A call's result is looked for up to the next assistant message, and a missing one is made up as a failure. Results
    that answer nothing, or answer again, are left out. All else stays as it is, and a sound history stays the same.
    """
    repaired: list[Message] = []
    start = 0
    while start < len(messages):
        end = start + 1
        while end < len(messages) and not isinstance(messages[end], AssistantMessage):
            end += 1
        first, others = messages[start], messages[start + 1 : end]
        if isinstance(first, AssistantMessage):
            repaired.append(first)
            repaired += _answers(first.tool_calls, others)
        else:
            others = messages[start:end]
        repaired += [message for message in others if not isinstance(message, ToolResult)]
        start = end
    return repaired


def _answers(calls: Iterable[ToolCall], messages: Iterable[Message]) -> list[ToolResult]:
    results: dict[str, list[ToolResult]] = {}
    for message in messages:
        if isinstance(message, ToolResult):
            results.setdefault(message.call_id, []).append(message)
    return [results[call.id].pop(0) if results.get(call.id) else interrupted(call) for call in calls]
