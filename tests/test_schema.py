from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.answer import AnswerRefusedError
from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.errors import UsageError
from cline_cli.schema import MAX_REASON, AnswerCheck, read_schema, schema_instructions

HERE = Path()
ANYTHING = AnswerCheck({})
PERSON = "name, age int, tags list"
REMOTE = "http://127.0.0.1:9/schema.json"
TEXT = st.text(st.characters(exclude_categories=[]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
KINDS = {"": "string", "str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object"}


def refusal(schema: str, answer: str) -> str:
    with pytest.raises(AnswerRefusedError) as refused:
        AnswerCheck(read_schema(schema, HERE))(answer)
    reason = str(refused.value)
    assert len(reason) <= MAX_REASON
    assert "\n" not in reason
    return reason


def complaint(schema: str, folder: Path = HERE) -> str:
    with pytest.raises(UsageError) as error:
        read_schema(schema, folder)
    assert error.value.exit_code == 2
    return str(error.value)


def test_fields_become_an_object_when_the_short_form_is_given() -> None:
    assert read_schema(PERSON, HERE) == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        ("a", {"type": "string"}),
        ("a str", {"type": "string"}),
        ("a  float", {"type": "number"}),
        ("a number", {"type": "number"}),
        ("a Bool", {"type": "boolean"}),
        ("a dict", {"type": "object"}),
        ("a object", {"type": "object"}),
        ("a list", {"type": "array", "items": {"type": "string"}}),
        ("a list int", {"type": "array", "items": {"type": "integer"}}),
        ("a list[int]", {"type": "array", "items": {"type": "integer"}}),
        ("a list [ list[bool] ]", {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}}),
        ("a: what it is", {"type": "string", "description": "what it is"}),
        ("a int : how many: of all ", {"type": "integer", "description": "how many: of all"}),
    ],
)
def test_type_and_description_are_read_when_a_field_has_them(words: str, schema: JsonObject) -> None:
    assert read_schema(words, HERE)["properties"] == {"a": schema}


def test_a_description_keeps_its_commas_when_lines_part_the_fields() -> None:
    schema = read_schema("a int, b: one, two\n\nc: a/b,\n", HERE)
    assert schema["properties"] == {
        "a": {"type": "integer"},
        "b": {"type": "string", "description": "one, two"},
        "c": {"type": "string", "description": "a/b"},
    }


@given(st.dictionaries(NAMES, st.sampled_from(sorted(KINDS)), min_size=1), st.sampled_from([",", ", ", "\n", " ,\n"]))
def test_every_field_is_required_when_the_short_form_names_it(fields: dict[str, str], between: str) -> None:
    schema = read_schema(between.join(f"{name} {kind}" for name, kind in fields.items()), HERE)
    assert schema["properties"] == {name: {"type": KINDS[kind]} for name, kind in fields.items()}
    assert schema["required"] == list(fields)


@given(TEXT)
def test_reading_ends_in_a_schema_or_a_complaint_when_the_text_is_anything(text: str) -> None:
    try:
        schema = read_schema(text, Path("/nowhere"))
    except UsageError as error:
        said = error.message
    else:
        said = schema_instructions(schema).rpartition("\n")[2]
        AnswerCheck(schema)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("", "--schema is empty"),
        (" ,\n,", "--schema is empty"),
        ("a strng", "there is no type 'strng' for the field a in --schema; the nearest is string"),
        ("a list[it]", "there is no type 'it' for the field a in --schema; the nearest is"),
        ("first name", "there is no type 'name' for the field first"),
        ("1a", "'1a' in --schema cannot be the name of a field"),
        ('["a"]', "cannot be the name of a field"),
        ("a, b, a int", "the field a stands twice"),
        ("{", "--schema is not JSON: expecting property name enclosed in double quotes at line 1, column 2"),
        ('{"a": 1,\n "a": }', "--schema is not JSON: expecting value at line 2, column 7"),
        ('{"a": 1, "a": 2}', 'the key "a" stands twice in one object'),
        ('{"minimum": NaN}', "NaN is not JSON"),
        ('{"type": "strin"}', """--schema is not valid: at $.type, "strin" is not"""),
        ('{"properties": {"a": {"minLength": -1}}}', "at $.properties.a.minLength, -1 is less than the minimum of 0"),
        ('{"pattern": "("}', "at $.pattern, \"(\" is not a 'regex'"),
        ('{"$id": 3}', "3 is not of type 'string'"),
        ('{"$schema": []}', "its $schema is no text"),
        ('{"$schema": "http://["}', "--schema cannot be used"),
        ('{"$schema": "http://json-schema.org/draft-04/schema#", "minimum": "3"}', "at $.minimum"),
        ('{"$schema": "http://json-schema.org/draft-04/schema#", "patternProperties": {"(": {}}}', "'(' is no pattern"),
    ],
)
def test_what_is_wrong_is_said_when_it_is_no_schema(schema: str, words: str) -> None:
    assert words in complaint(schema)


