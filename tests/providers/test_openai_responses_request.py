from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter

from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    JsonObject,
    JsonValue,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    UserMessage,
    user_text,
)
from cline_cli.agent.provider import Request
from cline_cli.agent.tool import ToolSpec
from cline_cli.providers._openai_responses_request import RequestWriter, to_call_id
from cline_cli.schema import read_schema
from tests.dialects import to_objects
from tests.dialects.openai_responses import fault_of

GPT = "gpt-5.4"
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
PNG = ImagePart("image/png", b"\x89PNG")
PNG_JSON: JsonObject = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"}
PERSON = read_schema("name, age int", Path())
BODY = TypeAdapter(ResponseCreateParamsStreaming)


def write(request: Request, writer: RequestWriter | None = None) -> Mapping[str, JsonValue]:
    value: Mapping[str, JsonValue] = json.loads((writer or RequestWriter("session-1")).write(request))
    return value


def history(*messages: Message) -> tuple[JsonObject, ...]:
    return to_objects(write(Request(GPT, "", messages))["input"])


def called(*calls: ToolCall, text: str = "") -> AssistantMessage:
    return AssistantMessage((*((TextPart(text),) if text else ()), *calls), "tool_calls")


def seen(call_id: str, *parts: TextPart | ImagePart) -> ToolResult:
    return ToolResult(call_id, parts or (TextPart("seen"),))


def thought(encrypted: str, text: str = "", identity: str = "rs_1") -> ThinkingPart:
    summary = [{"type": "summary_text", "text": text}] if text else []
    item = {"id": identity, "type": "reasoning", "summary": summary, "encrypted_content": encrypted}
    return ThinkingPart(text, "openai_responses:" + json.dumps(item))


def phased(phase: str) -> ThinkingPart:
    return ThinkingPart("", "openai_responses:" + json.dumps({"type": "message", "id": "msg_1", "phase": phase}))


def call_json(identity: str, arguments: str = "{}", name: str = "look") -> JsonObject:
    return {"type": "function_call", "call_id": identity, "name": name, "arguments": arguments}


def output_json(identity: str, output: JsonValue = "seen") -> JsonObject:
    return {"type": "function_call_output", "call_id": identity, "output": output}


def reasoning_json(encrypted: str, text: str = "") -> JsonObject:
    summary: list[JsonValue] = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}


def test_body_has_all_that_can_be_said_when_a_run_begins() -> None:
    request = Request(GPT, "Be brief.", (user_text("hi"),), (LOOK,), effort="high", schema=PERSON)
    assert write(request) == {
        "model": GPT,
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": "hi"}],
        "tools": [
            {
                "type": "function",
                "name": "look",
                "description": "Looks.",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            }
        ],
        "tool_choice": "auto",
        "store": False,
        "stream": True,
        "max_output_tokens": 38_400,
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "text": {"format": {"type": "json_schema", "name": "answer", "strict": True, "schema": PERSON}},
        "prompt_cache_key": "session-1",
    }


def test_body_is_small_when_there_is_only_a_prompt() -> None:
    written = RequestWriter("").write(Request("m", "", (user_text("hé"),)))
    assert written.decode() == '{"model":"m","input":[{"role":"user","content":"hé"}],"store":false,"stream":true}'


def test_body_is_json_when_the_history_is_empty() -> None:
    assert write(Request("m", "", ()))["input"] == []


@pytest.mark.parametrize(
    ("model", "max_tokens", "limit"),
    [
        (GPT, None, 38_400),
        (GPT, 99, 99),
        (GPT, 1, 16),
        ("unknown/model", None, None),
        ("unknown/model", 99, 99),
        ("gpt-4.1", None, 32_000),
    ],
)
def test_limit_is_asked_for_when_it_is_known(model: str, max_tokens: int | None, limit: int | None) -> None:
    written = write(Request(model, "", (user_text("hi"),), max_tokens=max_tokens))
    assert written.get("max_output_tokens") == limit


@pytest.mark.parametrize(
    ("model", "is_asked"),
    [(GPT, True), ("o3", True), ("openai/gpt-oss-120b", True), ("gpt-4.1", False), ("unknown/model", False)],
)
def test_encrypted_thinking_is_asked_for_when_the_model_reasons(model: str, is_asked: bool) -> None:
    assert ("include" in write(Request(model, "", (user_text("hi"),)))) is is_asked


