"""A person at a terminal: one process on a pty of its own, seen through an emulator.

    keys, pastes, sizes ──> pty ──> the process ──> pty ──> raw bytes ──> Terminal: screen and scrollback
                                                                └──> what it has meddled with

The emulator cuts lines when it becomes narrower, as xterm does, and never breaks them anew.
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
from collections.abc import Callable
from typing import Any

import pyte

from tests.fake_server import FakeServer

PATIENCE_S = 40.0
IDENTIFYING = (
    *("TMUX", "TERM_PROGRAM", "VTE_VERSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "WT_SESSION", "COLORTERM"),
    *("ALACRITTY_WINDOW_ID", "WEZTERM_PANE", "STY", "GHOSTTY_RESOURCES_DIR", "NO_COLOR", "COLUMNS", "CI"),
)
AT_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "cline_cli", *sys.argv[1:]])
"""
OWN_MODES = frozenset({"?7h", "?7l", "?2004h", "?2004l"})
"""What the command switches itself, and switches back."""
_MEDDLING = re.compile(
    r"\x1b(?:[\]P^_X][^\x07\x1b]*|c|\[!p|\[[0-9;]*r|\[\?[0-9;]*[hl]|\[[0-9;]*t|[78])"
    r"|[\x80-\x9f]|\x07"
)


class Terminal(pyte.HistoryScreen):
    """pyte's screen, but what becomes lower keeps its lines: those above go into the history."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines, history=100_000, ratio=0.5)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        lines, columns = lines or self.lines, columns or self.columns
        surplus = max(0, self.cursor.y + 1 - lines)
        for _ in range(surplus):
            self.history.top.append(self.buffer[0])
            for row in range(self.lines - 1):
                self.buffer[row] = self.buffer[row + 1]
            self.buffer.pop(self.lines - 1, None)
            self.cursor.y -= 1
        for row in range(lines, self.lines):
            self.buffer.pop(row, None)
        if columns < self.columns:
            for line in self.buffer.values():
                for column in range(columns, self.columns):
                    line.pop(column, None)
        self.lines, self.columns = lines, columns
        self.cursor.x = min(self.cursor.x, columns - 1)
        self.set_margins()
        self.dirty.update(range(lines))

    @property
    def scrollback(self) -> list[str]:
        """History and screen, without blanks at the ends of lines and of the whole."""
        lines = [self._text(line) for line in self.history.top] + [line.rstrip() for line in self.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _text(self, line: Any) -> str:
        end = max(line, default=-1) + 1
        cells = [line[column].data for column in range(end)]
        return "".join(cells).rstrip()


class Sitting:
    server: FakeServer
    """The one that the command talks to; set by whoever starts both."""

    def __init__(self, argv: tuple[str, ...], variables: dict[str, str], *, columns: int = 80, rows: int = 24) -> None:
        self.raw = b""
        """All that was seen."""
        self._emulator = Terminal(columns, rows)
        self._stream = pyte.ByteStream(self._emulator)
        self._terminal, self._program = pty.openpty()
        termios.tcsetwinsize(self._program, (rows, columns))
        self._before = termios.tcgetattr(self._program)
        environment = {name: value for name, value in os.environ.items() if name not in IDENTIFYING}
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_THE_TERMINAL, *argv],
            stdin=self._program,
            stdout=self._program,
            stderr=self._program,
            env={**environment, "TERM": "xterm-256color", **variables},
            start_new_session=True,
        )

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
            assert has_time or is_there(), "not seen; the screen:\n" + "\n".join(self.scrollback[-60:])

    def wait_for(self, text: str) -> None:
        """See a text, on the screen or in what went by."""
        self.wait_until(lambda: any(text in line for line in self.scrollback))

    def wait_for_more(self) -> None:
        """See anything new."""
        seen = len(self.raw)
        self.wait_until(lambda: len(self.raw) > seen)

    def type(self, keys: str) -> None:
        data = keys.encode()
        while data:  # a terminal takes no more than 4 kB at once
            self.look()
            if select.select([], [self._terminal], [], 0.05)[1]:
                data = data[os.write(self._terminal, data[:512]) :]

    def paste(self, text: str) -> None:
        """Paste as a terminal does that was asked to mark it."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def resize(self, columns: int, rows: int) -> None:
        while self.look():
            pass
        termios.tcsetwinsize(self._program, (rows, columns))
        self._emulator.resize(rows, columns)

    def wait(self) -> int:
        """See it to its end; the terminal must be as it was, and nothing have been meddled with."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, "it goes on; the screen:\n" + "\n".join(self.screen)
            self.look(0.05)
        while self.look(0.05):
            pass
        assert termios.tcgetattr(self._program) == self._before
        assert self.meddled == []
        for mode in ("?7", "?2004"):
            switches = re.findall(rf"\x1b\[{re.escape(mode)}([hl])", self.raw.decode("utf-8", "replace"))
            assert switches[-1:] in ([], ["h"] if mode == "?7" else ["l"]), f"mode {mode} was left as {switches[-1]}"
        return self.process.returncode

    @property
    def meddled(self) -> list[str]:
        """What steered the terminal besides what the command does itself: titles, clipboard, modes, regions, resets."""
        found = (match[0] for match in _MEDDLING.finditer(self.raw.decode("utf-8", "replace")))
        return [one for one in found if one.removeprefix("\x1b[") not in OWN_MODES]

    @property
    def screen(self) -> list[str]:
        return [line.rstrip() for line in self._emulator.display]

    @property
    def scrollback(self) -> list[str]:
        return self._emulator.scrollback

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self._emulator.cursor.y, self._emulator.cursor.x

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._terminal)
        os.close(self._program)
