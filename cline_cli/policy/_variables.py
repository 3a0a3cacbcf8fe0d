"""What commands of the shell do to variables: some are evaluated as numbers, some are run, some are arrays. Pure.

Bash runs `a[$(command)]` wherever it evaluates a number or the name of a variable, `($(command))` where a quoted text
is declared to be an array, and the values of some variables before or behind every command.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from cline_cli.policy._words import HOLE, SHELL_VARIABLES, Simple, UnreadableError, Word

DECLARING = frozenset("declare typeset local export readonly".split())
_EVALUATING = frozenset("let read unset getopts mapfile readarray wait".split())
_NAMING = frozenset("read getopts mapfile readarray".split())
"""What sets variables that its words name."""
_WITH_VALUE = re.compile(r"-\w*[dinNptuOscC]")
"""Options of those whose value is no name."""
_COMPUTED = re.compile(r"OPTIND|RANDOM|HISTCMD|SECONDS|LINENO|EPOCH|BASHPID")
"""Variables whose new value is evaluated as a number."""
_MAKES_ARRAYS = re.compile(r"-\w*[aA]|=\(|mapfile|readarray")


class Effect(NamedTuple):
    computes: bool = False
    """It evaluates numbers, or the names of variables."""
    declares: bool = False
    """It declares variables whose name or value is only known when it runs."""


def find_effect(command: Simple) -> Effect:
    """Return what a command does to variables.

    Raises:
        UnreadableError: it sets a variable that cannot be told, or one that the shell runs.
    """
    texts = [word.text for word in command.words]
    own = next((at for at, text in enumerate(texts) if text not in {"builtin", "command"}), 0)
    name, arguments = texts[own], set(texts[own + 1 :])
    first = texts[own + 1] if len(texts) > own + 1 else ""
    prints = name == "printf" and (first.startswith(HOLE) or any(one.startswith("-v") for one in arguments))
    if (prints or name in _NAMING | DECLARING) and any(SHELL_VARIABLES.match(text) for text in arguments):
        raise UnreadableError("it sets what the shell runs")
    if (prints or name in _NAMING) and not _names_literally(command.words, prints=prints):
        raise UnreadableError("it sets a variable that is only known when it runs")
    if name in DECLARING:
        return _declare(command)
    is_test = name in {"test", "["} and any(one in {"-v", "-R"} or HOLE in one for one in arguments)
    if is_test and arguments & {"-v", "-R"} and any(HOLE in one for one in arguments):
        raise UnreadableError("it looks at a variable that is only known when it runs")
    return Effect(computes=prints or is_test or name in _EVALUATING)


def _names_literally(words: tuple[Word, ...], *, prints: bool) -> bool:
    """Return whether all that a command may take for the name of a variable is known."""
    for before, word in pairwise(words):
        is_value = _WITH_VALUE.fullmatch(before.text) is not None
        is_name = before.text == "-v" or word.text.startswith("-v") if prints else not is_value
        if is_name and not word.is_literal:
            return False
    return True


def _declare(command: Simple) -> Effect:
    """Raises UnreadableError where it may run what stands in a quoted array."""
    options = {letter for word in command.words if word.text.startswith("-") for letter in word.text}
    words = [word for word in command.words[1:] if not word.text.startswith("-")]
    values = [value for _, value in command.assignments if not re.match(r"\w+\+?=\(", value.source)]
    texts = [word.text.partition("=")[2] for word in words] + [value.text for value in values]
    if any(text.startswith("(") or (options & set("aA") and HOLE in text) for text in texts):
        raise UnreadableError("an array is computed")
    if any(HOLE in word.text.partition("=")[0] and "=" in word.text for word in words):
        raise UnreadableError("it sets a variable that is only known when it runs")
    if "n" in options and any(SHELL_VARIABLES.fullmatch(text) for text in texts):
        raise UnreadableError("it sets what the shell runs")
    return Effect(
        computes=bool(options & set("in")) or any("[" in word.text or not word.is_literal for word in words),
        declares=any(not word.is_literal for word in (*words, *values)),
    )


def check_declarations(text: str, literals: str) -> None:
    """Look at a script that declares what is only known when it runs, with all that is known of its words.

    Raises:
        UnreadableError: that could be something that bash runs.
    """
    if "(" in literals and re.search(r"[$`\\]", literals) and _MAKES_ARRAYS.search(text):
        raise UnreadableError("it declares what could be an array with something to run in it")
    if SHELL_VARIABLES.search(literals):
        raise UnreadableError("it could set what the shell runs")


def computes_by_name(text: str) -> bool:
    """Return whether a script may set a variable that is always a number."""
    return _COMPUTED.search(text) is not None
