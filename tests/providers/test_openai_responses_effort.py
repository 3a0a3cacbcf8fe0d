from __future__ import annotations

import pytest

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.provider import Effort
from cline_cli.providers._openai_responses_effort import choose_effort, reasoning_options, reasons

ASKED: tuple[Effort, ...] = ("none", "low", "medium", "high", "xhigh")
"""For each model, what it is asked for instead of these."""


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gpt-6-sol", "none low medium high xhigh"),
        ("gpt-6.2-astra", "low low medium high xhigh"),
        ("gpt-5.6-terra", "none low medium high xhigh"),
        ("gpt-5.5-pro-2026-04-23", "medium medium medium high xhigh"),
        ("gpt-5.4", "none low medium high xhigh"),
        ("openai/gpt-5.4-mini", "none low medium high xhigh"),
        ("GPT-5.3-Codex", "none low medium high xhigh"),
        ("gpt-5.2-pro", "medium medium medium high xhigh"),
        ("gpt-5.2-chat-latest", "medium medium medium medium medium"),
        ("gpt-5.1", "none low medium high high"),
        ("gpt-5.1-2025-11-13", "none low medium high high"),
        ("gpt-5.1-codex", "low low medium high high"),
        ("gpt-5.1-codex-mini", "low low medium high high"),
        ("gpt-5.1-codex-max", "low low medium high xhigh"),
        ("gpt-5", "minimal low medium high high"),
        ("gpt-5-mini-2025-08-07", "minimal low medium high high"),
        ("gpt-5-codex", "low low medium high high"),
        ("gpt-5-pro", "high high high high high"),
        ("o3", "low low medium high high"),
        ("o4-mini-2025-04-16", "low low medium high high"),
        ("some/reasoner", "none low medium high xhigh"),
        ("openai/gpt-oss-120b", "none low medium high xhigh"),
    ],
)
def test_the_nearest_level_that_the_model_takes_is_asked_for_when_one_is_given(model: str, levels: str) -> None:
    assert " ".join(str(choose_effort(model, level)) for level in ASKED) == levels
    assert choose_effort(model, None) is None


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "chatgpt-4o-latest", "gpt-5-chat-latest"])
def test_nothing_is_asked_for_when_the_model_does_not_reason(model: str) -> None:
    assert {choose_effort(model, level) for level in (*ASKED, 9000, None)} == {None}
    assert reasoning_options(model, "high", has_summary=True) == {}
    assert not reasons(model)


@pytest.mark.parametrize(
    ("budget", "level"),
    [(-1, "none"), (0, "none"), (1, "low"), (4096, "low"), (4097, "medium"), (16384, "medium"), (16385, "high")],
)
def test_budget_becomes_a_level_when_it_is_given_in_tokens(budget: int, level: str) -> None:
    assert choose_effort("gpt-5.4", budget) == level


@pytest.mark.parametrize(
    ("model", "effort", "options"),
    [
        ("gpt-5.4", None, {"reasoning": {"summary": "auto"}}),
        ("gpt-5.4", "high", {"reasoning": {"effort": "high", "summary": "auto"}}),
        ("gpt-5.4", "none", {"reasoning": {"effort": "none"}}),
        ("gpt-5", 0, {"reasoning": {"effort": "minimal", "summary": "auto"}}),
        ("openai/gpt-oss-120b", None, {"reasoning": {"summary": "auto"}}),
        ("some/model", None, {}),
        ("some/model", "low", {"reasoning": {"effort": "low", "summary": "auto"}}),
    ],
)
def test_summary_is_asked_for_when_the_model_thinks(
    model: str, effort: Effort | int | None, options: JsonObject
) -> None:
    assert reasoning_options(model, effort, has_summary=True) == options


def test_nothing_is_said_of_thinking_when_neither_effort_nor_summary_is_wanted() -> None:
    assert reasoning_options("gpt-5.4", None, has_summary=False) == {}
