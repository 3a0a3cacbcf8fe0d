from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

import pytest

from cline_cli.agent.messages import JsonObject, TextPart
from cline_cli.agent.tool import ToolError, ToolOutput
from cline_cli.tools import Workplace
from cline_cli.tools._results import ItemError
from cline_cli.tools._search import Where, find_ripgrep, search_with_child
from cline_cli.tools.search_codebase import MAX_QUERIES, SearchCodebase
from cline_cli.workspace.confinement import confine

RIPGREP = shutil.which("rg")


class Entry(TypedDict, total=False):
    query: str
    result: str
    success: bool
    error: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    (path / "src" / "deep").mkdir(parents=True)
    (path / "node_modules").mkdir()
    (path / ".hidden").mkdir()
    files = {
        "a.py": b"def first():\n    return 1\n",
        "src/b.py": b"def second():\r\n    return 22\r\n",
        "src/deep/c.txt": "größe = 3\n".encode(),
        "src/latin.txt": b"gr\xf6\xdfe def x\n",
        "src/u16.txt": "\ufeffdef wide\n".encode("utf-16-le"),
        "src/trace.log": b"def logged\n",
        "node_modules/lib.js": b"def packaged\n",
        ".hidden/h.py": b"def hidden\n",
        "binary": b"def binary\0\n",
        "large": b"def large\n" + b"x" * 5_000_001,
    }
    for name, data in files.items():
        (path / name).write_bytes(data)
    (path / "link.py").symlink_to("a.py")
    (path / "fifo.py").unlink(missing_ok=True)
    os.mkfifo(path / "fifo.py")
    return path


@pytest.fixture
def repository(folder: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".gitignore").write_text("*.log\nnode_modules\n")
    return folder


def tool(folder: Path, ripgrep: str | None = None) -> SearchCodebase:
    return SearchCodebase(Workplace(confine(folder), dict(os.environ)), ripgrep)


def search(folder: Path, *queries: str, ripgrep: str | None = None, **more: str) -> tuple[list[Entry], ToolOutput]:
    output = asyncio.run(tool(folder, ripgrep).run({"queries": queries, **more}, lambda text: None))
    assert isinstance(output.parts[0], TextPart)
    entries: list[Entry] = json.loads(output.parts[0].text)
    return entries, output


def test_matching_lines_come_with_path_and_number(repository: Path) -> None:
    entries, output = search(repository, r"return \d+$", "größe")
    assert entries == [
        {"query": r"return \d+$", "result": "a.py:2:     return 1\nsrc/b.py:2:     return 22", "success": True},
        {"query": "größe", "result": "src/deep/c.txt:1: größe = 3", "success": True},
    ]
    assert output.display == "2 matches; 1 match"


def test_what_is_ignored_binary_or_large_is_not_searched(repository: Path) -> None:
    found = [line.partition(":")[0] for line in search(repository, "def ")[0][0]["result"].split("\n")]
    assert found == [".hidden/h.py", "a.py", "src/b.py", "src/latin.txt", "src/u16.txt"]


def test_folders_that_nobody_writes_are_not_searched_when_there_is_no_repository(folder: Path) -> None:
    found = [line.partition(":")[0] for line in search(folder, "def ")[0][0]["result"].split("\n")]
    assert found == [".hidden/h.py", "a.py", "src/b.py", "src/latin.txt", "src/trace.log", "src/u16.txt"]


def test_it_is_said_when_nothing_matches(repository: Path) -> None:
    entries, output = search(repository, "nothing like this")
    assert entries[0]["success"]
    assert entries[0]["result"].startswith("[no matches; ignored files, binary ones and those over 5 MB")
    assert output.display == "0 matches"


def test_a_bad_regex_is_an_error_for_that_query_only(repository: Path) -> None:
    entries, output = search(repository, "(", "first")
    assert entries[0]["error"].startswith("not a regular expression: missing )")
    assert entries[1]["result"] == "a.py:1: def first():"
    assert not output.is_error


@pytest.mark.parametrize(
    ("regex", "error"),
    [
        ("a\nb", "within one line"),
        (r"a\nb", "within one line"),
        ("a\0b", "a NUL or a broken character"),
        ("\ud800", "a NUL or a broken character"),
        ("x" * 200_000, "could not be started: Argument list too long"),
    ],
)
def test_it_is_said_why_when_a_regex_cannot_be_searched_for(repository: Path, regex: str, error: str) -> None:
    assert error in search(repository, regex)[0][0]["error"]


