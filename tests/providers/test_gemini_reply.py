from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._draft import MAX_REPLY_CHARACTERS
from cline_cli.providers._gemini_reply import ReplyReader
from cline_cli.providers._text_shortcut import TextShortcut
from tests.dialects.gemini import event, part_event
from tests.providers.play import ways_to_come

RECORDINGS = Path(__file__).parent.parent / "recordings" / "gemini"
PRO = "gemini-2.5-pro"


def signs(what: str, kind: str = "gemini") -> str:
    return f"{kind}:{b64encode(f'signs {what}'.encode()).decode()}"


WHOLE = {
    "text": AssistantMessage((TextPart("REST is “stateless” — 漢字 🙂\nDone."),), "stop", Usage(14, 8), PRO),
    "one_tool": AssistantMessage(
        (
            TextPart("Let me look."),
            ThinkingPart("", signs("run_commands")),
            ToolCall("call_1", "run_commands", '{"commands": ["echo \\"hi\\""]}'),
        ),
        "tool_calls",
        Usage(100, 10),
        PRO,
    ),
    "parallel_tools": AssistantMessage(
        (
            ThinkingPart("", signs("read_files")),
            ToolCall("lpndqlku", "read_files", '{"paths": ["a.py"]}'),
            ToolCall("m6rogicj", "run_commands", '{"commands": ["ls"]}'),
            ToolCall("q0wvx1ht", "submit", ""),
        ),
        "tool_calls",
        Usage(300, 40),
        "gemini-3-flash-preview",
    ),
    "reasoning": AssistantMessage(
        (
            ThinkingPart("**Greeting**\n\nThe user greets."),
            TextPart("Hel"),
            ThinkingPart("", signs("lo")),
            TextPart("lo"),
            TextPart("! I look."),
            ThinkingPart("", signs("list_files")),
            ToolCall("call_1", "list_files", '{"path": "."}'),
        ),
        "tool_calls",
        Usage(12, 40),
        PRO,
    ),
    "signed_end": AssistantMessage(
        (
            ThinkingPart("Easy.", signs("a thought", "gemini-thought")),
            TextPart("4"),
            ThinkingPart("", signs("it all", "gemini-text")),
        ),
        "stop",
        Usage(9, 6),
        "gemini-3.1-pro-preview",
    ),
    "usage": AssistantMessage((TextPart("ok"),), "stop", Usage(5289, 120, 4096), PRO),
    "length": AssistantMessage(
        (TextPart("Sure"), ToolCall("call_1", "editor", '{"path": "a"}')), "length", Usage(10, 32000), PRO
    ),
    "refusal": AssistantMessage((TextPart("First, take"),), "content_filter", Usage(11, 2), PRO),
    "blocked": AssistantMessage((), "content_filter", Usage(11), PRO),
}
SAID: dict[str, JsonValue] = {
    "error": {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"},
    "listed_error": {
        "code": 429,
        "message": "You exceeded your current quota.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"},
        ],
    },
}
CUT = {"truncated": "ended in the middle", "malformed": "holds a call that cannot be read"}
END = (b'"finishReason": "', b'"blockReason": "')


def record(name: str) -> bytes:
    return (RECORDINGS / f"{name}.sse").read_bytes()


def read(*pieces: bytes, taken: frozenset[str] = frozenset()) -> tuple[list[ReplyDelta], AssistantMessage]:
    reader = ReplyReader("gemini", taken)
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas, reader.finish()


def read_whole(body: JsonValue | bytes) -> AssistantMessage:
    reader = ReplyReader("gemini")
    reader.feed_whole(body if isinstance(body, bytes) else json.dumps(body).encode())
    return reader.finish()


def text(words: str) -> JsonObject:
    return {"text": words}


def signed(part: JsonObject, signature: str) -> JsonObject:
    return {**part, "thoughtSignature": signature}


def call(**fields: JsonValue) -> JsonObject:
    return {"functionCall": fields}


def parts_of(*parts: JsonObject) -> tuple[TextPart | ThinkingPart | ToolCall, ...]:
    return read(*(part_event(part) for part in parts), part_event(finish="STOP"))[1].parts


