from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.config._positions import MAX_DEPTH, Position, find_excess, find_spots, is_suspicious, to_position

TEXT = '''\
# a comment with = and [brackets]
provider = "x" # why
a."b.c" . 'd' = [ 1, { z = 2, y = [3]}, "]" , # in an array
]
stdin.max_bytes = 3
[ providers . cline ] # a header
model = """
 a"b" = """ # over two lines
since = 1979-05-27 07:32:00 # with a space
in = { a = { b = "}" }, "c" = 3 }
[[list]]
q = \'\'\'
[no.header]
x = 1\'\'\'
[[list]]
q = 2
'''


@pytest.mark.parametrize(
    ("key", "position", "value"),
    [
        (("provider",), Position(2, 1), Position(2, 12)),
        (("a",), Position(3, 1), Position(3, 1)),
        (("a", "b.c"), Position(3, 3), Position(3, 3)),
        (("a", "b.c", "d"), Position(3, 1), Position(3, 17)),
        (("stdin", "max_bytes"), Position(5, 1), Position(5, 19)),
        (("providers",), Position(6, 3), Position(6, 3)),
        (("providers", "cline"), Position(6, 15), Position(6, 15)),
        (("providers", "cline", "model"), Position(7, 1), Position(7, 9)),
        (("providers", "cline", "since"), Position(9, 1), Position(9, 9)),
        (("providers", "cline", "in", "a", "b"), Position(10, 14), Position(10, 18)),
        (("providers", "cline", "in", "c"), Position(10, 25), Position(10, 31)),
        (("list",), Position(11, 3), Position(11, 3)),
        (("list", "q"), Position(12, 1), Position(12, 5)),
    ],
)
def test_a_key_and_its_value_are_found_where_they_stand(
    key: tuple[str, ...], position: Position, value: Position
) -> None:
    spot = find_spots(TEXT)[key]
    assert to_position(TEXT, spot.key) == position
    assert to_position(TEXT, spot.value) == value


def test_nothing_is_found_in_texts_and_comments() -> None:
    names = {name for key in find_spots(TEXT) for name in key}
    assert not names & {"no", "header", "x", "brackets"}


def test_the_lines_of_a_value_are_its_own() -> None:
    spots = find_spots(TEXT)
    lines = {key: TEXT[slice(*spot.statement)] for key, spot in spots.items() if spot.statement}
    assert lines["provider",] == 'provider = "x" # why\n'
    assert lines["providers", "cline", "model"] == 'model = """\n a"b" = """ # over two lines\n'
    assert lines["a", "b.c", "d"].endswith("# in an array\n]\n")
    assert ("providers", "cline", "in", "c") not in lines


def test_columns_count_characters_and_not_bytes() -> None:
    text = 'x = 1\r\n"\u00e9\U0001f600" = 2\r\n'
    spot = find_spots(text)["\u00e9\U0001f600",]
    assert to_position(text, spot.key) == (2, 1)
    assert to_position(text, spot.value) == (2, 8)


def test_the_first_bracket_that_is_too_deep_is_found() -> None:
    assert find_excess('x = "[[["\ny = ' + "[" * 200) == 14 + MAX_DEPTH
    assert find_excess("x = [[[]]]\n" * 200) is None


def test_a_key_of_too_many_names_is_found_before_it_costs_anything() -> None:
    assert find_excess("x = 1\n" + "a." * 101 + "b = 1") == 6 + 2 * MAX_DEPTH + 1
    assert is_suspicious("a." * 101 + "b = 1")
    for text in ("a." * 100 + "b = 1", 'x = "' + "." * 1000 + '"', "x = [" + "1.5, " * 1000 + "]", "# " + "." * 200):
        assert find_excess(text) is None


SCALARS = st.sampled_from(
    (
        *("1", "-1.5", "0x1f", "inf", "true", '"a"', "'a'", '"\\"]"', '"#"', "'}'", '""', "''"),
        *('"""a"""', '"""\n"a" ""b""\\""""', "'''\n'a' ''b'''", '""""q""""'),
        *("1979-05-27", "1979-05-27 07:32:00", "07:32:00.9", "1979-05-27T07:32:00-08:00"),
    )
)
BLANKS = st.sampled_from(("", " ", "\t", "  "))
BREAKS = st.sampled_from(("", " ", "\n", " # ]}'\"\n", "\r\n"))
KEYS = st.sampled_from(("a", "b-1", "_c", '"d.e"', "'f g'", '"\\u00e9\\""', "1"))


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = [draw(BREAKS) + item + draw(BREAKS) for item in draw(st.lists(values, max_size=3))]
    comma = draw(st.sampled_from(("", ","))) if items else ""
    return f"[{','.join(items)}{comma}{draw(BREAKS)}]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(KEYS, max_size=3, unique=True))
    pairs = [f"{draw(BLANKS)}{key}{draw(BLANKS)}={draw(BLANKS)}{draw(values)}{draw(BLANKS)}" for key in keys]
    return f"{{{','.join(pairs)}}}"


VALUES = st.recursive(SCALARS, lambda values: arrays(values) | inline_tables(values), max_leaves=6)


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines: list[str] = []
    for _ in range(draw(st.integers(0, 5))):
        dotted = f"{draw(BLANKS)}.{draw(BLANKS)}".join(draw(st.lists(KEYS, min_size=1, max_size=3)))
        if draw(st.booleans()):
            lines.append(f"{draw(BLANKS)}[{draw(BLANKS)}{dotted}{draw(BLANKS)}]{draw(BLANKS)}# [x]")
        else:
            lines.append(f"{draw(BLANKS)}{dotted}{draw(BLANKS)}={draw(BLANKS)}{draw(VALUES)}{draw(BLANKS)}# = 1")
    return draw(st.sampled_from(("\n", "\r\n"))).join((*lines, ""))


def leaves(table: dict[str, object], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


@given(documents())
def test_every_value_of_a_valid_document_is_where_its_spot_says(text: str) -> None:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # a key that stands twice
        return
    spots = find_spots(text)
    for key, value in leaves(table):
        rest = text[spots[key].value :]
        assert any(is_value(rest[:end], value) for end in range(1, len(rest) + 1)), (key, rest)


def is_value(text: str, value: object) -> bool:
    try:
        return repr(tomllib.loads(f"x = {text}\n")) == repr({"x": value})
    except tomllib.TOMLDecodeError:
        return False


@given(documents())
def test_a_document_reads_the_same_but_for_one_setting_when_its_lines_are_cut(text: str) -> None:
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for key, spot in find_spots(text).items():
        if spot.statement is None:
            continue
        after = dict(leaves(tomllib.loads(text[: spot.statement[0]] + text[spot.statement[1] :])))
        kept = {path: value for path, value in leaves(before) if path[: len(key)] != key}
        assert after.keys() == kept.keys()
        assert all(repr(after[path]) == repr(value) for path, value in kept.items())
