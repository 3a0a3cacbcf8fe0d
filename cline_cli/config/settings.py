"""What the person has set up, as the rest of the program sees it; the file is `settings.toml`.

    provider = "cline"                  # whom a run asks
    max_turns = 50                      # what stands for an option of a run

    [providers.cline]
    model = "anthropic/claude-sonnet-4.6"
    base_url = "https://..."            # only where it is not the provider's own
    key_store = "keyring"               # or "file": where the key was put, so that no run looks in vain

    [stdin]
    max_bytes = 200_000                 # more than that goes into a file, which the model is told of

All settings are rows of `definitions.py`. Names that are none are kept as they are, and so are comments. No key of a
provider ever stands here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

from cline_cli.config._document import parse_document, read_document
from cline_cli.config._editing import Changes, apply_changes
from cline_cli.config._reading import collect
from cline_cli.config.addresses import check_base_url, hide_password, read_ollama_host
from cline_cli.config.definitions import FAMILY, Key, Value
from cline_cli.errors import ClineError, UsageError
from cline_cli.machine.files import locked, make_private_folder, write_atomic

KeyStore = Literal["keyring", "file"]
StoreChoice = Literal["auto", "keyring", "file"]
KEY_STORES: Final[tuple[KeyStore, ...]] = ("keyring", "file")
Theme = Literal["auto", "dark", "light"]
THEMES: Final[tuple[Theme, ...]] = ("auto", "dark", "light")
STORE_CHOICES: Final[tuple[StoreChoice, ...]] = ("auto", "keyring", "file")
ADDRESS_VARIABLES: Final[Mapping[str, str]] = {"cline": "CLINE_API_BASE_URL", "ollama": "OLLAMA_HOST"}
"""What moves a provider to another server, by its name."""
_Word = TypeVar("_Word", KeyStore, StoreChoice, Theme)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    model: str = ""
    """Empty where none was saved, likewise the next."""
    base_url: str = ""
    key_store: KeyStore | None = None
    """None where no key was saved."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What is kept of runs, and how long."""

    keep: bool = True
    keep_days: int = 30
    """Since a session was last used; 0 is without end, likewise the next."""
    max_bytes: int = 1_000_000_000
    """Of all sessions together."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What may run, as the JSON of lists of patterns; the policy reads them."""

    allow: str = "[]"
    deny: str = "[]"
    allow_redirects: bool | None = None
    """None where nobody said."""


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """How a terminal is treated."""

    theme: Theme = "auto"
    has_title: bool = False
    bell_s: int = 0
    """Ring after runs of this length; 0 for never."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Those that are no option of a run; the others become options where nobody gave them."""

    provider: str = ""
    """Empty where none was saved."""
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict)
    credentials_store: StoreChoice = "auto"
    max_stdin_bytes: int = 200_000
    sessions: SessionSettings = SessionSettings()
    policy: PolicySettings = PolicySettings()
    console: ConsoleSettings = ConsoleSettings()

    def of(self, provider: str) -> ProviderSettings:
        return self.providers.get(provider, ProviderSettings())


def load_settings(path: Path) -> Settings:
    """Return what the file says; the defaults where there is no file.

    Raises:
        SettingsError: it cannot be read, is not valid TOML, or a value in it is wrong.
    """
    return to_settings(collect(read_document(path)).values)


def change_settings(path: Path, changes: Changes) -> Settings:
    """Make changes to the file, and to nothing else in it, and return what it says then.

    Other processes that do the same at the same time wait; the folder is made where there is none.

    Raises:
        SettingsError: the file as it stands cannot be used; it was not touched.
        ClineError: it cannot be written.
    """
    with changing(path):
        before = read_document(path)
        collect(before)
        after = apply_changes(before, changes).encode()
        settings = to_settings(collect(parse_document(path, after)).values)
        write_atomic(path, after, mode=0o600)
    return settings


