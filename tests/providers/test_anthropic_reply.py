from __future__ import annotations

import contextlib
import json
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
from cline_cli.providers._anthropic_reply import ReplyReader, UnpaddedShortcut
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._draft import MAX_REPLY_CHARACTERS
from cline_cli.providers._text_shortcut import TextShortcut
from tests.dialects.anthropic import MODEL, block_events, end_events, event, start_event
from tests.providers.play import ways_to_come

RECORDINGS = Path(__file__).parent.parent / "recordings" / "anthropic"
SONNET = "claude-sonnet-4-6"

WHOLE = {
    "text": AssistantMessage((TextPart("REST is “stateless” — 漢字 🙂\nDone."),), "stop", Usage(14, 8), SONNET),
    "one_tool": AssistantMessage(
        (TextPart("Let me look."), ToolCall("toolu_01A", "run_commands", '{"commands": ["echo \\"hi\\""]}')),
        "tool_calls",
        Usage(100, 10),
        SONNET,
    ),
    "parallel_tools": AssistantMessage(
        (
            ToolCall("toolu_a", "read_files", '{"paths":["a.py"]}'),
            ToolCall("toolu_b", "run_commands", '{"commands":["ls"]}'),
            ToolCall("toolu_c", "submit", ""),
        ),
        "tool_calls",
        Usage(300, 40),
        SONNET,
    ),
    "reasoning": AssistantMessage(
        (
            ThinkingPart("The user greets.", "anthropic:U2lnbmVkIGFzIGl0IGNhbWU="),
            ThinkingPart("", "anthropic-redacted:RW5jcnlwdGVkIGFzIGEgd2hvbGU="),
            TextPart("Hello!"),
            ThinkingPart("", "anthropic:V29yZHMgd2VyZSBsZWZ0IG91dA=="),
            ToolCall("toolu_01B", "run_commands", '{"commands":["ls"]}'),
        ),
        "tool_calls",
        Usage(12, 57),
        SONNET,
    ),
    "usage": AssistantMessage((TextPart("ok"),), "stop", Usage(5200, 120, 4096, 1024), SONNET),
    "length": AssistantMessage((ToolCall("toolu_t1", "editor", '{"path":"a'),), "length", Usage(10, 32000), SONNET),
    "refusal": AssistantMessage((TextPart("Here is"),), "content_filter", Usage(18, 5), SONNET),
    "no_stop": AssistantMessage((TextPart("Hi"),), "stop", Usage(9, 3), SONNET),
}
OVERLOADED: JsonObject = {
    "type": "error",
    "error": {"details": None, "type": "overloaded_error", "message": "Overloaded"},
    "request_id": "req_01TheOneThatWasOverloaded",
}
STOP = b"".join(end_events("end_turn"))
TEXT: JsonObject = {"type": "text", "text": ""}
THINKING: JsonObject = {"type": "thinking", "thinking": "", "signature": ""}


def record(name: str) -> bytes:
    return (RECORDINGS / f"{name}.sse").read_bytes()


def read(*pieces: bytes, shortcut: TextShortcut | None = None) -> tuple[list[ReplyDelta], AssistantMessage]:
    reader = ReplyReader("anthropic", shortcut=shortcut)
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas, reader.finish()


def read_parts(*pieces: bytes) -> tuple[TextPart | ThinkingPart | ToolCall, ...]:
    return read(*pieces, STOP)[1].parts


def block(index: int, head: JsonObject, *deltas: JsonObject) -> bytes:
    return b"".join(block_events(index, head, *deltas))


def start(index: JsonValue, head: JsonValue) -> bytes:
    return event({"type": "content_block_start", "index": index, "content_block": head})


def delta(index: JsonValue, kind: str, **fields: JsonValue) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **fields}})


def stop(index: JsonValue) -> bytes:
    return event({"type": "content_block_stop", "index": index})


def text(index: JsonValue, piece: str) -> bytes:
    return delta(index, "text", text=piece)


def pieces_of(index: JsonValue, *pieces: JsonValue) -> bytes:
    return b"".join(delta(index, "input_json", partial_json=piece) for piece in pieces)


