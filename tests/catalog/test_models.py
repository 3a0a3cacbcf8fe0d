from __future__ import annotations

import json
from pathlib import Path

import pytest

from cline_cli import catalog
from cline_cli.catalog.models import ModelFacts, facts, output_limit
from cline_cli.providers import PROVIDERS

CATALOG = json.loads((Path(catalog.__file__).parent / "models.json").read_bytes())
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
    )


@pytest.mark.parametrize(
    "name",
    [
        "anthropic/claude-sonnet-4-6",
        "claude-sonnet-4.6",
        "anthropic/claude-sonnet-4.6:free",
        "claude-sonnet-4-6-20260217",
        "gateway/anthropic/Claude-Sonnet-4.6:thinking",
    ],
)
def test_facts_are_found_when_the_name_is_written_otherwise(name: str) -> None:
    assert facts(name) is facts("anthropic/claude-sonnet-4.6") is not None


@pytest.mark.parametrize("name", ["", "anthropic/", "claude-sonnet", "anthropic/claude-sonnet-4.60", "x/y"])
def test_nothing_is_known_when_the_model_is_not_in_the_catalog(name: str) -> None:
    assert facts(name) is None
    assert output_limit(name) is None


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
    assert len(name.split("/")) == 2
    assert known.context_window is None or 8_000 < known.context_window < 10_000_000
    assert known.max_output_tokens is None or 4_000 < known.max_output_tokens < (known.context_window or 10_000_000)
    assert all(price is None or 0 < price < 1000 for price in known[2:6])
    if known.input_usd and known.output_usd:
        assert (known.cache_read_usd or 0) < known.input_usd < known.output_usd


def test_every_model_is_found_under_its_own_name_when_names_are_simplified() -> None:
    assert len({facts(name) and id(facts(name)) for name in MODELS}) == len(MODELS)


def test_source_and_date_are_told_when_the_file_is_read() -> None:
    assert "models.dev" in CATALOG["source"]
    assert CATALOG["read"].startswith("2026-")


@pytest.mark.parametrize("name", [row.default_model for row in PROVIDERS.values() if row.module == "openai_chat"])
def test_default_model_is_known_when_a_provider_has_one(name: str) -> None:
    assert not name or facts(name)
