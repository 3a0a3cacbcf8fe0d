"""What `cline models` lists: the models of one provider, where their names come from, and what is known of each.

nothing set up                         -> all models of the catalog
local                                  -> the embedded models
a server of one's own, or elsewhere    -> its own list, asked for
any other                              -> the catalog; its own list with --live
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from heapq import nlargest
from typing import Literal, NamedTuple

from cline_cli.app import find_facts
from cline_cli.catalog.models import ModelFacts, facts, filter_names, list_names, list_served
from cline_cli.catalog.weights import WEIGHTS, find_installed
from cline_cli.config.paths import Paths
from cline_cli.errors import ClineError
from cline_cli.providers import Row

Origin = Literal["catalog", "server", "machine"]
"""Who says that there is such a model; "machine" are the embedded ones."""
LISTED_FOR_NEAREST = 1_000
"""Names that one is compared with that nothing is called by."""
_SEPARATOR = re.compile(r"[\s./:_-]+")


class Target(NamedTuple):
    """The provider that is asked for."""

    name: str
    row: Row
    why: str
    """How it came to be this one, for people: "-P", "the settings"."""
    model: str
    """What a run would ask; empty where it must be given."""
    is_elsewhere: bool
    """A server at another address than the provider's own was set up."""


class Model(NamedTuple):
    name: str
    facts: ModelFacts | None = None
    """None where nothing is known."""
    is_default: bool = False
    """A run that names no model asks this one."""
    is_installed: bool | None = None
    """None for one that is not embedded."""


class Listing(NamedTuple):
    target: Target | None
    """None where no provider is set up."""
    origin: Origin
    models: tuple[Model, ...]


def collect(target: Target | None, paths: Paths, ask: Callable[[], tuple[str, ...]], *, is_live: bool) -> Listing:
    """Return the models of a provider; `ask` asks its server, and is called only where that is needed.

    Raises:
        ClineError: the server was asked, and there is no list.
    """
    if target is None:
        return Listing(None, "catalog", tuple(Model(name, facts(name)) for name in list_names()))
    if target.name == "local":
        return Listing(target, "machine", _list_embedded(target, paths))
    served = () if is_live or target.is_elsewhere or target.row.is_key_optional else list_served(target.name)
    names = served or ask()
    if served and target.model and target.model not in served:
        names = (target.model, *served)
    models = tuple(Model(name, find_facts(target.name, target.row, name), name == target.model) for name in names)
    return Listing(target, "catalog" if served else "server", models)


def _list_embedded(target: Target, paths: Paths) -> tuple[Model, ...]:
    from cline_cli.providers.local import CONTEXT_TOKENS  # lazy: 50 ms of asyncio, and only this provider's models

    known = ModelFacts(CONTEXT_TOKENS, None, 0, 0, None, None, takes_images=False, reasons=False, edit_format="whole")
    return tuple(Model(name, known, name == target.model, find_installed(paths, name) is not None) for name in WEIGHTS)


def select(listing: Listing, words: Sequence[str]) -> Listing:
    """Return the listing with those models only that have all the words in their names, as `filter_names` has it.

    Raises:
        ClineError: there is none; the three nearest names are told.
    """
    query = " ".join(words)
    names = frozenset(filter_names([model.name for model in listing.models], query))
    if models := tuple(model for model in listing.models if model.name in names):
        return listing._replace(models=models)
    who = listing.target.name if listing.target else "the catalog"
    if not listing.models:
        raise ClineError(f"{who} has no models")
    near = _find_nearest(query, [model.name for model in listing.models[:LISTED_FOR_NEAREST]])
    raise ClineError(f"no model of {who} is called anything like {query!r}", f"The nearest are {', '.join(near)}")


def _find_nearest(query: str, names: Sequence[str]) -> list[str]:
    """Return the three names with a part that is most like the query: "sonet4.6" like claude-SONNET-4.6."""
    wanted = _SEPARATOR.split(query.lower())

    def likeness(name: str) -> float:
        parts = _SEPARATOR.split(name.lower())
        sizes = (min(size, len(parts)) for size in (len(wanted), len(wanted) + 1))
        runs = ("".join(parts[start : start + size]) for size in sizes for start in range(len(parts) - size + 1))
        return max(SequenceMatcher(None, "".join(wanted), run).ratio() for run in runs)

    return nlargest(3, names, key=likeness)
