from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from cline_cli.agent.messages import AssistantMessage, user_text
from cline_cli.agent.provider import Delta, ReplyDiscarded, Request, TextDelta, Waiting
from cline_cli.config.paths import Paths
from cline_cli.errors import (
    ContextWindowError,
    KeyRefusedError,
    NoCreditError,
    ProviderError,
    RateLimitedError,
    ServerError,
    UnknownModelError,
    UnreachableError,
)
from cline_cli.network.http import REQUEST_S, Network
from cline_cli.network.retry import RetryBudget, say_return
from cline_cli.providers import Endpoint
from cline_cli.providers._remote import Remote
from cline_cli.providers.openai_chat import ChatCodec, connect
from tests.fake_server import (
    EVENT_STREAM,
    FakeServer,
    Turn,
    calls,
    delta_event,
    hang,
    json_reply,
    slow,
    status,
    stream_bytes,
    text,
)
from tests.providers.play import Play

KEY = "sk-canary-5cb1f3a2"
PATHS = Paths(Path(), Path(), Path(), Path(), {})
REQUEST = Request("some/model", "Be brief.", (user_text("hi"),))
RECORDINGS = Path(__file__).parent.parent / "recordings" / "cline"


def endpoint_at(server: FakeServer, provider: str = "cline") -> Endpoint:
    return Endpoint(provider, server.base_url, KEY, "$CLINE_API_KEY", "session-1")


def play(
    *turns: Turn,
    idle_s: float = 5,
    request_s: float = REQUEST_S,
    endpoint: Endpoint | None = None,
    now_s: float = 0,
    jitter: float = 0,
) -> Play:
    server = FakeServer(*turns)
    endpoint = endpoint or endpoint_at(server)
    network = Network(idle_s=idle_s, request_s=request_s)
    return Play(server, endpoint, ChatCodec(endpoint.provider), [REQUEST], network=network, now_s=now_s, jitter=jitter)


def test_message_comes_when_the_connection_breaks_after_its_finish() -> None:
    for then in ("close", "reset", "hang"):
        played = play(Turn((delta_event(content="hi"), delta_event("stop")), then=then), idle_s=0.1)
        assert played.message.text == "hi"
        assert played.requests == 1


def test_message_comes_at_once_when_the_server_does_not_end_after_done() -> None:
    played = play(Turn((delta_event(content="hi"), delta_event("stop"), b"data: [DONE]\n\n"), then="hang"), idle_s=50)
    assert played.message.text == "hi"


@pytest.mark.parametrize("key", ["sk-canary\n", "sk canary", "sk-canary-é", "\x00"])
def test_key_is_refused_unsent_when_it_cannot_be_one(key: str) -> None:
    endpoint = Endpoint("cline", "http://127.0.0.1:1", key, "$CLINE_API_KEY", "s")
    error = play(endpoint=endpoint).error
    assert isinstance(error, KeyRefusedError)
    assert "unauthorized" in error.message
    assert "$CLINE_API_KEY" in error.message
    assert "canary" not in str(error)


def test_one_connection_serves_all_requests_when_a_run_is_long() -> None:
    async def ask(server: FakeServer) -> None:
        provider = connect(endpoint_at(server), Network(), PATHS)
        for _ in range(4):
            async with aclosing(provider.stream(REQUEST)) as deltas:
                assert [delta async for delta in deltas]
        await provider.close()

    with FakeServer(text("a"), calls(("look", {})), status(503), text("b"), json_reply("c")) as server:
        asyncio.run(ask(server))
    assert server.connections == 1


def waits(*pairs: tuple[float, str]) -> list[Delta]:
    return [Waiting(delay_s, cause) for delay_s, cause in pairs]


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 504, 529])
def test_request_is_made_again_when_a_status_says_that_it_may_help(code: int) -> None:
    played = play(status(code), status(code), text("hi", pieces=1))
    cause = f"{'rate limit' if code == 429 else 'server error'} ({code})"
    assert played.deltas == [*waits((0.5, cause), (1, cause)), TextDelta("hi"), played.message]
    assert played.slept == [0.5, 1]


def test_error_tells_how_often_it_was_tried_when_it_stays() -> None:
    played = play(*[status(503, {"error": {"message": "down"}}, {"X-Request-Id": "r1"})] * 5)
    assert isinstance(played.error, ServerError)
    assert str(played.error) == 'cline failed (503): "down" [request r1] (5 tries). Try again later'
    assert played.error.request_id == "r1"
    assert played.slept == [0.5, 1, 2, 4]


