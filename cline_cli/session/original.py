"""Messages as the original command's 3.x keeps them, in `<id>.messages.json`, and back. Pure.

    {"version": 1, "updated_at", "agent": "lead", "sessionId", "origin": {...}, "system_prompt", "messages": [entry]}
    entry   {"id", "role": "user" | "assistant", "content": [block], "ts",
             "modelInfo": {"id", "provider"}, "metrics": {...}}      the last two for an assistant's only
    block   text, thinking, image, tool_use, tool_result; theirs may also be file, media, redacted_thinking

The format was read off its files in 2026-11 and off the type declarations of its public source of that time. All
results of one reply stand in one user message, as blocks. A message's tokens and cost are its own, no running sum.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeGuard

from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    JsonObject,
    JsonValue,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
)

VERSION = 1
UNPARSED = "unparsed"
"""The one member of a call's input where the model did not write a JSON object: its text."""

NEVER_MS = 253_402_300_800_000
"""The year 10000, which no calendar here has."""
_INPUT = re.compile(r'<user_input(?: mode="\w*")?>(.*)</user_input>', re.DOTALL)
MAX_COST = 1e12
"""In USD; what is more is none."""


class Entry(NamedTuple):
    """A message and when it was recorded."""

    message: Message
    time_ms: int | None
    """Since the epoch; None where it is not known."""


class Names(NamedTuple):
    """What an entry tells of its session."""

    session_id: str
    provider: str
    model: str = ""
    """For replies that do not say which one they are of."""


def to_entries(history: Sequence[Entry], names: Names, first: int = 0) -> Iterator[JsonObject]:
    """Yield the entries of a history from its message number `first` on; an entry's id tells that number.

    Results that follow one another share an entry: `first` is never the second of them.
    """
    start = first
    while start > 0 and start < len(history) and not _calls(history[start].message):
        start -= 1
    called = {call.id: call.name for entry in history[start:] for call in _calls(entry.message)}
    number = first
    while number < len(history):
        message, time_ms = history[number]
        head: dict[str, JsonValue] = {"id": f"msg_{names.session_id}_{number}"}
        end = number + 1
        match message:
            case ToolResult():
                while end < len(history) and isinstance(history[end].message, ToolResult):
                    end += 1
                head["role"] = "user"
                head["content"] = [_from_result(entry.message, called) for entry in history[number:end]]
            case UserMessage(parts):
                head["role"] = "user"
                head["content"] = [_from_part(part) for part in parts]
            case AssistantMessage(parts):
                head["role"] = "assistant"
                head["content"] = [_from_part(part) for part in parts]
                head["modelInfo"] = {"id": message.model or names.model, "provider": names.provider}
                head["metrics"] = from_usage(message.usage, "cost")
        yield {**head, "ts": time_ms} if time_ms is not None else head
        number = end


def from_usage(usage: Usage, cost: str) -> JsonObject:
    """Return tokens and money under the original's names; the cost, as `cost`, only where it is known."""
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cacheReadTokens": usage.cache_read_tokens,
        "cacheWriteTokens": usage.cache_write_tokens,
        **({cost: usage.cost_usd} if usage.cost_usd is not None else {}),
    }


def to_usage(value: object, cost: str) -> Usage:
    """Return tokens and money from the original's names; what is missing or no number counts as none."""
    members = value if isinstance(value, dict) else {}
    amount = members.get(cost)
    read, written, cache_read, cache_written = (
        _number(members.get(f"{name}Tokens")) for name in ("input", "output", "cacheRead", "cacheWrite")
    )
    return Usage(
        read,
        written,
        cache_read,
        cache_written,
        float(amount) if _is_number(amount) and 0 <= amount < MAX_COST else None,
    )


def from_document(document: object) -> Iterator[Entry]:
    """Yield the messages of a whole `messages.json`. What has no counterpart here, such as a video, is left out.

    Raises:
        ValueError: it is none.
    """
    match document:
        case {"messages": list(entries)}:
            pass
        case _:
            raise ValueError("it has no list of messages")
    for position, entry in enumerate(entries, start=1):
        match entry:
            case {"role": "user" | "assistant" as role, "content": str() | list() as content}:
                blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            case _:
                raise ValueError(f"message {position} has no role or no content")
        time_ms = entry.get("ts")
        known_ms = time_ms if isinstance(time_ms, int) and not isinstance(time_ms, bool) and _is_time(time_ms) else None
        messages = [_to_reply(entry, blocks)] if role == "assistant" else _to_input(blocks)
        yield from (Entry(message, known_ms) for message in messages if message.parts)


def unify(entries: Iterable[Entry]) -> list[Entry]:
    """Return a history in which no two calls have one id: where one comes again, it gets a number behind it.

    Some providers count their calls anew in each reply, and others refuse a history that has an id twice.
    """
    unified: list[Entry] = []
    taken: set[str] = set()
    renamed: dict[str, list[str]] = {}
    for message, time_ms in entries:
        if isinstance(message, AssistantMessage):
            renamed = {}
            parts = tuple(_rename(part, taken, renamed) for part in message.parts)
            unified.append(Entry(replace(message, parts=parts), time_ms))
        elif isinstance(message, ToolResult) and renamed.get(message.call_id):
            unified.append(Entry(replace(message, call_id=renamed[message.call_id].pop(0)), time_ms))
        else:
            unified.append(Entry(message, time_ms))
    return unified


