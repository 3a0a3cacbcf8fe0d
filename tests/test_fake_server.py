from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cline_cli.agent.messages import JsonObject
from tests.dialects import openai_chat
from tests.fake_server import (
    PATH,
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

USER: JsonObject = {"role": "user", "content": "hi"}
CALL: JsonObject = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
RESULT: JsonObject = {"role": "tool", "tool_call_id": "c1", "content": "seen"}


@contextmanager
def client(server: FakeServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(server.origin.removeprefix("http://"), timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection, *messages: JsonObject, path: str = PATH, method: str = "POST"
) -> tuple[int, bytes]:
    body = json.dumps({"model": "m", "messages": messages or [USER]})
    connection.request(method, path, body, {"X-Case": "Kept"})
    response = connection.getresponse()
    return response.status, response.read()


def play(turn: Turn) -> bytes:
    with FakeServer(turn) as server, client(server) as connection:
        return ask(connection)[1]


def test_deltas_join_to_the_answer_when_text_is_played() -> None:
    events = [json.loads(line[6:]) for line in play(text("hello")).split(b"\n\n")[:-2]]
    deltas = [choice["delta"].get("content", "") for event in events for choice in event["choices"]]
    assert "".join(deltas) == "hello"
    assert len(events) == 5


def test_ids_carry_the_request_number_when_calls_are_played() -> None:
    body = play(calls(("look", {"at": "x"}), ("run", "{}"), text="so"))
    assert b'"call_1_1"' in body
    assert b'"call_1_2"' in body
    assert body.index(b'"so"') < body.index(b"call_1_1")
    assert body.endswith(b"data: [DONE]\n\n")


def test_exact_bytes_arrive_when_bytes_are_streamed_in_pieces() -> None:
    assert play(stream_bytes(b"data: x\r\n\r\n", piece_bytes=1)) == b"data: x\r\n\r\n"


def test_deltas_arrive_when_they_are_slow() -> None:
    first, second = delta_event(role="assistant", content="a"), delta_event(content="b")
    assert play(slow(["a", "b"], 0.01)).startswith(first + second)


def test_whole_message_arrives_when_the_reply_is_json() -> None:
    assert json.loads(play(json_reply("hi")))["choices"][0]["message"]["content"] == "hi"


def test_status_and_headers_arrive_when_a_status_is_played() -> None:
    with FakeServer(status(429, {"error": "slow down"}, {"Retry-After": "7"})) as server, client(server) as connection:
        connection.request("POST", PATH, json.dumps({"model": "m", "messages": [USER]}))
        response = connection.getresponse()
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert json.loads(response.read()) == {"error": "slow down"}


@pytest.mark.parametrize("then", ["close", "reset"])
def test_body_breaks_off_when_told_to(then: str) -> None:
    turn = Turn((b"data: x\n\n",), then="close" if then == "close" else "reset")
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        play(turn)


@pytest.mark.parametrize("turn", [hang(), stream_bytes(b"data: x\n\n", then="hang"), slow(["a"], 600)])
def test_leaving_ends_everything_when_a_client_is_kept_waiting(turn: Turn) -> None:
    with FakeServer(turn) as server, client(server) as connection:
        connection.request("POST", PATH, json.dumps({"model": "m", "messages": [USER]}))
        while not server.requests:
            time.sleep(0.01)


def test_requests_are_recorded_when_they_come() -> None:
    tool: JsonObject = {"type": "function", "function": {"name": "look"}}
    with FakeServer(*[text("a")] * 3) as server:
        with client(server) as connection:
            ask(connection)
            ask(connection, USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, RESULT)
        with client(server) as connection:
            connection.request("POST", PATH, json.dumps({"model": "m", "messages": [USER], "tools": [tool]}))
            connection.getresponse().read()
    first, second, third = server.requests
    assert (first.method, first.path, first.headers["x-case"], first.body["model"]) == ("POST", PATH, "Kept", "m")
    assert [request.connection for request in server.requests] == [1, 1, 2]
    assert server.connections == 2
    assert second.results == {"c1": "seen"}
    assert third.tools == ("look",)


def test_last_turn_is_played_again_when_it_repeats() -> None:
    with FakeServer(text("a"), text("b"), repeat_last=True) as server, client(server) as connection:
        bodies = [ask(connection)[1] for _ in range(4)]
    assert bodies[1] == bodies[2] == bodies[3] != bodies[0]


def test_choice_of_tools_is_refused_when_there_are_none() -> None:
    body: JsonObject = {"model": "m", "messages": [USER], "tool_choice": "auto"}
    assert "of no use" in openai_chat.fault_of(body)
    assert not openai_chat.fault_of({**body, "tools": [{"type": "function", "function": {"name": "look"}}]})


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([{"role": "assistant", "tool_calls": [CALL]}], "c1 had no result"),
        ([{"role": "assistant", "tool_calls": [CALL]}, USER], "c1 had no result before message 2"),
        ([{"role": "assistant", "tool_calls": [CALL]}, RESULT, RESULT], "message 3 answers c1"),
        ([RESULT], "message 1 answers c1"),
        ([{"role": "assistant", "tool_calls": [CALL, CALL]}, RESULT], "makes the call c1 again"),
        ([{"role": "assistant", "tool_calls": [{"id": "c2", "function": {"arguments": "{"}}]}], "are not JSON"),
        ([{"role": "assistant", "tool_calls": [{**CALL, "id": "c" * 41}]}], "is longer than 40 characters"),
        ([{"role": "robot", "content": "x"}], "there is no role robot"),
    ],
)
def test_history_is_refused_when_calls_and_results_do_not_match(messages: list[JsonObject], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint), FakeServer(text("x")) as server, client(server) as connection:
        ask(connection, USER, *messages)


def test_request_is_refused_when_the_script_is_over() -> None:
    server = FakeServer(text("x"))
    with server, client(server) as connection:
        assert [ask(connection)[0] for _ in range(2)] == [200, 500]
        with pytest.raises(AssertionError, match="request 2 came"):
            server.check()
        server.failures.clear()


@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("POST", "/chat/completions", "{}", "is not served"),
        ("GET", PATH, "{}", "is not served"),
        ("POST", PATH, "{", "no JSON object"),
        ("POST", PATH, "{}", "no JSON object with a model"),
    ],
)
def test_request_is_refused_when_no_server_would_answer_it(method: str, path: str, body: str, complaint: str) -> None:
    server = FakeServer(text("x"))
    with server, client(server) as connection:
        connection.request(method, path, body)
        assert connection.getresponse().status == 500
        with pytest.raises(AssertionError, match=complaint):
            server.check()
        server.failures.clear()


def test_leaving_fails_when_a_request_was_refused() -> None:
    with pytest.raises(AssertionError, match="request 1 came"), FakeServer() as server, client(server) as connection:
        ask(connection)
