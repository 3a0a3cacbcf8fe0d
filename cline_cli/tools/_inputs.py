"""Reads arguments as models write them: other names, a string for a list, JSON inside a string, numbers as text. Pure.

What a tool's schema asks for is one form; this accepts the neighbouring ones that are seen in practice, as long as
they can mean one thing only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import ToolError


def first(arguments: JsonObject, *names: str) -> JsonValue:
    """Return the first of these arguments that is there and not null."""
    return next((arguments[name] for name in names if arguments.get(name) is not None), None)


def unpack(value: JsonValue) -> JsonValue:
    """Return a string's own JSON array or object, where it is exactly that; anything else unchanged."""
    if not isinstance(value, str) or value.strip()[:1] not in {"[", "{"}:
        return value
    try:
        inner: JsonValue = json.loads(value)
    except ValueError:
        return value
    return inner


def items(value: JsonValue) -> list[JsonValue]:
    """Return the items of a list, which may be JSON in a string, and of anything else a list of it; of null none."""
    value = unpack(value)
    if value is None:
        return []
    return list(value) if is_list(value) else [value]


def is_list(value: JsonValue) -> TypeGuard[Sequence[JsonValue]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def text(value: JsonValue, name: str) -> str:
    """Return a string; a number becomes one.

    Raises:
        ToolError: it is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ToolError(f"{name} must be a string, not {kind(value)}")


def number(value: JsonValue, name: str) -> int | None:
    """Return a whole number, also from text; null and empty text are none.

    Raises:
        ToolError: it is not one.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool) and float(value).is_integer():
            return int(float(value))
    except (ValueError, OverflowError):
        pass
    raise ToolError(f"{name} must be a whole number, not {json.dumps(value, ensure_ascii=False)[:80]}")


def kind(value: JsonValue) -> str:
    """Name a value's JSON type, for messages."""
    names: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"),
        (str, "a string"),
        (int, "a number"),
        (float, "a number"),
        (Mapping, "an object"),
        (Sequence, "an array"),
    )
    return next((name for kind_, name in names if isinstance(value, kind_)), "null")
