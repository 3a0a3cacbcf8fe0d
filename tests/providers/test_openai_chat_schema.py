from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from cline_cli.agent.messages import AssistantMessage, JsonObject, JsonValue, TextPart, ToolCall, ToolResult, user_text
from cline_cli.agent.provider import Delta, ReplyDiscarded, Request, TextDelta
from cline_cli.agent.tool import ToolSpec
from cline_cli.errors import ContextWindowError, ProviderError
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._openai_schema import is_strict, response_format
from cline_cli.providers._remote import Remote
from cline_cli.providers.openai_chat import ChatCodec
from cline_cli.schema import read_schema
from tests.fake_server import FakeServer, Turn, delta_event, event, status, stream_bytes, text

PERSON = read_schema("name, age int, tags list", Path())
OPEN: JsonObject = {"type": "object", "properties": {"name": {"type": "string"}}}
REQUEST = Request("some/model", "Be brief.", (user_text("hi"),), schema=PERSON)
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
ANSWER = '{"name":"x","age":1,"tags":[]}'


def refused(code: int, message: str, kind: str = "invalid_request_error") -> Turn:
    return status(code, {"error": {"message": message, "code": kind}})


class Play:
    """What came of requests to one provider, one after the other, and what each body asked for."""

    def __init__(self, *turns: Turn, requests: Sequence[Request] = (REQUEST,)) -> None:
        self.deltas: list[Delta] = []
        self.error: ProviderError | None = None
        self.sizes: list[int] = []
        with FakeServer(*turns) as self.server:
            asyncio.run(self._run(requests))

    async def _run(self, requests: Sequence[Request]) -> None:
        endpoint = Endpoint("openai-compatible", self.server.base_url, "sk-test", "-k", "s")
        provider = Remote(endpoint, Network(), ChatCodec(endpoint.provider), sleep=self._no_sleep, jitter=lambda: 0)
        try:
            for request in requests:
                async with aclosing(provider.stream(request)) as deltas:
                    async for delta in deltas:
                        self.deltas.append(delta)
                self.sizes.append(provider.measure(request))
        except ProviderError as error:
            self.error = error
        await provider.close()

    async def _no_sleep(self, seconds: float) -> None:
        raise AssertionError(f"it waits {seconds} s")

    @property
    def formats(self) -> list[JsonValue]:
        return [request.body.get("response_format") for request in self.server.requests]

    @property
    def answers(self) -> list[str]:
        return [delta.text for delta in self.deltas if isinstance(delta, AssistantMessage)]


