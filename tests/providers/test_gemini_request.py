from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from cline_cli.agent.provider import Effort, Request
from cline_cli.agent.tool import ToolSpec
from cline_cli.providers._gemini_reply import ReplyReader
from cline_cli.providers._gemini_request import RequestWriter
from cline_cli.providers._gemini_thinking import generation_of, thinking_config
from tests.dialects.gemini import fault_of, part_event

PRO = "gemini-2.5-pro"
THREE = "gemini-3.1-pro-preview"
PARAMETERS: JsonObject = {"type": "object", "properties": {"at": {"type": "string"}}, "additionalProperties": False}
LOOK = ToolSpec("look", "Looks.", PARAMETERS, "reads")
EMPTY: JsonObject = {"type": "object", "properties": {}}
DONE = ToolSpec("done", "Ends.", EMPTY, "answers")
SCHEMA: JsonObject = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
PNG = ImagePart("image/png", b"\x89PNG")
PNG_PART: JsonObject = {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}
STAND_IN = "skip_thought_signature_validator"
SIGNATURE = base64.b64encode(b"signed").decode()


def body(request: Request) -> Mapping[str, JsonValue]:
    value: Mapping[str, JsonValue] = json.loads(RequestWriter().write(request))
    return value


def contents(*messages: Message, model: str = PRO) -> JsonValue:
    return body(Request(model, "", messages))["contents"]


def model_parts(*parts: TextPart | ThinkingPart | ToolCall, model: str = PRO) -> JsonValue:
    """Return what is sent for one reply."""
    reply = AssistantMessage(parts, "stop")
    results = [ToolResult(call.id, (TextPart("seen"),)) for call in reply.tool_calls]
    sent = contents(user_text("go"), reply, *results, model=model)
    assert isinstance(sent, list)
    of_the_reply: JsonValue = sent[1]["parts"]
    return of_the_reply


def call_part(identity: str, signature: str = "", name: str = "look", args: JsonObject | None = None) -> JsonObject:
    sent: JsonObject = {"functionCall": {"id": identity, "name": name, "args": args or {}}}
    return {**sent, "thoughtSignature": signature} if signature else sent


def result_part(identity: str, text: str = "seen", kind: str = "output", **more: JsonValue) -> JsonObject:
    return {"functionResponse": {"id": identity, "name": "look", "response": {kind: text}, **more}}


def called(*calls: ToolCall, text: str = "") -> AssistantMessage:
    return AssistantMessage((*((TextPart(text),) if text else ()), *calls), "tool_calls")


def seen(call_id: str, *parts: TextPart | ImagePart, is_error: bool = False) -> ToolResult:
    return ToolResult(call_id, parts or (TextPart("seen"),), is_error)


def user(*parts: JsonObject) -> JsonObject:
    return {"role": "user", "parts": list(parts)}


def model(*parts: JsonObject) -> JsonObject:
    return {"role": "model", "parts": list(parts)}


def test_body_holds_all_that_was_asked_when_a_run_begins() -> None:
    assert body(Request(PRO, "Be brief.", (user_text("hi"),), (LOOK, DONE), effort="high")) == {
        "contents": [user({"text": "hi"})],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "look", "description": "Looks.", "parametersJsonSchema": PARAMETERS},
                    {"name": "done", "description": "Ends.", "parametersJsonSchema": EMPTY},
                ]
            }
        ],
        "generationConfig": {
            "maxOutputTokens": 32_000 + 24_576,
            "thinkingConfig": {"thinkingBudget": 24_576, "includeThoughts": True},
        },
    }


def test_body_is_small_when_there_is_only_a_prompt() -> None:
    written = RequestWriter().write(Request("m", "", (user_text("hé"),)))
    assert written.decode() == '{"contents":[{"role":"user","parts":[{"text":"hé"}]}],"generationConfig":{}}'


