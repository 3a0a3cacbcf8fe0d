"""Asks a provider which models it serves: `GET {base}/models`, a page after the other.

Sources, read 2026-11: OpenAI's API reference (`{"data": [{"id"}]}`), which most others follow, Ollama, LM Studio and
llama-server among them; Together's (the bare list); Anthropic's (`has_more`, `last_id`, asked on with `after_id`);
Google's (`{"models": [{"name": "models/x", "supportedGenerationMethods"}], "nextPageToken"}`, asked on with
`pageToken`). Nothing in an answer is believed: what cannot be a name is left out, and there is an end to everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple
from urllib.parse import urlencode

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.errors import ProviderError
from cline_cli.network.http import Network, Response
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers._complaints import MAX_ERROR_BYTES, read_answer, to_error
from cline_cli.providers._values import to_object, to_objects, to_text
from cline_cli.text import visible

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""The longest list that is known has half of it; parsed, the worst that it can hold takes 120 MB of memory."""
MAX_BYTES = 16 * 1024 * 1024
"""Of all pages together."""
MAX_NAMES = 10_000
MAX_PAGES = 100
MAX_NAME_CHARACTERS = 200
MAX_CURSOR_CHARACTERS = 2_000
SHORTEST_KEY = 16
"""What is shorter is a word that a local server asked for, and may stand in any name."""
LIST_PATHS: Mapping[str, str] = {"cline": "/ai/cline/models"}
"""Where a list lies elsewhere: the Cline API has it where the original command asks for it (3.x, read 2026-11)."""
_NO_LIST = {404, 405, 501}
_GOOGLES_PREFIX = "models/"
_GENERATES = "generateContent"


class Cursor(NamedTuple):
    parameter: str
    value: str


async def list_models(endpoint: Endpoint, network: Network) -> tuple[str, ...]:
    """Return the names of the models that a provider at the other end of a line serves, as requests have them, sorted.

    Each page is asked for once. Deadlines are the caller's, but for those of the network.

    Raises:
        ProviderError: of the kind that fits.
    """
    module = import_module(f"cline_cli.providers.{PROVIDERS[endpoint.provider].module}")
    headers: Mapping[str, str] = module.make_headers(endpoint)
    names: set[str] = set()
    cursors: set[Cursor] = set()
    cursor: Cursor | None = None
    left_bytes = MAX_BYTES
    while True:
        path = LIST_PATHS.get(endpoint.provider, "/models")
        url = f"{endpoint.base_url}{path}{f'?{urlencode([cursor])}' if cursor else ''}"
        async with network.inquire(url, headers) as response:
            body = await _receive(response, endpoint, url, min(left_bytes, MAX_PAGE_BYTES))
        left_bytes -= len(body)
        page = read_page(_parse(body, endpoint, url))
        names.update(name for name in page.names if len(endpoint.key) < SHORTEST_KEY or endpoint.key not in name)
        cursor = page.cursor
        if cursor is None or cursor in cursors or len(cursors) == MAX_PAGES - 1 or len(names) >= MAX_NAMES:
            return tuple(sorted(names, key=_to_order)[:MAX_NAMES])
        cursors.add(cursor)


class Page(NamedTuple):
    names: tuple[str, ...]
    cursor: Cursor | None
    """What the next page is asked for with; None where this is the last."""


def read_page(said: JsonValue) -> Page:
    """Return what is of use in one answer; names that cannot be typed and seen are left out."""
    outer = to_object(said)
    entries: Sequence[JsonObject] = to_objects(said)
    for name in ("data", "models"):
        entries = entries or to_objects(outer.get(name))
    names = tuple(name for entry in entries if _can_answer(entry) and _is_clean(name := _name_of(entry)))
    next_token, last = to_text(outer.get("nextPageToken")), to_text(outer.get("last_id"))
    cursor = Cursor("pageToken", next_token)
    if not next_token:
        cursor = Cursor("after_id", last if outer.get("has_more") is True else "")
    return Page(names, cursor if 0 < len(cursor.value) <= MAX_CURSOR_CHARACTERS else None)


async def _receive(response: Response, endpoint: Endpoint, url: str, max_bytes: int) -> bytes:
    """Return the body of an answer.

    Raises:
        ProviderError: the server refuses, or says too much.
    """
    if not 200 <= response.status < 300:
        body = await response.read(MAX_ERROR_BYTES)
        if response.status in _NO_LIST:
            message = f"{endpoint.provider} has no list of models at {url} ({response.status})"
            raise ProviderError(message, "Check the base URL: `cline auth -b URL`")
        complaint = read_answer(response.status, response.headers, body, endpoint.key)
        raise to_error(complaint, endpoint, url, "a list of models")
    body = await response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise ProviderError(f"{endpoint.provider} sends more than {max_bytes / 1024**2:.0f} MB of models at {url}")
    return body


def _parse(body: bytes, endpoint: Endpoint, url: str) -> JsonValue:
    try:
        said: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict | list):
        message = f"{endpoint.provider} answered with something that is no list of models at {url}"
        raise ProviderError(message, "Check the base URL: `cline auth -b URL`")
    return said


def _name_of(entry: JsonObject) -> str:
    name = entry.get("id", entry.get("name"))
    return name.removeprefix(_GOOGLES_PREFIX) if isinstance(name, str) else ""


def _can_answer(entry: JsonObject) -> bool:
    """Return whether a model writes text, as far as its server says so; Google's list holds others as well."""
    methods = entry.get("supportedGenerationMethods")
    return not isinstance(methods, list) or _GENERATES in methods


def _is_clean(name: str) -> bool:
    """Return whether a name can be shown and typed as it is: another one than the server's would be of no use."""
    return 0 < len(name) <= MAX_NAME_CHARACTERS and name == name.strip() and visible(name) == name and name[0] != "-"


def _to_order(name: str) -> tuple[str, str]:
    return name.lower(), name
