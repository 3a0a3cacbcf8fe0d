from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.provider import Effort, Request
from cline_cli.providers._anthropic_models import LEAST_BUDGET, Plan, plan, takes_schema

ADAPTIVE: JsonObject = {"type": "adaptive", "display": "summarized"}
OFF: JsonObject = {"type": "disabled"}


def planned(model: str, effort: Effort | int | None = None, max_tokens: int | None = None) -> Plan:
    return plan(Request(model, "", (), max_tokens=max_tokens, effort=effort))


def budget(tokens: int) -> JsonObject:
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    ("model", "max_tokens", "limit"),
    [
        ("claude-sonnet-4-6", None, 38_400),
        ("claude-sonnet-4-6", 99, 99),
        ("claude-haiku-4-5-20251001", None, 32_000),
        ("claude-fable-9", None, 32_000),
        ("claude-opus-4-1-20250805", None, 32_000),
        ("claude-3-7-sonnet-latest", None, 32_000),
        ("claude-3-5-haiku-latest", None, 8192),
        ("claude-3-opus-20240229", None, 4096),
        ("some-other-model", None, 8192),
        ("some-other-model", 99, 99),
    ],
)
def test_number_of_tokens_is_asked_for_when_it_is_known_and_when_not(
    model: str, max_tokens: int | None, limit: int
) -> None:
    assert planned(model, max_tokens=max_tokens) == Plan(limit, {})


@pytest.mark.parametrize(
    ("model", "xhigh"),
    [
        ("claude-sonnet-4-6", "max"),
        ("anthropic/claude-opus-4.6", "max"),
        ("anthropic.claude-opus-4-6-v1:0", "max"),
        ("claude-4.6-opus", "max"),
        ("claude-mythos-preview", "max"),
        ("claude-opus-4-7", "xhigh"),
        ("claude-opus-5", "xhigh"),
        ("claude-sonnet-5-5", "xhigh"),
        ("claude-haiku-5-5", "xhigh"),
        ("claude-fable-5-1", "xhigh"),
        ("Claude-Opus-6", "xhigh"),
    ],
)
def test_effort_is_named_when_the_model_decides_how_much_it_thinks(model: str, xhigh: str) -> None:
    assert planned(model, "low")[1:] == (ADAPTIVE, "low")
    assert planned(model, "xhigh")[1:] == (ADAPTIVE, xhigh)
    levels = [planned(model, tokens).effort for tokens in (1, 4096, 4097, 16_384, 16_385, 32_768, 32_769)]
    assert levels == ["low", "low", "medium", "medium", "high", "high", xhigh]


@pytest.mark.parametrize(
    ("model", "effort", "limit", "tokens"),
    [
        ("claude-sonnet-4-5", "low", 36_096, 4096),
        ("claude-sonnet-4-5", "medium", 48_384, 16_384),
        ("claude-sonnet-4-5", "high", 64_000, 32_768),
        ("claude-sonnet-4-5", "xhigh", 64_000, 49_152),
        ("claude-haiku-4-5-20251001", 2000, 34_000, 2000),
        ("claude-haiku-4-5-20251001", 1, 33_024, LEAST_BUDGET),
        ("claude-haiku-4-5-20251001", 999_999, 64_000, 62_976),
        ("claude-sonnet-4-20250514", "low", 36_096, 4096),
        ("claude-opus-4-20250514", "high", 32_000, 30_976),
        ("claude-3-7-sonnet-20250219", "low", 36_096, 4096),
        ("some-other-model", "high", 40_960, 32_768),
    ],
)
def test_budget_is_given_when_the_model_thinks_by_one(
    model: str, effort: Effort | int, limit: int, tokens: int
) -> None:
    assert planned(model, effort) == Plan(limit, budget(tokens))


@pytest.mark.parametrize(
    ("max_tokens", "thinking"),
    [(1000, {}), (2047, {}), (2048, budget(1024)), (4000, budget(2976)), (90_000, budget(16_384))],
)
def test_budget_shrinks_when_the_number_of_tokens_is_given(max_tokens: int, thinking: JsonObject) -> None:
    assert planned("claude-sonnet-4-5", "medium", max_tokens) == Plan(max_tokens, thinking)


@pytest.mark.parametrize(
    ("model", "thinking", "effort"),
    [
        ("claude-sonnet-4-6", OFF, ""),
        ("claude-opus-5", OFF, ""),
        ("claude-sonnet-5", OFF, ""),
        ("claude-haiku-5-5", OFF, ""),
        ("claude-sonnet-4-5", OFF, ""),
        ("some-other-model", OFF, ""),
        ("claude-sonnet-5-5", {"type": "between_tools"}, ""),
        ("claude-opus-5-5", {"type": "adaptive"}, "low"),
        ("claude-fable-5", {"type": "adaptive"}, "low"),
        ("claude-mythos-preview", {"type": "adaptive"}, "low"),
        ("claude-3-5-sonnet-latest", {}, ""),
    ],
)
def test_thinking_is_turned_off_as_far_as_the_model_lets_it_when_none_is_wanted(
    model: str, thinking: JsonObject, effort: str
) -> None:
    assert planned(model, "none")[1:] == (thinking, effort)
    assert planned(model, 0)[1:] == (thinking, effort)


@pytest.mark.parametrize("model", ["claude-3-5-sonnet-latest", "claude-2.1", "claude-3-opus-20240229"])
def test_nothing_is_said_of_thinking_when_the_model_cannot_think(model: str) -> None:
    assert planned(model, "high").thinking == {}


@given(
    st.sampled_from(["claude-sonnet-4-5", "claude-opus-4-1", "claude-3-7-sonnet-latest", "glm-5"]),
    st.integers(1, 200_000),
    st.none() | st.integers(1, 200_000),
    st.none() | st.integers(1, 200_000),
)
def test_budget_is_below_the_tokens_when_numbers_are_random(
    model: str, effort: int, max_tokens: int | None, most: int | None
) -> None:
    limit, thinking, _ = plan(Request(model, "", (), max_tokens=max_tokens, effort=effort), most_tokens=most)
    tokens = thinking.get("budget_tokens", LEAST_BUDGET)
    assert isinstance(tokens, int)
    assert LEAST_BUDGET <= tokens <= max(effort, LEAST_BUDGET)
    assert not thinking or tokens + LEAST_BUDGET <= limit
    assert limit <= min(max_tokens or limit, most or limit)


def test_nothing_is_said_of_thinking_when_it_was_refused() -> None:
    assert plan(Request("claude-opus-5", "", (), effort="high"), may_think=False) == Plan(38_400, {})


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-sonnet-4-6", True),
        ("claude-haiku-4-5-20251001", True),
        ("claude-mythos-preview", True),
        ("claude-sonnet-4-20250514", False),
        ("claude-3-7-sonnet-latest", False),
        ("some-other-model", False),
    ],
)
def test_schema_is_taken_when_the_model_is_of_a_generation_that_can(model: str, expected: bool) -> None:
    assert takes_schema(model) == expected