def tool(identity: JsonValue, name: JsonValue, given: JsonValue = None) -> JsonObject:
    fields: JsonObject = {"id": identity, "name": name, "input": given}
    return {"type": "tool_use", **{key: value for key, value in fields.items() if value is not None}}


def read_calls(*pieces: bytes, taken: frozenset[str] = frozenset()) -> list[tuple[str, str, str]]:
    reader = ReplyReader("anthropic", taken)
    for piece in (*pieces, *end_events("tool_use")):
        reader.feed(piece)
    return [(call.id, call.name, call.arguments) for call in reader.finish().tool_calls]


def test_every_recording_is_replayed_when_there_is_one() -> None:
    names = {path.stem for path in RECORDINGS.iterdir()}
    assert names == WHOLE.keys() | {"error", "truncated"}
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


def test_error_is_given_out_when_the_server_sends_one() -> None:
    raw = record("error")
    for pieces in ([raw], [raw[place : place + 1] for place in range(len(raw))]):
        with pytest.raises(ServerSaidError) as caught:
            read(*pieces)
        assert caught.value.said == OVERLOADED


@pytest.mark.parametrize("name", ["truncated", *WHOLE])
def test_no_reply_counts_when_it_breaks_off_before_its_stop_reason(name: str) -> None:
    raw = record(name)
    end = len(raw) if name == "truncated" else raw.index(b"\n\n", raw.index(b"event: message_delta")) + 1
    for place in range(end + 1):
        with pytest.raises(CutOffError, match="the reply of anthropic ended in the middle"):
            read(raw[:place])
    if name != "truncated":
        assert read(raw[: end + 1])[1] == WHOLE[name]


def test_reply_is_done_when_its_last_event_has_come() -> None:
    reader = ReplyReader("anthropic")
    raw = record("text")
    reader.feed(raw[: raw.index(b"event: message_stop")])
    assert (reader.is_finished, reader.is_done) == (True, False)
    reader.feed(raw[raw.index(b"event: message_stop") :])
    assert reader.is_done
    assert reader.feed(b"data: nonsense\n\n") == []


def test_reply_is_whole_when_only_its_last_event_says_so() -> None:
    assert read(text(0, "a"), event({"type": "message_stop"}))[1] == AssistantMessage((TextPart("a"),), "stop")


def test_deltas_come_in_order_when_a_reply_has_all_kinds() -> None:
    deltas, message = read(
        start_event(),
        block(0, THINKING, {"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "s"}),
        block(1, TEXT, {"type": "text_delta", "text": "so"}),
        block(2, tool("a", "look", {}), *({"type": "input_json_delta", "partial_json": half} for half in ("{", "}"))),
        STOP,
    )
    assert deltas == [
        ThinkingDelta("hm"),
        TextDelta("so"),
        ToolCallDelta("look", ""),
        ToolCallDelta("look", "{"),
        ToolCallDelta("look", "}"),
    ]
    parts = (ThinkingPart("hm", "anthropic:s"), TextPart("so"), ToolCall("a", "look", "{}"))
    assert message == AssistantMessage(parts, "tool_calls", model=MODEL)


@pytest.mark.parametrize("data", [b"{", b"nonsense", b'"text"', b"5", b"null", b"[]", b'{"a":' * 9999, b"\xff"])
def test_reply_is_void_when_an_event_is_damaged(data: bytes) -> None:
    with pytest.raises(CutOffError, match="holds an event that is no"):
        read(text(0, "a"), b"data: " + data + b"\n\n")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": None},
        {"type": "ping"},
        {"type": "future_event", "index": 0, "delta": {"type": "text_delta", "text": "no"}},
        {"type": "message_start"},
        {"type": "message_start", "message": {"content": "x", "usage": [], "model": 7}},
        {"type": "content_block_start"},
        {"type": "content_block_start", "index": "x", "content_block": [1]},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "future_block", "text": "no"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking"}},
        {"type": "content_block_delta", "index": -1},
        {"type": "content_block_delta", "index": 10**30, "delta": {"type": "future_delta", "text": "no"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": None}},
        {"type": "content_block_stop", "index": None},
        {"type": "message_delta", "delta": {"stop_reason": None}, "usage": None, "error": None},
    ],
)
def test_strange_values_are_passed_over_when_an_event_holds_them(data: JsonObject) -> None:
    raw = b"data: " + json.dumps(data).encode() + b"\n\n"
    assert read(raw, text(0, "a"), STOP)[1] == AssistantMessage((TextPart("a"),), "stop")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("tool_use", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("some_new_reason", "stop"),
    ],
)
def test_stop_reason_is_read_when_there_are_no_calls(reason: str, expected: StopReason) -> None:
    assert read(text(0, "a"), *end_events(reason))[1].stop_reason == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("end_turn", "tool_calls"), ("tool_use", "tool_calls"), ("max_tokens", "length"), ("refusal", "content_filter")],
)
def test_stop_reason_is_read_when_there_are_calls(reason: str, expected: StopReason) -> None:
    assert read(block(0, tool("a", "look")), *end_events(reason))[1].stop_reason == expected