def test_tools_are_declared_but_not_called_when_they_may_not_be() -> None:
    asked = Request(PRO, "", (user_text("hi"),), (LOOK,))
    free, bound = body(asked), body(Request(PRO, "", (user_text("hi"),), (LOOK,), may_call=False))
    assert "toolConfig" not in free
    assert bound == {**free, "toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        (Request(PRO, "", ()), 32_000),
        (Request(PRO, "", (), max_tokens=99), 99),
        (Request(PRO, "", (), effort="low"), 33_024),
        (Request(PRO, "", (), effort="xhigh"), 64_768),
        (Request("gemini-2.5-flash", "", (), effort=99_999), 56_576),
        (Request("unknown", "", ()), None),
        (Request("unknown", "", (), max_tokens=99), 99),
    ],
)
def test_limit_is_asked_for_with_the_thoughts_when_it_is_known(asked: Request, limit: int | None) -> None:
    config = body(asked)["generationConfig"]
    assert isinstance(config, dict)
    assert config.get("maxOutputTokens") == limit


@pytest.mark.parametrize(
    ("name", "generation"),
    [
        ("gemini-2.5-pro", 2.5),
        ("google/gemini-2.0-flash-001", 2.0),
        ("models/gemini-3-flash-preview", 3.0),
        ("Gemini-3.1-pro-preview", 3.1),
        ("gemini-4-argon", 4.0),
        ("gemini-flash-latest", 3.0),
        ("gemini-flash-lite-latest", 3.0),
        ("gemini-pro", 0.0),
        ("gemma-4-31b-it", 0.0),
        ("some-model", 0.0),
    ],
)
def test_generation_is_told_when_a_name_has_it(name: str, generation: float) -> None:
    assert generation_of(name) == generation


def thinks(*, tokens: int | None = None, level: str = "", is_shown: bool = True) -> JsonObject:
    return {
        **({} if tokens is None else {"thinkingBudget": tokens}),
        **({"thinkingLevel": level} if level else {}),
        **({"includeThoughts": True} if is_shown else {}),
    }


@pytest.mark.parametrize(
    ("name", "effort", "config"),
    [
        (PRO, None, thinks()),
        (PRO, "none", thinks(tokens=128, is_shown=False)),
        (PRO, 0, thinks(tokens=128, is_shown=False)),
        (PRO, "low", thinks(tokens=1024)),
        (PRO, "medium", thinks(tokens=8192)),
        (PRO, "high", thinks(tokens=24_576)),
        (PRO, "xhigh", thinks(tokens=32_768)),
        (PRO, 5, thinks(tokens=128)),
        (PRO, 2000, thinks(tokens=2000)),
        (PRO, 99_999, thinks(tokens=32_768)),
        ("gemini-2.5-flash", None, thinks()),
        ("gemini-2.5-flash", "none", thinks(tokens=0, is_shown=False)),
        ("gemini-2.5-flash", 5, thinks(tokens=5)),
        ("gemini-2.5-flash", "xhigh", thinks(tokens=24_576)),
        ("gemini-2.5-flash-lite", None, {}),
        ("gemini-2.5-flash-lite", "none", thinks(tokens=0, is_shown=False)),
        ("gemini-2.5-flash-lite", 5, thinks(tokens=512)),
        (THREE, None, thinks()),
        (THREE, "none", thinks(level="LOW", is_shown=False)),
        ("gemini-3.7-flash", 0, thinks(level="LOW", is_shown=False)),
        ("gemini-3-flash-preview", "none", thinks(level="MINIMAL", is_shown=False)),
        ("gemini-3.5-flash-lite", 0, thinks(level="MINIMAL", is_shown=False)),
        (THREE, "low", thinks(level="LOW")),
        (THREE, "medium", thinks(level="MEDIUM")),
        (THREE, "high", thinks(level="HIGH")),
        (THREE, "xhigh", thinks(level="HIGH")),
        (THREE, 4096, thinks(level="LOW")),
        (THREE, 16_384, thinks(level="MEDIUM")),
        (THREE, 16_385, thinks(level="HIGH")),
        ("gemini-2.0-flash", "high", {}),
        ("gemini-2.0-flash", None, {}),
        ("some-model", None, {}),
        ("some-model", "high", thinks(level="HIGH")),
    ],
)
def test_effort_is_said_as_the_generation_takes_it_when_it_is_given(
    name: str, effort: Effort | int | None, config: JsonObject
) -> None:
    assert thinking_config(name, effort) == config


