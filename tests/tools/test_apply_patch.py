from __future__ import annotations

import asyncio
import contextlib
import json
import random
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import TextPart
from cline_cli.agent.tool import ToolError, ToolOutput
from cline_cli.machine.files import write_confined
from cline_cli.tools import Workplace, apply_patch
from cline_cli.tools._patch import Hunk, PatchError, apply_hunks, read_patch
from cline_cli.tools.apply_patch import ApplyPatch, build
from cline_cli.workspace.confinement import confine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    (path / "src").mkdir(parents=True)
    (path / "src" / "a.py").write_text("def f(x):\n    y = x\n    return y\n\n\ndef g(x):\n    y = x\n    return y\n")
    (path / "old.txt").write_text("old\n")
    return path


def tool(folder: Path) -> ApplyPatch:
    return build(Workplace(confine(folder), {}))


def run(folder: Path, *lines: str) -> ToolOutput:
    text = "\n".join(("*** Begin Patch", *lines, "*** End Patch"))
    return asyncio.run(tool(folder).run({"input": text}, lambda _: None))


def patch(folder: Path, *lines: str) -> dict[str, str]:
    output = run(folder, *lines)
    assert isinstance(output.parts[0], TextPart)
    found: dict[str, str] = json.loads(output.parts[0].text)
    assert output.is_error is ("error" in found)
    return found


def test_files_are_added_changed_moved_and_deleted_in_one_call(folder: Path) -> None:
    (folder / "src" / "a.py").chmod(0o755)
    found = patch(
        folder,
        "*** Add File: docs/new.md",
        "+# New",
        "+",
        "*** Update File: src/a.py",
        "*** Move to: lib/b.py",
        "@@ def g(x):",
        "-    y = x",
        "-    return y",
        "+    return 2 * x",
        "*** Delete File: old.txt",
    )
    assert found["result"].startswith("A docs/new.md\nM src/a.py -> lib/b.py\n@@")
    assert (folder / "docs" / "new.md").read_text() == "# New\n\n"
    assert not (folder / "src" / "a.py").exists()
    text = (folder / "lib" / "b.py").read_text()
    assert text == "def f(x):\n    y = x\n    return y\n\n\ndef g(x):\n    return 2 * x\n"
    assert stat.S_IMODE((folder / "lib" / "b.py").stat().st_mode) == 0o755
    assert not (folder / "old.txt").exists()


def test_people_see_the_difference_under_the_name_of_each_file_when_there_are_several(folder: Path) -> None:
    moved = ("*** Update File: old.txt", "*** Move to: new.txt", "-old", "+new")
    deleted = ("*** Delete File: src/a.py",)
    output = run(folder, *moved, *deleted, "*** Add File: b.py", "+x")
    assert output.display == "+1 -1; deleted; +1"
    assert output.diff.split("\n") == [
        *("*** old.txt -> new.txt", "@@ -1,1 +1,1 @@", "-old", "+new"),
        "*** src/a.py (deleted)",
        *("*** b.py", "@@ -1,0 +1,1 @@", "+x"),
    ]


def test_people_see_the_difference_alone_when_there_is_one_file(folder: Path) -> None:
    assert run(folder, "*** Update File: old.txt", "-old", "+new").diff == "@@ -1,1 +1,1 @@\n-old\n+new"
    assert run(folder, "*** Update File: none.txt", "-old", "+new").diff == ""


