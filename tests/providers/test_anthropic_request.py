from __future__ import annotations

import base64
import json
from collections.abc import Mapping

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
from cline_cli.agent.provider import Request
from cline_cli.agent.tool import ToolSpec
from cline_cli.providers._anthropic_request import Extra, RequestWriter
from tests.dialects.anthropic import fault_of

SONNET = "claude-sonnet-4-6"
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
LIST = ToolSpec("list", "Lists.", {"type": "object", "properties": {}}, "reads")
PNG = ImagePart("image/png", b"\x89PNG")
PNG_JSON: JsonObject = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
EPHEMERAL = {"type": "ephemeral"}
SCHEMA: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
SIGNED = ThinkingPart("hm", "anthropic:sig")


def body(request: Request) -> Mapping[str, JsonValue]:
    value: Mapping[str, JsonValue] = json.loads(RequestWriter().write(request))
    return value


def history(*messages: Message) -> list[dict[str, JsonValue]]:
    written = body(Request(SONNET, "", messages))
    assert fault_of(written) == ""
    found: list[dict[str, JsonValue]] = json.loads(json.dumps(written["messages"]))
    return found


def content(*messages: Message, place: int = -1) -> JsonValue:
    return history(*messages)[place]["content"]


def text(value: str) -> JsonObject:
    return {"type": "text", "text": value}


def said(role: str, *blocks: JsonObject) -> JsonObject:
    return {"role": role, "content": list(blocks)}


def called(*parts: ToolCall | TextPart | ThinkingPart) -> AssistantMessage:
    return AssistantMessage(parts, "tool_calls")


def call(identity: str, arguments: str = "{}", name: str = "look") -> ToolCall:
    return ToolCall(identity, name, arguments)


def seen(call_id: str, *parts: TextPart | ImagePart, is_error: bool = False) -> ToolResult:
    return ToolResult(call_id, parts or (TextPart("seen"),), is_error)


def call_json(identity: str, value: JsonObject | None = None) -> JsonObject:
    return {"type": "tool_use", "id": identity, "name": "look", "input": value or {}}


def result_json(identity: str, value: JsonValue = "seen", **more: JsonValue) -> JsonObject:
    return {"type": "tool_result", "tool_use_id": identity, "content": value, **more}


def test_body_is_complete_when_a_run_begins() -> None:
    assert body(Request(SONNET, "Be brief.", (user_text("hi"),), (LOOK, LIST), effort="high", schema=SCHEMA)) == {
        "model": SONNET,
        "messages": [said("user", text("hi"))],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL}],
        "tools": [
            {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}},
            {"name": "list", "description": "Lists.", "input_schema": {"type": "object", "properties": {}}},
        ],
        "max_tokens": 38_400,
        "stream": True,
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {
            "effort": "high",
            "format": {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}},
        },
        "cache_control": EPHEMERAL,
    }


def test_body_is_small_when_there_is_only_a_prompt() -> None:
    assert RequestWriter().write(Request("m", "", (user_text("hé"),))).decode() == (
        '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hé"}]}],'
        '"max_tokens":8192,"stream":true,"cache_control":{"type":"ephemeral"}}'
    )


@pytest.mark.parametrize(
    ("system", "tools", "marked"),
    [
        ("Be brief.", (LOOK, LIST), ["system"]),
        ("Be brief.", (), ["system"]),
        ("", (LOOK, LIST), ["list"]),
        (" \n", (LOOK,), ["look"]),
        ("", (), []),
    ],
)
def test_one_fixed_mark_is_set_when_something_stands_before_the_messages(
    system: str, tools: tuple[ToolSpec, ...], marked: list[str]
) -> None:
    written = body(Request(SONNET, system, (user_text("hi"),), tools))
    blocks = [*json.loads(json.dumps(written.get("system", []))), *json.loads(json.dumps(written.get("tools", [])))]
    assert [block.get("name", "system") for block in blocks if "cache_control" in block] == marked
    assert "cache_control" not in json.dumps(written["messages"])


