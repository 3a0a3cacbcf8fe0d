"""Which sessions there are, and which of them was used last, by their names alone, so that it costs little.

An id begins with the time at which its session began; when one was gone on with is noted in `sessions.uses`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cline_cli.errors import UsageError
from cline_cli.machine.files import write_atomic
from cline_cli.session._file import file_in, messages_in

ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
TOLD = 3
"""How many ids are named where one is not known."""
COMPARED = 1000
"""How many of the newest ids it is compared with."""
USES = ".uses"
"""Ends the name of a file beside the folder: when sessions were gone on with, lines of milliseconds since the epoch and
an id. A hint, and no more. Beside it, since programs take all that is in the folder for sessions."""
MAX_USES_BYTES = 64 << 10
MAX_TIME_DIGITS = 15


class Found(NamedTuple):
    path: Path
    """Of the session's folder; its name is the id."""
    used_ns: int
    """When it was written to last, since the epoch."""
    is_original: bool
    """There are only the original command's files."""


def find_sessions(sessions: Path) -> Iterator[Found]:
    """Yield the sessions of a folder, the one that a run began with last comes first; each is looked at when it is due.

    Where there is no folder there are none.

    Raises:
        UsageError: the folder is there and cannot be read.
    """
    for session_id in _list_ids(sessions):
        found = look_at(sessions / session_id)
        if found:
            yield found


def uses_of(sessions: Path) -> Path:
    return sessions.with_name(f"{sessions.name}{USES}")


def note_use(path: Path, now_ms: int) -> None:
    """Note that a session is gone on with: its id tells only when it began. Without the note it stands further down.

    Raises:
        OSError: it cannot be noted.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(uses_of(path.parent), flags, 0o600)
    try:
        os.write(file, f"{now_ms} {path.name}\n".encode())
    finally:
        os.close(file)


def trim_uses(sessions: Path) -> None:
    """Forget the older half of the notes when they become many. Raises OSError."""
    path = uses_of(sessions)
    if path.lstat().st_size > MAX_USES_BYTES:
        write_atomic(path, b"".join(_read_uses(sessions)[-MAX_USES_BYTES // 200 :]), mode=0o600)


def _list_ids(sessions: Path) -> list[str]:
    try:
        with os.scandir(sessions) as entries:
            ids = [entry.name for entry in entries if ID.fullmatch(entry.name)]
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not os.path.lexists(sessions):
            return []
        reason = error.strerror or type(error).__name__
        raise UsageError(f"cannot read {sessions}: {reason}", "Name another folder with --data-dir") from None
    used = {}
    for line in _read_uses(sessions):
        time_ms, _, session_id = line.decode("ascii", "replace").strip().partition(" ")
        if time_ms.isdecimal() and len(time_ms) <= MAX_TIME_DIGITS:
            used[session_id] = int(time_ms)
    return sorted(ids, key=lambda name: (max(_began(sessions, name), used.get(name, -1)), name), reverse=True)


def _read_uses(sessions: Path) -> list[bytes]:
    """Return the last lines of the notes, each with its end; none where they cannot be read."""
    try:
        file = os.open(uses_of(sessions), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        size = os.fstat(file).st_size
        data = os.pread(file, MAX_USES_BYTES, max(0, size - MAX_USES_BYTES))
    except OSError:
        return []
    finally:
        os.close(file)
    return data.splitlines(keepends=True)[0 if size <= MAX_USES_BYTES else 1 :]


def look_at(path: Path) -> Found | None:
    """Return what there is at the place of a session; None where there is none."""
    for file, is_original in ((file_in(path), False), (messages_in(path), True)):
        try:
            return Found(path, file.lstat().st_mtime_ns, is_original)
        except OSError:
            continue
    return None


def check_id(session_id: str) -> None:
    """Raises UsageError where it cannot be one."""
    if not ID.fullmatch(session_id):
        shown = session_id if len(session_id) <= 100 else f"{session_id[:100]}..."
        raise UsageError(f"{shown!r} is not the id of a session", "Ids are letters, digits, - and _, 100 at most")


def unknown(sessions: Path, session_id: str) -> UsageError:
    """Return the complaint about an id that there is not, with the ids that may be meant."""
    from difflib import get_close_matches  # lazy: for this error only

    known = [session.path.name for session in islice(find_sessions(sessions), COMPARED)]
    near = get_close_matches(session_id, known, TOLD, 0.8)
    hint = f"There are none in {sessions}"
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    elif known:
        hint = f"The newest: {', '.join(known[:TOLD])}"
    return UsageError(f"there is no session {session_id}", hint)


def _began(sessions: Path, session_id: str) -> int:
    """Return when a session began, in milliseconds since the epoch; of an id that does not tell, when it was used."""
    time_ms = session_id.partition("_")[0]
    if time_ms.isdecimal() and len(time_ms) <= MAX_TIME_DIGITS:
        return int(time_ms)
    found = look_at(sessions / session_id)
    return found.used_ns // 1_000_000 if found else -1
