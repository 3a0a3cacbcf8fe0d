"""A session as a reader sees it: who said what, and each call beside what came of it. Pure.

    Transcript ──> outline ──> Turn*      a turn is all that one side said before the other one spoke
                                └─ Said | Thought | Picture | Call | Remark

All text in it is safe to be shown: nothing steers a terminal, and no bidi control moves what stands around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    JsonValue,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    UserMessage,
)
from cline_cli.session.reading import Entry
from cline_cli.text import one_line, sanitize

SUMMARY_CELLS = 120
TELLING = ("commands", "command", "path", "files", "paths", "queries", "query", "pattern", "url", "question", "result")
"""Arguments that say what a call is about, the most telling first; the names of ours, and common ones of others."""
NOTES = {
    "length": "The reply was cut off at the most tokens that it could have.",
    "content_filter": "The reply was held back by the provider's filter.",
}

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


class Said(NamedTuple):
    text: str
    """Of a reply Markdown; of a person whatever was typed or piped in."""


class Thought(NamedTuple):
    text: str


class Picture(NamedTuple):
    media_type: str
    """One line; as it was declared, which proves nothing."""
    data: bytes


class Remark(NamedTuple):
    """A sentence of ours."""

    text: str


class Value(NamedTuple):
    name: str
    """One line; empty where the text is all there is."""
    text: str


class Outcome(NamedTuple):
    """What one of the things came to that a call asked for."""

    name: str
    """What was asked for, as one line; empty where the call asked for nothing else."""
    text: str
    error: str
    """Empty where it succeeded."""


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    """One line, likewise the summary."""
    summary: str
    """What it was about: the command, the path."""
    arguments: tuple[Value, ...]
    """Empty where the summary tells them whole."""
    outcomes: tuple[Outcome, ...] = ()
    pictures: tuple[Picture, ...] = ()
    has_failed: bool = False


Part = Said | Thought | Picture | Call | Remark


class Turn(NamedTuple):
    speaker: Literal["user", "assistant"]
    time_ms: int | None
    """Since the epoch, of its first message; None where it is not known."""
    model: str
    """One line; empty where it is not known, and for a user."""
    parts: tuple[Part, ...]


def outline(entries: Sequence[Entry]) -> tuple[Turn, ...]:
    """Return what was said, in order; nothing is left out but the signatures of thoughts."""
    turns: list[Turn] = []
    for head, results in _groups(entries):
        waiting = {result.call_id: result for result in results}
        match head.message:
            case UserMessage(parts):
                said = tuple(map(_to_content, parts))
                turns.append(Turn("user", head.time_ms, "", said))
            case AssistantMessage(model=model) as reply:
                replied = tuple(_reply_parts(reply, waiting))
                _add_reply(turns, Turn("assistant", head.time_ms, one_line(model), replied))
        if waiting:
            orphans = tuple(_answered(Call("", "", ()), result) for result in waiting.values())
            _add_reply(turns, Turn("assistant", head.time_ms, "", orphans))
    return tuple(turns)


def describe_picture(picture: Picture) -> str:
    return f"Image, {picture.media_type or 'of unknown type'}, {len(picture.data):,} bytes"


def _safe(text: str) -> str:
    """Return the text as it may be shown anywhere."""
    return _BIDI.sub(lambda found: f"<U+{ord(found[0]):04X}>", sanitize(text))


def _groups(entries: Sequence[Entry]) -> Iterator[tuple[Entry, list[ToolResult]]]:
    """Yield each message that is no result with the results that follow it; only here is an id theirs for certain."""
    head: Entry | None = None
    results: list[ToolResult] = []
    for entry in entries:
        if isinstance(entry.message, ToolResult):
            head = head or entry
            results.append(entry.message)
            continue
        if head:
            yield head, results
        head, results = entry, []
    if head:
        yield head, results


def _add_reply(turns: list[Turn], turn: Turn) -> None:
    before = turns[-1] if turns else None
    if before and before.speaker == "assistant" and turn.model in {"", before.model}:
        turns[-1] = before._replace(parts=before.parts + turn.parts)
    else:
        turns.append(turn)


def _to_content(part: TextPart | ImagePart) -> Said | Picture:
    if isinstance(part, TextPart):
        return Said(_safe(part.text))
    return Picture(one_line(part.media_type), part.data)


def _reply_parts(message: AssistantMessage, results: dict[str, ToolResult]) -> Iterator[Part]:
    """Yield the parts of a reply; a result that one of its calls had is taken out of `results`."""
    for part in message.parts:
        match part:
            case TextPart(text) if text.strip():
                yield Said(_safe(text))
            case ThinkingPart(text) if text.strip():
                yield Thought(_safe(text))
            case ToolCall(call_id):
                call, result = _to_call(part), results.pop(call_id, None)
                yield _answered(call, result) if result else call
    if message.stop_reason in NOTES:
        yield Remark(NOTES[message.stop_reason])


def _to_call(call: ToolCall) -> Call:
    name = one_line(call.name)
    try:
        arguments = json.loads(call.arguments) if call.arguments.strip() else {}
        if isinstance(arguments, dict):
            return _read_call(name, call.arguments, arguments)
    except (ValueError, RecursionError):
        pass
    return Call(name, one_line(call.arguments, SUMMARY_CELLS), (Value("", _safe(call.arguments)),))


def _read_call(name: str, text: str, arguments: Mapping[str, JsonValue]) -> Call:
    """Raises RecursionError where the arguments are nested too deeply."""
    telling = next((key for key in TELLING if arguments.get(key)), "")
    lines = list(_lines(arguments[telling])) if telling else []
    summary = one_line(lines[0], SUMMARY_CELLS) if lines else ""
    is_whole = len(arguments) <= 1 and lines in ([], [summary]) and _is_told_by_lines(list(arguments.values()))
    if len(lines) > 1:
        summary += f" (+{len(lines) - 1} more)"
    if not lines and arguments:
        summary, is_whole = one_line(text, SUMMARY_CELLS), False
    values = () if is_whole else tuple(Value(one_line(key), _to_text(value)) for key, value in arguments.items())
    return Call(name, summary, values)


def _lines(value: JsonValue) -> Iterator[str]:
    """Yield what a telling argument tells: one text, or one of each item."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        for item in value:
            yield from _lines(item)
    elif isinstance(value, Mapping):
        named = next((value[key] for key in (*TELLING, "cmd") if value.get(key)), None)
        yield from _lines(named if named is not None else json.dumps(value))
    elif value is not None:
        yield json.dumps(value)