@pytest.mark.parametrize(("max_tokens", "budget"), [(10_000, 5000), (100_000, 24_576), (100, 128)])
def test_half_of_the_tokens_are_left_for_the_answer_when_they_are_few(max_tokens: int, budget: int) -> None:
    assert thinking_config(PRO, "high", max_tokens) == thinks(tokens=budget)


@pytest.mark.parametrize(
    ("name", "tools", "may_call", "is_sent"),
    [
        (PRO, (), True, True),
        (PRO, (LOOK,), True, False),
        (PRO, (LOOK,), False, True),
        (THREE, (LOOK,), True, True),
        ("some-model", (LOOK,), True, False),
    ],
)
def test_schema_is_sent_when_the_generation_can_have_it_beside_tools(
    name: str, tools: tuple[ToolSpec, ...], may_call: bool, is_sent: bool
) -> None:
    config = body(Request(name, "", (user_text("hi"),), tools, schema=SCHEMA, may_call=may_call))["generationConfig"]
    assert isinstance(config, dict)
    kind, schema = config.get("responseMimeType"), config.get("responseJsonSchema")
    assert (kind, schema) == (("application/json", SCHEMA) if is_sent else (None, None))


def test_calls_and_results_go_back_under_their_ids_when_tools_ran() -> None:
    assert contents(
        user_text("go"),
        called(ToolCall("c1", "look", '{"at":  1.0}'), ToolCall("c2", "look", ""), text="Looking."),
        seen("c1"),
        seen("c2", is_error=True),
        called(ToolCall("c3", "look", "{}")),
        seen("c3", TextPart("a"), TextPart("b")),
    ) == [
        user({"text": "go"}),
        model({"text": "Looking."}, call_part("c1", args={"at": 1.0}), call_part("c2")),
        user(result_part("c1"), result_part("c2", kind="error")),
        model(call_part("c3")),
        user(result_part("c3", "ab")),
    ]


def test_messages_of_one_role_are_one_content_when_they_follow_one_another() -> None:
    assert contents(
        user_text("a"),
        user_text("b"),
        AssistantMessage((TextPart("c"),), "stop"),
        AssistantMessage((TextPart("d"), ToolCall("c1", "look", "{}")), "tool_calls"),
        seen("c1"),
        user_text("e"),
    ) == [
        user({"text": "a"}, {"text": "b"}),
        model({"text": "c"}, {"text": "d"}, call_part("c1")),
        user(result_part("c1"), {"text": "e"}),
    ]


def test_user_begins_when_the_history_begins_with_a_reply() -> None:
    assert contents(AssistantMessage((TextPart("a"),), "stop"), user_text("b")) == [
        user({"text": "(The conversation goes on.)"}),
        model({"text": "a"}),
        user({"text": "b"}),
    ]


def test_nothing_empty_is_sent_when_messages_are() -> None:
    assert contents(
        user_text(""),
        AssistantMessage((TextPart(""), ThinkingPart("of another", "signed")), "stop"),
        UserMessage((TextPart(""), PNG, TextPart("b"))),
        called(ToolCall("c1", "look", "{}")),
        ToolResult("c1", ()),
    ) == [
        user({"text": "(empty)"}, PNG_PART, {"text": "b"}),
        model(call_part("c1")),
        user(result_part("c1", "(empty)")),
    ]


