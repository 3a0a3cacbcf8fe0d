"""The messages of runs on disk: one file a session, that only ever grows, and beside it what others read.

    <state>/sessions/            0700
      1754000000000_ab3xy/       0700   its id: the time in milliseconds, and five random characters
        <id>.jsonl               0600   its lines are told in records.py; locked while a run has the session
        <id>.json                0600   what lists show, and the messages, in the original command's format: made from
        <id>.messages.json       0600   the first, by _mirror.py
        spool/                   0700   made when it is asked for

    create, resume ──> Session ──record──> what is new of the history: one write a record, durable on return

A crash tears at most the last line, which is then passed over. A symbolic link, or what belongs to another user, is
refused in the place of a session's folder or file.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from cline_cli.agent.messages import Usage
from cline_cli.errors import UsageError
from cline_cli.machine.files import make_private_folder
from cline_cli.session._file import (
    FOLDER,
    MAX_RECORD_BYTES,
    Opened,
    discard,
    file_in,
    lock,
    make_names_durable,
    open_own,
    open_place,
    put_file,
    write_whole,
)
from cline_cli.session._finding import ID, Found, check_id, find_sessions, unknown
from cline_cli.session._loading import Told, load, unreadable
from cline_cli.session._mirror import read_row
from cline_cli.session._originals import Original, read_original, require_idle
from cline_cli.session._session import FLUSH, Clock, Flush, Session
from cline_cli.session.records import (
    Header,
    cwd_of,
    from_header,
    from_message,
    make_end,
    parse_line,
    to_line,
    to_status,
)

__all__ = ["Header", "Session", "create", "find_newest", "resume"]

MAX_HEADER_BYTES = 1 << 16
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_UNWRITABLE = (*_READ_ONLY, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def create(sessions: Path, header: Header, *, clock: Clock = time.time, flush: Flush = FLUSH) -> Session:
    """Begin a session in the folder of sessions, which is made when it is not there.

    Raises:
        OSError: it cannot be made, or there is one of that id; nothing of the attempt is left.
    """
    assert ID.fullmatch(header.session_id), "ids of new sessions are made, not typed"
    make_private_folder(sessions)
    path = sessions / header.session_id
    path.mkdir(mode=0o700)
    try:
        path.chmod(0o700)  # a umask may have taken more away
        opened, size = _begin_file(path, header)
        try:
            make_names_durable(opened.folder)
        except BaseException:
            opened.close()
            raise
    except BaseException:
        discard(path)
        raise
    told = Told(header, (), size, Usage(), None, 0, {})
    return Session(path, opened, told, "new", clock, flush)


def resume(sessions: Path, session_id: str, *, clock: Clock = time.time, flush: Flush = FLUSH) -> Session:
    """Load a session to go on with; nothing that was said in it changes before something new is recorded.

    One that can be read and not written is resumed too, and its `failure` says so. One of the original command is
    gone on with in its own folder, and its files stay readable for that command.

    Raises:
        UsageError: there is none of that id, another run has it, a newer version wrote it, or it cannot be read.
    """
    check_id(session_id)
    path = sessions / session_id
    try:
        try:
            return _resume_own(path, clock, flush)
        except FileNotFoundError:
            return _resume_original(path, clock, flush)
    except FileNotFoundError:
        raise unknown(sessions, session_id) from None
    except (BlockingIOError, FileExistsError):
        raise UsageError(f"session {session_id} is in use by another run", "Wait for its end") from None
    except OSError as error:
        raise unreadable(path, error) from None


def find_newest(sessions: Path, cwd: Path) -> str | None:
    """Return the id of the session of that folder that was used last, of those in which something was said.

    Raises:
        UsageError: the folder of sessions cannot be read.
    """
    places = {str(cwd), os.path.realpath(cwd)}
    return next((found.path.name for found in find_sessions(sessions) if _read_cwd(found) in places), None)


def _resume_own(path: Path, clock: Clock, flush: Flush) -> Session:
    failure = ""
    try:
        opened = open_place(path, os.O_RDWR)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        opened = open_place(path, os.O_RDONLY)
        failure = f"nothing more is saved of this run: {error.strerror}"
    try:
        lock(opened.file)
        told = load(opened)
    except BaseException:
        opened.close()
        raise
    session = Session(path, opened, told, "resumed", clock, flush)
    session.failure = failure
    return session


def _resume_original(path: Path, clock: Clock, flush: Flush) -> Session:
    """Take a session of the original command over: all of it stands in a file of ours, or nothing."""
    original = read_original(path)
    require_idle(original.row, path.name)
    lines = _to_lines(path.name, original)
    opened: Opened | None = None
    failure = ""
    try:
        folder = open_own(path, FOLDER)
        try:
            opened = Opened(path, folder, put_file(folder, file_in(path).name, b"".join(lines)))
        except BaseException:
            os.close(folder)
            raise
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        failure = f"nothing more is saved of this run: {error.strerror}"
    told = original.told._replace(end=sum(map(len, lines)))
    session = Session(path, opened, told, "adopted", clock, flush)
    session.failure = failure
    return session


def _to_lines(session_id: str, original: Original) -> list[bytes]:
    """Return the records that tell of a session of the original's.

    Raises:
        UsageError: one of its messages is larger than a record may be.
    """
    told = original.told
    last = make_end(to_status(str(original.row.get("status"))), 0, told.usage)
    lines = [to_line(from_header(told.header))]
    for message, time_ms in told.entries:
        lines.append(to_line({**from_message(message), **({"ts": time_ms} if time_ms is not None else {})}))
        if len(lines[-1]) > MAX_RECORD_BYTES:
            text = f"session {session_id} cannot be gone on with: a message is larger than {MAX_RECORD_BYTES >> 20} MB"
            raise UsageError(text, "Begin a new one")
    return [*lines, to_line(last)]


def _begin_file(path: Path, header: Header) -> tuple[Opened, int]:
    """Make a session's file, locked, with its first line; return how long that is, in bytes.

    Raises:
        OSError: nothing of the attempt is left.
    """
    opened = open_place(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        os.fchmod(opened.file, 0o600)
        with suppress(OSError):  # a file system without locks: nobody can be kept out
            lock(opened.file)
        line = to_line(from_header(header))
        write_whole(opened.file, line)
    except BaseException:
        with suppress(OSError):
            os.unlink(f"{path.name}.jsonl", dir_fd=opened.folder)
        opened.close()
        raise
    return opened, len(line)


def _read_cwd(found: Found) -> str | None:
    """Return where a session began; None where nothing was said in it, or it is not one that can be read."""
    try:
        if found.is_original:
            folder = open_own(found.path, FOLDER)
            try:
                cwd = read_row(found.path, folder).get("cwd")
            finally:
                os.close(folder)
            return cwd if isinstance(cwd, str) else None
        opened = open_place(found.path, os.O_RDONLY)
    except OSError:
        return None
    try:
        line, _, rest = os.read(opened.file, MAX_HEADER_BYTES).partition(b"\n")
        return cwd_of(parse_line(line)) if rest else None
    except (OSError, ValueError):
        return None
    finally:
        opened.close()
