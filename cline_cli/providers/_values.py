"""Values in the JSON of others, read without trust: what is not of the kind asked for counts as absent. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from cline_cli.agent.messages import JsonObject, JsonValue


def to_object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def to_objects(value: JsonValue) -> Sequence[JsonObject]:
    """Return the objects in a list; nothing for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def first_object(value: JsonValue) -> JsonObject:
    return next(iter(to_objects(value)), {})


def to_number(value: JsonValue) -> float | None:
    """Return a number that can count or cost something; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if 0 <= number < math.inf else None


def to_count(value: JsonValue) -> int:
    """Return a number of tokens; 0 where there is none."""
    return int(to_number(value) or 0)


def to_text(value: JsonValue) -> str:
    """Return a text, whole or in parts, that can be encoded; "" for anything else."""
    if isinstance(value, list):
        return "".join(to_text(part.get("text")) for part in to_objects(value))
    if not isinstance(value, str):
        return ""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:  # halves of surrogate pairs, escaped in the JSON
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def dump(value: JsonValue) -> bytes:
    """Return compact JSON in UTF-8, whatever the texts in it hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone halves of surrogate pairs, from file names and broken JSON
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def read_arguments(arguments: str) -> JsonObject | None:
    """Return the object that a call's arguments are, an empty one for no text; None where they are none."""
    if not arguments.strip():
        return {}
    try:
        value = json.loads(arguments, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def to_sendable_text(arguments: str) -> str:
    """Return the arguments of a call as the model wrote them, or "{}" where a server would refuse the history for them.

    What was wrong with them stands in the call's result.
    """
    return arguments if arguments.strip() and read_arguments(arguments) is not None else "{}"


def to_sendable(arguments: str) -> JsonObject:
    """Return the same for a format in which they are an object."""
    value = read_arguments(arguments)
    try:
        json.dumps(value, allow_nan=False)  # 1e999 is JSON, and becomes infinity, which is not
    except (ValueError, RecursionError):
        return {}
    return value or {}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