def test_an_escaped_backslash_before_an_n_is_no_line_break(repository: Path) -> None:
    (repository / "a.py").write_text("'a\\nb'\n")
    assert search(repository, r"a\\nb")[0][0]["result"] == "a.py:1: 'a\\nb'"


def test_what_was_found_until_then_counts_when_the_time_is_up(folder: Path) -> None:
    (folder / "a.py").write_text("match\n")
    (folder / "src" / "b.py").write_text("x" * 60)
    hasty = SearchCodebase(Workplace(confine(folder), dict(os.environ)), None, timeout_s=1.5)
    queries: JsonObject = {"queries": ["match|(x+x+)+y", "(x+x+)+y"]}
    output = asyncio.run(hasty.run(queries, lambda text: None))
    assert isinstance(output.parts[0], TextPart)
    first, second = json.loads(output.parts[0].text)
    assert first["result"] == "a.py:1: match\n[stopped after 1.5 s, before all files were searched]"
    assert second["error"].startswith("nothing was found within 1.5 s")


def test_a_file_may_be_called_error(folder: Path) -> None:
    (folder / "error").write_text("unique\n")
    assert search(folder, "unique")[0][0]["result"] == "error:1: unique"


def test_it_is_said_when_the_search_itself_fails(folder: Path) -> None:
    program = folder / "program"
    program.write_text("#!/bin/sh\necho no memory\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(ItemError, match="the search failed: no memory"):
        asyncio.run(search_with_child("a", [], Where(folder, {}, 10), (str(program),)))


def test_matches_are_limited_and_that_is_said(repository: Path) -> None:
    (repository / "many").write_text("match me\n" * 200)
    entries, output = search(repository, "match me")
    lines = entries[0]["result"].split("\n")
    assert len(lines) == 101
    assert lines[-1] == "[only the first 100 matches are shown: make the regex narrower]"
    assert output.display == "more than 100 matches"


def test_bytes_are_limited_and_that_is_said(repository: Path) -> None:
    name = "d" * 200
    (repository / name).mkdir()
    (repository / name / "wide").write_text(f"match {'ü' * 1_000}\n" * 90)
    result = search(repository, "match")[0][0]["result"]
    assert len(result.encode()) < 48_200
    assert "[only the first 46 matches are shown" in result


def test_a_folder_a_file_or_a_pattern_narrows_the_search(repository: Path) -> None:
    def found(**more: str) -> list[str]:
        return [line.partition(":")[0] for line in search(repository, "def", **more)[0][0]["result"].split("\n")]

    assert found(path="src") == ["src/b.py", "src/latin.txt", "src/u16.txt"]
    assert found(path="src/b.py") == ["src/b.py"]
    assert found(file_pattern="*.txt") == ["src/latin.txt", "src/u16.txt"]
    assert found(path="src", file_pattern="*.{py,log}") == ["src/b.py"]
    assert found(path="node_modules") == ["node_modules/lib.js"]


@pytest.mark.parametrize(("path", "error"), [("none", "there is no none"), ("..", "leads out of the workspace")])
def test_it_is_said_why_when_a_folder_cannot_be_searched(repository: Path, path: str, error: str) -> None:
    entries, output = search(repository, "a", "b", path=path)
    assert all(error in entry["error"] for entry in entries)
    assert output.is_error


EVENT = '{"type":"match","data":{"path":{"text":"./a.py"},"lines":{"text":"def f\\r\\n"},"line_number":3}}'
BYTES = '{"type":"match","data":{"path":{"bytes":"/w=="},"lines":{"bytes":"ZGVm/w=="},"line_number":4}}'


@pytest.fixture
def ripgrep(tmp_path: Path) -> Path:
    """A program that prints what stands beside it in `events`, and ends with the code in `code`."""
    program = tmp_path / "rg"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat {tmp_path}/events\nexit $(cat {tmp_path}/code)\n')
    program.chmod(0o755)
    (tmp_path / "code").write_text("0")
    return program


def test_the_events_of_ripgrep_are_read(repository: Path, ripgrep: Path) -> None:
    ripgrep.with_name("events").write_text(f'{{"type":"begin","data":{{}}}}\n{EVENT}\nnonsense\n[]\n{BYTES}\n')
    entries, _ = search(repository, "-def", ripgrep=str(ripgrep))
    assert entries[0]["result"] == "a.py:3: def f\n\ufffd:4: def\ufffd"
    words = ripgrep.with_name("words").read_text()
    assert "--regexp=-def -- ./" in words
    assert "--glob=!node_modules" not in words


def test_ripgrep_skips_the_usual_folders_when_there_is_no_repository(folder: Path, ripgrep: Path) -> None:
    ripgrep.with_name("events").write_text("")
    search(folder, "def", ripgrep=str(ripgrep))
    assert "--glob=!node_modules" in ripgrep.with_name("words").read_text()


def test_a_pattern_does_not_win_over_what_is_ignored_when_there_is_ripgrep(repository: Path, ripgrep: Path) -> None:
    ripgrep.with_name("events").write_text(f"{EVENT}\n")
    entries, _ = search(repository, "def", file_pattern="*.{log,txt}", ripgrep=str(ripgrep))
    assert "a.py" not in entries[0]["result"]
    assert "trace.log" not in entries[0]["result"]


def test_our_own_search_decides_when_ripgrep_refuses(repository: Path, ripgrep: Path) -> None:
    ripgrep.with_name("events").write_text("")
    ripgrep.with_name("code").write_text("2")
    entries, _ = search(repository, "(?<=def )second", "(", ripgrep=str(ripgrep))
    assert entries[0]["result"] == "src/b.py:1: def second():"
    assert entries[1]["error"].startswith("not a regular expression")


def test_ripgrep_is_ended_when_it_prints_without_end(repository: Path, ripgrep: Path) -> None:
    ripgrep.write_text(f"#!/bin/sh\nyes '{EVENT}'\n")
    entries, output = search(repository, "def", ripgrep=str(ripgrep))
    assert "only the first 100 matches are shown" in entries[0]["result"]
    assert output.display == "more than 100 matches"


@pytest.mark.skipif(RIPGREP is None, reason="ripgrep is not installed")
@pytest.mark.parametrize(
    "regex", ["def", r"\w+\(\)", "^def", r"\d$", "r[oö]", "(?i)DEF", "(?!def)return", "(", "nothing"]
)
def test_both_ways_find_the_same(repository: Path, regex: str) -> None:
    assert search(repository, regex, ripgrep=RIPGREP)[0] == search(repository, regex)[0]


@pytest.mark.skipif(RIPGREP is None, reason="ripgrep is not installed")
def test_both_ways_find_the_same_when_there_is_no_repository(folder: Path) -> None:
    assert search(folder, "def", ripgrep=RIPGREP)[0] == search(folder, "def")[0]


def test_ripgrep_is_found_on_the_path_but_not_in_relative_folders(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rg").touch(mode=0o755)
    os.chdir(tmp_path)
    assert find_ripgrep({"PATH": f"/no/such:bin:{tmp_path}/bin"}) == f"{tmp_path}/bin/rg"
    assert find_ripgrep({"PATH": "bin:"}) is None
    assert find_ripgrep({}) is None
    (tmp_path / "bin" / "rg").chmod(0o644)
    assert find_ripgrep({"PATH": f"{tmp_path}/bin"}) is None


@pytest.mark.parametrize(
    ("arguments", "normal"),
    [
        ({"queries": ["a", "b"]}, {"queries": ["a", "b"]}),
        ({"queries": "[0-9]+"}, {"queries": ["[0-9]+"]}),
        ({"queries": '["a", "b"]'}, {"queries": ["a", "b"]}),
        ({"query": "a"}, {"queries": ["a"]}),
        ({"regex": "a", "path": ".", "file_pattern": "*.py"}, {"queries": ["a"], "path": ".", "file_pattern": "*.py"}),
        ({"pattern": "a", "file_pattern": None, "path": ""}, {"queries": ["a"]}),
    ],
)
def test_queries_are_read_in_every_form_they_come_in(folder: Path, arguments: JsonObject, normal: JsonObject) -> None:
    assert tool(folder).normalize(arguments) == normal
    assert tool(folder).normalize(normal) == normal


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "search_codebase needs"),
        ({"queries": [""]}, "no empty one"),
        ({"queries": [{"a": 1}]}, "a query must be a string, not an object"),
        ({"queries": ["a"] * (MAX_QUERIES + 1)}, "at most"),
        ({"queries": "a", "path": ["b"]}, "path must be a string"),
    ],
)
def test_it_is_refused_with_what_works_when_it_cannot_be_read(
    folder: Path, arguments: JsonObject, message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        tool(folder).normalize(arguments)


def test_the_summary_shows_the_first_query(folder: Path) -> None:
    assert tool(folder).summary({"queries": ["a b", "c"]}) == 'search "a b" (+1 more)'
    assert tool(folder).summary({}) == "search"
