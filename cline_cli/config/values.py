"""Values of settings: from TOML, from the words of a command line, and to text again. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Final

from cline_cli.config.addresses import check_base_url
from cline_cli.config.definitions import LEVELS, Definition, Kind, Patterns, Value

KINDS: Final[Mapping[Kind, str]] = {
    "text": "text",
    "address": "an address, https://host/path",
    "flag": "true or false",
    "number": "a whole number",
    "amount": "US dollars: 0.50",
    "time": "a time: 90, 90s, 10m, 2h",
    "level": f"{', '.join(LEVELS)}, or a number of tokens",
    "word": "one of a few words",
    "patterns": "a list of patterns",
}
SECONDS: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600}
MAX_NUMBER: Final = 10**15 - 1
MAX_PATTERNS: Final = 20_000
MAX_TEXT: Final = 1000
"""Characters; no name and no address has as many."""


def from_toml(definition: Definition, value: object) -> Value | None:  # noqa: PLR0911  # a kind a branch
    """Return what a file says, or None where it says nothing: an empty text.

    Raises:
        ValueError: it is no such value; the text goes on after the setting's name: "must be true or false, not text".
    """
    if value == "" and definition.kind in {"text", "address", "word", "level", "time"}:
        return None
    match definition.kind:
        case "flag":
            if not isinstance(value, bool):
                raise ValueError(f"must be true or false, not {name_type(value)}")
            return value
        case "number":
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"must be a whole number, not {_name_no_whole(value)}")
            return _check_number(definition, value)
        case "amount":
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ValueError(f"must be a number of US dollars, not {name_type(value)}")
            return _check_amount(value)
        case "time" | "level" if isinstance(value, int | float) and not isinstance(value, bool):
            if abs(value) > MAX_NUMBER:
                raise ValueError(f"must be {KINDS[definition.kind]}")
            return _check_text(definition, _to_decimal(value, 6))
        case _:
            if definition.kind == "patterns":
                return _check_patterns(value)
            if not isinstance(value, str):
                raise ValueError(f"must be text in quotes, not {name_type(value)}")
            return _check_text(definition, value)


def from_text(definition: Definition, text: str) -> Value:
    """Return the value that somebody typed.

    Raises:
        ValueError: it is no such value; the text goes on after the setting's name.
    """
    text = text.strip()
    if not text:
        raise ValueError("needs a value")
    if len(text) > (MAX_PATTERNS if definition.kind == "patterns" else MAX_TEXT):
        raise ValueError(f"is longer than {MAX_TEXT:,} characters")
    match definition.kind:
        case "patterns":
            return _read_patterns(text)
        case "flag":
            if text not in {"true", "false", "1", "0"}:
                raise ValueError(f"must be true or false, not {text!r}")
            return text in {"true", "1"}
        case "number":
            if not re.fullmatch(r"\d(?:_?\d){0,17}", text, re.ASCII):
                raise ValueError(f"must be a whole number, not {text!r}")
            return _check_number(definition, int(text))
        case "amount":
            match = re.fullmatch(r"\$?(\d{0,9}(?:\.\d{1,9})?)", text, re.ASCII)
            if not match or not match[1]:
                raise ValueError(f"must be a number of US dollars, not {text!r}")
            return _check_amount(float(match[1]))
        case _:
            return _check_text(definition, text)


def to_text(value: Value) -> str:
    """Return a value as a script reads it: bare, `true` and `false` in small letters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _to_decimal(value, 9) if isinstance(value, float) else str(value)


def to_toml(value: Value) -> str:
    """Return a value as it stands in the file, for people to read."""
    if isinstance(value, Patterns):
        return _to_inline(to_plain(value))
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:_}" if isinstance(value, int) and not isinstance(value, bool) else to_text(value)


def to_plain(value: Value) -> object:
    """Return a value as TOML has it: patterns as a list."""
    return json.loads(value) if isinstance(value, Patterns) else value


def measure(definition: Definition, value: Value) -> float:
    """Return how much a limit allows, to compare it with another of the same setting."""
    return read_time(str(value)) if definition.kind == "time" else float(value)


def read_time(text: str) -> float:
    """Return seconds from `90`, `90s`, `1.5m`, `2h`.

    Raises:
        ValueError: it is none of these, or not more than nothing.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smh]?)", text.strip(), re.ASCII)
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if not seconds:
        raise ValueError(f"must be a time such as 90, 90s or 10m, not {text!r}")
    return seconds


def name_type(value: object) -> str:
    """Return what TOML calls a value's type, for people."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"


def _name_no_whole(value: object) -> str:
    if not isinstance(value, float):
        return name_type(value)
    return "a number with a fraction" if math.isfinite(value) else str(value)


def _check_number(definition: Definition, value: int) -> int:
    if value < definition.least:
        raise ValueError(f"must be at least {definition.least}, not {value}")
    if value > MAX_NUMBER:
        raise ValueError(f"must be at most {MAX_NUMBER:,}")
    return value


def _read_patterns(text: str) -> Patterns:
    """Return what was typed: a list as JSON, or a single pattern."""
    if not text.startswith("["):
        return _check_patterns([text])
    try:
        return _check_patterns(json.loads(text))
    except (json.JSONDecodeError, RecursionError):
        raise ValueError('must be a list such as ["git diff *", "make *"]') from None


def _check_patterns(value: object) -> Patterns:
    """What the patterns mean is for the policy to judge; here it is seen that they are such."""
    if not isinstance(value, list):
        raise ValueError(f"must be a list of patterns, not {name_type(value)}")
    for item in value:
        is_table = isinstance(item, dict) and isinstance(item.get("pattern"), str)
        if not isinstance(item, str) and not is_table:
            raise ValueError("must hold patterns: text, or tables with pattern, match and not_match")
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        raise ValueError("must hold patterns: text, or tables with pattern, match and not_match") from None
    if not text.isprintable():
        raise ValueError("has control characters in it")
    if len(text) > MAX_PATTERNS:
        raise ValueError(f"is longer than {MAX_PATTERNS:,} characters")
    return Patterns(text)


def _to_inline(value: object) -> str:
    """Return JSON as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_to_key(name)} = {_to_inline(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_to_inline(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _to_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _check_amount(value: float) -> float:
    if not 1e-9 <= value < 1e9:  # nor is what is not a number at all
        raise ValueError("must be more than 0 and less than 1,000,000,000")
    return float(value)


def _check_text(definition: Definition, text: str) -> str:
    if not text.isprintable():
        raise ValueError("has control characters in it")
    if len(text) > MAX_TEXT:
        raise ValueError(f"is longer than {MAX_TEXT:,} characters")
    match definition.kind:
        case "address":
            try:
                return check_base_url(text)
            except ValueError as error:
                raise ValueError(f"is no address of a server: {error}") from None
        case "time":
            read_time(text)
        case "level":
            is_number = re.fullmatch(r"\d{1,9}", text, re.ASCII) and int(text) > 0
            if text not in LEVELS and not is_number:
                raise ValueError(f"must be {KINDS['level']}, not {text!r}")
        case "word":
            if text not in definition.words:
                raise ValueError(f"must be one of {', '.join(definition.words)}, not {text!r}")
    return text


def _to_decimal(value: float, places: int) -> str:
    """Return a number without an exponent, and without zeros that say nothing."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    return f"{value:.{places}f}".rstrip("0").rstrip(".")
