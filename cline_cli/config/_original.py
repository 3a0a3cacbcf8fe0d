"""Keys that the original command left in its `providers.json`: read, never written.

Its 3.x format, observed 2026-11: `providers.ID.settings` has `apiKey`, `baseUrl` and, after a login in the browser,
`auth.accessToken`, which that command sends as a bearer token with `workos:` in front.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from cline_cli.config._files import read_small_file

LOGIN_PREFIX = "workos:"


class OriginalKey(NamedTuple):
    key: str
    base_url: str
    """Empty for the provider's own."""


def find_original_file(home: Path | None) -> Path | None:
    """Return where the original command keeps its keys, whether there is such a file or not."""
    return home / ".cline" / "data" / "settings" / "providers.json" if home else None


def read_original_key(path: Path, provider: str) -> OriginalKey | None:
    """Return the provider's key, or None: a file of another program that cannot be read is not this one's fault."""
    try:
        content = read_small_file(path)
        document: object = json.loads(content.data) if content else None
    except (OSError, ValueError, RecursionError):
        return None
    settings = _member(_member(_member(document, "providers"), provider), "settings")
    key = _member(settings, "apiKey")
    token = _member(_member(settings, "auth"), "accessToken")
    if provider == "cline" and isinstance(token, str) and token.strip():
        key = LOGIN_PREFIX + token.strip().removeprefix(LOGIN_PREFIX)
    if not isinstance(key, str) or not key.strip():
        return None
    base_url = _member(settings, "baseUrl")
    return OriginalKey(key, base_url if isinstance(base_url, str) else "")


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
