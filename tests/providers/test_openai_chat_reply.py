from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import AssistantMessage, JsonValue, StopReason, TextPart, ThinkingPart, ToolCall, Usage
from cline_cli.agent.provider import TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.agent.tool import ToolSpec
from cline_cli.errors import ProviderError
from cline_cli.network.http import CutOffError
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._draft import MAX_REPLY_CHARACTERS
from cline_cli.providers._openai_reply import ReplyReader
from cline_cli.providers._text_calls import TextCalls
from tests.fake_server import delta_event, event
from tests.providers.play import ways_to_come

RECORDINGS = Path(__file__).parent.parent / "recordings" / "cline"
DETAIL = (
    '{"type":"reasoning.text","text":"The user greets.","format":"anthropic-claude-v1",'
    '"index":0,"signature":"EqQBCk=="}'
)
SONNET = "anthropic/claude-sonnet-4.6"
SEAL = "openai_chat/cline"

WHOLE = {
    "text": AssistantMessage(
        (TextPart("REST is “stateless” — 漢字 🙂\nDone."),), "stop", Usage(14, 8, 0, 0, 0.000162), SONNET
    ),
    "usage": AssistantMessage((TextPart("ok"),), "stop", Usage(5200, 120, 4096, 1024, 0.00102585), SONNET),
    "one_tool": AssistantMessage(
        (TextPart("Let me look."), ToolCall("toolu_01A", "run_commands", '{"commands": ["echo \\"hi\\""]}')),
        "tool_calls",
        Usage(100, 10),
        SONNET,
    ),
    "parallel_tools": AssistantMessage(
        (
            ToolCall("call_a", "read_files", '{"paths":["a.py"]}'),
            ToolCall("call_b", "run_commands", '{"commands":["ls"]}'),
            ToolCall("call_c", "submit", ""),
        ),
        "tool_calls",
        Usage(300, 40),
        SONNET,
    ),
    "reasoning": AssistantMessage(
        (ThinkingPart("The user greets.", f"{SEAL}:[{DETAIL}]"), TextPart("Hello!")), "stop", Usage(12, 20), SONNET
    ),
    "reasoning_content": AssistantMessage(
        (ThinkingPart("Hm.", f"{SEAL}:reasoning_content"), TextPart("Hi")), "stop", Usage(9, 3), "deepseek-reasoner"
    ),
    "length": AssistantMessage((ToolCall("t1", "editor", '{"path":"a'),), "length", Usage(10, 32000), SONNET),
    "no_done": AssistantMessage((TextPart("Hi"),), "stop", Usage(), SONNET),
}
SAID: dict[str, JsonValue] = {
    "top_level_error": {
        "code": 502,
        "message": "Provider returned error",
        "metadata": {"raw": "upstream overloaded", "provider_name": "Anthropic"},
    },
    "choice_error": {"code": "rate_limit", "message": "Too many requests"},
    "text_error": "the model crashed",
}


def record(name: str) -> bytes:
    return (RECORDINGS / f"{name}.sse").read_bytes()


def read(*pieces: bytes) -> tuple[list[ReplyDelta], AssistantMessage]:
    reader = ReplyReader("cline")
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas, reader.finish()


def read_whole(body: bytes) -> AssistantMessage:
    reader = ReplyReader("cline")
    reader.feed_whole(body)
    return reader.finish()


Fragment = tuple[JsonValue, JsonValue, JsonValue, JsonValue]
"""Index, id, name and arguments of a piece of a call; None leaves one out."""


def fragments_event(*fragments: Fragment) -> bytes:
    pieces: list[JsonValue] = []
    for index, identity, name, arguments in fragments:
        piece = {"index": index, "id": identity}
        function = {"name": name, "arguments": arguments}
        kept = {key: value for key, value in piece.items() if value is not None}
        pieces.append({**kept, "function": {key: value for key, value in function.items() if value is not None}})
    return delta_event(tool_calls=pieces)


def read_calls(*events: list[Fragment], taken: frozenset[str] = frozenset()) -> list[tuple[str, str, str]]:
    reader = ReplyReader("cline", taken)
    for fragments in events:
        reader.feed(fragments_event(*fragments))
    reader.feed(delta_event("tool_calls"))
    return [(call.id, call.name, call.arguments) for call in reader.finish().tool_calls]


