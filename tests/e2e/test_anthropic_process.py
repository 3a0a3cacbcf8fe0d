from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject
from tests.conftest import Result, RunCline
from tests.dialects import Said, anthropic
from tests.e2e.conftest import KEY
from tests.fake_server import USAGE, FakeServer, Turn, say, status, text

Ask = Callable[..., Result]


@pytest.fixture
def ask(cline: RunCline, private_home: Path) -> Ask:
    """Return a function that runs the command against a server that settings name for Anthropic."""

    def run(server: FakeServer, *argv: str, **options: object) -> Result:
        folder = private_home / ".config" / "cline"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.toml").write_text(f'[providers.anthropic]\nbase_url = "{server.base_url}"\n')
        return cline("-P", "anthropic", *argv, **{"CLINE_API_KEY": KEY, **options})

    return run


def test_the_answer_is_printed_when_anthropic_gives_one(ask: Ask) -> None:
    with FakeServer(text("Hello.\n")) as server:
        result = ask(server, "hi there")
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"Hello.\n", "")
    (request,) = server.requests
    assert request.path == "/api/v1/messages"
    assert [name for name, value in request.headers.items() if KEY in value] == ["x-api-key"]
    assert request.messages == ({"role": "user", "content": [{"type": "text", "text": "hi there"}]},)


def test_a_tool_runs_once_and_its_thinking_goes_back_when_anthropic_calls_it(ask: Ask, tmp_path: Path) -> None:
    command = ("toolu_1", "run_commands", '{"commands": ["echo once >> made.txt", "cat made.txt"]}')
    turn = say(Said(("Making it.",), (command,), "tool_calls", USAGE, ("I should ", "make it."), "signed"))
    with FakeServer(turn, text("Made.")) as server:
        result = ask(server, "-y", "--thinking", "high", "make it")
    assert (result.exit_code, result.text) == (0, "Made.\n")
    assert (tmp_path / "work" / "made.txt").read_text() == "once\n"
    assert "once" in server.requests[1].results["toolu_1"]
    assert server.requests[0].body["output_config"] == {"effort": "high"}
    content = server.requests[1].messages[1]["content"]
    assert isinstance(content, list)
    assert content[0] == {"type": "thinking", "thinking": "I should make it.", "signature": "signed"}
    assert server.connections == 1


def test_the_next_prompt_goes_on_with_the_same_messages_when_a_session_is_continued(ask: Ask) -> None:
    listing = say(Said((), (("toolu_1", "list_files", '{"path": "."}'),), "tool_calls", USAGE, ("hm",), "signed"))
    with FakeServer(listing, text("One."), text("Two.")) as server:
        assert ask(server, "-y", "first").text == "One.\n"
        assert ask(server, "-y", "--continue", "second").text == "Two.\n"
    before, after = server.requests[1].messages, server.requests[2].messages
    assert after[: len(before)] == before
    assert "'signature': 'signed'" in str(after[1])


def test_no_tool_runs_when_the_reply_that_calls_it_breaks_off(ask: Ask, tmp_path: Path) -> None:
    command = ("toolu_1", "run_commands", '{"commands": ["echo once >> made.txt"]}')
    whole = anthropic.render(Said((), (command,), "tool_calls", USAGE))
    with FakeServer(Turn(whole[:-2], then="close"), Turn(whole), text("Made.")) as server:
        result = ask(server, "-y", "make it")
    assert (result.exit_code, result.text) == (0, "Made.\n")
    assert (tmp_path / "work" / "made.txt").read_text() == "once\n"
    assert server.requests[1].body == server.requests[0].body


def test_a_refused_key_is_named_but_not_told_when_anthropic_does_not_know_it(ask: Ask, private_home: Path) -> None:
    error: JsonObject = {"type": "authentication_error", "message": f"invalid x-api-key: {KEY}"}
    refused = status(401, {"type": "error", "error": error, "request_id": "req_2"}, {"request-id": "req_1"})
    with FakeServer(refused) as server:
        result = ask(server, "hi")
    assert result.exit_code == 3
    assert 'anthropic refused the key: unauthorized (401): "invalid x-api-key: ***" [request req_1]' in result.stderr
    assert "`cline auth anthropic`" in result.stderr
    assert KEY not in result.stderr + result.text
    stored = [path for path in private_home.rglob("*") if path.is_file()]
    assert not [path for path in stored if KEY.encode() in path.read_bytes()]
