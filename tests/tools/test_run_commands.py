from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import pytest

from cline_cli.agent.messages import JsonObject, TextPart
from cline_cli.agent.tool import ToolError, ToolOutput
from cline_cli.machine.process import child_variables, end_leftovers, list_leftovers
from cline_cli.tools import Workplace
from cline_cli.tools.run_commands import MAX_COMMANDS, RunCommands, build
from cline_cli.workspace.confinement import confine


class Entry(TypedDict, total=False):
    query: str
    result: str
    success: bool
    error: str


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "project"
    path.mkdir()
    yield path
    asyncio.run(end_leftovers())


def tool(folder: Path) -> RunCommands:
    return build(Workplace(confine(folder), child_variables(os.environ, ())))


def run(folder: Path, *commands: str, **more: int) -> tuple[list[Entry], ToolOutput]:
    output = asyncio.run(tool(folder).run({"commands": commands, **more}, lambda text: None))
    assert isinstance(output.parts[0], TextPart)
    entries: list[Entry] = json.loads(output.parts[0].text)
    return entries, output


def test_what_a_command_printed_comes_back(folder: Path) -> None:
    entries, output = run(folder, "echo out; echo err >&2; pwd")
    assert entries == [
        {"query": "echo out; echo err >&2; pwd", "result": f"out\nerr\n{os.path.realpath(folder)}\n", "success": True}
    ]
    assert output.display.startswith("exit 0, ")
    assert output.display.endswith(" s")


def test_the_exit_code_is_the_error_when_it_is_not_0(folder: Path) -> None:
    entries, output = run(folder, "echo text; exit 3")
    assert (entries[0]["error"], entries[0]["result"], entries[0]["success"]) == ("exit code 3", "text\n", False)
    assert output.display.startswith("exit 3, ")
    assert output.is_error


def test_commands_run_one_after_another_each_in_the_workspace(folder: Path) -> None:
    entries, output = run(folder, "mkdir sub; cd sub; sleep 0.1; touch late", "ls sub", "false", "pwd")
    assert [entry["success"] for entry in entries] == [True, True, False, True]
    assert entries[1]["result"] == "late\n"
    assert entries[3]["result"] == f"{os.path.realpath(folder)}\n"
    assert not output.is_error


def test_variables_do_not_carry_over(folder: Path) -> None:
    entries, _ = run(folder, "export A=1; echo $A", 'echo "[$A]"')
    assert [entry["result"] for entry in entries] == ["1\n", "[]\n"]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("kill -9 $$", "ended by SIGKILL"),
        ("sh -c 'kill -11 $$'; exit $?", "exit code 139 (SIGSEGV)"),
        ("no_such_program", "exit code 127"),
        ("exit 255", "exit code 255"),
        ("/", "exit code 126"),
    ],
)
def test_it_is_said_how_a_command_ended(folder: Path, command: str, error: str) -> None:
    assert run(folder, command)[0][0]["error"] == error


def test_it_is_said_when_a_command_printed_nothing(folder: Path) -> None:
    assert run(folder, "true")[0][0]["result"] == "(no output)"


def test_what_was_printed_until_then_comes_back_when_the_time_is_up(folder: Path) -> None:
    entries, output = run(folder, "echo so far; sleep 300", "echo next", timeout=1)
    assert entries[0]["error"].startswith("timed out after 1 s and was ended")
    assert entries[0]["result"] == "so far\n"
    assert entries[1]["success"]
    assert output.display.startswith("timed out, ")


def test_the_middle_is_left_out_when_a_command_prints_much(folder: Path) -> None:
    entries, _ = run(folder, "seq 1 1000000")
    result = entries[0]["result"]
    assert len(result.encode()) < 48_200
    assert result.startswith("1\n2\n")
    assert result.endswith("999999\n1000000\n")
    assert "bytes left out" in result


def test_every_command_shows_something_when_those_before_it_printed_much(folder: Path) -> None:
    entries, output = run(folder, *["seq 1 100000"] * 5, "echo last")
    assert entries[-1]["result"] == "last\n"
    assert 4_200 > len(entries[-2]["result"]) > 3_000
    assert isinstance(output.parts[0], TextPart)


def test_control_sequences_and_progress_lines_are_cleaned(folder: Path) -> None:
    entries, _ = run(folder, r"printf '10%%\r100%%\n\033[31mred\033[0m\n'")
    assert entries[0]["result"] == "100%\nred\n"


def test_nothing_waits_for_a_person(folder: Path) -> None:
    commands = ["cat", "read line", "cat </dev/tty", "git init -q . && git commit --allow-empty"]
    entries, _ = run(folder, *commands, timeout=20)
    assert not any("timed out" in entry.get("error", "") for entry in entries)


def test_a_background_process_is_told_of_and_lives_on(folder: Path) -> None:
    entries, _ = run(folder, "sleep 300 & echo started")
    assert entries[0]["result"] == "started\n[what it started in the background is still running]"
    assert entries[0]["success"]
    assert [leftover.command for leftover in list_leftovers()] == ["sleep 300"]


