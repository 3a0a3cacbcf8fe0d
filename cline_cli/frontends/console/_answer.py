"""The text of one message while it grows: what of it is finished, and a look at what is open."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib import import_module

from cline_cli.frontends.console._blocks import BlockSplitter
from cline_cli.frontends.console.screen import Line
from cline_cli.text import Sanitizer, display_width, one_line

MARKDOWN = "cline_cli.frontends.console._markdown"

_UNREADABLE = re.compile(r"[-=*+_#`~|:>\[\]()\d.\s]*\Z")
"""A last line that is only marks so far: it may yet become anything, an underline of the text above it among others."""


class Answer:
    def __init__(self, *, is_light: bool = False) -> None:
        """Take the terminal for a light or a dark one."""
        self._is_light = is_light
        self.has_shown = False
        """Some of it has been printed for good."""
        self.is_closed = False
        self._is_begun = False
        self._sanitizer = Sanitizer()
        self._splitter = BlockSplitter()
        self._finished: list[str] = []

    def feed(self, text: str) -> bool:
        """Take the next piece, and return whether it is the first of which something can be seen."""
        text = self._sanitizer.feed(text)
        self._finished += self._splitter.feed(text)
        if self._is_begun or not text.strip():
            return False
        self._is_begun = True
        return True

    def close(self) -> None:
        """Count the open block as finished: no more text comes."""
        self.is_closed = True
        self._finished += self._splitter.feed(self._sanitizer.close())
        self._finished += self._splitter.close()

    async def render_finished(self, columns: int) -> list[list[Line]]:
        """Return the lines of each finished block that was not yet dropped; others may run between two blocks."""
        rendered: list[list[Line]] = []
        for block in self._finished:
            text = block.strip("\n")
            rendered.append(render(text, columns, is_light=self._is_light) if text.strip() else [])
            await asyncio.sleep(0)
        return rendered

    def drop(self, blocks: int) -> None:
        """Forget the first finished blocks: they have been printed for good."""
        self.has_shown = self.has_shown or blocks > 0
        del self._finished[:blocks]

    def look(self, columns: int, rows: int) -> list[Line]:
        """Return the last lines of the open block, as it stands."""
        text = self._splitter.tail(rows, columns * rows)
        body, separator, last = text.rpartition("\n")
        if separator and _UNREADABLE.match(last):
            text = body
        text = text.strip("\n")
        if not text.strip() or (text.startswith("|") and text.count("\n") < 2):
            return []  # the head of a table is none yet, and would jump when it becomes one
        if not is_loaded():
            lines = [one_line(line, columns) for line in text.split("\n")[-rows:]]
            return [Line(line, display_width(line)) for line in lines]
        return render(text, columns, is_live=True, is_light=self._is_light)[-rows:]


def is_loaded() -> bool:
    return MARKDOWN in sys.modules


def load() -> None:
    """Import what renders Markdown, which takes 90 ms. Until then the open block is looked at as it was written."""
    import_module(MARKDOWN)


def render(block: str, columns: int, *, is_live: bool = False, is_light: bool = False) -> list[Line]:
    """Return the lines of a block of Markdown."""
    from cline_cli.frontends.console import _markdown  # lazy: see load

    return _markdown.render(block, columns, is_live=is_live, is_light=is_light)