RETRY_AFTER = {
    "seconds": ({"Retry-After": "7"}, 7),
    "a-fraction": ({"Retry-After": "0.25"}, 0.25),
    "the-most": ({"Retry-After": "120"}, 120),
    "milliseconds": ({"Retry-After-Ms": "1500"}, 1.5),
    "milliseconds-first": ({"Retry-After-Ms": "1500", "Retry-After": "60"}, 1.5),
    "a-date": ({"Retry-After": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90),
    "a-date-gone-by": ({"Retry-After": "Thu, 01 Jan 1970 00:00:05 GMT"}, 0.5),
    "zero": ({"Retry-After": "0"}, 0.5),
    "negative": ({"Retry-After": "-1"}, 0.5),
    "nan": ({"Retry-After": "nan"}, 0.5),
    "inf": ({"Retry-After": "inf"}, 0.5),
    "the-year-100000": ({"Retry-After": "Fri, 01 Jan 100000 00:00:00 GMT"}, 0.5),
    "words": ({"Retry-After": "soon"}, 0.5),
    "other-headers": ({"X-RateLimit-Reset": "9", "X-RateLimit-Reset-Requests": "9s"}, 0.5),
    "none": ({}, 0.5),
}


@pytest.mark.parametrize(("headers", "slept"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_server_is_obeyed_when_it_says_how_long_to_wait(headers: dict[str, str], slept: float) -> None:
    played = play(status(429, "", headers), text("hi"), now_s=10)
    assert played.slept == [slept]
    assert played.deltas[0] == Waiting(slept, "rate limit (429)")
    assert played.message.text == "hi"


@pytest.mark.parametrize("header", ["400", "Thu, 01 Jan 1970 00:06:50 GMT"])
def test_run_stops_and_says_when_to_come_back_when_the_wait_is_long(header: str) -> None:
    played = play(status(429, "", {"Retry-After": header}), now_s=10)
    assert isinstance(played.error, RateLimitedError)
    words = f"Try again {say_return(400, 10)}"
    assert words.startswith("Try again in 7 min, at ")
    assert str(played.error) == f"cline is at its rate limit (429). {words}"
    assert played.slept == []
    assert played.requests == 1


def test_remedy_is_another_key_when_a_refused_one_comes_with_a_long_wait() -> None:
    played = play(status(401, "", {"Retry-After": "400"}))
    assert isinstance(played.error, KeyRefusedError)
    assert played.error.hint == "Give another one with `cline auth cline`"


def ask_often(turns: Sequence[Turn], times: int) -> tuple[list[float], ProviderError]:
    """Ask so many times in one run; return how long it slept, and how it failed in the end."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def ask(server: FakeServer) -> None:
        endpoint, network = endpoint_at(server), Network()
        provider = Remote(endpoint, network, ChatCodec("cline"), sleep=sleep, jitter=lambda: 0)
        try:
            for _ in range(times):
                async with aclosing(provider.stream(REQUEST)) as deltas:
                    assert [delta async for delta in deltas]
        finally:
            await provider.close()

    with FakeServer(*turns) as server:
        with pytest.raises(ProviderError) as caught:
            asyncio.run(ask(server))
    assert len(server.requests) == len(turns)
    return slept, caught.value


def test_run_ends_when_its_retries_are_spent() -> None:
    fails = status(503, "", {"Retry-After-Ms": "1"})
    turns = [fails, fails, fails, fails, text("hi")] * 12 + [fails] * 3
    slept, error = ask_often(turns, 13)
    assert len(slept) == RetryBudget().retries == 50
    assert isinstance(error, ServerError)
    assert "and 50 retries and 1 s of waiting have been spent in this run (3 tries)" in error.message


def test_run_ends_when_it_has_waited_long_enough() -> None:
    fails = status(429, "", {"Retry-After": "120"})
    turns = [fails, fails, fails, fails, text("hi")] * 3 + [fails] * 4
    slept, error = ask_often(turns, 4)
    assert sum(slept) == RetryBudget().wait_s == 1800
    assert "15 retries and 30 min of waiting have been spent in this run" in error.message


@pytest.mark.parametrize(("chance", "slept"), [(0.0, [0.5, 1, 2, 4]), (1.0, [0.375, 0.75, 1.5, 3])])
def test_pauses_differ_from_run_to_run_when_nothing_is_asked(chance: float, slept: list[float]) -> None:
    assert play(*[status(500)] * 5, jitter=chance).slept == slept


def test_request_is_not_made_again_when_it_takes_longer_than_it_may() -> None:
    played = play(slow(["a"] * 1000, 0.01), request_s=0.1)
    assert isinstance(played.error, ServerError)
    assert "took longer than 0.1 s in all: timed out" in played.error.message
    assert played.requests == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, ProviderError),
        (401, KeyRefusedError),
        (402, NoCreditError),
        (403, KeyRefusedError),
        (404, UnknownModelError),
        (413, ContextWindowError),
        (422, ProviderError),
        (501, ServerError),
    ],
)
def test_exactly_one_request_is_made_when_another_would_not_help(code: int, kind: type[ProviderError]) -> None:
    played = play(status(code, {"error": {"message": f"the model and {KEY}"}}, {"Retry-After": "1"}))
    assert type(played.error) is kind
    assert played.requests == 1
    assert played.deltas == []
    assert KEY not in repr(played.error) + str(played.error)


def test_body_of_an_error_does_not_matter_when_it_breaks_off() -> None:
    played = play(Turn((b"x",), 400, {**EVENT_STREAM}, then="reset"))
    assert str(played.error) == "cline refused the request (400)"
    assert played.requests == 1


@pytest.mark.parametrize("then", ["close", "reset"])
def test_reply_is_discarded_and_asked_for_again_when_it_breaks_off(then: str) -> None:
    broken = Turn((delta_event(content="par"),), then="reset" if then == "reset" else "close")
    played = play(broken, text("whole", pieces=1))
    cause = f"the connection to {played.server.origin[7:]} broke off"
    assert played.deltas == [
        TextDelta("par"),
        ReplyDiscarded(cause),
        Waiting(0.5, cause),
        TextDelta("whole"),
        played.message,
    ]
    assert played.message.text == "whole"


def test_nothing_is_discarded_when_nothing_had_come() -> None:
    played = play(stream_bytes(b"", then="close"), text("whole"))
    assert not [delta for delta in played.deltas if isinstance(delta, ReplyDiscarded)]


@pytest.mark.parametrize("name", ["one_tool", "parallel_tools"])
def test_whole_reply_or_none_comes_when_a_stream_ends_at_any_byte(name: str) -> None:
    raw = (RECORDINGS / f"{name}.sse").read_bytes()
    finish = raw.index(b'"finish_reason":"tool_calls"')
    for place in range(0, len(raw), 23):
        played = play(stream_bytes(raw[:place], then="close"), stream_bytes(raw))
        assert played.requests == 2 or place > finish
        assert len(played.message.tool_calls) == (1 if name == "one_tool" else 3)


def test_calls_of_a_cut_reply_never_come_when_it_is_never_whole() -> None:
    raw = (RECORDINGS / "truncated.sse").read_bytes()
    played = play(*[stream_bytes(raw)] * 5)
    assert isinstance(played.error, ServerError)
    assert str(played.error) == "the reply of cline ended in the middle (5 tries). Try again later"
    assert played.error.exit_code == 75
    assert not [delta for delta in played.deltas if isinstance(delta, AssistantMessage)]
    assert len([delta for delta in played.deltas if isinstance(delta, ReplyDiscarded)]) == 4


def test_reply_is_asked_for_again_when_an_event_is_damaged() -> None:
    played = play(stream_bytes(delta_event(content="a") + b"data: {\n\n" + delta_event("stop")), text("b"))
    assert played.message.text == "b"
    assert played.requests == 2


def test_reply_is_not_asked_for_again_when_it_is_too_large() -> None:
    played = play(stream_bytes(b"data: " + b"x" * (17 << 20)))
    assert "larger than 16 MiB" in str(played.error)
    assert played.requests == 1


def test_three_tries_are_made_when_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    played = play(endpoint=Endpoint("cline", f"http://127.0.0.1:{port}/api/v1", KEY, "", "s"))
    cause = f"cannot reach 127.0.0.1:{port}: connection refused"
    assert played.deltas == waits((0.5, cause), (1, cause))
    assert isinstance(played.error, UnreachableError)
    assert str(played.error) == f"{cause} (3 tries). Check the network and the base URL"
    assert played.error.exit_code == 69


@pytest.mark.parametrize("turn", [hang(), slow(["a", "b"], 30)])
def test_no_other_request_is_made_when_the_server_stays_silent(turn: Turn) -> None:
    played = play(turn, idle_s=0.05)
    assert isinstance(played.error, ServerError)
    assert "timed out" in played.error.message
    assert played.requests == 1


def test_base_url_is_doubted_when_a_web_page_answers() -> None:
    played = play(Turn((b"<html>Welcome</html>",), 200, {"Content-Type": "text/html; charset=utf-8"}))
    assert str(played.error).startswith(f"cline answered with a web page at {played.server.base_url}/chat/completions")
    assert "cline auth -b URL" in str(played.error)
    assert played.requests == 1


def test_connection_is_let_go_when_the_reader_stops_early() -> None:
    async def first(server: FakeServer) -> Sequence[Delta]:
        provider = connect(endpoint_at(server), Network(), PATHS)
        async with aclosing(provider.stream(REQUEST)) as deltas:
            delta = await anext(deltas)
        await provider.close()
        return [delta]

    with FakeServer(stream_bytes(delta_event(content="a"), then="hang")) as server:
        assert asyncio.run(first(server)) == [TextDelta("a")]


def test_wait_ends_when_the_run_is_cancelled() -> None:
    async def cancel(server: FakeServer) -> None:
        provider = connect(endpoint_at(server), Network(), PATHS)

        async def ask() -> None:
            async with aclosing(provider.stream(REQUEST)) as deltas:
                async for delta in deltas:
                    waiting.set_result(delta)

        waiting: asyncio.Future[Delta] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(ask())
        assert await waiting == Waiting(60, "rate limit (429)")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.close()

    with FakeServer(status(429, "", {"Retry-After": "60"})) as server:
        asyncio.run(cancel(server))