def test_every_recording_is_replayed_when_there_is_one() -> None:
    names = {path.stem for path in RECORDINGS.iterdir()}
    assert names == WHOLE.keys() | SAID.keys() | {"truncated"}
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


@pytest.mark.parametrize("name", ["truncated", *WHOLE])
def test_no_reply_counts_when_it_breaks_off_before_its_finish(name: str) -> None:
    raw = record(name)
    end = len(raw) if name == "truncated" else raw.index(b'"finish_reason":"') + len(b'"finish_reason":"')
    for place in range(end):
        with pytest.raises(CutOffError, match="the reply of cline ended in the middle"):
            read(raw[:place])


def test_deltas_come_in_order_when_a_reply_has_all_kinds() -> None:
    deltas, _ = read(
        delta_event(reasoning="hm"),
        delta_event(content="so"),
        fragments_event((0, "a", "look", "{")),
        fragments_event((0, None, None, "}")),
        delta_event("tool_calls"),
    )
    assert deltas == [ThinkingDelta("hm"), TextDelta("so"), ToolCallDelta("look", "{"), ToolCallDelta("look", "}")]


def test_nothing_is_read_when_it_comes_after_done() -> None:
    assert (
        read(delta_event(content="a"), delta_event("stop"), b"data: [DONE]\n\n", b"data: nonsense\n\n")[1].text == "a"
    )


def test_empty_events_are_passed_over_when_a_server_sends_them() -> None:
    assert read(b"data:\n\ndata: \n\n", delta_event(content="a"), delta_event("stop"))[1].text == "a"


@pytest.mark.parametrize("data", [b"{", b"nonsense", b'"text"', b"5", b"null", b"[]", b'{"a":' * 9999, b"\xff"])
def test_reply_is_void_when_an_event_is_damaged(data: bytes) -> None:
    with pytest.raises(CutOffError, match="holds an event that is no"):
        read(delta_event(content="a"), b"data: " + data + b"\n\n")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": [], "finish_reason": 5}]},
        {"choices": [{"delta": {"content": 5, "reasoning": {}, "tool_calls": {}, "reasoning_details": "x"}}]},
        {"choices": [{"delta": {"tool_calls": [None, "x"]}, "index": "x"}], "usage": [], "model": 7, "error": None},
    ],
)
def test_strange_values_are_passed_over_when_a_chunk_holds_them(data: JsonValue) -> None:
    assert read(event(data), delta_event(content="a"), delta_event("stop"))[1] == AssistantMessage(
        (TextPart("a"),), "stop", Usage(), "fake/model"
    )


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),
        ("function_call", "stop"),
        ("eos", "stop"),
        ("end", "stop"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("model_context_window_exceeded", "length"),
        ("sensitive", "content_filter"),
    ],
)
def test_stop_reason_is_read_when_there_are_no_calls(finish: str, reason: StopReason) -> None:
    assert read(delta_event(content="a"), delta_event(finish))[1].stop_reason == reason


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "tool_calls"),
        ("function_call", "tool_calls"),
        ("length", "length"),
        ("content_filter", "content_filter"),
    ],
)
def test_stop_reason_is_read_when_there_are_calls(finish: str, reason: StopReason) -> None:
    assert read(fragments_event((0, "a", "look", "{}")), delta_event(finish))[1].stop_reason == reason


def test_text_is_joined_when_it_comes_in_parts() -> None:
    parts: JsonValue = [{"type": "text", "text": "a"}, {"type": "other"}, {"type": "text", "text": "b"}]
    assert read(delta_event(content=parts), delta_event("stop"))[1].text == "ab"


def test_text_can_be_encoded_when_it_holds_half_a_surrogate_pair() -> None:
    raw = rb'data: {"choices":[{"delta":{"content":"a\ud83db"},"finish_reason":"stop"}]}' + b"\n\n"
    assert read(raw)[1].text == "a\ufffdb"


def test_last_usage_counts_when_there_are_several() -> None:
    events = [event({"choices": [], "usage": {"prompt_tokens": n, "completion_tokens": n}}) for n in (1, 2)]
    assert read(delta_event(content="a"), delta_event("stop"), *events, event({"usage": None}))[1].usage == Usage(2, 2)


