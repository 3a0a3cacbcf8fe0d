"""A reply, put together from the bytes of `streamGenerateContent` as they come. Pure: bytes in, deltas out.

Each event is a `GenerateContentResponse` with the parts that are new; a call is whole in one of them. There is no event
that says "the end": a reply is whole once its candidate has a finish reason, and ends with its stream. Signatures stand
on the parts that they sign, calls among them, and have to come back there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from cline_cli.agent.messages import JsonObject, JsonValue, StopReason, Usage
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._event_reader import EventReader
from cline_cli.providers._gemini_request import EMPTY_TEXT, NEXT_PART, THOUGHT
from cline_cli.providers._signatures import seal
from cline_cli.providers._values import first_object, to_count, to_object, to_objects, to_text

_STOP_REASONS: Mapping[str, StopReason] = {
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "ESCALATION",
            "PUP_LIMITED_DISABLED",
            "MODEL_ARMOR",
        ),
        "content_filter",
    ),
}
"""What is not here is "stop"."""
_VOID = {
    "MALFORMED_FUNCTION_CALL": "holds a call that cannot be read",
    "UNEXPECTED_TOOL_CALL": "holds a call of a tool that was not offered",
    "TOO_MANY_TOOL_CALLS": "holds too many calls",
    "MALFORMED_RESPONSE": "cannot be read",
    "OTHER": "was stopped by its server",
}
"""Of such a reply nothing counts; the next one may be better."""
_UNSIGNED = "MISSING_THOUGHT_SIGNATURE"
_NONE = {"", "FINISH_REASON_UNSPECIFIED"}
_LIST = "(list)"
"""The field that a list is taken for an object with."""
_PLAIN = ({"candidates", "modelVersion", "responseId", "createTime"}, {"content", "index", "safetyRatings"})
"""What an event and its candidate may hold besides a text that is added."""


class ReplyReader(EventReader):
    """See `EventReader`."""

    def _to_chunk(self, value: JsonValue) -> JsonObject:
        """Take a list as well: errors come in one, and so does the stream of a server that sends no events."""
        return {_LIST: value} if isinstance(value, list) else super()._to_chunk(value)

    def _read_whole(self, body: JsonObject, deltas: list[ReplyDelta]) -> None:
        self._read_chunk(body, deltas)
        has_candidates = any(to_objects(response.get("candidates")) for response in _responses_in(body))
        self.is_finished = self.is_finished or has_candidates

    def _read_chunk(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        for response in _responses_in(chunk):
            self._read_response(response, deltas)

    def _read_response(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        if chunk.get("error"):
            raise ServerSaidError(chunk["error"])
        self._model = self._model or to_text(chunk.get("modelVersion"))
        if usage := to_object(chunk.get("usageMetadata")):
            self._usage = _to_usage(usage)
        candidate = first_object(chunk.get("candidates"))
        for part in to_objects(to_object(candidate.get("content")).get("parts")):
            self._read_part(part, deltas)
        self._read_end(to_text(candidate.get("finishReason")))
        if to_object(chunk.get("promptFeedback")).get("blockReason"):
            self.is_finished = True
            self._stop_reason = "content_filter"

    def _read_end(self, reason: str) -> None:
        if reason in _NONE:
            return
        if reason in _VOID:
            raise self._draft.cut_off(_VOID[reason])
        if reason == _UNSIGNED:
            raise ServerSaidError({"code": 400, "message": "A call in the history has no thought signature"})
        self.is_finished = True
        self._stop_reason = _STOP_REASONS.get(reason, "stop")

    def _read_part(self, part: JsonObject, deltas: list[ReplyDelta]) -> None:
        signature, text = to_text(part.get("thoughtSignature")), to_text(part.get("text"))
        call = part.get("functionCall")
        if isinstance(call, dict):
            self._sign(NEXT_PART, signature)
            self._read_call(call, deltas)
        elif part.get("thought") is True:
            if signature:
                self._draft.close_part()  # what is signed and what is not must not be joined
            if text:
                deltas.append(self._draft.add_thinking(text))
            if signature:
                self._draft.sign(seal(THOUGHT, signature))
        else:
            self._sign(NEXT_PART if text else EMPTY_TEXT, signature)
            if text:
                deltas.append(self._draft.add_text(text))
            if signature:
                self._draft.close_part()

    def _sign(self, kind: str, signature: str) -> None:
        """Keep the signature of a part in an empty thinking of its own."""
        if signature:
            self._draft.close_part()
            self._draft.sign(seal(kind, signature))

    def _read_call(self, call: JsonObject, deltas: list[ReplyDelta]) -> None:
        if call.get("partialArgs") or call.get("willContinue"):
            raise self._draft.cut_off("holds a call in pieces, which was not asked for")
        draft = self._draft.open_call(to_text(call.get("id")), to_text(call.get("name")))
        deltas.append(self._draft.add_arguments(draft, self._to_arguments(call.get("args"))))

    def _to_arguments(self, given: JsonValue) -> str:
        """Return arguments as JSON text; what is no object stays what it is, and is told to the model as a mistake."""
        if given is None or isinstance(given, str):
            return to_text(given)
        try:
            return to_text(json.dumps(given, ensure_ascii=False))
        except RecursionError:
            raise self._draft.cut_off("holds a call that cannot be read") from None

    @staticmethod
    def _only_text_of(chunk: JsonObject) -> str | None:
        candidates = to_objects(chunk.get("candidates"))
        candidate = candidates[0] if len(candidates) == 1 else {}
        content = to_object(candidate.get("content"))
        parts = to_objects(content.get("parts"))
        is_plain = _PLAIN[0].issuperset(chunk) and _PLAIN[1].issuperset(candidate)
        if not is_plain or len(parts) != 1 or parts[0].keys() != {"text"}:
            return None
        return to_text(parts[0]["text"])


def _responses_in(chunk: JsonObject) -> Sequence[JsonObject]:
    return to_objects(chunk[_LIST]) if _LIST in chunk else [chunk]


def _to_usage(usage: JsonObject) -> Usage:
    """The tokens of a prompt are told without those of server-side tools, and the answer's without the thinking's."""
    return Usage(
        input_tokens=to_count(usage.get("promptTokenCount")) + to_count(usage.get("toolUsePromptTokenCount")),
        output_tokens=to_count(usage.get("candidatesTokenCount")) + to_count(usage.get("thoughtsTokenCount")),
        cache_read_tokens=to_count(usage.get("cachedContentTokenCount")),
    )
