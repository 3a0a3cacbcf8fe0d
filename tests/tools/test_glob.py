from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.tools._glob import to_regex


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*.py", ["a.py", "src/deep/b.py", ".py"], ["a.pyc", "a.py/b"]),
        ("*.{js,ts}", ["a.js", "x/a.ts"], ["a.jsx", "a.css", "a.{js,ts}"]),
        ("src/*.py", ["src/a.py"], ["src/deep/a.py", "lib/src/a.py"]),
        ("src/**/*.py", ["src/a.py", "src/deep/er/a.py"], ["a.py", "lib/src/a.py"]),
        ("**/test_*", ["test_a", "x/y/test_b.py"], ["a/test"]),
        ("src/**", ["src/a", "src/b/c"], ["src", "lib/a"]),
        ("./a?.txt", ["ab.txt"], ["a.txt", "abc.txt"]),
        ("[ab].c", ["a.c", "x/b.c"], ["c.c", "ab.c"]),
        ("[!a].c", ["b.c"], ["a.c"]),
        ("[z-a].c", ["[z-a].c"], ["z.c"]),
        ("a}b,c", ["a}b,c"], ["ab"]),
        ("{a,b", ["a", "b"], ["c"]),
        ("a+(b).c", ["a+(b).c"], ["aab.c"]),
        ("/Makefile", ["Makefile"], ["x/Makefile"]),
        ("[[].c", ["[.c"], ["a.c"]),
    ],
)
def test_names_match_as_ripgrep_has_it(pattern: str, matching: list[str], other: list[str]) -> None:
    regex = to_regex(pattern)
    assert [name for name in matching if not regex.fullmatch(name)] == []
    assert [name for name in other if regex.fullmatch(name)] == []


@settings(deadline=None)
@given(st.text("*?[]!^-{},/\\ab.&|~"))
def test_every_pattern_means_something(pattern: str) -> None:
    to_regex(pattern).fullmatch("a/b.c")
