from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonObject, JsonValue, ThinkingPart
from cline_cli.agent.provider import Effort
from cline_cli.providers._chat_dialects import (
    DIALECTS,
    Dialect,
    find_dialect,
    fit_id,
    limit_name,
    needs_marks,
    return_thinking,
    say_effort,
    sign_thinking,
)
from cline_cli.providers._signatures import seal

SONNET = "anthropic/claude-sonnet-4.6"
BLOCK: JsonObject = {"type": "reasoning.text", "text": "hm", "signature": "s"}


@pytest.mark.parametrize(
    ("provider", "none", "low", "xhigh", "budget"),
    [
        (
            "openai-compatible",
            {"reasoning_effort": "none"},
            {"reasoning_effort": "low"},
            {"reasoning_effort": "xhigh"},
            {"reasoning_effort": "medium"},
        ),
        (
            "groq",
            {"reasoning_effort": "none"},
            {"reasoning_effort": "low"},
            {"reasoning_effort": "high"},
            {"reasoning_effort": "medium"},
        ),
        (
            "openrouter",
            {"reasoning": {"enabled": False}},
            {"reasoning_effort": "low"},
            {"reasoning_effort": "xhigh"},
            {"reasoning": {"max_tokens": 9000}},
        ),
        (
            "vercel-ai-gateway",
            {"reasoning": {"enabled": False}},
            {"reasoning": {"effort": "low"}},
            {"reasoning": {"effort": "xhigh"}},
            {"reasoning": {"max_tokens": 9000}},
        ),
        (
            "zai",
            {"thinking": {"type": "disabled"}},
            {"thinking": {"type": "enabled"}},
            {"thinking": {"type": "enabled"}},
            {"thinking": {"type": "enabled"}},
        ),
        (
            "deepseek",
            {"thinking": {"type": "disabled"}},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "max"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "medium"},
        ),
        (
            "together",
            {"reasoning": {"enabled": False}},
            {"reasoning": {"enabled": True}, "reasoning_effort": "low"},
            {"reasoning": {"enabled": True}, "reasoning_effort": "high"},
            {"reasoning": {"enabled": True}, "reasoning_effort": "medium"},
        ),
        (
            "qwen",
            {"enable_thinking": False},
            {"enable_thinking": True, "thinking_budget": 4096},
            {"enable_thinking": True},
            {"enable_thinking": True, "thinking_budget": 9000},
        ),
        (
            "minimax",
            {"thinking": {"type": "disabled"}},
            {"thinking": {"type": "adaptive"}},
            {"thinking": {"type": "adaptive"}},
            {"thinking": {"type": "adaptive"}},
        ),
    ],
)
def test_thinking_is_asked_for_in_the_words_of_the_provider(
    provider: str, none: JsonObject, low: JsonObject, xhigh: JsonObject, budget: JsonObject
) -> None:
    asked: tuple[Effort | int | None, ...] = ("none", 0, "low", "xhigh", 9000, None)
    said = [say_effort(find_dialect(provider), effort) for effort in asked]
    assert said == [none, none, low, xhigh, budget, {}]


def test_nothing_is_said_of_thinking_when_a_server_has_refused_it() -> None:
    assert say_effort(Dialect(effort=""), "high") == say_effort(Dialect(effort=""), "none") == {}


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("openai-compatible", "gpt-4o", "max_tokens"),
        ("openai-compatible", "gpt-5", "max_completion_tokens"),
        ("cline", "openai/o3", "max_completion_tokens"),
        ("cline", "openai/gpt-6.1-sol", "max_completion_tokens"),
        ("groq", "openai/gpt-oss-120b", "max_completion_tokens"),
        ("mistral", "mistral-large-latest", "max_tokens"),
        ("no-such", "m", "max_tokens"),
    ],
)
def test_limit_has_the_name_that_the_provider_takes(provider: str, model: str, name: str) -> None:
    assert limit_name(find_dialect(provider), model) == name


def test_cache_is_marked_only_where_marks_are_taken_and_needed() -> None:
    marked = {name for name, dialect in DIALECTS.items() if needs_marks(dialect, SONNET)}
    assert marked == {"cline", "openrouter"}
    assert not needs_marks(find_dialect("cline"), "openai/gpt-5.4")


FIELD = {"reasoning_content": "hm"}


