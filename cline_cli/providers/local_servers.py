"""Finds model servers on this machine: asks where they usually listen, all at once, and waits a second at most.

Sources, read 2026-11: Ollama's `GET /api/tags` (`{"models": [{"name"}]}`, docs/api.md of its repository); LM Studio's
and llama-server's `GET /v1/models` (`{"object": "list", "data": [{"id", "object": "model"}]}`, as OpenAI's). Whatever
listens there is not trusted: port 8080 is often something else, so only what is a list of models in every part counts.
No key is sent, and none is needed for the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.errors import ProviderError
from cline_cli.network.http import Network
from cline_cli.text import visible

CONNECT_S = 0.3
TOTAL_S = 1.0
MAX_BYTES = 1024 * 1024
MAX_MODELS = 1000
MAX_NAME_CHARACTERS = 200


class Place(NamedTuple):
    """Where a server may listen."""

    provider: str
    base_url: str
    """As runs ask it, with the path of its version."""


class LocalServer(NamedTuple):
    """A server that answered as its kind does."""

    provider: str
    base_url: str
    models: tuple[str, ...]
    """As it lists them, those that only embed last; may be none."""


class _Kind(NamedTuple):
    path: str
    """Beside the base URL's own path, or in its place where it starts with `/api`."""
    parse: Callable[[bytes], tuple[str, ...] | None]


async def find_local_servers(
    places: Sequence[Place], network: Network, total_s: float = TOTAL_S
) -> tuple[LocalServer, ...]:
    """Return the servers that answer in time, in the order of the places; `network` has short deadlines of its own."""
    found: dict[Place, LocalServer] = {}

    async def ask(place: Place) -> None:
        models = await _ask(place, network)
        if models is not None:
            found[place] = LocalServer(*place, models)

    tasks = [asyncio.ensure_future(ask(place)) for place in dict.fromkeys(places)]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=total_s)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return tuple(found[place] for place in dict.fromkeys(places) if place in found)


async def _ask(place: Place, network: Network) -> tuple[str, ...] | None:
    kind = _KINDS.get(place.provider, _OPENAI_KIND)
    base = place.base_url.removesuffix("/v1") if kind.path.startswith("/api") else place.base_url
    try:
        async with network.inquire(f"{base}{kind.path}", {}) as response:
            if response.status != 200:
                return None
            body = await response.read(MAX_BYTES + 1)
    except ProviderError:
        return None
    return kind.parse(body) if len(body) <= MAX_BYTES else None


def parse_tags(body: bytes) -> tuple[str, ...] | None:
    """Return the models that Ollama says it has, or None where that is no such answer."""
    return _names(_parse(body), "models", "name")


def parse_models(body: bytes) -> tuple[str, ...] | None:
    """Return the models in a list of OpenAI's form, or None where that is no such list."""
    said = _parse(body)
    return _names(said, "data", "id") if said.get("object") == "list" else None


def _parse(body: bytes) -> JsonObject:
    try:
        said: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, Mapping) else {}


def _names(said: JsonObject, list_name: str, name_name: str) -> tuple[str, ...] | None:
    """Return the names in a list of objects; None unless all of it is one. A name that cannot be shown is left out."""
    entries = said.get(list_name)
    if not isinstance(entries, list):
        return None
    names: dict[str, None] = {}
    for entry in entries:
        name = entry.get(name_name) if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not name:
            return None
        if len(name) <= MAX_NAME_CHARACTERS and visible(name) == name and name == name.strip():
            names[name] = None
    return tuple(sorted(names, key=_only_embeds)[:MAX_MODELS])


def _only_embeds(name: str) -> bool:
    """Return whether a model is, by its name, one that turns text into numbers and answers nothing."""
    return "embed" in name.lower()


_OPENAI_KIND = _Kind("/models", parse_models)
_KINDS: Mapping[str, _Kind] = {"ollama": _Kind("/api/tags", parse_tags)}
