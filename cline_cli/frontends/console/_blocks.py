"""Cuts Markdown that still grows into blocks that are finished and one that is open. Pure, linear in the text.

It cuts only where CommonMark surely ends a top-level block, so that the blocks rendered one by one look like the whole
rendered at once; where that is not sure, two blocks stay together, which looks the same and is only shown later.

    nothing ──────> text      until a blank line, a heading, a fence or a list
            ├─────> list      until an unindented line after a blank one, an unindented heading or fence
            ├─────> code      (indented) until a line that is not, after a blank one
            ├─────> fence     until its closing line
            └─────> heading, rule: one line
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^\n]*)")
_NESTED_FENCE = re.compile(r"[ \t]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})([^\n]*)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t\n]|$)")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})$")
_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?:[ \t\n]|$)")
_INTERRUPTING_ITEM = re.compile(r" {0,3}(?:[-+*]|1[.)])[ \t]+[^ \t\n]")
_INDENTED = re.compile(r" {4}| {0,3}\t")

Kind = Literal["nothing", "text", "list", "code", "fence"]


class _Fence(NamedTuple):
    marks: str
    """What its closing line must hold at least."""
    deepest: int
    """How many columns the closing line may be indented."""


class BlockSplitter:
    """Takes Markdown in pieces; the blocks it has given and the open one, joined, are the text so far."""

    def __init__(self) -> None:
        self._kind: Kind = "nothing"
        self._lines: list[str] = []
        """The whole lines of the open block."""
        self._pieces: list[str] = []
        """The line that has no end yet."""
        self._follows_blank = False
        self._fence: _Fence | None = None

    def feed(self, text: str) -> list[str]:
        """Return the blocks that are finished now."""
        *whole, rest = text.split("\n")
        finished: list[str] = []
        for line in whole:
            self._pieces.append(line + "\n")
            self._take("".join(self._pieces), finished)
            self._pieces.clear()
        if rest:
            self._pieces.append(rest)
        return finished

    def close(self) -> list[str]:
        """Return the blocks that are left; the next piece begins another text."""
        finished: list[str] = []
        if self._pieces:
            self._take("".join(self._pieces), finished)
            self._pieces.clear()
        self._finish(finished)
        return finished

    def tail(self, lines: int, characters: int) -> str:
        """Return the end of the open block, with the line that gives it its form: for a look at it, not for good.

        At most `lines` whole lines besides, and of the last one at most as many `characters`.
        """
        form = 2 if self._lines and self._lines[0].lstrip().startswith("|") else 1 if self._kind == "fence" else 0
        text = self._lines[:form] + self._lines[max(form, len(self._lines) - lines) :]
        return "".join(text) + "".join(self._pieces)[-characters:]

    def _take(self, line: str, finished: list[str]) -> None:
        """Put a whole line into the open block, or finish that one before or after it."""
        if self._fence:
            self._lines.append(line)
            if _closes(self._fence, line):
                self._fence = None
                if self._kind == "fence":
                    self._finish(finished)
        elif not line.strip():
            self._lines.append(line)
            self._follows_blank = True
            if self._kind in {"nothing", "text"}:
                self._finish(finished)
        else:
            if self._ends_before(line):
                self._finish(finished)
            self._follows_blank = False
            self._add(line, finished)

    def _ends_before(self, line: str) -> bool:
        """Return whether this line, which is not blank, begins a block of its own."""
        match self._kind:
            case "text":
                return bool(_HEADING.match(line) or _INTERRUPTING_ITEM.match(line) or _open_fence(_FENCE, line))
            case "list" if line[0] in " \t" or (self._follows_blank and _ITEM.match(line)):
                return False
            case "list":
                return bool(self._follows_blank or _HEADING.match(line) or _open_fence(_FENCE, line))
            case "code":
                return not _INDENTED.match(line)
            case _:
                return False

    def _add(self, line: str, finished: list[str]) -> None:
        self._lines.append(line)
        if self._kind == "nothing":
            if _INDENTED.match(line):
                self._kind = "code"
            elif fence := _open_fence(_FENCE, line):
                self._kind, self._fence = "fence", fence
            elif _RULE.match(line) or _HEADING.match(line):
                self._finish(finished)
            else:
                self._kind = "list" if _ITEM.match(line) else "text"
        elif self._kind == "text" and _RULE.match(line):
            self._finish(finished)
        elif self._kind == "text" and _ITEM.match(line):
            # It may begin a list or go on with a paragraph; what is taken for a list is kept together for longer.
            self._kind = "list"
        if self._kind == "list":
            self._fence = _open_fence(_NESTED_FENCE, line)

    def _finish(self, finished: list[str]) -> None:
        if self._lines:
            finished.append("".join(self._lines))
        self._lines = []
        self._kind, self._follows_blank, self._fence = "nothing", False, None


def _open_fence(pattern: re.Pattern[str], line: str) -> _Fence | None:
    """Return the fence that the line opens."""
    match = pattern.match(line.expandtabs(4))
    if match is None or (match[1][0] == "`" and "`" in match[2]):
        return None
    return _Fence(match[1], 3 if pattern is _FENCE else match.start(1) + 3)


def _closes(fence: _Fence, line: str) -> bool:
    marks = line.strip()
    if not marks.startswith(fence.marks) or marks.strip(fence.marks[0]):
        return False
    flat = line.expandtabs(4)
    return len(flat) - len(flat.lstrip()) <= fence.deepest