@pytest.mark.parametrize("value", [None, "7", -1, True, [], {}, float("inf"), float("nan"), 10**400])
def test_usage_is_unknown_when_its_numbers_are_none(value: JsonValue) -> None:
    usage: JsonValue = {
        "prompt_tokens": value,
        "completion_tokens": value,
        "cost": value,
        "prompt_tokens_details": value,
        "cache_creation_input_tokens": value,
    }
    assert read(event({"usage": usage}), delta_event("stop"))[1].usage == Usage()


def test_cache_writes_are_read_when_they_stand_among_the_details() -> None:
    usage: JsonValue = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}}
    assert read(event({"usage": usage}), delta_event("stop"))[1].usage == Usage(9, 0, 4, 3)


CALLS: dict[str, tuple[list[list[Fragment]], list[tuple[str, str, str]]]] = {
    "in one piece": ([[(0, "a", "x", "{}")]], [("a", "x", "{}")]),
    "in two": ([[(0, "a", "x", "{")], [(0, None, None, "}")]], [("a", "x", "{}")]),
    "id and name repeated": ([[(0, "a", "x", "{")], [(0, "a", "x", "}")]], [("a", "x", "{}")]),
    "repeated when whole": ([[(0, "a", "x", "{}")], [(0, "a", "x", "")]], [("a", "x", "{}")]),
    "name repeated": ([[(0, "a", "x", "{")], [(0, None, "x", "}")]], [("a", "x", "{}")]),
    "no id and repeated": ([[(0, None, "x", "{}")], [(0, None, "x", "")]], [("call_1", "x", "{}")]),
    "no arguments": ([[(0, "a", "x", None)]], [("a", "x", "")]),
    "arguments as an object": ([[(0, "a", "x", {"b": 1})]], [("a", "x", '{"b": 1}')]),
    "no id": ([[(0, None, "x", "{}")]], [("call_1", "x", "{}")]),
    "late id": ([[(0, None, "x", "{")], [(0, "a", None, "}")]], [("a", "x", "{}")]),
    "late name": ([[(0, "a", None, "{")], [(0, "a", "x", "}")]], [("a", "x", "{}")]),
    "same index": ([[(0, "a", "x", "{}")], [(0, "b", "y", "{}")]], [("a", "x", "{}"), ("b", "y", "{}")]),
    "same index and no ids": (
        [[(0, None, "x", "{}")], [(0, None, "y", "{}")]],
        [("call_1", "x", "{}"), ("call_2", "y", "{}")],
    ),
    "out of order": (
        [[(1, "b", "y", "{")], [(0, "a", "x", "{}")], [(1, None, None, "}")]],
        [("a", "x", "{}"), ("b", "y", "{}")],
    ),
    "no index": (
        [[(None, "a", "x", "{")], [(None, None, None, "}")], [(None, "b", "y", "{}")]],
        [("a", "x", "{}"), ("b", "y", "{}")],
    ),
    "no index but ids": (
        [[(None, "a", "x", "{"), (None, "b", "y", "{")], [(None, "a", None, "}")], [(None, "b", None, "}")]],
        [("a", "x", "{}"), ("b", "y", "{}")],
    ),
    "neither index nor id": (
        [[(None, None, "x", '{"b":1}'), (None, None, "x", "{}")]],
        [("call_1", "x", '{"b":1}'), ("call_2", "x", "{}")],
    ),
    "indexes that are none": (
        [[("0", "a", "x", "{}"), (True, "b", "y", "{}"), (-1, "c", "z", "{}")]],
        [("a", "x", "{}"), ("b", "y", "{}"), ("c", "z", "{}")],
    ),
    "same id twice": (
        [[(0, "a", "x", "{}"), (1, "a", "y", "{}")]],
        [("a", "x", "{}"), ("call_2", "y", "{}")],
    ),
    "strange id and index": ([[(10**30, 5, "x", "{}")]], [("call_1", "x", "{}")]),
    "no index, no ids, in order": (
        [[(None, "a", "x", ""), (None, "b", "y", "")], [(None, None, None, "{}"), (None, None, None, '{"b":1}')]],
        [("a", "x", "{}"), ("b", "y", '{"b":1}')],
    ),
    "indexes from one": ([[(1, "a", "x", "")], [(1, None, None, "{}")]], [("a", "x", "{}")]),
    "empty id and name": ([[(0, "a", "x", "{")], [(0, "", "", "}")]], [("a", "x", "{}")]),
    "empty arguments": ([[(0, "a", "x", "")], [(0, "a", "x", "")]], [("a", "x", "")]),
    "another name with the same id": ([[(0, "a", "x", "{")], [(0, "a", "y", "}")]], [("a", "x", "{}")]),
    "arguments as a list": ([[(0, "a", "x", [])]], [("a", "x", "")]),
    "arguments that are no JSON": ([[(0, "a", "x", "{'b': 1}")]], [("a", "x", "{'b': 1}")]),
    "arguments cut short": ([[(0, "a", "x", '{"b":')]], [("a", "x", '{"b":')]),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_assembled_when_fragments_vary(case: str) -> None:
    events, calls = CALLS[case]
    assert read_calls(*events) == calls


def test_arguments_are_empty_when_they_are_null() -> None:
    raw = event({"choices": [{"delta": {"tool_calls": [{"id": "a", "function": {"name": "x", "arguments": None}}]}}]})
    assert read(raw, delta_event("tool_calls"))[1].tool_calls == (ToolCall("a", "x", ""),)


def test_call_is_read_when_it_has_the_old_form() -> None:
    pieces = [{"name": "x", "arguments": ""}, {"arguments": '{"b"'}, {"arguments": ":1}"}]
    deltas, message = read(*(delta_event(function_call=piece) for piece in pieces), delta_event("function_call"))
    assert message.tool_calls == (ToolCall("call_1", "x", '{"b":1}'),)
    assert message.stop_reason == "tool_calls"
    assert [delta for delta in deltas if isinstance(delta, ToolCallDelta)] == [
        ToolCallDelta("x", ""),
        ToolCallDelta("x", '{"b"'),
        ToolCallDelta("x", ":1}"),
    ]


def test_call_of_the_old_form_is_read_when_the_reply_was_not_streamed() -> None:
    message: JsonValue = {"content": None, "function_call": {"name": "x", "arguments": "{}"}}
    body = {"choices": [{"message": message, "finish_reason": "function_call"}]}
    assert read_whole(json.dumps(body).encode()).tool_calls == (ToolCall("call_1", "x", "{}"),)


@pytest.mark.parametrize(
    ("deltas", "field", "text"),
    [
        ([{"reasoning": "a"}, {"reasoning": "b"}], "reasoning", "ab"),
        ([{"reasoning_content": "a"}, {"reasoning_content": "b"}], "reasoning_content", "ab"),
        ([{"reasoning": "a", "reasoning_content": "a"}], "reasoning", "a"),
        ([{"reasoning": "", "reasoning_content": "a"}], "reasoning_content", "a"),
        ([{"reasoning": None, "reasoning_content": "a"}, {"reasoning_content": None}], "reasoning_content", "a"),
        ([{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]}], "content", "a"),
        ([{"content": [{"type": "thinking", "thinking": "a"}]}], "content", "a"),
    ],
)
def test_thinking_is_read_once_when_it_comes_under_any_name(
    deltas: list[dict[str, JsonValue]], field: str, text: str
) -> None:
    given, message = read(*(event({"choices": [{"delta": delta}]}) for delta in deltas), delta_event("stop"))
    assert message.parts == (ThinkingPart(text, f"{SEAL}:{field}"),)
    assert "".join(delta.text for delta in given if isinstance(delta, ThinkingDelta)) == text


