from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cline_cli.tools._edit import Edited, EditError, insert_before, replace_once, replace_whole

SOURCE = """\
class Cart:
    def __init__(self):
        self.items = []

    def total(self, discount=0):
        result = 0
        for item in self.items:
            result += item.price
        return result - discount


def total(cart):
    return cart.total()
"""


def replaced(old: str, new: str, text: str = SOURCE) -> str:
    return replace_once(text, old, new).text


def test_only_the_place_changes_when_it_is_there_exactly() -> None:
    edited = replace_once(SOURCE, "result += item.price\n", "result += item.price * item.count\n")
    assert edited == Edited(SOURCE.replace("item.price", "item.price * item.count"), is_tolerant=False)


def test_text_is_deleted_when_the_new_one_is_empty() -> None:
    assert replaced("        result = 0\n", "") == SOURCE.replace("        result = 0\n", "")


def test_it_is_refused_when_the_place_is_not_the_only_one() -> None:
    with pytest.raises(EditError, match=r"there 3 times, at lines 5, 12, 13: give more"):
        replaced("total(", "sum(")


def test_overlapping_places_count_as_several() -> None:
    with pytest.raises(EditError, match="2 times"):
        replaced("aa", "b", "aaa")


def test_it_is_refused_when_nothing_would_change() -> None:
    with pytest.raises(EditError, match="nothing would change"):
        replaced("result = 0", "result = 0")
    with pytest.raises(EditError, match="nothing would change"):
        replaced("result  =  0", "result  =  0")


def test_the_nearest_lines_are_shown_when_the_place_is_not_there() -> None:
    with pytest.raises(EditError) as caught:
        replaced("        for item in items:\n            result += item.cost\n", "x")
    assert str(caught.value).endswith(
        "the nearest is:\n7 |         for item in self.items:\n8 |             result += item.price"
    )


def test_nothing_is_shown_when_nothing_is_near() -> None:
    with pytest.raises(EditError, match="nor anything like it"):
        replaced("zzzzzzzzzzzzzzzz", "x")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("result = 0   \n", "result = 1   \n", ("result = 0", "result = 1")),
        (
            "result += item.price\nreturn result",
            "result += item.price\nreturn total",
            ("return result", "return total"),
        ),
        (
            "  for item in self.items:\n    result +=",
            "  for each in self.items:\n    result +=",
            ("for item", "for each"),
        ),
        ("return result - discount\n\n\n\n", "return result + discount\n", ("t - d", "t + d")),
        ("result-discount", "result+discount", ("t - d", "t + d")),
        ("def total(self, discount=0): result = 0", "def total(self, discount=1): result = 0", ("=0", "=1")),
        (
            "def __init__(self): self.items = []",
            "def __init__(self, items): self.items = []",
            ("__init__(self)", "__init__(self, items)"),
        ),
        (
            "for item in self.items: result += item.price return result - discount",
            "for item in self.items: result -= item.price return result - discount",
            ("+=", "-="),
        ),
    ],
)
def test_the_files_own_whitespace_stays_when_the_models_differs(old: str, new: str, expected: tuple[str, str]) -> None:
    edited = replace_once(SOURCE, old, new)
    assert edited.is_tolerant
    assert edited.text == SOURCE.replace(*expected)


def test_new_lines_get_the_files_indentation_when_the_models_is_less() -> None:
    old = "for item in self.items:\n    result += item.price\nreturn result - discount"
    new = "for item in self.items:\n    if item.n:\n        result += item.price\nprint(1)\nreturn result - discount"
    inner = "            if item.n:\n                result += item.price\n        print(1)\n"
    assert replaced(old, new) == SOURCE.replace("            result += item.price\n", inner)


