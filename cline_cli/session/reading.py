"""Sessions as they are looked at afterwards: rows for a list, and the whole of one. Nothing here changes any.

    sessions/ ──> list_rows, find_rows ──> Row*           the one that was used last comes first; read one by one
              ──> read_transcript ───────> Transcript     of a session of the original command too

A row is read from `<id>.json`, so that a list costs what it shows; where that is missing or cannot be used, from the
records.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import AssistantMessage, TextPart, UserMessage
from cline_cli.errors import UsageError
from cline_cli.session._file import FOLDER, file_in, is_locked, messages_in, open_own, open_place
from cline_cli.session._finding import Found, check_id, find_sessions, look_at, unknown
from cline_cli.session._loading import Told, load, unreadable
from cline_cli.session._mirror import read_row
from cline_cli.session._originals import is_alive, read_original
from cline_cli.session._row import Row, State, to_document, to_row, to_timestamp
from cline_cli.session.original import Entry
from cline_cli.session.records import Status

__all__ = ["Entry", "Row", "Status", "Transcript", "check_id", "find_rows", "list_rows", "read_transcript"]


MAX_SKIMMED_BYTES = 16 << 20
_PLAIN = re.compile(r"[\w ./:@#-]+", re.ASCII)
"""Words that JSON does not escape."""


class Transcript(NamedTuple):
    row: Row
    entries: Sequence[Entry]
    """The history as a provider would be sent it: each call answered once, directly after its message."""


def list_rows(sessions: Path) -> Iterator[Row]:
    """Yield the sessions of a folder, the one used last first; each is read when it is asked for.

    What is no session, or cannot be read, is passed over; where there is no folder there are none.

    Raises:
        UsageError: the folder is there and cannot be read.
    """
    for found in find_sessions(sessions):
        row = _read_row(found)
        if row:
            yield row


def find_rows(sessions: Path, words: Sequence[str]) -> Iterator[Row]:
    """Yield those in whose title, prompts or replies each of the words stands, in any letter case; as `list_rows`."""
    wanted = [word.casefold() for word in words]
    for row in list_rows(sessions):
        missing = _missing(wanted, (row.title, row.prompt))
        try:
            if missing and _may_have(missing, row):
                missing = _missing(missing, _said(_read_told(row.folder, is_original=row.is_original)))
        except (UsageError, OSError):
            continue
        if not missing:
            yield row


def read_transcript(sessions: Path, session_id: str) -> Transcript:
    """Return all of a session, also of one that another process has.

    Raises:
        UsageError: there is none of that id, a newer version wrote it, or it cannot be read.
    """
    check_id(session_id)
    found = look_at(sessions / session_id)
    if found is None:
        raise unknown(sessions, session_id)
    try:
        told = _read_told(found.path, is_original=found.is_original)
    except OSError as error:
        raise unreadable(found.path, error) from None
    return Transcript(_read_row(found) or _make_row(found, told), told.entries)


def _read_row(found: Found) -> Row | None:
    """Return what a list shows of a session; None where nothing was said in it, or it cannot be read."""
    try:
        folder = open_own(found.path, FOLDER)
        try:
            document = read_row(found.path, folder)
        finally:
            os.close(folder)
        try:
            row = to_row(document, found.path, is_original=found.is_original)
        except ValueError:
            told = _read_told(found.path, is_original=found.is_original)
            return _make_row(found, told) if told.entries else None
    except (UsageError, OSError):
        return None
    if row.is_original:
        row = replace(row, updated_at=to_timestamp(found.used_ns // 1_000_000))
    if row.status == "running" and not _is_running(found, row.pid):
        row = replace(row, status="failed")
    return row


def _make_row(found: Found, told: Told) -> Row:
    """Return the row that the records tell."""
    last = told.last
    updated_ms = told.updated_ms or found.used_ns // 1_000_000
    state = State("failed", told.usage, updated_ms)
    if last:
        state = state._replace(status=last.status, exit_code=last.exit_code, ended_ms=last.time_ms)
    elif _is_running(found, 0):
        state = state._replace(status="running")
    elif found.is_original:
        state = state._replace(status="completed", ended_ms=updated_ms)
    document = to_document(told.header, told.messages, state, told.description)
    return to_row(document, found.path, is_original=found.is_original)


def _is_running(found: Found, pid: int) -> bool:
    """Tell whether a process has the session: one of ours by its lock, since it may be in another container."""
    if found.is_original:
        return pid > 0 and is_alive(pid)
    try:
        opened = open_place(found.path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return is_locked(opened.file)
    finally:
        opened.close()


def _read_told(path: Path, *, is_original: bool) -> Told:
    """Raises UsageError, OSError."""
    if is_original:
        return read_original(path).told
    opened = open_place(path, os.O_RDONLY)
    try:
        return load(opened)
    finally:
        opened.close()


def _may_have(words: Sequence[str], row: Row) -> bool:
    """Tell whether the words may stand in a session, from its bytes: most sessions need not be read for it.

    Raises:
        OSError: it cannot be looked into.
    """
    path = messages_in(row.folder) if row.is_original else file_in(row.folder)
    with os.fdopen(open_own(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        data = file.read(MAX_SKIMMED_BYTES + 1)
    if len(data) > MAX_SKIMMED_BYTES or not data.isascii() or b"\\u" in data:
        return True  # what is escaped, or beyond ASCII, has more than one spelling
    folded = data.lower()
    return all(not _PLAIN.fullmatch(word) or word.encode() in folded for word in words)


def _said(told: Told) -> Iterator[str]:
    for message in told.messages:
        if isinstance(message, UserMessage | AssistantMessage):
            yield from (part.text for part in message.parts if isinstance(part, TextPart))


def _missing(words: Sequence[str], texts: Iterator[str] | Sequence[str]) -> list[str]:
    """Return the words that stand in none of the texts."""
    missing = list(words)
    for text in texts:
        if not missing:
            break
        folded = text.casefold()
        missing = [word for word in missing if word not in folded]
    return missing
