from __future__ import annotations

import asyncio
import json
import os
import random
import stat
from pathlib import Path
from typing import TypedDict

import pytest

from cline_cli.agent.messages import JsonObject, TextPart
from cline_cli.agent.tool import ToolError, ToolOutput
from cline_cli.tools import Workplace
from cline_cli.tools.editor import Editor, build
from cline_cli.workspace.confinement import confine


class Entry(TypedDict, total=False):
    query: str
    result: str
    success: bool
    error: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    (path / "src").mkdir(parents=True)
    (path / "src" / "a.py").write_text("def f(x):\n    y = x\n    return y\n")
    return path


def tool(folder: Path, *, allows_outside: bool = False) -> Editor:
    return build(Workplace(confine(folder, allows_outside=allows_outside), {}))


def edit(folder: Path, **arguments: object) -> tuple[Entry, ToolOutput]:
    given: JsonObject = json.loads(json.dumps(arguments))
    output = asyncio.run(tool(folder).run(given, lambda text: None))
    assert isinstance(output.parts[0], TextPart)
    entry: Entry = json.loads(output.parts[0].text)
    return entry, output


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_one_place_is_changed_and_the_difference_told(folder: Path) -> None:
    entry, output = edit(folder, path="src/a.py", old_text="y = x", new_text="y = x + 1")
    assert (folder / "src" / "a.py").read_text() == "def f(x):\n    y = x + 1\n    return y\n"
    assert entry["result"] == "@@ -1,3 +1,3 @@\n def f(x):\n-    y = x\n+    y = x + 1\n     return y"
    assert (entry["query"], entry["success"], output.display) == ("src/a.py", True, "+1 -1")


def test_a_file_is_made_with_its_folders_when_it_is_not_there(folder: Path) -> None:
    entry, output = edit(folder, path="new/deep/b.py", new_text="a\r\nb")
    assert (folder / "new" / "deep" / "b.py").read_bytes() == b"a\r\nb"
    assert (entry["result"], output.display) == ("created, 2 lines", "+2")
    assert output.diff == "@@ -1,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file"


def test_people_see_the_difference_whichever_way_a_file_was_changed(folder: Path) -> None:
    changed = "@@ -1,3 +1,3 @@\n def f(x):\n-    y = x\n+    y = 1\n     return y"
    assert edit(folder, path="src/a.py", old_text="y = x", new_text="y = 1")[1].diff == changed
    assert edit(folder, path="src/a.py", old_text="y=1", new_text="y = 2")[1].diff == changed.replace(
        "1\n ", "2\n "
    ).replace("= x", "= 1")
    assert edit(folder, path="src/a.py", new_text="z\n")[1].diff.endswith("\n+z")
    assert edit(folder, path="src/a.py", new_text="z\n")[1].diff == ""
    assert edit(folder, path="src/a.py", old_text="none", new_text="z")[1].diff == ""


def test_an_empty_file_can_be_made(folder: Path) -> None:
    assert edit(folder, path="src/__init__.py", old_text="", new_text="")[0]["success"]
    assert (folder / "src" / "__init__.py").read_bytes() == b""


def test_a_whole_file_is_replaced_when_there_is_no_old_text(folder: Path) -> None:
    entry, output = edit(folder, path="src/a.py", old_text=None, new_text="def f(x):\n    return x\n")
    assert (folder / "src" / "a.py").read_text() == "def f(x):\n    return x\n"
    assert output.display == "replaced, +1 -2"
    assert entry["result"].startswith("replaced as a whole:\n@@ -1,3 +1,2 @@")


def test_nothing_is_written_when_a_file_is_like_that_already(folder: Path) -> None:
    before = (folder / "src" / "a.py").stat()
    entry, output = edit(folder, path="src/a.py", new_text="def f(x):\n    y = x\n    return y\n")
    assert (entry["success"], output.display) == (True, "unchanged")
    assert (folder / "src" / "a.py").stat().st_ino == before.st_ino


