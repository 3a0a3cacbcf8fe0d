"""Where two sequences differ. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_MAX_PAIRS = 2_000_000
"""What differs at both ends by more, in items times items, counts as replaced as a whole: half a second of work."""


class Change(NamedTuple):
    start: int
    """In the old sequence, like `end`, which is exclusive."""
    end: int
    new_start: int
    new_end: int


def find_changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """Return what differs, in order; all between is equal."""
    shorter = min(len(old), len(new))
    start = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    left = shorter - start
    tail = next((i for i in range(left) if old[-1 - i] != new[-1 - i]), left)
    inner_old, inner_new = old[start : len(old) - tail], new[start : len(new) - tail]
    if not inner_old and not inner_new:
        return []
    if len(inner_old) * len(inner_new) > _MAX_PAIRS:
        return [Change(start, len(old) - tail, start, len(new) - tail)]
    return [
        Change(i1 + start, i2 + start, j1 + start, j2 + start)
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, inner_old, inner_new, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
