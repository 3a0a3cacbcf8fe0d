"""Keys of providers: where a run finds one, and where `cline auth` puts it.

    -k  >  environment  >  keyring  >  credentials.json  >  the original command's providers.json

The first that exists wins, and one that exists and is empty or broken ends the search. A vendor's variable goes to the
vendor's own server only: a provider at another address gets `-k`, the key that was saved for it, or CLINE_API_KEY.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.config._key_file import KeyFile
from cline_cli.config._keyring import KeyringStore
from cline_cli.config._original import read_original_key
from cline_cli.config._store import NoStoreError, Store, StoreError
from cline_cli.config.addresses import is_same_origin
from cline_cli.config.paths import Paths, find_original
from cline_cli.config.settings import KeyStore, Settings, StoreChoice
from cline_cli.errors import NotSignedInError, UsageError
from cline_cli.machine.bell import ringing

OWN_VARIABLE: Final = "CLINE_API_KEY"
"""The one variable whose key may go to any address that the person has set up."""
FLAG_VARIABLE: Final = "CLINE_KEY"
"""Stands for `-k`, as every option's variable does for its option; so it holds a secret as well."""
MAX_KEY_CHARACTERS = 8192
"""Servers refuse headers that are much longer."""
SHOWN_LENGTH = 12
"""Of a shorter key not even the tail is shown."""


@dataclass(frozen=True, slots=True)
class Key:
    value: str = field(repr=False)
    source: str
    """For people, after "the key from": "-k", "$CLINE_API_KEY", "the keyring", a path."""
    also_saved: bool = False
    """Another key of that provider is saved, which this one goes before."""
    is_plain_text: bool = False
    """It lies in a file."""
    notice: str = ""
    """What the person should know of how it is kept, in one line; mostly empty."""

    @property
    def tail(self) -> str:
        """Its last characters, to tell it from another: `...f3a2`; empty for a short key."""
        return f"...{self.value[-4:]}" if len(self.value) >= SHOWN_LENGTH else ""


class Recipient(NamedTuple):
    """Who would be sent the key."""

    provider: str
    key_variables: tuple[str, ...]
    """The vendor's, the first that is set wins."""
    base_url: str
    """In force."""
    own_base_url: str
    """The vendor's."""
    is_own_server: bool = False
    """It is a server of one's own, so there is no vendor: its variables are for it wherever it runs."""

    @property
    def is_custom(self) -> bool:
        """Whether the server is another than the vendor's."""
        return not self.is_own_server and not is_same_origin(self.base_url, self.own_base_url)


class Stores(NamedTuple):
    keyring: Store
    file: KeyFile
    original: Path | None
    """The original command's file, which may not exist."""


class Saved(NamedTuple):
    store: KeyStore
    place: str
    """For people: "the keyring", or a path."""
    notice: str = ""
    """Why it is a file, in one line."""


class Removal(NamedTuple):
    places: tuple[str, ...]
    """Where a key was, and is no more."""
    failures: Mapping[KeyStore, str]
    """Which stores may still have it, and why."""


def open_stores(paths: Paths, home: Path | None, keyring: Store | None = None) -> Stores:
    """Return the stores of this user; nothing is read, made or imported before it is needed."""
    original = find_original(paths.original_providers, home)
    return Stores(keyring or KeyringStore(), KeyFile(paths.credentials_file), original.path if original else None)


def find_key(
    recipient: Recipient, flag: str | None, variables: Mapping[str, str], settings: Settings, stores: Stores
) -> Key:
    """Return the key to send; `flag` is what `-k` gave.

    Raises:
        UsageError: the key of `-k` cannot be one.
        NotSignedInError: there is no key, it cannot be one, or the store that has it does not answer.
    """
    if flag is not None:
        return Key(clean_key(flag, "-k"), "-k", also_saved=_is_saved(recipient, settings))
    key = look_for_key(recipient, variables, settings, stores)
    if key is None:
        raise _not_found(recipient, variables, settings)
    return key


def find_optional_key(
    recipient: Recipient, flag: str | None, variables: Mapping[str, str], settings: Settings, stores: Stores
) -> Key | None:
    """Return the key for a server of one's own, which needs none, or None where there is none; raises as `find_key`.

    Its variables go to it wherever it runs, since whoever set them meant that server; CLINE_API_KEY does not.
    """
    if flag is not None:
        return find_key(recipient, flag, variables, settings, stores)
    return look_for_key(recipient._replace(is_own_server=True), variables, settings, stores)


