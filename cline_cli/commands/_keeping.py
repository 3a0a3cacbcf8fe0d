"""What a run keeps: its session, or where there is none, a folder that goes with the run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cline_cli.agent.events import Event
from cline_cli.agent.messages import Message
from cline_cli.session.store import Header, Session, create


class Keeping:
    """The session of one run: made when there is something to keep in it, and never a reason for the run to fail."""

    def __init__(
        self, session: Session | None, folder: Path | None, header: Header, *, is_wanted: bool, is_dry: bool
    ) -> None:
        """Take the session that is gone on with, or what is needed to make one, in that folder, if it is wanted.

        `folder` is None where there is no place for sessions; a dry run leaves nothing anywhere.
        """
        self._session = session
        self._folder = folder
        self._header = header
        self._is_wanted = is_wanted
        self._is_dry = is_dry
        self._notices: list[str] = []
        self._temporary: Path | None = None
        self._has_told = False

    @property
    def messages(self) -> tuple[Message, ...]:
        """The history that is gone on from."""
        return self._session.messages if self._session else ()

    @property
    def read_roots(self) -> tuple[Path, ...]:
        """What earlier runs of the session had put aside for the model to read."""
        if self._session is None or self._folder is None:
            return ()
        return (Path(os.path.realpath(self._folder)) / self._session.id / "spool",)

    @property
    def session_id(self) -> str:
        """The id of the session; of one that is not made yet, the one that it would have."""
        return self._session.id if self._session else self._header.session_id

    @property
    def is_kept(self) -> bool:
        return self._session is not None and not self._session.failure

    def begin(self, system_prompt: str) -> tuple[str, ...]:
        """Make the session, if there is to be one, and return what the person should know of it."""
        begun, here = self._session.header.cwd if self._session else "", self._header.cwd
        if begun and begun != here:
            self._notices.append(f"the session was begun in {begun}; it goes on in {here}")
        session = self._open()
        if session:
            session.introduce(self._header.provider, self._header.model, system_prompt)
        return tuple(self._notices)

    def open_spool(self) -> Path:
        """Return a folder for what is too large for a message.

        Raises:
            OSError: there is none to be had.
        """
        session = None if self._is_dry else self._open()
        if session:
            return session.spool_folder()
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="cline-"))
        return self._temporary

    def open_place(self, *, is_needed: bool) -> Path | None:
        """Return a folder for what goes with the run or the session; None where there is none and it is not needed.

        Raises:
            OSError: it is needed, and there is none to be had.
        """
        session = self._open()
        if session:
            return session.path
        if not is_needed:
            return None
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="cline-"))
        return self._temporary

    def record(self, event: Event, messages: Sequence[Message]) -> str:
        """Keep what is new; return what the person should know of it, once: mostly nothing."""
        if self._session is None:
            return ""
        self._session.record(event, messages)
        news = self._session.take_notices()
        if self._session.failure and not self._has_told:
            self._has_told = True
            news = (*news, self._session.failure)
        return "; ".join(news)

    def close(self) -> None:
        if self._session:
            self._session.close()
        self.forget()

    def forget(self) -> None:
        """Remove what was not to be kept."""
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _open(self) -> Session | None:
        if self._session is None and self._is_wanted:
            if self._folder is None:
                self._give_up("there is no HOME")
                return None
            try:
                self._session = create(self._folder, self._header)
            except OSError as error:
                self._give_up(f"cannot write {self._folder}: {error.strerror}")
        return self._session

    def _give_up(self, cause: str) -> None:
        self._is_wanted = False
        self._notices.append(f"nothing is saved of this run: {cause}")
