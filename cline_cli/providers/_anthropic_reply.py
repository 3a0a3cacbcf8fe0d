"""A reply of Anthropic's messages, put together from its events as they come. Pure: bytes in, deltas out.

    message_start, (content_block_start, content_block_delta..., content_block_stop)..., message_delta, message_stop

Pings, and events and blocks of kinds that are not known, may stand anywhere. A reply is whole when its stop reason has
come: all blocks precede it. Documentation: platform.claude.com/docs, "Streaming messages", read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from cline_cli.agent.messages import AssistantMessage, JsonObject, JsonValue, StopReason, Usage
from cline_cli.agent.provider import ToolCallDelta
from cline_cli.providers._anthropic_request import REDACTED, SIGNED
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._draft import CallDraft
from cline_cli.providers._event_reader import EventReader
from cline_cli.providers._signatures import seal
from cline_cli.providers._text_shortcut import TextShortcut
from cline_cli.providers._values import to_count, to_number, to_object, to_objects, to_text

_STOP_REASONS: Mapping[str, StopReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}
_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class UnpaddedShortcut(TextShortcut):
    """Knows the same event with any number of spaces before its last brace: Anthropic puts some there at random."""

    def read(self, event: str) -> str | None:
        return super().read(_without_padding(event))

    def learn(self, event: str, text: str) -> None:
        super().learn(_without_padding(event), text)


@dataclass(slots=True)
class _Call:
    draft: CallDraft
    given: str
    """The arguments that came with its beginning, which count where no pieces of them follow."""


class ReplyReader(EventReader):
    """See `EventReader`. Parts stand in the order in which they come."""

    def __init__(self, provider: str, taken_ids: Container[str] = (), *, shortcut: TextShortcut | None = None) -> None:
        super().__init__(provider, taken_ids, shortcut=shortcut or UnpaddedShortcut(self._parse_only_text))
        self._last_index = -1
        self._calls: dict[int, _Call] = {}
        self._unknown: set[int] = set()
        """Indexes of blocks of other kinds."""
        self._thinking: int | None = None
        """The index of the block that is thought at the moment."""
        self._signature = ""
        self._counts = dict.fromkeys(_COUNTS, 0)

    def finish(self) -> AssistantMessage:
        self._end_thinking()
        for call in self._calls.values():
            self._give_arguments(call)  # no end of its block has come
        return super().finish()

    def _read_chunk(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        kind, index = chunk.get("type"), chunk.get("index")
        if chunk.get("error") or kind == "error":
            raise ServerSaidError(chunk)
        if kind == "message_start":
            self._read_message(to_object(chunk.get("message")), deltas)
        elif kind == "content_block_start":
            self._start_block(index, to_object(chunk.get("content_block")), deltas)
        elif kind == "content_block_delta":
            self._read_delta(index, to_object(chunk.get("delta")), deltas)
        elif kind == "content_block_stop":
            self._stop_block(self._place(index), deltas)
        elif kind == "message_delta":
            self._read_usage(to_object(chunk.get("usage")))
            self._read_stop_reason(to_object(chunk.get("delta")))
        elif kind == "message_stop":
            self.is_finished = self.is_done = True

    def _read_whole(self, body: JsonObject, deltas: list[ReplyDelta]) -> None:
        if body.get("error") or body.get("type") == "error":
            raise ServerSaidError(body)
        self._read_message(body, deltas)
        self.is_finished = isinstance(body.get("content"), list)

    def _read_message(self, message: JsonObject, deltas: list[ReplyDelta]) -> None:
        """Take in a message: the whole one, or its beginning, which may hold blocks as well."""
        self._model = self._model or to_text(message.get("model"))
        self._read_usage(to_object(message.get("usage")))
        for block in to_objects(message.get("content")):
            self._start_block(None, block, deltas)
            self._stop_block(self._last_index, deltas)
        self._stop_reason = _STOP_REASONS.get(to_text(message.get("stop_reason")), self._stop_reason)

    def _start_block(self, index: JsonValue, block: JsonObject, deltas: list[ReplyDelta]) -> None:
        place = index if _is_index(index) else self._last_index + 1
        self._stop_block(place, deltas)
        self._end_thinking()
        self._last_index = place
        kind = block.get("type")
        if kind == "text":
            self._read_text(block, deltas)
        elif kind == "thinking":
            self._read_thinking(place, block, deltas)
        elif kind == "redacted_thinking":
            self._read_redacted(to_text(block.get("data")))
        elif kind == "tool_use":
            draft = self._draft.open_call(to_text(block.get("id")), to_text(block.get("name")))
            self._calls[place] = _Call(draft, _to_arguments(block.get("input")))
            deltas.append(ToolCallDelta(draft.name, ""))
        else:
            self._unknown.add(place)

    def _read_delta(self, index: JsonValue, delta: JsonObject, deltas: list[ReplyDelta]) -> None:
        place, kind = self._place(index), delta.get("type")
        if kind == "text_delta":
            self._read_text(delta, deltas)
        elif kind == "thinking_delta" or (kind == "signature_delta" and place == self._thinking):
            self._read_thinking(place, delta, deltas)
        elif kind == "input_json_delta" and place not in self._unknown:
            self._read_arguments(place, _to_arguments(delta.get("partial_json")), deltas)

    def _stop_block(self, place: int, deltas: list[ReplyDelta]) -> None:
        if place == self._thinking:
            self._end_thinking()
        call = self._calls.pop(place, None)
        if call:
            deltas += self._give_arguments(call)
        self._unknown.discard(place)
        self._draft.close_part()

    def _read_text(self, block: JsonObject, deltas: list[ReplyDelta]) -> None:
        text = to_text(block.get("text"))
        if text:
            deltas.append(self._add_text(text))

    def _add_text(self, text: str) -> ReplyDelta:
        self._end_thinking()
        return super()._add_text(text)

    def _read_thinking(self, place: int, block: JsonObject, deltas: list[ReplyDelta]) -> None:
        if place != self._thinking:
            self._end_thinking()
            self._draft.close_part()
            self._thinking = place
        thought = to_text(block.get("thinking"))
        if thought:
            deltas.append(self._draft.add_thinking(thought))
        self._signature = to_text(block.get("signature")) or self._signature

    def _read_redacted(self, data: str) -> None:
        if data:
            self._draft.sign(seal(REDACTED, data))

    def _end_thinking(self) -> None:
        """Sign what was thought, with the last of the signatures that came for it."""
        if self._thinking is not None and self._signature:
            self._draft.sign(seal(SIGNED, self._signature))
        self._thinking = None
        self._signature = ""

    def _read_arguments(self, place: int, piece: str, deltas: list[ReplyDelta]) -> None:
        if not piece:
            return
        if place not in self._calls:  # of a call of no tool, for which the reply is refused in the end
            self._calls[place] = _Call(self._draft.open_call("", ""), "")
        deltas.append(self._draft.add_arguments(self._calls[place].draft, piece))

    def _give_arguments(self, call: _Call) -> list[ReplyDelta]:
        if not call.given or call.draft.arguments.tell():
            return []
        return [self._draft.add_arguments(call.draft, call.given)]

    def _read_stop_reason(self, delta: JsonObject) -> None:
        reason = to_text(delta.get("stop_reason"))
        if reason:
            self.is_finished = True
            self._stop_reason = _STOP_REASONS.get(reason, "stop")

    def _read_usage(self, usage: JsonObject) -> None:
        """Take in how many tokens it has been up to now; input tokens come without those that touched the cache."""
        for name in _COUNTS:
            self._counts[name] = max(self._counts[name], to_count(usage.get(name)))
        read, written = self._counts["cache_read_input_tokens"], self._counts["cache_creation_input_tokens"]
        cost = to_number(usage.get("cost"))
        self._usage = Usage(
            input_tokens=self._counts["input_tokens"] + read + written,
            output_tokens=self._counts["output_tokens"],
            cache_read_tokens=read,
            cache_write_tokens=written,
            cost_usd=self._usage.cost_usd if cost is None else cost,
        )

    def _place(self, index: JsonValue) -> int:
        return index if _is_index(index) else self._last_index

    @staticmethod
    def _only_text_of(chunk: JsonObject) -> str | None:
        delta = to_object(chunk.get("delta"))
        if chunk.get("type") != "content_block_delta" or chunk.get("error") or delta.get("type") != "text_delta":
            return None
        text = delta.get("text")
        return text if isinstance(text, str) and text else None


def _to_arguments(value: JsonValue) -> str:
    """Return arguments as JSON text, whether they came as such or as an object; "" for an empty one."""
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return to_text(value)


def _without_padding(event: str) -> str:
    return event[:-1].rstrip(" ") + "}" if event.endswith("}") else event


def _is_index(value: JsonValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
