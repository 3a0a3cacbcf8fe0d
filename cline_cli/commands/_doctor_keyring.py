"""The keyring: what it is, and whether it would give a key, without a window that opens."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from cline_cli.commands._doctor_report import Check, Status
from cline_cli.config._store import NoStoreError, Store, StoreError
from cline_cli.config.settings import StoreChoice

State = Literal["ok", "not asked", "none", "failed"]
WAYS = "Unlock it or set it up, or keep keys in a file with `cline auth --insecure-storage`"


class Keyring(Store, Protocol):
    """A store that tells of itself; `config._keyring` has one."""

    def name(self) -> str: ...
    def check(self) -> bool: ...


class KeyringView(NamedTuple):
    """A keyring, after it was looked at."""

    check: Check
    store: Store
    """To read keys from: one that fails as it would fail a run, and is not asked in vain."""
    state: State
    backend: str = ""
    """What it calls itself; empty where that is not known."""


class _FailedStore(NamedTuple):
    """A keyring that was found locked or broken: reading from it would open a window, or fail once more."""

    failure: StoreError
    place: str = "the keyring"

    def read(self, provider: str) -> str | None:  # noqa: ARG002  # as every store
        raise self.failure

    def write(self, provider: str, key: str) -> None:  # noqa: ARG002  # as every store
        raise self.failure

    def delete(self, provider: str) -> bool:  # noqa: ARG002  # as every store
        raise self.failure


def look_at_keyring(keyring: Keyring, choice: StoreChoice, key_file: Path) -> KeyringView:
    """Say what the keyring is and whether it answers; `choice` is where the settings want keys to be kept."""
    backend = ""
    try:
        backend = keyring.name()
        was_asked = keyring.check()
    except NoStoreError as error:
        if choice == "keyring":
            text = f"{error}, and the settings want keys to be kept in one"
            return KeyringView(Check("keyring", "bad", text, "Set credentials.store to auto"), keyring, "none")
        check = Check("keyring", "note", f"none here: `cline auth` keeps keys in {key_file}")
        return KeyringView(check, keyring, "none")
    except StoreError as error:
        status: Status = "note" if choice == "file" else "bad"
        text = f"{backend}: {error}" if backend else str(error)
        return KeyringView(Check("keyring", status, text, WAYS), _FailedStore(error), "failed", backend)
    if not was_asked:
        text = f"{backend}; not asked, because that may open a window"
        return KeyringView(Check("keyring", "ok", text), keyring, "not asked", backend)
    use = "; the settings keep keys in a file" if choice == "file" else ""
    return KeyringView(Check("keyring", "ok", f"{backend}, it answers{use}"), keyring, "ok", backend)
