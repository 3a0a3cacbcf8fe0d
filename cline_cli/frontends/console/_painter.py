"""When to draw: at once for the first text, then at most ten times a second, so that a fast model costs no frames."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cline_cli.frontends.console._answer import load

FRAME_S = 0.1
TICK_S = 0.25
"""How often what only grows older is drawn, the status line, while nothing comes."""


class Painter:
    """Calls `draw` in a task of its own, and in the caller's where that gets no time."""

    def __init__(self, draw: Callable[[], Awaitable[None]], clock: Callable[[], float]) -> None:
        self._draw = draw
        self._clock = clock
        self._drawn_s = 0.0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._paint())

    def check(self) -> None:
        """Raise what ended the task, if anything did."""
        if self._task and self._task.done():
            self._task.result()

    async def end(self) -> None:
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()

    def note_change(self) -> None:
        self._changed.set()

    async def show_text(self, *, is_first: bool) -> None:
        """Draw now if a frame is due, else soon: deltas that come without a pause leave a task no time.

        The first text of a message is drawn before anything is imported for it.
        """
        if not is_first and self._clock() - self._drawn_s < FRAME_S:
            self._changed.set()
            return
        if not is_first:
            load()
        await self._draw_frame()

    async def _draw_frame(self) -> None:
        self._changed.clear()
        self._drawn_s = self._clock()
        await self._draw()

    async def _paint(self) -> None:
        while True:
            try:
                async with asyncio.timeout(TICK_S):
                    await self._changed.wait()
            except TimeoutError:
                # The model takes its time, which is the best time to import what its text will need.
                load()
                await self._draw()
                continue
            await self._draw_frame()
            load()
            await asyncio.sleep(FRAME_S)
