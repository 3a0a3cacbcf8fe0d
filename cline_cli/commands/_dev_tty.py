"""The person at the terminal: told and asked on /dev/tty, wherever stdin and stdout lead, one line at a time.

However a question ends, by an answer, Ctrl-C, Ctrl-D or a signal that ends the process, the terminal is left as it was.
"""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections.abc import Iterator
from types import FrameType
from typing import Protocol

from cline_cli.errors import NotSignedInError
from cline_cli.machine.bell import Bell, ringing

USUAL_COLUMNS = 80
MOST_BYTES = 65536
"""Of one answer; a terminal in line mode gives far less at once."""
_Attributes = list[int | list[bytes | int]]


class NoAnswerError(NotSignedInError):
    """The person wants to say no more, or is gone."""

    def __init__(self) -> None:
        super().__init__("not signed in: the questions were not answered, and nothing was saved", "Run `cline auth`")


class Terminal(Protocol):
    """A person who reads and answers. Whatever is shown is safe for a terminal by then."""

    @property
    def columns(self) -> int: ...
    def tell(self, text: str) -> None: ...
    def ask(self, question: str) -> str: ...
    def ask_secret(self, question: str) -> str: ...


class DevTty:
    """The person at /dev/tty."""

    @property
    def columns(self) -> int:
        with contextlib.suppress(OSError), _opened() as terminal:
            return os.get_terminal_size(terminal).columns or USUAL_COLUMNS
        return USUAL_COLUMNS

    def tell(self, text: str) -> None:
        """Write the text as it is.

        Raises:
            NoAnswerError: there is no terminal.
        """
        try:
            with _opened() as terminal:
                _write(terminal, text)
        except OSError:
            raise NoAnswerError from None

    def ask(self, question: str) -> str:
        """Return the line that is typed, without the space around it.

        Raises:
            NoAnswerError: Ctrl-D, or there is no terminal.
        """
        return _ask(question, is_shown=True)

    def ask_secret(self, question: str) -> str:
        """Return the line that is typed, which is not shown; what was typed before the question is not it.

        Raises:
            NoAnswerError: as for `ask`.
        """
        return _ask(question, is_shown=False)


def _ask(question: str, *, is_shown: bool) -> str:
    try:
        with _opened() as terminal, _line_mode(terminal, is_shown=is_shown), ringing() as bell:
            try:  # who has seen the question may interrupt it at once
                _write(terminal, question)
                line = _read_line(terminal, bell)
            except BaseException:
                _write(terminal, "\n")
                raise
            if not line.endswith(b"\n"):
                _write(terminal, "\n")
    except (OSError, termios.error):
        raise NoAnswerError from None
    if not line:
        raise NoAnswerError
    return line.decode("utf-8", "replace").strip()


def _read_line(terminal: int, bell: Bell) -> bytes:
    """Return one line with its end; without it where Ctrl-D ended it, and then nothing where it was empty."""
    line = b""
    while not line.endswith(b"\n") and len(line) < MOST_BYTES:
        bell.wait_for(terminal)
        piece = os.read(terminal, MOST_BYTES)
        if not piece:
            break
        line += piece
    return line


def _write(terminal: int, text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(terminal, data) :]


@contextlib.contextmanager
def _opened() -> Iterator[int]:
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        yield terminal
    finally:
        os.close(terminal)


@contextlib.contextmanager
def _line_mode(terminal: int, *, is_shown: bool) -> Iterator[None]:
    """Let a line be typed, edited, and seen or not; as it was before at the end, also of a process that is ended."""
    before: _Attributes = termios.tcgetattr(terminal)

    def restore() -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, before)

    def end(number: int, _frame: FrameType | None) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    ending = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    try:
        for number in ending:
            signal.signal(number, end)
        how = termios.TCSADRAIN if is_shown else termios.TCSAFLUSH
        termios.tcsetattr(terminal, how, _for_lines(before, is_shown=is_shown))
        yield
    finally:
        restore()
        for number in ending:
            signal.signal(number, signal.SIG_DFL)


def _for_lines(attributes: _Attributes, *, is_shown: bool) -> _Attributes:
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = attributes
    assert isinstance(iflag, int)
    assert isinstance(lflag, int)
    lflag |= termios.ICANON | termios.ISIG | termios.ECHOE
    # The end of a line is shown in any case: what comes next stands on a line of its own.
    lflag = lflag | termios.ECHO if is_shown else lflag & ~termios.ECHO | termios.ECHONL
    return [iflag | termios.ICRNL, oflag, cflag, lflag, ispeed, ospeed, characters]
