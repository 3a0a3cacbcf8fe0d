from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import example, given
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
from cline_cli.providers._openai_responses_reply import MAX_ITEMS, ReplyReader
from cline_cli.providers._text_shortcut import TextShortcut
from tests.dialects.openai_responses import event
from tests.providers.play import ways_to_come

RECORDINGS = Path(__file__).parent.parent / "recordings" / "openai_responses"
GPT, OLD_GPT = "gpt-5.4-2026-03-05", "gpt-4.1-2025-04-14"
SUMMARY = (
    '[{"type":"summary_text","text":"**Reading** The user greets."},'
    '{"type":"summary_text","text":"**Answering** I greet."}]'
)


def sealed(identity: str, encrypted: str, summary: str = "[]") -> str:
    return (
        f'openai_responses:{{"id":"{identity}","type":"reasoning","summary":{summary},'
        f'"encrypted_content":"{encrypted}"}}'
    )


def phased(identity: str, phase: str) -> ThinkingPart:
    return ThinkingPart("", f'openai_responses:{{"type":"message","id":"{identity}","phase":"{phase}"}}')


WHOLE = {
    "text": AssistantMessage((TextPart("REST is “stateless” — 漢字 🙂\nDone."),), "stop", Usage(14, 8), OLD_GPT),
    "usage": AssistantMessage((TextPart("ok"),), "stop", Usage(5200, 120, 4096, 1024), OLD_GPT),
    "one_tool": AssistantMessage(
        (
            phased("msg_01", "commentary"),
            TextPart("Let me look."),
            ToolCall("call_a1", "run_commands", '{"commands": ["echo \\"hi\\""]}'),
        ),
        "tool_calls",
        Usage(100, 10),
        GPT,
    ),
    "parallel_tools": AssistantMessage(
        (
            ToolCall("call_a", "read_files", '{"paths":["a.py"]}'),
            ToolCall("call_b", "run_commands", '{"commands":["ls"]}'),
            ToolCall("call_c", "submit", ""),
        ),
        "tool_calls",
        Usage(300, 40),
        GPT,
    ),
    "reasoning": AssistantMessage(
        (
            ThinkingPart(
                "**Reading** The user greets.\n\n**Answering** I greet.", sealed("rs_01", "gAAAAABn-first==", SUMMARY)
            ),
            ThinkingPart("", sealed("rs_02", "gAAAAABn-second==")),
            phased("msg_01", "final_answer"),
            TextPart("Hello!"),
        ),
        "stop",
        Usage(12, 20),
        GPT,
    ),
    "reasoning_text": AssistantMessage((ThinkingPart("Hm ..."), TextPart("Hi")), "stop", Usage(9, 3), "gpt-oss-120b"),
    "length": AssistantMessage((ToolCall("call_t1", "editor", '{"path":"a'),), "length", Usage(10, 32000), GPT),
    "content_filter": AssistantMessage((TextPart("It began "),), "content_filter", Usage(10, 3), GPT),
    "refusal": AssistantMessage((TextPart("I cannot help with that."),), "content_filter", Usage(20, 6), GPT),
}
SAID: dict[str, tuple[str, str | None]] = {
    "failed": ("Rate limit reached for gpt-5.4", "rate_limit_exceeded"),
    "error": ("The server had an error", None),
    "flat_error": ("You exceeded your current quota.", "insufficient_quota"),
}


def record(name: str) -> bytes:
    return (RECORDINGS / f"{name}.sse").read_bytes()


def read(*pieces: bytes, taken: frozenset[str] = frozenset()) -> tuple[list[ReplyDelta], AssistantMessage]:
    reader = ReplyReader("openai-native", taken)
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas, reader.finish()


def read_body(body: bytes) -> tuple[list[ReplyDelta], AssistantMessage]:
    reader = ReplyReader("openai-native")
    return reader.feed_whole(body), reader.finish()


def read_whole(body: JsonValue) -> tuple[list[ReplyDelta], AssistantMessage]:
    return read_body(json.dumps(body).encode())


def completed(*output: JsonObject, **reply: JsonValue) -> bytes:
    return event("response.completed", response={"status": "completed", "model": "m", "output": output, **reply})


def text_delta(delta: JsonValue, **place: JsonValue) -> bytes:
    return event("response.output_text.delta", **{"output_index": 0, "content_index": 0, **place}, delta=delta)