@pytest.mark.parametrize(("may_call", "choice"), [(True, None), (False, {"type": "none"})])
def test_tools_are_sent_all_the_same_when_they_may_not_be_called(may_call: bool, choice: JsonValue) -> None:
    written = body(Request(SONNET, "", (user_text("hi"),), (LOOK,), may_call=may_call))
    assert "tools" in written
    assert written.get("tool_choice") == choice


def test_no_choice_is_sent_when_there_are_no_tools() -> None:
    assert "tool_choice" not in body(Request(SONNET, "", (user_text("hi"),), may_call=False))


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({}, {"type": "object"}),
        ({"anyOf": [{}], "type": "object", "x": 1}, {"type": "object", "x": 1}),
        ({"oneOf": [{}], "allOf": [{}], "properties": {}}, {"type": "object", "properties": {}}),
    ],
)
def test_schema_of_a_tool_is_an_object_when_the_tool_says_otherwise(parameters: JsonObject, sent: JsonObject) -> None:
    tool = ToolSpec("look", "", parameters, "reads")
    written = body(Request(SONNET, "", (user_text("hi"),), (tool,)))
    assert written["tools"] == [{"name": "look", "input_schema": sent, "cache_control": EPHEMERAL}]


def test_calls_and_results_go_back_under_their_ids_when_tools_ran() -> None:
    assert history(
        user_text("go"),
        called(TextPart("Looking."), call("c1", '{"a":  1.0}'), call("c2", "")),
        seen("c1"),
        seen("c2", is_error=True),
        called(call("c3")),
        seen("c3", TextPart("a"), TextPart("b")),
    ) == [
        said("user", text("go")),
        said("assistant", text("Looking."), call_json("c1", {"a": 1.0}), call_json("c2")),
        said("user", result_json("c1"), result_json("c2", is_error=True)),
        said("assistant", call_json("c3")),
        said("user", result_json("c3", "ab")),
    ]


def test_results_come_first_when_the_user_speaks_after_them() -> None:
    messages = (user_text("go"), called(call("c1"), call("c2")), seen("c1"), user_text("and"), seen("c2", PNG))
    assert content(*messages) == [result_json("c1"), result_json("c2", [PNG_JSON]), text("and")]


def test_neighbours_are_joined_when_they_are_of_one_role() -> None:
    assert history(
        user_text("a"),
        user_text("b"),
        AssistantMessage((TextPart("c"),), "stop"),
        AssistantMessage((TextPart("d"),), "stop"),
        UserMessage((TextPart("e"), PNG)),
    ) == [
        said("user", text("a"), text("b")),
        said("assistant", text("c"), text("d")),
        said("user", text("e"), PNG_JSON),
    ]


def test_user_has_the_first_and_the_last_word_when_the_history_gives_them_to_the_model() -> None:
    reply = AssistantMessage((TextPart("a "),), "stop")
    opening, closing = said("user", text("(The conversation goes on from here.)")), said("user", text("(Go on.)"))
    assert history(reply) == [opening, said("assistant", text("a ")), closing]
    assert history(reply, user_text("b"))[:2] == [opening, said("assistant", text("a "))]
    assert history() == [opening]


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_blank_texts_are_left_out_when_a_message_holds_them(blank: str) -> None:
    assert content(UserMessage((TextPart(blank), TextPart("a")))) == [text("a")]
    assert content(user_text(blank)) == [text("(empty)")]
    assert content(UserMessage(())) == [text("(empty)")]
    answered = (user_text("go"), called(TextPart(blank), call("c1")), seen("c1", TextPart(blank)))
    assert history(*answered)[1:] == [said("assistant", call_json("c1")), said("user", result_json("c1", "(empty)"))]
    assert content(user_text("a"), AssistantMessage((TextPart(blank),), "stop"), user_text("b")) == [
        text("a"),
        text("b"),
    ]


