from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from cline_cli.agent.messages import (
    AssistantMessage,
    JsonObject,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    user_text,
)
from cline_cli.agent.provider import ReplyDiscarded, Request, TextDelta, ToolCallDelta, Waiting
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
from cline_cli.providers import Endpoint
from cline_cli.providers._complaints import Complaint
from cline_cli.providers._remote import Remote
from cline_cli.providers.anthropic import MessagesCodec, connect, make_headers
from tests.dialects import Said
from tests.dialects.anthropic import end_events, event
from tests.fake_server import FakeServer, Turn, calls, say, status, stream_bytes, text
from tests.providers.play import Play

KEY = "sk-ant-canary-5cb1f3a2"
PATHS = Paths(Path(), Path(), Path(), Path(), {})
SONNET = "claude-sonnet-4-6"
RECORDINGS = Path(__file__).parent.parent / "recordings" / "anthropic"
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {}}, "reads")
REQUEST = Request(SONNET, "Be brief.", (user_text("hi"),), (LOOK,))


def endpoint_at(server: FakeServer) -> Endpoint:
    return Endpoint("anthropic", server.base_url, KEY, "$ANTHROPIC_API_KEY", "session-1")


def complaint(words: str, kind: str = "invalid_request_error", code: int = 400) -> Turn:
    said: JsonObject = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_body"}
    return status(code, said, {"Request-Id": "req_1"})


def play(*turns: Turn, request: Request = REQUEST) -> Play:
    server = FakeServer(*turns)
    return Play(server, endpoint_at(server), MessagesCodec("anthropic"), [request])


def test_deltas_and_message_come_when_the_server_answers() -> None:
    assert play(text("hello")).deltas == [
        TextDelta("he"),
        TextDelta("ll"),
        TextDelta("o"),
        AssistantMessage((TextPart("hello"),), "stop", Usage(100, 10), "fake/model"),
    ]


def test_calls_come_when_the_server_asks_for_tools() -> None:
    played = play(calls(("look", {"at": "x"}), ("look", {}), text="So."))
    assert played.message.tool_calls == (
        ToolCall("call_1_1", "look", '{"at": "x"}'),
        ToolCall("call_1_2", "look", "{}"),
    )
    assert played.message.stop_reason == "tool_calls"
    assert ToolCallDelta("look", '{"at"') in played.deltas


def test_message_comes_when_the_reply_is_not_streamed() -> None:
    reply: JsonObject = {"type": "message", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}
    assert play(status(200, reply)).deltas == [TextDelta("hi"), AssistantMessage((TextPart("hi"),), "stop")]


def test_key_is_in_its_own_header_alone_when_a_request_is_made() -> None:
    request = play(text("hi")).server.requests[0]
    assert request.path == "/api/v1/messages"
    assert [name for name, value in request.headers.items() if KEY in value] == ["x-api-key"]
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert KEY not in json.dumps(request.body)


def test_no_key_is_sent_when_there_is_none() -> None:
    headers = make_headers(Endpoint("anthropic", "http://h", "", "", "s"))
    assert headers == {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize("key", ["sk-ant\n", "sk ant", "sk-ant-é"])
def test_key_is_refused_unsent_when_it_cannot_be_one(key: str) -> None:
    with pytest.raises(KeyRefusedError, match="unauthorized"):
        make_headers(Endpoint("anthropic", "http://h", key, "$ANTHROPIC_API_KEY", "s"))


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
        ("http://localhost:8080", "http://localhost:8080/v1/messages"),
        ("https://h/anthropic", "https://h/anthropic/messages"),
    ],
)
def test_address_is_under_the_base_url_when_it_has_a_path(base_url: str, address: str) -> None:
    assert MessagesCodec("anthropic").address(base_url, REQUEST) == address


def test_one_connection_serves_all_requests_when_a_run_is_long() -> None:
    async def ask(server: FakeServer) -> tuple[int, list[str]]:
        provider = connect(endpoint_at(server), Network(), PATHS)
        messages = REQUEST.messages
        thinking: list[str] = []
        for _ in range(30):
            async with aclosing(provider.stream(Request(SONNET, "s", messages, (LOOK,), effort="high"))) as deltas:
                reply = [delta async for delta in deltas][-1]
            assert isinstance(reply, AssistantMessage)
            thinking += [part.signature for part in reply.parts if isinstance(part, ThinkingPart)]
            results = tuple(ToolResult(call.id, (TextPart("seen"),)) for call in reply.tool_calls)
            messages = (*messages, reply, *(results or (user_text("go on"),)))
        await provider.close()
        return len(messages), thinking

    def turn(step: int) -> Turn:
        made = tuple((f"toolu_{step}_{number}", "look", "{}") for number in range(step % 4))
        finish = "tool_calls" if made else "stop"
        return say(Said((f"step {step}",), made, finish, None, ("hm",), f"sig{step}"))

    with FakeServer(*map(turn, range(30))) as server:
        length, thinking = asyncio.run(ask(server))
    assert (server.connections, len(server.requests)) == (1, 30)
    assert length == 1 + 30 + sum(max(1, step % 4) for step in range(30))
    assert thinking == [f"anthropic:sig{step}" for step in range(30)]
    for before, after in zip(server.requests, server.requests[1:], strict=False):
        assert after.messages[: len(before.messages)] == before.messages
    assert json.dumps(server.requests[-1].body).count('"signature"') == 29