def call_item(call_id: JsonValue, name: JsonValue, arguments: JsonValue = "", **more: JsonValue) -> JsonObject:
    head = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **more}
    return {key: value for key, value in head.items() if value is not None}


def added(item: JsonObject, index: JsonValue = None) -> bytes:
    return event("response.output_item.added", item=item, **({} if index is None else {"output_index": index}))


def done(item: JsonObject, index: JsonValue = None) -> bytes:
    return event("response.output_item.done", item=item, **({} if index is None else {"output_index": index}))


def arguments_delta(delta: JsonValue, index: JsonValue = None, identity: JsonValue = None) -> bytes:
    place = {"output_index": index, "item_id": identity}
    kept = {key: value for key, value in place.items() if value is not None}
    return event("response.function_call_arguments.delta", delta=delta, **kept)


def arguments_done(arguments: JsonValue, index: int) -> bytes:
    return event("response.function_call_arguments.done", arguments=arguments, output_index=index)


def message_item(*texts: str, **more: JsonValue) -> JsonObject:
    parts: list[JsonValue] = [{"type": "output_text", "text": text} for text in texts]
    return {"type": "message", "role": "assistant", "content": parts, **more}


def reasoning_item(*texts: str, **more: JsonValue) -> JsonObject:
    parts: list[JsonValue] = [{"type": "summary_text", "text": text} for text in texts]
    return {"type": "reasoning", "id": "rs", "summary": parts, **more}


def calls_of(*events: bytes, taken: frozenset[str] = frozenset()) -> list[tuple[str, str, str]]:
    deltas, message = read(*events, completed(), taken=taken)
    streamed = "".join(delta.arguments for delta in deltas if isinstance(delta, ToolCallDelta))
    assert len(streamed) == sum(len(call.arguments) for call in message.tool_calls)
    return [(call.id, call.name, call.arguments) for call in message.tool_calls]


def texts_in(deltas: list[ReplyDelta]) -> tuple[str, str]:
    """Return the text and the thinking that deltas add up to."""
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return text, "".join(delta.text for delta in deltas if isinstance(delta, ThinkingDelta))


def thinking_of(message: AssistantMessage) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, ThinkingPart))


def test_every_recording_is_replayed_when_there_is_one() -> None:
    names = {path.stem for path in RECORDINGS.iterdir()}
    assert names == WHOLE.keys() | SAID.keys() | {"truncated"}
    assert all(record(name).startswith(b": Written 2026-") for name in names)


@pytest.mark.parametrize("name", WHOLE)
def test_message_is_read_when_a_recording_is_whole(name: str) -> None:
    deltas, message = read(record(name))
    assert message == WHOLE[name]
    assert texts_in(deltas) == (message.text, thinking_of(message))
    arguments = [delta.arguments for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert "".join(arguments) == "".join(call.arguments for call in message.tool_calls)


@pytest.mark.parametrize("name", WHOLE)
def test_message_is_the_same_when_its_bytes_come_in_other_pieces(name: str) -> None:
    whole = read(record(name))
    assert all(read(*pieces) == whole for pieces in ways_to_come(record(name)))


@pytest.mark.parametrize("name", SAID)
def test_error_is_given_out_when_the_server_sends_one(name: str) -> None:
    raw = record(name)
    words, code = SAID[name]
    for pieces in ([raw], [raw[place : place + 1] for place in range(len(raw))]):
        with pytest.raises(ServerSaidError) as caught:
            read(*pieces)
        assert isinstance(caught.value.said, dict)
        assert caught.value.said["message"].startswith(words)
        assert caught.value.said["code"] == code


@pytest.mark.parametrize("name", ["truncated", *WHOLE])
def test_no_reply_counts_when_it_breaks_off_before_its_end(name: str) -> None:
    raw = record(name)
    for place in range(len(raw)):
        with pytest.raises(CutOffError, match="the reply of openai-native ended in the middle"):
            read(raw[:place])


def test_nothing_more_is_awaited_when_the_end_has_come() -> None:
    reader = ReplyReader("openai-native")
    reader.feed(text_delta("a") + completed())
    assert reader.is_finished
    assert reader.is_done
    assert reader.feed(b"data: nonsense\n\ndata: [DONE]\n\n") == []
    assert reader.finish().text == "a"


def test_reply_goes_on_when_done_is_said_before_its_end() -> None:
    with pytest.raises(CutOffError, match="ended in the middle"):
        read(text_delta("a"), b"data: [DONE]\n\n", completed())


def test_deltas_come_in_order_when_a_reply_has_all_kinds() -> None:
    deltas, _ = read(
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="hm"),
        text_delta("so", output_index=1),
        added(call_item("a", "look"), 2),
        arguments_delta("{", 2),
        arguments_delta("}", 2),
        completed(),
    )
    assert deltas == [
        ThinkingDelta("hm"),
        TextDelta("so"),
        ToolCallDelta("look", ""),
        ToolCallDelta("look", "{"),
        ToolCallDelta("look", "}"),
    ]


