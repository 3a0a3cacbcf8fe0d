"""What becomes of the files that a run changes: they stay and can be undone, or they go back in the end.

    --patch        the changes are told as a diff, and taken back
    --apply-if CMD they stay if the command succeeds afterwards, else they are taken back
    neither        they stay; `cline undo` takes them back

Whatever ends the run, what is to go back goes back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cline_cli.agent.events import RunFinished
from cline_cli.agent.tool import Scope
from cline_cli.commands._asked import Fate
from cline_cli.errors import ApplyError, ClineError
from cline_cli.machine.process import Command, end_leftovers, run_process
from cline_cli.policy.decide import Policy
from cline_cli.policy.reading import only_reads
from cline_cli.text import one_line, sanitize
from cline_cli.workspace.checkpoint import Change, CheckpointError, Checkpoints, open_store
from cline_cli.workspace.patch import to_patch
from cline_cli.workspace.restoring import restore

SHOWN_LINES = 5
"""Of what the command of --apply-if printed."""
MAX_CHECK_BYTES = 65_536


@dataclass(slots=True)
class Changes:
    """Those of one run."""

    workspace: Path
    fate: Fate
    session_id: str
    variables: Mapping[str, str]
    """The environment of commands."""
    open_place: Callable[[], Path | None]
    """Where states may be kept; None where there is no place for them."""
    _checkpoints: Checkpoints | None = None
    _is_settled: bool = False

    async def expect(self, scope: Scope, policy: Policy) -> str:
        """Keep the state before a call that is about to change something; return what the person should know.

        Raises:
            ClineError: it cannot be kept, and the changes might have to go back.
        """
        checkpoints = self._checkpoints
        if checkpoints and checkpoints.record and checkpoints.record.kind != "touched":
            return ""
        if scope.commands and not scope.edits:
            if all(only_reads(command, policy.leads_outside).only_reads for command in scope.commands):
                return ""
        elif not scope.edits:
            return ""
        try:
            if checkpoints is None:
                place = self.open_place()
                if place is None:
                    return ""
                self._checkpoints = checkpoints = Checkpoints(self.workspace, place, self.session_id, self.variables)
            await checkpoints.begin(scope.edits)
        except (CheckpointError, OSError) as error:
            if self.fate.may_go_back:
                raise self._cannot(error) from error
            return str(error)
        told, checkpoints.notice = checkpoints.notice, ""
        if told and self.fate.may_go_back:
            raise self._cannot(CheckpointError(told))
        return told

    async def settle(self, finished: RunFinished) -> RunFinished:
        """Do with the changes what was asked for, at the end of a run; return the end with what came of it."""
        if self._is_settled or not (self.fate.may_go_back or self._has_begun):
            return finished
        try:
            finished = await self._settle(finished, await self._checkpoints.end() if self._checkpoints else ())
        except CheckpointError as error:
            if not self.fate.may_go_back:  # nothing hangs on it, and `close` tells of it
                return finished
            finished = replace(finished, error=finished.error or ClineError(str(error)))
        self._is_settled = True
        return finished

    async def close(self) -> str:
        """Keep the state at the end of a run, and take the changes back that would have been settled.

        Return what the person should know; mostly nothing.
        """
        if self._is_settled or self._checkpoints is None or not self._has_begun:
            return ""
        self._is_settled = True
        try:
            changes = await self._checkpoints.end()
            return await self._take_back(changes) if self.fate.may_go_back else ""
        except CheckpointError as error:
            return str(error)

    @property
    def _has_begun(self) -> bool:
        return self._checkpoints is not None and self._checkpoints.record is not None

    async def _settle(self, finished: RunFinished, changes: tuple[Change, ...]) -> RunFinished:
        if not self.fate.may_go_back:
            return replace(finished, changed_files=tuple(change.path for change in changes))
        error = finished.error
        patch = b""
        if self.fate.is_patch and finished.has_answer and changes:
            patch = await self._to_patch(changes)
        has_failed = not finished.has_answer
        if self.fate.condition and not has_failed:
            complaint = await self._check()
            if complaint:
                has_failed, patch = True, b""
                gone = "the changes were taken back" if changes else "nothing was changed"
                error = ApplyError(f"--apply-if failed, {gone}: {complaint}")
        changed = tuple(change.path for change in changes)
        if changes and (has_failed or self.fate.is_patch):
            left = await self._take_back(changes)
            error, changed = error or (ClineError(left) if left else None), ()
        return replace(finished, error=error, patch=patch if self.fate.is_patch else None, changed_files=changed)

    async def _to_patch(self, changes: tuple[Change, ...]) -> bytes:
        assert self._checkpoints, "there are changes"
        assert self._checkpoints.record, "there are changes"
        checkpoints = self._checkpoints
        store = open_store(self._checkpoints.record, checkpoints.folder, checkpoints.variables)
        return await to_patch(changes, store)

    async def _take_back(self, changes: tuple[Change, ...]) -> str:
        assert self._checkpoints, "there are changes"
        assert self._checkpoints.record, "there are changes"
        record, folder = self._checkpoints.record, self._checkpoints.folder
        store = open_store(record, folder, self._checkpoints.variables)
        restored = await restore(Path(record.root), changes, store, by_force=True)
        if not restored.kept:
            return ""
        return "could not be put back: " + "; ".join(f"{one_line(path)}: {why}" for path, why in restored.kept)

    async def _check(self) -> str:
        """Run the command of --apply-if; return why the changes may not stay, or nothing."""
        command = self.fate.condition
        shell = next((path for path in ("/bin/bash", "/usr/bin/bash") if os.access(path, os.X_OK)), "/bin/sh")
        try:
            done = await run_process(
                Command((shell, "-c", command), self.workspace, self.variables, max_bytes=MAX_CHECK_BYTES)
            )
            await end_leftovers()
        except (OSError, ValueError) as error:
            return f"{one_line(command)} could not be started: {error}"
        if done.exit_code == 0:
            return ""
        lines = sanitize((done.head + done.tail).decode("utf-8", "replace")).strip().splitlines()[-SHOWN_LINES:]
        how = done.signal_name or f"exit {done.exit_code}"
        return f"{one_line(command)} -> {how}" + (f": {one_line(' | '.join(lines), 300)}" if lines else "")

    def _cannot(self, error: Exception) -> ClineError:
        asked = "--patch" if self.fate.is_patch else "--apply-if"
        cause = error.strerror if isinstance(error, OSError) else error
        return ClineError(f"{asked} cannot be kept: {cause}", "Work in a git repository, or do without it")