@pytest.mark.parametrize(
    "arguments", ["", " ", "{", '{"a":1', "[]", "5", '{"a":NaN}', "{'a':1}", "[" * 99_999, '{"a":1e999}']
)
def test_arguments_are_sent_empty_when_a_server_would_refuse_them(arguments: str) -> None:
    assert model_parts(ToolCall("c1", "look", arguments)) == [call_part("c1")]


@given(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False)), st.integers(0, 4))
def test_arguments_are_sent_as_they_are_when_they_are_an_object(value: JsonObject, indent: int) -> None:
    sent = model_parts(ToolCall("c1", "look", json.dumps(value, indent=indent or None)))
    assert sent == [call_part("c1", args=value)]


@pytest.mark.parametrize(
    ("name", "sent"), [("a b/c", "a_b_c"), ("7up", "_7up"), ("", "_"), ("x" * 99, "x" * 64), ("ns.a-b:c", "ns.a-b:c")]
)
def test_name_is_one_that_a_server_takes_when_a_model_made_it_up(name: str, sent: str) -> None:
    written = contents(user_text("go"), called(ToolCall("c1", name, "{}")), seen("c1"))
    assert isinstance(written, list)
    assert written[1]["parts"][0]["functionCall"]["name"] == sent
    assert written[2]["parts"][0]["functionResponse"]["name"] == sent


def test_images_stand_after_the_results_when_the_model_takes_them_only_there() -> None:
    assert contents(
        user_text("go"),
        called(ToolCall("c1", "look", "{}"), ToolCall("c2", "look", "{}")),
        seen("c1", TextPart("one"), PNG),
        seen("c2", PNG),
        user_text("well?"),
    ) == [
        user({"text": "go"}),
        model(call_part("c1"), call_part("c2")),
        user(
            result_part("c1", "one"), result_part("c2", "(The images follow.)"), PNG_PART, PNG_PART, {"text": "well?"}
        ),
    ]


def test_images_stand_in_their_results_when_the_model_takes_them_there() -> None:
    assert contents(
        user_text("go"),
        called(ToolCall("c1", "look", "{}"), ToolCall("c2", "look", "{}")),
        seen("c1", TextPart("one"), PNG),
        seen("c2"),
        model=THREE,
    ) == [
        user({"text": "go"}),
        model(call_part("c1", STAND_IN), call_part("c2")),
        user(result_part("c1", "one", parts=[PNG_PART]), result_part("c2")),
    ]


@pytest.mark.parametrize(
    ("parts", "sent"),
    [
        (
            (ThinkingPart("hm"), ThinkingPart("", "gemini:S"), ToolCall("c1", "look", "{}")),
            [call_part("c1", "S")],
        ),
        (
            (ThinkingPart("", "gemini:S"), TextPart("a"), TextPart("b")),
            [{"text": "a", "thoughtSignature": "S"}, {"text": "b"}],
        ),
        (
            (TextPart("a"), ThinkingPart("", "gemini-text:S")),
            [{"text": "a"}, {"text": "", "thoughtSignature": "S"}],
        ),
        (
            (ThinkingPart("", "gemini-text:S"), ToolCall("c1", "look", "{}")),
            [{"text": "", "thoughtSignature": "S"}, call_part("c1")],
        ),
        (
            (ThinkingPart("hm", "gemini-thought:S"), TextPart("a")),
            [{"text": "hm", "thought": True, "thoughtSignature": "S"}, {"text": "a"}],
        ),
        ((ThinkingPart("hm", "anthropic:S"), TextPart("a")), [{"text": "a"}]),
        ((ThinkingPart("hm", "S"), TextPart("a")), [{"text": "a"}]),
        ((ThinkingPart("", "gemini:"), TextPart("a")), [{"text": "a"}]),
        ((ThinkingPart("", "openai_responses:{}"), ToolCall("c1", "look", "{}")), [call_part("c1")]),
    ],
)
def test_signature_goes_back_to_its_part_when_it_is_ours(
    parts: Sequence[TextPart | ThinkingPart | ToolCall], sent: JsonValue
) -> None:
    assert model_parts(*parts) == sent


