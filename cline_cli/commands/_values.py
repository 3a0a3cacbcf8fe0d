"""The values of a run's options, read and checked; each complaint names the option and what it takes."""

from __future__ import annotations

import re
from typing import TypeVar, get_args

from cline_cli.agent.provider import Effort
from cline_cli.errors import UsageError

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
LEVELS: tuple[Effort, ...] = get_args(Effort)
_Word = TypeVar("_Word", bound=str)


def read_timeout(text: str, name: str = "timeout") -> float:
    """Return seconds from `90`, `90s`, `1.5m`, `2h`.

    Raises:
        UsageError: it is none of these, or not more than nothing.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smh]?)", text.strip(), re.ASCII)
    seconds = float(match[1]) * UNITS[match[2]] if match else 0.0
    if not seconds:
        raise UsageError(f"{_option(name)} {text!r} is no time", "Give seconds or a unit: 90, 90s, 10m")
    return seconds


def read_count(name: str, text: str | None) -> int | None:
    """Return a whole number of at least 1; None where none was given.

    Raises:
        UsageError: it is something else.
    """
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,15}", text.strip(), re.ASCII) or int(text) < 1:
        raise UsageError(f"{_option(name)} {text!r} is not a whole number of at least 1")
    return int(text)


def read_amount(name: str, text: str | None) -> float | None:
    """Return an amount of US dollars, from `0.50`, `$2`; None where none was given.

    Raises:
        UsageError: it is something else, or not more than nothing.
    """
    if text is None:
        return None
    match = re.fullmatch(r"\$?(\d{0,9}(?:\.\d{1,9})?)", text.strip(), re.ASCII)
    amount = float(match[1]) if match and match[1] else 0.0
    if not amount:
        raise UsageError(f"{_option(name)} {text!r} is no amount", "Give US dollars: 0.50")
    return amount


def read_effort(text: str | None) -> Effort | int | None:
    """Return a level of thinking, or a budget in tokens; None where none was given.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    for level in LEVELS:
        if text == level:
            return level
    if re.fullmatch(r"\d{1,9}", text, re.ASCII) and int(text) > 0:
        return int(text)
    raise UsageError(f"--thinking {text!r} is no level", f"Give one of {', '.join(LEVELS)}, or a number of tokens")


def read_word(name: str, text: str, words: tuple[_Word, ...]) -> _Word:
    """Return that one of the words.

    Raises:
        UsageError: it is none of them.
    """
    for word in words:
        if text == word:
            return word
    raise UsageError(f"{_option(name)} {text!r} is not one", f"Give {', '.join(words[:-1])} or {words[-1]}")


def read_bool(name: str, text: str) -> bool:
    """Return what `true` or `false`, `1` or `0` says.

    Raises:
        UsageError: it says neither.
    """
    if text not in {"true", "false", "1", "0"}:
        raise UsageError(f"{_option(name)} {text!r} is neither true nor false")
    return text in {"true", "1"}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
