from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from openai import OpenAI
from openai.types.responses import ResponseFunctionToolCall, ResponseReasoningItem

from cline_cli.agent.messages import (
    AssistantMessage,
    JsonObject,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    user_text,
)
from cline_cli.agent.provider import ReplyDiscarded, Request, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import ToolSpec
from cline_cli.config.paths import Paths
from cline_cli.errors import (
    ContentFilteredError,
    ContextWindowError,
    KeyRefusedError,
    NoCreditError,
    ProviderError,
    RateLimitedError,
    ServerError,
    UnknownModelError,
)
from cline_cli.network.http import Network
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers._remote import Remote
from cline_cli.providers.openai_responses import ResponsesCodec, connect, make_headers
from cline_cli.schema import read_schema
from tests.dialects import Said
from tests.dialects.openai_responses import event, fault_of, render, reply_of
from tests.fake_server import USAGE, FakeServer, Turn, calls, say, status, stream_bytes, text
from tests.providers.play import Play

KEY = "sk-proj-canary-5cb1f3a2"
PATHS = Paths(Path(), Path(), Path(), Path(), {})
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
REQUEST = Request("gpt-5.4", "Be brief.", (user_text("hi"),), (LOOK,))
RECORDINGS = Path(__file__).parent.parent / "recordings" / "openai_responses"
THINKING = say(Said(("It ", "is."), thinking=("Hm", "."), signature="gAAAE1", usage=USAGE))


def endpoint_at(server: FakeServer) -> Endpoint:
    return Endpoint("openai-native", server.base_url, KEY, "$OPENAI_API_KEY", "session-1")


def play(*turns: Turn, requests: Sequence[Request] = (REQUEST,)) -> Play:
    server = FakeServer(*turns)
    return Play(server, endpoint_at(server), ResponsesCodec("openai-native", "session-1"), requests)


def failed(code: int, message: str, kind: str | None = None, **more: str) -> Turn:
    error: JsonObject = {"message": message, "type": "invalid_request_error", "param": None, "code": kind, **more}
    return status(code, {"error": error}, {"X-Request-Id": "req_1"})


def test_deltas_and_message_come_when_the_server_answers() -> None:
    played = play(THINKING)
    assert played.deltas == [
        ThinkingDelta("Hm"),
        ThinkingDelta("."),
        TextDelta("It "),
        TextDelta("is."),
        played.message,
    ]
    assert played.message.text == "It is."
    assert played.message.usage == Usage(100, 10, cost_usd=0.001)
    assert played.message.model == "fake/model"


def test_calls_come_when_the_server_asks_for_tools() -> None:
    played = play(calls(("look", {"at": "x"}), ("look", {}), text="So."))
    assert played.message.tool_calls == (
        ToolCall("call_1_1", "look", '{"at": "x"}'),
        ToolCall("call_1_2", "look", "{}"),
    )
    assert played.message.stop_reason == "tool_calls"
    assert ToolCallDelta("look", '{"at"') in played.deltas
    assert played.server.requests[0].tools == ("look",)


def test_thinking_and_results_go_back_when_tools_have_run() -> None:
    async def ask(server: FakeServer) -> None:
        provider = connect(endpoint_at(server), Network(), PATHS)
        messages: tuple[Message, ...] = REQUEST.messages
        for _ in range(3):
            async with aclosing(provider.stream(Request("gpt-5.4", "", messages))) as deltas:
                reply = [delta async for delta in deltas][-1]
            assert isinstance(reply, AssistantMessage)
            messages = (*messages, reply, *(ToolResult(call.id, (TextPart("seen"),)) for call in reply.tool_calls))
        await provider.close()

    turns = [
        say(Said((), ((f"c{number}", "look", "{}"),), thinking=("Hm.",), signature=f"gAAAE{number}"))
        for number in range(2)
    ]
    with FakeServer(*turns, text("done")) as server:
        asyncio.run(ask(server))
    assert server.requests[2].results == {"c0": "seen", "c1": "seen"}
    sent = server.requests[2].body["input"]
    assert isinstance(sent, list)
    assert [item.get("encrypted_content") for item in sent if item.get("type") == "reasoning"] == ["gAAAE0", "gAAAE1"]
    assert [item.get("type", "message") for item in sent] == [
        "message",
        *["reasoning", "function_call", "function_call_output"] * 2,
    ]