@pytest.mark.parametrize(
    ("parts", "is_error", "blocks"),
    [
        ((PNG,), False, [result_json("c1", [PNG_JSON])]),
        ((TextPart("a"), PNG, TextPart("b")), False, [result_json("c1", [text("ab"), PNG_JSON])]),
        ((PNG,), True, [result_json("c1", "(empty)", is_error=True), PNG_JSON]),
        ((TextPart("a"), PNG), True, [result_json("c1", "a", is_error=True), PNG_JSON]),
    ],
)
def test_images_go_back_with_the_result_when_a_tool_returned_some(
    parts: tuple[TextPart | ImagePart, ...], is_error: bool, blocks: list[JsonObject]
) -> None:
    assert content(user_text("go"), called(call("c1")), seen("c1", *parts, is_error=is_error)) == blocks


@pytest.mark.parametrize(
    ("media_type", "sent"),
    [
        ("image/jpeg", "image/jpeg"),
        ("IMAGE/PNG", "image/png"),
        ("image/jpg", "image/jpeg"),
        ("image/gif", "image/gif"),
        ("image/webp", "image/webp"),
        ("image/svg+xml", None),
        ("", None),
    ],
)
def test_image_is_sent_when_its_type_is_taken(media_type: str, sent: str | None) -> None:
    source: JsonObject = {"type": "base64", "media_type": sent, "data": "eA=="}
    note = text(f"(An image of type {media_type}, which cannot be sent.)")
    expected = {"type": "image", "source": source} if sent else note
    assert content(UserMessage((ImagePart(media_type, b"x"),))) == [expected]


@pytest.mark.parametrize(
    "arguments", ["", " ", "{", '{"a":1', "[]", "5", "null", '{"a":NaN}', '{"a":1e999}', "{'a':1}", "[" * 99_999]
)
def test_arguments_are_sent_empty_when_a_server_would_refuse_them(arguments: str) -> None:
    messages = history(user_text("go"), called(call("c1", arguments)), seen("c1"))
    assert messages[1] == said("assistant", call_json("c1"))


@pytest.mark.parametrize("depth", [10, 300, 900, 990, 1000, 2000, 100_000])
def test_body_is_written_when_arguments_are_nested_deeply(depth: int) -> None:
    arguments = '{"a":' * depth + "1" + "}" * depth
    written = RequestWriter().write(Request(SONNET, "", (user_text("go"), called(call("c1", arguments)), seen("c1"))))
    assert written.count(b'{"a":') in {0, depth}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON), st.integers(0, 4))
def test_arguments_mean_the_same_when_they_are_an_object(value: JsonObject, indent: int) -> None:
    arguments = json.dumps(value, indent=indent or None, ensure_ascii=bool(indent % 2))
    messages = history(user_text("go"), called(call("c1", arguments)), seen("c1"))
    assert messages[1] == said("assistant", call_json("c1", value))


def test_thinking_goes_back_in_its_place_when_this_format_has_signed_it() -> None:
    reply = called(
        SIGNED,
        ThinkingPart("", "anthropic-redacted:data"),
        TextPart("a"),
        ThinkingPart("", "anthropic:two"),
        call("c1"),
    )
    assert history(user_text("go"), reply, seen("c1"))[1] == said(
        "assistant",
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "data"},
        text("a"),
        {"type": "thinking", "thinking": "", "signature": "two"},
        call_json("c1"),
    )


@pytest.mark.parametrize("signature", ["", "gemini:sig", "anthropic:", "anthropic-redacted:", "anthropic", '[{"a":1}]'])
def test_thinking_is_left_out_when_this_format_has_not_signed_it(signature: str) -> None:
    reply = AssistantMessage((ThinkingPart("hm", signature), TextPart("a")), "stop")
    assert content(user_text("go"), reply, user_text("b"), place=1) == [text("a")]


def test_thinking_is_left_out_when_nothing_follows_it() -> None:
    last = AssistantMessage((TextPart("a"), SIGNED, TextPart(" "), SIGNED), "length")
    only = AssistantMessage((SIGNED,), "length")
    assert content(user_text("go"), last, user_text("b"), place=1) == [text("a")]
    assert history(user_text("go"), only, user_text("b")) == [said("user", text("go"), text("b"))]


