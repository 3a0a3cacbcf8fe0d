"""Candidates for a changed file, found where the model doubts the text. Pure.

Asked to write a file anew, a small model mostly copies it, the mistake too. But while it copies, the word that is wrong
is the one that it would rather have written otherwise: its own probabilities point there. So the text is followed as
far as the model copies it, and every place where another word had a fair chance becomes a candidate that differs from
the original in that line alone. Which of them is right is for a check to say, never for the model.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Sequence
from typing import NamedTuple

ALTERNATIVES = 6
"""How many words the model is asked for at each place."""
MAX_PLACES = 6
MIN_PROBABILITY = 0.04
_MIN_REST = 0.6
"""A rewritten file with fewer of its lines than this was not written to its end."""


class Token(NamedTuple):
    """A word as the model wrote it, and what it would rather or nearly have written."""

    text: str
    others: Sequence[tuple[str, float]]
    """Text and natural logarithm of the probability."""


class Place(NamedTuple):
    """Where another word had a fair chance."""

    offset: int
    """In characters of the original."""
    word: str
    probability: float


class Doubts(NamedTuple):
    places: tuple[Place, ...]
    """The likeliest first."""
    left: int | None
    """Where the model left the original of itself; None where it copied all that it wrote."""


def find_doubts(original: str, tokens: Sequence[Token], start: int = 0) -> Doubts:
    """Return the places of a text that was written anew from an offset on."""
    places: list[Place] = []
    offset = start
    left = None
    for token in tokens:
        if not token.text or not original.startswith(token.text, offset):
            left = offset
            break
        places.extend(
            Place(offset, word, math.exp(logarithm))
            for word, logarithm in token.others
            if word != token.text and _is_worth_trying(word) and logarithm > math.log(MIN_PROBABILITY)
        )
        offset += len(token.text)
    return Doubts(tuple(sorted(places, key=lambda place: -place.probability)[:MAX_PLACES]), left)


def _is_worth_trying(word: str) -> bool:
    return bool(word.strip()) and "\ufffd" not in word and not word.lstrip().startswith(("```", "#", '"""', "'''"))


def complete(original: str, place: Place, rest_of_line: str) -> tuple[str, ...]:
    """Return the candidates of a place: the line replaced and, at the start of a line, a line put before it.

    A word that ends a line is followed by the line that the model puts there.
    """
    line_start = original.rfind("\n", 0, place.offset) + 1
    line = original[: place.offset] + place.word + rest_of_line.partition("\n")[0]
    line_end = original.find("\n", place.offset)
    replaced = line + (original[line_end:] if line_end >= 0 else "\n")
    if original[line_start : place.offset].strip():
        return (replaced,)
    return replaced, f"{line}\n{original[line_start:]}"


def is_complete(original: str, rewritten: str) -> bool:
    """Return whether a rewritten file may stand for the original as a whole."""
    return len(rewritten.splitlines()) >= _MIN_REST * len(original.splitlines())


def select(path: str, original: str, candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the candidates that change something and can be read, each once."""
    seen = {meaning(path, original)}
    selected: list[str] = []
    for candidate in candidates:
        what = meaning(path, candidate)
        if what is not None and what not in seen:
            seen.add(what)
            selected.append(candidate)
    return tuple(selected)


def meaning(path: str, text: str) -> str | None:
    """Return what two texts have in common that do the same; None for Python that cannot be read."""
    if not path.endswith(".py"):
        return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())
    try:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and len(body) > 1 and _is_text(body[0]):
                del body[0]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_blank(line: str) -> bool:
    return not line.strip()


def keep_effective(path: str, original: str, rewritten: str) -> str:
    """Return the rewritten text without the changes that do nothing: lost comments, docstrings, blanks."""
    old, new = original.splitlines(), rewritten.splitlines()
    wanted = meaning(path, rewritten)
    changes = difflib.SequenceMatcher(_is_blank, old, new, autojunk=False).get_opcodes()
    kept = [change for change in changes if change[0] != "equal"]
    for change in tuple(kept):
        others = [other for other in kept if other != change]
        if wanted is not None and meaning(path, _apply(old, new, others)) == wanted:
            kept = others
    return _apply(old, new, kept)


def _apply(old: Sequence[str], new: Sequence[str], changes: Sequence[tuple[str, int, int, int, int]]) -> str:
    lines = list(old)
    for _, start, end, new_start, new_end in reversed(changes):
        lines[start:end] = new[new_start:new_end]
    return "\n".join(lines) + "\n"


class Replacement(NamedTuple):
    old: str
    new: str


def to_replacement(present: str, wanted: str) -> Replacement:
    """Return whole lines that turn one text into another; the old ones stand in it exactly once."""
    old, new = present.splitlines(), wanted.splitlines()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    same = 0
    while same < min(len(old), len(new)) - start and old[-1 - same] == new[-1 - same]:
        same += 1
    end = len(old) - same
    is_removal = start == len(new) - same  # without a line that stays, an empty one would be left
    while (is_removal or not _is_unique(present, old[start:end])) and (start > 0 or end < len(old)):
        is_removal = False
        if start > 0:
            start -= 1
        else:
            end += 1
    return Replacement("\n".join(old[start:end]), "\n".join(new[start : len(new) - (len(old) - end)]))


def _is_unique(text: str, lines: Sequence[str]) -> bool:
    wanted = "\n".join(lines)
    return bool(wanted.strip()) and text.count(wanted) == 1
