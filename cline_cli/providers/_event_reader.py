"""What the readers of all wire formats share: a stream of events, each a JSON object, that adds up to one reply. Pure.

A format says what an event adds (`_read_chunk`), and which events do nothing but add text (`_only_text_of`): those are
most of a stream, and take the shortcut.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Container

from cline_cli.agent.messages import AssistantMessage, JsonObject, JsonValue, StopReason, Usage
from cline_cli.network.sse import MAX_EVENT_BYTES, Decoder, EventTooLargeError
from cline_cli.providers._codec import ReplyDelta
from cline_cli.providers._draft import Draft
from cline_cli.providers._text_shortcut import TextShortcut


class EventReader(ABC):
    """Reads one reply of `provider`; `taken_ids` are those of the calls that the history already holds."""

    def __init__(self, provider: str, taken_ids: Container[str] = (), *, shortcut: TextShortcut | None = None) -> None:
        self.is_done = False
        self.is_finished = False
        self._draft = Draft(provider, taken_ids)
        self._decoder = Decoder()
        self._shortcut = shortcut or TextShortcut(self._parse_only_text)
        self._stop_reason: StopReason = "stop"
        self._usage = Usage()
        self._model = ""

    def feed(self, data: bytes) -> list[ReplyDelta]:
        """See `Reader.feed`."""
        try:
            events = self._decoder.feed(data)
        except EventTooLargeError as error:
            raise self._draft.too_large(str(error)) from None
        deltas: list[ReplyDelta] = []
        for event in events:
            text = self._shortcut.read(event)
            if self.is_done:
                break
            if text:
                deltas.append(self._add_text(text))
            elif event.strip() == "[DONE]":
                self.is_done = True
            elif event.strip():
                self._read_event(event, deltas)
        return deltas

    def feed_whole(self, body: bytes) -> list[ReplyDelta]:
        """See `Reader.feed_whole`."""
        if len(body) > MAX_EVENT_BYTES:
            raise self._draft.too_large("the reply is too long")
        deltas: list[ReplyDelta] = []
        self._read_whole(self._parse(body), deltas)
        self.is_done = True
        return deltas

    def finish(self) -> AssistantMessage:
        """See `Reader.finish`."""
        if not self.is_finished:
            raise self._draft.cut_off("ended in the middle")
        return self._draft.finish(self._stop_reason, self._usage, self._model)

    @abstractmethod
    def _read_chunk(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        """Take in what one event of the stream says; raises as `feed` does."""

    @abstractmethod
    def _read_whole(self, body: JsonObject, deltas: list[ReplyDelta]) -> None:
        """Take in a reply that was not streamed; raises as `feed` does."""

    @staticmethod
    @abstractmethod
    def _only_text_of(chunk: JsonObject) -> str | None:
        """Return the text of an event that does nothing but add it to the text before; None for any other event."""

    def _add_text(self, text: str) -> ReplyDelta:
        return self._draft.add_text(text)

    def _parse(self, data: str | bytes) -> JsonObject:
        try:
            chunk: JsonValue = json.loads(data)
        except (ValueError, RecursionError):
            raise self._draft.cut_off("holds an event that is not JSON") from None
        return self._to_chunk(chunk)

    def _to_chunk(self, value: JsonValue) -> JsonObject:
        """Return the event that a JSON value is; raises CutOffError if it is none."""
        if not isinstance(value, dict):
            raise self._draft.cut_off("holds an event that is no JSON object")
        return value

    def _read_event(self, event: str, deltas: list[ReplyDelta]) -> None:
        chunk = self._parse(event)
        self._read_chunk(chunk, deltas)
        text = self._only_text_of(chunk)
        if text:
            self._shortcut.learn(event, text)

    def _parse_only_text(self, event: str) -> str | None:
        try:
            chunk = json.loads(event)
        except (ValueError, RecursionError):
            return None
        return self._only_text_of(chunk) if isinstance(chunk, dict) else None
