"""Messages as records: one JSON object a line, and back. Pure.

    {"type": "session", "version": 1, "id", "created", "cwd", "provider", "model", "mode"}      the first line
    {"type": "user",        "parts": [text | image]}
    {"type": "assistant",   "parts": [text | thinking | tool_call], "stop_reason", "usage", "model"}
    {"type": "tool_result", "parts": [text | image], "call_id", "is_error"}
    {"type": "history", "messages": [...]}         what stood before it is void: the history is this
    {"type": "run_started", "provider", "model"}
    {"type": "run_finished", "status", "exit_code", "usage"}
    {"type": "description", "title", "prompt", "metadata"}         for lists; each of the members may be missing

All but the first have "ts", in milliseconds since the epoch. The text is ASCII, so that any string survives,
half a surrogate pair too (two halves that belong together come back joined); images are base64. Members and types that
are not known are passed over: a record that an older reader must not pass over has a higher "version".
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Literal, NamedTuple, get_args

from cline_cli.agent.events import RunFinished
from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    JsonObject,
    Message,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
)
from cline_cli.session.original import NEVER_MS

VERSION = 1

_STOP_REASONS: dict[object, StopReason] = {reason: reason for reason in get_args(StopReason)}


Status = Literal["running", "completed", "failed", "cancelled"]
_STATUSES: dict[object, Status] = {status: status for status in get_args(Status)}


class End(NamedTuple):
    """How a run ended."""

    status: Status
    exit_code: int
    usage: Usage
    time_ms: int | None
    """Since the epoch; None where it is not known."""


class Header(NamedTuple):
    """What a session was when it began."""

    session_id: str
    created: str
    """ISO 8601."""
    cwd: str
    provider: str
    model: str
    mode: str


def to_line(record: JsonObject) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def parse_line(line: bytes) -> object:
    """Return the value that a line holds.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value: object = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def version_of(record: object) -> int:
    """Return the version that is needed to understand a record."""
    match record:
        case {"version": int(version)}:
            return version
    return VERSION


def from_header(header: Header) -> JsonObject:
    members = header._asdict()
    return {"type": "session", "version": VERSION, "id": members.pop("session_id"), **members}


def to_header(record: object) -> Header:
    """Raises ValueError where it is none."""
    match record:
        case {
            "type": "session",
            "version": int(),
            "id": str(session_id),
            "created": str(created),
            "cwd": str(cwd),
            "provider": str(provider),
            "model": str(model),
            "mode": str(mode),
        }:
            return Header(session_id, created, cwd, provider, model, mode)
    raise ValueError("it is not the beginning of a session")


def cwd_of(record: object) -> str | None:
    """Return where a session began, whatever else its header tells, and in whatever version; None where it is none."""
    match record:
        case {"type": "session", "cwd": str(cwd)}:
            return cwd
    return None


def from_message(message: Message) -> JsonObject:
    parts = [_from_part(part) for part in message.parts]
    match message:
        case UserMessage():
            return {"type": "user", "parts": parts}
        case AssistantMessage():
            return {
                "type": "assistant",
                "parts": parts,
                "stop_reason": message.stop_reason,
                "usage": _from_usage(message.usage),
                "model": message.model,
            }
        case ToolResult():
            return {"type": "tool_result", "parts": parts, "call_id": message.call_id, "is_error": message.is_error}


def from_start(provider: str, model: str) -> JsonObject:
    """Return the record that a run begins with."""
    return {"type": "run_started", "provider": provider, "model": model}


def to_asked(record: object) -> tuple[str, str] | None:
    """Return the provider and the model of a run, if the record tells of its beginning."""
    match record:
        case {"type": "run_started", "provider": str(provider), "model": str(model)}:
            return provider, model
    return None


def from_end(end: RunFinished) -> JsonObject:
    """Return the record of how a run ended."""
    return make_end(status_of(end), end.error.exit_code if end.error else 0, end.usage)


def make_end(status: Status, exit_code: int, usage: Usage) -> JsonObject:
    return {"type": "run_finished", "status": status, "exit_code": exit_code, "usage": _from_usage(usage)}


def status_of(end: RunFinished) -> Status:
    if end.error is None:
        return "completed"
    return "cancelled" if end.error.error_class == "cancelled" else "failed"


