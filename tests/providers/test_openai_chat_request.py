from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

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
from cline_cli.providers._chat_dialects import DIALECTS, Dialect
from cline_cli.providers._openai_request import RequestWriter
from cline_cli.providers._signatures import seal

SONNET = "anthropic/claude-sonnet-4.6"
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
PNG = ImagePart("image/png", b"\x89PNG")
PNG_URL = "data:image/png;base64,iVBORw=="
EPHEMERAL = {"type": "ephemeral"}


def body(request: Request, provider: str = "cline") -> Mapping[str, JsonValue]:
    value: Mapping[str, JsonValue] = json.loads(RequestWriter(provider).write(request))
    return value


def history(*messages: Message, provider: str = "openai-compatible", model: str = "m") -> JsonValue:
    return body(Request(model, "", messages), provider)["messages"]


def called(*calls: ToolCall, text: str = "") -> AssistantMessage:
    return AssistantMessage((*((TextPart(text),) if text else ()), *calls), "tool_calls")


def seen(call_id: str, *parts: TextPart | ImagePart) -> ToolResult:
    return ToolResult(call_id, parts or (TextPart("seen"),))


def test_body_is_that_of_the_original_when_a_run_begins() -> None:
    assert body(Request(SONNET, "Be brief.", (user_text("hi"),), (LOOK,), effort="high")) == {
        "model": SONNET,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi", "cache_control": EPHEMERAL},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "description": "Looks.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
        "tool_choice": "auto",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 38_400,
        "reasoning_effort": "high",
        "cache_control": EPHEMERAL,
    }


def test_body_is_small_when_there_is_only_a_prompt() -> None:
    written = RequestWriter("openai-compatible").write(Request("m", "", (user_text("hé"),)))
    assert written.decode() == (
        '{"model":"m","messages":[{"role":"user","content":"hé"}],"stream":true,"stream_options":{"include_usage":true}}'
    )


@pytest.mark.parametrize(
    ("model", "max_tokens", "field"),
    [
        (SONNET, None, ("max_tokens", 38_400)),
        (SONNET, 99, ("max_tokens", 99)),
        ("unknown/model", None, None),
        ("unknown/model", 99, ("max_tokens", 99)),
        ("openai/gpt-5.3-codex", None, ("max_completion_tokens", 38_400)),
        ("gpt-5", 99, ("max_completion_tokens", 99)),
        ("openai/o3", 99, ("max_completion_tokens", 99)),
        ("openai/gpt-4o", 99, ("max_tokens", 99)),
        ("x/qwo3", 99, ("max_tokens", 99)),
    ],
)
def test_limit_is_asked_for_when_it_is_known(model: str, max_tokens: int | None, field: tuple[str, int] | None) -> None:
    written = body(Request(model, "", (user_text("hi"),), max_tokens=max_tokens))
    limits = [(name, written[name]) for name in ("max_tokens", "max_completion_tokens") if name in written]
    assert limits == ([field] if field else [])


@pytest.mark.parametrize(
    ("effort", "gateway", "plain"),
    [
        (None, {}, {}),
        ("none", {"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}),
        (0, {"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}),
        ("low", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ("xhigh", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "xhigh"}),
        (1024, {"reasoning": {"max_tokens": 1024}}, {"reasoning_effort": "low"}),
        (8000, {"reasoning": {"max_tokens": 8000}}, {"reasoning_effort": "medium"}),
        (32000, {"reasoning": {"max_tokens": 32000}}, {"reasoning_effort": "high"}),
    ],
)
def test_effort_is_said_as_the_provider_takes_it_when_it_is_given(
    effort: Effort | int | None, gateway: JsonObject, plain: JsonObject
) -> None:
    request = Request("m", "", (user_text("hi"),), effort=effort)
    for provider, fields in (("cline", gateway), ("openrouter", gateway), ("openai-compatible", plain)):
        written = body(request, provider)
        assert {name: written[name] for name in written if name.startswith("reasoning")} == fields


@pytest.mark.parametrize(
    ("provider", "model", "is_marked"),
    [
        ("cline", SONNET, True),
        ("openrouter", "claude-sonnet-4.6", True),
        ("cline", "qwen/qwen3-coder", True),
        ("cline", "openai/gpt-5", False),
        ("openai-compatible", SONNET, False),
    ],
)
def test_prompt_is_marked_for_the_cache_when_the_model_needs_it(provider: str, model: str, is_marked: bool) -> None:
    written = RequestWriter(provider).write(Request(model, "s", (user_text("hi"),)))
    assert written.count(b"cache_control") == (2 if is_marked else 0)


def test_first_user_message_alone_is_marked_when_there_are_several() -> None:
    messages = history(
        UserMessage((PNG, TextPart("what is it?"))),
        AssistantMessage((TextPart("a"),), "stop"),
        user_text('ends like parts: "}]'),
        called(ToolCall("c1", "look", "{}")),
        seen("c1", PNG),
        provider="cline",
        model=SONNET,
    )
    assert json.dumps(messages).count("cache_control") == 1
    assert isinstance(messages, list)
    assert messages[0] == {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": PNG_URL}},
            {"type": "text", "text": "what is it?", "cache_control": EPHEMERAL},
        ],
    }


def test_mark_stands_beside_the_content_when_it_looks_like_parts() -> None:
    text = 'x"}]'
    assert history(user_text(text), provider="cline", model=SONNET) == [
        {"role": "user", "content": text, "cache_control": EPHEMERAL}
    ]


def test_calls_and_results_go_back_under_their_ids_when_tools_ran() -> None:
    assert history(
        user_text("go"),
        called(ToolCall("c1", "look", '{"a":  1.0}'), ToolCall("c2", "look", ""), text="Looking."),
        seen("c1"),
        seen("c2"),
        called(ToolCall("c3", "look", "{}")),
        seen("c3", TextPart("a"), TextPart("b")),
    ) == [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":  1.0}'}},
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "seen"},
        {"role": "tool", "tool_call_id": "c2", "content": "seen"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c3", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c3", "content": "ab"},
    ]


@pytest.mark.parametrize("arguments", ["", " ", "{", '{"a":1', "[]", "5", '{"a":NaN}', "{'a':1}", "[" * 99_999])
def test_arguments_are_sent_empty_when_a_server_would_refuse_them(arguments: str) -> None:
    messages = history(called(ToolCall("c1", "look", arguments)), seen("c1"))
    assert isinstance(messages, list)
    assert messages[0]["tool_calls"][0]["function"]["arguments"] == "{}"


@given(st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False, allow_infinity=False)), st.integers(0, 4))
def test_arguments_are_sent_as_they_were_written_when_they_are_an_object(value: JsonObject, indent: int) -> None:
    arguments = json.dumps(value, indent=indent or None, ensure_ascii=bool(indent % 2))
    messages = history(called(ToolCall("c1", "look", arguments)), seen("c1"))
    assert isinstance(messages, list)
    assert messages[0]["tool_calls"][0]["function"]["arguments"] == arguments