@pytest.mark.parametrize("data", [b"{", b"nonsense", b'"text"', b"5", b"null", b"[]", b'{"a":' * 9999, b"\xff"])
def test_reply_is_void_when_an_event_is_damaged(data: bytes) -> None:
    with pytest.raises(CutOffError, match="holds an event that is no"):
        read(text_delta("a"), b"data: " + data + b"\n\n")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": None},
        {"type": ["error"]},
        {"type": "keepalive", "sequence_number": 3},
        {"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws"},
        {"type": "response.output_text.annotation.added", "output_index": 0, "annotation": {}},
        {"type": "response.queued", "response": {"status": "queued"}},
        {"type": "response.created", "response": None},
        {"type": "response.output_item.added"},
        {"type": "response.output_item.added", "item": {"type": ["message"]}},
        {"type": "response.output_item.done", "item": {"type": "web_search_call", "id": "ws"}, "output_index": 0},
        {"type": "response.output_item.done", "item": {"type": "message", "content": [None, 5, {"type": "x"}]}},
        {"type": "response.output_item.done", "item": {"type": "reasoning", "summary": 5, "content": {}}},
        {"type": "response.output_text.delta", "delta": None, "output_index": 0},
        {"type": "response.output_text.delta", "delta": 5, "output_index": "x", "content_index": []},
    ],
)
def test_event_is_passed_over_when_it_adds_nothing(data: JsonValue) -> None:
    raw = b"data: " + json.dumps(data).encode() + b"\n\n"
    assert read(raw, text_delta("a"), completed())[1] == AssistantMessage((TextPart("a"),), "stop", Usage(), "m")


@pytest.mark.parametrize(
    "data", [{"error": "no"}, {"type": "error", "error": "no"}, {"error": {"message": "no"}}, {"type": "error"}]
)
def test_error_is_given_out_when_its_form_is_another(data: JsonObject) -> None:
    with pytest.raises(ServerSaidError):
        read(b"data: " + json.dumps(data).encode() + b"\n\n", completed())


def test_error_is_given_out_when_a_failed_reply_does_not_tell_one() -> None:
    with pytest.raises(ServerSaidError) as caught:
        read(event("response.failed", response={}))
    assert caught.value.said is None


@pytest.mark.parametrize("status", ["cancelled", "in_progress", "queued", "strange"])
def test_reply_is_cut_off_when_its_status_is_no_end(status: str) -> None:
    with pytest.raises(CutOffError, match="ended in the middle"):
        read(text_delta("a"), completed(status=status))


@pytest.mark.parametrize(
    ("reason", "stop_reason"),
    [
        ("max_output_tokens", "length"),
        ("content_filter", "content_filter"),
        ("max_messages", "length"),
        (None, "length"),
        ([], "length"),
    ],
)
def test_stop_reason_is_read_when_a_reply_is_incomplete(reason: JsonValue, stop_reason: StopReason) -> None:
    for details in ({"reason": reason}, None) if reason is None else ({"reason": reason},):
        end = event("response.incomplete", response={"incomplete_details": details})
        assert read(text_delta("a"), end)[1].stop_reason == stop_reason
        assert read(added(call_item("a", "look"), 0), end)[1].stop_reason == stop_reason


def test_stop_reason_tells_of_the_refusal_when_only_the_whole_message_has_it() -> None:
    refusal: JsonObject = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
    for events in ((done(refusal, 0), completed()), (completed(refusal),)):
        message = read(*events)[1]
        assert (message.text, message.stop_reason) == ("No.", "content_filter")


@pytest.mark.parametrize("value", [None, "7", -1, True, [], {}, float("inf"), float("nan"), 10**400])
def test_usage_is_unknown_when_its_numbers_are_none(value: JsonValue) -> None:
    details: JsonObject = {"cached_tokens": value, "cache_write_tokens": value}
    names: JsonObject = {"input_tokens": value, "output_tokens": value, "cost": value}
    for usage in ({**names, "input_tokens_details": details}, {**names, "input_tokens_details": value}, value):
        assert read(completed(usage=usage))[1].usage == Usage()


