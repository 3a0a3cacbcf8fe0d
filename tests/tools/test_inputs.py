from __future__ import annotations

import pytest

from cline_cli.agent.messages import JsonValue
from cline_cli.agent.tool import ToolError
from cline_cli.tools._inputs import first, items, kind, number, text, unpack


def test_the_first_name_that_holds_something_is_taken() -> None:
    assert first({"a": None, "b": "", "c": "x"}, "a", "b", "c") == ""
    assert first({}, "a") is None


@pytest.mark.parametrize(
    ("value", "unpacked"),
    [
        ('["a", 1]', ["a", 1]),
        (' {"a": 1} ', {"a": 1}),
        ("[0-9]+", "[0-9]+"),
        ("{ echo; }", "{ echo; }"),
        ('"a"', '"a"'),
        ("12", "12"),
        (["x"], ["x"]),
        (None, None),
    ],
)
def test_json_in_a_string_is_read_when_it_is_all_of_it(value: JsonValue, unpacked: JsonValue) -> None:
    assert unpack(value) == unpacked


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        (None, []),
        ("a", ["a"]),
        (["a", None], ["a", None]),
        ('["a", "[b]"]', ["a", "[b]"]),
        ({"a": 1}, [{"a": 1}]),
        (0, [0]),
    ],
)
def test_anything_is_a_list_of_itself(value: JsonValue, listed: list[JsonValue]) -> None:
    assert items(value) == listed


@pytest.mark.parametrize(
    ("value", "whole"), [(3, 3), ("3", 3), (" 3 ", 3), (3.0, 3), ("3.0", 3), (None, None), ("", None), (-1, -1)]
)
def test_a_number_is_read_however_it_is_written(value: JsonValue, whole: int | None) -> None:
    assert number(value, "line") == whole


@pytest.mark.parametrize("value", ["x", 1.5, True, [1], {}, "nan", "inf", "1e999", 10**400])
def test_it_is_refused_when_it_is_no_whole_number(value: JsonValue) -> None:
    with pytest.raises(ToolError, match="line must be a whole number, not"):
        number(value, "line")


def test_text_is_a_string_or_a_number() -> None:
    assert (text("a", "path"), text(12, "path")) == ("a", "12")
    for value, name in ((True, "a boolean"), (None, "null"), (["a"], "an array"), ({}, "an object")):
        with pytest.raises(ToolError, match=f"path must be a string, not {name}"):
            text(value, "path")
    assert kind(1.5) == "a number"
    assert kind("x") == "a string"