def test_every_recording_is_replayed_when_there_is_one() -> None:
    names = {path.stem for path in RECORDINGS.iterdir()}
    assert names == WHOLE.keys() | SAID.keys() | CUT.keys()
    assert all(record(name).startswith(b": Written 2026-") for name in names)


@pytest.mark.parametrize("name", WHOLE)
def test_message_is_read_when_a_recording_is_whole(name: str) -> None:
    deltas, message = read(record(name))
    assert message == WHOLE[name]
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == message.text


@pytest.mark.parametrize("name", WHOLE)
def test_message_is_the_same_when_its_bytes_come_in_other_pieces(name: str) -> None:
    whole = read(record(name))
    assert all(read(*pieces) == whole for pieces in ways_to_come(record(name)))


@pytest.mark.parametrize("name", SAID)
def test_error_is_given_out_when_the_server_sends_one(name: str) -> None:
    raw = record(name)
    for pieces in ([raw], [raw[place : place + 1] for place in range(len(raw))]):
        with pytest.raises(ServerSaidError) as caught:
            read(*pieces)
        assert caught.value.said == SAID[name]


@pytest.mark.parametrize("name", CUT)
def test_no_reply_counts_when_it_is_not_whole(name: str) -> None:
    with pytest.raises(CutOffError, match=CUT[name]):
        read(record(name))


@pytest.mark.parametrize("name", WHOLE)
def test_no_reply_counts_when_it_breaks_off_before_its_finish(name: str) -> None:
    raw = record(name)
    start = next(raw.index(mark) for mark in END if mark in raw)
    for place in range(raw.index(b"\n\n", start)):
        with pytest.raises(CutOffError, match="the reply of gemini ended in the middle"):
            read(raw[:place])


def test_deltas_come_in_order_when_a_reply_has_all_kinds() -> None:
    assert read(record("reasoning"))[0] == [
        ThinkingDelta("**Greeting**\n\nThe user "),
        ThinkingDelta("greets."),
        TextDelta("Hel"),
        TextDelta("lo"),
        TextDelta("! "),
        TextDelta("I look."),
        ToolCallDelta("list_files", '{"path": "."}'),
    ]


def test_parts_are_joined_when_neither_is_signed() -> None:
    assert parts_of(text("a"), text(""), text("b"), {"text": "c", "thought": True}, {"text": "d", "thought": True}) == (
        TextPart("ab"),
        ThinkingPart("cd"),
    )


def test_thoughts_are_not_joined_when_one_is_signed() -> None:
    a: JsonObject = {"text": "a", "thought": True}
    assert parts_of(a, signed(a, "S"), a) == (
        ThinkingPart("a"),
        ThinkingPart("a", "gemini-thought:S"),
        ThinkingPart("a"),
    )


def test_signature_stays_with_an_empty_part_when_a_call_follows_that_has_none() -> None:
    assert parts_of(signed(text(""), "S"), call(name="look", args={})) == (
        ThinkingPart("", "gemini-text:S"),
        ToolCall("call_1", "look", "{}"),
    )


def test_signatures_stay_apart_when_every_part_has_one() -> None:
    parts = parts_of(signed(call(name="a"), "A"), signed(call(name="b"), "B"), {"thoughtSignature": "C"})
    assert [part.signature for part in parts if isinstance(part, ThinkingPart)] == [
        "gemini:A",
        "gemini:B",
        "gemini-text:C",
    ]
    assert [type(part) for part in parts] == [ThinkingPart, ToolCall, ThinkingPart, ToolCall, ThinkingPart]