def test_cost_is_read_when_a_gateway_tells_it() -> None:
    usage: JsonObject = {"input_tokens": 3, "output_tokens": 2, "cost": 0.5}
    assert read(completed(usage=usage))[1].usage == Usage(3, 2, cost_usd=0.5)


def test_text_can_be_encoded_when_it_holds_half_a_surrogate_pair() -> None:
    raw = b'data: {"type":"response.output_text.delta","delta":"a\\ud83db"}\n\n'
    assert read(raw, completed())[1].text == "a\ufffdb"


Whole = list[bytes]
TOLD: dict[str, Whole] = {
    "streamed and told twice more": [
        text_delta("Hel"),
        text_delta("lo"),
        event("response.output_text.done", output_index=0, content_index=0, text="Hello"),
        done(message_item("Hello"), 0),
        completed(message_item("Hello")),
    ],
    "told by the end of a part": [
        event("response.output_text.done", output_index=0, content_index=0, text="Hello"),
        completed(),
    ],
    "told by the end of the item": [done(message_item("Hello"), 0), completed()],
    "told by the end of the item without a place": [done(message_item("Hello")), completed()],
    "told by the end of the reply": [completed(message_item("Hello"))],
    "the rest is told by the end of a part": [
        text_delta("Hel"),
        event("response.output_text.done", output_index=0, content_index=0, text="Hello"),
        completed(message_item("Hello")),
    ],
    "the rest is told by the end of the item": [text_delta("Hel"), done(message_item("Hello"), 0), completed()],
    "told in two parts": [done(message_item("Hel", "lo"), 0), completed(message_item("Hel", "lo"))],
    "streamed under another number": [
        text_delta("Hello", content_index=1),
        done(message_item("Hello"), 0),
        completed(message_item("Hello")),
    ],
    "streamed without a place": [
        text_delta("Hel", output_index=None, content_index=None),
        text_delta("lo", output_index=None, content_index=None),
        done(message_item("Hello")),
        completed(message_item("Hello")),
    ],
    "told otherwise than streamed": [text_delta("Hello"), done(message_item("Bye"), 0), completed(message_item("Bye"))],
    "with another id in each event": [
        added(message_item(id="a"), 0),
        text_delta("Hel", item_id="b"),
        text_delta("lo", item_id="c"),
        done(message_item("Hello", id="d"), 0),
        completed(message_item("Hello", id="e")),
    ],
    "announced twice": [
        added(message_item(id="a"), 0),
        added(message_item(id="a"), 0),
        text_delta("Hello"),
        done(message_item("Hello", id="a"), 0),
        completed(message_item("Hello", id="a")),
    ],
    "ended twice": [text_delta("Hello"), done(message_item("Hello"), 0), done(message_item("Hello"), 0), completed()],
}


@pytest.mark.parametrize("case", TOLD)
def test_text_is_read_once_when_it_is_told_often(case: str) -> None:
    deltas, message = read(*TOLD[case])
    assert [part for part in message.parts if isinstance(part, TextPart) and part.text.strip()] == [TextPart("Hello")]
    assert texts_in(deltas)[0] == "Hello"


def test_messages_are_parts_of_their_own_when_a_reply_has_several() -> None:
    for events in (
        [
            added(message_item(id="a", phase="commentary"), 0),
            text_delta("Looking.", item_id="a"),
            done(message_item("Looking.", id="a", phase="commentary"), 0),
            added(message_item(id="b", phase="final_answer"), 1),
            text_delta("It ", item_id="b", output_index=1),
            text_delta("is.", item_id="b", output_index=1),
            completed(),
        ],
        [
            completed(
                message_item("Looking.", id="a", phase="commentary"),
                message_item("It is.", id="b", phase="final_answer"),
            )
        ],
    ):
        deltas, message = read(*events)
        assert message.parts == (
            phased("a", "commentary"),
            TextPart("Looking."),
            phased("b", "final_answer"),
            TextPart("\n\n"),
            TextPart("It is."),
        )
        assert texts_in(deltas)[0] == message.text == "Looking.\n\nIt is."


def test_messages_are_parts_of_their_own_when_all_are_announced_in_the_same_place() -> None:
    events = [added(message_item(id="a"), 0), text_delta("One."), added(message_item(id="b"), 0), text_delta("Two.")]
    assert read(*events, completed())[1].parts == (TextPart("One."), TextPart("\n\n"), TextPart("Two."))