def look_for_key(recipient: Recipient, variables: Mapping[str, str], settings: Settings, stores: Stores) -> Key | None:
    """Return the key that a run without `-k` would send, or None where there is none.

    The keyring is asked only where the settings say that a key was put there: importing it takes 0.1 s and more.

    Raises:
        NotSignedInError: there is one and it cannot be a key, or the store that has it does not answer.
    """
    also_saved = _is_saved(recipient, settings)
    own = (OWN_VARIABLE,) if recipient.is_custom else recipient.key_variables
    sources: list[Callable[[], Key | None]] = [
        lambda: _from_environment(own, variables, also_saved=also_saved),
        lambda: _from_keyring(recipient, settings, stores),
        lambda: _from_file(recipient, stores),
        lambda: _from_original(recipient, stores),
    ]
    if recipient.is_custom and OWN_VARIABLE not in recipient.key_variables:
        # Cline's key must not go to another server that has a key of its own.
        sources.append(sources.pop(0))
    for source in sources:
        key = source()
        if key is not None:
            return key
    return None


def clean_key(text: str, source: str) -> str:
    """Return a key that was typed or piped in, without the white space around it.

    Raises:
        UsageError: it is empty, or cannot stand in an HTTP header.
    """
    key = text.strip()
    fault = _fault(key) if key else "is empty"
    if fault:
        raise UsageError(f"the key from {source} {fault}", "Give the key as the provider shows it")
    return key


def read_key_line(descriptor: int | None) -> str:
    """Return the key that the first line of stdin is, and leave what follows unread, for a prompt.

    Raises:
        UsageError: there is no line, or it cannot be a key.
    """
    try:
        line = _read_line(descriptor) if descriptor is not None else b""
    except OSError as error:
        raise UsageError(f"cannot read the key from standard input: {error.strerror}") from None
    return clean_key(line.removeprefix(codecs.BOM_UTF8).decode("ascii", "surrogateescape"), "standard input")


def _read_line(descriptor: int) -> bytes:
    """Raises OSError."""
    line = bytearray()
    with ringing() as bell:
        while not line.endswith(b"\n") and len(line) <= 2 * MAX_KEY_CHARACTERS:
            bell.wait_for(descriptor)
            # One byte at a time: a pipe takes back nothing that was read too far.
            byte = os.read(descriptor, 1)
            if not byte:
                break
            line += byte
    return bytes(line)


def save_key(provider: str, key: str, choice: StoreChoice, stores: Stores) -> Saved:
    """Keep a key, and read it back: in the keyring, or in the file where there is no keyring at all.

    Raises:
        NotSignedInError: it was not kept.
    """
    if choice != "file":
        try:
            stores.keyring.write(provider, key)
        except NoStoreError as error:
            if choice == "keyring":
                hint = f"{_ways(OWN_VARIABLE)}, or set credentials.store in the settings to auto"
                raise NotSignedInError(f"cannot save the key: {error}", hint) from None
        except StoreError as error:
            raise NotSignedInError(f"cannot save the key in the keyring: {error}", _ways(OWN_VARIABLE)) from None
        else:
            return Saved("keyring", stores.keyring.place, _forget_copy(provider, stores))
    try:
        stores.file.write(provider, key)
    except StoreError as error:
        raise NotSignedInError(
            f"cannot save the key in {stores.file.place}: {error}", f"Correct that, or set {OWN_VARIABLE}"
        ) from None
    why = "" if choice == "file" else "there is no keyring on this machine: "
    return Saved("file", stores.file.place, f"{why}the key lies in plain text in {stores.file.place}")


def remove_key(provider: str, stores: Stores) -> Removal:
    """Forget a provider's key wherever it was saved; what was not saved by this program is not touched."""
    places: list[str] = []
    failures: dict[KeyStore, str] = {}
    kinds: tuple[tuple[KeyStore, Store], ...] = (("keyring", stores.keyring), ("file", stores.file))
    for kind, store in kinds:
        try:
            if store.delete(provider):
                places.append(store.place)
        except NoStoreError:
            continue
        except StoreError as error:
            failures[kind] = f"cannot remove the key from {store.place}: {error}"
    return Removal(tuple(places), failures)


