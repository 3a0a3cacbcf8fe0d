from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli import catalog
from cline_cli.catalog.models import ModelFacts, facts, filter_names, list_names, list_served, nearest, output_limit
from cline_cli.providers import PROVIDERS

FOLDER = Path(catalog.__file__).parent
CATALOG = json.loads((FOLDER / "models.json").read_bytes())
SERVED = json.loads((FOLDER / "served.json").read_bytes())
MODELS: list[str] = list(CATALOG["models"])


def test_facts_are_found_when_the_model_is_in_the_catalog() -> None:
    assert facts("anthropic/claude-sonnet-4.6") == ModelFacts(
        context_window=1_000_000,
        max_output_tokens=128_000,
        input_usd=3,
        output_usd=15,
        cache_read_usd=0.3,
        cache_write_usd=3.75,
        takes_images=True,
        reasons=True,
        uses_tools=True,
        edit_format="replace",
    )


@pytest.mark.parametrize(
    "name",
    [
        "anthropic/claude-sonnet-4-6",
        "claude-sonnet-4.6",
        "anthropic/claude-sonnet-4.6:free",
        "claude-sonnet-4-6-20260217",
        "claude-sonnet-4-6@20260217",
        "claude-sonnet-4-6-2026-02-17",
        "gateway/anthropic/Claude-Sonnet-4.6:thinking",
    ],
)
def test_facts_are_found_when_the_name_is_written_otherwise(name: str) -> None:
    assert facts(name) is facts("anthropic/claude-sonnet-4.6") is not None


@pytest.mark.parametrize(
    ("name", "own_name"),
    [
        ("minimax/minimax-m2.5", "MiniMax-M2.5"),
        ("qwen/qwen3.5-flash-02-23", "qwen3.5-flash"),
        ("mistralai/mistral-medium-3-5", "mistral-medium-2604"),
        ("mistralai/mistral-medium-3-5", "mistral-medium-latest"),
        ("deepseek/deepseek-flash", "deepseek-v4.1-flash"),
    ],
)
def test_facts_are_found_when_the_vendor_calls_it_otherwise(name: str, own_name: str) -> None:
    assert facts(own_name) == facts(name) is not None


@pytest.mark.parametrize("provider", ["", "cline", "groq", "nobody"])
@pytest.mark.parametrize("name", ["", "anthropic/", "claude-sonnet", "anthropic/claude-sonnet-4.60", "x/y"])
def test_nothing_is_known_when_the_model_is_not_in_the_catalog(name: str, provider: str) -> None:
    assert facts(name, provider) is None
    assert output_limit(name) is None


@given(st.text(), st.text())
def test_no_name_is_refused_when_it_is_looked_up(name: str, provider: str) -> None:
    assert facts(name, provider) is None or name
    assert len(nearest(name)) == 3


def test_a_host_has_its_own_prices_when_it_serves_a_model() -> None:
    at_groq = facts("openai/gpt-oss-120b", "groq")
    anywhere = facts("openai/gpt-oss-120b")
    assert at_groq is not None is not anywhere
    assert (at_groq.input_usd, at_groq.max_output_tokens) == (0.15, 65_536)
    assert anywhere.input_usd == 0.1
    assert at_groq[6:] == anywhere[6:]


def test_a_host_has_no_prices_when_it_is_not_known_to_serve_the_model() -> None:
    known = facts("anthropic/claude-sonnet-4.6", "groq")
    assert known is not None
    assert known[2:6] == (None, None, None, None)
    assert known.context_window == 1_000_000


@pytest.mark.parametrize("provider", ["cline", "openrouter", "requesty", "anthropic", "openai-compatible", "nobody"])
def test_the_price_is_the_vendors_when_the_provider_sets_none(provider: str) -> None:
    assert facts("anthropic/claude-sonnet-4.6", provider) is facts("claude-sonnet-4-6")


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("anthropic/claude-sonnet-4.6", 38_400),
        ("openai/gpt-5.3-codex", 38_400),
        ("aion-labs/aion-3.5", 32_000),
        ("openai/gpt-4o", 16_384),
        ("x-ai/grok-4.3", None),
    ],
)
def test_output_limit_is_that_of_the_original_when_the_model_is_known(name: str, limit: int | None) -> None:
    assert output_limit(name) == limit