CALLS: dict[str, tuple[list[JsonObject], list[tuple[str, str, str]]]] = {
    "with an id": ([call(id="a", name="x", args={"b": 1})], [("a", "x", '{"b": 1}')]),
    "without ids": ([call(name="x", args={}), call(name="x", args={})], [("call_1", "x", "{}"), ("call_2", "x", "{}")]),
    "the same id twice": (
        [call(id="a", name="x", args={}), call(id="a", name="y", args={})],
        [("a", "x", "{}"), ("call_2", "y", "{}")],
    ),
    "an id of the history": ([call(id="taken", name="x", args={})], [("call_1", "x", "{}")]),
    "no arguments": ([call(id="a", name="x")], [("a", "x", "")]),
    "null for arguments": ([call(id="a", name="x", args=None)], [("a", "x", "")]),
    "arguments as text": ([call(id="a", name="x", args='{"b":')], [("a", "x", '{"b":')]),
    "a list for arguments": ([call(id="a", name="x", args=[1])], [("a", "x", "[1]")]),
    "a strange id": ([call(id=7, name="x", args={})], [("call_1", "x", "{}")]),
    "letters of all kinds": ([call(id="a", name="x", args={"b": "é\ud83d"})], [("a", "x", '{"b": "é\ufffd"}')]),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_read_when_they_vary(case: str) -> None:
    given_parts, calls = CALLS[case]
    raw = f"data: {json.dumps({'candidates': [{'content': {'parts': given_parts}}]})}\n\n".encode()
    message = read(raw, part_event(finish="STOP"), taken=frozenset({"taken"}))[1]
    assert [(made.id, made.name, made.arguments) for made in message.tool_calls] == calls
    assert message.stop_reason == "tool_calls"


def test_every_call_is_read_once_when_there_are_many() -> None:
    parts = [call(name=f"tool_{number}", args={"n": number}) for number in range(128)]
    message = read(part_event(*parts[:50]), part_event(*parts[50:]), part_event(finish="STOP"))[1]
    assert [(made.name, made.arguments) for made in message.tool_calls] == [
        (f"tool_{number}", f'{{"n": {number}}}') for number in range(128)
    ]
    assert len({made.id for made in message.tool_calls}) == 128


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (call(args={}), "holds a call of no tool"),
        (call(name="x", partialArgs=[{"jsonPath": "$.a", "stringValue": "b"}]), "holds a call in pieces"),
        (call(name="x", willContinue=True), "holds a call in pieces"),
    ],
)
def test_reply_is_void_when_a_call_cannot_be_run(part: JsonObject, what: str) -> None:
    with pytest.raises(CutOffError, match=what):
        parts_of(part)


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("SOMETHING_NEW", "stop"),
    ],
)
def test_stop_reason_is_read_when_a_reply_is_whole(finish: str, reason: StopReason) -> None:
    assert read(part_event(text("a"), finish=finish))[1].stop_reason == reason


@pytest.mark.parametrize(
    ("finish", "what"),
    [
        ("MALFORMED_FUNCTION_CALL", "holds a call that cannot be read"),
        ("UNEXPECTED_TOOL_CALL", "holds a call of a tool that was not offered"),
        ("TOO_MANY_TOOL_CALLS", "holds too many calls"),
        ("MALFORMED_RESPONSE", "cannot be read"),
        ("OTHER", "was stopped by its server"),
    ],
)
def test_reply_is_void_when_another_may_be_better(finish: str, what: str) -> None:
    with pytest.raises(CutOffError, match=f"the reply of gemini {what}"):
        read(part_event(text("a")), part_event(finish=finish))


def test_signature_is_missed_when_the_reply_ends_for_want_of_it() -> None:
    with pytest.raises(ServerSaidError) as caught:
        read(part_event(finish="MISSING_THOUGHT_SIGNATURE"))
    assert caught.value.said == {"code": 400, "message": "A call in the history has no thought signature"}


@pytest.mark.parametrize("finish", ["", "FINISH_REASON_UNSPECIFIED"])
def test_reply_goes_on_when_its_finish_reason_is_none(finish: str) -> None:
    with pytest.raises(CutOffError, match="ended in the middle"):
        read(part_event(text("a"), finish=finish))


def test_last_finish_reason_counts_when_every_event_has_one() -> None:
    message = read(part_event(text("a"), finish="STOP"), part_event(text("b"), finish="MAX_TOKENS"))[1]
    assert (message.text, message.stop_reason) == ("ab", "length")


