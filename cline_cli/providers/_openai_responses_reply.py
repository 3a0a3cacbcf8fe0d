"""A reply, put together from the bytes of OpenAI's responses as they come. Pure: bytes in, deltas out.

A reply is a list of items. Each is announced, grows by deltas, and is then told once more as a whole; so is the reply.
What was streamed counts, and from what is told as a whole only that is taken which had not come.
"""

from __future__ import annotations

import io
import json
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from cline_cli.agent.messages import (
    AssistantMessage,
    JsonObject,
    JsonValue,
    TextPart,
    ThinkingPart,
    ToolCall,
    Usage,
)
from cline_cli.agent.provider import TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._draft import CallDraft, settle
from cline_cli.providers._event_reader import EventReader
from cline_cli.providers._openai_responses_items import Item, Items, Key, join
from cline_cli.providers._openai_responses_request import WIRE_FORMAT
from cline_cli.providers._signatures import seal
from cline_cli.providers._text_shortcut import TextShortcut
from cline_cli.providers._values import dump, to_count, to_number, to_object, to_objects, to_text

MAX_ITEMS = 10_000
"""Of one reply; a call each, they would be more than anyone could run."""

_TEXT_DELTA = "response.output_text.delta"
_GAP = "\n\n"
"""Between the messages of one reply, its items of reasoning, and the parts of one. It is never sent back."""


class _Piece(NamedTuple):
    """Where the text of an event belongs."""

    kind: str
    """Of the item."""
    section: str
    number: str
    """The field with the number of the part; empty where there is one only."""
    text: str
    """The field with the text."""


_PIECES: Mapping[str, _Piece] = {
    _TEXT_DELTA: _Piece("message", "content", "content_index", "delta"),
    "response.output_text.done": _Piece("message", "content", "content_index", "text"),
    "response.refusal.delta": _Piece("message", "content", "content_index", "delta"),
    "response.refusal.done": _Piece("message", "content", "content_index", "refusal"),
    "response.reasoning_summary_text.delta": _Piece("reasoning", "summary", "summary_index", "delta"),
    "response.reasoning_summary_text.done": _Piece("reasoning", "summary", "summary_index", "text"),
    "response.reasoning_text.delta": _Piece("reasoning", "content", "content_index", "delta"),
    "response.reasoning_text.done": _Piece("reasoning", "content", "content_index", "text"),
    "response.function_call_arguments.delta": _Piece("function_call", "arguments", "", "delta"),
    "response.function_call_arguments.done": _Piece("function_call", "arguments", "", "arguments"),
}
_KINDS = frozenset(piece.kind for piece in _PIECES.values())
_ENDS: Mapping[str, str] = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
}
"""Which status each means, where the reply in it has none."""
_PASSED_BACK = ("id", "type", "summary", "content", "encrypted_content")