def test_parts_stand_by_their_places_when_items_come_interleaved() -> None:
    events = [
        added(message_item(id="b"), 1),
        added(call_item("c1", "look"), 0),
        text_delta("x", output_index=1),
        arguments_delta("{", 0),
        text_delta("y", output_index=1),
        arguments_delta("}", 0),
        completed(),
    ]
    assert read(*events)[1].parts == (ToolCall("c1", "look", "{}"), TextPart("xy"))


def test_thinking_is_sealed_when_it_is_told_as_a_whole_only() -> None:
    item = reasoning_item("One.", "Two.", encrypted_content="E", status=None)
    for events in ((done(item, 0), completed()), (completed(item),)):
        deltas, message = read(*events)
        (part,) = message.parts
        assert isinstance(part, ThinkingPart)
        assert part.text == texts_in(deltas)[1] == "One.\n\nTwo."
        assert json.loads(part.signature.removeprefix("openai_responses:")) == {
            "id": "rs",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
            "encrypted_content": "E",
        }


@pytest.mark.parametrize("encrypted", [None, "", 5, []])
def test_thinking_is_not_sealed_when_it_is_not_encrypted(encrypted: JsonValue) -> None:
    message = read(done(reasoning_item("One.", encrypted_content=encrypted), 0), completed())[1]
    assert message.parts == (ThinkingPart("One."),)
    assert read(done(reasoning_item(encrypted_content=encrypted), 0), completed())[1].parts == ()


def test_encrypted_part_that_was_announced_does_not_count_when_the_whole_differs() -> None:
    events = (
        added(reasoning_item(encrypted_content="begin"), 0),
        done(reasoning_item(encrypted_content="beginning"), 0),
        completed(),
    )
    (part,) = read(*events)[1].parts
    assert isinstance(part, ThinkingPart)
    assert '"encrypted_content":"beginning"' in part.signature


def test_items_of_reasoning_are_told_apart_when_there_are_two() -> None:
    events = [done(reasoning_item(text, id=text), place) for place, text in enumerate(["One.", "Two."])]
    deltas, message = read(*events, completed())
    assert texts_in(deltas)[1] == thinking_of(message) == "One.\n\nTwo."


def test_thinking_in_full_and_summary_are_both_read_when_both_come() -> None:
    item: JsonObject = {**reasoning_item("Sum."), "content": [{"type": "reasoning_text", "text": "Full."}]}
    deltas, message = read(
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="Su"),
        event("response.reasoning_summary_text.done", output_index=0, summary_index=0, text="Sum."),
        event("response.reasoning_text.delta", output_index=0, content_index=0, delta="Full."),
        event("response.reasoning_text.done", output_index=0, content_index=0, text="Full."),
        done(item, 0),
        completed(item),
    )
    assert sorted(texts_in(deltas)[1].split("\n\n")) == sorted(thinking_of(message).split("\n\n")) == ["Full.", "Sum."]


