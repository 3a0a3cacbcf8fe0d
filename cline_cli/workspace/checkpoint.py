"""Checkpoints: what the files were before a run changed the first of them, and what they were at its end.

    Checkpoints.begin ──> a state is kept ──> the run works ──> Checkpoints.end ──> a state is kept ──> Record
                                                                                                         |
    undo, diff, --patch, --apply-if  <── changes(record) ── compare(before, after) <────────────────────+

In a git repository states are commits on a hidden ref of it; elsewhere copies in `checkpoints/` of the session's
folder. Records stand there too, in `records`, a line of JSON each.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from cline_cli.machine.files import make_private_folder, open_folder
from cline_cli.workspace._copy_store import CopyStore, TooManyError
from cline_cli.workspace._git_store import REFS, GitError, GitStore, find_repository
from cline_cli.workspace._states import Change, State, Store, compare

__all__ = [
    "Change",
    "CheckpointError",
    "Checkpoints",
    "Record",
    "Store",
    "find_changes",
    "mark_undone",
    "open_store",
    "read_records",
]

COPIES = "checkpoints"
RECORDS = "records"
_MAX_RECORD_BYTES = 10_000_000

Kind = Literal["git", "copies", "touched"]
"""Where the states are: commits, copies of all files, or copies of those that the file tools touched."""


class CheckpointError(Exception):
    """A state cannot be kept, or is not there any more; the message says why."""


class Record(NamedTuple):
    number: int
    """Of the run in its session, from 1."""
    kind: Kind
    root: str
    before: str
    after: str = ""
    """Empty where the run did not come to its end."""
    created: float = 0.0
    """Seconds since the epoch."""
    is_undone: bool = False


@dataclass(slots=True)
class Checkpoints:
    """Those of one run."""

    workspace: Path
    """A real path."""
    folder: Path
    """Where copies and records are kept: the session's, or one that goes with the run."""
    session_id: str
    variables: Mapping[str, str]
    """The environment for git."""
    record: Record | None = None
    """Once the first change is about to happen."""
    notice: str = ""
    """What the person should know of it, once."""
    _touched: dict[str, None] = field(default_factory=dict)
    _failed: bool = False

    async def begin(self, paths: Sequence[str] = ()) -> None:
        """Keep the state before the first change; the files that are about to be changed are named where known.

        Raises:
            CheckpointError: it cannot be kept, for the first time; later calls do nothing then.
        """
        if self._failed:
            return
        try:
            if self.record is None:
                self.record = await self._take_first()
                _append(self.folder, self.record)
            if self.record.kind == "touched":
                self._touch(paths)
        except (GitError, OSError) as error:
            self._failed = True
            raise CheckpointError(f"what this run changes cannot be undone: {error}") from error

    async def end(self) -> tuple[Change, ...]:
        """Keep the state at the end of the run, and return what it changed.

        Raises:
            CheckpointError: it cannot be kept.
        """
        if self.record is None or self._failed:
            return ()
        try:
            self.record = await _take_after(self.record, self.folder, self.session_id, self.variables, [*self._touched])
            _append(self.folder, self.record)
            return await find_changes(self.record, self.folder, self.variables)
        except (GitError, OSError) as error:
            raise CheckpointError(f"what this run changed cannot be told: {error}") from error

    async def _take_first(self) -> Record:
        """Raises GitError, OSError."""
        number = 1 + max((record.number for record in read_records(self.folder)), default=0)
        store = await find_repository(self.workspace, self.variables)
        if store:
            await _forget_others(store, self.folder, self.session_id)
            commit = await store.take(_ref(self.session_id, number, "before"))
            return Record(number, "git", str(store.root), commit, created=time.time())
        name = f"{number}-before"
        copies = CopyStore(self.workspace, self.folder / COPIES)
        try:
            copies.take(name)
        except TooManyError:
            copies.take(name, ())
            self.notice = (
                f"there are too many files in {self.workspace} to keep them all:"
                " only what the file tools change can be undone, and not what commands do"
            )
            return Record(number, "touched", str(self.workspace), name, created=time.time())
        return Record(number, "copies", str(self.workspace), name, created=time.time())

    def _touch(self, paths: Sequence[str]) -> None:
        """Raises OSError."""
        assert self.record, "there is one by now"
        new = [path for path in paths if path not in self._touched and not path.startswith("/")]
        if not new:
            return
        self._touched.update(dict.fromkeys(new))
        copies = CopyStore(self.workspace, self.folder / COPIES)
        known = copies.read(self.record.before)
        found = copies.take(f"{self.record.before}-more", new)
        copies.put(self.record.before, State({**known.entries, **found.entries}, (*known.left_out, *found.left_out)))


