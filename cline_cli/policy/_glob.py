"""Patterns with `*` and `?`, held against text of which parts are not known. Pure."""

from __future__ import annotations

import functools
import re

HOLE = "\0"
"""In the text of a word: something that only the running shell knows, of any length, spaces and nothing among it."""
WILD = "\1"
"""Likewise for what stands for file names: `*`, `?`, `[a-z]`. It never is a slash."""


def covers(pattern: str, text: str) -> bool:
    """Return whether a pattern matches a text whatever its unknown parts turn out to be.

    "rm *" is also "rm": whoever writes that means the program with whatever follows.
    """
    return (pattern.endswith(" *") and _covers(pattern[:-2], text)) or _covers(pattern, text)


def _covers(pattern: str, text: str) -> bool:
    """Find each piece between stars as early as it comes: that takes time in the length of the text, and no more."""
    first, *others = map(_to_regex, pattern.split("*"))
    if not others:
        return first.fullmatch(text) is not None
    *middle, last = others
    found = first.match(text)
    for piece in middle:
        found = found and piece.search(text, found.end())
    start = len(text) - (len(pattern) - pattern.rindex("*") - 1)
    return found is not None and start >= found.end() and last.fullmatch(text, start) is not None


@functools.cache
def _to_regex(piece: str) -> re.Pattern[str]:
    return re.compile("".join(f"[^{HOLE}{WILD}]" if one == "?" else re.escape(one) for one in piece), re.DOTALL)


def may_match(pattern: str, text: str) -> bool:
    """Return whether a pattern could match a text, if its unknown parts turned out so."""
    if HOLE not in text and WILD not in text:
        return covers(pattern, text)
    if pattern.endswith(" *") and _meet(pattern[:-2], text):
        return True
    return _meet(pattern, text)


def _meet(pattern: str, text: str) -> bool:
    """Return whether two patterns have a text in common. Of the second, only its unknown parts are wild.

    `states` are the positions in the pattern at which a reader of the text so far may stand.
    """
    states = _skip_stars(pattern, {0})
    for character in text:
        if character in {HOLE, WILD}:
            states = set(range(min(states), len(pattern) + 1)) if states else states
            continue
        following: set[int] = set()
        for state in states:
            if state < len(pattern):
                if pattern[state] == "*":
                    following.add(state)
                elif pattern[state] in {"?", character}:
                    following.add(state + 1)
        states = _skip_stars(pattern, following)
    return len(pattern) in states


def _skip_stars(pattern: str, states: set[int]) -> set[int]:
    """Return the positions with those behind stars, which may stand for nothing."""
    found = set(states)
    for state in states:
        end = state
        while end < len(pattern) and pattern[end] == "*":
            end += 1
            found.add(end)
    return found


def matches_path(pattern: str, path: str) -> bool:
    """Return whether a pattern matches a path: `*` and `?` stay in a folder, `**` goes on.

    Without a slash it is a name anywhere. `states` are as in `_meet`; a negative one is in the folders of a `**/`.
    """
    pieces = _to_pieces(pattern)
    states = _skip_wild(pieces, {0})
    for character in path:
        following: set[int] = set()
        for state in states:
            piece = "**/" if state < 0 else pieces[state] if state < len(pieces) else ""
            place = ~state if state < 0 else state
            if piece == "**/":
                following.add(~place)
                following |= {place + 1} if character == "/" else set()
            elif piece == "**" or (piece == "*" and character != "/"):
                following.add(place)
            elif piece == character or (piece == "?" and character != "/"):
                following.add(place + 1)
        states = _skip_wild(pieces, following)
    return len(pieces) in states


@functools.cache
def _to_pieces(pattern: str) -> tuple[str, ...]:
    if "/" not in pattern and pattern != "**":
        pattern = f"**/{pattern}"
    return tuple(re.findall(r"\*\*/|\*\*|.", f"{pattern}**" if pattern.endswith("/") else pattern, re.DOTALL))


def _skip_wild(pieces: tuple[str, ...], states: set[int]) -> set[int]:
    """Return the positions with those behind what may stand for nothing."""
    found = set(states)
    for state in states:
        while 0 <= state < len(pieces) and pieces[state] in {"*", "**", "**/"}:
            state += 1  # noqa: PLW2901  # it walks on from each
            found.add(state)
    return found