def test_one_connection_serves_all_requests_when_a_run_is_long() -> None:
    played = play(text("a"), calls(("look", {})), status(503), text("b"), requests=[REQUEST] * 3)
    assert played.error is None
    assert played.server.connections == 1


def test_key_is_in_one_header_only_when_a_request_is_sent() -> None:
    request = play(text("hi")).server.requests[0]
    assert request.path == "/api/v1/responses"
    assert [name for name, value in request.headers.items() if KEY in value] == ["authorization"]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(request.body)
    assert make_headers(Endpoint("openai-native", "http://h", "", "", "s")) == {}


@pytest.mark.parametrize("then", ["close", "reset"])
def test_reply_is_discarded_and_asked_for_again_when_it_breaks_off(then: str) -> None:
    pieces = render(Said(("par", "tial"), usage=USAGE))[:5]
    played = play(Turn(pieces, then="reset" if then == "reset" else "close"), text("whole", pieces=1))
    cause = f"the connection to {played.server.origin[7:]} broke off"
    assert played.deltas == [
        TextDelta("par"),
        ReplyDiscarded(cause),
        Waiting(0.5, cause),
        TextDelta("whole"),
        played.message,
    ]


@pytest.mark.parametrize("name", ["one_tool", "parallel_tools"])
def test_whole_reply_or_none_comes_when_a_stream_ends_at_any_byte(name: str) -> None:
    raw = (RECORDINGS / f"{name}.sse").read_bytes()
    for place in range(0, len(raw), 97):
        played = play(stream_bytes(raw[:place], then="close"), stream_bytes(raw))
        assert len(played.server.requests) == 2
        assert len(played.message.tool_calls) == (1 if name == "one_tool" else 3)


def test_calls_of_a_cut_reply_never_come_when_it_is_never_whole() -> None:
    raw = (RECORDINGS / "truncated.sse").read_bytes()
    played = play(*[stream_bytes(raw)] * 5)
    assert isinstance(played.error, ServerError)
    assert str(played.error) == "the reply of openai-native ended in the middle (5 tries). Try again later"
    assert not [delta for delta in played.deltas if isinstance(delta, AssistantMessage)]


@pytest.mark.parametrize("name", ["failed", "error"])
def test_request_is_made_again_when_an_error_in_the_stream_may_pass(name: str) -> None:
    played = play(stream_bytes((RECORDINGS / f"{name}.sse").read_bytes()), text("whole"))
    assert played.message.text == "whole"
    assert len(played.slept) == 1


def test_request_is_made_once_when_an_error_in_the_stream_will_not_pass() -> None:
    played = play(stream_bytes((RECORDINGS / "flat_error.sse").read_bytes()))
    assert isinstance(played.error, NoCreditError)
    assert '"You exceeded your current quota."' in played.error.message


def test_message_comes_when_the_reply_is_not_streamed() -> None:
    part: JsonObject = {"type": "output_text", "text": "hi", "annotations": []}
    item: JsonObject = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
    played = play(status(200, {**reply_of("completed"), "output": [item]}))
    assert played.deltas == [TextDelta("hi"), played.message]


def test_message_comes_at_once_when_the_server_does_not_end_after_the_reply() -> None:
    assert play(Turn(render(Said(("hi",))), then="hang")).message.text == "hi"


