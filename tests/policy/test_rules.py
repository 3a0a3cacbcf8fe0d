from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.policy._glob import covers, matches_path, may_match
from cline_cli.policy._words import HOLE
from cline_cli.policy.rules import PolicyError, Rules, parse_permissions, parse_rule


def allowing(*patterns: str) -> Rules:
    return Rules(allow=tuple(parse_rule(pattern) for pattern in patterns))


def denying(*patterns: str) -> Rules:
    return Rules(deny=tuple(parse_rule(pattern, is_denying=True) for pattern in patterns))


@pytest.mark.parametrize(
    ("pattern", "line", "is_denied"),
    [
        ("rm *", "rm x", True),
        ("rm *", "rm", True),
        ("rm", "rm -rf x", True),
        ("rm *", "/bin/rm x", True),
        ("/bin/rm *", "/bin/rm x", True),
        ("rm *", "rmdir x", False),
        ("rm -rf *", "rm x", False),
        ("rm -rf *", 'rm "$flags" x', True),
        ("git push *", "git $what", True),
        ("git push *", "git -C x push", False),
        ("*--force*", "git push --force", True),
        ("rm *", "echo rm x", False),
        ("rm *", "python3 -c 'os.system(\"rm x\")'", True),
        ("rm *", "python3 -c 'format(1)'", False),
        ("sudo *", "sudo -n ls", True),
        ("rm *", "sudo -Z role rm x", True),
        ("rm *", "env --unknown x rm x", True),
        ("rm *", "bash --init-file x -c ls", True),
    ],
)
def test_a_pattern_denies(pattern: str, line: str, is_denied: bool) -> None:
    assert denying(pattern).judge_command(line).is_allowed is (False if is_denied else None)


@pytest.mark.parametrize(
    ("patterns", "line", "is_allowed"),
    [
        (("git *",), "git status", True),
        (("git *",), "git", True),
        (("git status",), "git status -s", False),
        (("git *",), "git log | cat", False),
        (("git *", "cat *"), "git log | cat", True),
        (("git *",), "cd x && git log && true", True),
        (("git *",), "/usr/bin/git log", True),
        (("git *",), "./git log", False),
        (("npm run t?st",), "npm run test", True),
        (("npm run t?st",), 'npm run t"$x"st', False),
        (("make *",), "sudo make", False),
        (("make *", "sudo *"), "sudo make", True),
        (("sudo make *",), "sudo make", True),
        (("sudo *",), "sudo make", False),
        (("make *",), "timeout 9 nice -n 5 make", True),
        (("timeout *",), "timeout 9 make", False),
        (("timeout 9 make *",), "timeout 9 make x", True),
        (("pytest *",), "uv run pytest -q", True),
        (("uv run *",), "uv run pytest -q", True),
        (("make *",), "PATH=/tmp make", False),
        (("make *",), "LD_PRELOAD=x make", False),
        (("git *",), "HOME=h git status", False),
        (("make *",), "CI=1 PAGER=cat make", True),
        (("find *",), "find . -exec rm {} +", False),
        (("find *", "wc *"), "find . -exec wc {} +", True),
        (("bash *",), "bash -c 'rm x'", False),
        (("ls *",), "f() { ls; }; f", False),
        (("make *",), "make $(rm x)", False),
    ],
)
def test_a_list_allows(patterns: tuple[str, ...], line: str, is_allowed: bool) -> None:
    assert bool(allowing(*patterns).judge_command(line).is_allowed) is is_allowed


def test_nothing_is_read_where_no_rule_asks_for_it() -> None:
    assert Rules().judge_command("'").is_allowed is None
    assert allowing("edit:x").judge_command("'").is_allowed is None


def test_redirects_are_refused_where_they_are_not_allowed() -> None:
    rules = Rules(allows_redirects=False)
    assert rules.judge_command("echo a > b").is_allowed is False
    assert rules.judge_command("{ echo a; } >> b").is_allowed is False
    assert rules.judge_command("echo a > /dev/null 2>&1 < b").is_allowed is None


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("edit", "a/b.py", True),
        ("edit:*.py", "a/b.py", True),
        ("edit:src/*.py", "src/a.py", True),
        ("edit:src/*.py", "src/a/b.py", False),
        ("edit:src/**", "src/a/b.py", True),
        ("edit:src/", "src/a/b.py", True),
        ("edit:**/test_?.py", "x/y/test_1.py", True),
        ("edit:./Makefile", "Makefile", True),
        ("edit:a.b", "axb", False),
    ],
)
def test_a_pattern_of_edits_is_one_of_paths(pattern: str, path: str, is_match: bool) -> None:
    assert allowing(pattern).judge_edit(path).is_allowed is (True if is_match else None)
    assert denying(pattern).judge_edit(path).is_allowed is (False if is_match else None)


