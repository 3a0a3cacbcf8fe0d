"""Sessions as documents: a page of HTML for reading and printing, Markdown, and JSON in which nothing is lost. Pure.

Transcript ──> describe, outline ──> HTML, Markdown, and what `history show` prints
           └─> JSON
"""

from __future__ import annotations

from typing import Literal, get_args

from cline_cli.session._export_facts import Fact, describe, format_time, from_ms, to_time
from cline_cli.session._export_json import to_json, to_json_row
from cline_cli.session._export_outline import (
    Call,
    Outcome,
    Picture,
    Remark,
    Said,
    Thought,
    Turn,
    describe_picture,
    outline,
)
from cline_cli.session.reading import Transcript

__all__ = [
    "FORMATS",
    "Call",
    "Fact",
    "Format",
    "Outcome",
    "Picture",
    "Remark",
    "Said",
    "Thought",
    "Turn",
    "describe",
    "describe_picture",
    "export",
    "format_time",
    "from_ms",
    "outline",
    "to_json",
    "to_json_row",
    "to_time",
]

Format = Literal["html", "md", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export(transcript: Transcript, form: Format) -> str:
    """Return a session as a document, which can be encoded as UTF-8."""
    match form:
        case "html":
            from cline_cli.session._export_html import to_html  # lazy: 80 ms of a parser that lists do without

            return to_html(transcript)
        case "md":
            from cline_cli.session._export_markdown import to_markdown  # lazy: as above

            return to_markdown(transcript)
        case "json":
            return to_json(transcript)
