from __future__ import annotations

import os
from pathlib import Path

import pytest

from cline_cli.workspace.ignored import find_ignored, nothing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


def test_nothing_is_ignored_without_the_file(folder: Path) -> None:
    assert find_ignored(folder) is nothing


@pytest.mark.parametrize(
    ("name", "is_ignored"),
    [
        ("secrets/a/b", True),
        ("secrets", True),
        ("x/.env", True),
        ("keep.env", False),
        ("logs/a.log", True),
        ("logs/keep.log", False),
        ("src/a.py", False),
        ("", False),
    ],
)
def test_patterns_are_those_of_git(folder: Path, name: str, is_ignored: bool) -> None:
    (folder / ".clineignore").write_text("# kept\nsecrets/\n.env\nlogs/*\n!logs/keep.log\n")
    assert find_ignored(folder)(folder / name) is is_ignored


def test_what_is_outside_is_not_its_affair(folder: Path) -> None:
    (folder / ".clineignore").write_text("*\n")
    assert not find_ignored(folder)(folder.parent / "x")


def test_everything_is_kept_when_the_file_cannot_be_read(folder: Path) -> None:
    os.mkfifo(folder / ".clineignore")
    assert find_ignored(folder)(folder / "a")
    assert not find_ignored(folder)(folder / ".clineignore")


def test_everything_is_kept_when_a_pattern_could_take_minutes(folder: Path) -> None:
    (folder / ".clineignore").write_text("*a*a*a*a*a*b\n")
    is_ignored = find_ignored(folder)
    assert is_ignored(folder / ("a" * 200))
    assert is_ignored(folder / "other.py")


def test_a_comment_with_stars_is_no_pattern(folder: Path) -> None:
    (folder / ".clineignore").write_text("# **** secrets ****\n*.key\n")
    is_ignored = find_ignored(folder)
    assert is_ignored(folder / "a.key")
    assert not is_ignored(folder / "a.py")
