"""Everything that a session's file tells, read from its first line to its last whole one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import AssistantMessage, JsonObject, Message, Usage
from cline_cli.errors import UsageError
from cline_cli.session._file import Opened, file_in, read_lines
from cline_cli.session._mending import mend
from cline_cli.session.original import Entry
from cline_cli.session.records import (
    VERSION,
    End,
    Header,
    replay,
    time_of,
    to_asked,
    to_description,
    to_end,
    to_header,
    version_of,
)


class Told(NamedTuple):
    """What a session's file tells."""

    header: Header
    """With the provider and the model of the last run."""
    entries: Sequence[Entry]
    """The history, as every provider accepts it."""
    end: int
    """Where its last whole record ends, in bytes; what follows is torn."""
    usage: Usage
    """Of all runs."""
    last: End | None
    """How its last run ended; None where that one broke off, or goes on."""
    updated_ms: int
    """Since the epoch: of its last record; 0 where none tells."""
    description: JsonObject
    """`title`, `prompt` and `metadata` that somebody gave it; members that nobody gave are missing."""

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(entry.message for entry in self.entries)


@dataclass(slots=True)
class _Reader:
    """Adds up records."""

    messages: list[Message] = field(default_factory=list)
    times: list[int | None] = field(default_factory=list)
    paid: Usage = Usage()
    """Of the runs that ended."""
    spent: Usage = Usage()
    """For the replies of a run that has not ended."""
    last: End | None = None
    asked: tuple[str, str] | None = None
    """The provider and the model of the last run."""
    updated_ms: int = 0
    description: dict[str, object] = field(default_factory=dict)

    def take(self, record: Mapping[str, object]) -> None:
        """Raises ValueError where it is no record."""
        known = len(self.messages)
        replay(record, self.messages)
        time_ms = time_of(record)
        self.updated_ms = time_ms or self.updated_ms
        if record["type"] == "history":
            known = 0
        self.times[known:] = [time_ms] * (len(self.messages) - known)
        if end := to_end(record):
            self.last, self.paid, self.spent = end, self.paid + end.usage, Usage()
        elif record["type"] == "run_started":
            self.asked = to_asked(record) or self.asked
            self.last, self.paid, self.spent = None, self.paid + self.spent, Usage()
        elif record["type"] == "assistant" and isinstance(newest := self.messages[-1], AssistantMessage):
            self.spent += newest.usage
        self._describe(to_description(record))

    def _describe(self, given: Mapping[str, object]) -> None:
        before, extra = self.description.get("metadata"), given.get("metadata")
        self.description.update(given)
        if isinstance(before, dict) and isinstance(extra, dict):
            self.description["metadata"] = {**before, **extra}

    def entries(self) -> tuple[Entry, ...]:
        return mend([Entry(message, time_ms) for message, time_ms in zip(self.messages, self.times, strict=True)])


def load(opened: Opened) -> Told:
    """Read a session's file, and mend a history that broke off.

    Raises:
        UsageError: it is not the file of a session, is damaged before its last line, or of a newer version.
        OSError: it cannot be read.
    """
    header: Header | None = None
    reader = _Reader()
    number, end = 1, 0
    with open(opened.file, "rb", closefd=False) as file:  # by its descriptor: the file that is locked
        file.seek(0)
        try:
            for line, record in read_lines(file):
                if version_of(record) > VERSION:
                    raise newer(opened.path.name)
                if header is None:
                    header = to_header(record)
                elif isinstance(record, dict):
                    reader.take(record)
                else:
                    raise ValueError("it is no record")
                number, end = number + 1, end + len(line)
            if not header:
                raise ValueError("it is not the beginning of a session")
        except ValueError as error:
            message = f"cannot read session {opened.path.name}: line {number} of {file_in(opened.path)}: {error}"
            raise UsageError(message, "Mend that line, or begin a new session") from None
    header = header._replace(session_id=opened.path.name)  # a copy has another name
    if reader.asked:
        header = header._replace(provider=reader.asked[0], model=reader.asked[1])
    description: JsonObject = reader.description  # type: ignore[assignment]  # parsed JSON, and nothing else
    return Told(header, reader.entries(), end, reader.paid + reader.spent, reader.last, reader.updated_ms, description)


def newer(session_id: str) -> UsageError:
    message = f"session {session_id} was written by a newer version of cline"
    return UsageError(message, "Update this one, or begin a new session")


def unreadable(path: Path, error: OSError) -> UsageError:
    reason = error.strerror or type(error).__name__
    return UsageError(f"cannot read session {path.name}: {reason}", f"It is {os.fspath(path)}")