def test_encrypted_thinking_is_asked_for_when_an_unknown_model_is_told_to_think() -> None:
    assert "include" in write(Request("unknown/model", "", (user_text("hi"),), effort="low"))


def test_cache_key_is_cut_when_the_id_of_the_session_is_long() -> None:
    assert write(Request("m", "", (user_text("hi"),)), RequestWriter("s" * 99))["prompt_cache_key"] == "s" * 64


@pytest.mark.parametrize(
    ("schema", "model", "tools"),
    [(None, GPT, ()), ({"type": "array"}, GPT, ()), (PERSON, "qwen3", (LOOK,))],
)
def test_no_format_is_asked_for_when_the_schema_cannot_be_sent(
    schema: JsonObject | None, model: str, tools: tuple[ToolSpec, ...]
) -> None:
    assert "text" not in write(Request(model, "", (user_text("hi"),), tools, schema=schema))


def test_calls_and_results_go_back_under_their_ids_when_tools_ran() -> None:
    assert history(
        user_text("go"),
        called(ToolCall("c1", "look", '{"a":  1.0}'), ToolCall("c2", "look", ""), text="Looking."),
        seen("c1"),
        seen("c2", TextPart("a"), TextPart("b")),
    ) == (
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "Looking."},
        call_json("c1", '{"a":  1.0}'),
        call_json("c2"),
        output_json("c1"),
        output_json("c2", "ab"),
    )


def test_thinking_goes_back_before_what_came_of_it_when_it_was_encrypted() -> None:
    reply = AssistantMessage(
        (
            thought("E1", "Hm."),
            thought("E2"),
            phased("commentary"),
            TextPart("Looking."),
            thought("E3"),
            ToolCall("c1", "look", "{}"),
            ToolCall("c2", "look", "{}"),
        ),
        "tool_calls",
    )
    assert history(reply, seen("c1"), seen("c2"))[:6] == (
        reasoning_json("E1", "Hm."),
        reasoning_json("E2"),
        {"role": "assistant", "content": "Looking.", "phase": "commentary"},
        reasoning_json("E3"),
        call_json("c1"),
        call_json("c2"),
    )


def test_thinking_is_left_out_when_nothing_came_of_it() -> None:
    cut = AssistantMessage((TextPart("a"), thought("E1", "Hm.")), "length")
    assert history(user_text("go"), cut, user_text("on")) == (
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "on"},
    )
    assert len(history(AssistantMessage((thought("E1"), TextPart(" ")), "stop"), user_text("on"))) == 1


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "anthropic:EqQBCk==",
        '[{"type":"reasoning.text"}]',
        "openai_responses:",
        "openai_responses:{",
        "openai_responses:[]",
        "openai_responses:" + "[" * 99_999,
        'openai_responses:{"type":"reasoning","id":"rs_1","summary":[]}',
    ],
)
def test_thinking_is_left_out_when_it_cannot_go_back(signature: str) -> None:
    message = AssistantMessage((ThinkingPart("hm", signature), TextPart("a")), "stop")
    assert history(message) == ({"role": "assistant", "content": "a"},)


def test_phase_is_that_of_the_message_when_a_reply_has_several() -> None:
    parts = (
        phased("commentary"),
        TextPart("a"),
        TextPart("\n\n"),
        phased("final_answer"),
        TextPart("b"),
        TextPart("c"),
    )
    assert history(AssistantMessage(parts, "stop")) == (
        {"role": "assistant", "content": "a", "phase": "commentary"},
        {"role": "assistant", "content": "b", "phase": "final_answer"},
        {"role": "assistant", "content": "c"},
    )


def test_message_is_left_out_when_nothing_was_said() -> None:
    assert history(user_text("go"), AssistantMessage((), "stop"), user_text("on")) == (
        {"role": "user", "content": "go"},
        {"role": "user", "content": "on"},
    )
    assert len(history(AssistantMessage((ThinkingPart("hm"), TextPart("")), "stop"), user_text("on"))) == 1


