from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonValue
from tests.conftest import RunCline
from tests.e2e.conftest import KEY
from tests.fake_server import FakeServer, Turn, calls, text

HISTORY_FIELD = {"cline": "messages", "anthropic": "messages", "openai-native": "input", "gemini": "contents"}
STEPS = 30


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(*(_step(number) for number in range(STEPS - 1)), text("All done.")) as running:
        yield running


def _step(number: int) -> Turn:
    """Append a line to a file; every third time with a second call beside it."""
    command = ("run_commands", {"commands": [f"echo step {number} >> steps.txt"]})
    beside = (("list_files", {"path": "."}),) if number % 3 == 0 else ()
    return calls(command, *beside, text=f"Step {number}." if number % 2 else "")


def save_address(home: Path, provider: str, server: FakeServer) -> None:
    folder = home / ".config" / "cline"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text(f'[providers.{provider}]\nbase_url = "{server.base_url}"\n')


def history_of(value: JsonValue) -> list[str]:
    assert isinstance(value, list)
    return [json.dumps(item) for item in value]


@pytest.mark.parametrize("provider", HISTORY_FIELD)
def test_thirty_steps_take_one_connection_and_never_rewrite_what_was_sent(
    provider: str, server: FakeServer, cline: RunCline, private_home: Path, tmp_path: Path
) -> None:
    save_address(private_home, provider, server)
    result = cline("-y", "-P", provider, "work", CLINE_API_KEY=KEY)
    assert (result.exit_code, result.text) == (0, "All done.\n"), result.stderr
    assert (tmp_path / "work" / "steps.txt").read_text().splitlines() == [f"step {n}" for n in range(STEPS - 1)]
    assert server.connections == 1
    histories = [history_of(request.body[HISTORY_FIELD[provider]]) for request in server.requests]
    assert len(histories) == STEPS
    for before, after in pairwise(histories):
        assert len(after) > len(before)
        assert after[: len(before)] == before
    fixed = [{k: v for k, v in request.body.items() if k != HISTORY_FIELD[provider]} for request in server.requests]
    assert all(other == fixed[0] for other in fixed)