def test_text_stays_in_its_blocks_when_there_are_several() -> None:
    first, second = block(0, {"type": "text", "text": "a"}, {"type": "text_delta", "text": "b"}), block(1, TEXT)
    assert read_parts(first, second, text(2, "c")) == (TextPart("ab"), TextPart("c"))


def test_text_can_be_encoded_when_it_holds_half_a_surrogate_pair() -> None:
    raw = rb'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\ud83db"}}' + b"\n\n"
    assert read_parts(raw) == (TextPart("a\ufffdb"),)


THOUGHTS: dict[str, tuple[tuple[bytes, ...], tuple[TextPart | ThinkingPart, ...]]] = {
    "without a signature": ((delta(0, "thinking", thinking="a"),), (ThinkingPart("a"),)),
    "without words": ((start(0, THINKING), delta(0, "signature", signature="s")), (ThinkingPart("", "anthropic:s"),)),
    "without anything": ((start(0, THINKING), stop(0)), ()),
    "with the signature first": (
        (start(0, {**THINKING, "signature": "s"}), delta(0, "thinking", thinking="a")),
        (ThinkingPart("a", "anthropic:s"),),
    ),
    "with two signatures": (
        (delta(0, "thinking", thinking="a"), *(delta(0, "signature", signature=piece) for piece in "st")),
        (ThinkingPart("a", "anthropic:t"),),
    ),
    "two blocks": (
        (
            block(0, {"type": "thinking", "thinking": "a", "signature": "s"}),
            block(1, {"type": "thinking", "thinking": "b"}),
        ),
        (ThinkingPart("a", "anthropic:s"), ThinkingPart("b")),
    ),
    "two blocks without ends": (
        (delta(0, "thinking", thinking="a"), delta(1, "thinking", thinking="b"), delta(1, "signature", signature="s")),
        (ThinkingPart("a"), ThinkingPart("b", "anthropic:s")),
    ),
    "signed when text has come between": (
        (delta(0, "thinking", thinking="a"), text(1, "b"), delta(0, "signature", signature="s")),
        (ThinkingPart("a"), TextPart("b")),
    ),
    "encrypted after an open block": (
        (delta(0, "thinking", thinking="a"), start(1, {"type": "redacted_thinking", "data": "x"})),
        (ThinkingPart("a"), ThinkingPart("", "anthropic-redacted:x")),
    ),
}


@pytest.mark.parametrize("case", THOUGHTS)
def test_thinking_is_kept_with_its_own_signature_when_it_comes(case: str) -> None:
    pieces, parts = THOUGHTS[case]
    assert read_parts(*pieces) == parts


