"""What a run does to the files in the original command's format: both follow the records, and never hold them up."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cline_cli.agent.events import Event, MessageFinished, RunFinished, RunStarted
from cline_cli.agent.messages import JsonObject, Usage
from cline_cli.session._file import Opened, messages_in, row_in
from cline_cli.session._loading import Told
from cline_cli.session._mirror import Mirror, read_row
from cline_cli.session._row import State, to_document
from cline_cli.session.original import Entry, Names
from cline_cli.session.records import status_of


class Reflection:
    """Brings the two files of one session up to date, event by event; a fault ends that, with one line."""

    def __init__(self, opened: Opened, told: Told) -> None:
        self._opened = opened
        self._told = told
        self._names = Names(opened.path.name, told.header.provider, told.header.model)
        self._system_prompt = ""
        self._mirror: Mirror | None = None
        self._base: JsonObject = {}
        """What `<id>.json` said before, or what somebody gave for it."""
        self._spent = Usage()
        """For this run's replies."""
        self._is_kept = True
        self._notices: list[str] = []

    def introduce(self, provider: str, model: str, system_prompt: str) -> None:
        """Say who is asked in this run, and with what."""
        self._names = Names(self._opened.path.name, provider, model)
        self._system_prompt = system_prompt

    def follow(self, event: Event, history: Sequence[Entry], now_ms: int, *, is_replaced: bool) -> None:
        """Write what is new, of a history that has been recorded."""
        if isinstance(event, MessageFinished):
            self._spent += event.message.usage
        if not self._is_kept:
            return
        try:
            self._write(event, history, now_ms, is_replaced=is_replaced)
        except OSError as error:
            self._is_kept = False
            reason = error.strerror or type(error).__name__
            files = f"{row_in(self._opened.path)} and {messages_in(self._opened.path).name}"
            self._notices.append(f"{files} are not kept any more: {reason}")

    def take_notices(self) -> tuple[str, ...]:
        """Return what the person should know, once."""
        notices, self._notices = tuple(self._notices), []
        return notices

    def close(self) -> None:
        if self._mirror:
            self._mirror.close()

    def _write(self, event: Event, history: Sequence[Entry], now_ms: int, *, is_replaced: bool) -> None:
        """Raises OSError."""
        mirror = self._mirror or self._open()
        if is_replaced:
            mirror.rebuild(history, now_ms)
        elif notice := mirror.append(history, now_ms):
            self._notices.append(notice)
        if isinstance(event, RunStarted | MessageFinished | RunFinished):
            messages = [entry.message for entry in history]
            state = self._describe(event, now_ms)
            header = self._told.header._replace(provider=self._names.provider, model=self._names.model)
            mirror.write_row(to_document(header, messages, state, self._base))

    def _open(self) -> Mirror:
        self._mirror = mirror = Mirror(self._opened, self._names, self._system_prompt)
        self._base = read_row(self._opened.path, self._opened.folder) or self._told.description
        return mirror

    def _describe(self, event: Event, now_ms: int) -> State:
        if not isinstance(event, RunFinished):
            return State("running", self._told.usage + self._spent, now_ms, pid=os.getpid())
        exit_code = event.error.exit_code if event.error else 0
        return State(status_of(event), self._told.usage + event.usage, now_ms, exit_code, now_ms, os.getpid())
