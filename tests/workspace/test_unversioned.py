from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from cline_cli.workspace._unversioned import walk_unversioned


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = Path(os.path.realpath(tmp_path)) / "project"
    make(path, "a.py", "b.log", "build/out", "src/b.py", "src/c.log", "src/build/out", "node_modules/x.js")
    return path


def walk(folder: Path) -> list[str]:
    return walk_unversioned(folder, 1000)


def test_files_come_broad_before_deep(folder: Path) -> None:
    assert walk(folder) == ["a.py", "b.log", "build/out", "src/b.py", "src/c.log", "src/build/out"]


def test_what_is_ignored_is_left_out(folder: Path) -> None:
    (folder / ".gitignore").write_text("# generated\n*.log\n/build/\n")
    assert walk(folder) == [".gitignore", "a.py", "src/b.py", "src/build/out"]


def test_the_nearest_file_decides_when_two_say_something(folder: Path) -> None:
    (folder / ".gitignore").write_text("*.log\n*.py\n")
    (folder / "src" / ".gitignore").write_text("!c.log\n/build\n")
    assert walk(folder) == [".gitignore", "build/out", "src/.gitignore", "src/c.log"]


def test_an_ignored_folder_is_not_looked_into(folder: Path) -> None:
    (folder / ".gitignore").write_text("src/\n!src/b.py\n")
    assert "src/b.py" not in walk(folder)


def test_patterns_that_could_take_long_are_passed_over(folder: Path) -> None:
    make(folder, "a" * 200)
    slow = "*a*a*a*a*a*a*a*a*b"
    (folder / ".gitignore").write_text(f"{slow}\n**/a/**/a/**/a/**/a\n*.log\nx/{slow}\n*.p*\n")
    assert walk(folder) == [".gitignore", "a" * 200, "build/out", "src/build/out"]


@pytest.mark.parametrize("make_odd", [os.mkfifo, lambda path: path.symlink_to("a.py")])
def test_a_file_of_rules_that_cannot_be_read_says_nothing(folder: Path, make_odd: object) -> None:
    assert callable(make_odd)
    make_odd(folder / ".gitignore")
    assert "b.log" in walk(folder)


def test_links_are_named_and_not_followed(folder: Path) -> None:
    (folder / "link").symlink_to("src")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    assert walk(folder)[:4] == ["a.py", "b.log", "link", "loop"]
    assert not {"link/b.py", "pipe"} & set(walk(folder))


def test_the_deepest_are_left_out_when_there_are_too_many(folder: Path) -> None:
    assert walk_unversioned(folder, 3) == ["a.py", "b.log", "build/out"]


def test_what_was_found_is_returned_when_the_time_is_up(folder: Path) -> None:
    ticks = count(0, 4)
    assert walk_unversioned(folder, 1000, lambda: next(ticks)) == ["a.py", "b.log", "build/out"]


def test_nothing_is_found_when_there_is_no_folder(tmp_path: Path) -> None:
    assert walk(tmp_path / "none") == []