def shot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("*** Update File: src/a.py", "-    y = z", "+    y = 1"), "nearest"),
        (("*** Update File: src/a.py", "-    y = x", "+    y = 1"), "more than once"),
        (("*** Update File: src/a.py", "@@ def h(x):", "-    y = x", "+    y = 1"), "@@ def h(x): is not in"),
        (("*** Update File: none.py", "-a", "+b"), "there is no file none.py"),
        (("*** Add File: old.txt", "+x"), "there already"),
        (("*** Delete File: none.py",), "there is no file"),
        (("*** Update File: src/a.py", "*** Move to: old.txt"), "old.txt is there already"),
        (("*** Update File: ../x", "-a", "+b"), "leads out"),
        (("*** Add File: .git/hooks/x", "+a"), "lies in .git"),
        (("*** Update File: old.txt", "-old"), "leave nothing"),
        (("*** Update File: src/a.py", " def f(x):"), "changes nothing"),
        (("*** Update File: src/a.py",), "changes nothing"),
        (("*** Update File: src/a.py", "?x"), "begins with none of"),
        (("*** Add File: x", "y"), "begins with +"),
        (("*** Add File: ", "+y"), "names no file"),
        (("*** Delete File: old.txt", "-old"), "must be nothing"),
        (("*** Delete File: old.txt", "*** Rename File: a"), "must be nothing"),
        ((), "changes no file"),
        (("*** Add File: x", "+a", "*** Add File: x", "+b"), "twice"),
        (("*** Update File: src/a.py", "@@ def g(x):"), "there is no change"),
        (("*** Update File: src/a.py", "-    return y", "+    z", "-def f(x):", "+def k(x):"), "not in the file"),
    ],
)
def test_nothing_is_changed_when_a_part_of_the_patch_does_not_fit(
    folder: Path, lines: tuple[str, ...], told: str
) -> None:
    before = shot(folder)
    found = patch(folder, "*** Add File: fine.txt", "+fine", *lines) if lines else patch(folder)
    assert "nothing was changed" in found["error"]
    assert told in found["error"]
    assert shot(folder) == before


def test_files_that_were_written_are_put_back_when_a_later_one_cannot_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, data: bytes, **given: object) -> None:
        if path.name == "last.txt":
            raise OSError(28, "No space left on device")
        write_confined(path, data, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(apply_patch, "write_confined", write)
    before = shot(folder)
    found = patch(
        folder,
        "*** Update File: src/a.py",
        "*** Move to: lib/b.py",
        "@@ def g(x):",
        "-    y = x",
        "+    y = 1",
        "*** Delete File: old.txt",
        "*** Add File: new.txt",
        "+x",
        "*** Add File: last.txt",
        "+x",
    )
    assert "No space left" in found["error"]
    assert shot(folder) == before


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = apply_hunks

    def meanwhile(text: str, hunks: tuple[Hunk, ...]) -> object:
        (folder / "src" / "a.py").write_text("theirs\n")
        return real(text, hunks)

    monkeypatch.setattr(apply_patch, "apply_hunks", meanwhile)
    found = patch(folder, "*** Update File: src/a.py", "@@ def g(x):", "-    y = x", "+    y = 1")
    assert "changed by somebody else" in found["error"]
    assert (folder / "src" / "a.py").read_text() == "theirs\n"


@pytest.mark.parametrize(
    ("text", "lines", "after"),
    [
        ("a\nb\nc\n", ["-b", "+B"], "a\nB\nc\n"),
        ("a\nb\nc", ["-c", "+C"], "a\nb\nC"),
        ("a\nb\nc", [" c", "+d"], "a\nb\nc\nd"),
        ("a\r\nb\r\nc\r\n", ["-b", "+B", "+D"], "a\r\nB\r\nD\r\nc\r\n"),
        ("a\r\nb\nc\r\n", [" b", "+x"], "a\r\nb\nx\nc\r\n"),
        ("a\n", ["+b"], "a\nb\n"),
        ("a  \nb\n", ["-a", "+c"], "c\nb\n"),
        ("\tif x:\n\t\ty\n", [" if x:", "-    y", "+\t\tz"], "\tif x:\n\t\tz\n"),
        ("x\ny\nx\n", ["-x", "+z", "*** End of File"], "x\ny\nz\n"),
        ("a\n\nb\n", [" a", "", "-b", "+c"], "a\n\nc\n"),
        ("", ["+a"], "a\n"),
    ],
)
def test_lines_keep_their_bytes_and_new_ones_end_as_those_beside(text: str, lines: list[str], after: str) -> None:
    body = "\n".join(["*** Begin Patch", "*** Update File: x", *lines, "*** End Patch"])
    (file,) = read_patch(body)
    assert apply_hunks(text, file.hunks).text == after


def test_several_hunks_and_anchors_are_found_in_order() -> None:
    text = "".join(f"class {name}:\n    def run(self):\n        return 1\n" for name in "ABC")
    body = (
        "*** Begin Patch\n*** Update File: x\n@@ class B:\n@@     def run(self):\n-        return 1\n"
        "+        return 2\n"
        "@@ class C:\n     def run(self):\n-        return 1\n+        return 3\n*** End Patch"
    )
    (file,) = read_patch(body)
    assert [line for line in apply_hunks(text, file.hunks).text.splitlines() if "return" in line] == [
        "        return 1",
        "        return 2",
        "        return 3",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "no patch",
        "*** Begin Patch\n*** Add File: x\n+a",
        "*** Begin Patch\nhello\n*** End Patch",
    ],
)
def test_what_is_no_patch_is_refused(text: str) -> None:
    with pytest.raises(PatchError):
        read_patch(text)