CALLS: dict[str, tuple[list[bytes], list[tuple[str, str, str]]]] = {
    "in pieces": (
        [added(call_item("a", "x"), 0), arguments_delta("{", 0), arguments_delta("}", 0)],
        [("a", "x", "{}")],
    ),
    "told as a whole too": (
        [
            added(call_item("a", "x"), 0),
            arguments_delta("{}", 0),
            arguments_done("{}", 0),
            done(call_item("a", "x", "{}"), 0),
            completed(call_item("a", "x", "{}")),
        ],
        [("a", "x", "{}")],
    ),
    "told by the end of the arguments": (
        [added(call_item("a", "x"), 0), arguments_done("{}", 0)],
        [("a", "x", "{}")],
    ),
    "told by the end of the item": ([done(call_item("a", "x", "{}"), 0)], [("a", "x", "{}")]),
    "announced with its arguments": ([added(call_item("a", "x", "{}"), 0)], [("a", "x", "{}")]),
    "announced with arguments that are streamed": (
        [added(call_item("a", "x", "{}"), 0), arguments_delta("{", 0), arguments_delta("}", 0)],
        [("a", "x", "{}")],
    ),
    "no arguments": ([added(call_item("a", "x", None), 0)], [("a", "x", "")]),
    "empty arguments": (
        [added(call_item("a", "x"), 0), arguments_delta("", 0), arguments_done("", 0), done(call_item("a", "x"), 0)],
        [("a", "x", "")],
    ),
    "arguments as an object": ([done(call_item("a", "x", {"b": 1}), 0)], [("a", "x", '{"b": 1}')]),
    "arguments that are none": ([done(call_item("a", "x", [1]), 0)], [("a", "x", "")]),
    "deltas before the announcement": (
        [arguments_delta("{", 0), added(call_item("a", "x"), 0), arguments_delta("}", 0)],
        [("a", "x", "{}")],
    ),
    "no announcement": (
        [arguments_delta("{", 0), arguments_delta("}", 0), done(call_item("a", "x", "{}"), 0)],
        [("a", "x", "{}")],
    ),
    "no call_id": ([added(call_item(None, "x", id="fc_1"), 0)], [("fc_1", "x", "")]),
    "no id at all": (
        [done(call_item(None, "x", "1"), 0), done(call_item(None, "y", "2"), 1)],
        [("call_1", "x", "1"), ("call_2", "y", "2")],
    ),
    "same call_id twice": (
        [done(call_item("a", "x", "1"), 0), done(call_item("a", "y", "2"), 1)],
        [("a", "x", "1"), ("call_2", "y", "2")],
    ),
    "same ids twice, in pieces": (
        [
            added(call_item("a", "x", id="f"), 0),
            arguments_delta("1", 0, "f"),
            added(call_item("a", "y", id="f"), 1),
            arguments_delta("2", 1, "f"),
            arguments_delta("1", 0, "f"),
        ],
        [("a", "x", "11"), ("call_2", "y", "2")],
    ),
    "no places": (
        [
            added(call_item("a", "x", id="f")),
            arguments_delta("1", identity="f"),
            added(call_item("b", "y", id="g")),
            arguments_delta("2", identity="g"),
            arguments_delta("1", identity="f"),
            done(call_item("a", "x", "11", id="f")),
            done(call_item("b", "y", "2", id="g")),
        ],
        [("a", "x", "11"), ("b", "y", "2")],
    ),
    "neither places nor ids of items": (
        [
            added(call_item("a", "x")),
            arguments_delta("1"),
            done(call_item("a", "x", "1")),
            added(call_item("b", "y")),
            arguments_delta("2"),
            done(call_item("b", "y", "2")),
        ],
        [("a", "x", "1"), ("b", "y", "2")],
    ),
    "all in the same place": (
        [
            added(call_item("a", "x", id="f"), 0),
            added(call_item("b", "y", id="g"), 0),
            arguments_delta("2", 0, "g"),
            arguments_delta("1", 0, "f"),
            done(call_item("a", "x", "1", id="f"), 0),
            done(call_item("b", "y", "2", id="g"), 0),
        ],
        [("a", "x", "1"), ("b", "y", "2")],
    ),
    "all in the same place, told as wholes": (
        [done(call_item("a", "x", "1"), 0), done(call_item("b", "y", "2"), 0)],
        [("a", "x", "1"), ("b", "y", "2")],
    ),
    "told as a whole in the place of another that is not done": (
        [added(call_item("a", "x"), 0), arguments_delta("1", 0), done(call_item("b", "y", "2"), 0)],
        [("a", "x", "1"), ("b", "y", "2")],
    ),
    "another id in each event": (
        [
            added(call_item("a", "x", id="1"), 0),
            arguments_delta("{", 0, "2"),
            arguments_delta("}", 0, "3"),
            done(call_item("a", "x", "{}", id="4"), 0),
        ],
        [("a", "x", "{}")],
    ),
    "interleaved": (
        [
            added(call_item("b", "y"), 1),
            added(call_item("a", "x"), 0),
            arguments_delta("{", 1),
            arguments_delta("[", 0),
            arguments_delta("}", 1),
            arguments_delta("]", 0),
        ],
        [("a", "x", "[]"), ("b", "y", "{}")],
    ),
    "strange places": (
        [done(call_item("a", "x"), -1), done(call_item("b", "y"), True), done(call_item("c", "z"), 10**30)],
        [("a", "x", ""), ("b", "y", ""), ("c", "z", "")],
    ),
    "told by the end of the reply beside a message": (
        [text_delta("a"), completed(message_item("a"), call_item("a", "x", "{}"))],
        [("a", "x", "{}")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_assembled_when_events_vary(case: str) -> None:
    events, calls = CALLS[case]
    assert calls_of(*events) == calls


def test_ids_are_made_up_when_the_history_holds_them_already() -> None:
    calls = calls_of(
        done(call_item("call_2", "x"), 0),
        done(call_item(None, "y"), 1),
        done(call_item("call_9", "z"), 2),
        taken=frozenset({"call_1", "call_2"}),
    )
    assert [identity for identity, _, _ in calls] == ["call_3", "call_4", "call_9"]


def test_every_call_is_read_once_when_there_are_many() -> None:
    starts = [added(call_item(f"id_{place}", f"tool_{place}"), place) for place in range(128)]
    rests = [arguments_delta("{}", place) for place in reversed(range(128))]
    wholes = [done(call_item(f"id_{place}", f"tool_{place}", "{}"), place) for place in range(128)]
    expected = [(f"id_{place}", f"tool_{place}", "{}") for place in range(128)]
    assert calls_of(*starts, *rests, *wholes) == expected


def test_reply_is_void_when_a_call_has_no_name() -> None:
    with pytest.raises(CutOffError, match="holds a call of no tool"):
        read(arguments_delta("{}", 0), completed())


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=30), st.integers(0, 30)), max_size=4))
def test_calls_are_the_same_when_their_arguments_are_cut_anywhere(calls: list[tuple[str, str, int]]) -> None:
    events: list[bytes] = []
    for place, (name, arguments, cut) in enumerate(calls):
        events.append(added(call_item(f"id_{place}", name), place))
        events += [arguments_delta(arguments[:cut], place), arguments_delta(arguments[cut:], place)]
        events.append(done(call_item(f"id_{place}", name, arguments), place))
    expected = [(f"id_{place}", name, given) for place, (name, given, _) in enumerate(calls)]
    assert calls_of(*events) == expected


