"""What is known of models: how much they take and give, what they cost, what they can, and who serves them.

The facts stand in models.json, and in served.json the names that providers have for those models, both with their
sources and the date they were read. A model that is not there is served all the same; only what hangs on a fact is left
out. Nobody's billing depends on the prices: they are for estimates.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

_MODELS_FILE = Path(__file__).with_name("models.json")
_SERVED_FILE = Path(__file__).with_name("served.json")
_SUFFIX = re.compile(r"([-@]\d{8}|-\d{4}-\d\d-\d\d)?(:.*)?$")

EditFormat = Literal["replace", "whole", "patch"]
"""How a model changes files best: by replacing a part that it quotes exactly, by writing all of the file, for small
models, or by a patch in the form that it was trained on. `editor` takes the first two, `apply_patch` the third."""


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
    uses_tools: bool | None = None
    edit_format: EditFormat | None = None


class _Known(NamedTuple):
    facts: ModelFacts
    own_name: str | None
    """What its vendor calls it; None where that does not serve it."""


class _Served(NamedTuple):
    vendors: Mapping[str, str]
    """Provider that serves the models of one vendor -> how that one is called in front of a model's name."""
    gateways: Mapping[str, Mapping[str, str]]
    """Provider that passes requests on, at the vendors' prices -> its name for a model -> the catalog's; none where it
    serves all of them by the names of the catalog."""
    hosts: Mapping[str, Mapping[str, ModelFacts]]
    """Provider that runs models of others -> its name for a model -> what holds there."""


def facts(model: str, provider: str = "") -> ModelFacts | None:
    """Return what is known of a model, or None; `provider` is whose window, limit and prices count.

    The vendor in front, a date or a `:free` behind, and a dot or a dash between numbers make no difference. A host of
    the models of others sets its own prices: they are None for a model that it is not known to serve.
    """
    served = _read_served() if provider else _Served({}, {}, {})
    name = served.gateways.get(provider, {}).get(model, model)
    known = _read_models().get(_plain(name))
    host = served.hosts.get(provider)
    if host is None:
        return known
    without_price = known and known._replace(input_usd=None, output_usd=None, cache_read_usd=None, cache_write_usd=None)
    return host.get(model, without_price)


def list_names() -> tuple[str, ...]:
    """Return the names of all models that something is known of, each with its vendor in front.

    They come vendor by vendor, and what is newest or can do most comes first, as in the next two.
    """
    return tuple(_load_models())


def list_served(provider: str) -> tuple[str, ...]:
    """Return the names that a provider has for the models it is known to serve; empty where nothing is known of it."""
    served = _read_served()
    if (gateway := served.gateways.get(provider)) is not None:
        return tuple(gateway) or list_names()
    if vendor := served.vendors.get(provider):
        known = (each.own_name for name, each in _load_models().items() if name.startswith(f"{vendor}/"))
        return tuple(name for name in known if name)
    return tuple(served.hosts.get(provider, ()))


def nearest(model: str) -> tuple[str, ...]:
    """Return the three names of models that are most like this one, with a vendor in front where it has one."""
    from difflib import get_close_matches  # lazy: only for a complaint

    names = [name if "/" in model else name.rpartition("/")[2] for name in list_names()]
    return tuple(get_close_matches(model, names, 3, cutoff=0))


def filter_names(names: Sequence[str], query: str) -> tuple[str, ...]:
    """Return the names that have all the words of a query in them, in any order.

    Capitals do not matter, nor whether numbers are joined by dots or by dashes.
    """
    words = _flatten(query).split()
    return tuple(name for name in names if all(word in _flatten(name) for word in words))


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
    return _flatten(_SUFFIX.sub("", model.lower().rpartition("/")[2]))


def _flatten(text: str) -> str:
    return text.lower().replace(".", "-")


class _File(NamedTuple):
    models: Mapping[str, _Known]
    other_names: Mapping[str, str]


@functools.cache
def _load_file() -> _File:
    file = json.loads(_MODELS_FILE.read_bytes())
    fields: list[str] = file["columns"][:-1]
    models = {
        name: _Known(ModelFacts(**dict(zip(fields, row[:-1], strict=True))), row[-1])
        for name, row in file["models"].items()
    }
    return _File(models, file["other_names"])


def _load_models() -> Mapping[str, _Known]:
    return _load_file().models


@functools.cache
def _read_models() -> Mapping[str, ModelFacts]:
    """Return the facts by simplified name, the vendors' own names among them."""
    models, other_names = _load_file()
    names = [(other, models[name]) for other, name in other_names.items()]
    names += [(each.own_name, each) for each in models.values() if each.own_name]
    names += models.items()
    return {_plain(name): each.facts for name, each in names}


@functools.cache
def _read_served() -> _Served:
    file = json.loads(_SERVED_FILE.read_bytes())
    fields: list[str] = file["columns"][1:]
    models = _load_models()
    hosts = {
        host: {
            name: models[row[0]].facts._replace(**dict(zip(fields, row[1:], strict=True))) for name, row in rows.items()
        }
        for host, rows in file["hosts"].items()
    }
    return _Served(file["vendors"], file["gateways"], hosts)