@pytest.mark.parametrize(
    ("provider", "came", "signature", "has_calls", "fields"),
    [
        # in the field that it came in, and to nobody else
        ("openai-compatible", "openai-compatible", "reasoning_content", False, FIELD),
        ("openai-compatible", "openai-compatible", "reasoning", True, {"reasoning": "hm"}),
        ("openai-compatible", "groq", "reasoning", True, {}),
        ("groq", "groq", "reasoning", True, {"reasoning": "hm"}),
        ("ollama", "llama-server", "reasoning_content", True, {}),
        ("openai-compatible", "openai-compatible", "content", True, {}),
        ("openai-compatible", "openai-compatible", "model", True, {}),
        # never
        ("xai", "xai", "reasoning_content", True, {}),
        ("nvidia", "nvidia", "reasoning_content", True, {}),
        # as blocks, else as text where that is taken
        ("cline", "cline", [BLOCK], True, {"reasoning_details": [BLOCK]}),
        ("cline", "openrouter", [BLOCK], True, {"reasoning": "hm"}),
        ("cline", "cline", "reasoning", True, {"reasoning": "hm"}),
        ("minimax", "minimax", [BLOCK], True, {"reasoning_details": [BLOCK]}),
        ("minimax", "cline", [BLOCK], True, {}),
        # required beside calls, whoever thought
        ("deepseek", "deepseek", "reasoning_content", False, FIELD),
        ("deepseek", "cline", [BLOCK], True, FIELD),
        ("deepseek", "cline", [BLOCK], False, {}),
        ("moonshot", "groq", "reasoning", True, FIELD),
        # as parts
        (
            "mistral",
            "mistral",
            "content",
            True,
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        ),
        ("mistral", "deepseek", "reasoning_content", True, {}),
    ],
)
def test_thinking_goes_back_as_the_provider_wants_it(
    provider: str, came: str, signature: str | list[JsonObject], has_calls: bool, fields: JsonObject
) -> None:
    details, field = (signature, "") if isinstance(signature, list) else ([], signature)
    thinking = [ThinkingPart("hm", sign_thinking(came, field, details))]
    assert return_thinking(find_dialect(provider), provider, thinking, has_calls=has_calls) == fields


@pytest.mark.parametrize("provider", ["deepseek", "moonshot"])
def test_thinking_is_empty_when_it_is_required_and_there_was_none(provider: str) -> None:
    dialect = find_dialect(provider)
    assert return_thinking(dialect, provider, [], has_calls=True) == {"reasoning_content": ""}
    assert return_thinking(dialect, provider, [], has_calls=False) == {}


@pytest.mark.parametrize(
    "signature", ["", "EqQBCk==", seal("anthropic", "x"), seal("openai_chat/cline", "[{"), '[{"a":1}]']
)
def test_no_blocks_are_sent_when_a_signature_is_not_of_this_provider(signature: str) -> None:
    thinking = [ThinkingPart("", signature)]
    assert return_thinking(find_dialect("cline"), "cline", thinking, has_calls=True) == {}


@pytest.mark.parametrize("identity", ["Ab3dE6gH9", "000000000"])
def test_id_stays_when_it_is_short_enough(identity: str) -> None:
    assert fit_id(find_dialect("mistral"), identity) == identity


@given(st.text(), st.text())
def test_ids_fit_and_stay_apart_when_they_are_any_text(one: str, other: str) -> None:
    short, plain = find_dialect("mistral"), find_dialect("openai-compatible")
    assert re.fullmatch("[a-zA-Z0-9]{9}", fit_id(short, one))
    assert len(fit_id(plain, one)) <= 40
    assert (fit_id(short, one) == fit_id(short, other)) == (one == other)
    assert (fit_id(plain, one) == fit_id(plain, other)) == (one == other)


def test_long_id_is_made_shorter_in_the_same_way_each_time() -> None:
    identity = "call_" + "x" * 36
    assert fit_id(Dialect(), identity[:40]) == identity[:40]
    assert fit_id(Dialect(), identity) == "call_" + hashlib.sha256(identity.encode()).hexdigest()[:32]


def test_program_is_named_only_to_gateways_that_ask_for_it() -> None:
    assert {name for name, dialect in DIALECTS.items() if dialect.names_program} == {"cline", "openrouter"}


def test_extra_fields_are_told_to_those_who_know_them() -> None:
    extra: dict[str, JsonValue] = {name: dict(dialect.extra) for name, dialect in DIALECTS.items() if dialect.extra}
    assert extra == {
        "vercel-ai-gateway": {"providerOptions": {"gateway": {"caching": "auto"}}},
        "minimax": {"reasoning_split": True},
    }