def forget_key_in_file(provider: str, stores: Stores) -> None:
    """Take a provider's key out of the file, so that no run finds it there whatever the settings say.

    Raises:
        NotSignedInError: it may still be there.
    """
    try:
        stores.file.delete(provider)
    except StoreError as error:
        message = f"cannot remove the old key from {stores.file.place}: {error}"
        raise NotSignedInError(message, "Correct that, or remove the file") from None


def _is_saved(recipient: Recipient, settings: Settings) -> bool:
    return settings.of(recipient.provider).key_store is not None


def _from_environment(names: tuple[str, ...], variables: Mapping[str, str], *, also_saved: bool) -> Key | None:
    name = next((name for name in names if name in variables), None)
    if name is None:
        return None
    key = variables[name].strip()
    if not key:
        raise NotSignedInError(f"{name} is set but empty", f"Set it to a key, or unset it (unset {name})")
    return Key(_checked(key, f"${name}", f"Correct it, or unset it (unset {name})"), f"${name}", also_saved)


def _from_keyring(recipient: Recipient, settings: Settings, stores: Stores) -> Key | None:
    if settings.of(recipient.provider).key_store != "keyring":
        return None
    try:
        key = stores.keyring.read(recipient.provider)
    except NoStoreError:
        return None
    except StoreError as error:
        hint = _ways(_variable(recipient))
        raise NotSignedInError(f"cannot read the key from {stores.keyring.place}: {error}", hint) from None
    if not key:
        return None
    return Key(_checked(key.strip(), stores.keyring.place, _again(recipient.provider)), stores.keyring.place)


def _from_file(recipient: Recipient, stores: Stores) -> Key | None:
    place = stores.file.place
    try:
        key = stores.file.read(recipient.provider)
        weakness = stores.file.weakness() if key else ""
    except StoreError as error:
        hint = f"Correct that, or remove the file. {_again(recipient.provider)}"
        raise NotSignedInError(f"cannot use {place}: {error}", hint) from None
    if not key:
        return None
    notice = f"{place} is not safe: {weakness}" if weakness else ""
    value = _checked(key.strip(), place, _again(recipient.provider))
    return Key(value, place, is_plain_text=True, notice=notice)


def _from_original(recipient: Recipient, stores: Stores) -> Key | None:
    found = read_original_key(stores.original, recipient.provider) if stores.original else None
    if found is None or not is_same_origin(found.base_url or recipient.own_base_url, recipient.base_url):
        return None
    key = _checked(found.key.strip(), str(stores.original), _again(recipient.provider))
    return Key(key, str(stores.original), is_plain_text=True)


def _fault(key: str) -> str:
    """Return what keeps a text from being a key, or an empty text; no more than one character of it is named."""
    if len(key) > MAX_KEY_CHARACTERS:
        return f"is longer than {MAX_KEY_CHARACTERS:,} characters"
    for position, character in enumerate(key, start=1):
        if not "!" <= character <= "~":
            return f"cannot be sent: character {position} is U+{ord(character):04X}, which no key has"
    return ""


def _checked(key: str, source: str, hint: str) -> str:
    fault = _fault(key)
    if fault:
        raise NotSignedInError(f"the key from {source} {fault}", hint)
    return key


def _not_found(recipient: Recipient, variables: Mapping[str, str], settings: Settings) -> NotSignedInError:
    provider = recipient.provider
    cause = ""
    if settings.of(provider).key_store == "keyring":
        cause = ": its key was put in the keyring, which does not have it here"
    elif recipient.is_custom:
        unsent = [name for name in recipient.key_variables if name != OWN_VARIABLE and variables.get(name)]
        cause = f": ${unsent[0]} is for the vendor's own server, not for {recipient.base_url}" if unsent else ""
    ways = f"Run `cline auth -p {provider}`, set {_variable(recipient)}, or use the embedded model with -P local"
    return NotSignedInError(f"not logged in to {provider}{cause}", ways)


def _variable(recipient: Recipient) -> str:
    names = () if recipient.is_custom else recipient.key_variables
    return names[0] if names else OWN_VARIABLE


def _ways(variable: str) -> str:
    return f"Unlock the keyring, set {variable}, or keep the key in a file with `cline auth --insecure-storage`"


def _again(provider: str) -> str:
    return f"Run `cline auth -p {provider}` again"


def _forget_copy(provider: str, stores: Stores) -> str:
    """Take an older key out of the file, now that the keyring has the new one; return what went wrong."""
    try:
        stores.file.delete(provider)
    except StoreError as error:
        return f"an older key may still lie in {stores.file.place}: {error}"
    return ""
