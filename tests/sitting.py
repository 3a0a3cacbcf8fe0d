r"""A person at a terminal: one process on a pty of its own, seen through an emulator.

    keys, pastes, sizes ──> pty ──> the process ──> pty ──> raw bytes ──> Terminal: screen and scrollback
                                                                └──> what it has meddled with

Meddling is whatever steers a terminal and is none of the few sequences that the command sends of its own. The list is
of what may come, so that a sequence nobody thought of is found as well.

A terminal that becomes narrower either cuts its lines, as xterm does, or breaks them anew, as VTE, kitty and tmux do.
The emulator does either; the second announces itself to the process, as such terminals do.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyte
from pyte.screens import Char, StaticDefaultDict
from wcwidth import wcwidth

from tests.fake_server import FakeServer, Turn

if TYPE_CHECKING:
    Row = StaticDefaultDict[int, Char]

PATIENCE_S = 40.0
KEY = "sk-test-canary-7d1f4b"
COMMAND = (sys.executable, "-m", "cline_cli")
IDENTIFYING = (
    *("TMUX", "TERM_PROGRAM", "VTE_VERSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "WT_SESSION", "COLORTERM"),
    *("ALACRITTY_WINDOW_ID", "WEZTERM_PANE", "STY", "GHOSTTY_RESOURCES_DIR", "NO_COLOR", "COLUMNS", "LINES", "CI"),
)
"""Variables that would tell the process of another terminal than this one."""
REWRAPPING = {"VTE_VERSION": "7600"}
"""How a terminal announces itself that breaks its lines anew."""
AT_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
LINE_EDITOR = frozenset({"\b", *(f"\x1b[?{mode}{way}" for mode in (1, 12, 25) for way in "hl")})
"""What comes besides where a command is edited in a one-shot run: for `Sitting.own`."""

_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]P^_X]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\r\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x1f\x7f-\x9f\udc80-\udcff]"
)
"""A control sequence or character, also one that is cut short; a byte that is no UTF-8, which may be an 8-bit one."""
_STYLE = r"(?:[0-479]|2[1-79]|3[0-79]|4[0-79]|9[0-7]|10[0-7])"
_OWN = re.compile(
    r"[\t\r\n]"
    rf"|\x1b\[(?:{_STYLE}(?:;{_STYLE})*)?m"  # the sixteen colours; nothing blinks or is concealed
    r"|\x1b\[[0-9]*[ABCD]"
    r"|\x1b\[[JK]"  # to the right and below, never the whole screen
    r"|\x1b\[\?(?:7|2004)[hl]"
)
"""What the command sends itself; the modes are switched back at the end."""
_SWITCH = re.compile(r"\x1b\[\?([0-9]+)([hl])")
_SET_BEFORE = frozenset({"7", "25"})
"""The modes that a terminal starts with: lines wrap, and the cursor is seen."""
_GOES_ON = -1
"""The cell left of the first one is set in a row that goes on in the row below, because it was too long."""


def meddlings(seen: str) -> Iterator[str]:
    """Yield the control sequences that are none of the command's own; undecodable bytes are lone surrogates."""
    for match in _CONTROL.finditer(seen):
        if not _OWN.fullmatch(match[0]):
            yield match[0]


