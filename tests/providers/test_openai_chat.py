from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from cline_cli import __version__
from cline_cli.agent.messages import AssistantMessage, TextPart, ToolCall, ToolResult, Usage
from cline_cli.agent.provider import ReplyDiscarded, Request, TextDelta, ToolCallDelta
from cline_cli.agent.tool import ToolSpec
from cline_cli.config.paths import Paths
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._remote import Remote
from cline_cli.providers.openai_chat import ChatCodec, connect
from tests.fake_server import (
    FakeServer,
    Turn,
    calls,
    delta_event,
    event,
    json_reply,
    status,
    stream_bytes,
    text,
)
from tests.providers.test_remote import KEY, PATHS, RECORDINGS, REQUEST, endpoint_at, play


def test_deltas_and_message_come_when_the_server_answers() -> None:
    assert play(text("hello")).deltas == [
        TextDelta("he"),
        TextDelta("ll"),
        TextDelta("o"),
        AssistantMessage((TextPart("hello"),), "stop", Usage(100, 10, cost_usd=0.001), "fake/model"),
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
    played = play(json_reply("hello"))
    assert played.deltas[0] == TextDelta("hello")
    assert played.message.usage == Usage(100, 10, cost_usd=0.001)


def test_request_has_the_headers_of_the_original_when_it_goes_to_cline() -> None:
    headers = play(text("hi")).server.requests[0].headers
    assert {name: headers[name] for name in headers if name not in {"host", "content-length", "connection"}} == {
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "user-agent": f"Cline/{__version__}",
        "http-referer": "https://cline.bot",
        "x-title": "Cline",
        "x-task-id": "session-1",
        "x-client-type": "cline-cli",
        "x-client-version": __version__,
        "x-core-version": __version__,
        "x-platform": "cli",
        "x-platform-version": __version__,
        "x-is-multiroot": "false",
    }


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("openrouter", {"Authorization", "HTTP-Referer", "X-Title"}),
        ("openai-compatible", {"Authorization"}),
    ],
)
def test_program_is_not_named_in_headers_when_it_need_not_be(provider: str, names: set[str]) -> None:
    assert ChatCodec(provider).headers(Endpoint(provider, "http://h", KEY, "", "s")).keys() == names


def test_no_key_is_sent_when_there_is_none() -> None:
    endpoint = Endpoint("openai-compatible", "http://h", "", "", "s")
    assert "Authorization" not in ChatCodec(endpoint.provider).headers(endpoint)


def test_results_go_back_under_their_ids_when_a_tool_has_run() -> None:
    async def ask(server: FakeServer) -> None:
        provider = connect(endpoint_at(server), Network(), PATHS)
        messages = REQUEST.messages
        for _ in range(3):
            async with aclosing(provider.stream(Request("m", "", messages))) as deltas:
                reply = [delta async for delta in deltas][-1]
            assert isinstance(reply, AssistantMessage)
            messages = (*messages, reply, *(ToolResult(call.id, (TextPart("seen"),)) for call in reply.tool_calls))
        await provider.close()

    same = stream_bytes(
        delta_event(tool_calls=[{"index": 0, "id": "same", "function": {"name": "look", "arguments": "{"}}])
        + delta_event("tool_calls")
    )
    with FakeServer(same, same, same) as server:
        asyncio.run(ask(server))
    assert server.requests[2].results == {"same": "seen", "call_1": "seen"}


@pytest.mark.parametrize("name", ["top_level_error", "choice_error"])
def test_request_is_made_again_when_an_error_in_the_stream_may_pass(name: str) -> None:
    raw = (RECORDINGS / f"{name}.sse").read_bytes()
    played = play(Turn((delta_event(content="par"), raw), pause_s=0.01), text("whole"))
    assert played.message.text == "whole"
    assert played.deltas[0] == TextDelta("par")
    assert isinstance(played.deltas[1], ReplyDiscarded)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"error": "the model crashed"}, 'cline sent an error: "the model crashed"'),
        ({"error": {"code": 400, "message": "bad"}}, 'cline refused the request (400): "bad"'),
        ({"choices": [{"finish_reason": "error"}]}, "cline sent an error"),
        ({"choices": [{"finish_reason": "error", "error": {"message": KEY}}]}, 'cline sent an error: "***"'),
    ],
)
def test_words_of_the_server_are_told_when_an_error_in_the_stream_is_final(
    said: dict[str, object], message: str
) -> None:
    for turn in (stream_bytes(delta_event(content="par") + event(said)), status(200, said)):  # type: ignore[arg-type]
        played = play(turn)
        assert str(played.error) == message
        assert played.requests == 1


LOOK = ToolSpec("look", "Looks.", {"type": "object"}, "reads")


@pytest.mark.parametrize(
    ("provider", "request_", "is_call"),
    [
        ("ollama", replace(REQUEST, tools=(LOOK,)), True),
        ("llama-server", replace(REQUEST, tools=(LOOK,)), True),
        ("ollama", REQUEST, False),
        ("ollama", replace(REQUEST, tools=(LOOK,), may_call=False), False),
        ("cline", replace(REQUEST, tools=(LOOK,)), False),
        ("no-such", replace(REQUEST, tools=(LOOK,)), False),
    ],
)
def test_text_is_read_as_a_call_where_models_are_known_to_write_it_so(
    provider: str, request_: Request, is_call: bool
) -> None:
    reader = ChatCodec(provider).read(request_)
    reader.feed(delta_event("stop", content='{"name": "look", "arguments": {}}'))
    assert bool(reader.finish().tool_calls) == is_call


def test_request_is_made_again_without_what_the_server_does_not_know() -> None:
    detail = [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]
    played = play(status(422, {"detail": detail}), text("hi"))
    first, second = played.server.requests
    assert played.message.text == "hi"
    assert first.body.keys() - second.body.keys() == {"stream_options"}
    assert played.slept == []


def test_refusal_is_told_when_the_server_refuses_the_same_again() -> None:
    refusal = status(400, {"error": {"message": "Unknown parameter: stream_options", "code": 400}})
    played = play(refusal, refusal)
    assert played.requests == 2
    assert str(played.error) == 'cline refused the request (400): "Unknown parameter: stream_options"'


def test_provider_is_connected_when_the_table_names_it(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path, {})
    provider = connect(Endpoint("cline", "http://127.0.0.1:1", KEY, "", "s"), Network(), paths)
    assert isinstance(provider, Remote)
    assert KEY not in repr(provider)