ODD_IDS = ["call|fc_1", "a.b", "é", "\udcff", " ", "", "cline_x", "call:1"]


def test_ids_are_of_few_characters_when_another_format_made_them() -> None:
    identities = ["toolu_01A-b", *ODD_IDS]
    calls = [call(identity) for identity in identities]
    messages = history(user_text("go"), called(*calls), *map(seen, identities))
    blocks = [message["content"] for message in messages[1:]]
    assert isinstance(blocks[0], list)
    assert isinstance(blocks[1], list)
    ids = [block["id"] for block in blocks[0]]
    assert ids == [block["tool_use_id"] for block in blocks[1]]
    assert ids[0] == "toolu_01A-b"
    assert len(set(ids)) == len(identities)
    coded = [base64.urlsafe_b64decode(identity[6:] + "==") for identity in ids[1:]]
    assert [value.decode("utf-8", "surrogatepass") for value in coded] == ODD_IDS


@given(st.text(max_size=6), st.text(max_size=6))
def test_ids_stay_different_when_they_are_mapped(one: str, other: str) -> None:
    pairs = [(identity, content(user_text("go"), called(call(identity)), seen(identity))) for identity in (one, other)]
    assert (pairs[0][1] == pairs[1][1]) == (one == other)


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("look", "look"),
        ("mcp__a-b", "mcp__a-b"),
        ("functions.look", "functions_look"),
        ("", "_"),
        ("x" * 200, "x" * 128),
    ],
)
def test_name_of_a_call_is_of_few_characters_when_it_goes_back(name: str, sent: str) -> None:
    messages = history(user_text("go"), called(call("c1", name=name)), seen("c1"))
    assert messages[1] == said("assistant", {**call_json("c1"), "name": sent})


@pytest.mark.parametrize(("value", "sent"), [("a\udcffb", "a\ufffdb"), ("\ud83d\ude42", "🙂")])
def test_body_is_utf8_when_a_text_holds_surrogates(value: str, sent: str) -> None:
    escaped = json.dumps({"a": value})
    messages = history(user_text(value), called(call("c1", escaped)), seen("c1", TextPart(value)))
    assert messages == [
        said("user", text(sent)),
        said("assistant", call_json("c1", {"a": sent})),
        said("user", result_json("c1", sent)),
    ]


@pytest.mark.parametrize(
    ("model", "schema", "is_sent"),
    [
        (SONNET, SCHEMA, True),
        ("claude-haiku-4-5-20251001", SCHEMA, True),
        ("claude-sonnet-4-20250514", SCHEMA, False),
        ("kimi-k2.6", SCHEMA, False),
        (SONNET, None, False),
        (SONNET, {"type": "array"}, False),
        (SONNET, {"type": "object"}, False),
    ],
)
def test_schema_is_sent_when_the_model_can_be_held_to_it(model: str, schema: JsonObject | None, is_sent: bool) -> None:
    assert ("output_config" in body(Request(model, "", (user_text("hi"),), schema=schema))) == is_sent