def _is_told_by_lines(value: JsonValue) -> bool:
    """Return whether `_lines` leave nothing out."""
    if isinstance(value, Mapping):
        return len(value) == 1 and _is_told_by_lines(list(value.values()))
    return isinstance(value, str) or (isinstance(value, Sequence) and all(map(_is_told_by_lines, value)))


def _to_text(value: JsonValue) -> str:
    """Return an argument as it is read best: text as it is, a list of texts line by line, else JSON."""
    if isinstance(value, str):
        return _safe(value)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return _safe("\n".join(map(str, value)))
    return _safe(json.dumps(value, indent=2, ensure_ascii=False))


def _answered(call: Call, result: ToolResult) -> Call:
    return replace(
        call,
        outcomes=tuple(_outcomes(result)),
        pictures=tuple(
            Picture(one_line(part.media_type), part.data) for part in result.parts if isinstance(part, ImagePart)
        ),
        has_failed=result.is_error,
    )


def _outcomes(result: ToolResult) -> Iterator[Outcome]:
    """Yield what a result tells, taken out of the JSON that tools answer with; what is of another form, as it is."""
    for part in result.parts:
        if not isinstance(part, TextPart):
            continue
        items = _read_items(part.text)
        for item in items:
            yield Outcome(
                one_line(item.name, SUMMARY_CELLS) if len(items) > 1 else "", _safe(item.text), _safe(item.error)
            )
        if not items and part.text:
            text = _safe(part.text)
            yield Outcome("", "", text) if result.is_error else Outcome("", text, "")


def _read_items(text: str) -> list[Outcome]:
    """Return what `[{"query", "result", "success", "error"?}]`, or one such object, tells; nothing of other text."""
    try:
        value = json.loads(text) if text[:1] in {"[", "{"} else None
    except (ValueError, RecursionError):
        return []
    items: list[Outcome] = []
    for item in value if isinstance(value, list) else [value]:
        match item:
            case {"query": str(query), "result": str(found), "success": bool(is_done), **others} if not set(others) - {
                "error"
            }:
                error = others.get("error")
                told = error if isinstance(error, str) else ""
                items.append(Outcome(query, found, told or ("" if is_done else "it failed")))
            case _:
                return []
    return items
