from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from cline_cli.workspace.walk import Listing, is_in_repository, list_files, list_folder

FILES = (
    ".github/ci.yml",
    "a.py",
    "build/out.o",
    "node_modules/lib/index.js",
    "src/b.py",
    "src/deep/c.py",
    "src/trace.log",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    for name in FILES:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("text")
    (path / "link").symlink_to("src")
    (path / "loop").symlink_to("loop")
    (path / "empty").mkdir()
    return path


@pytest.fixture
def repository(folder: Path) -> Path:
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("*.log\nbuild/\nnode_modules\n")
    return folder


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def walk(folder: Path) -> Listing:
    return asyncio.run(list_files(folder, os.environ))


def names(folder: Path) -> tuple[str, ...]:
    return asyncio.run(list_folder(folder, os.environ)).names


def test_what_git_ignores_is_left_out_when_there_is_a_repository(repository: Path) -> None:
    assert walk(repository) == Listing(
        (".github/ci.yml", ".gitignore", "a.py", "link", "loop", "src/b.py", "src/deep/c.py"), is_complete=True
    )


def test_a_tracked_file_is_listed_when_it_would_be_ignored(repository: Path) -> None:
    git(repository, "add", "-f", "src/trace.log")
    assert "src/trace.log" in walk(repository).names


def test_folders_that_nobody_writes_are_left_out_when_there_is_no_repository(folder: Path) -> None:
    assert walk(folder).names == (
        ".github/ci.yml",
        "a.py",
        "build/out.o",
        "src/b.py",
        "src/deep/c.py",
        "src/trace.log",
    )


def test_paths_are_relative_to_the_folder_when_it_lies_deeper(repository: Path) -> None:
    assert walk(repository / "src").names == ("b.py", "deep/c.py")


def test_an_ignored_folder_is_listed_when_it_is_asked_for(repository: Path) -> None:
    assert walk(repository / "node_modules").names == ("lib/index.js",)
    assert names(repository / "node_modules") == ("lib/",)


def test_another_repository_inside_is_listed_too(repository: Path) -> None:
    (repository / "inner").mkdir()
    git(repository / "inner", "init", "-q")
    (repository / "inner" / "file").touch()
    assert "inner/file" in walk(repository).names
    assert not any(".git/" in name for name in walk(repository).names)


def test_files_are_sorted_part_by_part(folder: Path) -> None:
    for name in ("b", "b.c", "b-d"):
        (folder / "sorted" / name).mkdir(parents=True)
        (folder / "sorted" / name / "x").touch()
    assert walk(folder / "sorted").names == ("b/x", "b-d/x", "b.c/x")


def test_the_end_is_left_out_when_there_are_too_many_files(folder: Path) -> None:
    for name in "bca":
        (folder / "many" / name).mkdir(parents=True)
        for number in range(300):
            (folder / "many" / name / f"{number:03}").touch()
    listing = asyncio.run(list_files(folder / "many", os.environ, 400))
    assert (len(listing.names), listing.names[-1], listing.is_complete) == (400, "b/099", False)
    assert asyncio.run(list_files(folder / "many", os.environ, 900)).is_complete


def test_no_program_is_started_when_the_project_names_one_for_git(repository: Path) -> None:
    hook = repository / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {repository}/started\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    assert "a.py" in walk(repository).names
    assert "a.py" in names(repository)
    assert not (repository / "started").exists()


def test_nothing_outside_is_listed_when_an_index_was_forged(repository: Path) -> None:
    (repository / "sub").mkdir()
    for name in ("aa/bb", "sub/aa/bb"):
        (repository / name).parent.mkdir()
        (repository / name).touch()
        git(repository, "add", name)
    index = repository / ".git" / "index"
    body = index.read_bytes()[:-20].replace(b"aa/bb", b"../bb")
    index.write_bytes(body + hashlib.sha1(body, usedforsecurity=False).digest())
    assert (
        "../bb" in subprocess.run(["git", "ls-files"], cwd=repository, check=True, capture_output=True).stdout.decode()
    )
    assert not [name for name in walk(repository).names if ".." in name]


def test_files_are_walked_when_there_is_no_git(repository: Path) -> None:
    listing = asyncio.run(list_files(repository, {"PATH": ""}))
    assert "src/trace.log" in listing.names


def test_names_in_a_folder_end_with_a_slash_when_they_are_folders(repository: Path) -> None:
    assert names(repository) == (".github/", ".gitignore", "a.py", "empty/", "link/", "loop", "src/")
    assert names(repository / "src") == ("b.py", "deep/")


def test_names_in_a_folder_lack_only_the_usual_when_there_is_no_repository(folder: Path) -> None:
    assert names(folder) == (".github/", "a.py", "build/", "empty/", "link/", "loop", "src/")


def test_an_error_is_raised_when_it_is_no_folder(folder: Path) -> None:
    with pytest.raises(NotADirectoryError):
        names(folder / "a.py")
    with pytest.raises(FileNotFoundError):
        names(folder / "none")


def test_names_that_are_not_unicode_are_listed(folder: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/src/\xff")).touch()
    except OSError:
        pytest.skip("this file system takes Unicode only")
    assert "src/\udcff" in walk(folder).names


def test_a_repository_is_noticed_from_any_folder_in_it(repository: Path, tmp_path: Path) -> None:
    assert is_in_repository(repository / "src" / "deep")
    assert not is_in_repository(tmp_path)