def test_thinking_is_shown_when_it_comes_in_blocks_only() -> None:
    blocks = [{"type": "reasoning.text", "index": 0, "text": text} for text in ("a", "b")]
    deltas, message = read(*(delta_event(reasoning_details=[block]) for block in blocks), delta_event("stop"))
    assert deltas == [ThinkingDelta("a"), ThinkingDelta("b")]
    assert message.parts == (ThinkingPart("ab", SEAL + ':[{"type":"reasoning.text","index":0,"text":"ab"}]'),)


def test_blocks_are_kept_when_nothing_of_them_can_be_shown() -> None:
    deltas, message = read(
        delta_event(reasoning_details=[{"type": "reasoning.encrypted", "data": "x"}]), delta_event("stop")
    )
    assert deltas == []
    assert message.parts == (ThinkingPart("", SEAL + ':[{"type":"reasoning.encrypted","data":"x"}]'),)


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        ({"x_groq": {"error": "over capacity"}}, "over capacity"),
        (
            {"object": "error", "message": "no room", "code": 500},
            {"object": "error", "message": "no room", "code": 500},
        ),
        (
            {"choices": [{"delta": {}, "finish_reason": "network_error"}]},
            {"code": "service_unavailable", "message": "the reply ended with network_error"},
        ),
    ],
)
def test_error_is_given_out_when_a_server_has_a_way_of_its_own_to_say_it(chunk: JsonValue, said: JsonValue) -> None:
    for is_first in (True, False):
        reader = ReplyReader("groq")
        if not is_first:
            reader.feed(delta_event(content="hi") + delta_event(content="ho"))
        with pytest.raises(ServerSaidError) as caught:
            reader.feed(event(chunk))
        assert caught.value.said == said


