"""A session in the original command's format, kept beside ours without being rewritten: harnesses parse it.

    <id>.messages.json    {"version":1,"updated_at":"...","adopted":0,...,"messages":[
                          entry,
                          entry
                          ]}                   a line each; new ones overwrite the closing
    <id>.json             what lists show: small, and replaced as a whole

Ours is the truth and durable, this is made from it. The last entry's id tells how much of it stands here: after a
crash what is missing is appended, and a file that broke in the middle of an entry is made anew. `adopted` is how many
messages of the history the entries make that the original command wrote.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cline_cli import __version__
from cline_cli.agent.messages import JsonObject
from cline_cli.session._file import Opened, messages_in, open_own, read_own, replace_file, row_in
from cline_cli.session._mending import mend
from cline_cli.session._row import to_timestamp
from cline_cli.session.original import Entry, Names, from_document, to_entries, unify

CLOSING = b"\n]}\n"
MAX_ROW_BYTES = 16 << 20
MAX_DOCUMENT_BYTES = 256 << 20
BLOCK_BYTES = 1 << 16
_HEAD = re.compile(rb'\{"version":1,"updated_at":"[^"]{24}","adopted":(\d{1,9}),')
_AT = len(b'{"version":1,"updated_at":"')
"""Where in the file the time stands, which is as wide at every time."""
_PLACED = frozenset({"version", "updated_at", "adopted", "messages"})
"""Members of a document that have a place of their own."""


class _Place(NamedTuple):
    """An open file of messages, and how far it goes."""

    file: int
    size: int
    mirrored: int
    """How many messages of the history stand in it."""
    is_empty: bool
    """There is no entry yet."""


class Mirror:
    """Writes the two files of one session. Every method may raise OSError: then the files are not kept any more."""

    def __init__(self, opened: Opened, names: Names, system_prompt: str) -> None:
        self._opened = opened
        self._names = names
        self._system_prompt = system_prompt
        self._place: _Place | None = None

    def write_row(self, document: JsonObject) -> None:
        """Put what lists show."""
        path = self._opened.path
        content = {**document, "messages_path": str(messages_in(path))}
        replace_file(self._opened.folder, row_in(path).name, _to_json(content) + b"\n")

    def append(self, history: Sequence[Entry], now_ms: int) -> str:
        """Add the entries of the history that are not there yet.

        Returns:
            What the person should know: another program's changes were put aside. Mostly empty.

        Raises:
            OSError: they cannot be added; what was there still is.
        """
        notice = ""
        if self._place is None:
            notice = self._open(history, now_ms)
        place = self._place
        assert place is not None, "it has been opened"
        entries = [_to_json(entry) for entry in to_entries(history, self._names, place.mirrored)]
        if not entries:
            return notice
        data = (b"\n" if place.is_empty else b",\n") + b",\n".join(entries) + CLOSING
        start = place.size - len(CLOSING)
        try:
            _write_at(place.file, data, start)
        except OSError:
            with suppress(OSError):
                _write_at(place.file, CLOSING, start)
                os.ftruncate(place.file, place.size)
            raise
        _write_at(place.file, to_timestamp(now_ms).encode(), _AT)
        self._place = place._replace(size=start + len(data), mirrored=len(history), is_empty=False)
        return notice

    def rebuild(self, history: Sequence[Entry], now_ms: int, *, aside: str = "") -> None:
        """Write all of it anew; with `aside`, what was there is kept under that name."""
        self._make(list(to_entries(history, self._names)), len(history), self._to_head(now_ms), aside)

    def close(self) -> None:
        if self._place:
            os.close(self._place.file)
        self._place = None

    def _open(self, history: Sequence[Entry], now_ms: int) -> str:
        """Open the file that is there if it goes on as it should, else make it."""
        path = messages_in(self._opened.path)
        try:
            file = open_own(path, os.O_RDWR | os.O_NONBLOCK, self._opened.folder)
        except FileNotFoundError:
            self.rebuild(history, now_ms)
            return ""
        size = os.fstat(file).st_size
        if head := _HEAD.match(os.pread(file, 80, 0)):
            last = _read_last_line(file, size)
            count = self._count(last, int(head[1]), history)
            if last is not None and count is not None:
                self._place = _Place(file, size, count, not last)
                return ""
        os.close(file)
        if head:
            self.rebuild(history, now_ms)
            return ""
        return self._take_in(history, now_ms)

    def _take_in(self, history: Sequence[Entry], now_ms: int) -> str:
        """Go on with a file that is not ours: the original command's, if it tells what the history began with."""
        path = messages_in(self._opened.path)
        try:
            data = read_own(path, self._opened.folder, MAX_DOCUMENT_BYTES) or b""
            document: object = json.loads(data)
            told = unify(from_document(document))
        except (ValueError, RecursionError):
            document, told = {}, []
        entries = document.get("messages") if isinstance(document, dict) else None
        for messages in (told, mend(told)):  # what is made up at its end is appended
            if messages and isinstance(entries, list) and _is_beginning(messages, history):
                self._make(entries, len(messages), self._to_head(now_ms, len(messages), document), "")
                return ""
        aside = f"{self._opened.path.name}.messages.{now_ms}.json"
        self.rebuild(history, now_ms, aside=aside)
        return f"{path} was changed by another program: it is kept as {aside}, and made anew"

    def _make(self, entries: Sequence[object], count: int, head: bytes, aside: str) -> None:
        self.close()
        body = b",".join(b"\n" + _to_json(entry) for entry in entries)
        path = messages_in(self._opened.path)
        replace_file(self._opened.folder, path.name, head + body + CLOSING, aside)
        file = open_own(path, os.O_RDWR | os.O_NONBLOCK, self._opened.folder)
        self._place = _Place(file, len(head) + len(body) + len(CLOSING), count, not entries)

    def _to_head(self, now_ms: int, adopted: int = 0, document: object = None) -> bytes:
        session_id = self._names.session_id
        others: dict[str, object] = {
            "agent": "lead",
            "sessionId": session_id,
            "origin": {"source": "cli", "mode": "user", "sessionId": session_id, "version": __version__},
            "system_prompt": self._system_prompt,
        }
        others |= document if isinstance(document, dict) else {}
        others = {name: value for name, value in others.items() if name not in _PLACED}
        start = f'{{"version":1,"updated_at":"{to_timestamp(now_ms)}","adopted":{adopted},'
        return start.encode() + _to_json(others)[1:-1] + b',"messages":['

    def _count(self, last: bytes | None, adopted: int, history: Sequence[Entry]) -> int | None:
        """Return how many messages of the history stand in a file with that last line; None where they do not."""
        try:
            entry: object = json.loads(last) if last else {}
        except (ValueError, RecursionError):
            return None
        match entry:
            case {"id": str(identity), "content": list(content)} if identity.startswith(
                f"msg_{self._names.session_id}_"
            ):
                number = identity.rpartition("_")[2]
                first = int(number) if number.isdecimal() and len(number) < 10 else len(history)
                are_results = any(isinstance(block, dict) and "tool_use_id" in block for block in content)
                count = first + (len(content) if are_results else 1)
                expected = next(to_entries(history[:count], self._names, first), None)
                # A file of another computer's may be as long, and tell of something else.
                return count if expected and json.loads(_to_json(expected["content"])) == content else None
            case dict() if (adopted or not last) and adopted <= len(history):
                return adopted
        return None  # of a session that has been copied under another name, most likely


def read_row(path: Path, folder: int) -> JsonObject:
    """Return what `<id>.json` of a session's open folder says; empty where there is none, or none that can be used."""
    try:
        data = read_own(row_in(path), folder, MAX_ROW_BYTES)
        value: object = json.loads(data) if data else None
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_last_line(file: int, size: int) -> bytes | None:
    """Return the last entry, empty where there is none yet; None where the file does not end as it should."""
    end = size - len(CLOSING)
    if end <= 0 or os.pread(file, len(CLOSING), end) != CLOSING:
        return None
    if os.pread(file, 1, end - 1) == b"[":
        return b""
    tail = b""
    while end > 0 and b"\n" not in tail:
        start = max(0, end - BLOCK_BYTES)
        tail, end = os.pread(file, end - start, start) + tail, start
    return tail.rpartition(b"\n")[2]


def _is_beginning(entries: Sequence[Entry], history: Sequence[Entry]) -> bool:
    return [entry.message for entry in entries] == [entry.message for entry in history[: len(entries)]]


def _to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _write_at(file: int, data: bytes, position: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, position)
        rest, position = rest[written:], position + written
