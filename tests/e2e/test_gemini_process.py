from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject
from tests.conftest import Result, RunCline
from tests.e2e.conftest import KEY
from tests.fake_server import FakeServer, calls, status, text

Ask = Callable[..., Result]
PATH = "/api/v1/models/gemini-2.5-pro:streamGenerateContent?alt=sse"


@pytest.fixture
def ask(cline: RunCline, private_home: Path) -> Ask:
    """Return a function that runs the command against a server that settings name for Gemini."""

    def run(server: FakeServer, *argv: str, **options: object) -> Result:
        folder = private_home / ".config" / "cline"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.toml").write_text(f'[providers.gemini]\nbase_url = "{server.base_url}"\n')
        return cline("-P", "gemini", *argv, **{"CLINE_API_KEY": KEY, **options})

    return run


def test_the_answer_is_printed_when_gemini_gives_one(ask: Ask) -> None:
    with FakeServer(text("Hello.\n")) as server:
        result = ask(server, "hi there")
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"Hello.\n", "")
    (request,) = server.requests
    assert request.path == PATH
    assert request.headers["x-goog-api-key"] == KEY
    assert "authorization" not in request.headers
    assert request.body["contents"] == [{"role": "user", "parts": [{"text": "hi there"}]}]


def test_a_tool_runs_once_and_its_result_goes_back_signed_when_gemini_calls_it(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "work" / "there.txt").touch()
    command = ("run_commands", {"commands": ["echo once >> made.txt", "cat made.txt"]})
    with FakeServer(calls(command, ("list_files", {"path": "."})), text("Made.")) as server:
        result = ask(server, "-y", "make it")
    assert (result.exit_code, result.text) == (0, "Made.\n")
    assert (tmp_path / "work" / "made.txt").read_text() == "once\n"
    assert "once" in server.requests[1].results["call_1_1"]
    assert "there.txt" in server.requests[1].results["call_1_2"]
    assert server.connections == 1


def test_the_next_prompt_goes_on_with_signatures_when_a_session_is_continued(ask: Ask) -> None:
    with FakeServer(calls(("list_files", {"path": "."})), text("One."), text("Two.")) as server:
        assert ask(server, "-y", "first").text == "One.\n"
        assert ask(server, "-y", "--continue", "second").text == "Two.\n"
    first, second = server.requests[1].body["contents"], server.requests[2].body["contents"]
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert second[: len(first)] == first
    assert "thoughtSignature" in str(second[1])


def test_a_refused_key_is_named_but_not_told_when_gemini_does_not_know_it(ask: Ask, private_home: Path) -> None:
    detail: JsonObject = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    error: JsonObject = {"code": 400, "message": f"API key not valid: {KEY}", "details": [detail]}
    with FakeServer(status(400, {"error": {**error, "status": "INVALID_ARGUMENT"}})) as server:
        result = ask(server, "hi")
    assert result.exit_code == 3
    assert 'gemini refused the key: unauthorized (401): "API key not valid: ***"' in result.stderr
    assert "`cline auth gemini`" in result.stderr
    assert KEY not in result.stderr + result.text
    stored = [path for path in private_home.rglob("*") if path.is_file()]
    assert not [path for path in stored if KEY.encode() in path.read_bytes()]


def test_the_run_fails_when_gemini_stays_overloaded(ask: Ask) -> None:
    down = status(503, {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})
    with FakeServer(down._replace(headers={**down.headers, "retry-after-ms": "1"}), repeat_last=True) as server:
        result = ask(server, "-y", "hi")
    assert result.exit_code == 75
    assert 'gemini failed (503): "The model is overloaded."' in result.stderr
    assert len(server.requests) == 5
