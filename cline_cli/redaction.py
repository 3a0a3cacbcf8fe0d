"""Secrets taken out of what is shown and kept: the text of each, and what it looks like encoded. Pure.

The forms are those in which servers and tools give back what they were sent: as it is, escaped for JSON (once, and
twice as in arguments of a tool call) and for a URL, and in base64, wherever in a longer text it begins. A secret that
was cut or encoded in another way is not recognized: this is the second line of defence, after not letting it out.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

SHORTEST = 8
"""What has fewer characters is a word, and may stand in any sentence."""
SHORTEST_ENCODED = 12
"""Of fewer characters little is left in base64 that is only theirs."""
MASK = "***"
_SAME_AT_START = (0, 2, 3)
"""How many characters of base64 depend on what stands before, by how many bytes of a group of three that is."""


class Redactor:
    """Knows secrets; those that are too short are left out, and so are empty ones."""

    def __init__(self, secrets: Iterable[str], shortest: int = SHORTEST) -> None:
        found = {form for secret in secrets if len(secret) >= shortest for form in find_forms(secret)}
        self.forms = tuple(sorted(found, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """Return the text with MASK in the place of every secret; the same object where there is none."""
        for form in self.forms:
            if form in text:
                text = text.replace(form, MASK)
        return text


class RedactedStream:
    """Text that comes in pieces: what may be the beginning of a secret is held back until it is known."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._beginnings = frozenset(form[:size] for form in redactor.forms for size in range(1, len(form)))
        self._longest = max(map(len, redactor.forms), default=1) - 1
        self._firsts = frozenset(form[0] for form in redactor.forms)
        # Most pieces hold not even this much of a secret, and there are tens of thousands of them.
        starts = {re.escape(form[:2]) for form in redactor.forms} | {rf"{re.escape(one)}\Z" for one in self._firsts}
        self._find_start = re.compile("|".join(sorted(starts)) or "(?!)").search
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what can be shown after this piece."""
        if self._held:
            text = self._held + text
            self._held = ""
        if not self._find_start(text):
            return text
        text = self._redactor.redact(text)
        tail = text[max(0, len(text) - self._longest) :]
        starts = (at for at, letter in enumerate(tail) if letter in self._firsts)
        self._held = next((tail[at:] for at in starts if tail[at:] in self._beginnings), "")
        return text[: len(text) - len(self._held)]

    def close(self) -> str:
        """Return what is left, and begin anew."""
        held, self._held = self._held, ""
        return held


class MaskedBytes:
    """The same for the bytes of a file, which keep their number: a secret becomes as many asterisks."""

    def __init__(self, redactor: Redactor) -> None:
        self._forms = tuple(form.encode() for form in redactor.forms)
        self._longest = max(map(len, self._forms), default=1) - 1
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Return what can be written after this piece."""
        data = self._held + piece
        for form in self._forms:
            data = data.replace(form, b"*" * len(form))
        start = next(
            (at for at in range(max(0, len(data) - self._longest), len(data)) if self._may_begin(data[at:])), None
        )
        self._held = b"" if start is None else data[start:]
        return data if start is None else data[:start]

    def close(self) -> bytes:
        """Return what is left."""
        held, self._held = self._held, b""
        return held

    def _may_begin(self, tail: bytes) -> bool:
        return any(form.startswith(tail) for form in self._forms)


def find_forms(secret: str) -> frozenset[str]:
    """Return what a secret looks like, in the encodings that are recognized."""
    escaped = _escape(secret)
    url = quote(secret, safe="")
    forms = {secret, escaped, _escape(escaped), url, quote(secret), _lower_escapes(url)}
    if len(secret) >= SHORTEST_ENCODED:
        for before, start in enumerate(_SAME_AT_START):
            data = b"\0" * before + secret.encode()
            known = slice(start, len(data) * 8 // 6)
            forms |= {base64.b64encode(data).decode()[known], base64.urlsafe_b64encode(data).decode()[known]}
    return frozenset(forms)


def _escape(text: str) -> str:
    return json.dumps(text)[1:-1]


def _lower_escapes(url: str) -> str:
    return "%".join(part if number == 0 else part[:2].lower() + part[2:] for number, part in enumerate(url.split("%")))