def test_another_draft_is_followed_when_the_schema_names_it() -> None:
    draft_04 = '{"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": true}'
    assert "3 is less than or equal to the minimum of 3" in refusal(draft_04, "3")
    assert "at $.minimum" in complaint(draft_04.replace("3,", '"3",'))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": REMOTE},
        {"properties": {"a": {"$ref": REMOTE}}},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"$id": "http://127.0.0.1:9/", "anyOf": [{"items": {"$ref": "schema.json"}}]},
        {"$ref": "#/$defs/a", "$defs": {"b": {}}},
        {"$ref": "#nowhere"},
        {"$ref": "#/x/a", "x": []},
        {"$dynamicRef": "#nowhere"},
        {"$ref": "https://json-schema.org/draft/2020-12/nothing"},
        {"$ref": "#/x", "x": {"not": {"$ref": REMOTE}}},
    ],
)
def test_a_reference_is_refused_when_it_leads_out_of_the_schema(schema: JsonObject) -> None:
    assert re.search("refers to .*, which is not in it. Nothing is fetched", complaint(json.dumps(schema)))


def test_nobody_is_asked_when_a_reference_is_remote() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        schema = {"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"}
        complaint(json.dumps(schema))
        with pytest.raises(UsageError, match="the schema cannot be used"):
            AnswerCheck(schema)("{}")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_references_are_followed_when_they_stay_inside() -> None:
    schema = {
        "$id": "https://example.com/tree",
        "properties": {"left": {"$ref": "#"}, "size": {"$ref": "size"}, "odd": {"$ref": "#/x/odd"}},
        "$defs": {"size": {"$id": "size", "type": "integer"}},
        "x": {"odd": {"const": 1}},
        "additionalProperties": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
    }
    text = json.dumps(schema)
    answer = '{"left":{"left":{},"size":2},"odd":1,"more":{"type":"string"}}'
    assert AnswerCheck(read_schema(text, HERE))(answer) == answer
    assert refusal(text, '{"left":{"size":"2"}}') == "at $.left.size, \"2\" is not of type 'integer'"
    assert "at $.more.type" in refusal(text, '{"more":{"type":3}}')


def test_what_is_referred_to_is_checked_when_no_schema_is_expected_there() -> None:
    assert "at $.type" in complaint('{"$ref": "#/x", "x": {"type": "strin"}}')
    assert "is not of type 'object'" in complaint('{"$ref": "#/required", "required": ["a"]}')


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"$ref": "#"}', "refers to itself without end"),
        ('{"not":' * 3000 + "{}" + "}" * 3000, "nested too deeply"),
        (
            json.dumps(
                {
                    "$ref": "#/$defs/0",
                    "$defs": {str(i): {"allOf": [{"$ref": f"#/$defs/{i + 1}"}] * 2} for i in range(24)} | {"24": {}},
                }
            ),
            "takes too long to check",
        ),
    ],
    ids=["itself", "deep", "doubling"],
)
def test_a_schema_is_refused_when_it_has_no_end(schema: str, words: str) -> None:
    assert words in complaint(schema)


