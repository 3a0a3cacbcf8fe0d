from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cline_cli.workspace import _copy_store, _states
from cline_cli.workspace.checkpoint import (
    CheckpointError,
    Checkpoints,
    Record,
    find_changes,
    mark_undone,
    open_store,
    read_records,
)
from cline_cli.workspace.patch import count_lines, to_patch
from cline_cli.workspace.restoring import Restored, restore

Shot = dict[str, tuple[int, bytes]]
IDENTITY = ("-c", "user.name=x", "-c", "user.email=x@localhost")


class Place:
    """A workspace, with or without a repository, and the folder of a session beside it."""

    def __init__(self, folder: Path, *, has_git: bool) -> None:
        self.root = Path(os.path.realpath(folder)) / "ws"
        self.session = Path(os.path.realpath(folder)) / "sessions" / "1_aaaaa"
        self.root.mkdir()
        self.variables = dict(os.environ)
        self.has_git = has_git
        if has_git:
            self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        done = subprocess.run(("git", *IDENTITY, *words), cwd=self.root, capture_output=True, check=True)
        return done.stdout.decode()

    def write(self, name: str, data: bytes, mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)

    def shot(self) -> Shot:
        found: Shot = {}
        for path in self.root.rglob("*"):
            if ".git" in path.relative_to(self.root).parts:
                continue
            status = path.lstat()
            if path.is_symlink():
                found[str(path)] = (0, os.fsencode(path.readlink()))
            elif path.is_file():
                found[str(path)] = (stat.S_IMODE(status.st_mode), path.read_bytes())
        return found

    def seen(self) -> tuple[object, ...]:
        """What a person sees of the repository."""
        git = self.root / ".git"
        logs = sorted((str(path), path.read_bytes()) for path in (git / "logs").rglob("*") if path.is_file())
        hooks = sorted(path.name for path in (git / "hooks").iterdir())
        return ((git / "index").read_bytes(), self.git("stash", "list"), self.git("branch", "-a"), logs, hooks)

    def run(self, work: Callable[[], None], paths: tuple[str, ...] = ()) -> Record:
        """Do something between two checkpoints."""

        async def go() -> Record:
            checkpoints = Checkpoints(self.root, self.session, "1_aaaaa", self.variables)
            await checkpoints.begin(paths)
            work()
            await checkpoints.end()
            assert checkpoints.record
            return checkpoints.record

        return asyncio.run(go())

    def undo(self, record: Record, *, by_force: bool = False) -> Restored:
        async def go() -> Restored:
            changes = await find_changes(record, self.session, self.variables)
            store = open_store(record, self.session, self.variables)
            return await restore(self.root, changes, store, by_force=by_force)

        return asyncio.run(go())

    def patch(self, record: Record) -> bytes:
        async def go() -> bytes:
            changes = await find_changes(record, self.session, self.variables)
            return await to_patch(changes, open_store(record, self.session, self.variables))

        return asyncio.run(go())


def fill(place: Place, *, converts: bool = True) -> None:
    place.write("mixed.txt", b"one\r\ntwo\nthree")
    place.write("run.sh", b"#!/bin/sh\n", 0o755)
    place.write("secret", b"s", 0o600)
    place.write("blob", bytes(range(256)) * 20)
    place.write("sub/inner/a b\u00e9.txt", b"deep\n")
    place.write("empty", b"")
    place.write("gone.txt", b"goes\n")
    (place.root / "link").symlink_to("mixed.txt")
    if place.has_git:
        place.write(".gitignore", b"ignored\n")
        if converts:
            place.write(".gitattributes", b"* text=auto eol=lf\n")
        place.write("ignored", b"mine\n")
        place.git("add", "-A")
        place.git("commit", "-q", "-m", "x")
        place.write("run.sh", b"#!/bin/sh\nstashed\n", 0o755)
        place.git("stash", "-q")
        place.write("staged", b"1\n")
        place.git("add", "staged")
        place.write("staged", b"2\n")
        place.write("untracked", b"u\n")
        hook = place.root / ".git" / "hooks" / "reference-transaction"
        hook.write_text("#!/bin/sh\ntouch ../hook-ran\n")
        hook.chmod(0o755)


