"""Structured output in a chat completion: the `response_format` that holds a model to a JSON schema. Pure.

What `strict` takes is OpenAI's list ("Structured outputs", supported schemas) as of 2026-02, by way of
jsonschemaprofiles.unitvectorylabs.com/schemas/openai, read 2026-11; what its errors add to that is marked. Whoever else
serves this format takes other subsets, and says so when it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.provider import Request
from cline_cli.errors import ContentFilteredError, ContextWindowError, ProviderError
from cline_cli.providers._complaints import Complaint

# Texts, compiled when they are first needed: most runs have no schema.
_WITH_TOOLS = r"(^|/)(gpt-\d|o\d|claude)"
"""Models that can call a tool although their answer is to have a format. vLLM, which serves most of the others, lets a
model with a format write nothing but that (vllm-project/vllm#39929): it would answer without a look at anything."""
_COMPLAINT = (
    r"(?i)response[ _]?(format|(json[ _]?)?schema|mime)|json[ _]?schema|structured[ _]output"
    r"|output_(format|config)|\bgrammar"
)
"""OpenAI, DeepSeek and vLLM name the field; Google and Anthropic their own, behind a gateway; llama.cpp its grammar."""

MAX_DEPTH = 10
MAX_PROPERTIES = 5000
MAX_CHARACTERS = 120_000
"""Of the names, the values of `enum` and those of `const`, together."""
MAX_CHOICES = 1000
_KEYWORDS = frozenset(
    "$schema title description type properties required additionalProperties items enum const anyOf $ref $defs "
    "definitions pattern format multipleOf maximum exclusiveMaximum minimum exclusiveMinimum minItems maxItems".split()
)
_FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())
_LOOKAROUND = r"\(\?<?[=!]"


def response_format(request: Request) -> JsonObject:
    """Return the part of the body that holds the answer to the request's schema; empty for one that cannot be sent."""
    schema = request.schema
    if (
        schema is None
        or schema.get("type") != "object"
        or (request.tools and not re.search(_WITH_TOOLS, request.model))
    ):
        return {}
    strict: JsonObject = {"strict": True} if is_strict(schema) else {}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", **strict, "schema": schema}}}


def is_about_schema(complaint: Complaint, error: ProviderError) -> bool:
    """Return whether a server refused the response format, so that the request may do without."""
    if complaint.status not in {400, 404, 422} or isinstance(error, ContextWindowError | ContentFilteredError):
        return False
    return bool(re.search(_COMPLAINT, f"{complaint.code} {complaint.words}"))


def is_strict(schema: JsonObject) -> bool:
    """Return whether `strict` may be asked for: each object closed and complete, nothing but what is supported."""
    if schema.get("type") != "object" or "anyOf" in schema:
        return False
    properties = characters = choices = 0
    try:
        for inner, depth in _schemas_in(schema, 1):
            if depth > MAX_DEPTH or not _is_supported(inner):
                return False
            names = [*_mapping(inner, "properties"), *_mapping(inner, "$defs"), *_mapping(inner, "definitions")]
            values = [*_sequence(inner, "enum"), inner.get("const")]
            properties += len(_mapping(inner, "properties"))
            choices += len(_sequence(inner, "enum"))
            characters += sum(len(text) for text in (*names, *values) if isinstance(text, str))
    except RecursionError:
        return False
    return properties <= MAX_PROPERTIES and characters <= MAX_CHARACTERS and choices <= MAX_CHOICES


def _is_supported(schema: JsonObject) -> bool:
    if "$ref" in schema:
        return len(schema) == 1  # "$ref cannot have keywords", it says
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else _sequence(schema, "type")
    is_complete = set(_mapping(schema, "properties")) == set(_sequence(schema, "required"))
    return (
        _KEYWORDS.issuperset(schema)
        and (bool(kinds) or "anyOf" in schema)  # "schema must have a 'type' key"
        and ("object" not in kinds or (is_complete and schema.get("additionalProperties") is False))
        and ("array" not in kinds or "items" in schema)
        and schema.get("format", "date") in _FORMATS
        and not re.search(_LOOKAROUND, str(schema.get("pattern", "")))
    )


def _schemas_in(schema: JsonValue, depth: int) -> Iterator[tuple[JsonObject, int]]:
    """Yield a schema and all in it, each with its depth: the root is at 1, properties and items one deeper.

    One that is no object (`true`) is yielded as what is not supported.
    """
    if not isinstance(schema, Mapping):
        yield {"not": {}}, depth
        return
    yield schema, depth
    for name in ("$defs", "definitions"):
        for inner in _mapping(schema, name).values():
            yield from _schemas_in(inner, depth)
    for inner in _mapping(schema, "properties").values():
        yield from _schemas_in(inner, depth + 1)
    for inner in _sequence(schema, "anyOf"):
        yield from _schemas_in(inner, depth)
    if "items" in schema:
        yield from _schemas_in(schema["items"], depth + 1)


def _mapping(schema: JsonObject, name: str) -> JsonObject:
    value = schema.get(name)
    return value if isinstance(value, Mapping) else {}


def _sequence(schema: JsonObject, name: str) -> Sequence[JsonValue]:
    value = schema.get(name)
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