CALLS: dict[str, tuple[tuple[bytes, ...], list[tuple[str, str, str]]]] = {
    "in one piece": ((start(0, tool("a", "x", {})), pieces_of(0, "{}"), stop(0)), [("a", "x", "{}")]),
    "in pieces": ((start(0, tool("a", "x", {})), pieces_of(0, "", "{", "}"), stop(0)), [("a", "x", "{}")]),
    "without an end": ((start(0, tool("a", "x", {})), pieces_of(0, "{}")), [("a", "x", "{}")]),
    "no arguments": ((block(0, tool("a", "x")),), [("a", "x", "")]),
    "empty arguments": ((block(0, tool("a", "x", {})), pieces_of(0, "")), [("a", "x", "")]),
    "null arguments": ((start(0, tool("a", "x")), pieces_of(0, None), stop(0)), [("a", "x", "")]),
    "arguments at the beginning": ((block(0, tool("a", "x", {"b": 1})),), [("a", "x", '{"b": 1}')]),
    "arguments at the beginning and no end": ((start(0, tool("a", "x", {"b": 1})),), [("a", "x", '{"b": 1}')]),
    "arguments at the beginning and in pieces": (
        (start(0, tool("a", "x", {"b": 1})), pieces_of(0, '{"b":', "2}"), stop(0)),
        [("a", "x", '{"b":2}')],
    ),
    "arguments as text": ((block(0, tool("a", "x", '{"b":1}')),), [("a", "x", '{"b":1}')]),
    "arguments as an object in a piece": (
        (start(0, tool("a", "x")), pieces_of(0, {"b": 1}), stop(0)),
        [("a", "x", '{"b": 1}')],
    ),
    "no id": ((block(0, tool(None, "x")),), [("call_1", "x", "")]),
    "a strange id": ((block(0, tool(5, "x")),), [("call_1", "x", "")]),
    "same id twice": ((block(0, tool("a", "x")), block(1, tool("a", "y"))), [("a", "x", ""), ("call_2", "y", "")]),
    "same index twice": (
        (start(0, tool("a", "x", {"b": 1})), start(0, tool("b", "y")), pieces_of(0, "{}")),
        [("a", "x", '{"b": 1}'), ("b", "y", "{}")],
    ),
    "no indexes": (
        (start(None, tool("a", "x")), pieces_of(None, "{}"), start(None, tool("b", "y")), pieces_of(None, "{ }")),
        [("a", "x", "{}"), ("b", "y", "{ }")],
    ),
    "mixed": (
        (start(1, tool("b", "y")), start(0, tool("a", "x")), pieces_of(1, "{"), pieces_of(0, "{ "), pieces_of(1, "}")),
        [("b", "y", "{}"), ("a", "x", "{ ")],
    ),
    "beside a tool of the server": (
        (
            start(0, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
            pieces_of(0, '{"query":"x"}'),
            stop(0),
            block(1, tool("a", "x")),
        ),
        [("a", "x", "")],
    ),
    "in the first event": (
        (start_event(content=[{"type": "text", "text": "hi"}, tool("a", "x", {"b": 1})]), block(2, tool("b", "y"))),
        [("a", "x", '{"b": 1}'), ("b", "y", "")],
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_assembled_when_their_events_vary(case: str) -> None:
    pieces, calls = CALLS[case]
    assert read_calls(*pieces) == calls


def test_ids_are_made_up_when_the_history_holds_them_already() -> None:
    blocks = [block(0, tool("call_2", "x")), block(1, tool(None, "y")), block(2, tool("call_9", "z"))]
    calls = read_calls(*blocks, taken=frozenset({"call_1", "call_2"}))
    assert [identity for identity, _, _ in calls] == ["call_3", "call_4", "call_9"]


def test_every_call_is_read_once_when_there_are_many() -> None:
    starts = [start(index, tool(f"id_{index}", f"tool_{index}", {})) for index in range(128)]
    rests = [pieces_of(index, "{", "}") for index in reversed(range(128))]
    assert read_calls(*starts, *rests) == [(f"id_{index}", f"tool_{index}", "{}") for index in range(128)]


@pytest.mark.parametrize(
    "raw", [block(0, tool("a", None)), pieces_of(3, "{}"), block(0, tool("a", "x")) + pieces_of(0, "{}")]
)
def test_reply_is_void_when_arguments_belong_to_no_tool(raw: bytes) -> None:
    with pytest.raises(CutOffError, match="holds a call of no tool"):
        read_calls(raw)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=30), st.integers(0, 30)), max_size=4))
def test_calls_are_the_same_when_their_arguments_are_cut_anywhere(calls: list[tuple[str, str, int]]) -> None:
    events: list[bytes] = []
    for index, (name, arguments, cut) in enumerate(calls):
        events.append(start(index, tool(f"id_{index}", name, {})))
        events.append(pieces_of(index, arguments[:cut], arguments[cut:]) + stop(index))
    assert read_calls(*events) == [(f"id_{index}", name, given) for index, (name, given, _) in enumerate(calls)]


