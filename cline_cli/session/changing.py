"""What people do to sessions afterwards: take them away, give them another title; and what goes by itself.

A session that is taken away is renamed first, so that no half of one is ever found; what is left of that after a crash
goes with the next one.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.errors import ClineError, UsageError
from cline_cli.session._file import (
    FOLDER,
    Opened,
    file_in,
    lock,
    messages_in,
    open_own,
    open_place,
    replace_file,
    row_in,
    write_whole,
)
from cline_cli.session._finding import Found, check_id, find_sessions, look_at, trim_uses, unknown
from cline_cli.session._loading import load, unreadable
from cline_cli.session._mirror import read_row
from cline_cli.session._originals import require_idle
from cline_cli.session._row import RECKONED
from cline_cli.session._session import FLUSH
from cline_cli.session.records import to_line

DAY_S = 86_400
MOST_AT_ONCE = 200
"""How many sessions a run takes away that was asked for something else."""
_GONE = ".gone-"
_MARK = ".pruned"
"""Ends the name of a file beside the folder, whose time is when sessions were last taken away by themselves."""

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Limits(NamedTuple):
    """How much is kept; 0 means without end."""

    days: float = 30
    """Since it was last used."""
    max_bytes: int = 1_000_000_000
    """Of all sessions together; the ones used last are kept."""


class Pruned(NamedTuple):
    removed: tuple[str, ...]
    """Ids."""
    freed_bytes: int
    kept: int
    """How many sessions are left."""
    kept_bytes: int
    failures: tuple[str, ...] = ()
    """A sentence for each that should have gone and could not be taken away."""


def delete(sessions: Path, session_id: str) -> None:
    """Take a session away, with all that lies in its folder.

    Raises:
        UsageError: there is none of that id, or a run has it.
        ClineError: it cannot be taken away.
    """
    check_id(session_id)
    path = sessions / session_id
    if not any(os.path.lexists(file) for file in (file_in(path), row_in(path), messages_in(path))):
        raise unknown(sessions, session_id)
    try:
        _take_away(path)
    except BlockingIOError:
        raise _in_use(session_id) from None
    except OSError as error:
        raise ClineError(f"cannot take away session {session_id}: {error.strerror or error}", f"It is {path}") from None


def describe(
    sessions: Path,
    session_id: str,
    *,
    title: str | None = None,
    prompt: str | None = None,
    metadata: JsonObject | None = None,
) -> None:
    """Give a session another title, another first prompt in lists, or further metadata; None leaves it as it is.

    Raises:
        UsageError: there is none of that id, a run has it, it cannot be read, or `metadata` has what is reckoned here.
        ClineError: it cannot be written.
    """
    check_id(session_id)
    if reckoned := sorted(RECKONED & set(metadata or ())):
        raise UsageError(f"metadata cannot have {', '.join(reckoned)}: that is reckoned from the session itself")
    found = look_at(sessions / session_id)
    if found is None:
        raise unknown(sessions, session_id)
    given: dict[str, JsonValue] = {}
    given |= {"title": title} if title is not None else {}
    given |= {"prompt": prompt} if prompt is not None else {}
    given |= {"metadata": metadata} if metadata is not None else {}
    try:
        if not found.is_original:
            _record_description(found.path, given)
        _show_description(found, given)
    except FileNotFoundError:
        raise unknown(sessions, session_id) from None
    except BlockingIOError:
        raise _in_use(session_id) from None
    except OSError as error:
        raise ClineError(f"cannot write session {session_id}: {error.strerror}", f"It is {found.path}") from None


def prune(
    sessions: Path, limits: Limits, *, is_dry: bool = False, most: int | None = None, clock: Clock = time.time
) -> Pruned:
    """Take away what is older or more than the limits say; never what a run has, nor what the original command wrote.

    `most` is how many may go at once, the oldest first; a dry one tells what would go.

    Raises:
        UsageError: the folder is there and cannot be read.
    """
    own = sorted(
        (found for found in find_sessions(sessions) if not found.is_original),
        key=lambda found: found.used_ns,
        reverse=True,
    )
    sizes = {found.path: _size_of(found.path) for found in own}
    surplus = _choose(own, sizes, limits, clock())[:most]
    removed: list[Path] = []
    failures: list[str] = []
    for path in surplus:
        try:
            if is_dry:
                if opened := _require_free(path):
                    opened.close()
            else:
                _take_away(path)
            removed.append(path)
        except BlockingIOError:
            continue
        except OSError as error:
            failures.append(f"cannot take away session {path.name}: {error.strerror or error}")
    if not is_dry:
        _clear(sessions)
    freed = sum(sizes[path] for path in removed)
    ids = tuple(path.name for path in removed)
    return Pruned(ids, freed, len(own) - len(removed), sum(sizes.values()) - freed, tuple(failures))


def prune_when_due(sessions: Path, limits: Limits, *, clock: Clock = time.time) -> Pruned | None:
    """Do the same once a day, and not too much at once; None where it is not due, or cannot be noted that it was done.

    Whoever calls it was asked for something else: nothing that goes wrong here is worth a word.
    """
    mark = sessions.with_name(f"{sessions.name}{_MARK}")
    with suppress(OSError, UsageError):
        now_s = clock()
        sessions.lstat()
        with suppress(FileNotFoundError):
            if abs(now_s - mark.lstat().st_mtime) < DAY_S:
                return None
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(mark, flags, 0o600)
        try:
            os.utime(descriptor, (now_s, now_s))
        finally:
            os.close(descriptor)
        with suppress(FileNotFoundError):
            trim_uses(sessions)
        return prune(sessions, limits, most=MOST_AT_ONCE, clock=clock)
    return None


def _choose(own: list[Found], sizes: dict[Path, int], limits: Limits, now_s: float) -> list[Path]:
    """Return which are too old or too many, the oldest first; the one used last always stays, if it is not too old."""
    oldest_ns = (now_s - limits.days * DAY_S) * 1e9 if limits.days else 0
    surplus: list[Path] = []
    total = 0
    for position, found in enumerate(own):
        total += sizes[found.path]
        is_too_much = limits.max_bytes and total > limits.max_bytes and position > 0
        if found.used_ns < oldest_ns or is_too_much:
            surplus.append(found.path)
    return surplus[::-1]


def _size_of(path: Path) -> int:
    """Return how many bytes the files of a folder have."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def _take_away(path: Path) -> None:
    """Raises BlockingIOError where a run has it, and OSError."""
    with suppress(FileNotFoundError):
        opened = _require_free(path)
        try:
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            gone = path.with_name(f"{_GONE}{path.name}-{os.getpid()}")
            path.rename(gone)
            try:
                shutil.rmtree(gone)
            except OSError:
                with suppress(OSError):  # what is left of it is found again under its name
                    gone.rename(path)
                raise
        finally:
            if opened:  # not before: whoever waits for it must find that it is gone
                opened.close()


