"""What may stand where on the command line, for completion: read from the tables and from the verbs' Typer apps.

    options.OPTIONS ───────────────────> flags of a run ──┐
    VERBS ─> each one's Typer app ─────> flags, places ───┼─> Grammar ─> a script for a shell
    providers, weights, settings, help ─> offers ─────────┘

A place is named by the words before it, `config set mode`. What a verb takes is read from the metavar of its argument,
`install [NAME] | list | remove NAME`: small letters are words of ours, capitals say what kind of word is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Literal, NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command

from cline_cli.catalog.weights import WEIGHTS
from cline_cli.commands import ALIASES, VERBS
from cline_cli.commands._completion_install import SHELLS
from cline_cli.commands._given import COMPACTIONS, FORMATS, MODES, STDIN_MODES
from cline_cli.commands._history_ids import LAST
from cline_cli.commands._sandbox import MODES as SANDBOXES
from cline_cli.commands._sandbox import NETWORK
from cline_cli.commands.help import TEXTS
from cline_cli.commands.options import OPTIONS, Option, excludes
from cline_cli.config.definitions import FAMILY, LEVELS, Definition, find, list_keys, parse_key
from cline_cli.providers import PROVIDERS

ROOT = "run"
"""Whose flags stand where no verb does."""

Paths = Literal["", "files", "folders"]


class Word(NamedTuple):
    text: str
    help: str = ""


class Offer(NamedTuple):
    """What is offered in a place. All empty: any text, of which nothing is known."""

    name: str
    """What it is, in one word: it also stands before the list in zsh."""
    words: tuple[Word, ...] = ()
    asks: tuple[str, ...] = ()
    """What `cline completion words` is to be asked for further ones: ("--provider=cline", "models")."""
    paths: Paths = ""


class Flag(NamedTuple):
    names: tuple[str, ...]
    """The ones that are offered; none for a hidden one. The first is its own long name."""
    others: tuple[str, ...]
    """Names that are understood as well."""
    help: str
    offer: Offer | None = None
    """Its value; None where it takes none."""
    legal: str = ""
    """For an optional value: a POSIX pattern, what the next word must be, whole, to be taken for it."""
    is_repeatable: bool = False
    excluded: tuple[str, ...] = ()
    """Names of other flags that cannot stand beside it."""

    @property
    def all_names(self) -> tuple[str, ...]:
        return (*self.names, *self.others)

    @property
    def long(self) -> str:
        return self.all_names[0]

    @property
    def rivals(self) -> tuple[str, ...]:
        """The names that need not be offered any more once it is there."""
        return self.excluded if self.is_repeatable else (*self.all_names, *self.excluded)


class Place(NamedTuple):
    path: tuple[str, ...]
    """The bare words before it, a verb first; nothing at all before the first one."""
    offer: Offer
    goes_on: bool = False
    """It offers the same after any further words."""


class Grammar(NamedTuple):
    flags: Mapping[str, tuple[Flag, ...]]
    """By verb."""
    aliases: Mapping[str, str]
    """Other names of verbs."""
    places: tuple[Place, ...]

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Every offer there is, once."""
        of_flags = (flag.offer for flags in self.flags.values() for flag in flags if flag.offer)
        return tuple(dict.fromkeys((*of_flags, *(place.offer for place in self.places))))


def _enumerate(name: str, *words: str) -> Offer:
    return Offer(name, tuple(map(Word, words)))


def _help_on(key: str) -> str:
    definition = find(parse_key(key))
    return definition.help if definition else ""


_FILES = Offer("file", paths="files")
_FOLDERS = Offer("folder", paths="folders")
_MODELS = Offer("model", (), ("models",))
_SESSIONS = Offer("session", (), ("sessions",))
_KEPT_SESSIONS = Offer("session or last", (Word(LAST, "the newest of this folder"),), _SESSIONS.asks)
_SETTINGS = Offer("setting", tuple(Word(key, _help_on(key)) for key in list_keys(PROVIDERS)))
_PROVIDERS = Offer("provider", tuple(Word(name, row.base_url or "on this machine") for name, row in PROVIDERS.items()))
_WEIGHTS = Offer("model of this machine", tuple(Word(name, row.purpose) for name, row in WEIGHTS.items()))

BY_FLAG: Mapping[str, Offer] = {
    "--file": _FILES,
    "--schema": _FILES,
    "--output": _FILES,
    "--from": _FILES,
    "--cwd": _FOLDERS,
    "--config": _FOLDERS,
    "--data-dir": _FOLDERS,
    "--model": _MODELS,
    "--provider": _PROVIDERS,
    "--id": _SESSIONS,
    "--session-id": _KEPT_SESSIONS,
    "--mode": _enumerate("mode", *MODES),
    "--compaction": _enumerate("compaction", *COMPACTIONS),
    "--stdin": _enumerate("stdin", *STDIN_MODES),
    "--output-format": _enumerate("output-format", *FORMATS),
    "--sandbox": _enumerate("sandbox", *SANDBOXES),
    "--sandbox-network": _enumerate("sandbox-network", *NETWORK),
}
"""Long name of a flag -> what is offered for its value. Of a flag that is not here, any text is a value."""
BY_METAVAR: Mapping[str, Offer] = {
    "PROVIDER": _PROVIDERS,
    "SHELL": _enumerate("shell", *SHELLS),
    "ID": _KEPT_SESSIONS,
    "KEY": _SETTINGS,
    "FILE": _FILES,
    "DIR": _FOLDERS,
}
"""What stands for a word in a verb's metavar -> what is offered in its place."""
_HELP = Flag(("--help", "-h"), (), "Show help.")
_ROOT_FLAGS = (
    _HELP,
    Flag(("--help-all",), (), "Show help on all options."),
    Flag(("--version", "-V"), (), "Print the version."),
)


