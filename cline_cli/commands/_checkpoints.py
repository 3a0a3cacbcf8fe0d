"""Which run is to be undone or shown: one of a session that was named, or the last that changed something here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cline_cli.app import command_variables
from cline_cli.commands._history_ids import LAST, find_id
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.session.reading import check_id
from cline_cli.workspace.checkpoint import (
    Change,
    CheckpointError,
    Record,
    Store,
    find_changes,
    open_store,
    read_records,
)


class Found(NamedTuple):
    session_id: str
    folder: Path
    record: Record


class Work(NamedTuple):
    """What a run changed."""

    found: Found
    changes: tuple[Change, ...]
    store: Store

    @property
    def root(self) -> Path:
        return Path(self.found.record.root)


def find_run(
    asked: str | None, environment: Environment, paths: Paths, wants: Callable[[Record], bool] = lambda _: True
) -> Found:
    """Return the last run with a checkpoint that is wanted: of a session, or of all that worked in this folder.

    Raises:
        UsageError: there is none.
    """
    sessions = paths.state / "sessions"
    if asked and asked != LAST:
        session_id = find_id(sessions, asked, environment.cwd)
        check_id(session_id)
        found = next(_list_of(sessions / session_id, wants), None)
        if found is None:
            raise UsageError(f"there is no run of session {session_id} to go by", "cline history lists sessions")
        return found
    here = Path(os.path.realpath(environment.cwd or "/"))
    try:
        with os.scandir(sessions) as entries:
            names = sorted((entry.name for entry in entries), reverse=True)
    except OSError:
        names = []
    last: Found | None = None
    for name in names:
        for found in _list_of(sessions / name, wants):
            root = Path(found.record.root)
            is_newer = last is None or found.record.created > last.record.created
            if is_newer and (here.is_relative_to(root) or root.is_relative_to(here)):
                last = found
    if last is None:
        raise UsageError(f"no run has changed anything in {here}", "Name a session: cline history lists them")
    return last


async def look_at(found: Found, environment: Environment) -> Work:
    """Return what a run changed.

    Raises:
        ClineError: its checkpoint is not there any more.
    """
    variables = command_variables(environment)
    try:
        changes = await find_changes(found.record, found.folder, variables)
    except CheckpointError as error:
        raise ClineError(str(error)) from error
    return Work(found, changes, open_store(found.record, found.folder, variables))


def _list_of(folder: Path, wants: Callable[[Record], bool]) -> Iterator[Found]:
    """Yield the wanted runs of a session, the last one first."""
    for record in reversed(read_records(folder)):
        if wants(record):
            yield Found(folder.name, folder, record)
