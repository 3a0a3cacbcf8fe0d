"""Addresses of servers: what can be one, and whether two mean the same server. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

OLLAMA_PORT: Final = 11434
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # where a server listens, not where one is asked


def check_base_url(url: str) -> str:
    """Return a provider's address as it is kept: without a final slash.

    Raises:
        ValueError: it is not http or https with a host, or it carries more than a path; the text says which.
    """
    url = url.strip().rstrip("/")
    if not url.isprintable() or " " in url:
        raise ValueError("it has spaces or control characters")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not of the form https://host/path")
    if parts.port == 0:
        raise ValueError("its port is not one")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it has a user name or password in it")
    if "?" in url or "#" in url:
        raise ValueError("paths are appended to it, so it cannot end with a query or a fragment")
    return url


def read_ollama_host(text: str) -> str:
    """Return the address that OLLAMA_HOST means, of Ollama's server for chat completions.

    Read as Ollama does (its envconfig/config.go, read 2026-11): a host, a host with a port, or a URL; the port is
    11434 unless there is a scheme. Where a server listens everywhere, it is asked on this machine.

    Raises:
        ValueError: it is none of them.
    """
    scheme, mark, rest = text.strip().strip("\"'").strip().partition("://")
    if not mark:
        scheme, rest = "http", scheme
    authority, _, path = rest.rstrip("/").partition("/")
    if authority.count(":") > 1 and "[" not in authority:
        authority = f"[{authority}]"
    if not authority or authority.startswith(":"):
        authority = f"localhost{authority}"
    parts = urlsplit(check_base_url(f"{scheme}://{authority}"))
    host = "localhost" if parts.hostname in _EVERYWHERE else parts.hostname or ""
    port = parts.port or (None if mark else OLLAMA_PORT)
    shown = f"[{host}]" if ":" in host else host
    return check_base_url(f"{scheme}://{shown}{f':{port}' if port else ''}/{f'{path}/' if path else ''}v1")


def is_same_origin(url: str, other: str) -> bool:
    """Whether two addresses mean one server: the same scheme, host and port."""
    try:
        return _origin(urlsplit(url)) == _origin(urlsplit(other))
    except ValueError:  # one of them is no address
        return False


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def hide_password(url: str) -> str:
    """Return an address, or what somebody took for one, without a user name and password in it."""
    return re.sub(r"//[^/?#]*@", "//***@", url)
