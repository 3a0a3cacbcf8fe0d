"""What tools send back: JSON text for the model, one line for people. Pure.

The form is the original command's (3.x): `[{"query", "result", "success"[, "error"]}]`, for `editor` one such object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cline_cli.agent.messages import ImagePart, TextPart
from cline_cli.agent.tool import ToolOutput

MAX_RESULT_BYTES = 48_000
"""Of one item's text, about 12,000 tokens."""
_MAX_QUERY_CHARACTERS = 200
_MAX_LINE_CHARACTERS = 160


class ItemError(Exception):
    """One thing that was asked for cannot be had; the message tells the model why. The others go on."""


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one thing that was asked for."""

    query: str
    result: str = ""
    error: str = ""
    """Empty where it succeeded."""
    display: str = ""
    """For people; empty means the error."""
    image: ImagePart | None = None
    diff: str = ""
    """What was changed, for people, as in ToolOutput."""

    def to_object(self) -> dict[str, str | bool]:
        entry: dict[str, str | bool] = {
            "query": shorten(self.query, _MAX_QUERY_CHARACTERS),
            "result": self.result,
            "success": not self.error,
        }
        return {**entry, "error": self.error} if self.error else entry


def to_output(items: Sequence[Item]) -> ToolOutput:
    """Return the outcome of a tool that takes several; it failed where every item did."""
    return _output([item.to_object() for item in items], items)


def to_single_output(item: Item) -> ToolOutput:
    """Return the outcome of a tool that takes one."""
    return _output(item.to_object(), (item,))


def _output(content: object, items: Sequence[Item]) -> ToolOutput:
    # A lone surrogate, from a file name that is not UTF-8, could not be sent.
    text = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace").decode()
    return ToolOutput(
        parts=(TextPart(text), *(item.image for item in items if item.image)),
        display=one_line("; ".join(item.display or item.error for item in items)),
        is_error=all(item.error for item in items),
        diff="\n".join(item.diff for item in items if item.diff),
    )


def one_line(text: str) -> str:
    """Return the first line of a text, or what fits of it, with an ellipsis where something is missing."""
    stripped = text.strip()
    lines = stripped.splitlines()
    first = lines[0] if lines else ""
    return shorten(first if len(lines) < 2 else f"{first.rstrip()} …", _MAX_LINE_CHARACTERS)


def shorten(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else f"{text[: max_characters - 1]}…"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 file", "2 files", "1,234 files"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
