"""What we send and what the fake serves, held against OpenAI's own Python SDK."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import pytest
from openai import APIError, APIStatusError, AuthenticationError, BadRequestError, OpenAI, RateLimitError
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError

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
from cline_cli.providers._chat_dialects import DIALECTS
from cline_cli.providers._openai_request import RequestWriter
from tests.dialects import Said
from tests.fake_server import USAGE, FakeServer, Turn, delta_event, event, json_reply, say, status, stream_bytes

SAID = Said(
    ("Let me ", "look."), (("call_1", "look", '{"at": "x"}'), ("call_2", "look", "")), "tool_calls", USAGE, ("h", "m")
)
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
PNG = ImagePart("image/png", b"\x89PNG")
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
HISTORY: tuple[Message, ...] = (
    UserMessage((TextPart("go"), PNG)),
    AssistantMessage(
        (
            ThinkingPart("hm", "openai_chat/openai-compatible:reasoning_content"),
            TextPart("So."),
            ToolCall("c1", "look", '{"at": [1, 2.5, null]}'),
            ToolCall("c" * 50, "look", "{"),
        ),
        "tool_calls",
    ),
    ToolResult("c1", (TextPart("seen"), PNG)),
    ToolResult("c" * 50, (), is_error=True),
    AssistantMessage((ToolCall("c3", "look", ""),), "tool_calls"),
    ToolResult("c3", (PNG,)),
    AssistantMessage((TextPart("Well."),), "stop"),
    AssistantMessage((ThinkingPart("hm", "anthropic:sig"),), "stop"),
    user_text("and"),
    user_text(""),
)
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
EXTRA = {
    "cline": {"cache_control", "reasoning"},
    "openrouter": {"cache_control", "reasoning"},
    "vercel-ai-gateway": {"providerOptions", "reasoning"},
    "together": {"reasoning"},
    "deepseek": {"thinking"},
    "moonshot": {"thinking"},
    "zai": {"thinking"},
    "minimax": {"thinking", "reasoning_split"},
    "qwen": {"enable_thinking", "thinking_budget"},
}
"""The fields of a body that OpenAI does not know, by the provider that does."""
EXTRA_IN_MESSAGES = {
    "cline": {"cache_control", "reasoning"},
    "openrouter": {"cache_control", "reasoning"},
    "vercel-ai-gateway": {"reasoning"},
    "deepseek": {"reasoning_content"},
    "moonshot": {"reasoning_content"},
    "openai-compatible": {"reasoning_content"},
}


def serve(turn: Turn) -> Iterator[OpenAI]:
    with FakeServer(turn) as server, OpenAI(base_url=server.base_url, api_key="sk-test", max_retries=0) as sdk:
        yield sdk


def test_sdk_puts_a_message_together_when_the_fake_streams_it(private_home: object) -> None:
    for sdk in serve(say(SAID)):
        with sdk.chat.completions.stream(model="m", messages=ASKED) as stream:
            (choice,) = stream.get_final_completion().choices
        assert (choice.message.role, choice.message.content) == ("assistant", "Let me look.")
        assert [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()] == [
            ("call_1", "look", '{"at": "x"}'),
            ("call_2", "look", ""),
        ]
        assert choice.finish_reason == "tool_calls"


@pytest.mark.parametrize("said", [SAID, Said(("hi",)), Said((), usage=USAGE), Said(finish="length")])
def test_sdk_knows_every_chunk_when_the_fake_streams_it(private_home: object, said: Said) -> None:
    for sdk in serve(say(said)):
        chunks = list(sdk.chat.completions.create(model="m", messages=ASKED, stream=True))
        assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == [
            said.finish
        ]
        assert chunks[0].choices[0].delta.role == "assistant"
        for chunk in chunks:
            ChatCompletionChunk.model_validate(chunk.model_dump(exclude_unset=True), strict=True)


def test_sdk_knows_the_reply_when_it_is_not_streamed(private_home: object) -> None:
    for sdk in serve(json_reply("hello")):
        reply = sdk.chat.completions.create(model="m", messages=ASKED)
        ChatCompletion.model_validate(reply.model_dump(exclude_unset=True), strict=True)
        assert reply.choices[0].message.content == "hello"
        assert reply.usage is not None
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (100, 10, 110)


@pytest.mark.parametrize(
    ("code", "kind"), [(400, BadRequestError), (401, AuthenticationError), (429, RateLimitError), (503, APIStatusError)]
)
def test_sdk_knows_the_error_when_the_fake_refuses(private_home: object, code: int, kind: type[APIStatusError]) -> None:
    for sdk in serve(status(code, {"error": {"message": "Not good", "code": "some_code"}}, {"x-request-id": "r1"})):
        with pytest.raises(kind, match="Not good") as caught:
            sdk.chat.completions.create(model="m", messages=ASKED)
        assert (caught.value.code, caught.value.request_id) == ("some_code", "r1")


def test_sdk_knows_the_error_when_the_stream_ends_with_one(private_home: object) -> None:
    broken = delta_event(role="assistant", content="a") + event({"error": {"message": "Not good", "code": "x"}})
    for sdk in serve(stream_bytes(broken)):
        with pytest.raises(APIError, match="Not good"):
            list(sdk.chat.completions.create(model="m", messages=ASKED, stream=True))


BODY: TypeAdapter[CompletionCreateParamsStreaming] = TypeAdapter(CompletionCreateParamsStreaming)


def read_as_sdk(body: JsonObject) -> JsonValue:
    """Return what is left of a body when it is read as the SDK's type: what that does not know is gone.

    Raises:
        ValidationError: it is not of that type.
    """
    value: JsonValue = json.loads(json.dumps(expand(BODY.validate_python(body))))
    return value


def expand(value: object) -> object:
    """Validate what is only validated when it is looked at."""
    if isinstance(value, Mapping):
        return {name: expand(inner) for name, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [expand(inner) for inner in value]
    return value


def without(value: JsonValue, names: set[str]) -> JsonValue:
    """Return a value without fields of these names, at any depth."""
    if isinstance(value, dict):
        return {name: without(inner, names) for name, inner in value.items() if name not in names}
    return [without(inner, names) for inner in value] if isinstance(value, list) else value


def write(provider: str, request: Request) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = json.loads(RequestWriter(provider).write(request))
    return body


REQUESTS = {
    "little": Request("m", "", (user_text("hi"),)),
    "a system prompt": Request("m", "Be brief.", (user_text("hi"),), (LOOK,)),
    "everything": Request("anthropic/claude-sonnet-4.6", "Be brief.", HISTORY, (LOOK,), 99, "high", SCHEMA),
    "a reasoning model": Request("gpt-5.4", "Be brief.", HISTORY, (LOOK,), 99, "xhigh", SCHEMA),
    "a budget": Request("openai/o3", "Be brief.", HISTORY, (LOOK,), effort=9000),
    "no thinking": Request("gpt-5.4", "Be brief.", HISTORY, (LOOK,), effort="none"),
    "no calls": Request("m", "", HISTORY, (LOOK,), may_call=False),
    "no tools": Request("gpt-5.4", "", (user_text("hi"),), schema=SCHEMA),
}


@pytest.mark.parametrize("case", REQUESTS)
@pytest.mark.parametrize("provider", sorted(DIALECTS))
def test_body_is_of_the_type_of_the_sdk_when_it_is_read_without_what_only_the_provider_knows(
    provider: str, case: str
) -> None:
    body = write(provider, REQUESTS[case])
    known = {name: value for name, value in body.items() if name not in EXTRA.get(provider, set())}
    known["messages"] = without(body["messages"], EXTRA_IN_MESSAGES.get(provider, set()))
    assert read_as_sdk(known) == known


def test_only_known_fields_are_sent_when_the_history_is_of_others() -> None:
    for signature in ("anthropic:sig", "openai_chat/groq:reasoning", 'openai_chat/cline:[{"type":"x"}]', ""):
        foreign = AssistantMessage((ThinkingPart("hm", signature), ToolCall("c1", "look", "{}")), "tool_calls")
        messages = (user_text("hi"), foreign, ToolResult("c1", (TextPart("seen"),)))
        body = write("openai-compatible", Request("gpt-5.4", "s", messages, (LOOK,), 9, "low", SCHEMA))
        assert read_as_sdk(body) == body


def test_every_extra_field_is_sent_when_the_provider_knows_it() -> None:
    efforts: tuple[Effort | int | None, ...] = ("none", "high", 9000)
    for provider, names in EXTRA.items():
        bodies = [
            write(provider, Request("anthropic/claude-sonnet-4.6", "s", HISTORY, (LOOK,), effort=effort))
            for effort in efforts
        ]
        assert names <= set().union(*(body.keys() for body in bodies))
        for body in bodies:
            left = read_as_sdk({**body, "messages": [{"role": "user", "content": "hi"}]})
            assert isinstance(left, dict)
            assert left.keys() == body.keys() - names


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"max_completion_tokens": "many"},
        {"reasoning_effort": "enormous"},
        {"stream": False},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        {"tools": [{"type": "function", "function": {"description": "x"}}]},
    ],
)
def test_type_of_the_sdk_refuses_a_body_when_it_is_wrong(change: JsonObject) -> None:
    body = write("openai-compatible", REQUESTS["a reasoning model"])
    with pytest.raises(ValidationError):
        read_as_sdk({**body, **change})