def test_reply_is_discarded_and_asked_for_again_when_it_breaks_off() -> None:
    raw = (RECORDINGS / "truncated.sse").read_bytes()
    played = play(stream_bytes(raw, then="close"), text("whole", pieces=1))
    assert played.message.text == "whole"
    assert [type(delta) for delta in played.deltas] == [
        TextDelta,
        ToolCallDelta,
        ToolCallDelta,
        ReplyDiscarded,
        Waiting,
        TextDelta,
        AssistantMessage,
    ]


@pytest.mark.parametrize("name", ["one_tool", "parallel_tools"])
def test_whole_reply_or_none_comes_when_a_stream_ends_at_any_byte(name: str) -> None:
    raw = (RECORDINGS / f"{name}.sse").read_bytes()
    finish = raw.index(b'"stop_reason":"tool_use"')
    for place in range(0, len(raw), 61):
        played = play(stream_bytes(raw[:place], then="close"), stream_bytes(raw))
        assert len(played.server.requests) == 2 or place > finish
        assert len(played.message.tool_calls) == (1 if name == "one_tool" else 3)


def test_message_comes_when_the_connection_breaks_after_its_stop_reason() -> None:
    raw = (RECORDINGS / "no_stop.sse").read_bytes()
    for played in (play(stream_bytes(raw, then="close")), play(stream_bytes(raw, then="reset"))):
        assert played.message.text == "Hi"


def test_message_comes_at_once_when_the_server_does_not_end_after_its_last_event() -> None:
    raw = (RECORDINGS / "text.sse").read_bytes()
    assert play(stream_bytes(raw, then="hang")).message.stop_reason == "stop"


def test_request_is_made_again_when_an_error_in_the_stream_may_pass() -> None:
    played = play(stream_bytes((RECORDINGS / "error.sse").read_bytes()), text("whole"))
    assert played.message.text == "whole"
    assert played.slept == [0.5]


def test_words_of_the_server_are_told_when_an_error_in_the_stream_is_final() -> None:
    said: JsonObject = {"type": "error", "error": {"type": "invalid_request_error", "message": f"not with {KEY}"}}
    played = play(stream_bytes(event(said)))
    assert str(played.error) == 'anthropic refused the request (400): "not with ***"'


@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        (complaint("invalid x-api-key", "authentication_error", 401), KeyRefusedError),
        (complaint("Your API key may not do that", "permission_error", 403), KeyRefusedError),
        (complaint("Check your payment details", "billing_error", 402), NoCreditError),
        (complaint("Your credit balance is too low to access the Anthropic API."), NoCreditError),
        (complaint("model: claude-nothing", "not_found_error", 404), UnknownModelError),
        (complaint("prompt is too long: 210000 tokens > 200000 maximum"), ContextWindowError),
        (complaint("input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000"), ContextWindowError),
        (complaint("Request exceeds the maximum size", "request_too_large", 413), ContextWindowError),
        (complaint("Output blocked by content filtering policy"), ContentFilteredError),
        (complaint("tools.0.name: String should match pattern"), ProviderError),
    ],
)  # fmt: skip
def test_error_is_of_its_kind_when_the_server_refuses(turn: Turn, kind: type[ProviderError]) -> None:
    played = play(turn)
    assert type(played.error) is kind
    assert len(played.server.requests) == 1
    assert played.error.request_id == "req_1"
    assert "[request req_1]" in str(played.error)


@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        (complaint("Number of request tokens has exceeded your rate limit", "rate_limit_error", 429), RateLimitedError),
        (complaint("Overloaded", "overloaded_error", 529), ServerError),
        (complaint("Internal server error", "api_error", 500), ServerError),
        (complaint("Request timed out", "timeout_error", 504), ServerError),
    ],
)
def test_request_is_made_again_when_the_trouble_may_pass(turn: Turn, kind: type[ProviderError]) -> None:
    assert play(turn, text("hi")).message.text == "hi"
    assert type(play(*[turn] * 5).error) is kind