async def find_changes(record: Record, folder: Path, variables: Mapping[str, str]) -> tuple[Change, ...]:
    """Return what a run changed. One that did not come to its end has changed all that is different now.

    Raises:
        CheckpointError: a state is not there any more.
    """
    try:
        if not record.after:
            record = await _take_after(record, folder, "now", variables, _touched_by(record, folder))
        if record.kind == "git":
            store = GitStore(Path(record.root), variables)
            return compare(await store.read(record.before), await store.read(record.after))
        copies = CopyStore(Path(record.root), folder / COPIES)
        return compare(copies.read(record.before), copies.read(record.after))
    except (GitError, OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"the checkpoint of run {record.number} is not there any more: {error}") from error


def open_store(record: Record, folder: Path, variables: Mapping[str, str]) -> Store:
    """Return where the bytes of a record's states are."""
    if record.kind == "git":
        return GitStore(Path(record.root), variables)
    return CopyStore(Path(record.root), folder / COPIES)


def read_records(folder: Path) -> tuple[Record, ...]:
    """Return the checkpoints of a session, oldest first; empty where there are none."""
    try:
        with open_folder(Path(os.path.realpath(folder)) / COPIES) as place:
            descriptor = os.open(RECORDS, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=place)
        with os.fdopen(descriptor, "rb") as file:
            lines = file.read(_MAX_RECORD_BYTES).split(b"\n")
    except OSError:
        return ()
    found: dict[int, Record] = {}
    for line in lines:
        try:
            record = Record(**json.loads(line.decode("utf-8", "surrogatepass")))
        except (ValueError, TypeError):  # torn, or of another version
            continue
        found[record.number] = record
    return tuple(found[number] for number in sorted(found))


def mark_undone(folder: Path, record: Record) -> None:
    """Remember that a run was undone.

    Raises:
        OSError: it cannot be written.
    """
    _append(folder, record._replace(is_undone=True))


async def _take_after(
    record: Record, folder: Path, session_id: str, variables: Mapping[str, str], touched: Sequence[str]
) -> Record:
    """Raises GitError, OSError."""
    if record.kind == "git":
        ref = _ref(session_id, record.number, "after")
        return record._replace(after=await GitStore(Path(record.root), variables).take(ref))
    name = f"{record.number}-after"
    copies = CopyStore(Path(record.root), folder / COPIES)
    try:
        copies.take(name, touched if record.kind == "touched" else None)
    except TooManyError:
        raise OSError(0, "the run has made too many files") from None
    return record._replace(after=name)


def _touched_by(record: Record, folder: Path) -> list[str]:
    if record.kind != "touched":
        return []
    state = CopyStore(Path(record.root), folder / COPIES).read(record.before)
    return [*state.entries, *state.left_out]


async def _forget_others(store: GitStore, folder: Path, session_id: str) -> None:
    """Remove the refs of sessions that are not kept any more. Raises GitError."""
    for session in await store.list_sessions():
        if session != session_id and not (folder.parent / session).is_dir():
            await store.forget(f"{REFS}/{session}/")


def _ref(session_id: str, number: int, moment: str) -> str:
    return f"{REFS}/{session_id}/{number}/{moment}"


def _append(folder: Path, record: Record) -> None:
    """Raises OSError."""
    make_private_folder(folder / COPIES)
    line = json.dumps(record._asdict(), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder / COPIES / RECORDS, flags, 0o600)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