def usage_event(**counts: JsonValue) -> bytes:
    return event({"type": "message_delta", "delta": {}, "usage": counts})


@pytest.mark.parametrize(
    ("first", "last", "usage"),
    [
        ({"input_tokens": 7, "output_tokens": 1}, {"output_tokens": 9}, Usage(7, 9)),
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 7, "output_tokens": 9}, Usage(7, 9)),
        ({"input_tokens": 7, "output_tokens": 9}, {"input_tokens": 0, "output_tokens": 0}, Usage(7, 9)),
        ({"input_tokens": 7}, {"input_tokens": None, "cache_read_input_tokens": None}, Usage(7)),
        ({"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3}, {}, Usage(6, 0, 2, 3)),
        ({"input_tokens": 1}, {"cache_read_input_tokens": 20, "output_tokens": 2}, Usage(21, 2, 20)),
        ({"input_tokens": 1}, {"output_tokens": 2, "cost": 0.5}, Usage(1, 2, cost_usd=0.5)),
        ({}, {}, Usage()),
    ],
)  # fmt: skip
def test_all_input_tokens_are_counted_when_some_come_from_the_cache(
    first: JsonObject, last: JsonObject, usage: Usage
) -> None:
    assert read(start_event(first), text(0, "a"), usage_event(**last), STOP)[1].usage == usage


@pytest.mark.parametrize("value", [None, "7", -1, True, [], {}, float("inf"), float("nan"), 10**400])
def test_usage_is_unknown_when_its_numbers_are_none(value: JsonValue) -> None:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cost")
    assert read(start_event(dict.fromkeys(names, value)), STOP)[1].usage == Usage()


def test_first_model_counts_when_there_are_several() -> None:
    again = event({"type": "message_start", "message": {"model": "other"}})
    assert read(start_event(), again, STOP)[1].model == MODEL


NAMES = st.sampled_from(
    "type index delta content_block message content text thinking signature data id name input partial_json usage"
    " stop_reason input_tokens output_tokens error model".split()
)
KINDS = st.sampled_from(
    "message_start message_delta message_stop content_block_start content_block_delta content_block_stop ping error"
    " text thinking redacted_thinking tool_use text_delta thinking_delta signature_delta input_json_delta max_tokens"
    " refusal".split()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KINDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)


@given(st.lists(st.dictionaries(NAMES, ANYTHING), max_size=6), st.booleans())
def test_reading_raises_only_what_it_tells_when_events_are_random(chunks: list[JsonObject], is_whole: bool) -> None:
    reader = ReplyReader("anthropic")
    with contextlib.suppress(CutOffError, ServerSaidError):
        for chunk in chunks:
            raw = json.dumps(chunk).encode()
            if is_whole:
                reader.feed_whole(raw)
            else:
                reader.feed(b"data: " + raw + b"\n\n")
        reader.feed(STOP)
        message = reader.finish()
        repr(message).encode()


EVENTS = st.one_of(
    st.builds(text, st.integers(0, 2), st.text(max_size=4)),
    st.builds(lambda index, piece: delta(index, "thinking", thinking=piece), st.integers(0, 2), st.text(max_size=4)),
    st.builds(lambda index, piece: delta(index, "signature", signature=piece), st.integers(0, 2), st.text(max_size=4)),
    st.builds(lambda index: start(index, TEXT), st.integers(0, 2)),
    st.builds(lambda index: start(index, tool("a", "x")), st.integers(0, 2)),
    st.builds(stop, st.integers(0, 2)),
)


class Blind(TextShortcut):
    def read(self, event: str) -> str | None:
        return None


@given(st.lists(EVENTS, max_size=12))
def test_reply_is_the_same_when_no_shortcut_is_taken(events: list[bytes]) -> None:
    deltas, message = read(*events, STOP)
    assert read(*events, STOP, shortcut=Blind(lambda _: None)) == (deltas, message)
    shown = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert shown == message.text