def test_lines_are_inserted_when_a_line_is_named(folder: Path) -> None:
    _, output = edit(folder, path="src/a.py", insert_line="2", new_text="    # doubled")
    assert (folder / "src" / "a.py").read_text() == "def f(x):\n    # doubled\n    y = x\n    return y\n"
    assert output.display == "+1 -0"


def test_whitespace_is_forgiven_and_that_is_told(folder: Path) -> None:
    entry, output = edit(folder, path="src/a.py", old_text="def f(x): y = x", new_text="def f(x): y = 2")
    assert (folder / "src" / "a.py").read_text() == "def f(x):\n    y = 2\n    return y\n"
    assert "only with whitespace ignored" in entry["result"]
    assert output.display == "+1 -1, whitespace ignored"


def test_several_edits_are_made_together_or_not_at_all(folder: Path) -> None:
    edits = [{"old_text": "y = x", "new_text": "z = x"}, {"old_text": "return y", "new_text": "return z"}]
    assert edit(folder, path="src/a.py", edits=edits)[1].display == "+2 -2"
    text = "def f(x):\n    z = x\n    return z\n"
    assert (folder / "src" / "a.py").read_text() == text
    entry, _ = edit(folder, path="src/a.py", edits=[{"old": "z = x", "new": "a = x"}, {"old": "none", "new": "b"}])
    assert entry["error"].startswith("edit 2 of 2: old_text is not in the file")
    assert (folder / "src" / "a.py").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"path": "none.py", "old_text": "a", "new_text": "b"}, "there is no file none.py: leave out old_text to make"),
        ({"path": "src/a.py", "old_text": "y", "new_text": "z"}, "old_text is there 2 times, at lines 2, 3"),
        ({"path": "src/a.py", "old_text": "y = x", "new_text": "y = x"}, "old_text and new_text are the same"),
        ({"path": "src/a.py", "new_text": ""}, "this would leave nothing in the file"),
        ({"path": "src/a.py", "old_text": "def f(x):\n    y = x\n    return y\n", "new_text": ""}, "leave nothing"),
        ({"path": "src/a.py", "insert_line": 9, "new_text": "x"}, "the file has 3 lines; 4 appends"),
        (
            {"path": "src/a.py", "old_text": "y = x", "new_text": "\ud800"},
            r"'\ud800', which cannot be written in UTF-8",
        ),
        ({"path": "src", "new_text": "x"}, "src is a folder"),
        ({"path": "src/a.py/b", "new_text": "x"}, "Not a directory"),
        ({"path": "fifo", "new_text": "x"}, "fifo is a named pipe"),
        ({"path": "binary", "old_text": "a", "new_text": "b"}, "binary is binary data (4 bytes), not text to edit"),
        ({"path": "binary", "new_text": "b"}, "not text to edit"),
        ({"path": "large", "new_text": "b"}, "too many to edit here"),
        ({"path": "../x", "new_text": "b"}, "leads out of the workspace"),
        ({"path": "out/x", "new_text": "b"}, "leads out of the workspace"),
        ({"path": "dangling", "new_text": "b"}, "leads out of the workspace"),
        ({"path": "/tmp/x", "new_text": "b"}, "outside the workspace"),
        ({"path": ".git/hooks/pre-commit", "new_text": "b"}, "which only git itself writes"),
    ],
)
def test_nothing_changes_when_it_is_refused(folder: Path, arguments: JsonObject, error: str) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "binary").write_bytes(b"a\0b\0")
    (folder / "large").touch()
    os.truncate(folder / "large", 20_000_001)
    (folder / "out").symlink_to("..")
    (folder / "dangling").symlink_to("../x")
    before = names_in(folder), names_in(folder.parent)
    entry, output = edit(folder, **arguments)
    assert error in entry["error"]
    assert output.is_error
    assert (names_in(folder), names_in(folder.parent)) == before
    assert (folder / "src" / "a.py").read_text() == "def f(x):\n    y = x\n    return y\n"


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"\xef\xbb\xbfa\r\nb", "b", "c", b"\xef\xbb\xbfa\r\nc"),
        ("a\r\nä\n".encode("utf-16"), "ä", "ö\nü", "a\r\nö\nü\n".encode("utf-16")),
        (b"\xfe\xff\0a\0b", "b", "c", b"\xfe\xff\0a\0c"),
        (b"caf\xe9\nx\n", "x", "\u00fc", b"caf\xe9\n\xfc\n"),
        (b"a\x0cb\x1b[1m\rc", "b", "d", b"a\x0cd\x1b[1m\rc"),
    ],
)
def test_every_other_byte_stays_in_any_encoding(folder: Path, before: bytes, old: str, new: str, after: bytes) -> None:
    (folder / "file").write_bytes(before)
    entry, _ = edit(folder, path="file", old_text=old, new_text=new)
    assert entry["success"]
    assert (folder / "file").read_bytes() == after


