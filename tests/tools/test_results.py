from __future__ import annotations

import json

import pytest

from cline_cli.agent.messages import ImagePart, JsonValue, TextPart
from cline_cli.agent.tool import ToolOutput
from cline_cli.tools._results import Item, count, one_line, to_output, to_single_output


def content(output: ToolOutput) -> JsonValue:
    part = output.parts[0]
    assert isinstance(part, TextPart)
    value: JsonValue = json.loads(part.text)
    return value


def test_items_are_an_array_of_query_result_and_success() -> None:
    output = to_output([Item("a", "text", display="a 1-2"), Item("b", error="there is no b")])
    assert content(output) == [
        {"query": "a", "result": "text", "success": True},
        {"query": "b", "result": "", "success": False, "error": "there is no b"},
    ]
    assert (output.display, output.is_error) == ("a 1-2; there is no b", False)


def test_it_failed_when_every_item_did() -> None:
    assert to_output([Item("a", error="no"), Item("b", error="no")]).is_error
    assert to_single_output(Item("a", error="no")).is_error


def test_one_item_is_an_object_for_a_tool_that_takes_one() -> None:
    assert content(to_single_output(Item("a", "text"))) == {"query": "a", "result": "text", "success": True}


def test_images_follow_the_text() -> None:
    image = ImagePart("image/png", b"...")
    assert to_output([Item("a", image=image), Item("b")]).parts[1:] == (image,)


def test_a_long_query_is_shortened() -> None:
    (entry,) = json.loads(to_output([Item("x" * 500)]).parts[0].text)  # type: ignore[union-attr]
    assert len(entry["query"]) == 200


def test_what_cannot_be_sent_is_replaced_when_a_name_is_not_unicode() -> None:
    assert content(to_output([Item("\udcff", "a\udcffb")])) == [{"query": "?", "result": "a?b", "success": True}]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a", "a"), ("", ""), ("  a \n b", "a …"), ("\n\na", "a"), ("a\u2028b", "a …"), ("x" * 200, "x" * 159 + "…")],
)
def test_one_line_is_what_people_get(text: str, line: str) -> None:
    assert one_line(text) == line


def test_things_are_counted_in_words() -> None:
    assert (count(1, "file"), count(0, "file"), count(1_234, "file")) == ("1 file", "0 files", "1,234 files")
    assert (count(1, "match", "matches"), count(2, "match", "matches")) == ("1 match", "2 matches")
