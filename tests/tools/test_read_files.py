from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TypedDict

import pytest

from cline_cli.agent.messages import ImagePart, JsonObject, JsonValue, TextPart
from cline_cli.agent.tool import ToolError, ToolOutput
from cline_cli.tools import Workplace
from cline_cli.tools.read_files import MAX_FILES, ReadFiles, build
from cline_cli.workspace.confinement import confine

PNG = b"\x89PNG\r\n\x1a\n" + b"." * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    (path / "src").mkdir(parents=True)
    (path / "src" / "a.py").write_text("def f():\n    return 1\n")
    (path / "long.txt").write_text("".join(f"{number}\n" for number in range(1, 5_001)))
    (path / "i.png").write_bytes(PNG)
    return path


def tool(folder: Path, *, allows_outside: bool = False) -> ReadFiles:
    return build(Workplace(confine(folder, home=folder.parent, allows_outside=allows_outside), {}))


class Entry(TypedDict, total=False):
    query: str
    result: str
    success: bool
    error: str


def read(folder: Path, arguments: JsonObject) -> tuple[list[Entry], ToolOutput]:
    output = asyncio.run(tool(folder).run(arguments, lambda text: None))
    assert isinstance(output.parts[0], TextPart)
    entries: list[Entry] = json.loads(output.parts[0].text)
    return entries, output


def test_a_whole_file_comes_with_line_numbers(folder: Path) -> None:
    entries, output = read(folder, {"files": [{"path": "src/a.py"}]})
    assert entries == [{"query": "src/a.py", "result": "1 | def f():\n2 |     return 1", "success": True}]
    assert (output.display, output.is_error) == ("lines 1-2", False)


def test_some_lines_come_and_how_many_there_are(folder: Path) -> None:
    entries, output = read(folder, {"files": [{"path": "long.txt", "start_line": 9, "end_line": 11}]})
    assert entries[0]["query"] == "long.txt 9-11"
    assert entries[0]["result"] == " 9 | 9\n10 | 10\n11 | 11\n[lines 9-11 of 5,000]"
    assert output.display == "lines 9-11 of 5,000"


def test_it_is_said_where_to_read_on_when_a_file_is_long(folder: Path) -> None:
    entries, _ = read(folder, {"files": [{"path": "long.txt"}, {"path": "long.txt", "start_line": 2001}]})
    assert entries[0]["result"].endswith("\n2000 | 2000\n[lines 1-2000 of 5,000; read on with start_line 2001]")
    assert entries[1]["result"].startswith("2001 | 2001\n")
    last, _ = read(folder, {"files": [{"path": "long.txt", "start_line": 4_999}]})
    assert last[0]["result"].endswith("5000 | 5000\n[lines 4999-5000 of 5,000]")


def test_bytes_are_limited_when_lines_are_long(folder: Path) -> None:
    (folder / "wide").write_text(f"{'ä' * 1_000}\n" * 100)
    entries, _ = read(folder, {"files": ["wide"]})
    assert len(entries[0]["result"].encode()) < 49_000
    assert "[lines 1-23 of 100; read on with start_line 24]" in entries[0]["result"]


def test_later_files_are_left_out_when_a_call_is_full(folder: Path) -> None:
    (folder / "wide").write_text(f"{'x' * 1_000}\n" * 100)
    entries, output = read(folder, {"files": ["wide"] * 6})
    assert [entry["success"] for entry in entries] == [True, True, True, False, False, False]
    assert "read it in another call" in entries[-1]["error"]
    assert not output.is_error


