"""The folders of this program: where and why, whose, with which rights, and whether a file can be made there."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cline_cli.commands._doctor_report import Check, Status
from cline_cli.config._key_file import KeyFile
from cline_cli.config._store import StoreError
from cline_cli.config.paths import Paths

SMALL_BYTES = 100_000_000
"""Less free space than this is worth a word."""
MAX_COUNTED = 10_000
"""More sessions are not counted."""


class Place(NamedTuple):
    name: str
    path: Path
    why: str
    loss: str
    """What does not work where nothing can be written there."""
    way_out: str
    """How another folder is named."""
    is_needed: bool = True
    """Its loss is worth more than a note."""
    is_private: bool = False
    """Others have no business reading what is in it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is at a path."""

    nearest: Path
    """The folder itself, or the first one above it that exists."""
    target: str = ""
    """Where a symbolic link leads; empty for none."""
    owner: int = -1
    mode: int = 0
    """Permission bits; of a folder that exists, like the owner."""
    fault: str = ""
    """Why no file can be made there, or empty."""
    free_bytes: int | None = None
    """None where that is not known."""

    def exists(self, place: Place) -> bool:
        return self.nearest == place.path


def places_of(paths: Paths) -> tuple[Place, ...]:
    """Return every folder in use, in the order they are told."""
    reasons = paths.reasons
    state_way = "Name another folder with --data-dir or CLINE_DATA_DIR"
    return (
        Place("config", paths.config, reasons["config"], "`cline auth` and `cline config` can save nothing",
              "Name another folder with --config or CLINE_CONFIG"),
        Place("state", paths.state, reasons["state"], "nothing is saved of a run", state_way),
        Place("sessions", paths.state / "sessions", "in the state", "nothing is saved of a run", state_way,
              is_private=True),
        Place("cache", paths.cache, reasons["cache"], "the embedded models start slower",
              "Name another folder with XDG_CACHE_HOME", is_needed=False),
        Place("models", paths.models, reasons["models"], "no embedded model can be installed",
              "Name another folder with CLINE_MODELS_DIR", is_needed=False),
    )  # fmt: skip


def look_at(path: Path) -> Found:
    """Look at a folder; makes a file there, and removes it again, where the folder exists."""
    target = ""
    with contextlib.suppress(OSError):
        if path.is_symlink():
            target = os.path.realpath(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        if target:
            return Found(path, target, fault=f"it is a link to {target}, which does not exist")
        return _look_above(path)
    except NotADirectoryError:
        return _look_above(path)
    except OSError as error:
        return Found(path, target, fault=f"it cannot be looked at: {error.strerror}")
    if not stat.S_ISDIR(status.st_mode):
        return Found(path, target, status.st_uid, fault="it is not a folder")
    return Found(path, target, status.st_uid, stat.S_IMODE(status.st_mode), try_to_write(path), _free_bytes(path))


def _look_above(path: Path) -> Found:
    """Say whether a folder that is missing could be made."""
    for above in path.parents:
        if not os.path.lexists(above):
            continue
        if not os.path.isdir(above):
            return Found(above, fault=f"{above} is not a folder")
        if not os.access(above, os.W_OK | os.X_OK):
            return Found(above, fault=f"{above} may not be written to")
        return Found(above, free_bytes=_free_bytes(above))
    return Found(path, fault="there is nothing above it")


def try_to_write(folder: Path) -> str:
    """Return why no file can be made in a folder, or empty: rights alone do not tell of a full or read-only disk."""
    path = folder / f".cline-doctor-{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        return _say(error)
    try:
        os.write(descriptor, b"\n")
    except OSError as error:
        return _say(error)
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            path.unlink()
    return ""


def _say(error: OSError) -> str:
    return f"it cannot be written to: {error.strerror or type(error).__name__}"


def _free_bytes(folder: Path) -> int | None:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def check_places(paths: Paths, user: int) -> Iterator[Check]:
    """Look at every folder; `user` is the one that this process is."""
    for place in places_of(paths):
        if paths.is_homeless and place.path.is_relative_to(paths.state):
            text = f"{place.path} ({place.why}); there is no HOME, so {place.loss}"
            yield Check(place.name, "note", text, "Set HOME, or name a folder with --data-dir")
        else:
            yield check_place(place, look_at(place.path), user)
    yield from check_key_file(KeyFile(paths.credentials_file))


def check_place(place: Place, found: Found, user: int) -> Check:
    """Say what is to be said of one folder: of what is wrong, the worst."""
    text = f"{place.path} ({place.why})"
    if found.target and not found.fault:
        text += f", a link to {found.target}"
    exists = found.exists(place)
    if exists and place.name == "sessions" and not found.fault:
        text += f", {count_sessions(place.path)}"
    if not exists and not found.fault:
        text += ", made when it is needed"
    status: Status = "bad" if place.is_needed else "note"
    if found.fault:
        return Check(place.name, status, f"{text}: {found.fault}, so {place.loss}", place.way_out)
    if exists and found.owner not in {user, -1}:
        text += f": it belongs to the user with the number {found.owner}, who may change what is in it"
        return Check(place.name, "bad", text, place.way_out)
    quoted = shlex.quote(str(place.path))
    if exists and found.mode & 0o022:
        return Check(place.name, "bad", f"{text}: other users may change what is in it", f"chmod go-w {quoted}")
    if exists and place.is_private and found.mode & 0o055:
        return Check(place.name, "bad", f"{text}: other users may read what is in it", f"chmod 700 {quoted}")
    if found.free_bytes is not None and found.free_bytes < SMALL_BYTES:
        text += f": {found.free_bytes / 1e6:.0f} MB are free"
        return Check(place.name, status, text, "Make room on that disk")
    return Check(place.name, "ok", text)


def count_sessions(folder: Path) -> str:
    """Return how many sessions there are, for people."""
    count = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                count += entry.is_dir(follow_symlinks=False)
                if count > MAX_COUNTED:
                    return f"more than {MAX_COUNTED:,} sessions"
    except OSError:
        return "which cannot be listed"
    return f"{count:,} session{'' if count == 1 else 's'}"


def check_key_file(file: KeyFile) -> Iterator[Check]:
    """Say how safe the file of keys is, where there is one."""
    try:
        weakness = file.weakness()
    except StoreError as error:
        yield Check("credentials", "bad", f"{file.place}: {error}", "Correct that, or remove the file")
        return
    except OSError as error:
        yield Check("credentials", "bad", f"{file.place}: {error.strerror}", "Correct that, or remove the file")
        return
    if weakness:
        yield Check("credentials", "bad", f"{file.place} is not safe: {weakness}")
    elif os.path.exists(file.place):
        yield Check("credentials", "ok", f"{file.place}, open to this user only")
