from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool, ToolError, ToolOutput
from cline_cli.tools import Workplace, build_tools
from cline_cli.workspace.confinement import confine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    path.mkdir()
    (path / "a.py").write_text("one\ntwo\nthree\n")
    return path


def tools(folder: Path) -> Mapping[str, Tool]:
    return build_tools(Workplace(confine(folder), dict(os.environ))).tools


def call(folder: Path, name: str, arguments: JsonObject) -> ToolOutput:
    """Carry out a call, and the same one as it was understood: both must do the same."""
    tool = tools(folder)[name]
    normal = tool.normalize(arguments)
    assert tool.normalize(normal) == normal
    return asyncio.run(tool.run(normal, lambda text: None))


@pytest.mark.parametrize(
    ("name", "arguments", "own", "normal"),
    [
        ("execute_command", {"command": "ls"}, "run_commands", {"commands": ["ls"]}),
        ("run_command", {"command": "ls", "timeout": 5}, "run_commands", {"commands": ["ls"], "timeout": 5}),
        ("bash", {"command": "ls"}, "run_commands", {"commands": ["ls"]}),
        (
            "read_file",
            {"path": "a", "start_line": 1, "end_line": "2"},
            "read_files",
            {"files": [{"path": "a", "start_line": 1, "end_line": 2}]},
        ),
        ("write_to_file", {"path": "a", "content": "x"}, "editor", {"path": "a", "new_text": "x"}),
        ("write_file", {"path": "a", "content": ""}, "editor", {"path": "a", "new_text": ""}),
        (
            "replace_in_file",
            {"path": "a", "old": "x", "new": "y"},
            "editor",
            {"path": "a", "old_text": "x", "new_text": "y"},
        ),
        (
            "replace_in_file",
            {"path": "a", "old_text": "x", "new_text": ""},
            "editor",
            {"path": "a", "old_text": "x", "new_text": ""},
        ),
        (
            "replace_in_file",
            {"path": "a", "diff": "------- SEARCH\nx\n=======\ny\n+++++++ REPLACE"},
            "editor",
            {"path": "a", "old_text": "x\n", "new_text": "y\n"},
        ),
        (
            "search_files",
            {"path": "src", "regex": "x", "file_pattern": "*.py"},
            "search_codebase",
            {"queries": ["x"], "path": "src", "file_pattern": "*.py"},
        ),
        ("attempt_completion", {"result": "done", "command": "open x"}, "answer", {"result": "done"}),
        ("submit_and_exit", {"summary": "all done", "verified": True}, "answer", {"result": "all done"}),
    ],
)
def test_an_old_call_is_one_of_ours(
    folder: Path, name: str, arguments: JsonObject, own: str, normal: JsonObject
) -> None:
    tool = tools(folder)[name]
    assert tool.spec.name == own
    assert tool.normalize(arguments) == normal
    assert tool.normalize(normal) == normal


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("write_to_file", {"path": "a.py"}, '"content"'),
        ("replace_in_file", {"path": "a.py", "new": "y"}, "old_text that is not empty"),
        ("replace_in_file", {"path": "a.py", "old": "", "new": "y"}, "old_text that is not empty"),
        ("replace_in_file", {"path": "a.py", "old": "one"}, "needs new_text"),
        ("replace_in_file", {"path": "a.py", "diff": "one -> two"}, "the diff has no block"),
        ("replace_in_file", {"path": "a.py", "diff": "<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE"}, "is empty"),
        ("replace_in_file", {"path": "a.py", "diff": ["x"]}, "diff must be a string"),
        ("replace_in_file", {"old": ["x"], "new": "y"}, "editor needs|must be a string"),
        ("attempt_completion", {"result": "  "}, "needs the answer"),
        ("submit_and_exit", {"verified": True}, "needs the answer"),
    ],
)
def test_a_file_is_not_overwritten_by_a_call_that_is_not_whole(
    folder: Path, name: str, arguments: JsonObject, message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        call(folder, name, arguments)
    assert (folder / "a.py").read_text() == "one\ntwo\nthree\n"


def test_several_blocks_change_one_file_at_once(folder: Path) -> None:
    diff = "<<<<<<< SEARCH\none\n=======\n1\n>>>>>>> REPLACE\n<<<<<<< SEARCH\nthree\n=======\n>>>>>>> REPLACE\n"
    output = call(folder, "replace_in_file", {"path": "a.py", "diff": diff})
    assert (folder / "a.py").read_text() == "1\ntwo\n"
    assert output.display == "+1 -2"


def test_a_file_is_written_whole(folder: Path) -> None:
    assert call(folder, "write_to_file", {"path": "b/c.py", "content": "x\n"}).display == "+1"
    assert call(folder, "write_file", {"file_path": "a.py", "content": "x\n"}).display == "replaced, +1 -3"
    assert (folder / "b" / "c.py").read_text() == (folder / "a.py").read_text() == "x\n"


@pytest.mark.parametrize(
    ("name", "arguments"), [("attempt_completion", {"result": " done\n"}), ("submit_and_exit", {"summary": "done"})]
)
def test_the_answer_is_handed_in(folder: Path, name: str, arguments: JsonObject) -> None:
    output = call(folder, name, arguments)
    assert (output.answer, output.is_error) == ("done", False)
    assert tools(folder)[name].spec.effect == "answers"


def test_the_summary_is_that_of_the_tool(folder: Path) -> None:
    known = tools(folder)
    assert known["execute_command"].summary({"command": "ls"}) == "$ ls"
    assert known["write_to_file"].summary({"path": "a", "content": "x"}) == "make a"
    assert known["replace_in_file"].summary({"path": "a"}) == "edit a file"
    assert known["submit_and_exit"].summary({}) == "answer"