@pytest.mark.parametrize("arguments", ["", " ", "{", '{"a":1', "[]", "5", '{"a":NaN}', "{'a':1}", "[" * 99_999])
def test_arguments_are_sent_empty_when_a_server_would_refuse_them(arguments: str) -> None:
    assert history(called(ToolCall("c1", "look", arguments)), seen("c1"))[0] == call_json("c1")


@given(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False)), st.integers(0, 4))
def test_arguments_are_sent_as_they_were_written_when_they_are_an_object(value: JsonObject, indent: int) -> None:
    arguments = json.dumps(value, indent=indent or None, ensure_ascii=bool(indent % 2))
    assert history(called(ToolCall("c1", "look", arguments)), seen("c1"))[0]["arguments"] == arguments


@pytest.mark.parametrize("identity", ["", "x" * 65, "ünïcode" * 10, "\udcff" * 70])
def test_call_and_result_get_the_same_other_id_when_theirs_is_refused(identity: str) -> None:
    call, result = history(called(ToolCall(identity, "look", "{}")), seen(identity))
    assert call["call_id"] == result["call_id"] == to_call_id(identity)
    assert 0 < len(str(call["call_id"])) <= 64


@pytest.mark.parametrize("identity", ["c", "call_1", "toolu_01A", "functions.look:0", "x" * 64])
def test_id_stays_when_the_format_takes_it(identity: str) -> None:
    assert to_call_id(identity) == identity


@given(st.text(min_size=60), st.text(min_size=60))
def test_ids_stay_apart_when_they_are_long(one: str, other: str) -> None:
    assert (to_call_id(one) == to_call_id(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "sent"), [("functions.look", "functions_look"), ("lóok at", "l_ok_at"), ("", "_"), ("x" * 65, "x" * 64)]
)
def test_name_of_a_tool_is_made_fit_when_there_is_no_such_tool(name: str, sent: str) -> None:
    assert history(called(ToolCall("c1", name, "{}")), seen("c1"))[0] == call_json("c1", name=sent)


def test_images_are_sent_as_data_when_there_are_some() -> None:
    assert history(
        UserMessage((TextPart("what is it?"), PNG)),
        called(ToolCall("c1", "look", "{}")),
        seen("c1", TextPart(""), PNG, TextPart("one")),
    ) == (
        {"role": "user", "content": [{"type": "input_text", "text": "what is it?"}, PNG_JSON]},
        call_json("c1"),
        output_json("c1", [PNG_JSON, {"type": "input_text", "text": "one"}]),
    )


@pytest.mark.parametrize("parts", [(), (TextPart(""),)])
def test_content_says_that_it_is_empty_when_there_is_nothing(parts: tuple[TextPart, ...]) -> None:
    assert history(UserMessage(parts), called(ToolCall("c1", "look", "{}")), ToolResult("c1", parts)) == (
        {"role": "user", "content": "(empty)"},
        call_json("c1"),
        output_json("c1", "(empty)"),
    )


@pytest.mark.parametrize(("text", "sent"), [("a\udcffb", "a\ufffdb"), ("\ud83d\ude42", "🙂")])
def test_body_is_utf8_when_a_text_holds_surrogates(text: str, sent: str) -> None:
    assert history(user_text(text)) == ({"role": "user", "content": sent},)


def test_message_is_serialized_once_when_it_is_sent_again() -> None:
    writer = RequestWriter("s")
    message = user_text("first")
    first = writer.write(Request("m", "", (message,)))
    object.__setattr__(message, "parts", (TextPart("second"),))
    assert writer.write(Request("m", "", (message,))) == first


def dialogue() -> Iterator[Message]:
    """Yield 30 steps with tools, parallel tools, thinking, images, and two messages of the user in a row."""
    yield user_text("go")
    yield UserMessage((TextPart("and see"), PNG))
    for step in range(30):
        calls = [ToolCall(f"c{step}_{number}", "look", f'{{"at": {step}}}') for number in range(1 + step % 3)]
        yield AssistantMessage(
            (thought(f"E{step}", "Hm."), phased("commentary"), TextPart(f"Step {step}."), thought(f"F{step}"), *calls),
            "tool_calls",
        )
        for call in calls:
            yield seen(call.id, TextPart("seen"), *((PNG,) if step % 4 == 0 else ()))
        if step % 10 == 9:
            yield AssistantMessage((phased("final_answer"), TextPart("Done.")), "stop")
            yield user_text("once more")
            yield user_text("please")