def test_usage_stays_when_a_later_chunk_has_only_zeros() -> None:
    events = [event({"usage": {"prompt_tokens": n, "total_tokens": n}}) for n in (7, 0)]
    assert read(delta_event(content="a"), delta_event("stop"), *events)[1].usage == Usage(7)


TOOLS = (ToolSpec("look", "", {"type": "object"}, "reads"),)
CALL = '{"name": "look", "arguments": {"at": "ä🙂"}}'


def read_text_calls(*pieces: bytes) -> tuple[list[ReplyDelta], AssistantMessage]:
    reader = ReplyReader("ollama", frozenset({"call_1"}), text_calls=TextCalls(TOOLS))
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas, reader.finish()


def test_call_is_made_of_a_text_that_is_nothing_else() -> None:
    deltas, message = read_text_calls(delta_event(content=CALL[:9]), delta_event(content=CALL[9:]), delta_event("stop"))
    assert deltas == [ToolCallDelta("look", '{"at": "ä🙂"}')]
    assert message.parts == (ToolCall("call_2", "look", '{"at": "ä🙂"}'),)
    assert message.stop_reason == "tool_calls"


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_text_stays_text_when_the_reply_was_cut_behind_a_call(finish: str) -> None:
    deltas, message = read_text_calls(delta_event(content=CALL), delta_event(finish))
    assert deltas == [TextDelta(CALL)]
    assert message.parts == (TextPart(CALL),)


def test_text_stays_text_when_there_are_calls_of_the_proper_form_too() -> None:
    deltas, message = read_text_calls(
        delta_event(content=CALL), fragments_event((0, "a", "look", "{}")), delta_event("tool_calls")
    )
    assert deltas == [TextDelta(CALL), ToolCallDelta("look", "{}")]
    assert message.parts == (TextPart(CALL), ToolCall("a", "look", "{}"))


def test_thinking_is_shown_at_once_when_text_is_held_back() -> None:
    deltas, message = read_text_calls(
        delta_event(content=CALL[:5]), delta_event(reasoning="hm"), delta_event(content=CALL[5:]), delta_event("stop")
    )
    assert deltas == [ThinkingDelta("hm"), ToolCallDelta("look", '{"at": "ä🙂"}')]
    assert len(message.tool_calls) == 1


@given(st.text(), st.integers(0, 20))
def test_no_character_is_lost_when_text_might_have_been_a_call(text: str, cut: int) -> None:
    for prefix in ("", CALL[:cut], "```json\n", "<tool_call>", "[TOOL_CALLS]"):
        whole = f"{prefix}{text}"
        deltas, message = read_text_calls(
            delta_event(content=whole[:cut]), delta_event(content=whole[cut:]), delta_event("stop")
        )
        if not message.tool_calls:
            assert message.text == whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == message.text


def test_nothing_comes_of_text_that_is_held_back_when_the_reply_breaks_off() -> None:
    reader = ReplyReader("ollama", text_calls=TextCalls(TOOLS))
    assert reader.feed(delta_event(content=CALL)) == []
    with pytest.raises(CutOffError):
        reader.finish()


def test_ids_are_made_up_when_the_history_holds_them_already() -> None:
    events: list[Fragment] = [(0, "call_2", "x", "{}"), (1, None, "y", "{}"), (2, "call_9", "z", "{}")]
    calls = read_calls(events, taken=frozenset({"call_1", "call_2"}))
    assert [identity for identity, _, _ in calls] == ["call_3", "call_4", "call_9"]


