from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.tools import _search_child as child


def matches(regex: str, data: bytes) -> list[tuple[int, str]]:
    return list(child.find_matches(re.compile(regex), data))


@pytest.mark.parametrize(
    ("regex", "data", "found"),
    [
        ("b", b"a\nb\r\nab", [(2, "b"), (3, "ab")]),
        ("^$", b"a\n\nb\n", [(2, "")]),
        ("a", b"", []),
        ("a", b"a\0", []),
        ("a", b"\xef\xbb\xbfa", [(1, "a")]),
        ("^a", "\ufeffa\nb".encode("utf-16-le"), [(1, "a")]),
        ("^b", "\ufeffa\nb".encode("utf-16-be"), [(2, "b")]),
        ("x", b"x" * 2_000, [(1, "x" * 400 + " … [1,600 more characters]")]),
        (r"a\sb", b"a\nb", []),
    ],
)
def test_lines_are_matched_one_by_one(regex: str, data: bytes, found: list[tuple[int, str]]) -> None:
    assert matches(regex, data) == found


def run(regex: str, names: list[str], folder: Path) -> list[list[str | int]]:
    reading, writing = os.pipe()
    os.write(writing, b"".join(os.fsencode(name) + b"\0" for name in names))
    os.close(writing)
    try:
        output = subprocess.run(
            [sys.executable, "-I", "-S", child.__file__, regex, str(reading), "3", "100"],
            cwd=folder,
            pass_fds=(reading,),
            check=True,
            capture_output=True,
        ).stdout
    finally:
        os.close(reading)
    return [json.loads(line) for line in output.splitlines()]


def test_it_runs_as_a_program_and_passes_over_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x\ny\nx\n")
    (tmp_path / "large").write_text("x" * 101)
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c").write_text("y\nx\n")
    (tmp_path / "around").symlink_to("folder")
    names = ["none", "large", "link", "fifo", ".", "a", "around/c", "folder/c"]
    assert run("x", names, tmp_path) == [["a", 1, "x"], ["a", 3, "x"], ["folder/c", 2, "x"]]


@pytest.mark.parametrize("regex", ["(", "a{99999999999999999999}", "(?P<a>a)(?P<a>b)"])
def test_it_says_what_is_wrong_with_a_regex(tmp_path: Path, regex: str) -> None:
    ((word, reason),) = run(regex, [], tmp_path)
    assert word == "error"
    assert reason