def test_images_follow_in_a_message_of_the_user_when_tools_returned_some() -> None:
    assert history(
        called(ToolCall("c1", "look", "{}"), ToolCall("c2", "look", "{}")),
        seen("c1", TextPart("one"), PNG),
        seen("c2", PNG),
        called(ToolCall("c3", "look", "{}")),
        seen("c3", PNG),
    ) == [
        {"role": "assistant", "content": None, "tool_calls": [call_json("c1"), call_json("c2")]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "(The images are in the next message.)"},
        images_json(2),
        {"role": "assistant", "content": None, "tool_calls": [call_json("c3")]},
        {"role": "tool", "tool_call_id": "c3", "content": "(The images are in the next message.)"},
        images_json(1),
    ]


def call_json(identity: str) -> JsonObject:
    return {"id": identity, "type": "function", "function": {"name": "look", "arguments": "{}"}}


def images_json(count: int) -> JsonObject:
    image: JsonObject = {"type": "image_url", "image_url": {"url": PNG_URL}}
    text: JsonObject = {"type": "text", "text": "Images returned by the tools above:"}
    return {"role": "user", "content": [text, *[image] * count]}


def test_images_of_the_user_are_sent_as_data_when_there_are_some() -> None:
    assert history(UserMessage((TextPart("what is it?"), PNG))) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "what is it?"},
                {"type": "image_url", "image_url": {"url": PNG_URL}},
            ],
        }
    ]


def test_content_says_that_it_is_empty_when_a_tool_returned_nothing() -> None:
    messages = history(called(ToolCall("c1", "look", "{}")), ToolResult("c1", ()))
    assert isinstance(messages, list)
    assert messages[1]["content"] == "(empty)"


DETAILS: JsonValue = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]


def sealed(provider: str, value: JsonValue) -> str:
    return seal(f"openai_chat/{provider}", value if isinstance(value, str) else json.dumps(value))


@pytest.mark.parametrize(
    ("provider", "signature", "fields"),
    [
        ("cline", "", {"reasoning": "hm"}),
        ("openrouter", "", {"reasoning": "hm"}),
        ("openai-compatible", "", {}),
        ("cline", sealed("cline", DETAILS), {"reasoning_details": DETAILS}),
        ("openai-compatible", sealed("cline", DETAILS), {}),
        ("openai-compatible", sealed("openai-compatible", "reasoning_content"), {"reasoning_content": "hm"}),
        ("cline", "of another provider", {"reasoning": "hm"}),
        ("cline", sealed("cline", '[{"of": "another"}'), {"reasoning": "hm"}),
        (
            "mistral",
            sealed("mistral", "content"),
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "a"},
                ]
            },
        ),
    ],
)
def test_thinking_is_sent_back_as_the_provider_takes_it_when_there_was_some(
    provider: str, signature: str, fields: JsonObject
) -> None:
    message = AssistantMessage((ThinkingPart("hm", signature), TextPart("a")), "stop")
    assert history(message, provider=provider) == [{"role": "assistant", "content": "a", **fields}]


def test_content_is_empty_when_a_reply_was_only_thought() -> None:
    message = AssistantMessage((ThinkingPart("hm"),), "stop")
    assert history(message) == [{"role": "assistant", "content": ""}]