NAMES = st.sampled_from(
    "type output_index content_index summary_index item_id item id call_id name arguments delta text refusal content"
    " summary encrypted_content phase response status output usage input_tokens error incomplete_details".split()
)
TYPES = st.sampled_from(
    "response.output_text.delta response.output_text.done response.refusal.delta response.reasoning_text.delta"
    " response.reasoning_summary_text.delta response.reasoning_summary_text.done response.output_item.added"
    " response.output_item.done response.function_call_arguments.delta response.function_call_arguments.done"
    " response.completed response.incomplete response.failed error message reasoning function_call".split()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats() | st.text(max_size=3) | TYPES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)
EVENTS = st.lists(st.tuples(TYPES, st.dictionaries(NAMES, ANYTHING, max_size=6)), max_size=8)


@given(EVENTS, st.booleans())
def test_reading_raises_only_what_it_tells_when_events_are_random(
    events: list[tuple[str, JsonObject]], is_whole: bool
) -> None:
    reader = ReplyReader("openai-native")
    with contextlib.suppress(CutOffError, ServerSaidError):
        if is_whole:
            reader.feed_whole(json.dumps({"output": [data for _, data in events], "status": "completed"}).encode())
        for kind, data in events:
            reader.feed(b"data: " + json.dumps({**data, "type": kind}).encode() + b"\n\n")
        reader.finish()


class NoShortcut(TextShortcut):
    def __init__(self) -> None:
        super().__init__(lambda event: None)

    def read(self, event: str) -> str | None:
        return None


PLAIN = '{"type":"response.output_text.delta","output_index":%d,"delta":%s}'
OTHER = '{"type":"response.output_text.delta","content_index":1,"output_index":%d,"delta":%s}'
OPENED = '{"type":"response.output_item.added","output_index":%d,"item":{"type":"message","id":%s}}'
CLOSED = '{"type":"response.output_item.done","output_index":%d,"item":{"type":"message","id":%s}}'
NUMBERED = '{"type":"response.output_text.delta","sequence_number":%d,"delta":%s}'
REFUSED = '{"type":"response.refusal.delta","output_index":%d,"delta":%s}'
PADDED = '{"type":"response.output_text.delta","delta":"x","output_index":%d,"obfuscation":%s}'
SHAPES = st.sampled_from([PLAIN, PLAIN, PLAIN, OTHER, OPENED, CLOSED, NUMBERED, REFUSED, PADDED])
STRINGS = st.sampled_from(["a", "b", "0", "1", "", "\n", "é", "delta"]).map(json.dumps)


