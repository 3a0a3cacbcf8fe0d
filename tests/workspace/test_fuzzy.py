from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cline_cli.workspace._fuzzy import MAX_QUERY, MAX_RANKED, MAX_TOP, MAX_WORK, Names

texts = st.text(st.sampled_from("abAB/._- İßé\u0301ﬁ[]^\\n*"), min_size=1, max_size=20)


def find(query: str, *paths: str) -> list[str]:
    return Names(paths).find(query)


def has_in_order(query: str, text: str) -> bool:
    rest = iter(text)
    return all(letter in rest for letter in query)


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        # From the best way to lie in a path to the worst, whatever their lengths.
        (
            "loop",
            [
                "a/long/way/down/loop",
                "agent/loop.py",
                "agent/looping.py",
                "agent/for_loop.py",
                "sloop.py",
                "loops/x",
                "floop/x",
                "x/l_o_o_p",
                "lo/op",
            ],
        ),
        ("a", ["a", "x/a", "x/y/a", "a.py", "ab"]),
        ("fi", ["workspace/file_index.py", "config.py", "f_i.py"]),
        ("fin", ["file_index.py", "fxixn.py"]),
        ("fi", ["f/x_i", "f/xi", "f/xxi"]),
        ("src/", ["src/", "a/src/", "src/b/", "src/a.py", "a/src/b.py", "src/x/y", "mysrc/a.py"]),
        ("src/lo", ["src/lo", "x/src/lo.py", "src/loop.py", "mysrc/lo", "src/x/loop"]),
        ("tests", ["tests/", "tests.py", "tests/a.py"]),
        ("gitignore", [".gitignore", "notgitignore"]),
    ],
)
def test_the_best_comes_first(query: str, paths: list[str]) -> None:
    assert find(query, *reversed(paths)) == paths


def test_shorter_paths_come_first_when_nothing_else_tells_them_apart() -> None:
    assert find("a", "x/yy/ab", "x/ac", "x/ab", "ad") == ["ad", "x/ab", "x/ac", "x/yy/ab"]


def test_capitals_count_when_the_query_has_some() -> None:
    paths = ("readme.md", "README.md", "Reader.py")
    assert set(find("read", *paths)) == set(paths)
    assert find("READ", *paths) == ["README.md"]
    assert find("Read", *paths) == ["Reader.py"]


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("lb", "xlaaaBx", "xlaaab"),
        ("lb", "xlaaa_bx", "xlaaab"),
        ("abcd", "xabcxd", "xaxbcd"),
        ("abc", "xa_b_xcxxxxxx", "xa_xb_xc_a"),
        ("abc", "xaxb_a_b_c", "xaxbxa_xc"),
    ],
)
def test_characters_in_a_row_and_starts_of_words_count_more_than_length(query: str, better: str, worse: str) -> None:
    assert find(query, worse, better) == [better, worse]


def test_accents_are_found_when_the_file_system_keeps_them_apart() -> None:
    apart = unicodedata.normalize("NFD", "Résumé.md")
    assert find("résumé", apart) == [apart]
    assert find("Résumé", apart) == [apart]
    assert find(unicodedata.normalize("NFD", "é"), "é") == ["é"]


def test_what_is_on_top_comes_first_when_nothing_was_typed() -> None:
    assert find("", "src/a.py", "README", "src/", "b/c/d", "b/", "b/c/") == [
        "README",
        "b/",
        "src/",
        "b/c/",
        "src/a.py",
        "b/c/d",
    ]


def test_only_some_come_when_nothing_was_typed_and_there_are_many() -> None:
    assert len(find("", *map(str, range(MAX_TOP + 1)))) == MAX_TOP


def test_nothing_is_found_when_the_query_is_overlong() -> None:
    assert find("a" * MAX_QUERY, "a" * MAX_QUERY) == ["a" * MAX_QUERY]
    assert find("a" * (MAX_QUERY + 1), "a" * (MAX_QUERY + 1)) == []


def test_nothing_is_found_when_there_is_nothing() -> None:
    assert find("a") == find("") == []


@given(texts, st.lists(texts, unique=True, max_size=8))
@example("i", ["İ"])
@example("/", ["/", "a/"])
def test_those_are_found_that_have_the_characters_in_order(query: str, paths: list[str]) -> None:
    def compose(text: str) -> str:
        return unicodedata.normalize("NFC", text)

    def fold(text: str) -> str:
        return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in compose(text))

    wanted = compose(query)
    is_folded = wanted == wanted.lower()
    expected = {path for path in paths if has_in_order(wanted, fold(path) if is_folded else compose(path))}
    found = find(query, *paths)
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("query", ["a", "e", "aaaaaaaa", "ab" * 40, "a" * 200, "abc", "b/a", "/"])
def test_few_are_looked_at_closely_when_many_could_be_meant(query: str) -> None:
    names = Names(f"{'abc/' * 60}{'ba' * 150}/{number}{letter}e" for number in range(300) for letter in "abcdefgh")
    chosen = names.choose(query)
    assert 0 < len(chosen) <= MAX_RANKED
    assert len(chosen) * len(query) <= MAX_WORK
    assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("needle", "deep/down/among/all/of/the/others/needle"),
        ("needle", "deep/down/among/all/of/the/others/needle/"),
        ("needle", "deep/down/among/all/of/the/others/needle.py"),
        ("needle", "deep/down/among/all/of/the/others/sew_needle.py"),
        ("needle", "needle/deep/down/among/all/of/the/others/x"),
        ("needle", "deep/down/among/all/of/the/others/nxexexdxlxe"),
        ("x/needle", "deep/down/among/all/of/the/others/x/needle"),
        ("Needle", "deep/down/among/all/of/the/others/Needle"),
    ],
)
def test_the_best_is_among_those_when_it_is_long_and_there_are_many(query: str, best: str) -> None:
    spread = [f"x/nN{letter}/e/e/d/l/{other}e/{number}" for letter in "ab" for other in "cd" for number in range(400)]
    assert len(Names(spread).choose("needle")) == MAX_RANKED
    assert find(query, *spread, best)[0] == best


@pytest.mark.parametrize(
    ("others", "best"),
    [
        ("needles{}", "deep/down/among/all/of/the/others/needle"),
        ("x/needles{}", "deep/down/among/all/of/the/others/needle/"),
        ("x/sneedle{}", "deep/down/among/all/of/the/others/needles"),
        ("sneedles/{}", "deep/down/among/all/of/the/others/sew_needle"),
    ],
)
def test_the_best_is_among_those_when_many_are_nearly_as_good(others: str, best: str) -> None:
    assert find("needle", *(others.format(number) for number in range(2 * MAX_RANKED)), best)[0] == best


def test_letters_of_patterns_stand_for_themselves() -> None:
    for letter in string.punctuation.replace("/", ""):
        assert find(letter, "ab", f"a{letter}b") == [f"a{letter}b"]
