"""What may reach a terminal, and how wide it is there. Pure.

Untrusted text has two ways to the screen. An answer keeps every character that is text, an emoji's joiners among them,
and loses what steers a terminal: `Sanitizer`, `sanitize`. Where a decision hangs on the text (approvals, commands, file
names, titles), what cannot be seen is shown instead: `visible`, `one_line`.

The sanitizer walks the states of a terminal (ECMA-48; the parser of the DEC VT500 as drawn by Paul Williams):

    text ──ESC──> escape ──[──────> parameters ──@ to ~──────────────────> text     CSI, or U+009B
                    ├──] P X ^ _──> string ──BEL, CAN, ESC, C1, line break──> text     OSC, DCS, SOS, PM, APC, or C1
                    ├──space to /─> intermediate ──0 to ~────────────────> text
                    └──0 to ~────────────────────────────────────────────> text

A sequence that is cut short (by an end, a line break, or MAX_SEQUENCE characters) ends there, and text goes on: what
the terminal never saw begin has no need of an end, and an answer is not swallowed by a stray ESC.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_SEQUENCE = 4096
"""Characters of one control sequence that are dropped; what comes after them counts as text again."""

_STOP = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
"""Characters that show nothing although Unicode counts them as printable: fillers, joiners, variation selectors."""


class _State(NamedTuple):
    body: re.Pattern[str]
    """What goes on in this state."""
    first: str
    last: str
    """From which to which character one ends the sequence and belongs to it; any other ends it and is text."""


_NEVER = re.compile(r"(?!)")
_ESCAPE = _State(_NEVER, "0", "~")
_INTERMEDIATE = _State(re.compile("[ -/]+"), "0", "~")
_PARAMETERS = _State(re.compile("[ -?]+"), "@", "~")
_STRING = _State(re.compile("[^\x07\x18\x1a\x1b\x80-\x9f\r\n]+"), "\x07", "\x07")

_AFTER_ESCAPE = {
    "[": _PARAMETERS,
    **dict.fromkeys("]PX^_", _STRING),
    **dict.fromkeys(map(chr, range(0x20, 0x30)), _INTERMEDIATE),
}
_OPENERS = {"\x1b": _ESCAPE, "\x9b": _PARAMETERS, **dict.fromkeys("\x90\x98\x9d\x9e\x9f", _STRING)}


class Sanitizer:
    """Takes what steers a terminal out of text that comes in pieces, wherever it is cut.

    C0 but \\n and \\t, DEL, C1 and whole control sequences are dropped; \\r\\n and a lone \\r become \\n, so that the
    lines of a progress display stand below one another; the halves of a surrogate pair are joined, and a lone half
    becomes U+FFFD.
    """

    __slots__ = ("_follows_return", "_half", "_length", "_state")

    def __init__(self) -> None:
        self._state: _State | None = None
        """Where in a control sequence the next character stands; None for text."""
        self._length = 0
        self._follows_return = False
        self._half = ""
        """The first half of a surrogate pair that a cut may have parted from the second."""

    def feed(self, text: str) -> str:
        """Return what of the next piece may be shown."""
        if self._state is None and not self._follows_return and not self._half and not _STOP.search(text):
            return text
        text = self._half + text
        self._half = ""
        kept: list[str] = []
        position = 0
        while position < len(text):
            if self._state is None:
                position = self._keep(text, position, kept)
            else:
                position = self._skip(self._state, text, position)
        return "".join(kept)

    def close(self) -> str:
        """Return what is still held back at the end of the text; the next piece begins another."""
        rest = "\ufffd" if self._half else ""
        self._state, self._follows_return, self._half = None, False, ""
        return rest

    def _keep(self, text: str, position: int, kept: list[str]) -> int:
        """Read text up to and with the next character that may not be shown; return where to go on."""
        if self._follows_return:
            self._follows_return = False
            if text[position] == "\n":
                return position + 1
        stop = _STOP.search(text, position)
        if stop is None:
            kept.append(text[position:])
            return len(text)
        kept.append(text[position : stop.start()])
        character, end = stop[0], stop.end()
        if character == "\r":
            kept.append("\n")
            self._follows_return = True
        elif character in _OPENERS:
            self._state, self._length = _OPENERS[character], 0
        elif character >= "\ud800":
            return self._keep_surrogate(text, stop.start(), kept)
        return end

    def _keep_surrogate(self, text: str, position: int, kept: list[str]) -> int:
        pair = text[position : position + 2]
        if pair[0] < "\udc00" and len(pair) == 1:
            self._half = pair
        elif pair[0] < "\udc00" and "\udc00" <= pair[1] <= "\udfff":
            kept.append(pair.encode("utf-16", "surrogatepass").decode("utf-16"))
            return position + 2
        else:
            kept.append("\ufffd")
        return position + 1

    def _skip(self, state: _State, text: str, position: int) -> int:
        """Read on in a control sequence; return where to go on."""
        allowed = position + MAX_SEQUENCE - self._length
        body = state.body.match(text, position, allowed)
        end = body.end() if body else position
        self._length += end - position
        if end == len(text):
            return end
        following = _AFTER_ESCAPE.get(text[end]) if state is _ESCAPE else None
        self._state = following
        if following or (end < allowed and state.first <= text[end] <= state.last):
            return end + 1
        return end


def sanitize(text: str) -> str:
    """Return the text without what steers a terminal; what `Sanitizer` gives in one go."""
    if not _STOP.search(text):
        return text
    sanitizer = Sanitizer()
    return sanitizer.feed(text) + sanitizer.close()


def visible(text: str, *, multiline: bool = False) -> str:
    """Return the text with every character that cannot be seen, or that moves others, written as `<U+202E>`.

    Those are control and format characters (bidi controls, zero-width ones), unusual spaces, unassigned and private
    ones. `multiline` keeps \\n and \\t.
    """
    if text.isprintable() and not _BLANK.search(text):
        return text
    kept = "\n\t" if multiline else ""
    return "".join(
        character
        if character in kept or (character.isprintable() and not _BLANK.match(character))
        else f"<U+{ord(character):04X}>"
        for character in text
    )


def one_line(text: str, width: int | None = None) -> str:
    """Return the text as one line: white space folded, invisible characters shown, cut with … at `width` cells."""
    line = visible(" ".join(sanitize(text).split()))
    if width is None or display_width(line) <= width:
        return line
    cells = 0
    for index, character in enumerate(line):
        cells += _width_of(character)
        if cells >= width:
            return line[:index] + "…" if width > 0 else ""
    return line


def display_width(text: str) -> int:
    """Return how many cells of a terminal the text takes; it holds no control characters."""
    if text.isascii():
        return len(text)
    return sum(map(_width_of, text))


def _width_of(character: str) -> int:
    if character.isascii():
        return 1
    import unicodedata  # lazy: 1 MB of tables, and most text is ASCII

    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
