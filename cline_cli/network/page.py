"""Pages of the web for a model to read: no address of a private network, few redirects, no more than so many bytes.

The name is looked up here, and the connection goes to the address that was judged, so that a name server cannot answer
differently the second time. Where a proxy is on the way it looks names up, and only what is written can be judged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from cline_cli.network.http import Network
from cline_cli.network.route import find_proxy

MAX_BYTES: Final = 5_000_000
MAX_REDIRECTS: Final = 5
HEADERS: Final = {
    "User-Agent": "cline-cli (a coding agent; fetched for a person)",
    "Accept": "text/html, text/markdown, text/plain, application/json;q=0.9, */*;q=0.5",
}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Reach = Callable[[str], bool]
"""Whether a host may be reached although it is in a private network: somebody has named it."""


class PageError(Exception):
    """A page that cannot be had; the message is for the model and says why."""


class Page(NamedTuple):
    url: str
    """Where it was in the end."""
    status: int
    media_type: str
    """"text/html"; empty where the server says nothing."""
    charset: str
    data: bytes
    is_cut: bool
    """There was more than MAX_BYTES."""


async def fetch_page(
    network: Network, url: str, variables: Mapping[str, str], may_reach: Reach, may_fetch: Reach = lambda _: True
) -> Page:
    """Return a page, redirects followed; each of them is judged as the first address was, and by `may_fetch`.

    Raises:
        PageError: it may not be reached.
        ProviderError: it cannot be reached.
    """
    for _ in range(MAX_REDIRECTS + 1):
        host = read_host(url)
        address = await _find_address(url, host, variables, may_reach)
        async with network.visit(url, HEADERS, address) as response:
            location = response.headers.get("location", "")
            if 300 <= response.status < 400 and location:
                url = urljoin(url, location)
                if read_host(url) != host and not may_fetch(read_host(url)):
                    raise PageError(f"it redirects to {url}, which is not allowed by itself")
                continue
            data = await response.read(MAX_BYTES + 1)
            media_type, _, parameters = response.headers.get("content-type", "").partition(";")
            charset = parameters.lower().partition("charset=")[2].strip().strip("\"'")
            kind = media_type.strip().lower()
            return Page(url, response.status, kind, charset, data[:MAX_BYTES], len(data) > MAX_BYTES)
    raise PageError(f"it redirects more than {MAX_REDIRECTS} times")


def read_host(url: str) -> str:
    """Return the host of an address.

    Raises:
        PageError: it is none of a page.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme.lower() not in {"http", "https"}:
        raise PageError("it is no address of a page: https://host/path")
    if parts.username or parts.password:
        raise PageError("an address with a user name or a password is not fetched")
    return host.lower()


async def _find_address(url: str, host: str, variables: Mapping[str, str], may_reach: Reach) -> str:
    """Return the address to connect to; empty where a proxy finds it.

    Raises:
        PageError: it is in a private network, or there is none.
    """
    if may_reach(host):
        return ""
    proxy = find_proxy(url, variables)
    if proxy and not proxy.is_bypassed:
        if is_private_name(host):
            raise PageError(f"{host} is in a private network, from which nothing is fetched")
        return ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise PageError(f"there is no host {host}") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or any(is_private(address) for address in addresses):
        raise PageError(f"{host} is in a private network, from which nothing is fetched")
    return addresses[0]


def is_private_name(host: str) -> bool:
    """Return whether a host is of a private network by what is written."""
    try:
        return is_private(host)
    except ValueError:
        return (
            host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".home.arpa")) or "." not in host
        )


def is_private(address: str) -> bool:
    """Return whether an IP address is none of the public internet.

    Raises:
        ValueError: it is no IP address.
    """
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        inner = one.ipv4_mapped or one.sixtofour or (one.teredo[1] if one.teredo else None)
        if one in _NAT64:
            inner = ipaddress.IPv4Address(int(one) & 0xFFFFFFFF)
        if inner:
            return not inner.is_global
    return not one.is_global or one.is_multicast