def test_earlier_bytes_are_a_prefix_when_the_history_grows() -> None:
    writer = RequestWriter("session-1")
    messages: list[Message] = []
    before = b'{"model":"gpt-5.4","instructions":"Be brief.","input":['
    count = 0
    for message in dialogue():
        messages.append(message)
        written = writer.write(Request(GPT, "Be brief.", tuple(messages), (LOOK,)))
        assert written == RequestWriter("session-1").write(Request(GPT, "Be brief.", tuple(messages), (LOOK,)))
        assert written.startswith(before)
        end = written.rindex(b'],"tools":[')
        before = written[:end]
        count += 1
    assert count > 90


def test_body_is_one_that_a_server_takes_when_a_dialogue_is_long() -> None:
    messages = list(dialogue())
    body = write(Request(GPT, "Be brief.", tuple(messages), (LOOK,), effort="xhigh", schema=PERSON))
    assert fault_of(body) == ""
    check(body)


def check(body: Mapping[str, JsonValue]) -> None:
    """Hold a body to the types of OpenAI's SDK, which still ask for the ids of items of reasoning."""
    items = [{"id": "rs_1", **item} if item.get("type") == "reasoning" else item for item in to_objects(body["input"])]
    BODY.validate_python({**body, "input": items}, strict=False, extra="forbid")


@pytest.mark.parametrize(
    "request_",
    [
        Request("m", "", (user_text("hi"),)),
        Request("gpt-4.1", "s", (user_text("hi"),), (LOOK,), 5, "high", PERSON),
        Request("gpt-5", "s", (user_text("hi"),), effort=0),
        Request(GPT, "s", (AssistantMessage((TextPart("a"),), "stop"), UserMessage(()), UserMessage((PNG,)))),
    ],
)
def test_body_fits_the_types_of_the_sdk_when_it_is_written(request_: Request) -> None:
    check(write(request_))


def test_types_of_the_sdk_refuse_a_body_when_it_is_none() -> None:
    body = write(Request("m", "", (user_text("hi"),)))
    for fault in ({"input": [{"role": "tool", "content": "x"}]}, {"max_tokens": 5}, {"reasoning": {"effort": "huge"}}):
        with pytest.raises(ValueError, match="validation error"):
            check({**body, **fault})


LEFT_OUT: dict[str, tuple[Request, str]] = {
    "schema": (Request(GPT, "", (user_text("hi"),), schema=PERSON), '"text":'),
    "stream": (Request(GPT, "", (user_text("hi"),)), '"stream":true'),
    "encrypted": (Request(GPT, "", (AssistantMessage((thought("E1"), TextPart("a")), "stop"),)), "E1"),
    "include": (Request(GPT, "", (user_text("hi"),)), '"include":'),
    "summary": (Request(GPT, "", (user_text("hi"),)), "summary"),
    "reasoning": (Request(GPT, "", (user_text("hi"),), effort="low"), '"reasoning":'),
    "phase": (Request(GPT, "", (AssistantMessage((phased("commentary"), TextPart("a")), "stop"),)), "phase"),
    "cache key": (Request(GPT, "", (user_text("hi"),)), "prompt_cache_key"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_part_is_left_out_once_when_it_was_refused(name: str) -> None:
    request, words = LEFT_OUT[name]
    writer = RequestWriter("session-1")
    assert not writer.leave_out(name)
    assert words in writer.write(request).decode()
    assert writer.leave_out(name)
    assert words not in writer.write(request).decode()
    assert not writer.leave_out(name)
    check({**json.loads(writer.write(request)), "stream": True})


@pytest.mark.parametrize("name", ["schema", "encrypted", "phase"])
def test_part_is_still_written_later_when_it_was_not_in_what_was_refused(name: str) -> None:
    request, words = LEFT_OUT[name]
    writer = RequestWriter("session-1")
    writer.write(Request(GPT, "", (user_text("hi"),)))
    assert not writer.leave_out(name)
    assert words in writer.write(request).decode()
