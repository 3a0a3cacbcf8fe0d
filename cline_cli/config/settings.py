"""What the person has set up, in `settings.toml`; a run only reads it, `cline auth` writes it.

    provider = "cline"                  # whom a run asks
    auto_approve = false

    [providers.cline]
    model = "anthropic/claude-sonnet-4.6"
    base_url = "https://..."            # only where it is not the provider's own
    key_store = "keyring"               # or "file": where the key was put, so that no run looks in vain

    [stdin]
    max_bytes = 200_000                 # more than that goes into a file, which the model is told of

    [credentials]
    store = "auto"                      # or "keyring": never a file; or "file": never the keyring

Keys that are not known are kept as they are, and so are comments. No key of a provider ever stands here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar
from urllib.parse import SplitResult, urlsplit

from cline_cli.config._files import read_small_file
from cline_cli.errors import ClineError, SettingsError, UsageError
from cline_cli.machine.files import locked, make_private_folder, write_atomic

KeyStore = Literal["keyring", "file"]
StoreChoice = Literal["auto", "keyring", "file"]
KEY_STORES: Final[tuple[KeyStore, ...]] = ("keyring", "file")
STORE_CHOICES: Final[tuple[StoreChoice, ...]] = ("auto", "keyring", "file")
Word = TypeVar("Word", KeyStore, StoreChoice)
Table = MutableMapping[str, object]
Changes = Mapping[tuple[str, ...], str | bool | None]
"""Path of a setting -> its new value, or None to take it away: `{("providers", "cline", "model"): "x"}`."""

PROTECTING: Final = ("policy", "sandbox", "max_cost", "max_turns")
"""Settings that limit what a run may do and are not built yet: refused, where others that are not known are kept."""
REPAIR: Final = "Correct it, or move it away and run `cline auth` again"


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    model: str = ""
    """Empty where none was saved, likewise the next."""
    base_url: str = ""
    key_store: KeyStore | None = None
    """None where no key was saved."""


@dataclass(frozen=True, slots=True)
class Settings:
    provider: str = ""
    """Empty where none was saved."""
    auto_approve: bool = False
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    credentials_store: StoreChoice = "auto"
    max_stdin_bytes: int = 200_000

    def of(self, provider: str) -> ProviderSettings:
        return self.providers.get(provider, ProviderSettings())


def load_settings(path: Path) -> Settings:
    """Return what the file says; the defaults where there is no file.

    Raises:
        SettingsError: it cannot be read, is not valid TOML, or a value in it has the wrong type.
    """
    return _to_settings(_parse(_read(path), path), path)


def change_settings(path: Path, changes: Changes) -> Settings:
    """Make changes to the file, and to nothing else in it, and return what it says then.

    Other processes that do the same at the same time wait; the folder is made where there is none.

    Raises:
        SettingsError: the file as it stands cannot be used; it was not touched.
        ClineError: it cannot be written.
    """
    try:
        make_private_folder(path.parent)
        with locked(path.with_name(f"{path.name}.lock")):
            before = _read(path)
            wanted = _changed(_parse(before, path), changes, path)
            settings = _to_settings(wanted, path)
            try:
                after = _edit(before, changes, wanted)
            except (ValueError, RecursionError):
                names = ", ".join(".".join(keys) for keys in changes)
                raise SettingsError(f"cannot change {path} without changing more", f"Set by hand: {names}") from None
            write_atomic(path, after.encode(), mode=0o600)
    except OSError as error:
        raise ClineError(f"cannot save {path}: {error.strerror}", "Name another folder with --config") from error
    return settings


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
    if parts.query or parts.fragment:
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


class Choice(NamedTuple):
    provider: str
    """As it was given: perhaps another name of it."""
    source: str
    """For people: "-P", "$CLINE_PROVIDER", "the settings", "$CLINE_API_KEY"."""
    others: tuple[str, ...] = ()
    """Providers that would have done as well: their keys are in the environment too."""


def choose_provider(
    flag: str | None, variables: Mapping[str, str], settings: Settings, key_variables: Mapping[str, tuple[str, ...]]
) -> Choice | None:
    """Say whom a run asks: `-P`, CLINE_PROVIDER, the saved one, or the first whose key is in the environment.

    `key_variables` are each provider's, in the order of preference. None where nothing is set up.
    """
    if flag:
        return Choice(flag, "-P")
    if named := variables.get("CLINE_PROVIDER"):
        return Choice(named, "$CLINE_PROVIDER")
    if settings.provider:
        return Choice(settings.provider, "the settings")
    found: dict[str, str] = {}
    for provider, names in key_variables.items():
        for name in names:
            if name in variables:  # set but empty counts too: it is told as such, and no other key is taken for it
                found.setdefault(provider, name)
    if not found:
        return None
    first, *others = found
    return Choice(first, f"${found[first]}", tuple(name for name in others if variables[found[name]].strip()))


def find_base_url(provider: str, own: str, variables: Mapping[str, str], settings: Settings) -> str:
    """Return the address in force: for cline the origin in CLINE_API_BASE_URL; else the saved one; else its `own`.

    Raises:
        UsageError: the variable holds no address.
    """
    origin = variables.get("CLINE_API_BASE_URL") if provider == "cline" else None
    if not origin:
        return settings.of(provider).base_url or own
    try:
        return f"{check_base_url(origin).removesuffix('/api/v1')}/api/v1"
    except ValueError as error:
        message = f"CLINE_API_BASE_URL {origin!r} is no address of a server: {error}"
        raise UsageError(message, "Give one of the form https://host, or unset it") from None


def _read(path: Path) -> str:
    try:
        content = read_small_file(path)
        return content.data.decode("utf-8-sig") if content else ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"cannot read {path}: line {line} is not UTF-8", REPAIR) from None
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", REPAIR) from error


def _parse(text: str, path: Path) -> dict[str, object]:
    if not text:
        return {}
    import tomllib  # lazy: 5 ms, and most runs have no settings

    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise SettingsError(f"cannot read {path}: {error}", REPAIR) from None
    except RecursionError:
        raise SettingsError(f"cannot read {path}: it is nested too deeply", REPAIR) from None


def _to_settings(table: Mapping[str, object], path: Path) -> Settings:
    reader = _Reader(path)
    for name in PROTECTING:
        if name in table:
            raise SettingsError(f"{path}: {name} is not supported yet, and nothing runs without what it asks for")
    providers = reader.table(table, "providers")
    credentials = reader.table(table, "credentials")
    stdin = reader.table(table, "stdin")
    return Settings(
        provider=reader.text(table, "provider"),
        auto_approve=reader.flag(table, "auto_approve"),
        providers={
            name: _to_provider(reader, name, reader.table(providers, f"providers.{name}", name)) for name in providers
        },
        credentials_store=reader.one_of(credentials, "credentials.store", STORE_CHOICES) or "auto",
        max_stdin_bytes=reader.whole_number(stdin, "stdin.max_bytes", 200_000),
    )


def _to_provider(reader: _Reader, name: str, table: Mapping[str, object]) -> ProviderSettings:
    if not name.isprintable():
        raise reader.fault(f"providers.{name!r}", "has control characters in its name")
    base_url = reader.text(table, f"providers.{name}.base_url")
    try:
        base_url = base_url and check_base_url(base_url)
    except ValueError as error:
        raise reader.fault(f"providers.{name}.base_url", f"is no address of a server: {error}") from None
    return ProviderSettings(
        model=reader.text(table, f"providers.{name}.model"),
        base_url=base_url,
        key_store=reader.one_of(table, f"providers.{name}.key_store", KEY_STORES),
    )


class _Reader(NamedTuple):
    """Takes values of one type from a table; `name` is the whole path of a setting, for the message."""

    path: Path

    def fault(self, name: str, cause: str) -> SettingsError:
        return SettingsError(f"cannot use {self.path}: {name} {cause}", REPAIR)

    def text(self, table: Mapping[str, object], name: str) -> str:
        value = table.get(name.rpartition(".")[2], "")
        if not isinstance(value, str):
            raise self.fault(name, f"must be text in quotes, not {_kind(value)}")
        if not value.isprintable():
            raise self.fault(name, "has control characters in it")
        return value

    def flag(self, table: Mapping[str, object], name: str) -> bool:
        value = table.get(name, False)
        if not isinstance(value, bool):
            raise self.fault(name, f"must be true or false, not {_kind(value)}")
        return value

    def whole_number(self, table: Mapping[str, object], name: str, default: int) -> int:
        value = table.get(name.rpartition(".")[2], default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fault(name, f"must be a whole number, not {_kind(value)}")
        if value < 1:
            raise self.fault(name, f"must be at least 1, not {value}")
        return value

    def one_of(self, table: Mapping[str, object], name: str, legal: tuple[Word, ...]) -> Word | None:
        value = self.text(table, name)
        for word in legal:
            if word == value:
                return word
        if value:
            raise self.fault(name, f"must be one of {', '.join(legal)}, not {value!r}")
        return None

    def table(self, table: Mapping[str, object], name: str, key: str = "") -> Mapping[str, object]:
        value = table.get(key or name, {})
        if not isinstance(value, dict):
            raise self.fault(name, f"must be a table, not {_kind(value)}")
        return value


def _kind(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"


def _changed(table: dict[str, object], changes: Changes, path: Path) -> dict[str, object]:
    """Return the parsed file as it must read after the changes."""
    result = copy.deepcopy(table)
    for keys, value in changes.items():
        try:
            _change(result, keys, value, lambda _place, _depth: {})
        except TypeError:
            raise _Reader(path).fault(".".join(keys[:-1]), "must be a table") from None
    return result


def _edit(text: str, changes: Changes, wanted: Mapping[str, object]) -> str:
    """Return the file's text after the changes, comments and layout untouched.

    Raises:
        ValueError: the text cannot be edited so that it reads exactly as wanted.
    """
    import tomllib  # lazy: see _parse

    import tomlkit  # lazy: 23 ms, and only `cline auth` writes settings
    from tomlkit.exceptions import TOMLKitError  # lazy: see above
    from tomlkit.items import InlineTable  # lazy: see above

    def new_table(place: Table, depth: int) -> Table:
        return tomlkit.inline_table() if isinstance(place, InlineTable) else tomlkit.table(is_super_table=depth > 1)

    try:
        document = tomlkit.parse(text)
        for keys, value in changes.items():
            _change(document, keys, value, new_table)
        after = tomlkit.dumps(document)
    except TOMLKitError as error:
        raise ValueError("the editor cannot read what the reader can") from error
    if tomllib.loads(after) != wanted:
        raise ValueError("the editor changed something else")
    return after


def _change(
    place: Table, keys: tuple[str, ...], value: str | bool | None, new_table: Callable[[Table, int], Table]
) -> None:
    """Put a value where its path leads; `new_table` gets the table around it and how many keys are left.

    Raises:
        TypeError: something on the way is not a table.
    """
    key, *rest = keys
    if not rest:
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
        return
    if key not in place:
        if value is None:
            return
        place[key] = new_table(place, len(rest))
    inner = place[key]
    if not isinstance(inner, MutableMapping):
        raise TypeError(key)
    _change(inner, tuple(rest), value, new_table)
