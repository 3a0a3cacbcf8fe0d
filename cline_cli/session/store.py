"""The messages of runs on disk: one file a session, that only ever grows.

    <state>/sessions/            0700
      1754000000000_ab3xy/       0700   its id: the time in milliseconds, and five random characters
        <id>.jsonl               0600   its lines are told in records.py; locked while a run has the session
        spool/                   0700   made when it is asked for

    create, resume ──> Session ──record──> what is new of the history: one write a record, durable on return

A crash tears at most the last line, which is then passed over. A symbolic link, or what belongs to another user, is
refused in the place of a session's folder or file.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.events import (
    Event,
    IterationStarted,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
)
from cline_cli.agent.messages import JsonObject, Message, ToolResult
from cline_cli.agent.repair import repair
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
    read_lines,
    write_whole,
)
from cline_cli.session.records import (
    VERSION,
    Header,
    cwd_of,
    from_end,
    from_header,
    from_message,
    parse_line,
    replay,
    to_header,
    to_line,
    version_of,
)

__all__ = ["Header", "Session", "create", "find_newest", "resume"]

MAX_HEADER_BYTES = 1 << 16
TOLD = 3
"""How many ids are named where one is not known."""
COMPARED = 1000
"""How many of the newest ids it is compared with."""

Clock = Callable[[], float]
"""Seconds since the epoch."""
Flush = Callable[[int], None]
"""Returns when what was written to a descriptor is durable, or raises OSError."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_STEPS = (RunStarted, IterationStarted, Notice, MessageFinished, ToolFinished, RunFinished)
"""The events at which there may be something new; at what streams in between, the history is not looked at."""
_FLUSH = getattr(os, "fdatasync", os.fsync)  # macOS has the latter only


class _Told(NamedTuple):
    """What a session's file tells."""

    header: Header
    messages: Sequence[Message]
    end: int
    """Where its last whole record ends, in bytes; what follows is torn."""


class Session:
    """One stored conversation, which no other process has until `close`. Made by `create` and `resume`."""

    def __init__(self, opened: Opened, told: _Told, clock: Clock, flush: Flush, *, is_new: bool) -> None:
        self.id = opened.path.name
        self.header = told.header
        self.messages = tuple(told.messages)
        """What was said before, as every provider accepts it; empty for a new session."""
        self.failure = ""
        """One sentence, once something could not be saved and nothing is any more; empty until then."""
        self._opened: Opened | None = opened
        self._folder = opened.path
        self._clock = clock
        self._flush = flush
        self._is_new = is_new
        self._end: int | None = told.end
        """Where the first new record goes; None once it is there."""
        self._recorded = list(told.messages)
        """The history as the file tells it."""
        self._early: dict[str, ToolResult] = {}
        """Call id -> a result that is in the file, and not in the history yet."""

    def spool_folder(self) -> Path:
        """Return a private folder for what is too large for a message; it is made when it is not there.

        Raises:
            OSError: it cannot be made, or something else stands in its place.
        """
        path = self._folder / "spool"
        path.mkdir(mode=0o700, exist_ok=True)
        os.close(open_own(path, FOLDER))
        return path

    def record(self, event: Event, messages: Sequence[Message]) -> None:
        """Save what is new: of `messages`, the whole history of the agent, and of the event a result or the end.

        It is durable on return. What cannot be saved ends the saving and not the run: see `failure`.
        """
        if self.failure or not self._opened or not isinstance(event, _STEPS):
            return
        try:
            records = [*self._catch_up(messages), *self._tell(event)]
            for record in records:
                self._append(self._opened.file, record)
            if records:
                self._flush(self._opened.file)
        except OSError as error:
            self.failure = _not_saved(error)

    def close(self) -> None:
        """Let others have the session; a new one in which nothing was said is taken away. May be called twice."""
        if not self._opened:
            return
        opened, self._opened = self._opened, None
        if self._is_new and self._end is not None:
            discard(opened.path)
        opened.close()

    def _catch_up(self, messages: Sequence[Message]) -> Iterator[JsonObject]:
        """Yield a record for each message that the file does not tell yet."""
        known = len(self._recorded)
        if list(messages[:known]) != self._recorded:
            self._recorded = list(messages)
            self._early.clear()
            yield {"type": "history", "messages": [from_message(message) for message in messages]}
            return
        for message in messages[known:]:
            early = self._early.pop(message.call_id, None) if isinstance(message, ToolResult) else None
            self._recorded.append(early or message)
            if early is None:
                yield from_message(message)

    def _tell(self, event: Event) -> Iterator[JsonObject]:
        """Yield a record for what the event tells and the history does not."""
        if isinstance(event, RunFinished):
            yield from_end(event)
        if isinstance(event, ToolFinished) and not self._is_answered(event.call.id):
            result = ToolResult(event.call.id, event.output.parts, event.output.is_error)
            self._early[result.call_id] = result
            yield from_message(result)

    def _is_answered(self, call_id: str) -> bool:
        """Tell whether that call's result is among those at the end of the history."""
        for message in reversed(self._recorded):
            if not isinstance(message, ToolResult):
                return False
            if message.call_id == call_id:
                return True
        return False

    def _append(self, file: int, record: JsonObject) -> None:
        """Write one record.

        Raises:
            OSError: it was not written, nor any part of it if that could be helped.
        """
        line = to_line({**record, "ts": round(self._clock() * 1000)})
        if len(line) > MAX_RECORD_BYTES:
            raise OSError(errno.EFBIG, f"a message is larger than {MAX_RECORD_BYTES >> 20} MB")
        if self._end is not None and os.fstat(file).st_size > self._end:
            os.ftruncate(file, self._end)
        write_whole(file, line)
        self._end = None


