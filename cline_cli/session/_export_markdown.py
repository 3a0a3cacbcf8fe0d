"""A whole session as Markdown. What is no Markdown stands in fences, each longer than any inside of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cline_cli.session._export_facts import describe, format_time, from_ms
from cline_cli.session._export_outline import (
    Call,
    Outcome,
    Part,
    Picture,
    Remark,
    Said,
    Thought,
    Turn,
    describe_picture,
    outline,
)
from cline_cli.session._export_prose import is_closed
from cline_cli.session.reading import Transcript
from cline_cli.text import one_line

LEAST_FENCE = 3
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def to_markdown(transcript: Transcript) -> str:
    """Return the document; it can be encoded as UTF-8."""
    row = transcript.row
    turns = outline(transcript.entries)
    blocks = [
        f"# {_escape(one_line(row.title) or row.session_id)}",
        "\n".join(f"- **{fact.name}:** {_code(fact.text)}" for fact in describe(row)),
        *(block for turn in turns for block in _turn(turn)),
    ]
    if not turns:
        blocks.append("Nothing was said in this session.")
    return "\n\n".join(blocks) + "\n"


def _turn(turn: Turn) -> Iterator[str]:
    head = "User" if turn.speaker == "user" else "Assistant"
    if turn.model:
        head += f", {_code(turn.model)}"
    time = format_time(from_ms(turn.time_ms))
    yield f"## {head}{f', {time}' if time else ''}"
    for part in turn.parts:
        yield from _part(part, is_reply=turn.speaker == "assistant")


def _part(part: Part, *, is_reply: bool) -> Iterator[str]:
    match part:
        case Said(text) if is_reply and is_closed(text):
            yield text.strip("\n")
        case Said(text):
            yield _fence(text)
        case Thought(text):
            yield "### Thinking"
            yield _fence(text)
        case Picture():
            yield _picture(part)
        case Remark(text):
            yield f"*{text}*"
        case Call():
            yield from _call(part)


def _call(call: Call) -> Iterator[str]:
    words = (_code(call.name) if call.name else "Result", _code(call.summary) if call.summary else "")
    yield f"### {' '.join(filter(None, words))}{' (failed)' if call.has_failed else ''}"
    for value in call.arguments:
        yield f"{_code(value.name) if value.name else 'Arguments'}:"
        yield _fence(value.text)
    for outcome in call.outcomes:
        yield from _outcome(outcome)
    yield from map(_picture, call.pictures)
    if not call.outcomes and not call.pictures:
        yield "*It answered nothing.*"


def _outcome(outcome: Outcome) -> Iterator[str]:
    name = f" of {_code(outcome.name)}" if outcome.name else ""
    if outcome.text:
        yield f"Result{name}:"
        yield _fence(outcome.text)
    if outcome.error:
        yield f"Error{name}:"
        yield _fence(outcome.error)


def _picture(picture: Picture) -> str:
    return f"*{_escape(describe_picture(picture))}; the exports to HTML and JSON have it.*"


def _escape(text: str) -> str:
    """Return one line of text so that it is read as text."""
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    """Return one line of text, which is not empty, as code."""
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text[0] in " `" or text[-1] in " `" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _fence(text: str) -> str:
    fence = "`" * max(LEAST_FENCE, _longest_run(text) + 1)
    return f"{fence}text\n{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
