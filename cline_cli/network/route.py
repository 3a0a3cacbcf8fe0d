"""Which way requests go, told and not taken: the proxy in force, and the certificates that are trusted.

What httpx does with the variables is told here without it (0.28; a test compares the two): of `https_proxy` and
HTTPS_PROXY the one in small letters wins, then that of the URL's scheme before that of all; NO_PROXY is a list of
hosts, of which `example.com` means its subdomains too, `.example.com` them alone, and `*` everything.
"""

from __future__ import annotations

import ipaddress
import os
import platform
import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from cline_cli.network.trust import CA_VARIABLES, Loaded, add_extra, load_certificates

DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    address: str
    """Without a user name or a password."""
    source: str
    """For people: "$HTTPS_PROXY"."""
    is_bypassed: bool
    """NO_PROXY says that this server is reached without it."""


class Trust(NamedTuple):
    places: tuple[str, ...]
    """Where the certificates come from, and why from there."""
    problems: tuple[str, ...]
    """What was named and is of no use."""
    is_empty: bool
    """There is no certificate at all, so no server can be trusted."""


def read_system_proxies() -> Mapping[str, str]:
    """Return scheme -> proxy of a system that keeps such settings outside of the environment: macOS."""
    if platform.system() != "Darwin":
        return {}
    from urllib.request import getproxies  # lazy: 30 ms, for one system

    return getproxies()


def find_proxy(
    url: str, variables: Mapping[str, str], read_system: Callable[[], Mapping[str, str]] = read_system_proxies
) -> Proxy | None:
    """Return the proxy for requests to a URL, or None where none is set."""
    found = _from_variables(variables)
    if not found:
        found = {scheme: (value, "the system's settings") for scheme, value in read_system().items()}
    scheme = urlsplit(url).scheme
    value, source = found.get(scheme) or found.get("all") or ("", "")
    if not value:
        return None
    exceptions = [each.strip() for each in found.get("no", ("", ""))[0].split(",")]
    is_bypassed = "*" in exceptions or any(_covers(each, url) for each in exceptions if each)
    return Proxy(hide_credentials(value), source, is_bypassed)


def hide_credentials(url: str) -> str:
    """Return a URL without the user name and the password in it."""
    return url.replace(find_credentials(url), "", 1)


def find_credentials(url: str) -> str:
    """Return the `user:password@` of a URL; empty where there is none."""
    before, at, _ = url.rpartition("://")[2].rpartition("@")
    return before + at


def describe_trust(variables: Mapping[str, str]) -> Trust:
    """Return whose certificates are trusted.

    Raises:
        UnreachableError: a request could not be made, because extra ones cannot be read.
    """
    paths = ssl.get_default_verify_paths()
    loaded = load_certificates(variables, paths)
    places, fault, is_empty = _describe_own(loaded, paths, variables)  # before there are others among them
    add_extra(loaded.context, variables, paths)
    extra = {name: variables[name] for name in CA_VARIABLES if variables.get(name) not in {None, "", paths.cafile}}
    if loaded.place:
        places, is_empty = [loaded.place], False
    places += [f"{path} (${name})" for name, path in extra.items()]
    return Trust(tuple(places), tuple(_find_problems(variables, fault)), is_empty and not extra)


def _describe_own(
    loaded: Loaded, paths: ssl.DefaultVerifyPaths, variables: Mapping[str, str]
) -> tuple[list[str], str, bool]:
    """Return where OpenSSL finds certificates, what is wrong with its file, and whether there is not one."""
    has_folder = bool(paths.capath and any(Path(paths.capath).glob("*.0")))
    count = 1 if loaded.place else loaded.context.cert_store_stats()["x509"]
    fault = _fault_of_file(paths.cafile) if paths.cafile and not count else ""
    places: list[str] = []
    if paths.cafile and not fault:
        places.append(_describe_place(paths.cafile, "SSL_CERT_FILE", variables))
    if paths.capath and has_folder:
        places.append(_describe_place(paths.capath, "SSL_CERT_DIR", variables))
    return places, fault, not count and not has_folder


def _describe_place(path: str, name: str, variables: Mapping[str, str]) -> str:
    return f"{path} ({f'${name}' if variables.get(name) else 'of the system'})"


def _find_problems(variables: Mapping[str, str], fault: str) -> list[str]:
    """Return what is wrong with the two variables that OpenSSL reads, which complains of nothing.

    `fault` is what is wrong with what is in the file, if that is known.
    """
    problems: list[str] = []
    file, folder = variables.get("SSL_CERT_FILE"), variables.get("SSL_CERT_DIR")
    if file and not os.path.isfile(file):
        fault = "which is not a file" if os.path.lexists(file) else "which does not exist"
    if file and fault:
        problems.append(f"$SSL_CERT_FILE names {file}, {fault}")
    if folder and not os.path.isdir(folder):
        problems.append(f"$SSL_CERT_DIR names {folder}, which is not a folder")
    elif folder and not any(Path(folder).glob("*.0")):
        problems.append(f"$SSL_CERT_DIR names {folder}, which holds none (c_rehash gives them their names)")
    return problems


def _fault_of_file(path: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "which holds no certificate"
    except OSError as error:
        return f"which cannot be read: {error.strerror}"
    return ""


def _from_variables(variables: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return scheme -> its proxy and where that comes from; under "no" the hosts without one."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in variables.items():
        scheme, is_proxy, _ = name.lower().partition("_proxy")
        if is_proxy and name.lower() == f"{scheme}_proxy" and value:
            found[scheme] = (value, f"${name}")
    if "REQUEST_METHOD" in variables:  # a web server's child: HTTP_PROXY is then what a client sent as a header
        found.pop("http", None)
    for scheme in ("http", "https", "all", "no"):
        name = f"{scheme}_proxy"
        if variables.get(name):
            found[scheme] = (variables[name], f"${name}")
        elif name in variables:
            found.pop(scheme, None)
    return found


def _covers(exception: str, url: str) -> bool:
    """Return whether one entry of NO_PROXY means the server at a URL."""
    target, entry = urlsplit(url), urlsplit(_to_pattern(exception))
    try:
        host, port, own_port = entry.hostname or "", entry.port, target.port
    except ValueError:  # no port; httpx refuses it, see check_proxies
        return False
    if own_port == DEFAULT_PORTS.get(target.scheme):
        own_port = None
    if entry.scheme not in {"all", target.scheme} or port not in {None, own_port}:
        return False
    before = ""
    if host.startswith("*"):
        before, host = (r".+\.", host[2:]) if host.startswith("*.") else (r"(.+\.)?", host[1:])
    return bool(host) and re.fullmatch(before + re.escape(host), target.hostname or "") is not None


def _to_pattern(exception: str) -> str:
    """Return an entry as a URL of any scheme; `*` before its host means subdomains, as in `all://*example.com`."""
    if "://" in exception:
        return exception
    try:
        version = ipaddress.ip_address(exception.partition("/")[0]).version
    except ValueError:
        return f"all://{exception}" if exception.lower() == "localhost" else f"all://*{exception}"
    return f"all://[{exception}]" if version == 6 else f"all://{exception}"