def test_the_file_is_read_when_a_path_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    schema = {"type": "object"}
    (tmp_path / "folder").mkdir()
    for name in ("answer.json", "answer", "folder/answer"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + json.dumps(schema).encode())
    for path in ("answer.json", "./answer", "folder/answer", "folder/../answer", "~/answer", str(tmp_path / "answer")):
        assert read_schema(path, tmp_path) == schema
    assert read_schema("../answer", tmp_path / "folder") == schema


def test_fields_are_meant_when_a_text_with_a_comma_has_a_slash(tmp_path: Path) -> None:
    assert read_schema("a: this/that, b", tmp_path)["required"] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b'{"type":\n "object",}',
            "is not JSON: expecting property name enclosed in double quotes at line 2, column 11",
        ),
        (b"", "is not JSON: expecting value at line 1, column 1"),
        (b"[1]", "is no JSON object"),
        (b'{\n"a": "\xff"}', "it is not UTF-8 at line 2, column 7"),
        (b'{"a":"' + b"x" * (1 << 20) + b'"}', "it is larger than 1 MiB"),
        (b'{"type": "strin"}', "at $.type"),
    ],
)
def test_the_file_is_named_when_it_holds_no_schema(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "answer.json").write_bytes(content)
    said = complaint("answer.json", tmp_path)
    assert "schema" in said
    assert "answer.json" in said
    assert words in said


def test_reading_does_not_wait_when_the_path_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert "cannot read the schema ./pipe: it is no ordinary file" in complaint("./pipe", tmp_path)
    assert "cannot read the schema ./folder: it is a folder" in complaint("./folder", tmp_path)
    assert "it is no ordinary file" in complaint("/dev/zero", tmp_path)
    assert "cannot read the schema ./none: No such file or directory" in complaint("./none", tmp_path)
    assert "cannot read the schema a/<U+202E>: " in complaint("a/\u202e", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_the_file_is_named_when_it_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "answer.json").touch(0)
    assert "cannot read the schema answer.json: Permission denied" in complaint("answer.json", tmp_path)


def test_the_document_is_returned_as_one_line_when_it_fits() -> None:
    check = AnswerCheck(read_schema(PERSON, HERE))
    answer = '\n{ "tags" : [ "a" ],\n"name": "J\\u00f6", "age": 3.0}\n'
    assert check(answer) == '{"tags":["a"],"name":"Jö","age":3.0}'


@given(VALUES)
def test_a_document_is_one_line_for_every_reader_when_it_is_returned(document: JsonValue) -> None:
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent=2)):
        line = ANYTHING(text)
        assert json.loads(line) == json.loads(text)
        assert len(line.splitlines()) == 1
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", line)
        assert ANYTHING(line) == line


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\ud800"])
def test_a_character_is_escaped_when_a_reader_could_trip_over_it(character: str) -> None:
    assert ANYTHING(f'"{character}"') == f'"\\u{ord(character):04x}"'


@given(
    VALUES,
    st.sampled_from(["```", "````"]),
    st.sampled_from(["", "json", "JSON"]),
    st.sampled_from(["\n", "\r\n", " ", " \n\n"]),
)
def test_a_fence_is_taken_off_when_it_is_around_the_whole_answer(
    document: JsonValue, fence: str, label: str, space: str
) -> None:
    text = json.dumps(document)
    assert ANYTHING(f"{space}{fence}{label}{space}{text}{space}{fence}{space}") == ANYTHING(text)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "Here it is: {}",
        "{} Done.",
        "Here it is:\n```json\n{}\n```",
        "```json\n{}\n```\nDone.",
        "```json\n{}\n```\n```json\n{}\n```",
        "```json\n{}",
        "```json\n{}\nok",
        "{}\n```",
        "``{}``",
        "```yaml\n{}\n```",
        "``````",
        "```",
        "{}{}",
        "{'a': 1}",
        "NaN",
        "[Infinity]",
        "[1e999]",
        "1" * 5000,
        "[" * 100_000,
        '{"a": 1, "a": 2}',
    ],
)
def test_an_answer_is_refused_when_it_is_not_one_document(answer: str) -> None:
    with pytest.raises(AnswerRefusedError, match=r"no JSON document|nested too deeply") as refused:
        ANYTHING(answer)
    assert len(str(refused.value)) <= MAX_REASON


