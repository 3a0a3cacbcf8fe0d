"""What the model is sent again and again: it only grows, until it is made shorter, and a session goes on from that."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Serve
from tests.fake_server import FakeServer, Recorded, Turn, calls, status, text

TURNS = 30
REFUSAL = status(400, {"error": {"message": "This model's maximum context length is 9000 tokens.", "code": 400}})


def messages_of(request: Recorded) -> bytes:
    """Return the JSON of a request's messages, without the bracket that ends it, as it was sent."""
    _, found, rest = request.raw.partition(b'"messages":[')
    decoder = json.JSONDecoder()
    _, end = decoder.raw_decode(f"[{rest.decode()}")
    assert found
    return f"[{rest.decode()}"[: end - 1].encode()


def look(number: int, lines: int = 1) -> Turn:
    return calls(("run_commands", {"commands": [f"seq -f 'line %g of {number}' {lines}"]}), text=f"Step {number}.")


def events_of(stdout: bytes) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stdout.splitlines()]
    return [line["event"] for line in lines if line["type"] == "agent_event"]


def notices_of(stdout: bytes) -> list[dict[str, Any]]:
    return [event for event in events_of(stdout) if event.get("reason") == "auto_compaction"]


def sent(server: FakeServer, place: int) -> str:
    return server.requests[place].raw.decode()


def test_each_request_begins_with_the_bytes_of_the_one_before(serve: Serve) -> None:
    server, ask = serve(*(look(number) for number in range(TURNS)), text("done"))
    result = ask("-y", "work in steps")
    assert (result.exit_code, result.text) == (0, "done\n")
    assert len(server.requests) == TURNS + 1
    for one, following in pairwise(server.requests):
        assert messages_of(following).startswith(messages_of(one) + b",")


def test_the_tools_stay_in_the_closing_request_and_none_may_be_called(serve: Serve) -> None:
    server, ask = serve(look(0), text("so far"))
    result = ask("-y", "--max-turns", "1", "work")
    assert (result.exit_code, result.text) == (4, "so far\n")
    first, closing = (request.body for request in server.requests)
    assert closing["tools"] == first["tools"]
    assert (first["tool_choice"], closing["tool_choice"]) == ("auto", "none")
    assert messages_of(server.requests[1]).startswith(messages_of(server.requests[0]))


@pytest.mark.parametrize("mode", ["agentic", "basic"])
def test_a_run_goes_on_when_the_provider_says_that_the_conversation_is_too_long(serve: Serve, mode: str) -> None:
    notes = [text("These are the notes.")] if mode == "agentic" else []
    turns = [look(number, 300) for number in range(6)]
    server, ask = serve(*turns, REFUSAL, *notes, text("done"))
    result = ask("--json", "-y", "--compaction", mode, "work in steps")
    assert result.exit_code == 0
    (notice,) = notices_of(result.stdout)
    assert (notice["metadata"]["manner"], notice["metadata"]["isForced"]) == (mode, True)
    assert len(sent(server, -1)) < len(sent(server, 6)) * 0.8
    assert ("These are the notes." in sent(server, -1)) == (mode == "agentic")
    assert "work in steps" in sent(server, -1)
    if mode == "agentic":
        assert server.requests[7].tools == ()
        assert server.requests[7].connection == server.requests[0].connection


def test_a_refusal_is_told_with_the_way_out_when_nothing_is_to_be_shortened(serve: Serve) -> None:
    server, ask = serve(look(0, 300), REFUSAL)
    result = ask("-y", "--compaction", "off", "work")
    assert (result.exit_code, result.text) == (1, "")
    assert "maximum context length is 9000 tokens" in result.stderr
    assert "--compaction agentic" in result.stderr
    assert len(server.requests) == 2


def test_people_are_told_in_a_line_when_a_tool_has_run(serve: Serve) -> None:
    _, ask = serve(*(look(number, 300) for number in range(6)), REFUSAL, text("The notes."), text("done"))
    result = ask("-y", "work in steps")
    assert (result.exit_code, result.text) == (0, "done\n")
    assert "cline: conversation shortened (it was refused as too long): about " in result.stderr


def test_a_session_goes_on_with_the_shorter_history(serve: Serve, private_home: Path) -> None:
    turns = [look(number, 300) for number in range(6)]
    server, ask = serve(*turns, REFUSAL, text("These are the notes."), text("done"), text("and more"))
    assert ask("-y", "work in steps").exit_code == 0
    assert ask("-y", "--continue", "go on").text == "and more\n"
    assert messages_of(server.requests[9]).startswith(messages_of(server.requests[8]) + b",")
    (folder,) = (
        path for path in (private_home / ".local/state/cline/sessions").iterdir() if not path.name.startswith(".")
    )
    mirror = json.loads((folder / f"{folder.name}.messages.json").read_text("utf-8"))
    roles = [message["role"] for message in mirror["messages"]]
    assert roles[0] == "user"
    assert "These are the notes." in json.dumps(mirror["messages"][0])
    assert len(roles) < 12
    assert "line 1 of 0" not in json.dumps(mirror)


def test_a_piped_answer_has_nothing_on_stderr_when_no_tool_has_run(serve: Serve) -> None:
    turns = [look(number, 300) for number in range(6)]
    _, ask = serve(*turns, text("first"), REFUSAL, text("The notes."), text("second"))
    assert ask("-y", "work in steps").text == "first\n"
    result = ask("--continue", "go on")
    assert (result.text, result.stderr) == ("second\n", "")


def test_there_is_no_such_manner(serve: Serve) -> None:
    server, ask = serve()
    result = ask("--compaction", "sometimes", "hi there")
    assert result.exit_code == 2
    assert "agentic, basic or off" in result.stderr
    assert server.requests == []
