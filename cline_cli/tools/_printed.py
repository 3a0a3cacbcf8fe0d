"""What a command printed, as text for the model: without what steers a terminal, and without its middle if long."""

from __future__ import annotations

import re

from cline_cli.text import sanitize

_OVERSTRUCK = re.compile("[^\n]\x08")


def clean(data: bytes) -> str:
    """Return output as its reader saw it in the end: without control sequences, progress lines as they last stood."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.split("\n"))
    if "\b" in text:
        text = _OVERSTRUCK.sub("", text)
    return sanitize(text)


def _last_state(line: str) -> str:
    """Return what a line shows after its carriage returns: what was written last over its beginning."""
    return next((state for state in reversed(line.split("\r")) if state), "")


def elide(head: bytes, omitted_bytes: int, tail: bytes, max_bytes: int) -> str:
    """Return the cleaned text of an output of which `omitted_bytes` are missing between head and tail.

    Of what would be longer than `max_bytes` the first third and the last two are kept, in whole lines where there are
    any, and how much is missing is said between them.
    """
    if not omitted_bytes:
        whole = clean(head + tail)
        if _size(whole) <= max_bytes:
            return whole
        first = last = whole
    else:
        first, last = clean(head), clean(tail)
    first, last = _beginning(first, max_bytes // 3), _ending(last, max_bytes - max_bytes // 3)
    missing = omitted_bytes + len(head) + len(tail) - _size(first) - _size(last)
    gap = f"[... about {missing:,} bytes left out; to see them, send the output to a file and read that ...]"
    return f"{first}\n{gap}\n{last}"


def _beginning(text: str, max_bytes: int) -> str:
    kept = text.encode()[:max_bytes].decode("utf-8", "ignore")
    lines, newline, _ = kept.rpartition("\n")
    return lines if newline else kept


def _ending(text: str, max_bytes: int) -> str:
    kept = text.encode()[-max_bytes:].decode("utf-8", "ignore")
    _, newline, lines = kept.partition("\n")
    return lines if newline and lines.strip() else kept


def _size(text: str) -> int:
    return len(text.encode())
