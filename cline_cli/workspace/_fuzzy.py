"""Finds paths by some of their characters in order, the best first. Pure.

    paths ──a pattern──> those that have the characters ──cheap tests──> the best part ──placing each──> the best first

What a query costs grows with the characters of the paths, and only so many of them are looked at closely: MAX_WORK.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, count, repeat
from operator import contains

MAX_QUERY = 256
"""Characters; a longer query finds nothing."""
MAX_RANKED = 1_000
"""Paths that are looked at closely for one query."""
MAX_WORK = 20_000
"""Their number times the characters of the query."""
MAX_TOP = 200
"""Paths that are found by an empty query."""
_LOOKS = 4
"""At so many places that a character could have, the start of a word is looked for."""
_CONSECUTIVE_POINTS = 3
_WORD_POINTS = 2

(_EXACT, _STEM, _BEGINS, _BEGINS_WORD, _IN_NAME, _BEGINS_FOLDER, _IN_PATH, _SPREAD_IN_NAME, _SPREAD) = range(9)
"""How a query lies in a path, from the best on: the last part of a path is its name."""


class Names:
    """Paths to find things in, a folder's with a final slash; never changed once it is made."""

    __slots__ = ("_cased", "_folded", "_paths", "_starts", "_top")

    def __init__(self, paths: Iterable[str]) -> None:
        """Take paths that do not repeat."""
        self._paths = sorted(sorted(paths), key=len)  # so that of equals the first is the best
        self._cased = [_compose(path) for path in self._paths]
        self._folded = [_fold(text) for text in self._cased]
        self._starts = [text.rfind("/", 0, len(text) - 1) + 1 for text in self._cased]
        self._top = heapq.nsmallest(MAX_TOP, self._paths, key=lambda path: (path.count("/", 0, len(path) - 1), path))

    def __len__(self) -> int:
        return len(self._paths)

    def find(self, query: str) -> list[str]:
        """Return the paths with the characters of the query in this order, the best MAX_RANKED at most, best first.

        Capitals count where the query has some.
        """
        query = _compose(query)
        if not query:
            return list(self._top)
        pattern = _to_pattern(query)
        ranked = sorted(self.choose(query), key=lambda number: self._rank(number, query, pattern))
        return [self._paths[number] for number in ranked]

    def choose(self, query: str) -> list[int]:
        """Return the numbers of those that are worth to be looked at closely, at most MAX_WORK for all of the query."""
        if len(query) > MAX_QUERY:
            return []
        texts = self._texts_for(query)
        pattern = _to_pattern(query)
        found = list(compress(count(), map(pattern.match, texts)))
        room = min(MAX_RANKED, MAX_WORK // len(query))
        if len(found) <= room:
            return found
        chosen: dict[int, None] = {}
        for number in self._sort_roughly(found, query, texts):
            chosen[number] = None
            if len(chosen) == room:
                break
        return list(chosen)

    def _texts_for(self, query: str) -> Sequence[str]:
        return self._folded if query == query.lower() else self._cased

    def _sort_roughly(self, found: Sequence[int], query: str, texts: Sequence[str]) -> Iterator[int]:
        """Yield the found from the best on, the short ones of every kind first; some again.

        Each test is one call into C for a path: this is done for all of them.
        """
        some = [texts[number] for number in found]
        starts = [self._starts[number] for number in found]
        name = query.rpartition("/")[2] or query
        yield from compress(found, map(str.endswith, some, repeat((f"/{name}", f"/{name}/"))))
        yield from compress(found, map(str.startswith, some, repeat(name), starts))
        yield from compress(found, map((-1).__lt__, map(str.find, some, repeat(name), starts)))
        yield from compress(found, map(contains, some, repeat(query)))
        yield from compress(found, map(_to_pattern(name).match, some, starts))
        yield from found

    def _rank(self, number: int, query: str, pattern: re.Pattern[str]) -> tuple[int, int, int]:
        """Return what sorts the best first; of equals that is the shorter one, or comes first in the alphabet."""
        text, start = self._texts_for(query)[number], self._starts[number]
        kind = _find_kind(query, pattern, text, start)
        if kind < _SPREAD_IN_NAME:
            return kind, 0, number
        begin = start if kind == _SPREAD_IN_NAME else 0
        return kind, -_count_points(query, text[begin:], self._cased[number][begin:]), number


def _compose(text: str) -> str:
    """Return the text as people type it: some file systems keep accents apart from their letters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _fold(text: str) -> str:
    """Return the text without capitals, and as long."""
    folded = text.lower()
    if folded == text:
        return text  # the same object, of which there are many
    if len(folded) == len(text):
        return folded
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _to_pattern(query: str) -> re.Pattern[str]:
    """Return what matches a text with these characters in order, in time that grows with the text: nothing is tried
    twice, since no character can be in the place of another.
    """
    return re.compile("".join(f"[^{re.escape(letter)}]*+{re.escape(letter)}" for letter in query))


def _find_kind(query: str, pattern: re.Pattern[str], text: str, start: int) -> int:
    """Return how a query lies in a text that has its characters, and whose last part begins at `start`."""
    text = text if query.endswith("/") else text.removesuffix("/")
    at = f"/{text}".rfind(f"/{query}")
    end = at + len(query)
    if at >= 0 and end == len(text):
        return _EXACT
    if at >= 0 and end >= start + (not query.endswith("/")):
        return _STEM if text[end] == "." else _BEGINS
    inner = text.find(query, start)
    if inner >= 0:
        return _BEGINS_WORD if _begins_word(text, inner) else _IN_NAME
    if at >= 0:
        return _BEGINS_FOLDER
    if query in text:
        return _IN_PATH
    return _SPREAD_IN_NAME if pattern.match(text, start) else _SPREAD


def _count_points(query: str, text: str, cased: str) -> int:
    """Return how well the characters of a query lie in a text: in a row, or at the starts of words."""
    latest: list[int] = []
    end = len(text)
    for letter in reversed(query):
        end = text.rfind(letter, 0, end)
        latest.append(end)
    points = 0
    after = -1
    for letter in query:
        place = _place(letter, text, cased, after, latest.pop())
        points += _CONSECUTIVE_POINTS * (place == after) + _WORD_POINTS * _begins_word(cased, place)
        after = place + 1
    return points


def _place(letter: str, text: str, cased: str, after: int, latest: int) -> int:
    """Return the best place for a character, from which on there is still room for the rest of the query."""
    if after >= 0 and text.startswith(letter, after):
        return after
    first = place = text.find(letter, max(after, 0))
    for _ in range(_LOOKS):
        if not 0 <= place <= latest:
            break
        if _begins_word(cased, place):
            return place
        place = text.find(letter, place + 1)
    return first


def _begins_word(cased: str, place: int) -> bool:
    if place == 0:
        return True
    before = cased[place - 1]
    return not before.isalnum() or (cased[place].isupper() and before.islower())
