from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from cline_cli.commands._doctor_installation import (
    Answer,
    Program,
    check_packages,
    check_path,
    check_tools,
    find_programs,
    is_in_range,
    program_asker,
)
from cline_cli.commands._doctor_report import Check


@pytest.mark.parametrize(
    ("version", "ranges", "is_in"),
    [
        ("1.2.0", ">=1.2,<2", True),
        ("1.2", ">=1.2.0", True),
        ("2.0", ">=1.2,<2", False),
        ("2.0.0", "<2", False),
        ("1.10", ">=1.9", True),
        ("0.28.1", "<0.29,>=0.28", True),
        ("0.29.0rc1", "<0.29,>=0.28", False),
        ("3", "==3.0", True),
        ("3.1", "!=3.1", False),
        ("3.1", "", True),
        ("strange", "~=1.2", True),
    ],
)
def test_a_version_is_compared_with_what_was_declared(version: str, ranges: str, is_in: bool) -> None:
    assert is_in_range(version, ranges) == is_in


def look_at_packages(*requirements: str, is_verbose: bool = False, **versions: str) -> list[tuple[str, str]]:
    checks = check_packages(list(requirements), versions.get, is_verbose=is_verbose)
    return [(check.name, check.status) for check in checks]


def test_a_package_is_told_when_it_is_missing_or_another_version() -> None:
    assert look_at_packages("rich<16,>=14", "tomlkit<1,>=0.13", rich="16.1") == [
        ("rich", "bad"),
        ("tomlkit", "bad"),
        ("packages", "ok"),
    ]
    assert look_at_packages("httpx<0.29,>=0.28")[0] == ("httpx", "fatal")


def test_an_extra_is_looked_at_only_where_it_is_there() -> None:
    engine = "engine==2; extra == 'local'"
    assert look_at_packages(engine) == [("packages", "ok")]
    assert look_at_packages(engine, engine="1")[0] == ("engine", "bad")
    assert look_at_packages('linter>9; extra == "dev"', linter="1") == [("packages", "ok")]


def test_the_packages_are_listed_when_more_is_asked_for() -> None:
    assert look_at_packages("rich<16", is_verbose=True, rich="15") == [("rich", "ok")]


def put_program(folder: Path, content: bytes, *, mode: int = 0o755, name: str = "cline") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(content)
    file.chmod(mode)
    return file


OURS = f"#!{sys.executable}\nfrom cline_cli.__main__ import run\n".encode()


@pytest.mark.parametrize(
    ("content", "is_ours", "kind"),
    [
        (OURS, True, "this one"),
        (b"#!/bin/sh\n'''exec' \"" + sys.executable.encode() + b'" "$0" "$@"\n# cline_cli\n', True, "this one"),
        (b"#!/o/bin/python\nimport cline_cli\n", False, "another installation of this program, in /o/bin"),
        (b"#!/usr/bin/env node\nrequire('x')\n", False, "a Node.js program, most likely the original command"),
        (b"#!/bin/sh\necho\n", False, "a script for /bin/sh"),
        (b"\x7fELF\x02", False, "a compiled program"),
        (b"", False, "another program"),
        (b"#!", False, "a script for "),
    ],
)  # fmt: skip
def test_a_program_of_our_name_is_told_apart_without_starting_it(
    tmp_path: Path, content: bytes, is_ours: bool, kind: str
) -> None:
    file = put_program(tmp_path / "bin", content)
    assert find_programs(str(tmp_path / "bin"), None, sys.executable) == (Program(str(file), is_ours, kind),)


def test_every_program_on_path_is_found_once_and_in_order(tmp_path: Path) -> None:
    first = put_program(tmp_path / "a", b"#!/bin/sh\n")
    second = put_program(tmp_path / "b", OURS)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "cline").symlink_to(first)
    (tmp_path / "d" / "cline").mkdir(parents=True)
    put_program(tmp_path / "e", OURS, mode=0o644)
    path = os.pathsep.join(str(tmp_path / name) for name in "abcde")
    programs = find_programs(path, tmp_path, sys.executable)
    assert [program.path for program in programs] == [str(first), str(second)]
    assert [program.path for program in find_programs(":a", tmp_path / "b", sys.executable)] == [str(second)]
    assert find_programs(":.", None, sys.executable) == ()
    assert find_programs("", tmp_path / "a", sys.executable) == ()


def test_another_program_is_bad_when_a_shell_starts_it_first() -> None:
    ours, other = Program("/a/cline", True, "this one"), Program("/b/cline", False, "a script for /bin/sh")
    bad, after = check_path((other, ours), "/a/cline")
    assert bad.status == "bad"
    assert "/b/cline, which is a script for /bin/sh" in bad.text
    assert "/a/cline" in bad.remedy
    assert after.status == "ok"
    first, note = check_path((ours, other), "/a/cline")
    assert (first.status, note.status) == ("ok", "note")
    assert "/b/cline" in note.text
    (missing,) = check_path((), "/a/cline")
    assert (missing.status, missing.remedy) == ("note", "Add /a to PATH")


def ask(folder: Path | str, name: str = "git", timeout_s: float = 20, **variables: str) -> Answer:
    async def ask_it() -> Answer:
        return await program_asker({"PATH": str(folder), **variables}, timeout_s)(name)

    return asyncio.run(ask_it())


def test_the_first_line_of_a_program_is_its_version(tmp_path: Path) -> None:
    file = put_program(tmp_path / "bin", b"#!/bin/sh\necho git version 9; echo more\n", name="git")
    assert ask(tmp_path / "bin") == Answer(str(file), "git version 9", is_version=True)
    assert ask(tmp_path / "bin", "rg") == Answer("", "not found")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (b"#!/bin/sh\nexec /bin/sleep 100\n", "did not answer within 0.2 s"),
        (b"#!/bin/sh\nexit 7\n", "does not tell its version (exit code 7)"),
        (b"#!/bin/sh\n/bin/cat\necho no >&2\n", "does not tell its version (exit code 0)"),
        (b"#!/no/such/interpreter\n", "does not start: No such file or directory"),
    ],
)
def test_it_is_told_why_a_program_has_no_version(tmp_path: Path, script: bytes, told: str) -> None:
    file = put_program(tmp_path / "bin", script, name="git")
    timeout_s = 0.2 if b"sleep" in script else 20
    assert ask(tmp_path / "bin", timeout_s=timeout_s) == Answer(str(file), told)


def test_a_program_that_does_not_stop_printing_is_ended(tmp_path: Path) -> None:
    put_program(tmp_path / "bin", b"#!/bin/sh\nwhile :; do echo git version 9; done\n", name="git")
    assert ask(tmp_path / "bin").line == "git version 9"


def test_no_program_is_started_from_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path / "bin", b"#!/bin/sh\necho git version 9\n", name="git")
    monkeypatch.chdir(tmp_path / "bin")
    for path in (".", "", ":", "../bin"):
        assert ask(path) == Answer("", "not found")


def test_a_missing_tool_is_worth_a_note_only() -> None:
    async def answer(name: str) -> Answer:
        return Answer("/bin/git", "git version 2.39", is_version=True) if name == "git" else Answer("", "not found")

    git, ripgrep = asyncio.run(check_tools(answer))
    assert git == Check("git", "ok", "2.39, /bin/git")
    assert ripgrep == Check("ripgrep", "note", "not found", "Searching works without it, only slower")
