"""Words of `set` and `find` that would make a line do what is not read. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cline_cli.policy._words import HOLE, WILD, UnreadableError, Word
from cline_cli.policy._wrappers import HARMLESS_SWITCHES, is_one_word

_WITH_VALUE = re.compile(r"-(?:i?name|i?path|i?wholename|type|maxdepth|mindepth|newer\w*|size|m(?:time|min)|perm|user)")
"""Tests of find that take a value."""


def check_set(words: Sequence[Word]) -> None:
    """Let `set -euo pipefail` pass, and nothing that makes the shell read otherwise.

    Raises:
        UnreadableError: it does, or could.
    """
    for word, value in zip(words[1:], (*words[2:], Word("", "")), strict=True):
        if word.text == "--":
            break
        is_option = word.text.startswith(("-", "+"))
        if word.text.startswith(HOLE) or (is_option and ("k" in word.text or not word.is_literal)):
            raise UnreadableError(f"set {word.source} is not read")
        if is_option and "o" in word.text and value.text not in HARMLESS_SWITCHES | {""}:
            raise UnreadableError(f"set {word.source} {value.source} is not read")


def check_find(words: Sequence[Word]) -> None:
    """Look for words that could turn out to be `-exec`.

    Raises:
        UnreadableError: there are some.
    """
    for at, word in enumerate(words[1:], 1):
        is_place = at == 1 and (len(words) == 2 or words[2].text.startswith("-"))
        is_hidden = word.text.startswith(WILD) or (word.text.startswith("-") and not word.is_literal)
        if is_hidden or (HOLE in word.text and not is_one_word(word._replace(text=word.text.replace(WILD, "*")))):
            raise UnreadableError(f"the words behind {words[0].source} are only known when it runs")
        if word.text.startswith(HOLE) and not is_place and not _WITH_VALUE.fullmatch(words[at - 1].text):
            raise UnreadableError(f"the words behind {words[0].source} are only known when it runs")
