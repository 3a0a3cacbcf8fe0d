"""Signing in: from what was asked, and what a person answers at the terminal, to saved settings and a saved key.

Settings are saved before the key, so that a folder that cannot be written is found out before a key is anywhere.
"""

from __future__ import annotations

import getpass
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from cline_cli.config.addresses import check_base_url, is_same_origin
from cline_cli.config.credentials import OWN_VARIABLE, Stores, clean_key, forget_key_in_file, read_key_line, save_key
from cline_cli.config.settings import change_settings, load_settings
from cline_cli.environment import Environment
from cline_cli.errors import NotSignedInError, UsageError
from cline_cli.providers import PROVIDERS, Row, require

DEFAULT_PROVIDER = "cline"
KEY_PAGES = {
    "cline": "https://app.cline.bot, under Settings, API Keys",
    "openrouter": "https://openrouter.ai/keys",
    "openai-compatible": "https://platform.openai.com/api-keys",
}
"""Where people make a key, at the vendors' own servers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line said; None where it did not."""

    provider: str | None = None
    key: str | None = field(default=None, repr=False)
    """`-` for the first line of stdin."""
    model: str | None = None
    base_url: str | None = None
    is_storage_insecure: bool = False
    """A file will do, even where there is a keyring."""


class Outcome(NamedTuple):
    sentence: str
    """What was done, for stdout."""
    notices: tuple[str, ...] = ()
    """What the person should know, for stderr."""


class Terminal(Protocol):
    """A person who answers."""

    def ask(self, question: str) -> str: ...
    def ask_secret(self, question: str) -> str: ...


class DevTty:
    """The person at /dev/tty, wherever stdin and stdout lead."""

    def ask(self, question: str) -> str:
        with Path("/dev/tty").open("w") as screen:
            screen.write(question)
        with Path("/dev/tty").open(errors="replace") as keyboard:
            return keyboard.readline().strip()

    def ask_secret(self, question: str) -> str:
        try:
            return getpass.getpass(question)
        except EOFError:
            return ""


def sign_in(
    asked: Asked, environment: Environment, settings_file: Path, stores: Stores, terminal: Terminal | None
) -> Outcome:
    """Save what was asked; `terminal` is None where nobody can be asked for the rest.

    Raises:
        UsageError: something is missing or cannot be.
        NotSignedInError: the key could not be kept.
        ClineError: the settings could not be saved.
    """
    name, row = _find_provider(asked, terminal)
    settings = load_settings(settings_file)
    before = settings.of(name)
    model = _find_model(asked, name, before.model or row.default_model, terminal)
    changes: dict[tuple[str, ...], str | None] = {("provider",): name}
    if asked.model is not None or model != row.default_model:
        changes["providers", name, "model"] = model
    if not row.key_variables:
        _refuse_key(asked, name)
        change_settings(settings_file, changes)
        return Outcome(f"Runs now ask {name} with {model}; it needs no key.")
    url_before = before.base_url or row.base_url
    url = _find_base_url(asked, name, url_before)
    changes["providers", name, "base_url"] = None if url == row.base_url else url
    key = _find_key(asked, name, url, environment, terminal)
    if not is_same_origin(url, url_before):
        # The old key was for another server: from here on no run may send it to the new one.
        forget_key_in_file(name, stores)
        changes["providers", name, "key_store"] = None
    change_settings(settings_file, changes)
    try:
        saved = save_key(name, key, "file" if asked.is_storage_insecure else settings.credentials_store, stores)
    except NotSignedInError as error:
        error.message += " (the provider and the model are saved)"
        raise
    change_settings(settings_file, {("providers", name, "key_store"): saved.store})
    at = "" if url == row.base_url else f" at {url}"
    notices = [saved.notice] if saved.notice else []
    notices += _warn_of_shell_history(asked, name, terminal) + warn_of_plain_http(url)
    notices += _warn_of_variables(row, url, environment)
    return Outcome(f"Signed in to {name}{at} with {model}; the key is in {saved.place}.", tuple(notices))


def _find_provider(asked: Asked, terminal: Terminal | None) -> tuple[str, Row]:
    if asked.provider is not None:
        return require(asked.provider)
    if terminal is None:
        raise UsageError("no provider was given", "Name one, and pipe the key in: cline auth -p cline -k -")
    names = ", ".join(PROVIDERS)
    return require(terminal.ask(f"Provider ({names}) [{DEFAULT_PROVIDER}]: ") or DEFAULT_PROVIDER)


def _find_model(asked: Asked, provider: str, known: str, terminal: Terminal | None) -> str:
    model = known if asked.model is None else asked.model.strip()
    if not model and asked.model is None and terminal:
        model = terminal.ask(f"Model of {provider}: ")
    if not model:
        raise UsageError(f"{provider} needs a model", "Name one with -m")
    if not model.isprintable():
        raise UsageError(f"the model {model!r} has characters that no name has")
    return model


def _find_base_url(asked: Asked, provider: str, known: str) -> str:
    if asked.base_url is not None:
        try:
            return check_base_url(asked.base_url)
        except ValueError as error:
            message = f"--base-url {asked.base_url!r} is no address of a server: {error}"
            raise UsageError(message, "Give one of the form https://host/path") from None
    if not known:
        raise UsageError(f"{provider} needs an address", "Give it with --base-url")
    return known


def _refuse_key(asked: Asked, provider: str) -> None:
    for option, value in (("--key", asked.key), ("--base-url", asked.base_url)):
        if value is not None:
            raise UsageError(f"{option} does not go with {provider}: it needs none")


def _find_key(asked: Asked, provider: str, url: str, environment: Environment, terminal: Terminal | None) -> str:
    if asked.key is not None and asked.key != "-":
        return clean_key(asked.key, "-k")
    if terminal and (asked.key is None or environment.is_stdin_terminal):
        page = KEY_PAGES.get(provider) if is_same_origin(url, PROVIDERS[provider].base_url) else None
        where = f"Make one at {page}." if page else f"Whoever runs {url} gives them out."
        return clean_key(
            terminal.ask_secret(f"{provider} needs a key. {where}\nKey (it is not shown): "), "the terminal"
        )
    if asked.key is None:
        raise UsageError(f"{provider} needs a key", f"Pipe it in: cline auth -p {provider} -k - < FILE")
    return read_key_line(environment.stdin)


def _warn_of_shell_history(asked: Asked, provider: str, terminal: Terminal | None) -> list[str]:
    if asked.key in {None, "-"} or terminal is None:
        return []
    return [f"the key is in your shell's history now; cline auth -p {provider} -k - reads it from stdin"]


def warn_of_plain_http(url: str) -> list[str]:
    """Return what to tell of an address at which a key travels in the open: one line, or none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return []
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    return [] if is_loopback else [f"{url} is not encrypted: whoever is on the way to {host} can read the key"]


def _warn_of_variables(row: Row, url: str, environment: Environment) -> list[str]:
    is_own = is_same_origin(url, row.base_url)
    names = [name for name in row.key_variables if name in environment.variables and (is_own or name == OWN_VARIABLE)]
    return [f"${name} is set, and goes before the saved key" for name in names]
