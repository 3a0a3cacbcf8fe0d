"""The few styles of a terminal that are written by hand, from the sixteen colours that every theme defines."""

from __future__ import annotations

BOLD, DIM = "\x1b[1m", "\x1b[2m"
RED, GREEN, YELLOW = "\x1b[31m", "\x1b[32m", "\x1b[33m"
MAGENTA, CYAN = "\x1b[35m", "\x1b[36m"
PLAIN = "\x1b[0m"


def paint(text: str, style: str) -> str:
    """Return the text in a style; an empty style leaves it as it is."""
    return f"{style}{text}{PLAIN}" if style and text else text