def change(place: Place) -> None:
    place.write("mixed.txt", b"one\r\nTWO\nthree\n")
    (place.root / "run.sh").chmod(0o644)
    (place.root / "secret").chmod(0o644)
    place.write("blob", b"\0other")
    (place.root / "sub" / "inner" / "a b\u00e9.txt").unlink()
    (place.root / "sub" / "inner").rmdir()
    place.write("new/deep/file", b"n\n", 0o700)
    place.write("empty", b"no more\n")
    (place.root / "gone.txt").unlink()
    (place.root / "gone.txt").mkdir()
    place.write("gone.txt/inside", b"i\n")
    (place.root / "link").unlink()
    (place.root / "link").symlink_to("run.sh")


@pytest.fixture(params=[True, False], ids=["git", "no git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    found = Place(tmp_path, has_git=request.param)
    fill(found)
    return found


def test_undo_restores_contents_modes_links_deletions_and_new_files(place: Place) -> None:
    before = place.shot()
    seen = place.seen() if place.has_git else ()
    record = place.run(lambda: change(place))
    assert record.kind == ("git" if place.has_git else "copies")
    assert place.shot() != before
    restored = place.undo(record)
    assert restored.kept == ()
    assert place.shot() == before
    assert not (place.root / "new").exists()
    if place.has_git:
        assert place.seen() == seen
        assert not (place.root.parent / "hook-ran").exists()
        assert (place.root / "ignored").read_bytes() == b"mine\n"
        place.git("fsck", "--strict")


def test_the_patch_of_a_run_makes_the_same_changes_when_git_applies_it(place: Place, tmp_path: Path) -> None:
    before = place.shot()
    record = place.run(lambda: change(place))
    after = place.shot()
    patch = tmp_path / "patch"
    patch.write_bytes(place.patch(record))
    place.undo(record)
    subprocess.run(("git", "apply", str(patch)), cwd=place.root, check=True)
    contents = {path: data for path, (_, data) in place.shot().items()}
    assert contents == {path: data for path, (_, data) in after.items()}
    subprocess.run(("git", "apply", "-R", str(patch)), cwd=place.root, check=True)
    assert {path: data for path, (_, data) in place.shot().items()} == {p: d for p, (_, d) in before.items()}


def test_what_was_changed_since_is_left_alone_unless_it_is_forced(place: Place) -> None:
    def work() -> None:
        place.write("mixed.txt", b"theirs\n")
        place.write("run.sh", b"theirs\n", 0o755)

    record = place.run(work)
    place.write("mixed.txt", b"mine\n")
    restored = place.undo(record)
    assert restored.kept == (("mixed.txt", "it was changed since"),)
    assert (place.root / "mixed.txt").read_bytes() == b"mine\n"
    assert (place.root / "run.sh").read_bytes() == b"#!/bin/sh\n"
    assert place.undo(record, by_force=True).kept == ()
    assert (place.root / "mixed.txt").read_bytes() == b"one\r\ntwo\nthree"


def test_ignored_files_are_left_alone(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=True)
    fill(place)
    record = place.run(lambda: place.write("ignored", b"changed\n"))
    assert place.patch(record) == b""
    assert place.undo(record).paths == ()
    assert (place.root / "ignored").read_bytes() == b"changed\n"


def test_a_run_that_did_not_end_is_undone_as_it_is_now(place: Place) -> None:
    async def begin() -> None:
        await Checkpoints(place.root, place.session, "1_aaaaa", place.variables).begin()

    before = place.shot()
    asyncio.run(begin())
    place.write("mixed.txt", b"half\n")
    (record,) = read_records(place.session)
    assert record.after == ""
    place.undo(record)
    assert place.shot() == before


def test_runs_of_a_session_are_numbered_and_remembered(place: Place) -> None:
    first = place.run(lambda: place.write("a", b"1"))
    second = place.run(lambda: place.write("a", b"2"))
    assert [record.number for record in read_records(place.session)] == [1, 2]
    mark_undone(place.session, second)
    assert [record.is_undone for record in read_records(place.session)] == [False, True]
    place.undo(second)
    assert (place.root / "a").read_bytes() == b"1"
    place.undo(first)
    assert not (place.root / "a").exists()


def test_refs_of_sessions_that_are_gone_are_removed(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=True)
    fill(place)
    place.run(lambda: place.write("a", b"1"))
    head = place.git("rev-parse", "HEAD").strip()
    place.git("update-ref", "refs/cline/checkpoints/0_gone/1/before", head)
    place.run(lambda: place.write("a", b"2"))
    refs = place.git("for-each-ref", "--format=%(refname)", "refs/cline").split()
    assert {ref.split("/")[3] for ref in refs} == {"1_aaaaa"}


def test_an_ignored_folder_of_a_repository_is_kept_as_copies(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=True)
    fill(place)
    inner = place.root / "ignored-folder"
    (place.root / ".gitignore").write_text("ignored-folder/\n")
    inner.mkdir()
    (inner / "a").write_text("1")
    place.root = inner
    record = place.run(lambda: place.write("a", b"2"))
    assert record.kind == "copies"
    place.undo(record)
    assert (inner / "a").read_text() == "1"


def test_a_repository_without_a_commit_or_in_the_middle_of_a_merge_is_kept(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=True)
    place.write("a", b"1\n")
    place.undo(place.run(lambda: place.write("a", b"2\n")))
    assert (place.root / "a").read_bytes() == b"1\n"
    place.git("add", "-A")
    place.git("commit", "-q", "-m", "a")
    place.git("checkout", "-q", "-b", "other")
    place.write("a", b"other\n")
    place.git("commit", "-q", "-a", "-m", "b")
    place.git("checkout", "-q", "main")
    place.write("a", b"main\n")
    place.git("commit", "-q", "-a", "-m", "c")
    subprocess.run(("git", *IDENTITY, "merge", "other"), cwd=place.root, capture_output=True, check=False)
    conflict = (place.root / "a").read_bytes()
    assert b"<<<<" in conflict
    status = place.git("status", "--porcelain")
    place.undo(place.run(lambda: place.write("a", b"solved\n")))
    assert (place.root / "a").read_bytes() == conflict
    assert place.git("status", "--porcelain") == status


ODD_STATES = {
    "modes-ignored": ("config core.fileMode false",),
    "assumed-unchanged": ("update-index --assume-unchanged mixed.txt run.sh gone.txt blob",),
    "skipped": ("update-index --skip-worktree mixed.txt run.sh gone.txt blob",),
    "split-index": ("config core.splitIndex true", "update-index --split-index"),
    "detached": ("checkout -q --detach",),
    "line-ends-converted": ("config core.autocrlf true",),
    "watched": ("config core.fsmonitor /bin/false", "config core.untrackedCache true"),
}


@pytest.mark.parametrize("commands", ODD_STATES.values(), ids=ODD_STATES)
def test_undo_restores_all_when_the_repository_is_in_an_odd_state(tmp_path: Path, commands: tuple[str, ...]) -> None:
    place = Place(tmp_path, has_git=True)
    fill(place, converts=False)
    for command in commands:
        place.git(*command.split())
    before, seen = place.shot(), place.seen()
    record = place.run(lambda: change(place))
    place.undo(record)
    assert (place.shot(), place.seen()) == (before, seen)


def test_undo_restores_all_when_the_index_is_damaged(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=True)
    fill(place)
    index = place.root / ".git" / "index"
    index.write_bytes(b"no index")
    before = place.shot()
    record = place.run(lambda: change(place))
    place.undo(record)
    assert place.shot() == before
    assert index.read_bytes() == b"no index"


def test_a_repository_with_long_object_names_is_kept(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=False)
    place.git("init", "-q", "--object-format=sha256")
    place.write("a", b"1\n")
    place.git("add", "a")
    place.write("new", b"2\n")
    before = place.shot()
    record = place.run((place.root / "a").unlink)
    assert record.kind == "git"
    place.undo(record)
    assert place.shot() == before


def test_only_what_the_file_tools_touch_is_kept_when_there_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_copy_store, "MAX_FILES", 3)
    place = Place(tmp_path, has_git=False)
    fill(place)

    async def go() -> tuple[Record, str]:
        checkpoints = Checkpoints(place.root, place.session, "1_aaaaa", place.variables)
        await checkpoints.begin(("mixed.txt",))
        place.write("mixed.txt", b"changed\n")
        await checkpoints.begin(("new", "secret"))
        place.write("new", b"n\n")
        place.write("run.sh", b"by a command\n")
        await checkpoints.end()
        assert checkpoints.record
        return checkpoints.record, checkpoints.notice

    record, notice = asyncio.run(go())
    assert record.kind == "touched"
    assert "too many files" in notice
    assert place.undo(record).paths == ("new", "mixed.txt")
    assert (place.root / "mixed.txt").read_bytes() == b"one\r\ntwo\nthree"
    assert (place.root / "run.sh").read_bytes() == b"by a command\n"


def test_large_files_are_left_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (_states, _copy_store):
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr("cline_cli.workspace._git_store.MAX_FILE_BYTES", 1000)
    place.write("large", b"x" * 2000)

    def work() -> None:
        place.write("large", b"y" * 3000)
        place.write("small", b"s")

    record = place.run(work)
    assert place.undo(record).paths == ("small",)
    assert (place.root / "large").read_bytes() == b"y" * 3000


def test_no_more_new_bytes_are_kept_in_a_repository_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cline_cli.workspace._git_store.MAX_NEW_BYTES", 1000)
    place = Place(tmp_path, has_git=True)
    place.write("small", b"s")
    place.write("large", b"x" * 2000)

    def work() -> None:
        place.write("small", b"t")
        place.write("large", b"y" * 2000)

    assert place.undo(place.run(work)).paths == ("small",)
    assert (place.root / "large").read_bytes() == b"y" * 2000
    assert place.git("count-objects").startswith(("3 ", "4 ", "5 ", "6 ", "7 ")), "the large one is not kept"


def test_a_checkpoint_that_is_gone_is_told(place: Place) -> None:
    record = place.run(lambda: place.write("a", b"1"))
    if place.has_git:
        record = record._replace(before="0" * 40)
    else:
        (place.session / "checkpoints" / "1-before.json").unlink()
    with pytest.raises(CheckpointError, match="not there any more"):
        place.undo(record)


def test_a_torn_or_foreign_record_is_passed_over(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=False)
    place.run(lambda: place.write("a", b"1"))
    with (place.session / "checkpoints" / "records").open("ab") as file:
        file.write(b'{"number": 2, "future": 1}\n{"number": 3, "ki')
    assert [record.number for record in read_records(place.session)] == [1]
    assert read_records(tmp_path / "nowhere") == ()


def test_a_folder_that_became_a_link_does_not_lead_out(tmp_path: Path) -> None:
    place = Place(tmp_path, has_git=False)
    fill(place)
    record = place.run(lambda: place.write("sub/inner/x", b"1"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"1")
    subprocess.run(("rm", "-r", str(place.root / "sub" / "inner")), check=True)
    (place.root / "sub" / "inner").symlink_to(outside)
    assert place.undo(record, by_force=True).paths == ()
    assert (outside / "x").read_bytes() == b"1"


def test_lines_are_counted(place: Place) -> None:
    record = place.run(lambda: change(place))

    async def go() -> dict[str, tuple[int, int] | None]:
        store = open_store(record, place.session, place.variables)
        changes = await find_changes(record, place.session, place.variables)
        return {one.path: await count_lines(one, store) for one in changes}

    counted = asyncio.run(go())
    assert counted["blob"] is None
    assert counted["mixed.txt"] == (2, 2)
    assert counted["new/deep/file"] == (1, 0)