@pytest.mark.parametrize(
    ("asked", "query", "result"),
    [
        ({"start_byte": 4}, "b.txt from byte 4", "5ü67\n[bytes 4 to 9 of 9]"),
        ({"start_byte": 0, "end_byte": 3}, "b.txt from byte 0", "123\n[bytes 0 to 3 of 9; start_byte 3 goes on]"),
        ({"end_byte": 2}, "b.txt from byte 0", "12\n[bytes 0 to 2 of 9; start_byte 2 goes on]"),
        ({"start_byte": 6, "end_byte": 99}, "b.txt from byte 6", "\ufffd67\n[bytes 6 to 9 of 9]"),
        ({"start_byte": 50}, "b.txt from byte 50", "\n[bytes 50 to 50 of 9]"),
    ],
)
def test_some_bytes_come_and_where_they_end(folder: Path, asked: dict[str, int], query: str, result: str) -> None:
    (folder / "b.txt").write_bytes("12345ü67".encode())
    entries, _ = read(folder, {"files": [{"path": "b.txt", **asked}]})
    assert (entries[0]["query"], entries[0]["result"]) == (query, result)


@pytest.mark.parametrize("asked", [{"start_byte": -1}, {"start_byte": 5, "end_byte": 5}, {"end_byte": -3}])
def test_bytes_that_are_no_range_are_refused(folder: Path, asked: dict[str, int]) -> None:
    with pytest.raises(ToolError, match="no part of a file"):
        read(folder, {"files": [{"path": "long.txt", **asked}]})


def test_an_empty_file_is_said_to_be_empty(folder: Path) -> None:
    (folder / "empty").touch()
    assert read(folder, {"files": ["empty"]})[0][0]["result"] == "[the file is empty]"


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (b"caf\xe9\n", "1 | café\n[Latin-1]"),
        ("a\nb\n".encode("utf-16"), "1 | a\n2 | b\n[UTF-16]"),
        (b"\xef\xbb\xbfa\r\nb", "1 | a\n2 | b\n[UTF-8 with a byte order mark]"),
    ],
)
def test_an_encoding_is_told_when_it_is_not_plain(folder: Path, data: bytes, result: str) -> None:
    (folder / "file").write_bytes(data)
    assert read(folder, {"files": ["file"]})[0][0]["result"] == result


def test_late_bytes_decide_too_when_they_are_not_unicode(folder: Path) -> None:
    (folder / "file").write_bytes("ä\n".encode() * 300_000 + b"\xff\n")
    entries, _ = read(folder, {"files": [{"path": "file", "start_line": 300_001}]})
    assert entries[0]["result"] == "300001 | ÿ\n[Latin-1; lines 300001-300001 of 300,001]"


def test_an_image_is_shown_beside_the_text(folder: Path) -> None:
    entries, output = read(folder, {"files": ["i.png", "src/a.py"]})
    assert output.parts[1:] == (ImagePart("image/png", PNG),)
    assert entries[0]["success"]
    assert "image/png, 28 bytes" in entries[0]["result"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("missing", "there is no file missing; list_files shows what there is"),
        ("src/b.py", "there is no file src/b.py; there is a.py"),
        ("src", "src is a folder; list_files shows"),
        ("fifo", "fifo is a named pipe, which cannot be read"),
        ("binary", "binary is an ELF program or library (9 bytes), not text"),
        ("../x", "leads out of the workspace"),
        ("/etc/passwd", "outside the workspace"),
        ("~/../../x", "outside the workspace"),
        ("link", "leads out of the workspace"),
        ("loop", "loop is a symbolic link"),
        ("a\0b", "is not a path"),
        ("x" * 300, "File name too long"),
        ("huge.png", "too large to be shown"),
    ],
)
def test_it_is_said_why_when_a_file_cannot_be_read(folder: Path, path: str, error: str) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "binary").write_bytes(b"\x7fELF\x02\x01\x01\0\0")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to("loop")
    (folder / "huge.png").write_bytes(PNG)
    os.truncate(folder / "huge.png", 5_000_001)
    entries, output = read(folder, {"files": [path]})
    assert error in entries[0]["error"]
    assert not entries[0]["success"]
    assert output.is_error


def test_the_others_are_read_when_one_cannot_be(folder: Path) -> None:
    entries, output = read(folder, {"files": ["none", "src/a.py"]})
    assert [entry["success"] for entry in entries] == [False, True]
    assert not output.is_error


