from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.policy.programs import read_line
from cline_cli.policy.rules import Rules, parse_rule
from cline_cli.policy.shell import HOLE, WILD, UnreadableError, read_script


def words(text: str) -> list[list[str]]:
    return [[word.text for word in command.words] for command in read_script(text).commands if command.words]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a b  c", [["a", "b", "c"]]),
        ("a;b&c|d&&e||f\ng", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"]]),
        ("'a b'\"c d\"\\ e", [["a bc d e"]]),
        ("$'a\\tb\\x41\\101\\u00e9'", [["a\tbAAé"]]),
        ('a "$b" ${c:-d} *.py ~ {x,y} {}', [["a", HOLE, HOLE, f"{WILD}.py", HOLE, HOLE, "{}"]]),
        ("a $(b `c`)", [["a", HOLE], ["b", HOLE], ["c"]]),
        ("a <(b) >(c)", [["a", HOLE, HOLE], ["b"], ["c"]]),
        ("if a; then b; elif c; then d; else e; fi", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("for x in 1 2; do a; done; while b; do c; done", [["a"], ["b"], ["c"]]),
        ("for ((i=0;i<2;i++)); do a; done", [["a"]]),
        ("case $x in a|b) c ;; (d) e ;& *) f; esac", [["c"], ["e"], ["f"]]),
        ("f() { a; }; function g { b; }; h() ( c )", [["a"], ["b"], ["c"]]),
        ("[[ -f x && $y =~ ^(a|b)$ ]] && a", [["a"]]),
        ("cat <<E; a\n$(b)\nE\nc", [["cat"], ["a"], ["b"], ["c"]]),
        ("cat <<'E'\n$(b)\nE\nc", [["cat"], ["c"]]),
        ("! time -p a", [["a"]]),
        ("a # b\nc#d", [["a"], ["c#d"]]),
        ("a \\\n b", [["a", "b"]]),
        ("x=1 y=(2 3) a z=4", [["a", "z=4"]]),
    ],
)
def test_commands_are_read(text: str, read: list[list[str]]) -> None:
    assert sorted(words(text)) == sorted(read)


def test_what_stands_beside_the_words_is_read() -> None:
    (command,) = read_script("A=1 a >x 2>>y <z &>w 2>&1 <<<hi").commands
    assert [(name, value.text) for name, value in command.assignments] == [("A", "1")]
    assert [(one.operator, one.target.text, one.writes) for one in command.redirects] == [
        (">", "x", True),
        (">>", "y", True),
        ("<", "z", False),
        ("&>", "w", True),
        (">&", "1", False),
    ]
    assert command.stdin
    assert command.stdin.text == "hi"


@pytest.mark.parametrize(
    "text",
    [
        "a 'b",
        'a "b',
        "a `b",
        "a $(b",
        "a ${b",
        "a \\",
        "a &&",
        "a )",
        "(a",
        "{ a",
        "if a; then b",
        "a <<E\nb",
        "a <<E $(b\n)\nE",
        'a <<E "b\n"\nE',
        "((a); b)",
        "$[1]",
        "${a@P}",
        "${a#'b'}",
        "{x}>b a",
        "coproc a",
        "a[$(b)]=c",
        "a ?(b)",
        "a\x07b",
        "a\rb",
        "a\u2028b",
        "a " * 30_000,
        "$(" * 40 + "a" + ")" * 40,
    ],
)
def test_what_cannot_be_read_for_certain_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        read_script(text)


@settings(max_examples=400)
@given(st.text(alphabet="ab $`'\"\\(){}[]<>|&;\n#=!*?~-1E", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    rules = Rules(allow=(parse_rule("a *"),), deny=(parse_rule("b *"),))
    assert rules.judge_command(text).is_allowed in {True, False, None}


@pytest.mark.parametrize(
    "line", ["ls " + "{a," * 12_000, "ls " + "{a," * 8_000 + "}" * 8_000, "npx " + "-a b " * 8_000]
)
def test_a_long_line_is_read_whatever_it_holds(line: str) -> None:
    """This takes minutes where a part of it is searched again from each of its places."""
    with contextlib.suppress(UnreadableError):
        read_line(line)