def test_reply_is_a_refusal_when_the_prompt_is_blocked_after_text() -> None:
    blocked = event({"promptFeedback": {"blockReason": "SAFETY"}})
    assert read(part_event(text("a")), blocked)[1].stop_reason == "content_filter"


def test_last_usage_counts_when_there_are_several() -> None:
    events = [part_event(text("a"), usage={"promptTokenCount": n, "candidatesTokenCount": n}) for n in (1, 2)]
    assert read(*events, part_event(finish="STOP"), event({"usageMetadata": {}}))[1].usage == Usage(2, 2)


@pytest.mark.parametrize("value", [None, "7", -1, True, [], {}, float("inf"), float("nan"), 10**400])
def test_usage_is_unknown_when_its_numbers_are_none(value: JsonValue) -> None:
    names = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount")
    assert read(part_event(finish="STOP", usage=dict.fromkeys(names, value)))[1].usage == Usage()


def test_nothing_is_read_when_it_comes_after_done() -> None:
    message = read(part_event(text("a"), finish="STOP"), b"data: [DONE]\n\ndata: nonsense\n\n")[1]
    assert message.text == "a"


@pytest.mark.parametrize("data", [b"{", b"nonsense", b'"text"', b"5", b"null", b'{"a":' * 9999, b"[" * 9999, b"\xff"])
def test_reply_is_void_when_an_event_is_damaged(data: bytes) -> None:
    with pytest.raises(CutOffError, match="holds an event that is no"):
        read(part_event(text("a")), b"data: " + data + b"\n\n")


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        [None, "x", []],
        {"candidates": None},
        {"candidates": [None]},
        {"candidates": [{}]},
        {"candidates": [{"content": None, "finishReason": 5}]},
        {"candidates": [{"content": {"parts": None}}], "modelVersion": 7},
        {"candidates": [{"content": {"parts": [None, "x", {}, {"text": 5}, {"functionCall": "x"}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}}]},
        {"candidates": [{"content": {"parts": [{"executableCode": {"code": "x"}}, {"unheardOf": 1}]}}]},
        {"candidates": {}, "usageMetadata": [], "promptFeedback": "x", "error": None},
        {"promptFeedback": {"safetyRatings": []}, "unheardOf": {"a": []}},
    ],
)
def test_strange_values_are_passed_over_when_an_event_holds_them(data: JsonValue) -> None:
    assert read(event(data), part_event(text("a"), finish="STOP"))[1] == AssistantMessage(
        (TextPart("a"),), "stop", Usage(), "fake-model"
    )


def test_text_can_be_encoded_when_it_holds_half_a_surrogate_pair() -> None:
    raw = rb'data: {"candidates":[{"content":{"parts":[{"text":"a\ud83db"}]},"finishReason":"STOP"}]}' + b"\n\n"
    assert read(raw)[1].text == "a\ufffdb"


def test_events_are_not_parsed_when_they_do_nothing_but_add_text() -> None:
    parsed: list[str] = []

    def parse(raw: str) -> str | None:
        parsed.append(raw)
        return ReplyReader._only_text_of(json.loads(raw))

    reader = ReplyReader("gemini", shortcut=TextShortcut(parse))
    words = [f"word {number}" for number in range(20)]
    deltas = [delta for word in words for delta in reader.feed(part_event(text(word)))]
    assert deltas == [TextDelta(word) for word in words]
    assert len(parsed) == 1


@pytest.mark.parametrize(
    "raw",
    [
        part_event(signed(text("a"), "S")),
        part_event({"text": "a", "thought": True}),
        part_event(text("a"), text("b")),
        part_event(text("a"), finish="STOP"),
        part_event(text("a"), usage={"promptTokenCount": 1}),
        part_event(call(name="a", args={"text": "a"})),
        event({"candidates": [{"content": {"parts": [{"text": "a"}]}}, {}], "error": {}}),
    ],
)
def test_shortcut_is_not_taken_when_an_event_does_more_than_add_text(raw: bytes) -> None:
    assert ReplyReader._only_text_of(json.loads(raw.removeprefix(b"data: "))) is None


