"""The grammar of the command line as fish reads it: a `complete` a flag, and functions for the words between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cline_cli.commands._completion_grammar import ROOT, Flag, Grammar, Offer, Place


def to_fish(grammar: Grammar, command: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield f"set --global __cline_command {_join(command)}".rstrip()
    yield ""
    yield from _write_verbs(grammar)
    yield from _write_flags(grammar)
    yield from _write_choices(grammar.offers)
    yield from _write_places(grammar.places)
    yield ""
    yield "complete --command cline --erase"
    yield "complete --command cline --no-files --keep-order --arguments '(__cline_offer_place)'"
    for verb, flags in grammar.flags.items():
        for flag in flags:
            if flag.names:
                yield _to_complete(verb, flag, flag.names)
                yield from (_to_complete(verb, flag, (name,), is_other=True) for name in flag.others)


def _write_verbs(grammar: Grammar) -> Iterator[str]:
    yield "function __cline_find_verb"
    yield '    switch "$argv[1]"'
    yield f"        case {_join(verb for verb in grammar.flags if verb != ROOT)}"
    yield "            printf '%s\\n' \"$argv[1]\""
    for alias, verb in grammar.aliases.items():
        yield f"        case {_quote(alias)}"
        yield f"            echo {_quote(verb)}"
    yield "        case '*'"
    yield f"            echo {ROOT}"
    yield "    end"
    yield "end"


def _write_flags(grammar: Grammar) -> Iterator[str]:
    """Yield the function that sets long, takes, legal and offer, for an option of a verb."""
    yield ""
    yield "function __cline_flag --no-scope-shadowing"
    yield from (f"    set {name} ''" for name in ("long", "takes", "legal", "offer"))
    yield '    switch "$argv[1] $argv[2]"'
    for verb, flags in grammar.flags.items():
        for flag in flags:
            yield f"        case {_join(f'{verb} {name}' for name in flag.all_names)}"
            yield f"            set long {_quote(flag.long)}"
            if flag.offer:
                yield f"            set takes {'optional' if flag.legal else 'value'}"
                yield f"            set offer {_quote(flag.offer.name)}"
            if flag.legal:
                yield f"            set legal {_quote(flag.legal)}"
    yield "    end"
    yield "end"


def _write_choices(offers: Iterable[Offer]) -> Iterator[str]:
    """Yield the function that prints the words of an offer, and the one that sets where further ones come from."""
    yield ""
    yield "function __cline_choices"
    yield '    switch "$argv[1]"'
    for offer in offers:
        if offer.words:
            yield f"        case {_quote(offer.name)}"
            yield from (
                f"            printf '%s\\t%s\\n' {_quote(word.text)} {_quote(word.help)}" for word in offer.words
            )
    yield "    end"
    yield "end"
    yield ""
    yield "function __cline_set_sources --no-scope-shadowing"
    yield '    switch "$argv[1]"'
    for offer in offers:
        if offer.paths or offer.asks:
            yield f"        case {_quote(offer.name)}"
            yield f"            set paths {_quote(offer.paths)}"
            yield f"            set asks {_join(offer.asks)}".rstrip()
    yield "    end"
    yield "end"


def _write_places(places: Iterable[Place]) -> Iterator[str]:
    yield ""
    yield "function __cline_offer_at"
    yield '    switch "$argv[1]"'
    for place in places:
        path = " ".join(place.path)
        yield f"        case {_join((path, f'{path} *') if place.goes_on else (path,))}"
        yield f"            __cline_offer {_quote(place.offer.name)}"
    yield "    end"
    yield "end"


def _to_complete(verb: str, flag: Flag, names: Sequence[str], *, is_other: bool = False) -> str:
    rivals = () if flag.is_repeatable else (flag.long,)
    longs = dict.fromkeys((*rivals, *(name for name in flag.excluded if name.startswith("--"))))
    condition = f"__cline_in {' '.join((verb, *longs))}"
    if is_other:
        condition += f"; and __cline_begins {names[0]} {flag.long}"
    parts = ["complete --command cline --condition", _quote(condition)]
    parts += (f"--long-option {name[2:]}" if name.startswith("--") else f"--short-option {name[1:]}" for name in names)
    if flag.offer:
        parts.append(_to_value(flag.offer, is_optional=bool(flag.legal)))
    return " ".join((*parts, "--description", _quote(flag.help)))


def _to_value(offer: Offer, *, is_optional: bool) -> str:
    if offer.paths == "files":
        return "--require-parameter --force-files"
    requires = "" if is_optional else "--exclusive "
    has_any = offer.words or offer.asks or offer.paths
    return (
        f"{requires}--keep-order --arguments {_quote(f'(__cline_offer {_quote(offer.name)})')}"
        if has_any
        else requires.strip()
    )


def _join(words: Iterable[str]) -> str:
    return " ".join(map(_quote, words))


def _quote(text: str) -> str:
    """Return the text as one word of fish."""
    if re.fullmatch(r"[A-Za-z0-9_./=-]+", text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