def test_new_lines_get_tabs_when_the_file_has_them_and_the_model_writes_spaces() -> None:
    text = "func main() {\n\tif x {\n\t\tprint(1)\n\t}\n}\n"
    old = "func main() {\n    if x {\n        print(1)\n    }\n}"
    new = "func main() {\n    if x {\n        if y {\n            print(1)\n        }\n    }\n}"
    assert replaced(old, new, text) == "func main() {\n\tif x {\n\t\tif y {\n\t\t\tprint(1)\n\t\t}\n\t}\n}\n"


def test_new_lines_get_spaces_when_the_file_has_them_and_the_model_writes_tabs() -> None:
    text = "if x:\n    print(1)\n"
    assert replaced("if x:\n\tprint(1)", "if x:\n\tif y:\n\t\tprint(2)", text) == "if x:\n    if y:\n        print(2)\n"


def test_whole_lines_go_when_they_are_deleted_tolerantly() -> None:
    assert replaced("result=0", "") == SOURCE.replace("        result = 0\n", "")
    assert replaced("return  cart.total()", "\n") == SOURCE.replace("    return cart.total()\n", "")
    assert replaced("b  c", "", "a b c d\n") == "a  d\n"


def test_lines_decide_when_tokens_are_there_more_than_once() -> None:
    text = "f(a,\n  b)\nf(a, b)\n"
    assert replaced("  f(a, b)  \n", "  g(a, b)  \n", text) == "f(a,\n  b)\ng(a, b)\n"


def test_it_is_refused_when_the_tolerant_place_is_not_the_only_one() -> None:
    with pytest.raises(EditError, match="2 times, at lines 1, 2"):
        replaced("a  =  1", "a = 2", "a = 1\na = 1\n")


def test_it_is_refused_when_new_line_breaks_could_only_be_guessed() -> None:
    with pytest.raises(EditError, match=r"other line breaks.*\n5 \|     def total"):
        replaced(
            "def total(self, discount=0): result = 0 for item in",
            "def total(self, discount=0): result = 0 print(1) for item in",
        )


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("a\r\nb\r\nc\r\n", "a\nb\n", "a\nx\nb\n", "a\r\nx\r\nb\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "b", "x\ny", "a\r\nx\r\ny\r\nc\r\n"),
        ("a\r\nb\r\n", "a\r\nb", "a\r\nx\r\nb", "a\r\nx\r\nb\r\n"),
        ("a\nb\n", "a\r\nb", "a\r\nx\r\nb", "a\nx\nb\n"),
        ("a\r\nb\nc\r\n", "a\nb\nc", "a\nx\nb\nc", "a\r\nx\r\nb\nc\r\n"),
        ("a\nb\r\nc\n", "b\nc", "b\nx\nc", "a\nb\r\nx\nc\n"),
        ("a\r\nb", "b\n", "c\n", "a\r\nc"),
        ("ab", "b", "c\r\nd", "ac\r\nd"),
        ("a\r\n  b\r\n  c\r\n", "b\nc", "b\nd\nc", "a\r\n  b\r\n  d\r\n  c\r\n"),
    ],
)
def test_line_ends_are_those_around(text: str, old: str, new: str, expected: str) -> None:
    assert replaced(old, new, text) == expected


PIECES = st.lists(st.sampled_from(["a", "b", "  ", "\t", "ä", "\n", "\r\n", "\rx"]), max_size=8).map("".join)


@settings(deadline=None)
@given(PIECES, PIECES, PIECES, st.text("abx\n", max_size=8))
def test_every_character_outside_stays_when_line_ends_are_mixed(before: str, part: str, after: str, new: str) -> None:
    text, old = before + part + after, part.replace("\r\n", "\n")
    view = text.replace("\r\n", "\n")
    start = len(before.replace("\r\n", "\n"))
    assume(old and old != new)
    assume(view.find(old) == start and view.find(old, start + 1) < 0)
    result = replaced(old, new, text)
    assert result.replace("\r\n", "\n") == view[:start] + new + view[start + len(old) :]
    assert result.startswith(before)
    assert result.endswith(after)


