from __future__ import annotations

import pytest

from cline_cli.agent.messages import JsonObject, Usage
from cline_cli.providers._chat_usage import read_usage

COUNTS: JsonObject = {"prompt_tokens": 9, "completion_tokens": 3}


@pytest.mark.parametrize(
    "chunk",
    [
        {"usage": COUNTS},
        {"usage": COUNTS, "choices": []},
        {"x_groq": {"id": "r", "usage": COUNTS}},
        {"choices": [{"delta": {}, "usage": COUNTS}]},
        {"usage": None, "choices": [{"usage": COUNTS}]},
        {"usage": {}, "x_groq": {"usage": COUNTS}},
        {"usage": {**COUNTS, "total_tokens": 12, "prompt_tokens_details": None, "cost": None}},
    ],
)
def test_usage_is_found_when_it_stands_in_an_odd_place(chunk: JsonObject) -> None:
    assert read_usage(chunk) == Usage(9, 3)


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"usage": None},
        {"usage": []},
        {"usage": {"total_tokens": 0, "total_characters": 0}},
        {"usage": {"prompt_tokens": 0, "completion_tokens": 0}},
        {"choices": [{}], "x_groq": {"id": "r"}},
        {"choices": 5, "x_groq": "r"},
    ],
)
def test_there_is_no_usage_when_a_chunk_says_nothing_of_it(chunk: JsonObject) -> None:
    assert read_usage(chunk) is None


@pytest.mark.parametrize(
    ("said", "read", "written"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, 4, 0),
        ({"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5}, 4, 0),
        ({"cached_tokens": 4}, 4, 0),
        ({"prompt_tokens_details": {"cached_tokens": 4}, "prompt_cache_hit_tokens": 4, "cached_tokens": 4}, 4, 0),
        ({"cache_creation_input_tokens": 5}, 0, 5),
        ({"prompt_tokens_details": {"cache_write_tokens": 5}}, 0, 5),
        ({"prompt_tokens_details": {"cache_creation_input_tokens": 5, "cached_tokens": 4}}, 4, 5),
    ],
)
def test_cache_is_counted_once_when_its_tokens_have_another_name(said: JsonObject, read: int, written: int) -> None:
    assert read_usage({"usage": {**COUNTS, **said}}) == Usage(9, 3, read, written)


@pytest.mark.parametrize(
    ("completion", "thought", "total", "counted"),
    [(3, 40, 52, 43), (43, 40, 52, 43), (43, 40, None, 43), (3, 0, 12, 3), (3, None, 12, 3)],
)
def test_thinking_is_counted_once_when_it_stands_beside_the_answer(
    completion: int, thought: int | None, total: int | None, counted: int
) -> None:
    said: JsonObject = {
        "prompt_tokens": 9,
        "completion_tokens": completion,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    assert read_usage({"usage": said}) == Usage(9, counted)


@pytest.mark.parametrize(
    ("said", "cost_usd"),
    [
        ({"cost": 0.25}, 0.25),
        ({"cost": 0}, 0),
        ({"cost": 0.25, "market_cost": 0.5}, 0.25),
        ({"cost": 0.25, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.5}}, 0.25),
        ({"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, 0.75),
        ({"cost": 0.25, "is_byok": True, "cost_details": None}, 0.25),
        ({"cost_in_usd_ticks": 2_709_000}, 0.0002709),
        ({"cost_in_usd_ticks": 2_709_000, "cost": 0.25}, 0.25),
        ({"cost_in_usd_ticks": "2709000"}, None),
        ({"cost": "0.25"}, None),
        ({}, None),
    ],
)
def test_cost_is_the_providers_own_when_it_says_one(said: JsonObject, cost_usd: float | None) -> None:
    assert read_usage({"usage": {**COUNTS, **said}}) == Usage(9, 3, cost_usd=cost_usd)