EVERYTHING = Request(
    SONNET,
    "s",
    (user_text("go"), called(SIGNED, call("c1")), seen("c1")),
    (LOOK,),
    effort="low",
    schema=SCHEMA,
)
EXTRAS: dict[Extra, bytes] = {
    "old thinking": b'"signature"',
    "cache marks": b'"s","cache_control"',
    "automatic cache": b'},"cache_control":{"type":"ephemeral"}}',
    "schema": b"json_schema",
    "thinking": b'"adaptive"',
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_nothing_else_changes_when_something_is_left_out(extra: Extra) -> None:
    writer = RequestWriter()
    before = writer.write(EVERYTHING)
    assert {name for name in EXTRAS if writer.can_leave_out(name)} == EXTRAS.keys()
    writer.leave_out(extra)
    after = writer.write(EVERYTHING)
    assert {name for name, sign in EXTRAS.items() if sign in before} == EXTRAS.keys()
    assert {name for name, sign in EXTRAS.items() if sign in after} == EXTRAS.keys() - {extra}
    assert not writer.can_leave_out(extra)


def test_effort_is_left_out_with_the_thinking_when_that_is_refused() -> None:
    writer = RequestWriter()
    writer.write(EVERYTHING)
    writer.leave_out("thinking")
    writer.leave_out("schema")
    assert b"output_config" not in writer.write(EVERYTHING)


def test_nothing_can_be_left_out_when_nothing_was_sent() -> None:
    writer = RequestWriter()
    writer.write(Request("m", "", (user_text("hi"),)))
    assert [name for name in EXTRAS if writer.can_leave_out(name)] == ["automatic cache"]


def test_new_thinking_is_sent_when_the_old_was_refused() -> None:
    writer = RequestWriter()
    writer.write(EVERYTHING)
    writer.leave_out("old thinking")
    new = called(ThinkingPart("new", "anthropic:new"), call("c2"))
    written = json.loads(writer.write(Request(SONNET, "", (*EVERYTHING.messages, new, seen("c2")))))
    assert [[block["type"] for block in message["content"]] for message in written["messages"]] == [
        ["text"],
        ["tool_use"],
        ["tool_result"],
        ["thinking", "tool_use"],
        ["tool_result"],
    ]


def test_fewer_tokens_are_asked_for_when_the_server_gives_fewer() -> None:
    writer = RequestWriter()
    assert json.loads(writer.write(EVERYTHING))["max_tokens"] == 38_400
    assert writer.limit_tokens(4096)
    assert json.loads(writer.write(EVERYTHING))["max_tokens"] == 4096
    assert not writer.limit_tokens(4096)
    assert not writer.limit_tokens(5000)
    assert not writer.limit_tokens(0)


def dialogue(steps: int) -> list[tuple[Message, ...]]:
    """Return the histories of a run's requests: tools, several at once, thinking, images, a user who speaks twice."""
    messages: list[Message] = [UserMessage((TextPart("look at this"), PNG))]
    histories: list[tuple[Message, ...]] = []
    for step in range(steps):
        histories.append(tuple(messages))
        thinking = [ThinkingPart(f"thought {step}", f"anthropic:s{step}")] if step % 2 else []
        if step % 7 == 3:
            thinking = [ThinkingPart("", "anthropic-redacted:x"), ThinkingPart("theirs", "gemini:x")]
        calls = [call(f"c{step}|{number}", json.dumps({"n": number})) for number in range(step % 4)]
        messages.append(called(*thinking, TextPart(f"step {step}"), *calls))
        messages += [seen(made.id, TextPart("seen"), PNG, is_error=step % 3 == 0) for made in calls]
        if not calls or step in {12, 21}:
            messages.append(user_text(f"go on {step}"))
        if step == 12:
            messages.append(user_text("and this"))
    return histories


def test_earlier_bytes_are_sent_again_when_the_history_grows() -> None:
    writer = RequestWriter()
    before = b""
    for messages in dialogue(30):
        request = Request(SONNET, "s", messages, (LOOK,), effort="high")
        written = writer.write(request)
        assert fault_of(json.loads(written)) == ""
        assert written == RequestWriter().write(request)
        assert written.startswith(before)
        before = written[: written.index(b',"system"')].removesuffix(b"]")
        assert before.endswith(b"]}")


def test_earlier_blocks_are_sent_again_when_the_user_goes_on_after_a_failure() -> None:
    writer = RequestWriter()
    first = writer.write(Request(SONNET, "s", (user_text("a"),)))
    before = first[: first.index(b',"system"')].removesuffix(b"]}]")
    assert writer.write(Request(SONNET, "s", (user_text("a"), user_text("b")))).startswith(before)


def test_message_is_serialized_once_when_it_is_sent_again() -> None:
    writer = RequestWriter()
    message = user_text("first")
    first = writer.write(Request("m", "", (message,)))
    object.__setattr__(message, "parts", (TextPart("second"),))
    assert writer.write(Request("m", "", (message,))) == first