WORDS = st.lists(st.sampled_from(["a", "b", "=", "(", ")", "def", "x1", ".", ","]), min_size=1, max_size=5)
CODE = st.lists(st.tuples(st.sampled_from(["", "    ", "\t", "        "]), WORDS), min_size=2, max_size=8)


@settings(deadline=None)
@given(CODE, st.data())
def test_one_token_changes_when_the_model_flattens_all_whitespace(
    code: list[tuple[str, list[str]]], data: st.DataObject
) -> None:
    lines = [f"{indent}{' '.join(words)}" for indent, words in code]
    text = "\n".join(lines) + "\n"
    first = data.draw(st.integers(0, len(code) - 1))
    last = data.draw(st.integers(first, len(code) - 1))
    words = [word for _, several in code[first : last + 1] for word in several]
    position = data.draw(st.integers(0, len(words) - 1))
    changed = [*words[:position], "NEW", *words[position + 1 :]]
    tokens = re.findall(r"\w+|\S", text)
    assume(sum(tokens[at : at + len(words)] == words for at in range(len(tokens))) == 1)
    edited = replace_once(text, "  ".join(words), "  ".join(changed))
    offset = sum(len(several) for _, several in code[:first]) + position
    assert re.findall(r"\w+|\S", edited.text) == [*tokens[:offset], "NEW", *tokens[offset + 1 :]]
    assert re.sub(r"\S+", "x", edited.text) == re.sub(r"\S+", "x", text)


@pytest.mark.parametrize(
    ("text", "line", "new", "expected"),
    [
        ("a\nb\n", 1, "x", "x\na\nb\n"),
        ("a\nb\n", 0, "x\n", "x\na\nb\n"),
        ("a\nb\n", 2, "x\ny\n", "a\nx\ny\nb\n"),
        ("a\nb\n", 3, "x\n", "a\nb\nx\n"),
        ("a\nb", 3, "x", "a\nb\nx"),
        ("a\nb", 2, "x", "a\nx\nb"),
        ("", 1, "x\n", "x\n"),
        ("a\r\nb\r\n", 2, "x\ny", "a\r\nx\r\ny\r\nb\r\n"),
        ("a\r\nb", 3, "x\r\ny", "a\r\nb\r\nx\r\ny"),
        ("a\nb\n", 2, "x\r\n", "a\nx\nb\n"),
    ],
)
def test_lines_are_inserted_before_a_line(text: str, line: int, new: str, expected: str) -> None:
    assert insert_before(text, line, new) == expected


@pytest.mark.parametrize("line", [-1, 4, 100])
def test_it_is_refused_when_there_is_no_such_line(line: int) -> None:
    with pytest.raises(EditError, match="the file has 2 lines; 3 appends"):
        insert_before("a\nb\n", line, "x")


def test_inserting_nothing_is_refused() -> None:
    with pytest.raises(EditError, match="nothing would change"):
        insert_before("a\n", 1, "")


@pytest.mark.parametrize(
    ("text", "new", "expected"),
    [
        ("a\nb\n", "c\n", "c\n"),
        ("a\r\nb\r\n", "c\nd\n", "c\r\nd\r\n"),
        ("a\r\nb\n", "a\nx\nb\n", "a\r\nx\nb\n"),
        ("", "c\r\n", "c\r\n"),
        ("a\n", "", ""),
    ],
)
def test_a_whole_text_is_replaced_with_the_line_ends_it_had(text: str, new: str, expected: str) -> None:
    assert replace_whole(text, new) == expected


def test_a_tolerant_search_ends_soon_when_the_file_is_large() -> None:
    text = "".join(f"value_{number} = compute({number}, {number % 7})\n" for number in range(40_000))
    edited = replace_once(text, "value_39999   = compute(39999,1)", "value_39999 = compute(39999, 2)")
    assert edited.text == text.replace("compute(39999, 1)", "compute(39999, 2)")
    with pytest.raises(EditError):
        replace_once("a" * 3_000_000, "b", "c")
    with pytest.raises(EditError, match="very often"):
        replace_once("a" * 3_000_000, "a", "c")
