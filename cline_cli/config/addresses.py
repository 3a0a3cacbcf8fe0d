"""Addresses of servers: what can be one, and whether two mean the same server. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit


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
