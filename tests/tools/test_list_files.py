from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TypedDict

import pytest

from cline_cli.agent.messages import JsonObject, TextPart
from cline_cli.agent.tool import ToolError, ToolOutput
from cline_cli.tools import Workplace
from cline_cli.tools.list_files import ListFiles, build
from cline_cli.workspace.confinement import confine


class Entry(TypedDict, total=False):
    query: str
    result: str
    success: bool
    error: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    (path / "src" / "deep").mkdir(parents=True)
    for name in ("b.py", "a.py", "src/c.py", "src/deep/d.py"):
        (path / name).touch()
    return path


def tool(folder: Path) -> ListFiles:
    return build(Workplace(confine(folder), dict(os.environ)))


def names(folder: Path, **arguments: str | bool) -> tuple[Entry, ToolOutput]:
    output = asyncio.run(tool(folder).run(arguments, lambda text: None))
    assert isinstance(output.parts[0], TextPart)
    (entry,) = json.loads(output.parts[0].text)
    return entry, output


def test_names_are_sorted_and_folders_have_a_slash(folder: Path) -> None:
    entry, output = names(folder)
    assert entry == {"query": ".", "result": "a.py\nb.py\nsrc/", "success": True}
    assert output.display == "3 names"


def test_all_files_below_are_listed_when_it_is_recursive(folder: Path) -> None:
    assert names(folder, recursive=True)[0]["result"] == "a.py\nb.py\nsrc/c.py\nsrc/deep/d.py"
    assert names(folder, path="src", recursive="true")[0]["result"] == "c.py\ndeep/d.py"


def test_names_are_limited_and_that_is_said(folder: Path) -> None:
    for number in range(600):
        (folder / f"{number:03}").touch()
    entry, _ = names(folder)
    lines = entry["result"].split("\n")
    assert (len(lines), lines[-1]) == (501, "[103 more names left out: list a folder in it, or search]")


def test_an_empty_folder_is_said_to_be_empty(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert names(folder, path="empty")[0]["result"] == "[nothing but ignored files, if any]"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("none", "there is no folder none"),
        ("a.py", "a.py is not a folder"),
        ("..", "leads out of the workspace"),
        ("/etc", "outside the workspace"),
    ],
)
def test_it_is_said_why_when_there_is_nothing_to_list(folder: Path, path: str, error: str) -> None:
    entry, output = names(folder, path=path)
    assert error in entry["error"]
    assert output.is_error


@pytest.mark.parametrize(
    ("arguments", "normal"),
    [
        ({}, {"path": ".", "recursive": False}),
        ({"path": "", "recursive": None}, {"path": ".", "recursive": False}),
        ({"directory": "src", "recursive": "false"}, {"path": "src", "recursive": False}),
        ({"path": "src", "recursive": "True"}, {"path": "src", "recursive": True}),
    ],
)
def test_arguments_are_read_in_every_form_they_come_in(folder: Path, arguments: JsonObject, normal: JsonObject) -> None:
    assert tool(folder).normalize(arguments) == normal


def test_the_summary_names_the_folder(folder: Path) -> None:
    assert tool(folder).summary({"path": "src"}) == "list src"
    assert tool(folder).summary({"path": ["x"]}) == "list files"
    with pytest.raises(ToolError):
        tool(folder).normalize({"path": ["x"]})