@pytest.mark.parametrize(
    ("turn", "kind", "words"),
    [
        (failed(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key"), KeyRefusedError, "$OPENAI_API_KEY"),
        (failed(403, "Country not supported", "unsupported_country"), KeyRefusedError, "Country not supported"),
        (failed(404, "The model 'gpt-9' does not exist", "model_not_found"), UnknownModelError, "gpt-5.4"),
        (failed(429, "You exceeded your quota", "insufficient_quota"), NoCreditError, "[request req_1]"),
        (failed(400, "Your input exceeds the context window", "context_length_exceeded"), ContextWindowError, "long"),
        (failed(400, "Invalid prompt: flagged", "invalid_prompt"), ContentFilteredError, "content filter"),
        (failed(400, "Unknown parameter: 'inptu'.", "unknown_parameter"), ProviderError, "Unknown parameter"),
    ],
)
def test_exactly_one_request_is_made_when_another_would_not_help(
    turn: Turn, kind: type[ProviderError], words: str
) -> None:
    played = play(turn)
    assert type(played.error) is kind
    assert words in played.error.message
    assert len(played.server.requests) == 1
    assert KEY not in repr(played.error) + str(played.error)


def test_error_tells_how_often_it_was_tried_when_the_limit_of_requests_stays_reached() -> None:
    played = play(*[failed(429, "Rate limit reached for gpt-5.4", "rate_limit_exceeded")] * 5)
    assert isinstance(played.error, RateLimitedError)
    assert "(5 tries)" in played.error.message


@pytest.mark.parametrize("body", [b"404 page not found", {"detail": "Not Found"}, {"error": {"code": 404}}])
def test_other_provider_is_named_when_the_server_has_no_responses(body: bytes | JsonObject) -> None:
    played = play(status(404, body))
    assert played.error is not None
    assert played.error.message.startswith(f"openai-native has nothing at {played.server.base_url}/responses (404)")
    assert played.error.hint.endswith("or use `-P openai-compatible`, for servers without /responses")
    assert len(str(played.error).splitlines()) == 1


def thought(encrypted: str) -> ThinkingPart:
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": encrypted}
    return ThinkingPart("", "openai_responses:" + json.dumps(item))


OLD = (user_text("go"), AssistantMessage((thought("gAAAE1"), TextPart("a")), "stop"), user_text("on"))
FULL = Request("gpt-5.4", "s", OLD, effort="high", schema=read_schema("name", Path()))
SCHEMA_REFUSED = "Invalid parameter: 'text.format' of type 'json_schema' is not supported with this model."
RELAXED = [
    (SCHEMA_REFUSED, "unsupported_parameter", "text"),
    ("Your organization must be verified to stream this model. Please go to: x", "unsupported_value", "stream"),
    ("The encrypted content gAAA...DQ== could not be verified.", "invalid_encrypted_content", "gAAAE1"),
    ("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", None, "gAAAE1"),
    ("Item 'rs_1' of type 'reasoning' was provided without its required following item.", None, "gAAAE1"),
    ("Encrypted content is not supported with this model.", None, "include"),
    ("Your organization must be verified to generate reasoning summaries.", "unsupported_value", 'summary":"auto'),
    ("Unsupported parameter: 'reasoning.effort' is not supported with this model.", None, "effort"),
    ("Unsupported value: 'xhigh' is not supported. Supported values are: 'low', 'medium'.", None, "effort"),
    ("Unknown parameter: 'prompt_cache_key'.", "unknown_parameter", "prompt_cache_key"),
]


@pytest.mark.parametrize(("message", "code", "words"), RELAXED)
def test_request_does_without_when_the_server_refuses_what_is_dispensable(
    message: str, code: str | None, words: str
) -> None:
    first, second = [json.dumps(body, separators=(",", ":")) for body in relax(message, code)]
    assert words in first
    assert words not in second if words != "stream" else '"stream":false' in second


def relax(message: str, code: str | None) -> list[JsonObject]:
    """Return the bodies of a request that is refused so once, and check that the next one leaves out the same."""
    played = play(failed(400, message, code), text("hi"), text("hi"), requests=[FULL, FULL])
    assert played.slept == []
    first, second, third = played.bodies
    assert second == third
    return [first, second]


def test_request_fails_when_what_is_dispensable_was_left_out_in_vain() -> None:
    played = play(*[failed(400, "The encrypted content could not be verified.", "invalid_encrypted_content")] * 2)
    assert str(played.error).startswith("openai-native refused the request (400)")
    assert ["include" in body for body in played.bodies] == [True, False]


def test_one_thing_after_the_other_is_left_out_when_all_is_refused() -> None:
    refusals = [failed(400, "reasoning: encrypted content and prompt_cache_key are not supported") for _ in range(4)]
    played = play(*refusals, text("hi"), requests=[FULL])
    assert played.message.text == "hi"
    assert {"include", "reasoning", "prompt_cache_key"}.isdisjoint(played.bodies[-1])
    assert "gAAAE1" not in json.dumps(played.bodies[-1])


def test_nothing_is_left_out_when_the_conversation_is_too_long() -> None:
    played = play(failed(400, "reasoning: the context window is exceeded", "context_length_exceeded"), requests=[FULL])
    assert isinstance(played.error, ContextWindowError)
    assert len(played.server.requests) == 1


def test_provider_is_connected_when_the_table_names_it() -> None:
    assert PROVIDERS["openai-native"].module == "openai_responses"
    provider = connect(Endpoint("openai-native", "http://127.0.0.1:1", KEY, "", "s"), Network(), PATHS)
    assert isinstance(provider, Remote)
    assert KEY not in repr(provider)


# What the fake server serves is no dialect of our own: OpenAI's SDK reads it.

SAID = Said(("It ", "is."), (("c1", "look", '{"at": 1}'), ("c2", "look", "")), "stop", USAGE, ("Hm",), "gAAAE1")


def client(server: FakeServer) -> OpenAI:
    return OpenAI(api_key=KEY, base_url=server.base_url, max_retries=0)


def test_sdk_reads_the_events_when_it_asks_the_fake_server() -> None:
    with FakeServer(say(SAID)) as server, client(server) as sdk:
        stream = sdk.responses.create(
            model="gpt-5.4", input=[{"role": "user", "content": "hi"}], stream=True, store=False
        )
        events = [(each.type, each) for each in stream]
    assert [kind for kind, _ in events][:3] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    kind, last = events[-1]
    assert kind == last.type == "response.completed"
    assert last.response.output_text == "It is."
    assert last.response.usage is not None
    assert (last.response.usage.input_tokens, last.response.usage.total_tokens) == (100, 110)
    numbers = [getattr(each, "sequence_number", None) for _, each in events]
    assert numbers == list(range(len(events)))


def test_sdk_puts_the_reply_together_when_it_streams_from_the_fake_server() -> None:
    with FakeServer(say(SAID)) as server, client(server) as sdk:
        with sdk.responses.stream(model="gpt-5.4", input=[{"role": "user", "content": "hi"}], store=False) as stream:
            reply = stream.get_final_response()
    reasoning, message, one, other = reply.output
    assert isinstance(reasoning, ResponseReasoningItem)
    assert reasoning.encrypted_content == "gAAAE1"
    assert message.type == "message"
    assert isinstance(one, ResponseFunctionToolCall)
    assert isinstance(other, ResponseFunctionToolCall)
    assert [(call.call_id, call.arguments) for call in (one, other)] == [("c1", '{"at": 1}'), ("c2", "")]


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_sdk_is_told_why_when_a_reply_is_incomplete(finish: str, reason: str) -> None:
    with FakeServer(say(Said(("par",), finish=finish))) as server, client(server) as sdk:
        stream = sdk.responses.create(
            model="gpt-5.4", input=[{"role": "user", "content": "hi"}], stream=True, store=False
        )
        last = list(stream)[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == reason


USER: JsonObject = {"role": "user", "content": "hi"}
CALL: JsonObject = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
OUTPUT: JsonObject = {"type": "function_call_output", "call_id": "c1", "output": "x"}
THOUGHT: JsonObject = {"type": "reasoning", "summary": [], "encrypted_content": "E"}


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "no JSON object with a model and input"),
        ([USER, CALL], "c1 had no result"),
        ([USER, OUTPUT], "answers c1, which waits for no answer"),
        ([USER, CALL, OUTPUT, CALL, OUTPUT], "makes the call c1 again"),
        ([USER, {**CALL, "arguments": "{"}, OUTPUT], "are not JSON"),
        ([USER, {**CALL, "call_id": "x" * 65}], "too long"),
        ([USER, {**CALL, "name": "a.b"}], "cannot be called"),
        ([USER, THOUGHT], "without its required following item"),
        ([THOUGHT, USER], "without its required following item"),
        ([{**THOUGHT, "encrypted_content": None}, CALL, OUTPUT], "not found"),
        ([{"role": "tool", "content": "x"}], "no item of type 'message' and role 'tool'"),
        ([{"type": "text", "role": "user"}], "no item of type 'text'"),
        ([{"role": "user", "content": []}], "the content of a message"),
        ([{"role": "user", "content": [{"type": "output_text", "text": "x"}]}], "the content of a message"),
        ([USER, THOUGHT, THOUGHT, CALL, {**CALL, "call_id": "c2"}, OUTPUT, {**OUTPUT, "call_id": "c2"}], ""),
    ],
)
def test_fake_server_refuses_a_history_when_the_real_one_would(items: list[JsonObject], words: str) -> None:
    fault = fault_of({"model": "m", "store": False, "input": items})
    assert words in fault
    assert bool(words) == bool(fault)


def test_fake_server_refuses_a_request_when_it_asks_to_store_the_reply() -> None:
    assert "store" in fault_of({"model": "m", "input": [USER]})


def test_event_names_its_kind_twice_when_it_is_served() -> None:
    assert event("response.x", a=1) == b'event: response.x\ndata: {"type":"response.x","a":1}\n\n'
