from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.providers._anthropic_schema import narrow

TEXT: JsonObject = {"type": "string"}
DEEP: JsonValue = None
for _ in range(3000):
    DEEP = {"type": "array", "items": DEEP}


def wrap(schema: JsonValue) -> JsonObject:
    return {"type": "object", "properties": {"a": schema}}


def inner(schema: JsonValue) -> JsonValue:
    narrowed = narrow(wrap(schema))
    if narrowed is None:
        return None
    assert narrowed["additionalProperties"] is False
    properties = narrowed["properties"]
    assert isinstance(properties, dict)
    found: JsonValue = properties["a"]
    return found


@pytest.mark.parametrize(
    ("schema", "sent"),
    [
        ({"type": "string", "minLength": 3, "pattern": "a+"}, {"type": "string"}),
        ({"type": "string", "title": "t", "description": "d"}, {"type": "string", "title": "t", "description": "d"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "regex"}, {"type": "string"}),
        ({"type": "string", "format": ["date"]}, {"type": "string"}),
        ({"type": "integer", "minimum": 1, "default": 2}, {"type": "integer"}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"enum": ["x", 1, None]}, {"enum": ["x", 1, None]}),
        ({"const": "x"}, {"const": "x"}),
        ({"oneOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"type": "array", "items": TEXT, "maxItems": 3}, {"type": "array", "items": TEXT}),
        ({"type": "array", "minItems": 1}, {"type": "array", "minItems": 1}),
        ({"type": "array", "minItems": 2}, {"type": "array"}),
        ({"type": "array", "minItems": [1]}, {"type": "array"}),
        ({"$ref": "#/$defs/x"}, {"$ref": "#/$defs/x"}),
        (
            {"properties": {"b": TEXT}, "required": ["b"]},
            {"type": "object", "properties": {"b": TEXT}, "additionalProperties": False, "required": ["b"]},
        ),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "properties": {}, "additionalProperties": False},
        ),
    ],
)  # fmt: skip
def test_schema_is_made_narrower_when_nothing_else_is_asked_for(schema: JsonObject, sent: JsonObject) -> None:
    assert inner(schema) == sent


@pytest.mark.parametrize(
    "schema",
    [
        True,
        None,
        {},
        {"description": "anything"},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": "x"},
        {"type": "object", "additionalProperties": TEXT},
        {"type": "object", "properties": {"b": TEXT}, "additionalProperties": True},
        {"type": "object", "properties": {"b": TEXT}, "anyOf": [{"required": ["b"]}]},
        {"allOf": [TEXT]},
        {"type": "string", "not": {"const": "x"}},
        {"type": "array", "prefixItems": [TEXT]},
        {"type": "array", "items": True},
        {"anyOf": [TEXT, {}]},
        {"type": "string", "$defs": []},
        DEEP,
    ],
)
def test_no_schema_is_sent_when_it_cannot_be_said(schema: JsonValue) -> None:
    assert inner(schema) is None


def test_definitions_are_narrowed_when_there_are_some() -> None:
    schema: JsonObject = {**wrap({"$ref": "#/$defs/x"}), "$defs": {"x": {"type": "integer", "minimum": 1}}}
    narrowed = narrow(schema)
    assert narrowed is not None
    assert narrowed["$defs"] == {"x": {"type": "integer"}}


@pytest.mark.parametrize("schema", [{}, TEXT, {"type": "array", "items": TEXT}, {"type": ["object"]}])
def test_no_schema_is_sent_when_the_answer_is_no_object(schema: JsonObject) -> None:
    assert narrow(schema) is None


KEYWORDS = st.sampled_from(
    "type properties required items enum const anyOf oneOf additionalProperties $ref $defs format minItems not".split()
)
KINDS = st.sampled_from("object array string integer null".split())
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=3) | KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(KEYWORDS, ANYTHING))
def test_narrowing_never_fails_when_schemas_are_random(schema: JsonObject) -> None:
    narrowed = narrow({**schema, "type": "object"})
    assert narrowed is None or json.dumps(narrowed)


FIELDS = st.dictionaries(
    st.sampled_from("abc"),
    st.sampled_from([TEXT, {"type": "integer"}, {"type": "array", "items": TEXT}, {"oneOf": [TEXT, {"type": "null"}]}]),
    min_size=1,
)
ANSWERS = st.dictionaries(st.sampled_from("abcd"), st.none() | st.text() | st.integers() | st.lists(st.text()))


@given(FIELDS, ANSWERS)
def test_what_satisfies_the_narrower_schema_satisfies_the_other_when_there_are_no_limits(
    fields: JsonObject, answer: JsonObject
) -> None:
    schema: JsonObject = {"type": "object", "properties": fields, "required": list(fields)}
    narrowed = narrow(schema)
    assert narrowed is not None
    is_valid = jsonschema.Draft202012Validator(narrowed).is_valid(answer)
    assert not is_valid or jsonschema.Draft202012Validator(schema).is_valid(answer)