def test_a_command_longer_than_an_argument_may_be_is_run(folder: Path) -> None:
    entries, _ = run(folder, f"echo {'x' * 300_000} | wc -c")
    assert entries[0]["result"].strip() == "300001"
    assert len(entries[0]["query"]) == 200


@pytest.mark.parametrize("command", ["echo a\0b", "echo \ud800"])
def test_the_others_run_when_one_cannot_be_started(folder: Path, command: str) -> None:
    entries, _ = run(folder, command, "echo next")
    assert "could not be started" in entries[0]["error"]
    assert entries[1]["result"] == "next\n"


def test_it_is_said_when_the_workspace_is_gone(folder: Path) -> None:
    there = tool(folder)
    shutil.rmtree(folder)
    output = asyncio.run(there.run({"commands": ["true"]}, lambda text: None))
    assert output.is_error
    assert "could not be started: No such file or directory" in output.display


def test_output_is_reported_in_small_pieces_while_it_comes(folder: Path) -> None:
    reported: list[str] = []
    asyncio.run(tool(folder).run({"commands": ["echo first; sleep 0.2; seq 1 300000; echo last"]}, reported.append))
    assert reported[0] == "first\n"
    assert reported[-1].endswith("last\n")
    assert all(len(text) <= 4_096 for text in reported)


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        ({"commands": "ls -l"}, ["ls -l"]),
        ({"commands": ["ls", "pwd"]}, ["ls", "pwd"]),
        ({"commands": '["ls", "pwd"]'}, ["ls", "pwd"]),
        ({"command": "ls"}, ["ls"]),
        ({"cmd": "ls"}, ["ls"]),
        ({"command": "ls", "args": ["-l", "a b"]}, ["ls -l 'a b'"]),
        ({"commands": [{"command": "ls"}, {"cmd": "pwd"}, "id"]}, ["ls", "pwd", "id"]),
        ({"commands": {"command": "git", "args": "status"}}, ["git status"]),
        ({"commands": ['{"command": "ls"}']}, ["ls"]),
        ({"command": ["ls", "pwd"]}, ["ls", "pwd"]),
        ({"command": ["bash", "-lc", "ls | wc"]}, ["bash -lc 'ls | wc'"]),
        ({"commands": ["[ -f a ]", "{ ls; }", "[1]"]}, ["[ -f a ]", "{ ls; }", "[1]"]),
        ({"commands": ["cat > a <<'EOF'", "x $y", "", "EOF", "cat a"]}, ["cat > a <<'EOF'\nx $y\n\nEOF", "cat a"]),
        ({"commands": ["cat <<EOF\nx\nEOF", "EOF"]}, ["cat <<EOF\nx\nEOF", "EOF"]),
        ({"commands": ["echo '<<EOF'", "ls"]}, ["echo '<<EOF'", "ls"]),
        ({"command": "ls", "requires_approval": True, "cwd": "."}, ["ls"]),
    ],
)
def test_commands_are_read_in_every_form_they_come_in(folder: Path, arguments: JsonObject, commands: list[str]) -> None:
    normal = tool(folder).normalize(arguments)
    assert normal == {"commands": commands}
    assert tool(folder).normalize(normal) == normal


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(None, None), ("30", 30), (3600, 3600), (1.0, 1), ("", None), (0, None), (120, None)]
)
def test_the_timeout_is_read_in_seconds(folder: Path, timeout: str | int | None, seconds: int | None) -> None:
    assert tool(folder).normalize({"commands": "ls", "timeout": timeout}).get("timeout") == seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "run_commands needs"),
        ({"commands": []}, "run_commands needs"),
        ({"commands": ["ls", " "]}, "no empty command"),
        ({"commands": [["ls"]]}, "a command must be a string, not an array"),
        ({"commands": [None]}, "a command must be a string, not null"),
        ({"commands": ["ls"] * (MAX_COMMANDS + 1)}, f"at most {MAX_COMMANDS} commands"),
        ({"commands": "ls", "timeout": 120_000}, "timeout is in seconds, 1 to 3600"),
        ({"commands": "ls", "timeout": -1}, "timeout is in seconds"),
        ({"commands": "ls", "cwd": "/tmp"}, "write: cd FOLDER && COMMAND"),
        ({"commands": "ls", "workdir": ["x"]}, "write: cd FOLDER && COMMAND"),
    ],
)
def test_it_is_refused_with_what_works_when_it_cannot_be_read(
    folder: Path, arguments: JsonObject, message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        tool(folder).normalize(arguments)


@pytest.mark.parametrize(
    ("arguments", "summary"),
    [
        ({"commands": ["pytest -q"]}, "$ pytest -q"),
        ({"commands": ["a", "b", "c"]}, "$ a (+2 more)"),
        ({"commands": ["cat <<EOF\nx\nEOF"]}, "$ cat <<EOF …"),
        ({}, "run commands"),
    ],
)
def test_the_summary_shows_the_first_command(folder: Path, arguments: JsonObject, summary: str) -> None:
    assert tool(folder).summary(arguments) == summary