FULL = Request(
    SONNET,
    "s",
    (
        user_text("go"),
        AssistantMessage((ThinkingPart("hm", "anthropic:sig"), ToolCall("c1", "look", "{}")), "tool_calls"),
        ToolResult("c1", (TextPart("seen"),)),
    ),
    (LOOK,),
    effort="low",
    schema={"type": "object", "properties": {"a": {"type": "string"}}},
)


SIGNATURE, THINKING = "what was thought before", "cannot be told how to think"
MODIFIED = (
    "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
    "modified. These blocks must remain as they were in the original response."
)
EXPECTED = (
    "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is "
    "enabled, a final `assistant` message must start with a thinking block"
)


@pytest.mark.parametrize(
    ("words", "gone", "cause"),
    [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", "sig", SIGNATURE),
        ("messages.1.content.0.thinking.signature: Field required", "sig", SIGNATURE),
        (MODIFIED, "sig", SIGNATURE),
        (EXPECTED, "adaptive", THINKING),
        ("adaptive thinking is not supported on this model", "adaptive", THINKING),
        ("thinking: Extra inputs are not permitted", "adaptive", THINKING),
        ("This model does not support the effort parameter.", "effort", THINKING),
        ("output_config.effort: Input should be 'low'", "effort", THINKING),
        ("output_config.format: Extra inputs are not permitted", "json_schema", "takes no JSON schema"),
        ("output_config: Extra inputs are not permitted", "json_schema", "takes no JSON schema"),
        ("Schema is too complex for compilation.", "json_schema", "takes no JSON schema"),
        ("system.0.cache_control: Extra inputs are not permitted", '"s", "cache_control"', "caches no tools"),
        ("cache_control: Extra inputs are not permitted", '}, "cache_control"', "does not cache by itself"),
        ("max_tokens: 38400 > 8192, which is the maximum allowed number of output tokens", "38400", "fewer tokens"),
    ],
)
def test_request_goes_on_without_it_when_the_server_refuses_what_can_be_left_out(
    words: str, gone: str, cause: str
) -> None:
    played = play(complaint(words), text("hi"), request=FULL)
    assert played.message.text == "hi"
    assert played.slept == []
    before, after = map(json.dumps, played.bodies)
    assert gone in before
    assert gone not in after
    codec = MessagesCodec("anthropic")
    codec.write(FULL)
    assert cause in codec.relax(Complaint(400, words, "invalid_request_error"), ProviderError("no"))


def test_each_thing_is_left_out_once_when_the_server_refuses_them_all() -> None:
    words = [
        "Invalid `signature` in `thinking` block",
        "tools.0.cache_control: Extra inputs are not permitted",
        "cache_control: Extra inputs are not permitted",
        "output_config: Extra inputs are not permitted",
        "output_config: Extra inputs are not permitted",
    ]
    played = play(*map(complaint, words), complaint("thinking: cache_control: schema: signature"), request=FULL)
    assert type(played.error) is ProviderError
    assert len(played.server.requests) == 6
    assert not [
        name
        for name in ("signature", "cache_control", "output_config", "thinking")
        if name in json.dumps(played.bodies[-1])
    ]


@pytest.mark.parametrize(
    "turn",
    [
        complaint("prompt is too long; thinking is not counted"),
        complaint("thinking is not for you", "permission_error", 403),
        complaint("model: kimi-k2-thinking", "not_found_error", 404),
        complaint("tools.0.custom.input_schema: JSON is invalid"),
        complaint("messages: text content blocks must be non-empty"),
        complaint("max_tokens: 0 > 99999999999999999999"),
    ],
)
def test_request_is_not_made_again_when_the_complaint_is_of_something_else(turn: Turn) -> None:
    played = play(turn, request=FULL)
    assert played.error is not None
    assert len(played.server.requests) == 1


def test_later_requests_do_without_it_too_when_it_was_refused_once() -> None:
    async def ask(server: FakeServer) -> None:
        provider = connect(endpoint_at(server), Network(), PATHS)
        for _ in range(2):
            async with aclosing(provider.stream(FULL)) as deltas:
                assert [delta async for delta in deltas]
        await provider.close()

    with FakeServer(complaint("thinking is not supported"), text("a"), text("b")) as server:
        asyncio.run(ask(server))
    assert ["thinking" in request.body for request in server.requests] == [True, False, False]


def test_refusal_is_told_when_the_classifiers_stop_the_reply() -> None:
    played = play(Turn(tuple(end_events("refusal"))))
    assert played.message == AssistantMessage((), "content_filter")


def test_provider_is_connected_when_the_table_names_it(tmp_path: Path) -> None:
    provider = connect(Endpoint("anthropic", "http://127.0.0.1:1", KEY, "", "s"), Network(), PATHS)
    assert isinstance(provider, Remote)
    assert KEY not in repr(provider)
