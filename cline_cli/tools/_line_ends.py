"""Line ends of a file that is edited: what is new takes those around it, what is kept keeps its own. Pure.

A model sees and writes \\n. A text's *view* is the text with every \\r\\n as \\n; positions in it are mapped back.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from cline_cli.tools._changes import find_changes


class View(NamedTuple):
    text: str
    carriage_returns: tuple[int, ...]
    """Where in the view the line breaks stand that are \\r\\n in the original."""

    def original_position(self, position: int) -> int:
        return position + bisect_left(self.carriage_returns, position)


def to_view(text: str) -> View:
    found: list[int] = []
    position = text.find("\r\n")
    while position >= 0:
        found.append(position - len(found))
        position = text.find("\r\n", position + 2)
    return View(text.replace("\r\n", "\n"), tuple(found))


def adapt(new: str, text: str, start: int, end: int) -> str:
    """Return `new` with the line ends it needs to stand in `text` for what is between two positions."""
    if "\n" not in text:  # nothing to go by
        return new
    plain = new.replace("\r\n", "\n")
    if "\r\n" not in text:
        return plain
    if text.count("\n") == text.count("\r\n"):
        return plain.replace("\n", "\r\n")
    return _merge(plain, text[start:end], _line_end_near(text, end))


def line_end_of(text: str) -> str:
    """Return how the last line of a text that has an end ends."""
    return "\r\n" if text.rfind("\n") == text.rfind("\r\n") + 1 > 0 else "\n"


def _line_end_near(text: str, position: int) -> str:
    following = text.find("\n", position)
    return line_end_of(text[: following + 1] if following >= 0 else text[:position])


def _merge(new: str, old: str, fallback: str) -> str:
    """Return new lines, those that are also in `old` with the line ends they have there. `fallback` ends the others."""
    olds, news = old.split("\n"), new.split("\n")
    ends = ["\r\n" if line.endswith("\r") else "\n" for line in olds[:-1]] + [fallback]
    chosen: list[str] = []
    position = 0
    for start, end, new_start, new_end in find_changes([line.removesuffix("\r") for line in olds], news):
        chosen.extend(ends[position:start])
        chosen.extend(ends[at] if at < end else fallback for at in range(start, start + new_end - new_start))
        position = end
    chosen.extend(ends[position:])
    return "".join(line + end for line, end in zip(news, [*chosen[:-1], ""], strict=True))
