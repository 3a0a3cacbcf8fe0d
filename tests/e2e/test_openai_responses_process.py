from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject
from tests.conftest import Result, RunCline
from tests.dialects import Said
from tests.e2e.conftest import KEY
from tests.fake_server import USAGE, FakeServer, say, status, stream_bytes, text

Ask = Callable[..., Result]
RECORDINGS = Path(__file__).parent.parent / "recordings" / "openai_responses"
REFUSED: JsonObject = {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key", "param": None}


@pytest.fixture
def ask(cline: RunCline, private_home: Path) -> Ask:
    """Return a function that runs the command against a server that settings name for OpenAI."""

    def run(server: FakeServer, *argv: str, **options: object) -> Result:
        folder = private_home / ".config" / "cline"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.toml").write_text(f'[providers.openai-native]\nbase_url = "{server.base_url}"\n')
        return cline("-P", "openai-native", *argv, **{"CLINE_API_KEY": KEY, **options})

    return run


def test_the_answer_is_printed_when_openai_gives_one(ask: Ask) -> None:
    with FakeServer(text("Hello.\n")) as server:
        result = ask(server, "--thinking", "high", "hi there")
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"Hello.\n", "")
    (request,) = server.requests
    assert request.path == "/api/v1/responses"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["input"] == [{"role": "user", "content": "hi there"}]
    assert request.body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert request.body["store"] is False


def test_a_tool_runs_once_and_the_thinking_goes_back_when_openai_calls_it(ask: Ask, tmp_path: Path) -> None:
    command = ("c1", "run_commands", '{"commands": ["echo once >> made.txt", "cat made.txt"]}')
    with FakeServer(say(Said((), (command,), "tool_calls", USAGE, ("Hm.",), "gAAAE1")), text("Made.")) as server:
        result = ask(server, "-y", "make it")
    assert (result.exit_code, result.text) == (0, "Made.\n")
    assert (tmp_path / "work" / "made.txt").read_text() == "once\n"
    assert "once" in server.requests[1].results["c1"]
    sent = server.requests[1].body["input"]
    assert isinstance(sent, list)
    summary = [{"type": "summary_text", "text": "Hm."}]
    assert sent[1] == {"type": "reasoning", "summary": summary, "encrypted_content": "gAAAE1"}
    assert server.connections == 1


def test_the_next_prompt_goes_on_with_thinking_and_phases_when_a_session_is_continued(ask: Ask) -> None:
    turns = [stream_bytes((RECORDINGS / f"{name}.sse").read_bytes()) for name in ("one_tool", "reasoning")]
    with FakeServer(*turns, text("Two.")) as server:
        assert ask(server, "-y", "first").text == "Hello!\n"
        assert ask(server, "-y", "--continue", "second").text == "Two.\n"
    first, second = server.requests[1].body["input"], server.requests[2].body["input"]
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert second[: len(first)] == first
    assert [item.get("encrypted_content") for item in second if item.get("type") == "reasoning"] == [
        "gAAAAABn-first==",
        "gAAAAABn-second==",
    ]
    assert [item["phase"] for item in second if "phase" in item] == ["commentary", "final_answer"]


def test_a_refused_key_is_named_but_not_told_when_openai_does_not_know_it(ask: Ask, private_home: Path) -> None:
    with FakeServer(status(401, {"error": REFUSED}, {"X-Request-Id": "req_1"})) as server:
        result = ask(server, "hi")
    assert result.exit_code == 3
    assert 'openai-native refused the key: unauthorized (401): "Incorrect API key provided: ***."' in result.stderr
    assert "[request req_1]" in result.stderr
    assert KEY not in result.stderr + result.text
    stored = [path for path in private_home.rglob("*") if path.is_file()]
    assert not [path for path in stored if KEY.encode() in path.read_bytes()]


def test_another_provider_is_named_when_the_server_has_no_responses(ask: Ask) -> None:
    with FakeServer(status(404, b"404 page not found")) as server:
        result = ask(server, "hi")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "-P openai-compatible" in result.stderr