def test_a_character_that_the_files_encoding_lacks_is_refused_in_an_edit_only(folder: Path) -> None:
    (folder / "file").write_bytes(b"caf\xe9\n")
    entry, _ = edit(folder, path="file", old_text="caf", new_text="€")
    assert "'\\u20ac', which cannot be written in Latin-1" in entry["error"]
    assert (folder / "file").read_bytes() == b"caf\xe9\n"
    edit(folder, path="file", new_text="€\n")
    assert (folder / "file").read_text("utf-8") == "€\n"


def test_generated_files_are_the_same_byte_for_byte_around_an_edit(folder: Path) -> None:
    chance = random.Random(7)  # any numbers will do, if they are always the same
    for _ in range(200):
        coded = chance.choice(["utf-8", "latin-1", "utf-16-le", "utf-8-sig"])
        bom = b"\xff\xfe" if coded == "utf-16-le" else b""
        lines = ["".join(chance.choices("abc äé\t", k=chance.randrange(12))) for _ in range(chance.randrange(1, 30))]
        ends = [chance.choice(["\n", "\r\n"]) for _ in lines]
        ends[-1] = chance.choice(["", "\n", "\r\n"])
        at = chance.randrange(len(lines))
        lines[at] += "MARK"
        before = "".join(line + end for line, end in zip(lines, ends, strict=True))
        (folder / "file").write_bytes(bom + before.encode(coded))
        edit(folder, path="file", old_text="MARK", new_text="DONE")
        assert (folder / "file").read_bytes() == bom + before.replace("MARK", "DONE").encode(coded)


def test_the_mode_stays_and_a_link_is_followed(folder: Path) -> None:
    (folder / "src" / "a.py").chmod(0o755)
    (folder / "link").symlink_to("src/a.py")
    assert edit(folder, path="link", old_text="y = x", new_text="y = 1")[0]["success"]
    assert (folder / "link").is_symlink()
    assert "y = 1" in (folder / "src" / "a.py").read_text()
    assert stat.S_IMODE((folder / "src" / "a.py").stat().st_mode) == 0o755


def test_a_file_outside_is_edited_when_there_is_leave(folder: Path, tmp_path: Path) -> None:
    given: JsonObject = {"path": f"{tmp_path}/outside", "new_text": "text"}
    output = asyncio.run(tool(folder, allows_outside=True).run(given, lambda text: None))
    assert not output.is_error
    assert (tmp_path / "outside").read_text() == "text"


def test_edits_of_one_file_do_not_get_lost_when_calls_run_together(folder: Path) -> None:
    (folder / "file").write_text("".join(f"line {number}.\n" for number in range(20)))

    async def edit_all() -> None:
        editor = tool(folder)
        calls = [{"path": "file", "old_text": f"line {n}.", "new_text": f"LINE {n}."} for n in range(20)]
        await asyncio.gather(*(editor.run(call, lambda text: None) for call in calls))

    asyncio.run(edit_all())
    assert (folder / "file").read_text() == "".join(f"LINE {number}.\n" for number in range(20))


