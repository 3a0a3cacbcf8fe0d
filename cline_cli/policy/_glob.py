"""Patterns with `*` and `?`, held against text of which parts are not known. Pure."""

from __future__ import annotations

import functools
import re

HOLE = "\0"
"""In the text of a word: something that only the running shell knows, of any length, spaces and nothing among it."""
WILD = "\1"
"""Likewise for what stands for file names: `*`, `?`, `[a-z]`. It never is a slash."""


@functools.cache
def _to_regex(pattern: str) -> re.Pattern[str]:
    parts = [".*" if one == "*" else f"[^{HOLE}{WILD}]" if one == "?" else re.escape(one) for one in pattern]
    # "rm *" is also "rm": whoever writes that means the program with whatever follows.
    if pattern.endswith(" *"):
        parts[-2:] = ["(?: .*)?"]
    return re.compile("".join(parts), re.DOTALL)


def covers(pattern: str, text: str) -> bool:
    """Return whether a pattern matches a text whatever its unknown parts turn out to be."""
    return _to_regex(pattern).fullmatch(text) is not None


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


@functools.cache
def to_path_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern of paths: `*` and `?` stay in a folder, `**` goes on; without a slash it is a name anywhere."""
    if "/" not in pattern and pattern != "**":
        pattern = f"**/{pattern}"
    if pattern.endswith("/"):
        pattern += "**"
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            parts.append("(?:.*/)?")
            position += 3
        elif pattern.startswith("**", position):
            parts.append(".*")
            position += 2
        else:
            one = pattern[position]
            parts.append("[^/]*" if one == "*" else "[^/]" if one == "?" else re.escape(one))
            position += 1
    return re.compile("".join(parts), re.DOTALL)