def test_a_pattern_of_hosts_is_one_of_names() -> None:
    assert allowing("fetch:*.example.org").judge_fetch("Docs.Example.org").is_allowed is True
    assert allowing("fetch:*.example.org").judge_fetch("example.org.evil.net").is_allowed is None
    assert denying("fetch").judge_fetch("example.org").is_allowed is False


@pytest.mark.parametrize(
    "table",
    [
        [],
        "rm",
        {"allow": "git *"},
        {"allow": [1]},
        {"deny": [""]},
        {"deny": ["rm\n"]},
        {"denied": []},
        {"allowRedirects": "no"},
        {"deny": [{"match": ["x"]}]},
        {"deny": [{"pattern": "rm *", "matches": ["rm x"]}]},
        {"deny": [{"pattern": "rm *", "match": [1]}]},
        {"deny": [{"pattern": "rm *", "match": ["ls"]}]},
        {"deny": [{"pattern": "rm *", "not_match": ["sudo rm x"]}]},
        {"allow": [{"pattern": "git *", "match": ["git log | cat"]}]},
        {"allow": [{"pattern": "edit:src/**", "not_match": ["src/a"]}]},
    ],
)
def test_a_policy_that_is_none_or_does_not_keep_to_its_examples_is_refused(table: object) -> None:
    with pytest.raises(PolicyError):
        parse_permissions(table, "policy")


def test_a_policy_that_keeps_to_its_examples_is_taken() -> None:
    rules = parse_permissions(
        {
            "deny": [{"pattern": "rm *", "match": ["rm x", "sudo rm x"], "not_match": ["rmdir x", "echo rm"]}],
            "allow": [{"pattern": "edit:src/**", "match": "src/a"}, "git *"],
            "allow_redirects": True,
        },
        "policy",
    )
    assert (len(rules.allow), len(rules.deny), rules.allows_redirects) == (2, 1, True)


@given(st.text("ab *?", max_size=6), st.text(f"ab {HOLE}", max_size=6), st.lists(st.text("ab ", max_size=3)))
def test_a_pattern_may_match_whatever_the_holes_turn_out_to_be(pattern: str, text: str, fillings: list[str]) -> None:
    filled = text
    for filling in [*fillings, *[""] * text.count(HOLE)]:
        filled = filled.replace(HOLE, filling, 1)
    if covers(pattern, filled):
        assert may_match(pattern, text)
    if covers(pattern, text):
        assert covers(pattern, filled)


def as_regex(pattern: str) -> re.Pattern[str]:
    """What patterns of paths mean, said in another language."""
    if "/" not in pattern and pattern != "**":
        pattern = f"**/{pattern}"
    pieces = re.findall(r"\*\*/|\*\*|.", f"{pattern}**" if pattern.endswith("/") else pattern)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meanings.get(piece, re.escape(piece)) for piece in pieces))


@given(st.text("ab/*?.", max_size=8), st.text("ab/.", max_size=8))
def test_a_pattern_of_paths_matches_by_folders(pattern: str, path: str) -> None:
    assert matches_path(pattern, path) is (as_regex(pattern).fullmatch(path) is not None)


def test_a_long_text_is_held_against_a_pattern_with_many_stars() -> None:
    """This takes forever where places for the stars are tried one after the other."""
    assert not covers("*a" * 20 + "b", "a" * 40_000)
    assert covers("*a" * 20 + "*", "a" * 40_000)
    assert not matches_path("src/" + "*a" * 20 + "b", "src/" + "a" * 4_000)
    assert not matches_path("**/*a" * 8 + "b", "a/" * 2_000)
    assert not may_match("*a" * 20 + "b", HOLE + "a" * 4_000)


@pytest.mark.parametrize(
    "line",
    [
        "set -o pipefail; make | tail -3",
        "set -euo pipefail; make",
        "find \"$dir\" -name '*.py'",
        'find . -name "$name" -type f',
        "git -c core.hooksPath=/dev/null commit -m x",
        "git -c core.editor=true rebase --continue",
        "git -c core.fsmonitor=false status",
        'env A="$x" make',
        'export PATH="$PATH:/x"; make',
        'printf "$fmt" x',
        "printf '%d\\n' $((1+2))",
        '[ -n "$x" ] && make',
        "echo $(( $(date +%s) - start ))",
        'git checkout "$branch"',
        'tar czf "$out" dist',
        "i=0; ((i++)); echo $i",
    ],
)
def test_usual_ways_to_write_a_line_are_read(line: str) -> None:
    assert Rules(deny=(parse_rule("zap *", is_denying=True),)).judge_command(line).is_allowed is None