@pytest.mark.parametrize("name", [THREE, "gemini-flash-latest"])
def test_first_call_alone_is_signed_with_a_stand_in_when_another_model_made_it(name: str) -> None:
    calls = (ToolCall("c1", "look", "{}"), ToolCall("c2", "look", "{}"))
    assert model_parts(*calls, model=name) == [call_part("c1", STAND_IN), call_part("c2")]


def test_no_stand_in_is_sent_when_the_first_call_is_signed() -> None:
    parts = (ThinkingPart("", "gemini:S"), ToolCall("c1", "look", "{}"), ToolCall("c2", "look", "{}"))
    assert model_parts(*parts, model=THREE) == [call_part("c1", "S"), call_part("c2")]


PARTS = st.one_of(
    st.text(max_size=3).map(lambda words: {"text": words}),
    st.text(max_size=3).map(lambda words: {"text": words, "thought": True}),
    st.just({"functionCall": {"name": "look", "args": {"at": "x"}}}),
)
SIGNED = st.tuples(PARTS, st.sampled_from(["", "S", "T"])).map(
    lambda pair: {**pair[0], "thoughtSignature": pair[1]} if pair[1] else pair[0]
)


@given(st.lists(SIGNED, max_size=6))
def test_every_signature_comes_back_on_the_part_that_had_it_when_a_reply_is_sent_again(
    parts: list[dict[str, JsonValue]],
) -> None:
    reader = ReplyReader("gemini")
    for part in parts:
        reader.feed(part_event(part))
    reader.feed(part_event(finish="STOP"))
    reply = reader.finish()
    sent = model_parts(*reply.parts) if any(_is_sent(part) for part in parts) else []
    assert isinstance(sent, list)
    for part in sent:
        part.get("functionCall", {}).pop("id", None)
    signed = [part for part in parts if part.get("thoughtSignature")]
    assert [part for part in sent if part.get("thoughtSignature")] == signed
    assert _words(sent) == _words(parts)


def _is_sent(part: Mapping[str, JsonValue]) -> bool:
    return bool(part.get("thoughtSignature") or "functionCall" in part or (part.get("text") and "thought" not in part))


def _words(parts: Sequence[Mapping[str, JsonValue]]) -> str:
    return "".join(str(part["text"]) for part in parts if "text" in part and "thought" not in part)


@pytest.mark.parametrize(("text", "sent"), [("a\udcffb", "a\ufffdb"), ("\ud83d\ude42", "🙂")])
def test_body_is_utf8_when_a_text_holds_surrogates(text: str, sent: str) -> None:
    escaped = json.dumps({"at": text})
    assert contents(user_text(text), called(ToolCall("c1", "look", escaped)), seen("c1", TextPart(text))) == [
        user({"text": sent}),
        model(call_part("c1", args={"at": sent})),
        user(result_part("c1", sent)),
    ]


def dialogue() -> Iterator[tuple[Message, ...]]:
    """Yield the history before each of thirty requests: tools, two at once, thinking, images, two prompts."""
    messages: list[Message] = [user_text("go")]
    for step in range(30):
        yield tuple(messages)
        first, second = ToolCall(f"a{step}", "look", '{"at": "é"}'), ToolCall(f"b{step}", "look", "{}")
        thinking = ThinkingPart(f"thought {step}", "anthropic:x" if step % 4 == 0 else "")
        signature = ThinkingPart("", f"gemini:{SIGNATURE}")
        if step == 12:
            messages += [AssistantMessage((thinking, TextPart("Halfway.")), "stop"), user_text("on"), user_text("!")]
        elif step % 3 == 0:
            messages += [called(first, second, text=f"step {step}"), seen(first.id, PNG), seen(second.id)]
        else:
            messages.append(AssistantMessage((thinking, signature, first), "tool_calls"))
            messages.append(seen(first.id, *((PNG,) if step % 5 == 0 else ()), TextPart("seen")))
        if step == 20:
            messages.append(user_text("and now?"))