def test_a_file_outside_is_read_when_there_is_leave(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("text")
    output = asyncio.run(tool(folder, allows_outside=True).run({"files": [f"{tmp_path}/outside"]}, lambda text: None))
    assert not output.is_error


def test_little_is_read_when_a_file_is_huge(folder: Path) -> None:
    (folder / "huge").write_bytes(b"line\n" * 10_000_000)
    entries, _ = read(folder, {"files": [{"path": "huge", "end_line": 2}]})
    assert entries[0]["result"].startswith("1 | line\n2 | line\n[lines 1-2 of more than ")


def test_a_line_that_is_not_there_is_an_error(folder: Path) -> None:
    entries, _ = read(folder, {"files": [{"path": "src/a.py", "start_line": 3}]})
    assert entries[0]["error"] == "src/a.py has 2 lines; line 3 was not reached"


FILE = {"path": "src/a.py"}
RANGE = {"path": "src/a.py", "start_line": 2, "end_line": 3}


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ({"files": "src/a.py"}, [FILE]),
        ({"files": ["src/a.py"]}, [FILE]),
        ({"files": FILE}, [FILE]),
        ({"files": json.dumps([FILE])}, [FILE]),
        ({"files": [json.dumps(FILE)]}, [FILE]),
        ({"paths": ["src/a.py"]}, [FILE]),
        ({"file_paths": ["src/a.py", "b"]}, [FILE, {"path": "b"}]),
        ({"file_path": "src/a.py"}, [FILE]),
        ({"filePath": "src/a.py"}, [FILE]),
        ({"path": "src/a.py"}, [FILE]),
        ({"path": "src/a.py", "start_line": "2", "end_line": 3.0}, [RANGE]),
        ({"files": [{"path": "src/a.py", "startLine": 2, "endLine": 3}]}, [RANGE]),
        ({"files": ["src/a.py", {"start_line": 2, "end_line": 3}]}, [RANGE]),
        ({"files": ["b", FILE, {"start_line": 2}, {"end_line": 3}]}, [{"path": "b"}, RANGE]),
        ({"files": [{"path": "src/a.py", "start_line": None, "end_line": ""}]}, [FILE]),
        ({"files": [{"path": ["src/a.py", "b"]}]}, [FILE, {"path": "b"}]),
        ({"files": ["[id].py"]}, [{"path": "[id].py"}]),
    ],
)
def test_arguments_are_read_in_every_form_they_come_in(
    folder: Path, arguments: JsonObject, files: list[JsonValue]
) -> None:
    assert tool(folder).normalize(arguments) == {"files": files}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "each file is a path"),
        ({"files": []}, "read_files needs"),
        ({"files": [{"start_line": 1}]}, "each file is a path"),
        ({"files": [{"path": {"a": 1}}]}, "path must be a string, not an object"),
        ({"files": [{"path": "a", "start_line": "first"}]}, "start_line must be a whole number"),
        ({"files": ["a"] * (MAX_FILES + 1)}, f"at most {MAX_FILES} files"),
        ({"files": True}, "path must be a string, not a boolean"),
    ],
)
def test_it_is_refused_with_what_works_when_it_cannot_be_read(
    folder: Path, arguments: JsonObject, message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        tool(folder).normalize(arguments)


def test_a_range_that_ends_before_it_begins_is_refused(folder: Path) -> None:
    with pytest.raises(ToolError, match="end_line 2 comes before start_line 5"):
        read(folder, {"files": [{"path": "long.txt", "start_line": 5, "end_line": 2}]})
    entries, _ = read(folder, {"files": [{"path": "long.txt", "start_line": 4_999, "end_line": -1}]})
    assert entries[0]["result"].startswith("4999 | 4999\n5000 | 5000")


@pytest.mark.parametrize(
    ("arguments", "summary"),
    [
        ({"files": ["a"]}, "read a"),
        ({"files": ["a", "b", "c"]}, "read a (+2 more)"),
        ({}, "read files"),
        ({"files": [{"path": "a\nb"}]}, "read a …"),
    ],
)
def test_the_summary_names_the_first_file(folder: Path, arguments: JsonObject, summary: str) -> None:
    assert tool(folder).summary(arguments) == summary
