"""The scripts of completion: an engine a shell, `_completion.bash` and its kin, with the grammar in its language.

Verbs, options and their words stand in the script; Python is started only for what changes, such as sessions.
Everything that comes from a table is quoted for the shell, and nothing of the person's files is in a script.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote

from cline_cli.commands._completion_fish import to_fish
from cline_cli.commands._completion_grammar import ROOT, Flag, Grammar, Offer, Place

TABLES = "#@ tables\n"
"""Where the tables go in an engine."""
_INDENT = " " * 8


def to_script(shell: str, grammar: Grammar, command: Sequence[str]) -> str:
    """Return the whole script for a shell; `command` is how to start this very program, empty where that is unknown."""
    engine = Path(__file__).with_name(f"_completion.{shell}").read_text("utf-8")
    tables = "".join(f"{line}\n" for line in _WRITERS[shell](grammar, command))
    return engine.replace(TABLES, tables)


def _to_bash(grammar: Grammar, command: Sequence[str]) -> Iterator[str]:
    yield f"_cline_command=({shlex.join(command)})"
    yield "_cline_file=''"
    yield from _write_verbs(grammar)
    yield from _write_flags(grammar, _to_bash_flag)
    offered = {verb: [name for flag in flags for name in flag.names] for verb, flags in grammar.flags.items()}
    others = {
        verb: [name for flag in flags if flag.names for name in flag.others if name.startswith("--")]
        for verb, flags in grammar.flags.items()
    }
    yield from _write_cases(
        "_cline_flags",
        ((verb, f"flags=({shlex.join(offered[verb])}) others=({shlex.join(others[verb])})") for verb in grammar.flags),
    )
    yield from _write_cases("_cline_offer", ((quote(offer.name), _to_bash_offer(offer)) for offer in grammar.offers))
    yield from _write_places(grammar)


def _to_zsh(grammar: Grammar, command: Sequence[str]) -> Iterator[str]:
    yield f"typeset -ga _cline_command=({shlex.join(command)})"
    yield "typeset -g _cline_file=''"
    yield from _write_verbs(grammar)
    yield from _write_flags(grammar, _to_zsh_flag)
    yield from _write_cases("_cline_specs", ((verb, _to_zsh_specs(flags)) for verb, flags in grammar.flags.items()))
    yield from _write_cases("_cline_choices", ((quote(offer.name), _to_zsh_offer(offer)) for offer in grammar.offers))
    yield from _write_places(grammar)


def _write_cases(name: str, rows: Iterator[tuple[str, str]], before: str = "") -> Iterator[str]:
    """Yield a function that does for its first word what stands in the row of that word."""
    yield ""
    yield f"{name}() {{"
    if before:
        yield f"    {before}"
    yield "    case $1 in"
    yield from (f"{_INDENT}{pattern}) {action} ;;" for pattern, action in rows)
    yield "    esac"
    yield "}"


def _write_verbs(grammar: Grammar) -> Iterator[str]:
    own = [verb for verb in grammar.flags if verb != ROOT]
    aliases = [(quote(alias), f"verb={quote(verb)}") for alias, verb in grammar.aliases.items()]
    rows = [(" | ".join(map(quote, own)), "verb=$1"), *aliases, ("*", f"verb={ROOT}")]
    yield from _write_cases("_cline_verb", iter(rows))


def _write_flags(grammar: Grammar, to_action: Callable[[Flag], str]) -> Iterator[str]:
    rows = (
        (" | ".join(quote(f"{verb} {name}") for name in flag.all_names), to_action(flag))
        for verb, flags in grammar.flags.items()
        for flag in flags
    )
    yield from _write_cases("_cline_flag", rows, "long='' takes='' legal='' offer='' rivals=''")


def _write_places(grammar: Grammar) -> Iterator[str]:
    rows = ((_to_pattern(place), f"_cline_offer {quote(place.offer.name)}") for place in grammar.places)
    yield from _write_cases("_cline_place", rows)


def _to_pattern(place: Place) -> str:
    path = quote(" ".join(place.path))
    return f"{path} | {path}' '*" if place.goes_on else path


def _assign(flag: Flag, legal: str) -> Iterator[str]:
    yield f"long={quote(flag.long)}"
    if flag.offer:
        yield f"takes={'optional' if flag.legal else 'value'}"
        yield f"offer={quote(flag.offer.name)}"
    if legal:
        yield f"legal={quote(legal)}"


def _to_bash_flag(flag: Flag) -> str:
    return " ".join((*_assign(flag, flag.legal), f"rivals={quote(' '.join(flag.rivals))}"))


def _to_zsh_flag(flag: Flag) -> str:
    return " ".join(_assign(flag, f"({flag.legal.replace('[0-9]+', '<->')})" if flag.legal else ""))


def _to_bash_offer(offer: Offer) -> str:
    parts = [f"paths={offer.paths}"] if offer.paths else []
    if offer.words:
        parts.append(f"choices+=({shlex.join(word.text for word in offer.words)})")
    if offer.asks:
        parts.append(f"asks=({shlex.join(offer.asks)})")
    return " ".join(parts) or ":"


def _to_zsh_offer(offer: Offer) -> str:
    parts = [f"paths={offer.paths}"] if offer.paths else []
    if offer.words:
        words = (quote(f"{_escape(word.text)}:{_escape(word.help)}") for word in offer.words)
        parts.append(f"choices={_to_array(words)}")
    if offer.asks:
        parts.append(f"asks=({shlex.join(offer.asks)})")
    return " ".join(parts) or ":"


def _to_zsh_specs(flags: Sequence[Flag]) -> str:
    offered = (quote(_to_spec(flag, name)) for flag in flags for name in flag.names)
    others = (quote(_to_spec(flag, name)) for flag in flags if flag.names for name in flag.others)
    return f"specs={_to_array(offered)} others={_to_array(others)}"


def _to_spec(flag: Flag, name: str) -> str:
    """Return one name of a flag as `_arguments` of zsh reads it."""
    rivals = f"({' '.join(flag.rivals)})" if flag.rivals else ""
    star = "*" if flag.is_repeatable else ""
    glue = "" if flag.offer is None else "=" if name.startswith("--") else "+"
    value = "" if flag.offer is None else _to_spec_value(flag.offer, is_optional=bool(flag.legal))
    return f"{rivals}{star}{name}{glue}[{_escape_help(flag.help)}]{value}"


def _to_spec_value(offer: Offer, *, is_optional: bool) -> str:
    has_any = offer.words or offer.asks or offer.paths
    action = f" _cline_offer {quote(offer.name)}" if has_any else " "
    return f"{'::' if is_optional else ':'}{_escape(offer.name)}:{action}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _to_array(words: Iterable[str]) -> str:
    """Return words that are quoted already as an array, a line each."""
    lines = "".join(f"{_INDENT}    {word}\n" for word in words)
    return f"(\n{lines}{_INDENT})"


_WRITERS: Mapping[str, Callable[[Grammar, Sequence[str]], Iterator[str]]] = {
    "bash": _to_bash,
    "zsh": _to_zsh,
    "fish": to_fish,
}
