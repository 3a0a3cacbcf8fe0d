"""Puts a replacement into a file's own whitespace, where what it replaces was found only with whitespace ignored. Pure.

Small models flatten line breaks and lose indentation. What they wrote is read as tokens (words, single punctuation
marks), and the whitespace between two tokens is merged three ways: where the model left it between old and new as it
was, the file's own stays; where it changed it, its own is taken, with the indentation translated into the file's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from cline_cli.tools._changes import find_changes

_TOKEN = re.compile(r"\w+|[^\w\s]")
_TRAILING = re.compile(r"[ \t]+\n")


class WeaveError(Exception):
    """The replacement cannot be put in without guessing where its line breaks belong."""


class Tokens(NamedTuple):
    words: tuple[str, ...]
    starts: tuple[int, ...]
    lead: str
    """The whitespace before the first token, from the beginning of its line."""
    gaps: tuple[str, ...]
    """The whitespace after each token but the last."""


def tokenize(text: str) -> Tokens:
    matches = list(_TOKEN.finditer(text))
    starts = [match.start() for match in matches]
    ends = [match.end() for match in matches]
    lead = text[: starts[0]].rpartition("\n")[2] if matches else ""
    return Tokens(
        words=tuple(match[0] for match in matches),
        starts=tuple(starts),
        lead=lead,
        gaps=tuple(text[end:start] for end, start in zip(ends, starts[1:], strict=False)),
    )


def weave(own: str, old: str, new: str) -> str:
    """Return what replaces `own`, a part of the file from the beginning of a line, with the tokens of `old`.

    Raises:
        WeaveError: tokens were added or removed where the file has a line break that `old` does not show.
    """
    file, before, after = tokenize(own), tokenize(old), tokenize(new)
    assert file.words == before.words, "the part was found by these tokens"
    partners = _align(file, before, after)
    indents = _pair_indents(file, before)
    keeps_lead = after.lead == before.lead or not before.lead
    pieces = [file.lead if keeps_lead else _translate(after.lead, indents)]
    for position, word in enumerate(after.words):
        pieces.append(word)
        if position < len(after.gaps):
            here, following = partners[position], partners[position + 1]
            gap = after.gaps[position]
            if here is not None and following == here + 1:
                gap = _merge_gap(file.gaps[here], before.gaps[here], gap, indents)
            else:
                gap = _translate_gap(gap, indents)
            pieces.append(gap)
    return "".join(pieces)


def _align(file: Tokens, before: Tokens, after: Tokens) -> list[int | None]:
    """Return for each new token which old one it is or replaces, None for an added one.

    Raises:
        WeaveError: see weave.
    """
    partners: list[int | None] = []
    equal = 0
    for start, end, new_start, new_end in find_changes(before.words, after.words):
        partners.extend(range(equal, start))
        equal = end
        if end - start == new_end - new_start:
            partners.extend(range(start, end))
            continue
        partners.extend([None] * (new_end - new_start))
        for gap in range(max(0, start - 1), min(end, len(file.gaps))):
            if "\n" in file.gaps[gap] and "\n" not in before.gaps[gap]:
                raise WeaveError
    return [*partners, *range(equal, len(before.words))]


def _merge_gap(own: str, old: str, new: str, indents: dict[str, str]) -> str:
    if _TRAILING.sub("\n", new) == _TRAILING.sub("\n", old):
        return own
    if "\n" not in old and "\n" in own and "\n" in new:
        return own
    return _translate_gap(new, indents)


def _pair_indents(file: Tokens, before: Tokens) -> dict[str, str]:
    """Return which indentation of the file stands for which of the model's."""
    indents = {
        old.rpartition("\n")[2]: own.rpartition("\n")[2]
        for own, old in zip(file.gaps, before.gaps, strict=True)
        if "\n" in own and "\n" in old
    }
    return {before.lead: file.lead, **indents}


def _translate_gap(gap: str, indents: dict[str, str]) -> str:
    breaks, newline, indent = gap.rpartition("\n")
    return f"{breaks}{newline}{_translate(indent, indents)}" if newline else gap


def _translate(indent: str, indents: dict[str, str]) -> str:
    """Return the file's indentation for one of the model's, by the nearest that is known."""
    shorter = max((known for known in indents if indent.startswith(known)), key=len, default=None)
    if shorter is not None:
        return indents[shorter] + _further(indent[len(shorter) :], indents)
    longer = min((known for known in indents if known.startswith(indent)), key=len, default=None)
    if longer is not None and indents[longer].endswith(longer[len(indent) :]):
        return indents[longer].removesuffix(longer[len(indent) :])
    return indent


def _further(indent: str, indents: dict[str, str]) -> str:
    """Return indentation beyond a known one: in the file's tabs for the model's spaces, or the other way round."""
    theirs, own = _unit(indents.keys()), _unit(indents.values())
    if set(indent) == {" "} and own == "\t":
        return "\t" * max(1, len(indent) // len(theirs))
    if set(indent) == {"\t"} and own != "\t" and any(indents.values()):
        return own * len(indent)
    return indent


def _unit(indents: Iterable[str]) -> str:
    """Return what one level of indentation is, as far as these show: a tab, or the least difference in spaces."""
    used = set(indents)
    if any("\t" in indent for indent in used):
        return "\t"
    lengths = sorted({0, *map(len, used)})
    return " " * min((after - before for before, after in pairwise(lengths)), default=4)