@pytest.mark.parametrize("name", MODELS)
def test_facts_make_sense_when_they_stand_in_the_file(name: str) -> None:
    known = facts(name)
    assert known is not None
    assert re.fullmatch(r"[a-z0-9-]+/[a-z0-9.-]+", name)
    check(known)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_facts_make_sense_when_a_provider_serves_the_model(provider: str) -> None:
    for name in list_served(provider):
        known = facts(name, provider)
        assert known is not None, name
        check(known)


def check(known: ModelFacts) -> None:
    assert known.context_window is None or 8_000 <= known.context_window < 10_000_000
    assert known.max_output_tokens is None or 4_000 < known.max_output_tokens <= (known.context_window or 10_000_000)
    assert all(price is None or 0 < price < 1000 for price in known[2:6])
    assert (known.input_usd is None) == (known.output_usd is None)
    assert known.edit_format in {"replace", "whole", "patch", None}
    assert all(ability in {True, False, None} for ability in known[6:9])
    if known.input_usd and known.output_usd:
        assert (known.cache_read_usd or 0) < known.input_usd <= known.output_usd
        assert known.cache_write_usd is None or known.input_usd <= known.cache_write_usd <= 2 * known.input_usd


def test_every_model_is_found_under_its_own_name_when_names_are_simplified() -> None:
    assert len({id(facts(name)) for name in MODELS}) == len(MODELS)
    assert list_names() == tuple(MODELS)


def test_sources_and_dates_are_told_when_a_file_is_read() -> None:
    for file in (CATALOG, SERVED):
        assert "models.dev" in file["source"]
        assert file["read"].startswith("2026-")
    assert CATALOG["columns"] == [*ModelFacts._fields, "own_name"]
    assert SERVED["columns"] == ["model", *ModelFacts._fields[:6]]


def test_a_provider_is_one_of_the_table_when_it_is_known_to_serve_models() -> None:
    assert {*SERVED["vendors"], *SERVED["gateways"], *SERVED["hosts"]} <= set(PROVIDERS)


def test_a_vendor_lists_its_own_models_by_its_own_names() -> None:
    assert {"claude-haiku-4-5", "claude-sonnet-4-6"} <= set(list_served("anthropic"))
    assert not [name for name in list_served("anthropic") if "/" in name or "." in name]
    assert "gpt-5.4" in list_served("openai-native") == list_served("openai-compatible")
    assert "MiniMax-M3" in list_served("minimax")


def test_a_gateway_lists_all_models_when_it_has_no_names_of_its_own() -> None:
    assert list_served("openrouter") == list_served("cline") == list_names()
    assert {"alibaba/qwen3-coder", "xai/grok-4.6"} <= set(list_served("vercel-ai-gateway"))


@pytest.mark.parametrize("provider", ["ollama", "lmstudio", "llama-server", "litellm", "local", "nobody", ""])
def test_nothing_is_listed_when_nothing_is_known_of_a_provider(provider: str) -> None:
    assert list_served(provider) == ()


@pytest.mark.parametrize(
    ("provider", "name"), [(provider, row.default_model) for provider, row in PROVIDERS.items() if row.default_model]
)
def test_default_model_is_known_when_a_provider_has_one(provider: str, name: str) -> None:
    assert provider == "local" or facts(name, provider)


@pytest.mark.parametrize("vendor", ["anthropic", "openai", "google", "deepseek", "x-ai", "qwen", "moonshotai"])
def test_the_file_holds_what_people_use_when_they_use_a_large_vendor(vendor: str) -> None:
    names = [name for name in MODELS if name.startswith(f"{vendor}/")]
    assert len(names) >= 5
    assert all(facts(name, "cline") for name in names)


def test_names_are_found_by_words_in_any_order() -> None:
    names = ("anthropic/claude-sonnet-4.6", "anthropic/claude-opus-4-6", "openai/gpt-5.4")
    assert filter_names(names, "4-6 SONNET") == names[:1]
    assert filter_names(names, "claude 4.6") == names[:2]
    assert filter_names(names, "") == names
    assert filter_names(names, "zork") == ()