@pytest.mark.parametrize("name", [PRO, THREE])
def test_earlier_contents_are_a_prefix_of_later_ones_when_a_history_grows(name: str) -> None:
    writer = RequestWriter()
    bodies = [writer.write(Request(name, "Be brief.", history, (LOOK,))) for history in dialogue()]
    starts = [written.partition(b'],"systemInstruction"')[0] for written in bodies]
    assert len(bodies) == 30
    assert all(after.startswith(before) and len(after) > len(before) for before, after in pairwise(starts))
    assert len({written.partition(b'],"systemInstruction"')[2] for written in bodies}) == 1
    assert [fault_of(json.loads(written)) for written in bodies] == [""] * 30


def test_bytes_are_those_of_a_new_writer_when_one_has_written_before() -> None:
    writer = RequestWriter()
    for history in dialogue():
        request = Request(THREE, "s", history)
        assert writer.write(request) == RequestWriter().write(request)


def test_message_is_serialized_once_when_it_is_sent_again() -> None:
    writer = RequestWriter()
    message = user_text("first")
    first = writer.write(Request("m", "", (message,)))
    object.__setattr__(message, "parts", (TextPart("second"),))
    assert writer.write(Request("m", "", (message,))) == first


def test_history_is_written_anew_when_the_generation_changes() -> None:
    writer = RequestWriter()
    history = (user_text("go"), called(ToolCall("c1", "look", "{}")), seen("c1", PNG))
    for name in (PRO, THREE, PRO):
        request = Request(name, "", history)
        assert writer.write(request) == RequestWriter().write(request)


def test_old_signatures_alone_are_left_out_when_one_was_refused() -> None:
    def step(number: int) -> tuple[Message, ...]:
        calls = (ToolCall(f"c{number}", "look", "{}"), ToolCall(f"d{number}", "look", "{}"))
        signature = ThinkingPart("", f"gemini:{number}")
        return (AssistantMessage((signature, *calls), "tool_calls"), seen(f"c{number}"), seen(f"d{number}"))

    writer = RequestWriter()
    old = (user_text("go"), *step(1))
    writer.write(Request(THREE, "", old))
    writer.leave_out_signatures()
    for history, is_longer in ((old, False), ((*old, *step(2)), True)):
        sent = writer.write(Request(THREE, "", history)).decode()
        assert '"thoughtSignature":"1"' not in sent
        assert sent.count(STAND_IN) == 1
        assert ('"thoughtSignature":"2"' in sent) == is_longer


@pytest.mark.parametrize(("name", "stand_ins"), [(PRO, 0), ("some-model", 1), (THREE, 1)])
def test_stand_in_is_sent_when_a_model_of_unknown_generation_misses_a_signature(name: str, stand_ins: int) -> None:
    writer = RequestWriter()
    request = Request(name, "", (user_text("go"), called(ToolCall("c1", "look", "{}")), seen("c1")))
    writer.write(request)
    writer.leave_out_signatures()
    assert writer.write(request).decode().count(STAND_IN) == stand_ins


def test_schema_and_thinking_are_not_sent_again_when_they_were_refused() -> None:
    writer = RequestWriter()
    request = Request(PRO, "", (user_text("hi"),), max_tokens=9, schema=SCHEMA)
    assert json.loads(writer.write(request))["generationConfig"].keys() == {
        "maxOutputTokens",
        "thinkingConfig",
        "responseMimeType",
        "responseJsonSchema",
    }
    writer.leave_out_schema()
    assert json.loads(writer.write(request))["generationConfig"].keys() == {"maxOutputTokens", "thinkingConfig"}
    writer.leave_out_thinking()
    assert json.loads(writer.write(request))["generationConfig"].keys() == {"maxOutputTokens"}
