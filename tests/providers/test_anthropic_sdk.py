"""What we send and what the fake serves, held against Anthropic's own Python SDK."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import pytest
from anthropic import Anthropic
from anthropic.types import MessageParam, TextBlock, ThinkingBlock, ToolUseBlock
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError

from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    JsonObject,
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
from cline_cli.providers._anthropic_request import RequestWriter
from tests.dialects import Said
from tests.fake_server import USAGE, FakeServer, say

MODEL = "claude-sonnet-4-6"
ASKED: list[MessageParam] = [{"role": "user", "content": "hi"}]
SAID = Said(
    ("Let me ", "look."),
    (("toolu_1", "look", '{"at": "x"}'), ("toolu_2", "look", "")),
    "tool_calls",
    USAGE,
    ("h", "m"),
    "sig",
)
PNG = ImagePart("image/png", b"\x89PNG")
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
HISTORY: tuple[Message, ...] = (
    UserMessage((TextPart("go"), PNG)),
    AssistantMessage(
        (
            ThinkingPart("hm", "anthropic:sig"),
            ThinkingPart("", "anthropic-redacted:x"),
            TextPart("So."),
            ToolCall("c1", "look", '{"at": [1, 2.5, null]}'),
            ToolCall("c|2", "look", "{"),
        ),
        "tool_calls",
    ),
    ToolResult("c1", (TextPart("seen"), PNG)),
    ToolResult("c|2", (TextPart("bad"), PNG), is_error=True),
    user_text("and"),
    user_text(""),
)
SCHEMA: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.fixture
def client(private_home: object) -> Iterator[tuple[Anthropic, FakeServer]]:
    with (
        FakeServer(say(SAID)) as server,
        Anthropic(base_url=server.origin, api_key="sk-ant-test", max_retries=0) as sdk,
    ):
        yield sdk, server


def test_sdk_puts_a_message_together_when_the_fake_streams_it(client: tuple[Anthropic, FakeServer]) -> None:
    sdk, server = client
    with sdk.messages.stream(model=MODEL, max_tokens=99, messages=ASKED) as stream:
        assert "".join(stream.text_stream) == "Let me look."
        message = stream.get_final_message()
    thinking, text, *calls = message.content
    assert isinstance(thinking, ThinkingBlock)
    assert isinstance(text, TextBlock)
    assert (thinking.thinking, thinking.signature, text.text) == ("hm", "sig", "Let me look.")
    assert all(isinstance(call, ToolUseBlock) for call in calls)
    assert [(call.id, call.name, call.input) for call in calls if isinstance(call, ToolUseBlock)] == [
        ("toolu_1", "look", {"at": "x"}),
        ("toolu_2", "look", {}),
    ]
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (100, 10)
    assert server.requests[0].path == "/v1/messages"


def test_sdk_knows_every_event_when_the_fake_streams_it(client: tuple[Anthropic, FakeServer]) -> None:
    sdk, _ = client
    events = list(sdk.messages.create(model=MODEL, max_tokens=99, messages=ASKED, stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 4
    for event in events:
        type(event).model_validate(event.model_dump(), strict=True, extra="forbid")


BODY: TypeAdapter[MessageCreateParamsStreaming] = TypeAdapter(MessageCreateParamsStreaming)


def read_as_sdk(body: JsonObject) -> object:
    """Return what is left of a body when it is read as the SDK's type: what that does not know is gone.

    Raises:
        ValidationError: it is not of that type.
    """
    return expand(BODY.validate_python(body))


def expand(value: object) -> object:
    """Validate what is only validated when it is looked at."""
    if isinstance(value, Mapping):
        return {name: expand(inner) for name, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [expand(inner) for inner in value]
    return value


@pytest.mark.parametrize("model", [MODEL, "claude-haiku-4-5", "claude-sonnet-5-5", "claude-opus-5-5", "other"])
@pytest.mark.parametrize("effort", [None, "none", "low", "xhigh", 5000])
def test_body_is_of_the_type_of_the_sdk_when_everything_is_sent(model: str, effort: Effort | int | None) -> None:
    request = Request(model, "Be brief.", HISTORY, (LOOK,), effort=effort, schema=SCHEMA)
    body = json.loads(RequestWriter().write(request))
    assert read_as_sdk(body) == body


def test_body_is_of_the_type_of_the_sdk_when_little_is_sent() -> None:
    for request in (Request("m", "", (user_text("hi"),)), Request("m", "", (), (LOOK,), may_call=False)):
        body = json.loads(RequestWriter().write(request))
        assert read_as_sdk(body) == body


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": None},
        {"thinking": {"type": "enabled"}},
        {"output_config": {"effort": "none"}},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "x"}}]}]},
    ],
)
def test_type_of_the_sdk_refuses_a_body_when_it_is_wrong(change: JsonObject) -> None:
    body = json.loads(RequestWriter().write(Request(MODEL, "s", HISTORY, (LOOK,), effort="low")))
    with pytest.raises(ValidationError):
        read_as_sdk({**body, **change})


def test_type_of_the_sdk_drops_a_field_when_there_is_none_of_that_name() -> None:
    body = json.loads(RequestWriter().write(Request(MODEL, "s", HISTORY)))
    assert read_as_sdk({**body, "response_format": {}}) == body
