from __future__ import annotations

from pathlib import Path

import pytest

from cline_cli.policy.reading import only_reads


def leads_outside(path: str) -> bool:
    return path.startswith(("/", "link")) or ".." in path.split("/")


@pytest.mark.parametrize(
    "line",
    [
        "git status",
        "git diff HEAD~1 -- src | head -40",
        "git log --oneline -5 && git show HEAD:a.py",
        "git blame -L 1,5 a.py",
        "ls -la src; cat a.py | wc -l",
        "head -n 5 a.py; tail -3 b.py",
        "grep -rn 'a/b' src | sort | uniq -c",
        "grep '/etc/passwd' a.py",
        "rg -n foo -g '*.py' src",
        "find . -name '*.py' -type f | head",
        "cd src && ls *.py",
        "wc -l < a.py",
        "cat a.py 2>/dev/null || true",
        "for i in 1 2; do ls; done",
        "[ -f a ] && cat a",
        "echo hi; printf '%s' x; pwd",
        "cmp a b",
        "for f in *.py; do ls; done",
        "git --no-pager diff",
        "git -P log -3 | cat",
        "uniq -c -f 2 a",
        "sort a | uniq -d",
    ],
)
def test_a_line_that_only_reads_the_workspace_is_known(line: str) -> None:
    assert only_reads(line, leads_outside) == (True, "")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a=1",
        "rm x",
        "uniq a b",
        "uniq a -c b",
        "uniq a -- b",
        "uniq -- a -b",
        "uniq -f 1 a b",
        "ls -LR .",
        "ls --deref -R .",
        "grep --deref x .",
        "diff -r a b",
        "diff --rec a b",
        "du --deref .",
        "file --file names",
        "git cat-file --filt HEAD:x",
        "git --no-pager push",
        "git --no-pager -c core.pager=x log",
        "ls > x",
        "echo a >> b",
        "cat /etc/passwd",
        "cat ../x",
        "cat link",
        "cat ~/.ssh/id_rsa",
        'cat "$HOME/x"',
        "cat $(ls)",
        "cat < /etc/passwd",
        "cd .. && ls",
        "cd && cat x",
        "cd - && cat x",
        "cd a && cd b && cat x",
        "cd a; cat ../../x",
        "git push",
        "git -C /x log",
        "git -c core.pager=x log",
        "git diff --output=x",
        "git diff --outp=x",
        "git log --ext-diff",
        "git log --ext",
        "git show --textconv",
        "git diff --no-index /etc/passwd x",
        "git diff /etc/passwd a",
        "git blame --contents=/etc/passwd a",
        "git grep -O x",
        "git branch -D x",
        "./git status",
        "sudo cat a",
        "env ls",
        "bash -c ls",
        "rg --pre=x y",
        "rg -z x",
        "rg --search-zip x",
        "rg -f /etc/passwd",
        "grep -f/etc/passwd x",
        "grep --file=/etc/passwd x",
        "grep x /etc/passwd",
        "grep -e x /etc/passwd",
        "grep -R x .",
        "sort -o a b",
        "sort -ro a b",
        "sort --output=a b",
        "sort --compress-program=x a",
        "find . -delete",
        "find . -exec rm {} +",
        "find . -fprint x",
        "find -L . -name x",
        "find / -name x",
        "wc --files0-from=x",
        "tail -f x",
        "printf -v a b",
        "PATH=. ls",
        "LD_PRELOAD=x ls",
        "ls(",
        "ls & rm x",
        "x() { rm y; }; ls",
    ],
)
def test_a_line_that_may_do_more_is_not(line: str) -> None:
    finding = only_reads(line, leads_outside)
    assert not finding.only_reads
    assert finding.reason


LINES = (Path(__file__).parent / "more_than_reading.txt").read_text().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_may_do_more_is_not_held_to_read(line: str) -> None:
    """Names of files that look like options, numbers that run something, links, settings of other folders."""
    assert not only_reads(line, leads_outside).only_reads
