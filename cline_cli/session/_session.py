"""One session that a run has: what is new of the history goes into its files, step by step."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolSettled,
)
from cline_cli.agent.messages import JsonObject, Message, ToolResult
from cline_cli.session._file import (
    FOLDER,
    MAX_RECORD_BYTES,
    Opened,
    discard,
    file_in,
    open_own,
    write_whole,
)
from cline_cli.session._finding import note_use
from cline_cli.session._loading import Told
from cline_cli.session._reflection import Reflection
from cline_cli.session.original import Entry
from cline_cli.session.records import from_end, from_message, from_start, to_line

Clock = Callable[[], float]
"""Seconds since the epoch."""
Flush = Callable[[int], None]
"""Returns when what was written to a descriptor is durable, or raises OSError."""

FLUSH: Flush = getattr(os, "fdatasync", os.fsync)  # macOS has the latter only
_STEPS = (RunStarted, IterationStarted, Notice, Compacted, MessageFinished, ToolSettled, ToolFinished, RunFinished)
"""The events at which there may be something new; at what streams in between, the history is not looked at."""


Origin = Literal["new", "resumed", "adopted"]
"""`adopted` is one of the original command, which is gone on with here for the first time."""


class Session:
    """One stored conversation, which no other process has until `close`. Made by `store.create` and `store.resume`."""

    def __init__(
        self,
        path: Path,
        opened: Opened | None,
        told: Told,
        origin: Origin,
        clock: Clock,
        flush: Flush,
    ) -> None:
        self.id = path.name
        self.header = told.header
        self.messages = told.messages
        """What was said before, as every provider accepts it; empty for a new session."""
        self.failure = ""
        """One sentence, once something could not be saved and nothing is any more; empty until then."""
        self._path = path
        self._opened = opened
        self._clock = clock
        self._flush = flush
        self._now_ms = 0
        """Of the event that is being recorded."""
        self._origin = origin
        self._end: int | None = told.end
        """Where the first new record goes; None once it is there."""
        self._recorded = list(told.messages)
        """The history as the file tells it."""
        self._history = list(told.entries)
        """The same, with times."""
        self._early: dict[str, ToolResult] = {}
        """Call id -> a result that is in the file, and not in the history yet."""
        self._provider, self._model = told.header.provider, told.header.model
        self._reflection = Reflection(opened, told) if opened else None

    @property
    def path(self) -> Path:
        """Its folder, which is private."""
        return self._path

    def introduce(self, provider: str, model: str, system_prompt: str) -> None:
        """Say who is asked in this run, and with what."""
        self._provider, self._model = provider, model
        if self._reflection:
            self._reflection.introduce(provider, model, system_prompt)

    def spool_folder(self) -> Path:
        """Return a private folder for what is too large for a message; it is made when it is not there.

        Raises:
            OSError: it cannot be made, or something else stands in its place.
        """
        path = self._path / "spool"
        path.mkdir(mode=0o700, exist_ok=True)
        os.close(open_own(path, FOLDER))
        return path

    def record(self, event: Event, messages: Sequence[Message]) -> None:
        """Save what is new: of `messages`, the whole history of the agent, and of the event a result or the end.

        It is durable on return. What cannot be saved ends the saving and not the run: see `failure`.
        """
        if self.failure or not self._opened or not isinstance(event, _STEPS):
            return
        self._now_ms = round(self._clock() * 1000)
        is_replaced = self._is_replaced(messages)
        try:
            records = [*self._begin(event), *self._catch_up(messages, is_replaced=is_replaced), *self._tell(event)]
            for record in records:
                self._append(self._opened.file, record)
            if records:
                self._flush(self._opened.file)
        except OSError as error:
            self.failure = f"nothing more is saved of this run: {error.strerror or type(error).__name__}"
            return
        if isinstance(event, RunStarted) and self._origin != "new":
            with suppress(OSError):
                note_use(self._path, self._now_ms)
        if self._reflection:
            self._reflection.follow(event, self._history, self._now_ms, is_replaced=is_replaced)

    def take_notices(self) -> tuple[str, ...]:
        """Return what the person should know, once."""
        return self._reflection.take_notices() if self._reflection else ()

    def close(self) -> None:
        """Let others have the session; one in which nothing new was said is as it was before. May be called twice."""
        if not self._opened:
            return
        opened, self._opened = self._opened, None
        if self._end is not None and self._origin == "new":
            discard(opened.path)
        elif self._end is not None and self._origin == "adopted":
            with suppress(OSError):
                os.unlink(file_in(opened.path).name, dir_fd=opened.folder)
        if self._reflection:
            self._reflection.close()
        opened.close()

    def _begin(self, event: Event) -> Iterator[JsonObject]:
        if isinstance(event, RunStarted):
            yield from_start(self._provider, self._model)

    def _is_replaced(self, messages: Sequence[Message]) -> bool:
        """Tell whether the history does not begin as the file tells it."""
        return list(messages[: len(self._recorded)]) != self._recorded

    def _catch_up(self, messages: Sequence[Message], *, is_replaced: bool) -> Iterator[JsonObject]:
        """Yield a record for each message that the file does not tell yet."""
        if is_replaced:
            self._recorded = list(messages)
            self._history = [Entry(message, self._now_ms) for message in messages]
            self._early.clear()
            yield {"type": "history", "messages": [from_message(message) for message in messages]}
            return
        for position in range(len(self._recorded), len(messages)):
            message = messages[position]
            early = self._early.pop(message.call_id, None) if isinstance(message, ToolResult) else None
            self._recorded.append(early or message)
            self._history.append(Entry(early or message, self._now_ms))
            if early is None:
                yield from_message(message)

    def _tell(self, event: Event) -> Iterator[JsonObject]:
        """Yield a record for what the event tells and the history does not."""
        if isinstance(event, RunFinished):
            yield from_end(event)
        if isinstance(event, ToolFinished | ToolSettled) and not self._is_answered(event.call.id):
            result = ToolResult(event.call.id, event.output.parts, event.output.is_error)
            self._early[result.call_id] = result
            yield from_message(result)

    def _is_answered(self, call_id: str) -> bool:
        """Tell whether that call's result is in the file: early, or among those at the end of the history."""
        if call_id in self._early:
            return True
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
        line = to_line({**record, "ts": self._now_ms})
        if len(line) > MAX_RECORD_BYTES:
            raise OSError(errno.EFBIG, f"a message is larger than {MAX_RECORD_BYTES >> 20} MB")
        if self._end is not None and os.fstat(file).st_size > self._end:
            os.ftruncate(file, self._end)
        write_whole(file, line)
        self._end = None