def test_a_here_document_around_it_is_taken_off() -> None:
    (file,) = read_patch("apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: x\n+a\n*** End Patch\nEOF\n")
    assert (file.kind, file.path, file.content) == ("add", "x", "a\n")


@given(st.text(alphabet="*-+@ \nabEndBeginPatch", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PatchError):
        read_patch(f"*** Begin Patch\n*** Update File: a\n{text}\n*** End Patch")


def test_bytes_outside_the_change_stay_in_200_generated_files(folder: Path) -> None:
    source = random.Random(7)
    for number in range(200):
        encoding = source.choice(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "latin-1"])
        lines = [f"line {number}-{at} {'é' * source.randrange(3)}" for at in range(source.randrange(3, 30))]
        ends = [source.choice(["\n", "\r\n"]) if source.random() < 0.3 else "\n" for _ in lines]
        if source.random() < 0.3:
            ends = ["\r\n"] * len(lines)
        if source.random() < 0.4:
            ends[-1] = ""
        target = source.randrange(len(lines))
        text = "".join(map(str.__add__, lines, ends))
        bom = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
        file = folder / f"f{number}.txt"
        file.write_bytes(bom + text.encode(encoding))
        found = patch(folder, f"*** Update File: {file.name}", f"-{lines[target]}", "+changed")
        assert "error" not in found
        old = lines.copy()
        lines[target] = "changed"
        wanted = "".join(map(str.__add__, lines, ends))
        got = file.read_bytes()[len(bom) :].decode(encoding)
        if ends[target] and wanted != got:  # a new line ends as its neighbour does, where ends are mixed
            before = "".join(map(str.__add__, old[:target], ends[:target]))
            after = "".join(map(str.__add__, old[target + 1 :], ends[target + 1 :]))
            assert got.startswith(before)
            assert got.endswith(after)
            assert got[len(before) : len(got) - len(after)].rstrip("\r\n") == "changed"
        else:
            assert got == wanted
        assert file.read_bytes().startswith(bom)


def test_arguments_and_summary_are_read_as_others_write_them(folder: Path) -> None:
    text = "*** Begin Patch\n*** Add File: a/b.txt\n+x\n*** Update File: old.txt\n*** Move to: n.txt\n*** End Patch"
    made = tool(folder)
    for name in ("input", "patch"):
        assert made.normalize({name: text}) == {"input": text}
    assert made.summary({"input": text}) == "patch a/b.txt (+1 more)"
    assert made.summary({"input": "x"}) == made.summary({}) == "patch files"
    assert made.scope({"input": text}).edits == ("a/b.txt", "old.txt", "n.txt")
    assert made.scope({"input": "x"}).edits == ()
    with pytest.raises(ToolError):
        made.normalize({})


def test_a_link_is_followed_to_its_target(folder: Path) -> None:
    (folder / "link").symlink_to("old.txt")
    patch(folder, "*** Update File: link", "-old", "+new")
    assert (folder / "link").readlink() == Path("old.txt")
    assert (folder / "old.txt").read_text() == "new\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\n" * 60_000, (" a",) * 20_000 + ("-c", "+b")),
        ("ab" * 300_000 + "\n", ("-" + "ba" * 300_000, "+b")),
    ],
    ids=["many-lines", "long-line"],
)
def test_a_miss_is_told_however_alike_the_lines_are(text: str, lines: tuple[str, ...]) -> None:
    """This takes minutes where each line is compared with each, or each character."""
    body = "\n".join(("*** Begin Patch", "*** Update File: a", "@@", *lines, "*** End Patch"))
    with pytest.raises(PatchError, match="are not in the file"):
        apply_hunks(text, read_patch(body)[0].hunks)
