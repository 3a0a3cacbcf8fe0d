"""What a run has around it: the way to the provider, the terminal, the language, and what confines its commands."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping

from cline_cli.commands._doctor_report import Check, from_error
from cline_cli.environment import Environment
from cline_cli.errors import UnreachableError
from cline_cli.frontends.choose import why_plain
from cline_cli.network.http import check_proxies
from cline_cli.network.route import Trust, describe_trust, find_proxy


def check_way(
    url: str,
    variables: Mapping[str, str],
    see_proxies: Callable[[Mapping[str, str]], None] = check_proxies,
    read_trust: Callable[[Mapping[str, str]], Trust] = describe_trust,
) -> Iterator[Check]:
    """Say how a provider's address is reached; an empty one is a model of this machine."""
    if not url:
        yield Check("proxy", "ok", "not needed: the model runs on this machine")
        return
    yield _check_proxy(url, variables, see_proxies)
    if url.lower().startswith("https:"):
        yield from _check_trust(variables, read_trust)
    else:
        yield Check("certificates", "ok", f"not needed: {url} is not encrypted")


def _check_proxy(url: str, variables: Mapping[str, str], see_proxies: Callable[[Mapping[str, str]], None]) -> Check:
    try:
        see_proxies(variables)
    except UnreachableError as error:
        return from_error("proxy", error)
    except ImportError:
        return Check("proxy", "note", "not looked at: httpx is not installed")
    proxy = find_proxy(url, variables)
    if proxy is None:
        return Check("proxy", "ok", "none")
    if proxy.is_bypassed:
        return Check("proxy", "ok", f"none for {url}: NO_PROXY takes it out of {proxy.source} ({proxy.address})")
    return Check("proxy", "ok", f"{proxy.address} ({proxy.source})")


def _check_trust(variables: Mapping[str, str], read_trust: Callable[[Mapping[str, str]], Trust]) -> Iterator[Check]:
    try:
        trust = read_trust(variables)
    except UnreachableError as error:
        yield from_error("certificates", error)
        return
    except ImportError:
        yield Check("certificates", "note", "not looked at: httpx is not installed")
        return
    for problem in trust.problems:
        yield Check("certificates", "bad", problem, "Correct it, or unset it")
    if trust.is_empty:
        text = f"there is not one in {' and '.join(trust.places) or 'this system'}, so no server can be trusted"
        yield Check("certificates", "fatal", text, "Set SSL_CERT_FILE to a file with those that you trust")
    else:
        yield Check("certificates", "ok", " and ".join(trust.places))


def check_terminal(environment: Environment, *, is_approved: bool) -> Iterator[Check]:
    """Say how a run would be shown, and whether somebody can be asked; `is_approved` is a run that asks nobody."""
    variables = environment.variables
    name = variables.get("TERM", "") or "TERM is not set"
    if not environment.is_stdout_terminal:
        yield Check("terminal", "ok", "standard output is not a terminal: plain text, the answer alone")
    elif plain := why_plain(variables):
        yield Check("terminal", "ok", f"{_size(environment)}, plain text without colours: {plain}")
    else:
        yield Check("terminal", "ok", f"{name}, {_size(environment)}, with colours")
    if is_approved:
        yield Check("questions", "ok", "none are asked: commands and edits run at once")
    elif why := environment.why_not_interactive():
        yield Check("questions", "note", f"nobody can be asked: {why}", "Without -y a run changes nothing")
    else:
        yield Check("questions", "ok", "are asked at the terminal")


def _size(environment: Environment) -> str:
    try:
        columns, lines = os.get_terminal_size(environment.stdout or 1)
    except OSError:
        return "its size is not known"
    return f"{columns} x {lines}" if columns and lines else "its size is not known"


def check_language(variables: Mapping[str, str]) -> Check:
    """Say which encoding the terminal is told of; output is UTF-8, whatever that is."""
    name = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if variables.get(name)), "")
    if name and re.search(r"utf-?8", variables[name], re.IGNORECASE):
        return Check("language", "ok", f"{variables[name]} (${name})")
    text = f"{variables[name]} (${name}) is not UTF-8" if name else "LANG is not set"
    return Check("language", "note", f"{text}; output is UTF-8 all the same", "export LC_ALL=C.UTF-8")
