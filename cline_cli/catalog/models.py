"""What is known of models: how much they take and give, what they cost, what they can.

The facts stand in models.json, with their sources and the date they were read. A model that is not there is served all
the same; only what hangs on a fact is left out. Nobody's billing depends on the prices: they are for estimates.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("models.json")
_SUFFIX = re.compile(r"(-\d{8})?(:.*)?$")


class ModelFacts(NamedTuple):
    """Each is None where it is not known for certain. Prices are USD per million tokens."""

    context_window: int | None
    """Tokens, of input and output together."""
    max_output_tokens: int | None
    input_usd: float | None
    output_usd: float | None
    cache_read_usd: float | None
    cache_write_usd: float | None
    takes_images: bool | None
    reasons: bool | None


def facts(model: str) -> ModelFacts | None:
    """Return what is known of a model, or None.

    The vendor in front, a date or a `:free` behind, and a dot or a dash between numbers make no difference.
    """
    return _read().get(_plain(model))


def list_names() -> tuple[str, ...]:
    """Return the names of all models that something is known of, each with its vendor in front."""
    return tuple(_load())


def nearest(model: str) -> tuple[str, ...]:
    """Return the three names of models that are most like this one, with a vendor in front where it has one."""
    from difflib import get_close_matches  # lazy: only for a complaint

    names = [name if "/" in model else name.rpartition("/")[2] for name in _load()]
    return tuple(get_close_matches(model, names, 3, cutoff=0))


def output_limit(model: str) -> int | None:
    """Return the most output tokens to ask a model for, or None for one that is not known.

    The original command's rule (3.x, observed 2026-11): 30 % of what the model can do but at least 32,000, so that a
    runaway reply does not cost all of it.
    """
    known = facts(model)
    if known is None or known.max_output_tokens is None:
        return None
    most = known.max_output_tokens
    return min(most, max(32_000, most * 3 // 10))


def _plain(model: str) -> str:
    return _SUFFIX.sub("", model.lower().rpartition("/")[2]).replace(".", "-")


@functools.cache
def _load() -> dict[str, ModelFacts]:
    return {name: ModelFacts(**values) for name, values in json.loads(_FILE.read_bytes())["models"].items()}


@functools.cache
def _read() -> dict[str, ModelFacts]:
    return {_plain(name): known for name, known in _load().items()}