def test_content_is_the_thinking_when_a_reply_of_mistral_was_only_thought() -> None:
    message = AssistantMessage((ThinkingPart("hm", sealed("mistral", "content")),), "stop")
    part = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    assert history(message, provider="mistral") == [{"role": "assistant", "content": [part]}]


def test_calls_have_thinking_beside_them_when_the_provider_requires_it() -> None:
    messages = history(called(ToolCall("c1", "look", "{}")), seen("c1"), provider="deepseek")
    assert isinstance(messages, list)
    assert messages[0]["reasoning_content"] == ""


def test_call_and_result_have_the_same_id_when_the_provider_takes_short_ones_only() -> None:
    messages = history(called(ToolCall("toolu_01A", "look", "{}")), seen("toolu_01A"), provider="mistral")
    assert isinstance(messages, list)
    (call,) = messages[0]["tool_calls"]
    assert call["id"] == messages[1]["tool_call_id"]
    assert len(call["id"]) == 9
    assert call["id"].isalnum()


def test_choice_of_tools_is_said_when_there_are_tools() -> None:
    request = Request("m", "", (user_text("hi"),), (LOOK,))
    assert body(request)["tool_choice"] == "auto"
    closed = body(replace(request, may_call=False))
    assert (closed["tool_choice"], closed["tools"]) == ("none", body(request)["tools"])
    assert "tool_choice" not in body(replace(request, tools=()))


def test_body_is_that_of_the_dialect_when_a_server_has_refused_the_one_before() -> None:
    writer = RequestWriter("openai-compatible")
    request = Request("m", "", (called(ToolCall("c1", "look", "{}")), seen("c1")), (LOOK,), 9, "low")
    before = json.loads(writer.write(request))
    meager = Dialect(effort="", limit="", thinking="required", asks_for_usage=False, chooses_tools=False)
    writer.speak(meager)
    after = json.loads(writer.write(request))
    assert before.keys() - after.keys() == {"stream_options", "max_tokens", "reasoning_effort", "tool_choice"}
    assert after["messages"][0] == {**before["messages"][0], "reasoning_content": ""}


def test_usage_is_not_asked_for_when_the_provider_sends_it_by_itself() -> None:
    assert "stream_options" not in body(Request("m", "", (user_text("hi"),)), "mistral")


@pytest.mark.parametrize(("text", "sent"), [("a\udcffb", "a\ufffdb"), ("\ud83d\ude42", "🙂")])
def test_body_is_utf8_when_a_text_holds_surrogates(text: str, sent: str) -> None:
    assert history(user_text(text)) == [{"role": "user", "content": sent}]


def hold_dialogue(provider: str) -> tuple[Message, ...]:
    """Return a long dialogue with all that can stand in one, as this provider would have thought and called."""
    messages: list[Message] = [UserMessage((TextPart("go"), PNG))]
    for step in range(30):
        thinking = ThinkingPart(f"hm {step}", sealed(provider, ("reasoning_content", DETAILS, "content")[step % 3]))
        calls = [ToolCall(f"call_{step}_{place}", "look", '{"at": 1}') for place in range(step % 4)]
        parts = (*((thinking,) if step % 2 else ()), TextPart(f"step {step}"), *calls)
        messages.append(AssistantMessage(parts, "tool_calls" if calls else "stop"))
        messages += [seen(call.id, TextPart("seen"), *((PNG,) if step % 5 == 3 else ())) for call in calls]
        if not calls:
            messages.append(user_text(f"and {step}?"))
    return tuple(messages)


@pytest.mark.parametrize("model", [SONNET, "openai/gpt-5.4"])
@pytest.mark.parametrize("provider", sorted(DIALECTS))
def test_earlier_bytes_are_sent_again_when_the_history_grows(provider: str, model: str) -> None:
    writer = RequestWriter(provider)
    messages = hold_dialogue(provider)
    sent = b""
    for end in range(1, len(messages) + 1):
        if isinstance(messages[end - 1], AssistantMessage) or (
            end < len(messages) and isinstance(messages[end], ToolResult)
        ):
            continue  # no request is made in the middle of calls and results
        request = Request(model, "s", messages[:end], (LOOK,), effort="high")
        raw = writer.write(request)
        prefix, _, _ = raw.partition(b'],"tools":')
        assert prefix.startswith(sent)
        assert raw == RequestWriter(provider).write(request)
        sent = prefix
    assert sent.count(b'"role":"assistant"') == 30


def test_message_is_serialized_once_when_it_is_sent_again() -> None:
    writer = RequestWriter("cline")
    message = user_text("first")
    first = writer.write(Request("m", "", (message,)))
    object.__setattr__(message, "parts", (TextPart("second"),))
    assert writer.write(Request("m", "", (message,))) == first


def test_other_messages_are_sent_when_the_history_was_replaced() -> None:
    writer = RequestWriter("cline")
    for text in ("a", "b", "c"):
        request = Request(SONNET, "s", (user_text(text), user_text("same")))
        assert writer.write(request) == RequestWriter("cline").write(request)
