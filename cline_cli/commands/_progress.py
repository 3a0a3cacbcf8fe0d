"""How far a download is: one line that is drawn again and again on a terminal, a line every tenth elsewhere.

Whoever downloads only notes how far it is; drawing is a task of its own, so a terminal that was halted holds up neither
the download nor its end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from cline_cli.machine.output import Output
from cline_cli.text import one_line

_REDRAW_S = 0.1
_WINDOW_S = 5.0
"""The rate is that of the last seconds: an early burst from a cache would promise too much for long."""
_MIN_BAR, _MAX_BAR = 8, 40
_ECHO_CELLS = 3
"""Left free at the end of the line, where a terminal echoes ^C; a line that it wraps could not be taken away."""
_CLEAR = "\r\x1b[K"


class _Mark(NamedTuple):
    time_s: float
    done_bytes: int


class Progress:
    """Shows how many of a file's bytes are there, on stderr."""

    def __init__(
        self,
        name: str,
        total_bytes: int,
        output: Output,
        clock: Callable[[], float],
        columns: Callable[[], int] | None,
    ) -> None:
        """Take `columns`, which tells the width of the terminal; None where there is none to draw on."""
        self._name, self._total_bytes = name, total_bytes
        self._output, self._clock, self._columns = output, clock, columns
        self._done_bytes = 0
        self._tenths = 0
        self._marks: deque[_Mark] = deque()
        self._is_drawn = False

    def begin(self, done_bytes: int) -> None:
        """Note where a source begins; what was there before it counts for no rate."""
        self._done_bytes = done_bytes
        self._tenths = self._count_tenths()
        self._marks = deque([_Mark(self._clock(), done_bytes)])

    def move(self, done_bytes: int) -> None:
        """Note how many bytes are there."""
        self._done_bytes = done_bytes

    async def tell(self, sentence: str) -> None:
        """Write a line of its own above."""
        clear = _CLEAR if self._is_drawn else ""
        self._is_drawn = False
        await self._write(f"{clear}cline: {one_line(sentence)}\n")

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncGenerator[None, None]:
        """Draw until the block is left, and take the line away then."""
        task = asyncio.ensure_future(self._draw_always())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            if self._is_drawn:
                self._is_drawn = False
                # A terminal that takes nothing now shall not keep the process from ending.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._write(_CLEAR), _REDRAW_S)

    async def _draw_always(self) -> None:
        while True:
            await asyncio.sleep(_REDRAW_S)
            if self._marks:
                await self._draw()

    async def _draw(self) -> None:
        now_s = self._clock()
        self._marks.append(_Mark(now_s, self._done_bytes))
        while len(self._marks) > 2 and self._marks[1].time_s < now_s - _WINDOW_S:
            self._marks.popleft()
        if self._columns:
            self._is_drawn = True
            await self._write(f"\r{self.line(self._columns() - _ECHO_CELLS)}\x1b[K")
        elif self._count_tenths() > self._tenths:
            self._tenths = self._count_tenths()
            rate = self._describe_rate()
            await self._write(
                f"cline: {self._name}: {self._tenths * 10}% of {_megabytes(self._total_bytes)} MB"
                f"{f', {rate}' if rate else ''}\n"
            )

    def line(self, width: int) -> str:
        """Return the most telling line that fits."""
        share = self._done_bytes / self._total_bytes
        percent = f"{int(share * 100):3}%"
        size = f"{_megabytes(self._done_bytes)}/{_megabytes(self._total_bytes)} MB"
        rate, rest = self._describe_rate(), self._describe_rest()
        figures = "  ".join(filter(None, (percent, size, rate, rest)))
        bar_cells = min(_MAX_BAR, width - len(self._name) - len(figures) - 6)
        if bar_cells >= _MIN_BAR:
            filled = int(share * bar_cells)
            return f"{self._name}  [{'#' * filled}{'-' * (bar_cells - filled)}]  {figures}"
        short = "  ".join(filter(None, (percent, size, rest)))
        lines = (f"{self._name}  {figures}", figures, short, f"{percent}  {rest}", percent)
        return next((line for line in lines if len(line) <= width), "")

    def _rate(self) -> float:
        """Return bytes a second, or 0 where it cannot be told yet."""
        if not self._marks:
            return 0.0
        first, last = self._marks[0], self._marks[-1]
        seconds = last.time_s - first.time_s
        return max(0.0, (last.done_bytes - first.done_bytes) / seconds) if seconds > 0.5 else 0.0

    def _describe_rate(self) -> str:
        rate = self._rate()
        if not rate:
            return ""
        return f"{rate / 1e6:.1f} MB/s" if rate >= 1e6 else f"{rate / 1e3:.0f} kB/s"

    def _describe_rest(self) -> str:
        rate = self._rate()
        if not rate:
            return ""
        seconds = round((self._total_bytes - self._done_bytes) / rate)
        minutes, seconds = divmod(min(seconds, 359_999), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def _count_tenths(self) -> int:
        return self._done_bytes * 10 // self._total_bytes

    async def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # who cannot be told of the progress can still have the file
            await self._output.write_text(text)


def _megabytes(count: int) -> int:
    return round(count / 1e6)
