"""A JSON schema as Anthropic's structured output takes it. Pure.

It takes a subset (platform.claude.com/docs, "Structured outputs", and what Anthropic's Python SDK 2.14 turns schemas
into, read 2026-11): closed objects, no limits on numbers and texts, no schema that refers to itself. A schema is made
narrower where it asks for nothing else, and limits that cannot be said are left to whoever checks the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cline_cli.agent.messages import JsonObject, JsonValue

_KEPT = ("title", "description", "enum", "const")
_FORMATS = frozenset("date-time time date duration email hostname uri ipv4 ipv6 uuid".split())
_UNSAYABLE = ("allOf", "not", "if", "patternProperties", "prefixItems", "dependentSchemas", "$dynamicRef")
"""What changes the meaning of the rest, so that an answer held to the rest alone would be the wrong one."""


class _UnsayableError(Exception):
    """There is no schema of the subset that this one could become."""


def narrow(schema: JsonObject) -> JsonObject | None:
    """Return the schema to send for an answer that is an object; None where there is none."""
    if schema.get("type") != "object":
        return None
    try:
        return _narrow(schema)
    except (_UnsayableError, RecursionError):
        return None


def _narrow(schema: JsonValue) -> JsonObject:
    if not isinstance(schema, Mapping) or any(name in schema for name in _UNSAYABLE):
        raise _UnsayableError
    if "$ref" in schema:
        return {"$ref": schema["$ref"], **_definitions(schema)}
    kept: dict[str, JsonValue] = {name: schema[name] for name in _KEPT if name in schema} | _definitions(schema)
    choices = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(choices, Sequence) and not isinstance(choices, str):
        if "properties" in schema:
            raise _UnsayableError
        return {**kept, "anyOf": [_narrow(choice) for choice in choices]}
    kinds = schema.get("type", "object" if "properties" in schema else None)
    if kinds is None and "enum" not in kept and "const" not in kept:
        raise _UnsayableError
    if kinds is not None:
        kept["type"] = kinds
    names = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, Sequence) else []
    if "object" in names:
        kept |= _narrow_object(schema)
    if "array" in names:
        kept |= _narrow_array(schema)
    form = schema.get("format")
    return {**kept, "format": form} if isinstance(form, str) and form in _FORMATS else kept


def _narrow_object(schema: JsonObject) -> dict[str, JsonValue]:
    """Close an object; one that is open on purpose, or has no properties to close it over, cannot be said."""
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    if not isinstance(properties, Mapping) or (others is not False and (others is not None or not properties)):
        raise _UnsayableError
    required = schema.get("required")
    closed: dict[str, JsonValue] = {
        "properties": {name: _narrow(inner) for name, inner in properties.items()},
        "additionalProperties": False,
    }
    return closed if required is None else {**closed, "required": required}


def _narrow_array(schema: JsonObject) -> dict[str, JsonValue]:
    items: dict[str, JsonValue] = {"items": _narrow(schema["items"])} if "items" in schema else {}
    least = schema.get("minItems")
    return {**items, "minItems": least} if isinstance(least, int) and least in {0, 1} else items


def _definitions(schema: JsonObject) -> dict[str, JsonValue]:
    found = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
    narrowed: dict[str, JsonValue] = {}
    for name, inner in found.items():
        if not isinstance(inner, Mapping):
            raise _UnsayableError
        narrowed[name] = {key: _narrow(value) for key, value in inner.items()}
    return narrowed