def to_status(word: str) -> Status:
    """Return a status by its name; what is not known is not over."""
    return _STATUSES.get(word, "running")


def to_end(record: object) -> End | None:
    """Return how a run ended, if the record tells it."""
    match record:
        case {"type": "run_finished", "status": str(status), "exit_code": int(exit_code), "usage": usage} if (
            status in _STATUSES
        ):
            with suppress(ValueError):
                return End(_STATUSES[status], exit_code, _to_usage(usage), time_of(record))
    return None


def time_of(record: object) -> int | None:
    """Return when a record was written, in milliseconds since the epoch, if it tells."""
    match record:
        case {"ts": int(time_ms)} if 0 < time_ms < NEVER_MS:
            return time_ms
    return None


def to_description(record: object) -> dict[str, object]:
    """Return what a record says of the session for lists: `title`, `prompt`, `metadata`, those that it has."""
    if not isinstance(record, dict) or record.get("type") != "description":
        return {}
    kinds = {"title": str, "prompt": str, "metadata": dict}
    return {name: record[name] for name, kind in kinds.items() if isinstance(record.get(name), kind)}


def replay(record: object, history: list[Message]) -> None:
    """Do to the history what the record tells of.

    Raises:
        ValueError: it is no record, or one with a member missing or wrong; the history is as it was.
    """
    match record:
        case {"type": "user" | "assistant" | "tool_result"}:
            history.append(to_message(record))
        case {"type": "history", "messages": messages}:
            history[:] = [to_message(message) for message in _list(messages)]
        case {"type": str(kind)} if kind != "history":
            pass
        case _:
            raise ValueError("it is no record")


def to_message(record: object) -> Message:
    """Raises ValueError where it is none."""
    match record:
        case {"type": "user", "parts": parts}:
            return UserMessage(tuple(_to_content(part) for part in _list(parts)))
        case {"type": "assistant", "parts": parts, "stop_reason": str(reason), "usage": usage, "model": str(model)} if (
            reason in _STOP_REASONS
        ):
            replied = tuple(_to_reply_part(part) for part in _list(parts))
            return AssistantMessage(replied, _STOP_REASONS[reason], _to_usage(usage), model)
        case {"type": "tool_result", "parts": parts, "call_id": str(call_id), "is_error": bool(is_error)}:
            return ToolResult(call_id, tuple(_to_content(part) for part in _list(parts)), is_error)
    raise ValueError("it is not a message")


def _from_part(part: TextPart | ThinkingPart | ImagePart | ToolCall) -> JsonObject:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ThinkingPart(text, signature):
            return {"type": "thinking", "text": text, "signature": signature}
        case ImagePart(media_type, data):
            return {"type": "image", "media_type": media_type, "data": b64encode(data).decode("ascii")}
        case ToolCall(call_id, name, arguments):
            return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def _to_content(part: object) -> TextPart | ImagePart:
    match part:
        case {"type": "text", "text": str(text)}:
            return TextPart(text)
        case {"type": "image", "media_type": str(media_type), "data": str(data)}:
            try:
                return ImagePart(media_type, b64decode(data, validate=True))
            except ValueError:
                raise ValueError("it has an image that is not base64") from None
    raise ValueError("it has a part that is neither text nor image")


def _to_reply_part(part: object) -> TextPart | ThinkingPart | ToolCall:
    match part:
        case {"type": "text", "text": str(text)}:
            return TextPart(text)
        case {"type": "thinking", "text": str(text), "signature": str(signature)}:
            return ThinkingPart(text, signature)
        case {"type": "tool_call", "id": str(call_id), "name": str(name), "arguments": str(arguments)}:
            return ToolCall(call_id, name, arguments)
    raise ValueError("it has a part that is neither text, thinking nor tool call")


def _from_usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cost_usd": usage.cost_usd,
        "is_estimate": usage.is_estimate,
    }


def _to_usage(value: object) -> Usage:
    match value:
        case {
            "input_tokens": int(read),
            "output_tokens": int(written),
            "cache_read_tokens": int(cache_read),
            "cache_write_tokens": int(cache_written),
            "cost_usd": None | int() | float() as cost_usd,
            "is_estimate": bool(is_estimate),
        }:
            return Usage(read, written, cache_read, cache_written, cost_usd, is_estimate)
    raise ValueError("it tells no usage")


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("it has something else where a list should be")
    return value
