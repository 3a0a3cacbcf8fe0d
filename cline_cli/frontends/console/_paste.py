"""A long paste stands in the line as one token, `[pasted 5,000 lines]`, and is put in its place when it is sent. Pure.

paste ──long──> [pasted 5,000 lines] in the text ──edited, moved, deleted as one──> expand ──> the whole text
  └──short────> as it is
"""

from __future__ import annotations

import re

LEAST_LINES, LEAST_CHARACTERS = 6, 1000
"""From so much on a paste is long."""


class Pastes:
    """The long pastes of one line that is not sent yet."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def take(self, data: str) -> str:
        """Return what stands in the line for what was pasted."""
        text = data.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.removesuffix("\n").count("\n") + 1
        if lines < LEAST_LINES and len(text) < LEAST_CHARACTERS:
            return text
        size = f"{lines:,} lines" if lines >= LEAST_LINES else f"{len(text):,} characters"
        token, number = f"[pasted {size}]", 1
        while self._texts.get(token, text) != text:
            number += 1
            token = f"[pasted {size}, {number}]"
        self._texts[token] = text
        return token

    def expand(self, text: str) -> str:
        """Return the text with every token replaced by what it stands for."""
        if not self._texts:
            return text
        pattern = "|".join(re.escape(token) for token in self._texts)
        return re.sub(pattern, lambda match: self._texts[match[0]], text)

    def token_before(self, text: str) -> str:
        """Return the token that the text ends with; empty for none."""
        return next((token for token in self._texts if text.endswith(token)), "")

    def token_after(self, text: str) -> str:
        """Return the token that the text begins with; empty for none."""
        return next((token for token in self._texts if text.startswith(token)), "")
