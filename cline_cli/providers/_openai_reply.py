"""A reply, put together from the bytes of a chat completion as they come. Pure: bytes in, deltas out.

A reader that raises is of no use any more, and what it gave out is void: a reply counts only when it is whole.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from cline_cli.agent.messages import (
    AssistantMessage,
    JsonObject,
    JsonValue,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    Usage,
)
from cline_cli.agent.provider import TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.errors import ProviderError
from cline_cli.network.http import CutOffError
from cline_cli.network.sse import MAX_EVENT_BYTES, Decoder, EventTooLargeError
from cline_cli.providers._openai_shortcut import TextShortcut

MAX_REPLY_CHARACTERS = 16 * 1024 * 1024
_STOP_REASONS: dict[str, StopReason] = {
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
ReplyDelta = TextDelta | ThinkingDelta | ToolCallDelta


class ServerSaidError(Exception):
    """Instead of going on with its reply, the server sent an error; `said` is the JSON of it."""

    def __init__(self, said: JsonValue) -> None:
        super().__init__()
        self.said = said


@dataclass(slots=True)
class _Call:
    """A tool call that is growing."""

    index: int
    id: str
    name: str
    arguments: io.StringIO = field(default_factory=io.StringIO)

    @property
    def is_whole(self) -> bool:
        try:
            json.loads(self.arguments.getvalue())
        except (ValueError, RecursionError):
            return False
        return True


class ReplyReader:
    """Reads one reply of `provider`; `taken_ids` are those of the calls that the history already holds."""

    def __init__(self, provider: str, taken_ids: Container[str] = (), *, shortcut: TextShortcut | None = None) -> None:
        self.is_done = False
        """The server said that there is nothing more to come."""
        self.is_finished = False
        """The reply is whole; its usage may still be to come."""
        self._provider = provider
        self._taken_ids = taken_ids
        self._decoder = Decoder()
        self._shortcut = shortcut or TextShortcut(_parse_only_text)
        self._text = io.StringIO()
        self._thinking = io.StringIO()
        self._details: list[dict[str, JsonValue]] = []
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._characters = 0
        self._stop_reason: StopReason = "stop"
        self._usage = Usage()
        self._model = ""

    def feed(self, data: bytes) -> list[ReplyDelta]:
        """Return what the next piece of an event stream adds to the reply.

        Raises:
            ServerSaidError: the stream goes on with an error.
            CutOffError: an event is damaged.
            ProviderError: an event, or the whole reply, is larger than any that makes sense.
        """
        try:
            events = self._decoder.feed(data)
        except EventTooLargeError as error:
            raise self._too_large(str(error)) from None
        deltas: list[ReplyDelta] = []
        for event in events:
            text = self._shortcut.read(event)
            if self.is_done:
                break
            if text:
                self._add_text(text, deltas)
            elif event.strip() == "[DONE]":
                self.is_done = True
            elif event.strip():
                self._read_event(event, deltas)
        return deltas

    def feed_whole(self, body: bytes) -> list[ReplyDelta]:
        """Return what is in the body of a reply that was not streamed; raises as `feed` does."""
        if len(body) > MAX_EVENT_BYTES:
            raise self._too_large("the reply is too long")
        chunk = dict(self._parse(body))
        choice = dict(_first_object(chunk.get("choices")))
        message = dict(_object(choice.get("message")))
        message["tool_calls"] = [
            {"index": index, **call} for index, call in enumerate(_objects(message.get("tool_calls")))
        ]
        finish = choice.get("finish_reason") or "stop"
        chunk["choices"] = [{**choice, "delta": message, "finish_reason": finish}] if choice else []
        deltas: list[ReplyDelta] = []
        self._read_chunk(chunk, deltas)
        self.is_done = True
        return deltas

    def finish(self) -> AssistantMessage:
        """Return the whole reply, after its last byte.

        Raises:
            CutOffError: it ended before it was whole, or holds a call of no tool.
        """
        if not self.is_finished:
            raise self._cut_off("ended in the middle")
        calls = self._finish_calls()
        text, thinking = self._text.getvalue(), self._thinking.getvalue()
        signature = json.dumps(self._details, ensure_ascii=False, separators=(",", ":")) if self._details else ""
        stop_reason = self._stop_reason
        if stop_reason in {"stop", "tool_calls"}:
            stop_reason = "tool_calls" if calls else "stop"
        parts = (
            *((ThinkingPart(thinking, signature),) if thinking or signature else ()),
            *((TextPart(text),) if text else ()),
            *calls,
        )
        return AssistantMessage(parts, stop_reason, self._usage, self._model)

    def _parse(self, data: str | bytes) -> JsonObject:
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            raise self._cut_off("holds an event that is not JSON") from None
        if not isinstance(chunk, dict):
            raise self._cut_off("holds an event that is no JSON object")
        return chunk

    def _read_event(self, event: str, deltas: list[ReplyDelta]) -> None:
        chunk = self._parse(event)
        self._read_chunk(chunk, deltas)
        text = _only_text_of(chunk)
        if text:
            self._shortcut.learn(event, text)

    def _read_chunk(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        choice = _first_object(chunk.get("choices"))
        finish = choice.get("finish_reason")
        said = chunk.get("error") or choice.get("error")
        if said or finish == "error":
            raise ServerSaidError(said)
        model, usage = chunk.get("model"), chunk.get("usage")
        if isinstance(model, str):
            self._model = self._model or model
        if usage and isinstance(usage, dict):
            self._usage = _to_usage(usage)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._read_delta(delta, deltas)
        if isinstance(finish, str) and finish:
            self.is_finished = True
            self._stop_reason = _STOP_REASONS.get(finish, "stop")

    def _read_delta(self, delta: JsonObject, deltas: list[ReplyDelta]) -> None:
        thinking = _text_of(delta.get("reasoning")) or _text_of(delta.get("reasoning_content"))
        if thinking:
            self._count(thinking)
            self._thinking.write(thinking)
            deltas.append(ThinkingDelta(thinking))
        for detail in _objects(delta.get("reasoning_details")):
            self._add_detail(detail)
        text = _text_of(delta.get("content"))
        if text:
            self._add_text(text, deltas)
        for fragment in _objects(delta.get("tool_calls")):
            self._read_fragment(fragment, deltas)

    def _add_text(self, text: str, deltas: list[ReplyDelta]) -> None:
        self._count(text)
        self._text.write(text)
        deltas.append(TextDelta(text))

    def _add_detail(self, detail: JsonObject) -> None:
        """Keep a block of thinking as it has to be sent back: its pieces are joined, a later signature is added."""
        last = self._details[-1] if self._details else {}
        if not last or (last.get("type"), last.get("index")) != (detail.get("type"), detail.get("index")):
            self._details.append(dict(detail))
            return
        for name, value in detail.items():
            earlier = last.get(name)
            if name in {"text", "summary", "data"} and isinstance(value, str) and isinstance(earlier, str):
                last[name] = earlier + value
            elif value is not None:
                last[name] = value

    def _read_fragment(self, fragment: JsonObject, deltas: list[ReplyDelta]) -> None:
        function = _object(fragment.get("function"))
        identity, name = _text_of(fragment.get("id")), _text_of(function.get("name"))
        given = function.get("arguments")
        arguments = json.dumps(given) if isinstance(given, dict) else _text_of(given)
        call = self._find_call(fragment.get("index"), identity, name, arguments)
        is_new = call is None
        if call is None:
            call = self._start_call(fragment.get("index"), identity, name)
        call.id = call.id or identity
        call.name = call.name or name
        if arguments:
            self._count(arguments)
            call.arguments.write(arguments)
        if is_new or arguments:
            deltas.append(ToolCallDelta(call.name, arguments))

    def _find_call(self, index: JsonValue, identity: str, name: str, arguments: str) -> _Call | None:
        """Return the call that a fragment goes on with; None if it begins another.

        Servers leave out the index, or the id after the first fragment, or repeat id and name in each. Another id is
        another call, even under the same index.
        """
        if _is_index(index):
            call = self._by_index.get(index)
        elif identity:
            call = next((call for call in self._calls if call.id == identity), None)
        else:
            call = self._calls[-1] if self._calls else None
        if call is None or (identity and call.id and identity != call.id):
            return None
        if name and not identity and call.name and arguments.strip() and call.is_whole:
            return None
        return call

    def _start_call(self, index: JsonValue, identity: str, name: str) -> _Call:
        place = index if _is_index(index) else max(self._by_index, default=-1) + 1
        call = self._by_index[place] = _Call(place, identity, name)
        self._calls.append(call)
        return call

    def _finish_calls(self) -> tuple[ToolCall, ...]:
        used: set[str] = set()
        calls: list[ToolCall] = []
        for call in sorted(self._calls, key=lambda call: call.index):
            if not call.name:
                raise self._cut_off("holds a call of no tool")
            identity = call.id
            number = len(used)
            while not identity or identity in used or identity in self._taken_ids:
                number += 1
                identity = f"call_{number}"
            used.add(identity)
            calls.append(ToolCall(identity, call.name, call.arguments.getvalue()))
        return tuple(calls)

    def _count(self, piece: str) -> None:
        self._characters += len(piece)
        if self._characters > MAX_REPLY_CHARACTERS:
            raise self._too_large("it does not end")

    def _cut_off(self, what: str) -> CutOffError:
        return CutOffError(f"the reply of {self._provider} {what}", "Try again later")

    def _too_large(self, why: str) -> ProviderError:
        return ProviderError(f"cannot use the reply of {self._provider}: {why}", "Try another model")


def _parse_only_text(event: str) -> str | None:
    try:
        chunk = json.loads(event)
    except (ValueError, RecursionError):
        return None
    return _only_text_of(chunk) if isinstance(chunk, dict) else None


def _only_text_of(chunk: JsonObject) -> str | None:
    """Return the text of a chunk that does nothing but add it; that it names the model again is no matter."""
    choice = _first_object(chunk.get("choices"))
    delta = _object(choice.get("delta"))
    others = ("reasoning", "reasoning_content", "reasoning_details", "tool_calls")
    if chunk.get("error") or choice.get("error") or chunk.get("usage") or choice.get("finish_reason"):
        return None
    if any(delta.get(name) for name in others):
        return None
    text = delta.get("content")
    return text if isinstance(text, str) and text else None


def _to_usage(usage: JsonObject) -> Usage:
    details = _object(usage.get("prompt_tokens_details"))
    written = usage.get("cache_creation_input_tokens") or details.get("cache_write_tokens")
    return Usage(
        input_tokens=int(_to_number(usage.get("prompt_tokens")) or 0),
        output_tokens=int(_to_number(usage.get("completion_tokens")) or 0),
        cache_read_tokens=int(_to_number(details.get("cached_tokens")) or 0),
        cache_write_tokens=int(_to_number(written) or 0),
        cost_usd=_to_number(usage.get("cost")),
    )


def _to_number(value: JsonValue) -> float | None:
    """Return a number that can count or cost something; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if 0 <= number < math.inf else None


def _is_index(value: JsonValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text_of(value: JsonValue) -> str:
    """Return a text, whole or in parts, that can be encoded; "" for anything else."""
    if isinstance(value, list):
        return "".join(_text_of(part.get("text")) for part in _objects(value))
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:  # halves of surrogate pairs, escaped in the JSON
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: JsonValue) -> Sequence[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _first_object(value: JsonValue) -> JsonObject:
    return next(iter(_objects(value)), {})