def _rename(
    part: TextPart | ThinkingPart | ToolCall, taken: set[str], renamed: dict[str, list[str]]
) -> TextPart | ThinkingPart | ToolCall:
    if not isinstance(part, ToolCall):
        return part
    identity, number = part.id, 1
    while identity in taken:
        number += 1
        identity = f"{part.id}_{number}"
    taken.add(identity)
    renamed.setdefault(part.id, []).append(identity)
    return replace(part, id=identity)


def _calls(message: Message) -> tuple[ToolCall, ...]:
    return message.tool_calls if isinstance(message, AssistantMessage) else ()


def _from_result(message: Message, called: Mapping[str, str]) -> JsonObject:
    assert isinstance(message, ToolResult), "results follow one another"
    return {
        "type": "tool_result",
        "tool_use_id": message.call_id,
        "name": called.get(message.call_id, ""),
        "content": [_from_part(part) for part in message.parts],
        **({"is_error": True} if message.is_error else {}),
    }


def _from_part(part: TextPart | ThinkingPart | ImagePart | ToolCall) -> JsonObject:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ThinkingPart(text, signature):
            return {"type": "thinking", "thinking": text, **({"signature": signature} if signature else {})}
        case ImagePart(media_type, data):
            return {"type": "image", "data": b64encode(data).decode("ascii"), "mediaType": media_type}
        case ToolCall(call_id, name, arguments):
            return {"type": "tool_use", "id": call_id, "name": name, "input": _parse_arguments(arguments)}


def _parse_arguments(text: str) -> JsonObject:
    try:
        value = json.loads(text, parse_constant=_refuse_constant) if text.strip() else {}
    except (ValueError, RecursionError):
        return {UNPARSED: text}
    return value if isinstance(value, dict) else {UNPARSED: text}


def _to_reply(entry: Mapping[str, object], blocks: Iterable[object]) -> AssistantMessage:
    parts: list[TextPart | ThinkingPart | ToolCall] = []
    for block in blocks:
        match block:
            case {"type": "text", "text": str(text)}:
                parts.append(TextPart(text))
            case {"type": "thinking", "thinking": str(text), **others}:
                signature = others.get("signature")
                parts.append(ThinkingPart(text, signature if isinstance(signature, str) else ""))
            case {"type": "tool_use", "id": str(call_id), "name": str(name), **others}:
                parts.append(ToolCall(call_id, name, _to_arguments(others.get("input"))))
    info = entry.get("modelInfo")
    model = info.get("id") if isinstance(info, dict) else ""
    return AssistantMessage(
        tuple(parts),
        "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop",
        to_usage(entry.get("metrics"), "cost"),
        model if isinstance(model, str) else "",
    )


def _to_arguments(value: object) -> str:
    match value:
        case {"unparsed": str(text), **others} if not others:
            return text
        case None:
            return "{}"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _to_input(blocks: Iterable[object]) -> list[Message]:
    """Return the results that a user's entry has, and after them what else was said."""
    results: list[Message] = []
    said: list[TextPart | ImagePart] = []
    for block in blocks:
        match block:
            case {"type": "tool_result", "tool_use_id": str(call_id), **others}:
                told = _to_told(others.get("content"))
                results.append(ToolResult(call_id, told, others.get("is_error") is True))
            case {"type": "text", "text": str(text)}:
                said.append(TextPart(_unwrap(text)))
            case _:
                part = _to_content(block)
                said += (part,) if part else ()
    return [*results, UserMessage(tuple(said))]


def _to_told(content: object) -> tuple[TextPart | ImagePart, ...]:
    """Return what a tool has told; the original keeps most of its own tools' answers as lists of other objects."""
    if isinstance(content, list) and any(isinstance(item, dict) and "type" in item for item in content):
        return tuple(_to_content(item) or TextPart(_as_text(item)) for item in content)
    return (TextPart(_as_text(content)),)


def _unwrap(text: str) -> str:
    """Return what a person said, without the tag that the original's files have around it."""
    match = _INPUT.fullmatch(text)
    return match[1] if match else text


def _to_content(block: object) -> TextPart | ImagePart | None:
    match block:
        case {"type": "text", "text": str(text)}:
            return TextPart(text)
        case {"type": "file", "path": str(path), "content": str(content)}:
            return TextPart(f'<file_content path="{path}">\n{content}\n</file_content>')
        case {"type": "image", "data": str(data), "mediaType": str(media_type)}:
            return _to_image(media_type, data)
        case {"type": "image", "source": {"type": "base64", "data": str(data), "media_type": str(media_type)}}:
            return _to_image(media_type, data)
    return None


def _to_image(media_type: str, data: str) -> ImagePart | TextPart:
    try:
        return ImagePart(media_type, b64decode(data, validate=True))
    except ValueError:
        return TextPart(f"[an image ({media_type}) that cannot be read]")


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _is_time(time_ms: int) -> bool:
    return 0 < time_ms < NEVER_MS


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
