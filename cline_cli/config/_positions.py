"""Where in a TOML file a key and its value stand: a scanner that trusts its input, which the parser has accepted.

    text ── keys, headers, values, one after another ──> {("stdin", "max_bytes"): Spot}

The standard library's parser gives values without places; so this is run when there is something to complain of.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

MAX_DEPTH = 100
"""Of brackets within brackets, and of names in one key. Nobody writes so many, and the parser takes n * n for n."""


class Position(NamedTuple):
    line: int
    """From 1, as the column, which counts characters."""
    column: int


class Spot(NamedTuple):
    """Where one key stands, as offsets in the text."""

    key: int
    value: int
    """Of a table with a header, or one made by a dotted key: where its name stands."""
    statement: tuple[int, int] | None
    """From where to where the line goes that holds this key and nothing else; None within braces and for tables."""


Spots = dict[tuple[str, ...], Spot]

_BLANK = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_NAME = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'"""
)
_TOKEN = re.compile(rf"{_STRING.pattern}|#[^\n]*|[\[\]{{}}.=,\n]")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")


def to_position(text: str, offset: int) -> Position:
    """Return the line and the column of an offset."""
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


@lru_cache(maxsize=4)
def find_spots(text: str) -> Spots:
    """Return where every key of a valid document stands, tables among them; the first place of each counts."""
    return _Scanner(text).scan()


def is_suspicious(text: str) -> bool:
    """Whether a key of too many names may be in it."""
    return any(line.count(".") > MAX_DEPTH for line in text.split("\n"))


def find_excess(text: str) -> int | None:
    """Return the offset of the first thing that is nested too deeply, brackets or the names of a key, or None."""
    depth = dots = 0
    for match in _TOKEN.finditer(text):
        match match[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case ".":
                dots += 1
            case "=" | "," | "\n":
                dots = 0
        if max(depth, dots) > MAX_DEPTH:
            return match.start()
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._spots: Spots = {}

    def scan(self) -> Spots:
        table: tuple[str, ...] = ()
        while self._skip_blank() < len(self._text):
            if self._text[self._position] == "[":
                self._position += 1 + self._text.startswith("[[", self._position)
                table, _ = self._read_names(())
                self._position = self._text.index("]", self._position) + 1
                self._position += self._text.startswith("]", self._position)
                continue
            key, start = self._read_names(table)
            value, end = self._read_value(key)
            self._spots.setdefault(key, Spot(start, value, self._find_line(start, end)))
        return self._spots

    def _skip_blank(self) -> int:
        self._position = self._match(_BLANK).end()
        return self._position

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._position)
        assert match, "the parser has accepted the text"
        return match

    def _read_names(self, table: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        """Read a dotted key within a table, remember the tables on the way; return the path and where it begins."""
        self._position = start = self._match(_SPACE).end()
        path = table
        while True:
            name = self._match(_NAME)
            path = (*path, _unquote(name[0]))
            self._position = name.end()
            after = self._match(_SPACE).end()
            is_last = not self._text.startswith(".", after)
            if not is_last or self._text[after : after + 1] == "]":
                self._spots.setdefault(path, Spot(name.start(), name.start(), None))
            if is_last:
                return path, start
            self._position = after + 1
            self._position = self._match(_SPACE).end()

    def _read_value(self, key: tuple[str, ...]) -> tuple[int, int]:
        """Read `= value` with all that is in it; return where the value begins and ends."""
        start = self._open_value()
        containers = [key] if self._enter(start) else []
        is_table = [self._text[start] == "{"] if containers else []
        while containers:
            self._skip_blank()
            if self._text[self._position] in "]}":
                self._position += 1
                containers.pop()
                is_table.pop()
                continue
            if is_table[-1]:
                inner, name = self._read_names(containers[-1])
                value = self._open_value()
            else:
                inner, name, value = containers[-1], -1, self._position
            if self._enter(value):
                containers.append(inner)
                is_table.append(self._text[value] == "{")
            if name >= 0:
                self._spots.setdefault(inner, Spot(name, value, None))
        return start, self._position

    def _open_value(self) -> int:
        """Go over the equals sign to where a value begins, and return that."""
        self._position = self._text.index("=", self._position) + 1
        self._position = self._match(_SPACE).end()
        return self._position

    def _enter(self, start: int) -> bool:
        """Go over what is no container, or over the bracket that opens one, and return whether it was one."""
        self._position = start
        if self._text[start] in "[{":
            self._position += 1
            return True
        string = _STRING.match(self._text, start)
        self._position = string.end() if string else start + len(self._match(_SCALAR)[0].rstrip())
        return False

    def _find_line(self, start: int, end: int) -> tuple[int, int]:
        first = self._text.rfind("\n", 0, start) + 1
        last = self._text.find("\n", end)
        return first, len(self._text) if last < 0 else last + 1


def _unquote(name: str) -> str:
    if name[0] not in "\"'":
        return name
    import tomllib  # lazy: whoever needs a place has loaded it

    return next(iter(tomllib.loads(f"{name} = 0")))