class ReplyReader(EventReader):
    """See `EventReader`. Its message has the parts in the order of the items' places."""

    def __init__(self, provider: str, taken_ids: Container[str] = (), *, shortcut: TextShortcut | None = None) -> None:
        super().__init__(provider, taken_ids, shortcut=shortcut)
        self._items = Items()
        self._place: tuple[Item, Key] | None = None
        """Where the last delta of text belonged: a delta that is known by its shape belongs there as well."""
        self._has_begun: set[str] = set()
        """The kinds of item that there is text of."""
        self._is_refused = False

    def finish(self) -> AssistantMessage:
        if not self.is_finished:
            raise self._draft.cut_off("ended in the middle")
        items = self._items.in_order
        drafts = [_to_draft(item) for item in items if item.kind == "function_call"]
        calls = iter(self._draft.identify(drafts))
        parts: list[TextPart | ThinkingPart | ToolCall] = []
        for item in items:
            parts += [next(calls)] if item.kind == "function_call" else _to_parts(item)
        stop_reason = "content_filter" if self._is_refused else settle(self._stop_reason, has_calls=bool(drafts))
        return AssistantMessage(tuple(parts), stop_reason, self._usage, self._model)

    def _read_whole(self, body: JsonObject, deltas: list[ReplyDelta]) -> None:
        said = body.get("error")
        if said:
            raise ServerSaidError(said)
        self._read_reply(body, "completed" if to_objects(body.get("output")) else "", deltas)

    def _read_chunk(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        kind, index = to_text(chunk.get("type")), chunk.get("output_index")
        if kind != _TEXT_DELTA:
            self._leave_place()
        if kind == "error" or (not kind and chunk.get("error")):
            raise ServerSaidError(chunk.get("error") or {**chunk, "type": None})
        if kind in _ENDS:
            self._read_reply(to_object(chunk.get("response")), _ENDS[kind], deltas)
            self.is_done = self.is_finished
        elif kind in _PIECES:
            self._read_piece(_PIECES[kind], chunk, deltas)
            self._is_refused = self._is_refused or kind.startswith("response.refusal.")
        elif kind in {"response.output_item.added", "response.output_item.done"}:
            said = to_object(chunk.get("item"))
            if to_text(said.get("type")) not in _KINDS:
                return
            if kind.endswith("added"):
                self._announce(said, index, deltas)
            else:
                self._conclude(said, index, deltas)

    def _read_piece(self, piece: _Piece, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        index, number = chunk.get("output_index"), chunk.get(piece.number)
        item = self._items.find(piece.kind, index, to_text(chunk.get("item_id")))
        if item is None:
            item = self._limit(self._items.add(piece.kind, index))
        key = (piece.section, number if isinstance(number, int) else 0)
        text = _read_text(chunk.get(piece.text))
        if piece.text == "delta":
            self._add(item, key, text, deltas)
        else:
            self._complete(item, key, text, deltas)
        if chunk.get("type") == _TEXT_DELTA and self._place != (item, key):
            self._leave_place()
            self._place = (item, key) if key in item.parts else None

    def _announce(self, said: JsonObject, index: JsonValue, deltas: list[ReplyDelta]) -> None:
        item = self._limit(self._items.announce(to_text(said.get("type")), index, said))
        if item.kind == "function_call":
            item.announced = _read_text(said.get("arguments"))
            deltas.append(ToolCallDelta(item.name, ""))

    def _conclude(self, said: JsonObject, index: JsonValue, deltas: list[ReplyDelta]) -> None:
        """Take in an item that is told as a whole."""
        item = self._limit(self._items.conclude(to_text(said.get("type")), index, said))
        if item.kind == "function_call":
            self._complete(item, ("arguments", 0), _read_text(said.get("arguments")), deltas)
            return
        if item.kind == "reasoning":
            self._complete_section(item, "summary", to_objects(said.get("summary")), deltas)
            item.sealed = self._draft.count(_seal(said)) or item.sealed
        content = to_objects(said.get("content"))
        self._complete_section(item, "content", content, deltas)
        self._is_refused = self._is_refused or any(part.get("type") == "refusal" for part in content)

    def _read_reply(self, reply: JsonObject, status: str, deltas: list[ReplyDelta]) -> None:
        """Take in the reply that is told as a whole, at its end; items of a kind that was streamed were whole."""
        status = to_text(reply.get("status")) or status
        if status == "failed":
            raise ServerSaidError(reply.get("error"))
        self._model = to_text(reply.get("model")) or self._model
        self._usage = _to_usage(to_object(reply.get("usage")))
        for item in self._items.in_order:
            if item.announced and not any(item.texts()):
                self._complete(item, ("arguments", 0), item.announced, deltas)
        streamed = self._items.kinds
        for index, said in enumerate(to_objects(reply.get("output"))):
            if to_text(said.get("type")) in _KINDS - streamed:
                self._conclude(said, index, deltas)
        if status == "incomplete":
            reason = to_object(reply.get("incomplete_details")).get("reason")
            self._stop_reason = "content_filter" if reason == "content_filter" else "length"
        self.is_finished = status in {"completed", "incomplete"}

    def _complete_section(
        self, item: Item, section: str, parts: Sequence[JsonObject], deltas: list[ReplyDelta]
    ) -> None:
        """Add what had not come of a section, whatever numbers its parts had when they came."""
        texts = [to_text(part.get("text")) or to_text(part.get("refusal")) for part in parts]
        streamed = "".join(item.texts(section))
        if not streamed:
            for number, text in enumerate(texts):
                self._add(item, (section, number), text, deltas)
        elif len(rest := "".join(texts)) > len(streamed) and rest.startswith(streamed):
            last = max(key for key in item.parts if key[0] == section)
            self._add(item, last, rest[len(streamed) :], deltas)

    def _complete(self, item: Item, key: Key, whole: str, deltas: list[ReplyDelta]) -> None:
        part = item.parts.get(key)
        streamed = part.getvalue() if part else ""
        if whole.startswith(streamed):
            self._add(item, key, whole[len(streamed) :], deltas)

    def _add(self, item: Item, key: Key, text: str, deltas: list[ReplyDelta]) -> None:
        if not text:
            return
        gap = ""
        if key not in item.parts:
            gap = self._gap_before(item)
            item.parts[key] = io.StringIO()
        item.parts[key].write(self._draft.count(text))
        if item.kind == "function_call":
            deltas.append(ToolCallDelta(item.name, text))
        else:
            deltas.append(ThinkingDelta(gap + text) if item.kind == "reasoning" else TextDelta(gap + text))

    def _limit(self, item: Item) -> Item:
        """Return the item, if there are no more than make sense."""
        if len(self._items) > MAX_ITEMS:
            raise self._draft.too_large("it does not end")
        return item

    def _gap_before(self, item: Item) -> str:
        """Return what stands before a new part of an item, so that it can be told from what was said before."""
        is_first = item.kind not in self._has_begun
        self._has_begun.add(item.kind)
        if item.parts:
            return _GAP if item.kind == "reasoning" else ""
        item.gap = "" if is_first or item.kind == "function_call" else _GAP
        return item.gap

    def _add_text(self, text: str) -> ReplyDelta:
        assert self._place is not None, "no shape of text is known"
        item, key = self._place
        item.parts[key].write(self._draft.count(text))
        return TextDelta(text)

    def _leave_place(self) -> None:
        self._place = None
        self._shortcut.forget()

    @staticmethod
    def _only_text_of(chunk: JsonObject) -> str | None:
        text = chunk.get("delta")
        return text if chunk.get("type") == _TEXT_DELTA and isinstance(text, str) and text else None


def _to_draft(item: Item) -> CallDraft:
    draft = CallDraft(item.call_id or item.id, item.name)
    draft.arguments.write("".join(item.texts()))
    return draft


def _to_parts(item: Item) -> list[TextPart | ThinkingPart | ToolCall]:
    """Return what an item comes to; the phase of a message stands in an empty thought before it."""
    if item.kind == "reasoning":
        text = join(item.texts(), _GAP)
        return [ThinkingPart(item.gap + text, item.sealed)] if text or item.sealed else []
    text = "".join(item.texts())
    if not text:
        return []
    phase = dump({"type": "message", "id": item.id, "phase": item.phase}).decode() if item.phase else ""
    return [
        *([ThinkingPart("", seal(WIRE_FORMAT, phase))] if phase else []),
        *([TextPart(item.gap)] if item.gap else []),
        TextPart(text),
    ]


def _seal(said: JsonObject) -> str:
    """Return an item of reasoning as it has to be passed back; nothing for one that is kept at the other end only."""
    if not to_text(said.get("encrypted_content")):
        return ""
    kept = {name: said[name] for name in _PASSED_BACK if said.get(name) or name == "summary"}
    return seal(WIRE_FORMAT, dump(kept).decode())


def _read_text(value: JsonValue) -> str:
    """Return a text, or the JSON of arguments that are given as an object."""
    return json.dumps(value) if isinstance(value, dict) else to_text(value)


def _to_usage(usage: JsonObject) -> Usage:
    details = to_object(usage.get("input_tokens_details"))
    return Usage(
        input_tokens=to_count(usage.get("input_tokens")),
        output_tokens=to_count(usage.get("output_tokens")),
        cache_read_tokens=to_count(details.get("cached_tokens")),
        cache_write_tokens=to_count(details.get("cache_write_tokens")),
        cost_usd=to_number(usage.get("cost")),
    )
