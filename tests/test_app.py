from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cline_cli.agent.compaction import Mode
from cline_cli.agent.compactor import Window
from cline_cli.app import Options, Setting, build, choose
from cline_cli.catalog.models import facts, output_limit
from cline_cli.config.paths import find_paths
from cline_cli.config.settings import Settings
from cline_cli.environment import Environment
from tests.fakes import approve_all


def window_of(home: Path, provider: str, model: str, mode: Mode = "agentic") -> Window:
    """Return the window of a run that is put together for a model."""
    environment = Environment({}, home, home, None, None, None, False, False, False)
    paths = find_paths(environment)
    options = Options(provider=provider, model=model, compaction=mode, has_tools=False)
    choice = choose(options, "sk-test", Settings(), environment, paths, "1")
    running = build(choice, options, Setting(home), approve_all, environment, paths)
    asyncio.run(running.close())
    return running.agent.window


def test_a_request_may_fill_the_window_but_for_what_is_asked_for_when_the_model_is_known(private_home: Path) -> None:
    known, limit = facts("anthropic/claude-sonnet-4.5"), output_limit("anthropic/claude-sonnet-4.5")
    assert known
    assert known.context_window
    assert limit
    window = window_of(private_home, "openrouter", "anthropic/claude-sonnet-4.5", "basic")
    assert window == Window("basic", known.context_window - limit)


@pytest.mark.parametrize(("provider", "model"), [("openrouter", "somebody/new-1"), ("ollama", "no-such-model:7b")])
def test_a_model_of_which_nothing_is_known_has_128_000_tokens(private_home: Path, provider: str, model: str) -> None:
    assert window_of(private_home, provider, model) == Window("agentic", 128_000)


def test_half_of_a_window_is_for_reading_when_a_model_may_write_all_of_it(private_home: Path) -> None:
    assert window_of(private_home, "ollama", "deepseek-v4-pro").tokens == 64_000


def test_the_history_is_left_to_the_embedded_model_which_makes_it_fit_itself(private_home: Path) -> None:
    assert window_of(private_home, "local", "qwen2.5-coder-1.5b") == Window("off", 0)