@contextlib.contextmanager
def changing(path: Path) -> Iterator[None]:
    """Let nobody else of ours change the file meanwhile; its folder is made where there is none.

    Raises:
        ClineError: the folder or the file cannot be written.
    """
    try:
        make_private_folder(path.parent)
        with locked(path.with_name(f"{path.name}.lock")):
            yield
    except OSError as error:
        raise ClineError(f"cannot save {path}: {error.strerror}", "Name another folder with --config") from error


def to_settings(values: Mapping[Key, Value]) -> Settings:
    """Return the settings that these values make, defaults for the others."""
    names = dict.fromkeys(key[1] for key in values if key[0] == FAMILY)
    defaults = Settings()
    redirects = values.get(("policy", "allow_redirects"))
    return Settings(
        provider=_text(values, "provider"),
        providers={name: _to_provider(values, name) for name in names},
        credentials_store=_word(values, ("credentials", "store"), STORE_CHOICES) or defaults.credentials_store,
        max_stdin_bytes=_number(values, ("stdin", "max_bytes"), defaults.max_stdin_bytes),
        sessions=SessionSettings(
            keep=bool(values.get(("sessions", "keep"), defaults.sessions.keep)),
            keep_days=_number(values, ("sessions", "keep_days"), defaults.sessions.keep_days),
            max_bytes=_number(values, ("sessions", "max_bytes"), defaults.sessions.max_bytes),
        ),
        policy=PolicySettings(
            allow=str(values.get(("policy", "allow"), defaults.policy.allow)),
            deny=str(values.get(("policy", "deny"), defaults.policy.deny)),
            allow_redirects=None if redirects is None else bool(redirects),
        ),
        console=ConsoleSettings(
            theme=_word(values, ("console", "theme"), THEMES) or defaults.console.theme,
            has_title=bool(values.get(("console", "title"), defaults.console.has_title)),
            bell_s=_number(values, ("console", "bell"), defaults.console.bell_s),
        ),
    )


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
    # Providers may share a variable: one key then is one choice, and the first of them in the table stands for it.
    firsts: dict[str, str] = {}
    for provider, source in found.items():
        firsts.setdefault(source, provider)
    (source, first), *others = firsts.items()
    return Choice(first, f"${source}", tuple(name for other, name in others if variables[other].strip()))


def find_base_url(provider: str, own: str, variables: Mapping[str, str], settings: Settings) -> str:
    """Return the address in force: for cline the origin in CLINE_API_BASE_URL; else the saved one; else its `own`.

    For ollama the address that Ollama itself was given, in OLLAMA_HOST, goes before its own.

    Raises:
        UsageError: the variable holds no address.
    """
    variable = ADDRESS_VARIABLES.get(provider, "")
    said, saved = variables.get(variable, ""), settings.of(provider).base_url
    if not said.strip() or (saved and provider == "ollama"):
        return saved or own
    try:
        return read_ollama_host(said) if provider == "ollama" else f"{_to_origin(said)}/api/v1"
    except ValueError as error:
        message = f"{variable} {hide_password(said)!r} is no address of a server: {error}"
        raise UsageError(message, "Give one of the form https://host, or unset it") from None


def _to_origin(url: str) -> str:
    return check_base_url(url).removesuffix("/api/v1")


def _to_provider(values: Mapping[Key, Value], name: str) -> ProviderSettings:
    return ProviderSettings(
        model=_text(values, FAMILY, name, "model"),
        base_url=_text(values, FAMILY, name, "base_url"),
        key_store=_word(values, (FAMILY, name, "key_store"), KEY_STORES),
    )


def _text(values: Mapping[Key, Value], *key: str) -> str:
    return str(values.get(key, ""))


def _number(values: Mapping[Key, Value], key: Key, default: int) -> int:
    return int(values.get(key, default))


def _word(values: Mapping[Key, Value], key: Key, legal: tuple[_Word, ...]) -> _Word | None:
    return next((word for word in legal if word == values.get(key)), None)