def test_every_call_is_read_once_when_there_are_many() -> None:
    names = [f"tool_{index}" for index in range(128)]
    starts: list[Fragment] = [(index, f"id_{index}", name, "") for index, name in enumerate(names)]
    rests: list[Fragment] = [(index, None, None, "{}") for index in reversed(range(128))]
    assert read_calls(starts, rests) == [(f"id_{index}", name, "{}") for index, name in enumerate(names)]


def test_reply_is_void_when_a_call_has_no_name() -> None:
    with pytest.raises(CutOffError, match="holds a call of no tool"):
        read_calls([(0, "a", None, "{}")])


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=30), st.integers(0, 30)), max_size=4))
def test_calls_are_the_same_when_their_arguments_are_cut_anywhere(calls: list[tuple[str, str, int]]) -> None:
    events: list[list[Fragment]] = []
    for index, (name, arguments, cut) in enumerate(calls):
        events.append([(index, f"id_{index}", name, arguments[:cut])])
        events.append([(index, None, None, arguments[cut:])])
    assert read_calls(*events) == [(f"id_{index}", name, given) for index, (name, given, _) in enumerate(calls)]


NAMES = st.sampled_from(
    "choices delta content tool_calls function index id name arguments usage reasoning reasoning_details finish_reason"
    " prompt_tokens message type text".split()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=30,
)


@given(ANYTHING, st.booleans())
def test_reading_raises_only_what_it_tells_when_chunks_are_random(value: JsonValue, is_whole: bool) -> None:
    reader = ReplyReader("cline")
    with contextlib.suppress(CutOffError, ServerSaidError):
        if is_whole:
            reader.feed_whole(json.dumps({"choices": [{"message": value}], "usage": value}).encode())
        else:
            reader.feed(event({"choices": [value], "usage": value}))
        reader.finish()


def test_reply_is_refused_when_an_event_does_not_end() -> None:
    reader = ReplyReader("cline")
    with pytest.raises(
        ProviderError, match="cannot use the reply of cline: an event of the stream is larger"
    ) as caught:
        reader.feed(b"data: " + b"x" * (17 << 20))
    assert not isinstance(caught.value, CutOffError)


@pytest.mark.parametrize("name", ["content", "reasoning"])
def test_reply_is_refused_when_it_does_not_end(name: str) -> None:
    reader = ReplyReader("cline")
    piece = delta_event(**{name: "x" * (MAX_REPLY_CHARACTERS // 4)})
    for _ in range(4):
        reader.feed(piece)
    with pytest.raises(ProviderError, match="it does not end"):
        reader.feed(piece)


WHOLE_REPLY: dict[str, JsonValue] = {
    "model": "m",
    "choices": [
        {
            "message": {
                "content": "hi",
                "reasoning": "hm",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "x", "arguments": ""}},
                    {"type": "function", "function": {"name": "x", "arguments": ""}},
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.5},
}


def test_message_is_read_when_the_reply_was_not_streamed() -> None:
    reader = ReplyReader("cline")
    deltas = reader.feed_whole(json.dumps(WHOLE_REPLY).encode())
    assert deltas == [ThinkingDelta("hm"), TextDelta("hi"), ToolCallDelta("x", ""), ToolCallDelta("x", "")]
    assert reader.is_done
    assert reader.finish() == AssistantMessage(
        (
            ThinkingPart("hm", f"{SEAL}:reasoning"),
            TextPart("hi"),
            ToolCall("a", "x", ""),
            ToolCall("call_2", "x", ""),
        ),
        "tool_calls",
        Usage(3, 2, cost_usd=0.5),
        "m",
    )


def test_error_is_given_out_when_it_is_all_there_is() -> None:
    with pytest.raises(ServerSaidError) as caught:
        ReplyReader("cline").feed_whole(b'{"error":"no","success":false}')
    assert caught.value.said == "no"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"choices":[]}', b'{"detail":"x"}', b'{"choices":'])
def test_reply_is_void_when_its_body_is_none(body: bytes) -> None:
    with pytest.raises(CutOffError):
        read_whole(body)


def test_reply_is_refused_when_its_body_is_too_large() -> None:
    with pytest.raises(ProviderError, match="the reply is too long"):
        ReplyReader("cline").feed_whole(b" " * ((16 << 20) + 1))
