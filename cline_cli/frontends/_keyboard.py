r"""What a person types at a terminal that does not edit lines itself: its bytes as keys, and how they are echoed. Pure.

The bytes of a key that is no character begin with ESC (ECMA-48, and xterm's ctlseqs): CSI, `ESC [ 1 ; 5 A`; SS3,
`ESC O P`; the Linux console's `ESC [ [ A`; Alt and a character, `ESC x`; a string that the terminal itself sends,
`ESC ] ... BEL`. None of these says anything here. ESC alone does, and only time tells that it is alone.
"""

from __future__ import annotations

import codecs
import re

from cline_cli.text import display_width, visible

NAMED = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\b": "backspace", "\x15": "clear", "\x04": "end"}
ESCAPE = "\x1b"
_SEQUENCE = re.compile(
    r"\x1b(?:\[\[.|\[[0-?]*[ -/]*[@-Z\\-~]|O.|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[^][OPX^_\x00-\x07\x09-\x1f])",
    re.DOTALL,
)
_BEGUN = re.compile(r"\x1b(?:\[\[?|\[[0-?]*[ -/]*|O|[]PX^_][^\x07\x1b]*\x1b?)?\Z", re.DOTALL)
_MARGIN = "  > "
"""Begins the row that words move to when they are too many to stand behind the question."""


class Keyboard:
    """Reads bytes as keys, wherever they are cut: printable characters, and the names in NAMED and "escape"."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def is_waiting(self) -> bool:
        """Whether it takes more bytes, or time, to tell which key was the last."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that these bytes complete."""
        text = self._rest + self._decoder.decode(data)
        keys: list[str] = []
        position = 0
        while position < len(text) and not _BEGUN.match(text, position):
            if sequence := _SEQUENCE.match(text, position):
                position = sequence.end()
                continue
            character = text[position]
            position += 1
            if character == ESCAPE:
                keys.append("escape")
            elif character in NAMED or character.isprintable():
                keys.append(NAMED.get(character, character))
        self._rest = text[position:]
        return keys

    def settle(self) -> list[str]:
        """Return the key that was waited for, after a moment in which nothing more came."""
        rest, self._rest = self._rest, ""
        return ["escape"] if rest == ESCAPE else []


class Echo:
    """Shows what is typed behind a question, by backspaces alone, which any terminal knows.

    It keeps to one row, since no backspace leads back to the row before: words that do not fit there move to the next
    row, and of those that do not fit either the end is shown.
    """

    def __init__(self, columns: int, cells: int) -> None:
        """Take how wide the terminal is, and how many cells of its row are taken."""
        self._columns = columns
        self._cells = cells
        self._shown = ""
        self._has_moved = False

    def show(self, typed: str) -> str:
        """Return what to write so that this stands there in place of what does."""
        text = visible(typed)
        moved = ""
        if not self._has_moved and display_width(text) > self._room:
            moved = f"\n{_MARGIN}"
            self._shown, self._cells, self._has_moved = "", len(_MARGIN), True
        while text and (display_width(text) > self._room or not display_width(text[0])):
            text = text[1:]  # what is drawn over another character needs one to be drawn over
        kept = _common(self._shown, text)
        back = display_width(self._shown[kept:])
        gap = max(0, display_width(self._shown) - display_width(text))
        self._shown = text
        return moved + "\b" * back + text[kept:] + " " * gap + "\b" * gap

    @property
    def _room(self) -> int:
        return max(1, self._columns - 1 - self._cells)


def _common(before: str, after: str) -> int:
    """Return how many characters may stay; one that another is drawn over is not parted from it."""
    pairs = enumerate(zip(before, after, strict=False))
    kept = next((index for index, (old, new) in pairs if old != new), min(len(before), len(after)))
    while kept and any(text[kept:] and not display_width(text[kept]) for text in (before, after)):
        kept -= 1
    return kept
