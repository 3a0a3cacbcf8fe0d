"""Reads a text a character at a time, as far as a call of a tool written in it needs. Pure.

Each function is sent characters and returns, with what it read, the first one that it has no use for.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Final, TypeAlias

_MAX_TAG_CHARACTERS: Final = 200
_TAGS: Final = ("tool_call", "/tool_call", "tools", "/tools", "function=", "/function", "parameter=")

Scan: TypeAlias = Generator[None, str, str]
"""Is sent the next character each time it yields, "" at the end of the text; returns the first it has no use for."""
Found: TypeAlias = Generator[None, str, tuple[str, str]]
"""Returns what it has read, and the first character behind it."""


class NotACallError(Exception):
    """The text is none that is nothing but calls."""


def skip_space(character: str) -> Scan:
    while character.isspace():
        character = yield
    return character


def take(character: str, word: str) -> Scan:
    for expected in word:
        if character != expected:
            raise NotACallError
        character = yield
    return character


def read_until(character: str, end: str) -> Found:
    """Read to the first `end` and behind it."""
    read: list[str] = []
    last = end[-1]
    while character:
        read.append(character)
        if character == last and "".join(read[-len(end) :]) == end:
            text = "".join(read)
            return text.removesuffix(end), (yield)
        character = yield
    raise NotACallError


def read_word(character: str, words: Collection[str], end: str) -> Found:
    """Read one of the words, to behind the character that ends it."""
    word = ""
    while character != end:
        word += character
        if not character or not any(known.startswith(word) for known in words):
            raise NotACallError
        character = yield
    if word not in words:
        raise NotACallError
    return word, (yield)


def read_tag(character: str) -> Found:
    """Read `<...>`."""
    character = yield from take(character, "<")
    tag = ""
    while character != ">":
        tag += character
        is_known = any(known.startswith(tag) or tag.startswith(known) for known in _TAGS)
        if not is_known or not character or character in "<\n" or len(tag) > _MAX_TAG_CHARACTERS:
            raise NotACallError
        character = yield
    return tag, (yield)


def skip_string(character: str) -> Scan:
    """Skip a short string without escapes."""
    character = yield from take(character, '"')
    length = 0
    while character != '"':
        length += 1
        if not character.isprintable() or character in {"", "\\"} or length > _MAX_TAG_CHARACTERS:
            raise NotACallError
        character = yield
    return (yield)


def read_braces(character: str) -> Found:
    """Read to the end of an object of JSON; whether it is valid is not looked at."""
    if character != "{":
        raise NotACallError
    read: list[str] = []
    depth = 0
    is_text = is_escaped = False
    while character:
        read.append(character)
        if is_text:
            is_text = character != '"' or is_escaped
            is_escaped = character == "\\" and not is_escaped
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return "".join(read), (yield)
        else:
            is_text = character == '"'
        character = yield
    raise NotACallError