def _require_free(path: Path) -> Opened | None:
    """Return the session, taken, so that no run can have it; None for a folder without records of ours.

    Raises:
        BlockingIOError: a run has it.
        OSError: it is somebody else's, or a link.
    """
    try:
        opened = open_place(path, os.O_RDONLY)
    except FileNotFoundError:
        folder = open_own(path, FOLDER)
        try:
            require_idle(read_row(path, folder), path.name)
        except UsageError:
            raise BlockingIOError from None
        finally:
            os.close(folder)
        return None
    try:
        lock(opened.file)
    except BaseException:
        opened.close()
        raise
    return opened


def _clear(sessions: Path) -> None:
    """Take away what is left of sessions whose taking away broke off."""
    with suppress(OSError):
        for entry in os.scandir(sessions):
            if entry.name.startswith(_GONE) and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)


def _record_description(path: Path, given: JsonObject) -> None:
    """Raises UsageError, OSError."""
    opened = open_place(path, os.O_RDWR)
    try:
        lock(opened.file)
        told = load(opened)
        if os.fstat(opened.file).st_size > told.end:
            os.ftruncate(opened.file, told.end)
        times = os.fstat(opened.file)
        write_whole(opened.file, to_line({"type": "description", **given, "ts": told.updated_ms or 1}))
        FLUSH(opened.file)
        os.utime(opened.file, ns=(times.st_atime_ns, times.st_mtime_ns))  # it was not used by this
    finally:
        opened.close()


def _show_description(found: Found, given: JsonObject) -> None:
    """Change what lists show. Raises UsageError, OSError."""
    folder = open_own(found.path, FOLDER)
    try:
        document = read_row(found.path, folder)
        if found.is_original:
            require_idle(document, found.path.name)
        if not document:
            if found.is_original:
                raise unreadable(found.path, OSError(0, f"there is no {row_in(found.path).name}"))
            return
        before, extra = document.get("metadata"), given.get("metadata")
        metadata = {**(before if isinstance(before, dict) else {}), **(extra if isinstance(extra, dict) else {})}
        metadata |= {"title": given["title"]} if "title" in given else {}
        changed = {**document, "metadata": metadata}
        changed |= {"prompt": given["prompt"]} if "prompt" in given else {}
        replace_file(folder, row_in(found.path).name, json.dumps(changed).encode() + b"\n")
    finally:
        os.close(folder)


def _in_use(session_id: str) -> UsageError:
    return UsageError(f"session {session_id} is in use by another run", "Wait for its end")