def read_grammar() -> Grammar:
    """Read what can be completed from the tables and from every verb's Typer app."""
    verbs = tuple(Word(verb, row.help) for verb, row in VERBS.items() if verb != ROOT)
    places = [Place((), Offer("command", verbs)), Place(("help",), Offer("topic", _topics()))]
    flags = {ROOT: (*(_from_option(option) for option in OPTIONS if option.state != "refused"), *_ROOT_FLAGS)}
    for verb, row in VERBS.items():
        if verb == ROOT or not row.has_app:
            flags.setdefault(verb, ())
            continue
        command = read_command(import_module(f"cline_cli.commands.{row.module}").app)
        flags[verb] = (*_flags_of(verb, command), _HELP)
        for argument in command.params:
            if isinstance(argument, TyperArgument):
                places += read_places(verb, str(argument.metavar))
    return Grammar(flags, ALIASES, tuple(places))


def read_command(app: typer.Typer) -> TyperCommand:
    """Return the one command of a verb's app."""
    command = get_command(app)
    assert isinstance(command, TyperCommand), "a verb is one command, whose words say what is to be done"
    return command


def read_places(verb: str, metavar: str) -> Iterator[Place]:
    """Yield what may stand after a verb: `[PROVIDER] | logout [PROVIDER]`; `...` is after what may be repeated."""
    actions: list[Word] = []
    kinds: list[str] = []
    for form in metavar.split("|"):
        first, *rest = form.replace("[", " ").replace("]", " ").replace("...", " ... ").split()
        if not first.islower():
            kinds += [word for word in (first, *rest) if word != "..."]
            continue
        actions.append(Word(first))
        yield from _places_after(verb, first, rest)
    offers = [offer for kind in kinds if (offer := _find_offer("", kind))]
    words = tuple(word for offer in offers for word in offer.words)
    asks = next((offer.asks for offer in offers if offer.asks), ())
    yield Place((verb,), Offer(f"{verb} command", (*actions, *words), asks))


def _places_after(verb: str, action: str, kinds: list[str]) -> Iterator[Place]:
    path: tuple[str, ...] = (verb, action)
    for position, kind in enumerate(kinds):
        offer = _find_offer(action, kind)
        if offer:
            yield Place(path, offer, goes_on=kinds[position + 1 : position + 2] == ["..."])
        if kind == "KEY" and "VALUE" in kinds:
            yield from _values_after(path)
        if kind in {"KEY", "..."}:
            return
        path = (*path, kind)


def _values_after(path: tuple[str, ...]) -> Iterator[Place]:
    """Yield what each setting may be."""
    for key in list_keys(PROVIDERS):
        definition = find(parse_key(key))
        offer = _offer_setting(key, definition) if definition else None
        if offer:
            yield Place((*path, key), offer)


def _offer_setting(key: str, definition: Definition) -> Offer | None:
    if key == "provider":
        return _PROVIDERS
    if key.startswith(f"{FAMILY}.") and key.endswith(".model"):
        name = key.split(".")[1]
        return Offer(f"model of {name}", (), (f"--provider={name}", "models"))
    words = {"flag": ("true", "false"), "level": LEVELS}.get(definition.kind, definition.words)
    return _enumerate(key, *words) if words else None


def _find_offer(action: str, kind: str) -> Offer | None:
    if kind == "NAME":
        return {"install": _WEIGHTS, "remove": Offer("installed model", (), ("installed",))}.get(action)
    return BY_METAVAR.get(kind)


def _from_option(option: Option) -> Flag:
    long, *others = option.names
    short = [name for name in others if not name.startswith("--")][:1]
    is_offered = option.state == "built"
    names = (long, *short) if is_offered else ()
    excluded = tuple(
        name for other in OPTIONS if other is not option and excludes(option, other) for name in other.names
    )
    offer = None
    if option.takes == "optional value":
        offer = _enumerate(long.removeprefix("--"), *(word for word in option.legal.split("|") if word.isalpha()))
    elif option.takes != "nothing":
        offer = _offer_value("", long, option.metavar)
    return Flag(
        names=names,
        others=tuple(name for name in option.names if name not in names),
        help=option.help,
        offer=offer,
        legal=option.legal.replace(r"\d", "[0-9]"),
        is_repeatable=option.takes == "values",
        excluded=excluded,
    )


def _flags_of(verb: str, command: TyperCommand) -> Iterator[Flag]:
    for option in command.params:
        if not isinstance(option, TyperOption) or "--help" in option.opts:
            continue
        long = [name for name in option.opts if name.startswith("--")]
        short = [name for name in option.opts if not name.startswith("--")]
        names = () if option.hidden else (*long[:1], *short[:1])
        yield Flag(
            names=names,
            others=tuple(name for name in (*long, *short, *option.secondary_opts) if name not in names),
            help=option.help or "",
            offer=None if option.is_flag else _offer_value(verb, long[0], option.metavar or ""),
            is_repeatable=option.multiple,
        )


def _offer_value(verb: str, long: str, metavar: str) -> Offer:
    """Return what is offered for a flag's value: by its name, or by a metavar that spells the words, `html|md|json`."""
    if re.fullmatch(r"[a-z]+(\|[a-z]+)+", metavar):
        return _enumerate(f"{verb} {long.removeprefix('--')}", *metavar.split("|"))
    return BY_FLAG.get(long, Offer("text"))


def _topics() -> tuple[Word, ...]:
    return tuple(
        Word(name, VERBS[name].help if name in VERBS else "") for name in sorted(p.stem for p in TEXTS.glob("*.txt"))
    )