@pytest.mark.parametrize(
    ("arguments", "normal"),
    [
        ({"path": "a", "new_text": "x"}, {"path": "a", "new_text": "x"}),
        ({"path": "a", "old_text": "", "new_text": "x", "insert_line": None}, {"path": "a", "new_text": "x"}),
        ({"file_path": "a", "old_string": "x", "new_string": "y"}, {"path": "a", "old_text": "x", "new_text": "y"}),
        ({"filePath": "a", "old": "x", "new": ""}, {"path": "a", "old_text": "x", "new_text": ""}),
        (
            {"path": "a", "old_str": "x", "new_str": "y", "insert_line": 0},
            {"path": "a", "old_text": "x", "new_text": "y"},
        ),
        ({"path": "a", "new_text": "x", "insert_line": "3"}, {"path": "a", "new_text": "x", "insert_line": 3}),
        ({"path": "a", "content": "x"}, {"path": "a", "new_text": "x"}),
        (
            {"path": "a", "edits": '[{"old_text": "x", "new_text": "y"}]'},
            {"path": "a", "old_text": "x", "new_text": "y"},
        ),
    ],
)
def test_arguments_are_read_in_every_form_they_come_in(folder: Path, arguments: JsonObject, normal: JsonObject) -> None:
    assert tool(folder).normalize(arguments) == normal
    assert tool(folder).normalize(normal) == normal


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "editor needs"),
        ({"path": "a"}, "editor needs new_text"),
        ({"path": "a", "new_text": None}, "editor needs new_text"),
        ({"path": "a", "new_text": ["x"]}, "new_text must be a string, not an array"),
        ({"path": "a", "old_text": "x", "new_text": "y", "insert_line": 3}, "not both"),
        ({"path": "a", "edits": ["x"]}, "each of edits is an object"),
        ({"path": "a", "edits": [{"old_text": "", "new_text": "y"}]}, "not empty"),
        ({"path": "a", "edits": [{"old_text": "x"}]}, "the new_text of each of edits must be a string, not null"),
        ({"path": 1.5, "new_text": "x", "insert_line": "x"}, "insert_line must be a whole number"),
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
        ({"path": "src/a.py", "new_text": "x"}, "replace all of src/a.py"),
        ({"path": "src/a.py", "new_text": "x", "old_text": None}, "replace all of src/a.py"),
        ({"path": "src/b.py", "new_text": "x"}, "make src/b.py"),
        ({"path": "src/b.py", "new_text": "x", "insert_line": 1}, "make src/b.py"),
        ({"path": "src/a.py", "new_text": "x", "insert_line": 1}, "edit src/a.py"),
        ({"path": "src/a.py", "new_text": "x", "old_text": "y"}, "edit src/a.py"),
        ({"path": "src/a.py", "edits": [{"old_text": "y", "new_text": "x"}]}, "edit src/a.py"),
        ({"path": "../a.py", "new_text": "x"}, "edit ../a.py"),
        ({"path": "a\0b", "new_text": "x"}, "edit a\0b"),
        ({"path": "a" * 300, "new_text": "x"}, None),
        ({}, "edit a file"),
    ],
)
def test_the_summary_says_what_becomes_of_the_file(folder: Path, arguments: JsonObject, summary: str | None) -> None:
    told = tool(folder).summary(arguments)
    assert told == summary or (summary is None and told.startswith("make aaa"))


def test_the_summary_tells_of_a_replacement_when_a_link_is_in_the_way(folder: Path) -> None:
    (folder / "link").symlink_to("src/a.py")
    assert tool(folder).summary({"path": "link", "new_text": "x"}) == "replace all of link"
