"""A tool call on its way through the loop: prepared, carried out, and told to the model. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cline_cli.agent.messages import JsonObject, TextPart, ToolCall, ToolResult
from cline_cli.agent.tool import Tool, ToolOutput


@dataclass(frozen=True, slots=True)
class Work:
    tool: Tool
    arguments: JsonObject
    note: str
    """What is added to the result for the model; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Prepared:
    call: ToolCall
    summary: str
    work: Work | ToolOutput
    """What to run, or why it is not run."""
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    call: ToolCall
    output: ToolOutput
    duration_s: float

    def to_result(self) -> ToolResult:
        return ToolResult(self.call.id, self.output.parts, self.output.is_error)


def parse_arguments(text: str) -> JsonObject:
    """Read a call's JSON; no text at all means no arguments.

    Raises:
        ValueError: it is not valid JSON, or not an object.
    """
    try:
        value = json.loads(text) if text.strip() else {}
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} instead of an object")
    return value


def refusal(text: str, told: str = "") -> ToolOutput:
    """Return the result of a call that was not carried out; `told` is what people are told instead."""
    return ToolOutput((TextPart(json.dumps({"error": text}, ensure_ascii=False)),), display=told or text, is_error=True)


def not_run(call: ToolCall, reason: str) -> ToolResult:
    """Return the result of a call that is not even begun."""
    return ToolResult(call.id, refusal(reason).parts, is_error=True)