@given(st.lists(st.tuples(SHAPES, st.integers(0, 1), STRINGS), max_size=12))
@example([(PLAIN, 0, '"a"'), (PLAIN, 1, '"\\n"'), (PLAIN, 0, '"b"')])
@example([(PLAIN, 0, '"a"'), (OPENED, 0, '"n"'), (PLAIN, 0, '"b"')])
@example([(PLAIN, 0, '"a"'), (OTHER, 0, '""'), (PLAIN, 0, '"b"')])
def test_reply_is_the_same_when_no_shortcut_is_taken(shapes: list[tuple[str, int, str]]) -> None:
    raw = "".join(f"data: {shape % (place, string)}\n\n" for shape, place, string in shapes).encode()
    replies = []
    for shortcut in (None, NoShortcut()):
        reader = ReplyReader("openai-native", shortcut=shortcut)
        replies.append((reader.feed(raw), reader.feed(completed()), reader.finish()))
    assert replies[0] == replies[1]


class Parsing(ReplyReader):
    """Counts the events that it takes the long way with."""

    parsed = 0

    def _parse(self, data: str | bytes) -> JsonObject:
        self.parsed += 1
        return super()._parse(data)


def test_text_is_read_without_parsing_when_the_shape_of_its_events_is_known() -> None:
    reader = Parsing("openai-native")
    for word in ("one", "two", "three"):
        assert reader.feed(text_delta(word)) == [TextDelta(word)]
    assert reader.parsed == 1


def test_reply_is_refused_when_an_event_does_not_end() -> None:
    reader = ReplyReader("openai-native")
    with pytest.raises(ProviderError, match="cannot use the reply of openai-native: an event of the stream is larger"):
        reader.feed(b"data: " + b"x" * (17 << 20))


@pytest.mark.parametrize("kind", ["output_text", "reasoning_summary_text", "function_call_arguments"])
def test_reply_is_refused_when_it_does_not_end(kind: str) -> None:
    reader = ReplyReader("openai-native")
    piece = event(f"response.{kind}.delta", output_index=0, delta="x" * (MAX_REPLY_CHARACTERS // 4))
    for _ in range(4):
        reader.feed(piece)
    with pytest.raises(ProviderError, match="it does not end"):
        reader.feed(piece)


def test_reply_is_refused_when_its_items_do_not_end() -> None:
    streamed, whole = ReplyReader("openai-native"), ReplyReader("openai-native")
    many = b"".join(added({"type": "message"}, place) for place in range(MAX_ITEMS + 1))
    body = json.dumps({"output": [{"type": "message"}] * (MAX_ITEMS + 1)}).encode()
    with pytest.raises(ProviderError, match="it does not end"):
        streamed.feed(many)
    with pytest.raises(ProviderError, match="it does not end"):
        whole.feed_whole(body)


WHOLE_REPLY: JsonObject = {
    "object": "response",
    "status": "completed",
    "error": None,
    "model": "m",
    "output": [
        reasoning_item("Hm.", encrypted_content="E"),
        message_item("hi", id="msg"),
        call_item("a", "x", "{}"),
        call_item(None, "y", ""),
        {"type": "web_search_call", "id": "ws"},
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def test_message_is_read_when_the_reply_was_not_streamed() -> None:
    deltas, message = read_whole(WHOLE_REPLY)
    assert deltas == [ThinkingDelta("Hm."), TextDelta("hi"), ToolCallDelta("x", "{}")]
    assert message.parts[1:] == (TextPart("hi"), ToolCall("a", "x", "{}"), ToolCall("call_2", "y", ""))
    assert message.stop_reason == "tool_calls"
    assert (message.usage, message.model) == (Usage(3, 2), "m")


def test_message_is_read_when_a_whole_reply_has_no_status() -> None:
    assert read_whole({"output": [message_item("hi")]})[1].text == "hi"


@pytest.mark.parametrize("body", [{"error": "no"}, {"error": {"message": "no"}}, {"status": "failed", "error": None}])
def test_error_is_given_out_when_it_is_all_there_is(body: JsonObject) -> None:
    with pytest.raises(ServerSaidError):
        read_whole(body)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"output":[]}', b'{"detail":"x"}', b'{"output":', b'{"status":"queued"}']
)
def test_reply_is_void_when_its_body_is_none(body: bytes) -> None:
    with pytest.raises(CutOffError):
        read_body(body)


def test_reply_is_refused_when_its_body_is_too_large() -> None:
    with pytest.raises(ProviderError, match="the reply is too long"):
        ReplyReader("openai-native").feed_whole(b" " * ((16 << 20) + 1))