NAMES = st.sampled_from(
    "candidates content parts text thought thoughtSignature functionCall name args id finishReason usageMetadata error"
    " promptTokenCount promptFeedback blockReason modelVersion (list) role index partialArgs".split()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=30,
)


@given(ANYTHING, st.booleans(), st.booleans())
def test_reading_raises_only_what_it_tells_when_events_are_random(
    value: JsonValue, is_whole: bool, is_bare: bool
) -> None:
    reader = ReplyReader("gemini")
    parts: JsonValue = [value] if isinstance(value, dict) else value
    said: JsonValue = value if is_bare else {"candidates": [{"content": {"parts": parts}}], "usageMetadata": value}
    with contextlib.suppress(CutOffError, ServerSaidError):
        if is_whole:
            reader.feed_whole(json.dumps(said).encode())
        else:
            reader.feed(f"data: {json.dumps(said)}\n\n".encode())
        reader.finish()


@given(st.lists(st.text(min_size=1), max_size=5), st.data())
def test_text_is_the_same_when_it_is_cut_anywhere(words: list[str], data: st.DataObject) -> None:
    raw = b"".join(part_event(text(word)) for word in words if _is_plain(word)) + part_event(finish="STOP")
    cut = data.draw(st.integers(0, len(raw)))
    assert read(raw[:cut], raw[cut:])[1].text == "".join(word for word in words if _is_plain(word))


def _is_plain(word: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def test_reply_is_refused_when_an_event_does_not_end() -> None:
    with pytest.raises(
        ProviderError, match="cannot use the reply of gemini: an event of the stream is larger"
    ) as caught:
        ReplyReader("gemini").feed(b"data: " + b"x" * (17 << 20))
    assert not isinstance(caught.value, CutOffError)


@pytest.mark.parametrize("part", ["text", "thought", "thoughtSignature", "args"])
def test_reply_is_refused_when_it_does_not_end(part: str) -> None:
    words = "x" * (MAX_REPLY_CHARACTERS // 4)
    piece: dict[str, JsonObject] = {
        "text": text(words),
        "thought": {"text": words, "thought": True},
        "thoughtSignature": signed(text(""), words),
        "args": call(name="x", args={"a": words}),
    }
    event_of_many = part_event(piece[part])
    with pytest.raises(ProviderError, match="it does not end"):
        read(*[event_of_many] * 5)


def test_message_is_read_when_the_reply_was_not_streamed() -> None:
    parts: list[JsonObject] = [{"text": "hm", "thought": True}, text("hi"), signed(call(name="x", args={}), "S")]
    reader = ReplyReader("gemini")
    body: JsonObject = {
        "candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
        "modelVersion": "m",
    }
    assert reader.feed_whole(json.dumps(body).encode()) == [
        ThinkingDelta("hm"),
        TextDelta("hi"),
        ToolCallDelta("x", "{}"),
    ]
    assert reader.is_done
    assert reader.finish() == AssistantMessage(
        (ThinkingPart("hm"), TextPart("hi"), ThinkingPart("", "gemini:S"), ToolCall("call_1", "x", "{}")),
        "tool_calls",
        Usage(3, 2),
        "m",
    )


def test_message_is_read_when_a_server_lists_its_events() -> None:
    raw = record("text").decode().split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in raw if line.startswith("data: ")]
    assert read_whole(events) == WHOLE["text"]


def test_message_is_read_when_a_whole_reply_gives_no_finish_reason() -> None:
    assert read_whole({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}).text == "a"


@pytest.mark.parametrize("body", [b'{"error":"no"}', b'[{"error":"no"}]'])
def test_error_is_given_out_when_it_is_all_there_is(body: bytes) -> None:
    with pytest.raises(ServerSaidError) as caught:
        read_whole(body)
    assert caught.value.said == "no"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[1]", b'{"candidates":[]}', b'{"detail":"x"}', b'[{"candid'])
def test_reply_is_void_when_its_body_is_none(body: bytes) -> None:
    with pytest.raises(CutOffError):
        read_whole(body)
