"""What a reply took, from wherever a provider says so in a chat completion. Pure.

Sources, read 2026-11: OpenAI's API reference (`usage`, in a last chunk without choices); Groq (`x_groq.usage`),
Moonshot (`choices[0].usage`, `usage.cached_tokens`), DeepSeek (`prompt_cache_hit_tokens`), the Cline API and OpenRouter
(`cost` in USD, and `cost_details.upstream_inference_cost` besides where a key of one's own was used), xAI
(`cost_in_usd_ticks`, 10^10 to the dollar; its completion tokens are without those of thinking, its total is not), and
Alibaba and LiteLLM (what was written to the cache stands among the details).
"""

from __future__ import annotations

from typing import Final

from cline_cli.agent.messages import JsonObject, Usage
from cline_cli.providers._values import first_object, to_count, to_number, to_object

_TICKS: Final = 10_000_000_000
"""Of xAI, to the dollar."""


def read_usage(chunk: JsonObject) -> Usage | None:
    """Return what a chunk says of the reply so far; None where it says nothing, or nothing but zeros."""
    places = (chunk, first_object(chunk.get("choices")), to_object(chunk.get("x_groq")))
    said = next((said for place in places if (said := to_object(place.get("usage")))), None)
    if said is None:
        return None
    usage = _to_usage(said)
    return usage if usage != Usage() else None


def _to_usage(said: JsonObject) -> Usage:
    given, made = to_object(said.get("prompt_tokens_details")), to_object(said.get("completion_tokens_details"))
    read = to_count(given.get("cached_tokens")) or to_count(said.get("prompt_cache_hit_tokens"))
    written = (
        to_count(said.get("cache_creation_input_tokens"))
        or to_count(given.get("cache_write_tokens"))
        or to_count(given.get("cache_creation_input_tokens"))
    )
    sent, answered = to_count(said.get("prompt_tokens")), to_count(said.get("completion_tokens"))
    thought = to_count(made.get("reasoning_tokens"))
    is_apart = to_count(said.get("total_tokens")) == sent + answered + thought
    return Usage(
        input_tokens=sent,
        output_tokens=answered + thought if is_apart else answered,
        cache_read_tokens=read or to_count(said.get("cached_tokens")),
        cache_write_tokens=written,
        cost_usd=_to_cost(said),
    )


def _to_cost(said: JsonObject) -> float | None:
    cost = to_number(said.get("cost"))
    if cost is None:
        ticks = to_number(said.get("cost_in_usd_ticks"))
        return None if ticks is None else ticks / _TICKS
    if said.get("is_byok") is True:
        return cost + (to_number(to_object(said.get("cost_details")).get("upstream_inference_cost")) or 0)
    return cost