def test_the_place_is_named_when_an_answer_is_not_json() -> None:
    assert refusal("a", '{"a":\n nope}') == (
        "it is no JSON document: expecting value at line 2, column 2. Nothing but the document may stand in the answer"
    )


@pytest.mark.parametrize(
    ("schema", "answer", "reason"),
    [
        (PERSON, "[]", "at $, [] is not of type 'object'"),
        (PERSON, '{"name":null,"age":1,"tags":[]}', "at $.name, null is not of type 'string'"),
        (PERSON, '{"name":"","age":1,"tags":["a",2]}', "at $.tags[1], 2 is not of type 'string'"),
        (
            PERSON,
            '{"name":"","age":"1"}',
            "at $.age, \"1\" is not of type 'integer'; at $, 'tags' is a required property",
        ),
        ("a", '{"a":"","b":1}', "at $, Additional properties are not allowed ('b' was unexpected)"),
        ('{"properties":{"a":false}}', '{"a":1}', "at $, 1 is not allowed"),
        ('{"properties":{"a":{"format":"date"}}}', '{"a":"soon"}', "at $.a, \"soon\" is not a 'date'"),
        (
            '{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"object","required":["b"]}]}}}',
            '{"a":{}}',
            "at $.a, 'b' is a required property",
        ),
        ("a int", '{"a":"x\\ny\\u001b"}', "at $.a, \"x\\ny\\u001b\" is not of type 'integer'"),
    ],
)
def test_the_fault_is_named_when_a_document_does_not_fit(schema: str, answer: str, reason: str) -> None:
    assert refusal(schema, answer) == reason


def test_only_a_beginning_is_shown_when_the_value_is_long() -> None:
    reason = refusal("a int", json.dumps({"a": {"b": "x" * 100_000}}))
    assert reason.startswith('at $.a, {"b": "xxx')
    assert reason.endswith("…" + " is not of type 'integer'")
    assert len(reason) < 120


def test_checking_is_given_up_when_a_pattern_takes_for_ever() -> None:
    check = AnswerCheck(read_schema('{"pattern": "^(a+)+$"}', HERE))

    async def main() -> None:
        with pytest.raises(AnswerRefusedError, match="took too long"):
            check(json.dumps("a" * 50 + "b"))
        assert await asyncio.to_thread(check, '"aaa"') == '"aaa"'

    started = time.process_time()
    asyncio.run(main())
    assert time.process_time() - started < 5
    assert check('"aaa"') == '"aaa"'


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ('{"properties": {"a": {"$ref": "#"}}}', '{"a":' * 400 + "{}" + "}" * 400),
        ('{"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}', '{"a":1}'),
    ],
)
def test_an_answer_is_refused_when_checking_it_has_no_end(schema: str, answer: str) -> None:
    assert refusal(schema, answer) == "its JSON is nested too deeply"


def test_the_schema_is_blamed_when_it_turns_out_to_be_unusable() -> None:
    check = AnswerCheck(read_schema('{"properties": {"a": {"$schema": "http://["}}}', HERE))
    assert check("{}") == "{}"
    with pytest.raises(UsageError, match="the schema cannot be used"):
        check('{"a":1}')


def test_instructions_hold_the_whole_schema_when_a_model_is_told() -> None:
    schema = read_schema("a: Größe\u2028", HERE)
    told = schema_instructions(schema)
    assert len(told.splitlines()) == 2
    assert json.loads(told.splitlines()[1]) == schema
    assert "nothing else" in told


def test_jsonschema_is_not_imported_when_there_is_no_schema() -> None:
    program = (
        "import sys, cline_cli.schema; print([name for name in ('jsonschema', 'referencing') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