def test_schema_is_sent_when_the_answer_is_to_satisfy_one() -> None:
    play = Play(text(ANSWER))
    assert play.formats == [
        {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": PERSON}}
    ]
    assert play.answers == [ANSWER]
    assert play.server.requests[0].size_bytes == play.sizes[0]


def test_strict_is_not_asked_for_when_the_schema_leaves_something_open() -> None:
    play = Play(text(ANSWER), requests=[replace(REQUEST, schema=OPEN)])
    assert play.formats == [{"type": "json_schema", "json_schema": {"name": "answer", "schema": OPEN}}]


@pytest.mark.parametrize(
    "schema", [None, {}, {"type": "array"}, {"type": ["object"]}, {"anyOf": [PERSON]}, {"properties": {}}]
)
def test_no_schema_is_sent_when_its_root_is_no_object(schema: JsonObject | None) -> None:
    assert Play(text("[]"), requests=[replace(REQUEST, schema=schema)]).formats == [None]


@pytest.mark.parametrize(
    ("model", "is_sent"),
    [
        ("gpt-5", True),
        ("openai/o3", True),
        ("anthropic/claude-sonnet-4.6", True),
        ("openai/gpt-oss-120b", False),
        ("qwen/qwen3-coder", False),
        ("some/model", False),
    ],
)
def test_schema_is_sent_beside_tools_when_the_model_can_still_call_them(model: str, is_sent: bool) -> None:
    request = replace(REQUEST, model=model)
    assert bool(response_format(replace(request, tools=(LOOK,)))) == is_sent
    assert response_format(request)


@pytest.mark.parametrize(
    "turn",
    [
        refused(400, "This response_format type is unavailable now"),
        refused(422, "json_schema is not supported by this model"),
        refused(404, "model some/model does not support structured outputs"),
        refused(400, "Invalid schema for response_format 'answer': In context=(), 'x' is not permitted"),
        refused(400, "Bad request", "unsupported_json_schema"),
        refused(400, "output_config.format.schema: additionalProperties must be false"),
        refused(400, "Cannot use custom grammar constraints with tools."),
        refused(400, "Function calling with a response mime type: 'application/json' is unsupported"),
        status(400, "response_format: extra fields not permitted"),
        stream_bytes(event({"error": {"code": 400, "message": "structured output is not supported"}})),
    ],
)
def test_the_request_is_made_without_a_schema_when_the_server_refuses_one(turn: Turn) -> None:
    play = Play(turn, text(ANSWER))
    assert [asked is not None for asked in play.formats] == [True, False]
    assert play.answers == [ANSWER]
    first, second = (dict(request.body) for request in play.server.requests)
    assert first.pop("response_format")
    assert first == second


def test_no_later_request_has_a_schema_when_the_server_has_refused_one() -> None:
    later = Request(
        "some/model",
        "Be brief.",
        (
            *REQUEST.messages,
            AssistantMessage((ToolCall("c1", "look", "{}"),), "tool_calls"),
            ToolResult("c1", (TextPart("x"),)),
        ),
        schema=PERSON,
    )
    play = Play(refused(400, "no response_format"), text("a"), text("b"), requests=[REQUEST, later])
    assert [asked is not None for asked in play.formats] == [True, False, False]
    assert play.answers == ["a", "b"]
    assert play.sizes == [request.size_bytes for request in play.server.requests[1:]]


def test_what_was_shown_is_void_when_the_refusal_comes_in_the_stream() -> None:
    error = event({"error": {"code": 400, "message": "json_schema failed"}})
    play = Play(Turn((delta_event(content="{"), error), pause_s=0.05), text(ANSWER, pieces=1))
    assert play.deltas[:3] == [TextDelta("{"), ReplyDiscarded("the server takes no JSON schema"), TextDelta(ANSWER)]


@pytest.mark.parametrize(
    "turn",
    [
        refused(400, "messages: at least one message is required"),
        refused(400, "tools.0.function.parameters: invalid schema"),
        refused(401, "response_format needs another key"),
        refused(403, "response_format needs another plan"),
        refused(404, "Not found"),
    ],
)
def test_there_is_one_request_when_the_refusal_is_about_something_else(turn: Turn) -> None:
    play = Play(turn)
    assert play.error is not None
    assert len(play.server.requests) == 1


def test_there_is_one_request_when_the_conversation_is_too_long() -> None:
    play = Play(refused(400, "response_format: the prompt is too long"))
    assert isinstance(play.error, ContextWindowError)
    assert len(play.server.requests) == 1


def test_there_is_one_request_when_no_schema_was_sent() -> None:
    play = Play(refused(400, "bad response_format"), requests=[replace(REQUEST, schema=None)])
    assert isinstance(play.error, ProviderError)
    assert len(play.server.requests) == 1


def test_the_refusal_is_told_when_the_request_fails_without_a_schema_too() -> None:
    play = Play(refused(400, "no response_format"), refused(400, "response_format is none of it"))
    assert 'refused the request (400): "response_format is none of it"' in str(play.error)
    assert len(play.server.requests) == 2


def closed(**properties: JsonValue) -> dict[str, JsonValue]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(depth: int) -> Mapping[str, JsonValue]:
    schema = closed()
    for _ in range(depth - 1):
        schema = closed(a=schema)
    return schema


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (PERSON, True),
        (closed(), True),
        (closed(a={"type": ["string", "null"], "description": "b", "pattern": "^a$", "format": "uuid"}), True),
        (closed(a={"type": "array", "items": closed(b={"enum": [1, "x"], "type": ["integer", "string"]})}), True),
        (closed(a={"anyOf": [{"type": "number", "minimum": 1}, closed()]}), True),
        ({**closed(a={"$ref": "#/$defs/b"}), "$defs": {"b": closed()}}, True),
        ({**closed(), "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "t"}, True),
        (nested(10), True),
        (nested(11), False),
        (OPEN, False),
        ({**closed(a={"type": "string"}), "required": []}, False),
        ({**closed(a={"type": "string"}), "additionalProperties": True}, False),
        ({**closed(), "anyOf": [{"type": "object"}]}, False),
        ({**closed(), "allOf": []}, False),
        ({**closed(), "$defs": {"b": OPEN}}, False),
        (closed(a={}), False),
        (closed(a=True), False),
        (closed(a=OPEN), False),
        (closed(a={"type": "object"}), False),
        (closed(a={"type": ["object", "null"]}), False),
        (closed(a={"type": "array"}), False),
        (closed(a={"type": "array", "items": {"type": "array", "items": OPEN}}), False),
        (closed(a={"anyOf": [{"type": "string"}, OPEN]}), False),
        (closed(a={"type": "string", "minLength": 1}), False),
        (closed(a={"type": "string", "format": "uri"}), False),
        (closed(a={"type": "string", "pattern": "(?=a)"}), False),
        (closed(a={"type": "string", "default": "b"}), False),
        ({**closed(a={"$ref": "#/$defs/b", "description": "c"}), "$defs": {"b": closed()}}, False),
        (closed(**{f"p{number}": {"type": "string"} for number in range(5001)}), False),
        (closed(a={"type": "integer", "enum": list(range(1001))}), False),
        (closed(a={"type": "string", "const": "x" * 120_000}), False),
        ({"type": "array", "items": PERSON}, False),
    ],
)
def test_strict_is_asked_for_when_the_schema_keeps_its_rules(schema: JsonObject, strict: bool) -> None:
    assert is_strict(schema) == strict


def test_strict_is_not_asked_for_when_the_schema_is_deeper_than_python_goes() -> None:
    schema: JsonValue = {"type": "string"}
    for _ in range(5000):
        schema = {"anyOf": [schema]}
    assert not is_strict(closed(a=schema))
