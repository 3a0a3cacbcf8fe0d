"""Numbered lists to choose from, and what a typed answer to one means. Pure.

An answer is a number of the list, a name, or a part of one: whoever knows the name need not look for its number.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from cline_cli.catalog.models import facts
from cline_cli.providers import ALIASES, PROVIDERS
from cline_cli.text import display_width, one_line, visible

SHOWN = 10
"""How many of a long list are shown at once."""
LEAST_ABOUT = 24
"""Cells; where fewer are left beside the names, what there is to say stands below them."""
MAX_NAME_CELLS = 40
NUMBER_CELLS = 6


class Item(NamedTuple):
    name: str
    about: str = ""


def lay_out(items: Sequence[Item], columns: int) -> str:
    """Return the items as numbered lines, each with its newline, no wider than the terminal but for long names."""
    columns = max(columns - 1, NUMBER_CELLS + LEAST_ABOUT)
    name_cells = min(MAX_NAME_CELLS, max((display_width(item.name) for item in items), default=0))
    about_cells = columns - NUMBER_CELLS - name_cells - 2
    lines: list[str] = []
    for number, item in enumerate(items, start=1):
        name, about = one_line(item.name), one_line(item.about)
        start = f"{number:>{NUMBER_CELLS - 2}}  {name}"
        pad = " " * max(0, name_cells - display_width(name))
        if not about:
            lines.append(start)
        elif about_cells >= LEAST_ABOUT and display_width(name) <= name_cells:
            first, *others = textwrap.wrap(about, about_cells)
            lines.append(f"{start}{pad}  {first}")
            lines += [" " * (NUMBER_CELLS + name_cells + 2) + other for other in others]
        else:
            lines.append(start)
            lines += [" " * NUMBER_CELLS + row for row in textwrap.wrap(about, columns - NUMBER_CELLS)]
    return "".join(f"{line}\n" for line in lines)


def wrap(sentence: str, columns: int) -> str:
    """Return a sentence as lines, each with its newline and narrower than the terminal, as far as its words are."""
    rows = textwrap.wrap(sentence, max(columns - 1, LEAST_ABOUT), break_long_words=False, break_on_hyphens=False)
    return "".join(f"{row}\n" for row in rows)


def read_number(answer: str, count: int) -> int | None:
    """Return the place in a list of so many, counted from 0, or None where the answer is no number of it."""
    if not answer.isascii() or not answer.isdecimal() or len(answer) > 4:
        return None
    return int(answer) - 1 if 1 <= int(answer) <= count else None


class Meant(NamedTuple):
    provider: str = ""
    """Empty where it cannot be told."""
    complaint: str = ""
    """What to tell then."""


def find_provider(answer: str) -> Meant:
    """Return the provider that is meant by a name, another name of it, or how only it begins."""
    typed = answer.lower()
    names = {**{name: name for name in PROVIDERS}, **ALIASES}
    if own := {name.lower(): name for name in names}.get(typed):
        return Meant(names[own])
    meant = dict.fromkeys(own for name, own in names.items() if typed and name.lower().startswith(typed))
    if len(meant) == 1:
        return Meant(next(iter(meant)))
    shown = visible(answer)
    if meant:
        return Meant(complaint=f"{shown} may be {_enumerate(tuple(meant), 'or')}.")
    near = dict.fromkeys(names[name] for name in difflib.get_close_matches(typed, names, n=3, cutoff=0))
    return Meant(complaint=f"There is no provider {shown}; the nearest are {_enumerate(tuple(near), 'and')}.")


def rank_models(names: Sequence[str], default: str) -> tuple[str, ...]:
    """Return the names with the default first, then those that something is known of, then the others."""
    ranked = sorted(dict.fromkeys(names), key=lambda name: (name != default, facts(name) is None))
    return tuple(ranked)


def describe_model(name: str) -> str:
    """Return what is known of a model in few words, or an empty text."""
    known = facts(name)
    if known is None:
        return ""
    parts: list[str] = []
    if known.context_window:
        parts.append(f"{_count(known.context_window)} context")
    if known.input_usd is not None and known.output_usd is not None:
        parts.append(f"${known.input_usd:g} in, ${known.output_usd:g} out per million")
    return "; ".join(parts)


def _count(tokens: int) -> str:
    return f"{tokens / 1_000_000:.3g}M" if tokens >= 1_000_000 else f"{tokens // 1000}k"


def _enumerate(names: Sequence[str], word: str) -> str:
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last
