"""`cline models` as a process, and what a run makes of the same facts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.catalog.models import list_served
from tests.conftest import RunCline
from tests.e2e.conftest import KEY, Serve
from tests.fake_server import FakeServer, calls, text
from tests.providers.model_server import Answer, ModelServer

COMMAND = (sys.executable, "-m", "cline_cli", "models")
LIST_PATH = "/api/v1/ai/cline/models"
TOKENS: JsonObject = {
    "prompt_tokens": 100_000,
    "completion_tokens": 1_000,
    "prompt_tokens_details": {"cached_tokens": 80_000},
}
"""Without a cost."""


def save(folder: Path, settings: str) -> Sequence[str]:
    """Save settings, and return the option that leads to them."""
    folder.mkdir(exist_ok=True)
    (folder / "settings.toml").write_text(settings)
    return "--config", str(folder)


def test_models_are_listed_without_a_key_and_nothing_is_left_behind(cline: RunCline, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    result = cline("models", "-P", "anthropic")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.text.splitlines()] == list(list_served("anthropic"))
    assert set(tmp_path.rglob("*")) == before


def test_every_line_of_json_is_valid_when_nothing_is_found(cline: RunCline) -> None:
    result = cline("models", "--json", "-P", "anthropic", "sonet")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])
    assert result.stderr.startswith("cline: no model of anthropic is called anything like 'sonet'. The nearest are")
    assert result.stderr.count("\n") == 1


def test_it_ends_as_by_sigpipe_when_the_reader_has_gone() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(COMMAND, stdout=writer, stderr=subprocess.PIPE, timeout=50, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_the_key_is_nowhere_when_the_provider_shows_it_back(cline: RunCline, tmp_path: Path) -> None:
    echo: JsonValue = {"data": [{"id": f"model-{KEY}"}, {"id": "other"}], "key": KEY}
    refusal = Answer(json.dumps({"error": {"message": f"{KEY} is bad"}}).encode(), 401)
    for answer, code in ((echo, 0), (refusal, 3)):
        with ModelServer({LIST_PATH: answer}) as server:
            result = cline("models", "--live", CLINE_API_KEY=KEY, CLINE_API_BASE_URL=server.origin)
        assert result.exit_code == code, result.stderr
        assert KEY not in result.text + result.stderr
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY in path.read_text()]


@pytest.mark.parametrize("variables", [{}, {"CI": "true"}])
def test_no_time_is_lost_when_a_server_of_ones_own_is_not_there(
    cline: RunCline, tmp_path: Path, variables: dict[str, str]
) -> None:
    with ModelServer({}) as server:
        origin = server.origin
    where = save(tmp_path / "c", f'provider = "ollama"\n[providers.ollama]\nbase_url = "{origin}/v1"\n')
    result = cline("models", *where, **variables)
    assert result.exit_code == 69
    assert "connection refused. Start it, or say where it is: cline auth ollama -b URL" in result.stderr


def test_a_model_is_asked_for_verbatim_when_the_catalog_does_not_know_it(serve: Serve) -> None:
    server, ask = serve(text("hello"))
    assert ask("-m", "anthropic/claude-sonnet-99.9:beta", "-n", "hi there").text == "hello\n"
    assert server.requests[0].body["model"] == "anthropic/claude-sonnet-99.9:beta"


def run_with_tool(cline: RunCline, where: Sequence[str], model: str, **variables: str) -> str:
    """Return the closing line of a run that reads a file."""
    result = cline(*where, "-m", model, "list the files", **variables)
    assert result.exit_code == 0, result.stderr
    return result.stderr.splitlines()[-1]


def test_a_cost_is_an_estimate_when_the_provider_does_not_say_it(cline: RunCline, tmp_path: Path) -> None:
    turns = (calls(("list_files", {"path": "."}), usage=TOKENS), text("done", usage=TOKENS))
    with FakeServer(*turns) as server:
        variables = {"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin}
        line = run_with_tool(cline, (), "anthropic/claude-sonnet-4.6", **variables)
    # Twice 20k tokens at $3, 80k read from the cache at $0.30, and 1k written at $15, each per million.
    assert line.endswith("200k in (160k cached), 2k out, ~$0.198")


@pytest.mark.parametrize("model", ["openai/gpt-oss-20b", "my-own"])
def test_a_cost_is_unknown_and_not_zero_when_the_server_is_ones_own(
    cline: RunCline, tmp_path: Path, model: str
) -> None:
    turns = (calls(("list_files", {"path": "."}), usage=TOKENS), text("done", usage=TOKENS))
    with FakeServer(*turns) as server:
        where = save(tmp_path / "c", f'provider = "ollama"\n[providers.ollama]\nbase_url = "{server.base_url}"\n')
        line = run_with_tool(cline, where, model)
    assert line.endswith("200k in (160k cached), 2k out, $?")


def test_a_limit_of_cost_is_refused_when_the_server_is_ones_own(cline: RunCline) -> None:
    result = cline("-P", "ollama", "-m", "openai/gpt-oss-20b", "--max-cost", "1", "hi there")
    assert result.exit_code == 2
    assert "--max-cost cannot be kept: the price of openai/gpt-oss-20b is not known" in result.stderr


def test_nothing_that_talks_is_imported_when_the_catalog_is_enough(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))\n"
    )
    done = subprocess.run(
        [*COMMAND, "-P", "anthropic"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=50,
        check=True,
    )
    modules = set(done.stderr.decode().split())
    assert not modules & {"httpx", "rich", "keyring", "cline_cli.providers.listing"}