def test_shortcut_is_taken_when_only_the_padding_differs() -> None:
    asked: list[str] = []

    def parse(event: str) -> str | None:
        asked.append(event)
        value: str = json.loads(event)["delta"]["text"]
        return value

    shortcut = UnpaddedShortcut(parse)
    shortcut.learn('{"delta":{"text":"one"}   }', "one")
    asked.clear()
    events = ['{"delta":{"text":"two"}}', '{"delta":{"text":"  "}      }', '{"delta":{"text":"}"} }']
    assert [shortcut.read(event) for event in events] == ["two", "  ", "}"]
    assert [shortcut.read(event) for event in ("", "}", '{"delta":{"text":"two"}', '{"delta":{"text":"two"}},')] == [
        None
    ] * 4
    assert asked == []


class Counting(ReplyReader):
    def __init__(self) -> None:
        super().__init__("anthropic")
        self.parsed = 0

    def _read_chunk(self, chunk: JsonObject, deltas: list[ReplyDelta]) -> None:
        self.parsed += 1
        super()._read_chunk(chunk, deltas)


def test_most_events_are_not_parsed_when_they_only_add_text() -> None:
    reader = Counting()
    for number in range(200):
        reader.feed(text(0, "x" * number))
    assert reader.parsed < 10


def test_reply_is_refused_when_an_event_does_not_end() -> None:
    reader = ReplyReader("anthropic")
    with pytest.raises(
        ProviderError, match="cannot use the reply of anthropic: an event of the stream is larger"
    ) as caught:
        reader.feed(b"data: " + b"x" * (17 << 20))
    assert not isinstance(caught.value, CutOffError)


@pytest.mark.parametrize(("kind", "name"), [("text", "text"), ("thinking", "thinking"), ("input_json", "partial_json")])
def test_reply_is_refused_when_it_does_not_end(kind: str, name: str) -> None:
    reader = ReplyReader("anthropic")
    reader.feed(start(0, tool("a", "x")))
    piece = delta(0, kind, **{name: "x" * (MAX_REPLY_CHARACTERS // 4)})
    for _ in range(4):
        reader.feed(piece)
    with pytest.raises(ProviderError, match="it does not end"):
        reader.feed(piece)


WHOLE_REPLY: JsonObject = {
    "type": "message",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "hi"},
        {"type": "tool_use", "id": "a", "name": "x", "input": {"b": 1}},
        {"type": "tool_use", "name": "y", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 2},
}


def test_message_is_read_when_the_reply_was_not_streamed() -> None:
    reader = ReplyReader("anthropic")
    deltas = reader.feed_whole(json.dumps(WHOLE_REPLY).encode())
    calls = [ToolCallDelta("x", ""), ToolCallDelta("x", '{"b": 1}'), ToolCallDelta("y", "")]
    assert deltas == [ThinkingDelta("hm"), TextDelta("hi"), *calls]
    assert reader.is_done
    assert reader.finish() == AssistantMessage(
        (
            ThinkingPart("hm", "anthropic:s"),
            ThinkingPart("", "anthropic-redacted:x"),
            TextPart("hi"),
            ToolCall("a", "x", '{"b": 1}'),
            ToolCall("call_2", "y", ""),
        ),
        "tool_calls",
        Usage(7, 2, 4),
        "m",
    )


@pytest.mark.parametrize(
    ("reason", "expected"), [("max_tokens", "length"), ("refusal", "content_filter"), (None, "stop")]
)
def test_stop_reason_is_read_when_the_reply_was_not_streamed(reason: str | None, expected: StopReason) -> None:
    reader = ReplyReader("anthropic")
    reader.feed_whole(json.dumps({"content": [{"type": "text", "text": "a"}], "stop_reason": reason}).encode())
    assert reader.finish().stop_reason == expected


@pytest.mark.parametrize("said", [OVERLOADED, {"type": "error"}, {"error": "no"}])
def test_error_is_given_out_when_it_is_all_there_is(said: JsonObject) -> None:
    with pytest.raises(ServerSaidError) as caught:
        ReplyReader("anthropic").feed_whole(json.dumps(said).encode())
    assert caught.value.said == said


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"content":"x"}', b'{"detail":"x"}', b'{"content":['])
def test_reply_is_void_when_its_body_is_none(body: bytes) -> None:
    reader = ReplyReader("anthropic")
    with pytest.raises(CutOffError):  # noqa: PT012  # either of the two notices
        reader.feed_whole(body)
        reader.finish()
