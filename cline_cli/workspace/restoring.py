"""Puts files back as they were in an earlier state, and nothing else: what somebody changed since is left alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cline_cli.machine.files import NotRegularError, open_folder, open_regular, write_confined
from cline_cli.workspace._states import Change, Entry, Store


class Restored(NamedTuple):
    paths: tuple[str, ...]
    """What was put back."""
    kept: tuple[tuple[str, str], ...]
    """What was left as it is, and why."""


async def restore(root: Path, changes: Sequence[Change], store: Store, *, by_force: bool = False) -> Restored:
    """Undo changes below a root, a real path. A file that is not as the changes left it is kept, unless `by_force`."""
    done: list[str] = []
    kept: list[tuple[str, str]] = []
    # What is new goes first, and the folders it was in: a file may have to come back in the place of one.
    new = [change for change in changes if change.before is None]
    others = [change for change in changes if change.before is not None]
    for change in (*new, None, *others):
        if change is None:
            _remove_empty_folders(root, [one.path for one in new])
            continue
        try:
            if not by_force and not await _is_as(root / change.path, change.after, store):
                kept.append((change.path, "it was changed since"))
                continue
            await _put_back(root, change, store)
            done.append(change.path)
        except OSError as error:
            kept.append((change.path, error.strerror or str(error)))
    return Restored(tuple(done), tuple(kept))


async def _is_as(place: Path, entry: Entry | None, store: Store) -> bool:
    """Return whether a file is what an entry says. Permissions do not count: git does not know all of them."""
    try:
        status = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return entry is None
    if entry is None or (entry.kind == "link") is not stat.S_ISLNK(status.st_mode):
        return False
    wanted = await store.read_blob(entry.blob)
    return status.st_size == len(wanted) and _read(place, entry) == wanted


def _read(place: Path, entry: Entry) -> bytes | None:
    """Return where a link leads, or the bytes of a file; None for anything else. Raises OSError."""
    if entry.kind == "link":
        return os.fsencode(place.readlink())
    try:
        with os.fdopen(open_regular(_real(place)), "rb") as file:
            return file.read()
    except NotRegularError:
        return None


async def _put_back(root: Path, change: Change, store: Store) -> None:
    """Raises OSError."""
    place = _real(root / change.path)
    if not place.is_relative_to(root):
        raise OSError(0, "it leads out of the folder by a symbolic link")
    before = change.before
    if before is None:
        with suppress(FileNotFoundError, NotADirectoryError), open_folder(place.parent) as folder:
            os.unlink(place.name, dir_fd=folder)
        return
    data = await store.read_blob(before.blob)
    with open_folder(place.parent, creates=True) as folder:
        there = _lstat(folder, place.name)
        is_file = there is not None and stat.S_ISREG(there.st_mode)
        if there is not None and (before.kind == "link" or not is_file):
            os.unlink(place.name, dir_fd=folder)
            there = None
        if before.kind == "link":
            os.symlink(data, place.name, dir_fd=folder)
            return
    write_confined(place, data, expected=there)
    with open_folder(place.parent) as folder:
        os.chmod(place.name, before.mode, dir_fd=folder, follow_symlinks=False)


def _real(place: Path) -> Path:
    """Return the path with the links on the way followed, and not the one it ends with."""
    return Path(os.path.realpath(place.parent), place.name)


def _lstat(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _remove_empty_folders(root: Path, paths: Sequence[str]) -> None:
    """Remove the folders that held only files which are gone now."""
    folders = {folder for path in paths for folder in Path(path).parents if folder.name}
    for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            (root / folder).rmdir()
