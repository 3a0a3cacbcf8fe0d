"""What the original command left in its `providers.json` and `global-settings.json`: read, never written.

Its 3.x format, observed 2026-11: `providers.ID.settings` has `apiKey`, `model`, `baseUrl`, `reasoning` and, after a
login in the browser, `auth.accessToken`, which that command sends as a bearer token with `workos:` in front.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.config._files import read_small_file

LOGIN_PREFIX: Final = "workos:"
OTHER_IDS: Final[Mapping[str, tuple[str, ...]]] = {"openai-compatible": ("openai",)}
"""Our providers that the original knows under further ids, with keys of their own."""


class OriginalKey(NamedTuple):
    key: str
    base_url: str
    """Empty for the provider's own."""


class OriginalProvider(NamedTuple):
    """What it has set up of one provider, as it stands there: any of them may be anything, or None."""

    model: object
    base_url: object
    effort: object
    """How much the model thinks, where it was told to."""


class Original(NamedTuple):
    """What it has set up."""

    provider: str
    """The one it asked last, or empty."""
    providers: Mapping[str, OriginalProvider]


class OriginalGlobals(NamedTuple):
    mode: object
    approves_all: bool
    disabled_tools: tuple[str, ...]


def read_original_key(path: Path, provider: str) -> OriginalKey | None:
    """Return the provider's key, or None: a file of another program that cannot be read is not this one's fault."""
    try:
        providers = _member(_read(path), "providers")
    except ValueError:
        return None
    for name in (provider, *OTHER_IDS.get(provider, ())):
        settings = _member(_member(providers, name), "settings")
        key = _member(settings, "apiKey")
        token = _member(_member(settings, "auth"), "accessToken")
        if provider == "cline" and isinstance(token, str) and token.strip():
            key = LOGIN_PREFIX + token.strip().removeprefix(LOGIN_PREFIX)
        if isinstance(key, str) and key.strip():
            base_url = _member(settings, "baseUrl")
            return OriginalKey(key, base_url if isinstance(base_url, str) else "")
    return None


def read_original(path: Path) -> Original:
    """Return what is set up of providers.

    Raises:
        ValueError: the file cannot be read, or is not of its form; the text says why.
    """
    document = _read(path)
    providers = _member(document, "providers")
    if not isinstance(providers, dict):
        raise ValueError("it has no providers in it")
    last = _member(document, "lastUsedProvider")
    return Original(
        last if isinstance(last, str) else "",
        {name: _to_provider(_member(entry, "settings")) for name, entry in providers.items()},
    )


def read_original_globals(path: Path) -> OriginalGlobals:
    """Return what is set up for every provider.

    Raises:
        ValueError: as for read_original.
    """
    document = _read(path)
    disabled = _member(document, "disabledTools")
    return OriginalGlobals(
        _member(document, "planActMode"),
        _member(document, "toolAutoApprove") is True,
        tuple(name for name in disabled if isinstance(name, str)) if isinstance(disabled, list) else (),
    )


def _to_provider(settings: object) -> OriginalProvider:
    reasoning = _member(settings, "reasoning")
    effort = _member(reasoning, "effort") if _member(reasoning, "enabled") is not False else None
    return OriginalProvider(_member(settings, "model"), _member(settings, "baseUrl"), effort)


def _read(path: Path) -> object:
    try:
        content = read_small_file(path)
        document: object = json.loads(content.data) if content else {}
    except OSError as error:
        raise ValueError(error.strerror or type(error).__name__) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno} is not valid JSON") from None
    except (ValueError, RecursionError):
        raise ValueError("it is not valid JSON") from None
    return document


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
