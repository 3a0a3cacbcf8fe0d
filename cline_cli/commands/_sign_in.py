"""Signing in: from what was asked, or what a person answered, to saved settings and a saved key.

Settings are saved before the key, so that a folder that cannot be written is found out before a key is anywhere; and
a signal in between waits until both are there. Nobody is asked here: `_guided.py` does that.
"""

from __future__ import annotations

import contextlib
import ipaddress
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NamedTuple
from urllib.parse import urlsplit

from cline_cli.config.addresses import check_base_url, is_same_origin
from cline_cli.config.credentials import OWN_VARIABLE, Stores, clean_key, forget_key_in_file, read_key_line, save_key
from cline_cli.config.settings import Settings, change_settings, load_settings
from cline_cli.environment import Environment
from cline_cli.errors import NotSignedInError, UsageError
from cline_cli.providers import Row, require


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


@dataclass(frozen=True, slots=True)
class Answers:
    """All that is to be saved, every part of it checked."""

    provider: str
    row: Row
    model: str
    base_url: str
    """Empty for a model of this machine."""
    key: str = field(repr=False)
    """Empty where none is needed, or the one that is saved stays."""
    is_model_fixed: bool = False
    """It was named, so it is saved even where it is the provider's default, which may become another."""


class Outcome(NamedTuple):
    sentence: str
    """What was done, for stdout."""
    notices: tuple[str, ...] = ()
    """What the person should know, for stderr."""


def sign_in(asked: Asked, environment: Environment, settings_file: Path, stores: Stores) -> Outcome:
    """Save what was asked. Asks nobody, and sends nothing.

    Raises:
        UsageError: something is missing or cannot be.
        NotSignedInError: the key could not be kept.
        ClineError: the settings could not be saved.
    """
    if asked.provider is None:
        raise UsageError("no provider was given", "Name one, and pipe the key in: cline auth -p cline -k -")
    name, row = require(asked.provider)
    settings = load_settings(settings_file)
    before = settings.of(name)
    model = check_model(asked.model if asked.model is not None else before.model or row.default_model, name)
    refuse_what_is_useless(asked, name, row)
    base_url = find_address(asked, name, before.base_url or row.base_url) if row.key_variables else ""
    key = _find_key(asked, name, row, environment)
    answers = Answers(name, row, model, base_url, key, is_model_fixed=asked.model is not None)
    return save(answers, asked, environment, settings_file, stores)


def is_complete(asked: Asked, settings: Settings) -> bool:
    """Whether what was asked can be saved as it is, so that a person need not be asked for anything."""
    if asked.provider is None:
        return False
    name, row = require(asked.provider)
    has_model = bool(asked.model is not None or settings.of(name).model or row.default_model)
    needs_key = bool(row.key_variables) and not row.is_key_optional
    return has_model and (asked.key is not None or not needs_key)


def save(answers: Answers, asked: Asked, environment: Environment, settings_file: Path, stores: Stores) -> Outcome:
    """Save provider, model, address and key; a signal that comes meanwhile takes effect when all of it is done.

    Raises:
        NotSignedInError: the key could not be kept.
        ClineError: the settings could not be saved.
    """
    with _signals_put_off():
        return _save(answers, asked, environment, settings_file, stores)


def _save(answers: Answers, asked: Asked, environment: Environment, settings_file: Path, stores: Stores) -> Outcome:
    name, row, url = answers.provider, answers.row, answers.base_url
    settings = load_settings(settings_file)
    before = settings.of(name)
    changes: dict[tuple[str, ...], str | None] = {("provider",): name}
    if answers.is_model_fixed or answers.model != row.default_model:
        changes["providers", name, "model"] = answers.model
    elif before.model:
        changes["providers", name, "model"] = None
    if not row.key_variables:
        change_settings(settings_file, changes)
        return Outcome(f"Runs now ask {name} with {answers.model}; it needs no key.")
    changes["providers", name, "base_url"] = None if url == row.base_url else url
    is_moved = not is_same_origin(url, before.base_url or row.base_url)
    if is_moved:
        # The old key was for another server: from here on no run may send it to the new one.
        forget_key_in_file(name, stores)
        changes["providers", name, "key_store"] = None
    change_settings(settings_file, changes)
    at = "" if url == row.base_url else f" at {url}"
    if not answers.key:
        what = "with its saved key" if before.key_store and not is_moved else "without a key"
        return Outcome(f"Runs now ask {name}{at} with {answers.model}, {what}.")
    try:
        saved = save_key(name, answers.key, "file" if asked.is_storage_insecure else settings.credentials_store, stores)
    except NotSignedInError as error:
        error.message += " (the provider and the model are saved)"
        raise
    change_settings(settings_file, {("providers", name, "key_store"): saved.store})
    notices = [saved.notice] if saved.notice else []
    notices += warn_of_plain_http(url) + _warn_of_variables(row, url, environment)
    return Outcome(f"Signed in to {name}{at} with {answers.model}; the key is in {saved.place}.", tuple(notices))


def check_model(model: str, provider: str) -> str:
    """Return the name of a model without the space around it.

    Raises:
        UsageError: it cannot be one.
    """
    model = model.strip()
    if not model:
        raise UsageError(f"{provider} needs a model", "Name one with -m")
    if not model.isprintable():
        raise UsageError(f"the model {model!r} has characters that no name has")
    return model


def find_address(asked: Asked, provider: str, known: str) -> str:
    """Return the address that was asked for, or the one that is known.

    Raises:
        UsageError: it is none, or there is none.
    """
    if asked.base_url is not None:
        try:
            return check_base_url(asked.base_url)
        except ValueError as error:
            message = f"--base-url {asked.base_url!r} is no address of a server: {error}"
            raise UsageError(message, "Give one of the form https://host/path") from None
    if not known:
        raise UsageError(f"{provider} needs an address", "Give it with --base-url")
    return known


def refuse_what_is_useless(asked: Asked, provider: str, row: Row) -> None:
    """See that no key and no address are given for a model of this machine.

    Raises:
        UsageError: one is.
    """
    if row.key_variables:
        return
    for option, value in (("--key", asked.key), ("--base-url", asked.base_url)):
        if value is not None:
            raise UsageError(f"{option} does not go with {provider}: it needs none")


def _find_key(asked: Asked, provider: str, row: Row, environment: Environment) -> str:
    if asked.key is None:
        if row.is_key_optional or not row.key_variables:
            return ""
        raise UsageError(f"{provider} needs a key", f"Pipe it in: cline auth -p {provider} -k - < FILE")
    return read_key_line(environment.stdin) if asked.key == "-" else clean_key(asked.key, "-k")


def warn_of_shell_history(asked: Asked) -> list[str]:
    """Return what to tell a person who typed a key into a command line: one line, or none."""
    if asked.key in {None, "-"}:
        return []
    return ["the key is in your shell's history now; cline auth -k - reads it from stdin, and cline auth asks for it"]


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
    is_own = row.is_key_optional or is_same_origin(url, row.base_url)
    names = [name for name in row.key_variables if name in environment.variables and (is_own or name == OWN_VARIABLE)]
    return [f"${name} is set, and goes before the saved key" for name in names]


@contextlib.contextmanager
def _signals_put_off() -> Iterator[None]:
    """Let signals that end the process wait until the block is left: what it does is done whole."""
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    held = {number: handler for number, handler in before.items() if handler not in {None, signal.SIG_IGN}}
    for number in held:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
