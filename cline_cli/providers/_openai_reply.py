"""A reply, put together from the bytes of a chat completion as they come. Pure: bytes in, deltas out.

A reader that raises is of no use any more, and what it gave out is void: a reply counts only when it is whole.

Sources of what OpenAI's API reference does not have, read 2026-11: thinking is `reasoning` (the Cline API, OpenRouter,
Groq, Cerebras, Ollama), `reasoning_content` (DeepSeek, Moonshot, Z.AI, xAI, vLLM, llama.cpp), blocks of
`reasoning_details` (MiniMax, and OpenRouter besides), or parts of the content (docs.mistral.ai/capabilities/reasoning).
Further reasons to end: `model_length` (Mistral), `sensitive`, `network_error` (Z.AI), `insufficient_system_resource`
(DeepSeek). No server is known to send a name in pieces, and some send it whole again: the first one counts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Container
from dataclasses import dataclass
from typing import TypeGuard

from cline_cli.agent.messages import (
    AssistantMessage,
    JsonObject,
    JsonValue,
    StopReason,
    TextPart,
    ThinkingPart,
)
from cline_cli.agent.provider import TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.providers._chat_dialects import PARTS_FIELD, sign_thinking
from cline_cli.providers._chat_usage import read_usage
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._draft import MAX_PARTS, CallDraft, settle
from cline_cli.providers._event_reader import EventReader
from cline_cli.providers._text_calls import TextCalls
from cline_cli.providers._text_shortcut import TextShortcut
from cline_cli.providers._values import first_object, to_object, to_objects, to_text

_STOP_REASONS: dict[str, StopReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_FAILURES = frozenset({"insufficient_system_resource", "network_error"})
_OTHERS_THAN_TEXT = ("reasoning", "reasoning_content", "reasoning_details", "tool_calls", "function_call")


@dataclass(slots=True, kw_only=True)
class _Call(CallDraft):
    index: int

    @property
    def is_whole(self) -> bool:
        try:
            json.loads(self.arguments.getvalue())
        except (ValueError, RecursionError):
            return False
        return True


class ReplyReader(EventReader):
    """See `EventReader`. Its message has the thinking first, then the text, then the calls in the order of indexes.

    With `text_calls`, a text that is nothing but calls of tools becomes calls; meanwhile it is held back.
    """

    def __init__(
        self,
        provider: str,
        taken_ids: Container[str] = (),
        *,
        text_calls: TextCalls | None = None,
        shortcut: TextShortcut | None = None,
    ) -> None:
        super().__init__(provider, taken_ids, shortcut=shortcut)
        self._provider = provider
        self._text = io.StringIO()
        self._thinking = io.StringIO()
        self._field = ""
        """In which the thinking came."""
        self._details: list[dict[str, JsonValue]] = []
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._text_calls = text_calls

    def feed(self, data: bytes) -> list[ReplyDelta]:
        """See `Reader.feed`. Text that is held back makes no delta."""
        return [delta for delta in super().feed(data) if delta != TextDelta("")]

    def feed_whole(self, body: bytes) -> list[ReplyDelta]:
        """See `Reader.feed_whole`."""
        return [delta for delta in super().feed_whole(body) if delta != TextDelta("")]

    def finish(self) -> AssistantMessage:
        if not self.is_finished:
            raise self._draft.cut_off("ended in the middle")
        drafts = sorted(self._calls, key=lambda call: call.index)
        calls = self._draft.identify(drafts)
        text, thinking = self._text.getvalue(), self._thinking.getvalue()
        signature = sign_thinking(self._provider, self._field, self._details)
        parts = (
            *((ThinkingPart(thinking, signature),) if thinking or self._details else ()),
            *((TextPart(text),) if text else ()),
            *calls,
        )
        return AssistantMessage(parts, settle(self._stop_reason, has_calls=bool(calls)), self._usage, self._model)

    def _read_whole(self, body: JsonObject, deltas: list[ReplyDelta]) -> None:
        chunk = dict(body)
        choice = dict(first_object(chunk.get("choices")))
        message = dict(to_object(choice.get("message")))
        message["tool_calls"] = [
            {"index": index, **call} for index, call in enumerate(to_objects(message.get("tool_calls")))
        ]
        finish = choice.get("finish_reason") or "stop"
        chunk["choices"] = [{**choice, "delta": message, "finish_reason": finish}] if choice else []
        self._read_chunk(chunk, deltas)

    def _read_chunk(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        choice = first_object(chunk.get("choices"))
        finish = to_text(choice.get("finish_reason"))
        said = chunk.get("error") or choice.get("error") or to_object(chunk.get("x_groq")).get("error")
        if said or finish == "error":
            raise ServerSaidError(said)
        if chunk.get("object") == "error":  # vLLM's, without a frame around it
            raise ServerSaidError(chunk)
        if finish in _FAILURES:
            raise ServerSaidError({"code": "service_unavailable", "message": f"the reply ended with {finish}"})
        model, usage = chunk.get("model"), read_usage(chunk)
        if isinstance(model, str):
            self._model = self._model or model
        if usage:
            self._usage = usage
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._read_delta(delta, deltas)
        if finish:
            self.is_finished = True
            self._stop_reason = _STOP_REASONS.get(finish, "stop")
            self._settle_text(deltas, is_cut=self._stop_reason in {"length", "content_filter"})

    def _read_delta(self, delta: JsonObject, deltas: list[ReplyDelta]) -> None:
        for field in ("reasoning", "reasoning_content"):
            if thinking := to_text(delta.get(field)):
                self._add_thinking(thinking, field, deltas)
                break
        else:
            for detail in to_objects(delta.get("reasoning_details")):
                self._add_thinking(to_text(detail.get("text")) or to_text(detail.get("summary")), "", deltas)
        for detail in to_objects(delta.get("reasoning_details")):
            self._add_detail(detail)
        content = delta.get("content")
        for part in to_objects(content):
            self._add_thinking(to_text(part.get("thinking")), PARTS_FIELD, deltas)
        if text := to_text(content):
            deltas.append(self._add_text(text))
        legacy = to_object(delta.get("function_call"))
        fragments = to_objects(delta.get("tool_calls")) or ([{"function": legacy}] if legacy else ())
        # Where several pieces say nothing of whose they are, they are in the order of the calls.
        is_in_order = 1 < len(fragments) == len(self._calls) and not any(map(_says_whose, fragments))
        for place, fragment in enumerate(fragments):
            self._read_fragment({**fragment, "index": self._calls[place].index} if is_in_order else fragment, deltas)

    def _add_thinking(self, text: str, field: str, deltas: list[ReplyDelta]) -> None:
        if text:
            self._field = self._field or field
            self._thinking.write(self._draft.count(text))
            deltas.append(ThinkingDelta(text))

    def _add_text(self, text: str) -> ReplyDelta:
        if self._text_calls:
            text = self._text_calls.feed(text)
        self._text.write(self._draft.count(text))
        return TextDelta(text)

    def _settle_text(self, deltas: list[ReplyDelta], *, is_cut: bool = False) -> None:
        """Give out the text that was held back, or the calls that it is: those of a reply that is whole."""
        if not self._text_calls:
            return
        calls = () if is_cut or self._calls else self._text_calls.finish()
        text = "" if calls else self._text_calls.release()
        self._text_calls = None
        self._text.write(self._draft.count(text))
        deltas.append(TextDelta(text))
        for name, arguments in calls:
            self._read_fragment({"index": len(self._calls), "function": {"name": name, "arguments": arguments}}, deltas)

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
        function = to_object(fragment.get("function"))
        identity, name = to_text(fragment.get("id")), to_text(function.get("name"))
        given = function.get("arguments")
        arguments = json.dumps(given) if isinstance(given, dict) else to_text(given)
        call = self._find_call(fragment.get("index"), identity, name, arguments)
        if self._text_calls:
            self._settle_text(deltas, is_cut=True)
        is_new = call is None
        if call is None:
            call = self._start_call(fragment.get("index"), identity, name)
        call.id = call.id or identity
        call.name = call.name or name
        if arguments:
            call.arguments.write(self._draft.count(arguments))
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
        if len(self._calls) >= MAX_PARTS:
            raise self._draft.too_large("it does not end")
        place = index if _is_index(index) else max(self._by_index, default=-1) + 1
        call = self._by_index[place] = _Call(id=identity, name=name, index=place)
        self._calls.append(call)
        return call

    @staticmethod
    def _only_text_of(chunk: JsonObject) -> str | None:
        """Return the text of a chunk that does nothing but add it; that it names the model again is no matter."""
        choice = first_object(chunk.get("choices"))
        delta = to_object(choice.get("delta"))
        if any(chunk.get(name) for name in ("error", "usage", "x_groq")) or chunk.get("object") == "error":
            return None
        if any(choice.get(name) for name in ("error", "usage", "finish_reason")):
            return None
        if any(delta.get(name) for name in _OTHERS_THAN_TEXT):
            return None
        text = delta.get("content")
        return text if isinstance(text, str) and text else None


def _says_whose(fragment: JsonObject) -> bool:
    """Return whether a piece of a call says which one it is of, or begins one."""
    name = to_text(to_object(fragment.get("function")).get("name"))
    return bool(_is_index(fragment.get("index")) or to_text(fragment.get("id")) or name)


def _is_index(value: JsonValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
