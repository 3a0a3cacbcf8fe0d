"""`cline history show`: all that was said in a session, as text for a terminal or a pager."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import tzinfo
from typing import NamedTuple

from cline_cli.session.export import (
    Call,
    Outcome,
    Picture,
    Remark,
    Said,
    Thought,
    Turn,
    describe,
    describe_picture,
    format_time,
    from_ms,
    outline,
)
from cline_cli.session.reading import Transcript
from cline_cli.text import one_line

FIRST_LINES, LAST_LINES = 10, 5
"""Of an argument or an outcome, where not all of it is asked for."""
MAX_LINE_CHARACTERS = 500
"""Likewise."""

Paint = Callable[[str, str], str]
"""Takes a text and a style, as rich names it."""


class Manner(NamedTuple):
    is_full: bool = False
    """Nothing is shortened."""
    zone: tzinfo | None = None
    """None is the local one."""
    paint: Paint = lambda text, _style: text


def to_text(transcript: Transcript, manner: Manner) -> str:
    """Return the session for reading; nothing in it steers a terminal."""
    row = transcript.row
    blocks = [manner.paint(one_line(row.title) or row.session_id, "bold")]
    facts = describe(row, manner.zone)
    width = max(len(fact.name) for fact in facts)
    blocks.append("\n".join(f"{manner.paint(fact.name.ljust(width), 'dim')}  {fact.text}" for fact in facts))
    for turn in outline(transcript.entries):
        blocks.append(_head(turn, manner))
        blocks.extend(block for part in turn.parts for block in _part(part, manner))
    if not transcript.entries:
        blocks.append("Nothing was said in this session.")
    return "\n\n".join(blocks) + "\n"


def _head(turn: Turn, manner: Manner) -> str:
    name = manner.paint("User", "bold cyan") if turn.speaker == "user" else manner.paint("Assistant", "bold green")
    known = filter(None, (turn.model, format_time(from_ms(turn.time_ms), manner.zone)))
    return f"{manner.paint('──', 'dim')} {name}  {manner.paint('  '.join(known), 'dim')}".rstrip()


def _part(part: Said | Thought | Picture | Call | Remark, manner: Manner) -> Iterator[str]:
    match part:
        case Said(text):
            yield text.strip("\n")
        case Thought(text):
            yield manner.paint(_block("Thinking", text, manner), "dim")
        case Picture():
            yield f"[{describe_picture(part)}]"
        case Remark(text):
            yield f"[{text}]"
        case Call():
            yield "\n".join(_call(part, manner))


def _call(call: Call, manner: Manner) -> Iterator[str]:
    words = " ".join(filter(None, (manner.paint(call.name or "result", "bold"), call.summary)))
    yield f"> {words}{manner.paint(' (failed)', 'red') if call.has_failed else ''}"
    for value in call.arguments:
        yield _block(value.name or "arguments", value.text, manner)
    for outcome in call.outcomes:
        yield from _outcome(outcome, manner)
    for picture in call.pictures:
        yield f"  [{describe_picture(picture)}]"


def _outcome(outcome: Outcome, manner: Manner) -> Iterator[str]:
    if outcome.text:
        yield _block(outcome.name and f"result of {outcome.name}", outcome.text, manner)
    if outcome.error:
        name = f"error of {outcome.name}" if outcome.name else "error"
        yield manner.paint(_block(name, outcome.error, manner), "red")


def _block(name: str, text: str, manner: Manner) -> str:
    """Return an indented text under its name; a short one beside it."""
    lines = text.rstrip("\n").split("\n")
    if not manner.is_full:
        lines = list(_shorten(lines))
    if name and len(lines) == 1:
        return f"  {name}: {lines[0]}"
    return "\n".join([*([f"  {name}:"] if name else []), *(f"    {line}" if line else "" for line in lines)])


def _shorten(lines: list[str]) -> Iterator[str]:
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out <= 1:  # a line that says what is left out takes as much room as one that is
        yield from map(_cut, lines)
        return
    yield from map(_cut, lines[:FIRST_LINES])
    yield f"... {left_out:,} lines left out; --full shows them ..."
    yield from map(_cut, lines[-LAST_LINES:])


def _cut(line: str) -> str:
    left_out = len(line) - MAX_LINE_CHARACTERS
    return line if left_out <= 0 else f"{line[:MAX_LINE_CHARACTERS]} ... {left_out:,} characters left out"