class Terminal(pyte.HistoryScreen):
    """pyte's screen with the faults mended that would lose text: joiners, wide characters at the margin, resizes."""

    def __init__(self, columns: int, lines: int, *, reflows: bool = False) -> None:
        self._reflows = reflows
        super().__init__(columns, lines, history=100_000, ratio=0.5)

    @property
    def scrollback(self) -> list[str]:
        """History and screen, without blanks at the ends of lines and of the whole."""
        lines = [_text_of(row) for row in self.history.top] + [line.rstrip() for line in self.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def draw(self, data: str) -> None:
        if data.isascii() and self.cursor.x + len(data) <= self.columns:
            super().draw(data)
            return
        for character in data:
            cells = wcwidth(character)
            if not cells and self.cursor.x:  # pyte would drop all that comes behind a joiner
                row = self.buffer[self.cursor.y]
                column = self.cursor.x - 1
                while column and not row[column].data:
                    column -= 1
                row[column] = row[column]._replace(data=row[column].data + character)
            elif cells > 0:
                if self.cursor.x + cells > self.columns and pyte.modes.DECAWM in self.mode:
                    self.buffer[self.cursor.y][_GOES_ON] = self.default_char
                    self.cursor.x = self.columns
                super().draw(character)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        super().erase_in_line(how, private)
        row = self.buffer[self.cursor.y]
        if how != 1:
            start = self.cursor.x if how == 0 else 0
            for column in [column for column in row if column == _GOES_ON or column >= start]:
                del row[column]

    def erase_in_display(self, how: int = 0, *args: object, **given: object) -> None:
        super().erase_in_display(how, *args, **given)
        if how != 1:
            for number in range(self.cursor.y + 1 if how == 0 else 0, self.lines):
                self.buffer.pop(number, None)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Take another size; what becomes too low pushes its first rows into the history."""
        lines, columns = lines or self.lines, columns or self.columns
        if self._reflows and columns != self.columns:
            self._rewrap(lines, columns)
        else:
            self._cut(lines, columns)
        self.lines, self.columns = lines, columns
        self.tabstops = set(range(8, columns, 8))
        self.set_margins()
        self.dirty.update(range(lines))

    def _cut(self, lines: int, columns: int) -> None:
        for _ in range(self.cursor.y + 1 - lines):
            self.history.top.append(self.buffer[0])
            for number in range(self.lines - 1):
                self.buffer[number] = self.buffer[number + 1]
            self.buffer.pop(self.lines - 1, None)
            self.cursor.y -= 1
        for number in range(lines, self.lines):
            self.buffer.pop(number, None)
        for row in self.buffer.values():
            for column in range(columns, self.columns):
                row.pop(column, None)
        self.cursor.x = min(self.cursor.x, columns - 1)

    def _rewrap(self, lines: int, columns: int) -> None:
        """Break all lines anew; the last of them stay on the screen."""
        shown = max(number for number in range(self.lines) if number == self.cursor.y or _text_of(self.buffer[number]))
        old = [*self.history.top, *(self.buffer[number] for number in range(shown + 1))]
        cursor_row = len(self.history.top) + self.cursor.y
        new: list[Row] = []
        place = (0, 0)
        line: list[Char] = []
        offset: int | None = None
        for number, row in enumerate(old):
            if number == cursor_row:
                offset = len(line) + self.cursor.x
            goes_on = _GOES_ON in row and number < len(old) - 1
            line += [row[column] for column in range(self.columns if goes_on else max(row, default=-1) + 1)]
            if not goes_on:
                broken, found = self._break(line, offset, columns)
                place = (len(new) + found[0], found[1]) if offset is not None else place
                new += broken
                line, offset = [], None
        top = max(0, len(new) - lines)
        self.history.top.clear()
        self.history.top.extend(new[:top])
        self.buffer.clear()
        self.buffer.update(enumerate(new[top:]))
        self.cursor.y, self.cursor.x = max(0, place[0] - top), place[1]

    def _break(self, line: list[Char], offset: int | None, columns: int) -> tuple[list[Row], tuple[int, int]]:
        """Return the rows that a line takes, and in which row and column the cell at `offset` stands."""
        rows: list[Row] = [StaticDefaultDict(self.default_char)]
        place = (0, 0)
        column = 0
        for number in range(max(len(line), (offset or 0) + 1)):
            is_wide = number + 1 < len(line) and not line[number + 1].data
            if column + 1 + is_wide > columns:
                rows[-1][_GOES_ON] = self.default_char
                rows.append(StaticDefaultDict(self.default_char))
                column = 0
            if number == offset:
                place = (len(rows) - 1, column)
            if number < len(line):
                rows[-1][column] = line[number]
            column += 1
        return rows, place


def _text_of(row: Row) -> str:
    return "".join(row[column].data for column in range(max(row, default=-1) + 1)).rstrip()


class Sitting:
    """What one process does at a terminal, and what the person there types."""

    server: FakeServer
    """The one that the command talks to; set by whoever starts both."""

    def __init__(
        self,
        argv: tuple[str, ...],
        variables: dict[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
        reflows: bool = False,
        cwd: Path | None = None,
        program: tuple[str, ...] = COMMAND,
    ) -> None:
        self.raw = b""
        """All that was seen."""
        self.own: frozenset[str] = frozenset()
        """Sequences that the process may send in this sitting besides its usual ones."""
        self._is_hung_up = False
        self._emulator = Terminal(columns, rows, reflows=reflows)
        self._stream = pyte.ByteStream(self._emulator)
        self._terminal, self._program = pty.openpty()
        termios.tcsetwinsize(self._program, (rows, columns))
        self._before = termios.tcgetattr(self._program)
        environment = {name: value for name, value in os.environ.items() if name not in IDENTIFYING}
        environment |= {"TERM": "xterm-256color", **(REWRAPPING if reflows else {}), **variables}
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_THE_TERMINAL, *program, *argv],
            stdin=self._program,
            stdout=self._program,
            stderr=self._program,
            env=environment,
            cwd=cwd,
            start_new_session=True,
        )

    # What is seen

    def look(self, timeout_s: float = 0) -> bool:
        """See what comes; return whether anything did."""
        if not select.select([self._terminal], [], [], timeout_s)[0]:
            return False
        data = os.read(self._terminal, 65536)
        self.raw += data
        self._stream.feed(data)
        return True

    def wait_until(self, is_there: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not is_there():
            is_over = not self.look(0.05) and self.process.poll() is not None
            has_time = time.monotonic() < deadline_s and not is_over
            assert has_time or is_there(), self._describe("it was not seen")

    def wait_for(self, text: str) -> None:
        """See a text, on the screen or in what went by."""
        self.wait_until(lambda: any(text in line for line in self.scrollback))

    def wait_for_more(self) -> None:
        """See anything new."""
        seen = len(self.raw)
        self.wait_until(lambda: len(self.raw) > seen)

    @property
    def screen(self) -> list[str]:
        """The rows, without blanks at their ends."""
        return [line.rstrip() for line in self._emulator.display]

    @property
    def scrollback(self) -> list[str]:
        """What went by and the screen, without blanks at the ends of lines and of the whole."""
        return self._emulator.scrollback

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self._emulator.cursor.y, self._emulator.cursor.x

    @property
    def meddled(self) -> list[str]:
        """What steered the terminal besides what the command does itself: titles, clipboard, modes, regions, resets."""
        return [one for one in meddlings(self._seen) if one not in self.own]

    @property
    def left_switched(self) -> list[str]:
        """What is not as it was at the start: modes, "style", and "keys" for how it takes those."""
        last = {match[1]: match[2] for match in _SWITCH.finditer(self._seen)}
        modes = [f"?{mode}{way}" for mode, way in last.items() if (way == "h") is not (mode in _SET_BEFORE)]
        if self._emulator.cursor.attrs != Char(" "):
            modes.append("style")
        return [*modes, "keys"] if termios.tcgetattr(self._program) != self._before else modes

    @property
    def _seen(self) -> str:
        return self.raw.decode("utf-8", "surrogateescape")

    # What is done

    def type(self, keys: str) -> None:
        data = keys.encode()
        deadline_s = time.monotonic() + PATIENCE_S
        while data:  # a terminal takes no more than 4 kB at once
            assert time.monotonic() < deadline_s, self._describe("nothing reads what is typed")
            self.look()
            if select.select([], [self._terminal], [], 0.05)[1]:
                data = data[os.write(self._terminal, data[:512]) :]

    def paste(self, text: str) -> None:
        """Paste as a terminal does that was asked to mark it."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        """Change the window; the kernel tells the process."""
        while self.look():
            pass
        termios.tcsetwinsize(self._program, (rows, columns))
        self._emulator.resize(rows, columns)

    def wait(self) -> int:
        """See it to its end, and return its exit code; the terminal must be as it was, and nothing meddled with."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, self._describe("it goes on")
            self.look(0.05)
        while self.look(0.05):
            pass
        assert not self.meddled, f"the terminal was meddled with: {self.meddled}"
        assert not self.left_switched, f"the terminal was left otherwise than it was: {self.left_switched}"
        return self.process.returncode

    def hang_up(self) -> int:
        """Take the terminal away, as by closing its window, and return the exit code."""
        os.close(self._terminal)
        self._is_hung_up = True
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._program)
        if not self._is_hung_up:
            os.close(self._terminal)

    def _describe(self, what: str) -> str:
        meddled = f"; meddled with: {self.meddled}" if self.meddled else ""
        return f"{what}{meddled}; the screen:\n" + "\n".join(self.scrollback[-60:])


Sit = Callable[..., Sitting]


@contextmanager
def seats() -> Iterator[Sit]:
    """Give a function that starts the command beside a scripted server: `sit((turns...), "-n", "hi", NO_COLOR="1")`.

    Keywords in capitals are variables; the others are those of `Sitting`.
    """
    sittings: list[Sitting] = []
    servers: list[FakeServer] = []

    def sit(
        turns: tuple[Turn, ...],
        *argv: str,
        columns: int = 80,
        rows: int = 24,
        reflows: bool = False,
        program: tuple[str, ...] = COMMAND,
        **variables: str,
    ) -> Sitting:
        servers.append(FakeServer(*turns))
        servers[-1].__enter__()
        variables = {"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": servers[-1].origin, **variables}
        sittings.append(Sitting(argv, variables, columns=columns, rows=rows, reflows=reflows, program=program))
        sittings[-1].server = servers[-1]
        return sittings[-1]

    try:
        yield sit
    finally:
        for sitting in sittings:
            sitting.close()
        for server in servers:
            server.__exit__(None, None, None)