def create(sessions: Path, header: Header, *, clock: Clock = time.time, flush: Flush = _FLUSH) -> Session:
    """Begin a session in the folder of sessions, which is made when it is not there.

    Raises:
        OSError: it cannot be made, or there is one of that id; nothing of the attempt is left.
    """
    assert _ID.fullmatch(header.session_id), "ids of new sessions are made, not typed"
    make_private_folder(sessions)
    path = sessions / header.session_id
    path.mkdir(mode=0o700)
    try:
        opened = open_place(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            os.fchmod(opened.folder, 0o700)
            os.fchmod(opened.file, 0o600)
            with suppress(OSError):  # a file system without locks: nobody can be kept out
                lock(opened.file)
            line = to_line(from_header(header))
            write_whole(opened.file, line)
            make_names_durable(opened.folder)
        except BaseException:
            opened.close()
            raise
    except BaseException:
        discard(path)
        raise
    return Session(opened, _Told(header, (), len(line)), clock, flush, is_new=True)


def resume(sessions: Path, session_id: str, *, clock: Clock = time.time, flush: Flush = _FLUSH) -> Session:
    """Load a session to go on with; nothing in it changes before something new is recorded.

    One that can be read and not written is resumed too, and its `failure` says so.

    Raises:
        UsageError: there is none of that id, another run has it, a newer version wrote it, or it cannot be read.
    """
    if not _ID.fullmatch(session_id):
        shown = session_id if len(session_id) <= 100 else f"{session_id[:100]}..."
        raise UsageError(f"{shown!r} is not the id of a session", "Ids are letters, digits, - and _, 100 at most")
    path = sessions / session_id
    failure = ""
    try:
        try:
            opened = open_place(path, os.O_RDWR)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
                raise
            opened = open_place(path, os.O_RDONLY)
            failure = _not_saved(error)
        try:
            lock(opened.file)
            told = _load(opened)
        except BaseException:
            opened.close()
            raise
    except FileNotFoundError:
        raise _unknown(sessions, session_id) from None
    except BlockingIOError:
        raise UsageError(f"session {session_id} is in use by another run", "Wait for its end") from None
    except OSError as error:
        raise UsageError(f"cannot read session {session_id}: {_reason(error)}", f"It is {path}") from None
    session = Session(opened, told, clock, flush, is_new=False)
    session.failure = failure
    return session


def find_newest(sessions: Path, cwd: Path) -> str | None:
    """Return the id of the session that began last in that folder, of those in which something was said.

    Raises:
        UsageError: the folder of sessions cannot be read.
    """
    places = {str(cwd), os.path.realpath(cwd)}
    return next((name for name in _newest_first(sessions) if _read_cwd(sessions / name) in places), None)


def _newest_first(sessions: Path) -> list[str]:
    """Raises UsageError where the folder is there and cannot be read."""
    try:
        with os.scandir(sessions) as entries:
            names = [entry.name for entry in entries]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read {sessions}: {_reason(error)}", "Name another folder with --data-dir") from None
    return sorted(filter(_ID.fullmatch, names), key=_began, reverse=True)


def _began(session_id: str) -> tuple[int, str]:
    """Return when a session began, as far as its id tells: milliseconds since the epoch."""
    time_ms = session_id.partition("_")[0]
    return int(time_ms) if time_ms.isdecimal() else -1, session_id


def _read_cwd(path: Path) -> str | None:
    """Return where a session began; None where nothing was said in it, or it is not one that can be read."""
    try:
        opened = open_place(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        line, _, rest = os.read(opened.file, MAX_HEADER_BYTES).partition(b"\n")
        return cwd_of(parse_line(line)) if rest else None
    except (OSError, ValueError):
        return None
    finally:
        opened.close()


def _unknown(sessions: Path, session_id: str) -> UsageError:
    from difflib import get_close_matches  # lazy: for this error only

    known = [name for name in _newest_first(sessions)[:COMPARED] if os.path.isfile(file_in(sessions / name))]
    near = get_close_matches(session_id, known, TOLD, 0.8)
    hint = f"There are none in {sessions}"
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    elif known:
        hint = f"The newest: {', '.join(known[:TOLD])}"
    return UsageError(f"there is no session {session_id}", hint)


def _load(opened: Opened) -> _Told:
    """Read a session's file, and mend a history that broke off.

    Raises:
        UsageError: it is not the file of a session, is damaged before its last line, or of a newer version.
        OSError: it cannot be read.
    """
    header: Header | None = None
    messages: list[Message] = []
    number, end = 1, 0
    with open(opened.file, "rb", closefd=False) as file:  # by its descriptor: the file that is locked
        try:
            for line, record in read_lines(file):
                if version_of(record) > VERSION:
                    message = f"session {opened.path.name} was written by a newer version of cline"
                    raise UsageError(message, "Update this one, or begin a new session")
                if header:
                    replay(record, messages)
                else:
                    header = to_header(record)
                number, end = number + 1, end + len(line)
            if not header:
                raise ValueError("it is not the beginning of a session")
        except ValueError as error:
            message = f"cannot read session {opened.path.name}: line {number} of {file_in(opened.path)}: {error}"
            raise UsageError(message, "Mend that line, or begin a new session") from None
    header = header._replace(session_id=opened.path.name)  # a copy has another name
    return _Told(header, repair(messages), end)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _not_saved(error: OSError) -> str:
    return f"nothing more is saved of this run: {_reason(error)}"
