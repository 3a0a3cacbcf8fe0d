from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from cline_cli.agent.events import RunFinished
from cline_cli.agent.messages import Usage
from cline_cli.agent.tool import Scope
from cline_cli.commands._asked import Fate
from cline_cli.commands._changes import Changes
from cline_cli.errors import ApplyError, ProviderError
from cline_cli.policy.decide import Policy
from cline_cli.workspace.checkpoint import read_records

SESSION = "1795710219819_abcde"
DONE = RunFinished("Done.", Usage(), 1, 1, 0.5, None)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    (tmp_path / "place").mkdir()
    return folder


def make(workspace: Path, fate: Fate) -> Changes:
    return Changes(workspace, fate, SESSION, os.environ, lambda: workspace.parent / "place")


async def edit(changes: Changes) -> None:
    assert await changes.expect(Scope(edits=("a.txt", "b.txt")), Policy()) == ""
    (changes.workspace / "a.txt").write_text("ONE\n")
    (changes.workspace / "b.txt").write_text("new\n")


def settle(workspace: Path, fate: Fate, finished: RunFinished = DONE) -> RunFinished:
    async def main() -> RunFinished:
        changes = make(workspace, fate)
        await edit(changes)
        settled = await changes.settle(finished)
        assert await changes.settle(settled) is settled
        assert await changes.close() == ""
        return settled

    return asyncio.run(main())


@pytest.mark.parametrize("fate", [Fate(), Fate(condition="true")], ids=["no condition", "condition met"])
def test_the_changed_files_are_named_when_they_stay(workspace: Path, fate: Fate) -> None:
    settled = settle(workspace, fate)
    assert settled.changed_files == ("a.txt", "b.txt")
    assert settled.error is None
    assert (workspace / "a.txt").read_text() == "ONE\n"
    assert len(read_records(workspace.parent / "place")) == 1


def test_the_changed_files_are_named_when_the_run_failed_and_left_them(workspace: Path) -> None:
    failed = RunFinished("", Usage(), 1, 1, 0.5, ProviderError("gone"))
    assert settle(workspace, Fate(), failed).changed_files == ("a.txt", "b.txt")


@pytest.mark.parametrize("fate", [Fate(is_patch=True), Fate(condition="false")], ids=["patch", "condition not met"])
def test_no_file_counts_as_changed_when_all_go_back(workspace: Path, fate: Fate) -> None:
    settled = settle(workspace, fate)
    assert settled.changed_files == ()
    assert bool(settled.patch) is fate.is_patch
    assert isinstance(settled.error, ApplyError) is not fate.is_patch
    assert (workspace / "a.txt").read_text() == "one\n"
    assert not (workspace / "b.txt").exists()


def test_the_end_is_as_it_was_when_nothing_was_to_change(workspace: Path) -> None:
    async def main() -> None:
        changes = make(workspace, Fate())
        assert await changes.settle(DONE) is DONE
        await changes.expect(Scope(commands=("ls",)), Policy())
        assert await changes.settle(DONE) is DONE
        assert await changes.close() == ""

    asyncio.run(main())
    assert list((workspace.parent / "place").iterdir()) == []


def test_the_changes_are_kept_for_undo_when_the_run_ends_without_being_settled(workspace: Path) -> None:
    async def main() -> None:
        changes = make(workspace, Fate())
        await edit(changes)
        assert await changes.close() == ""

    asyncio.run(main())
    (record,) = read_records(workspace.parent / "place")
    assert record.after
    assert (workspace / "a.txt").read_text() == "ONE\n"


def test_changes_go_back_when_the_run_ends_without_being_settled_and_they_might_have_to(workspace: Path) -> None:
    async def main() -> None:
        changes = make(workspace, Fate(is_patch=True))
        await edit(changes)
        assert await changes.close() == ""

    asyncio.run(main())
    assert (workspace / "a.txt").read_text() == "one\n"
