"""One page of HTML that holds a whole session, for reading and printing: no script, and nothing that it would fetch.

Everything that came from outside is escaped, and the policy in the page's head forbids the rest. Calls and thoughts are
folded with <details>, which needs no script and is opened in print.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape

from cline_cli import __version__
from cline_cli.session._export_facts import Fact, describe, format_time, from_ms
from cline_cli.session._export_outline import (
    Call,
    Outcome,
    Part,
    Picture,
    Remark,
    Said,
    Thought,
    Turn,
    Value,
    describe_picture,
    outline,
)
from cline_cli.session._export_prose import to_html as prose_to_html
from cline_cli.session._export_style import STYLE
from cline_cli.session.reading import Transcript
from cline_cli.text import one_line

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Pictures of these types are only ever pixels."""
LONG_LINES = 20
"""A text of more may be a box that scrolls."""
LISTED_PROMPTS = 3
"""From so many on the page has a list of what the person asked."""

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def to_html(transcript: Transcript) -> str:
    """Return the page; it can be encoded as UTF-8."""
    row = transcript.row
    title = one_line(row.title) or row.session_id
    turns = outline(transcript.entries)
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta name="generator" content="cline {__version__}">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{STYLE}</style>",
        "</head>",
        "<body>",
        "<header>",
        f'<h1 lang="" dir="auto">{escape(title)}</h1>',
        *_facts(describe(row)),
        "</header>",
        *_contents(turns),
        "<main>",
        *(line for number, turn in enumerate(turns, start=1) for line in _turn(number, turn)),
        *([] if turns else ["<p>Nothing was said in this session.</p>"]),
        "</main>",
        "</body>",
        "</html>",
    ]
    # A reference such as &#8238; in Markdown becomes a character only when it is read, so the page is looked at whole.
    return _HIDDEN.sub(lambda found: f"&lt;U+{ord(found[0]):04X}&gt;", "\n".join(lines)) + "\n"


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    yield "<dl>"
    for fact in facts:
        yield f"<div><dt>{fact.name}</dt><dd>{escape(fact.text)}</dd></div>"
    yield "</dl>"


def _contents(turns: Sequence[Turn]) -> Iterator[str]:
    prompts = [(number, _first_line(turn)) for number, turn in enumerate(turns, start=1) if turn.speaker == "user"]
    if len(prompts) < LISTED_PROMPTS:
        return
    yield '<nav aria-label="Prompts">'
    yield f"<details><summary>{len(prompts)} prompts</summary>"
    yield "<ol>"
    for number, line in prompts:
        yield f'<li><a href="#turn-{number}" lang="" dir="auto">{escape(line)}</a></li>'
    yield "</ol>"
    yield "</details>"
    yield "</nav>"


def _first_line(turn: Turn) -> str:
    text = next((part.text for part in turn.parts if isinstance(part, Said) and part.text.strip()), "")
    return one_line(text[:400], 100) or "(no text)"


def _turn(number: int, turn: Turn) -> Iterator[str]:
    name = "User" if turn.speaker == "user" else "Assistant"
    model = f' <span class="model">{escape(turn.model)}</span>' if turn.model else ""
    yield f'<section class="{turn.speaker}" aria-labelledby="turn-{number}">'
    yield f'<h2 id="turn-{number}">{name}{model}{_time(turn.time_ms)}</h2>'
    for part in turn.parts:
        yield from _part(part, is_reply=turn.speaker == "assistant")
    yield "</section>"


def _time(time_ms: int | None) -> str:
    time = from_ms(time_ms)
    if time is None:
        return ""
    return f' <time datetime="{time:%Y-%m-%dT%H:%M:%SZ}">{format_time(time)}</time>'


def _part(part: Part, *, is_reply: bool) -> Iterator[str]:
    match part:
        case Said(text) if is_reply:
            yield f'<div class="prose" lang="" dir="auto">{prose_to_html(text)}</div>'
        case Said(text):
            yield f'<div class="plain" lang="" dir="auto"{_reach(text, "What was said")}>{escape(text)}</div>'
        case Thought(text):
            yield f'<details class="thought"><summary>Thinking</summary>{_box(text, "Thinking")}</details>'
        case Picture():
            yield _picture(part)
        case Remark(text):
            yield f'<p class="remark">{escape(text)}</p>'
        case Call():
            yield from _call(part)


def _call(call: Call) -> Iterator[str]:
    failed = ' <strong class="failed">failed</strong>' if call.has_failed else ""
    summary = f" <span>{escape(call.summary)}</span>" if call.summary else ""
    yield f'<details class="call"><summary><code>{escape(call.name) or "result"}</code>{summary}{failed}</summary>'
    yield from (_value(value) for value in call.arguments)
    for outcome in call.outcomes:
        yield from _outcome(outcome)
    yield from map(_picture, call.pictures)
    if not call.outcomes and not call.pictures:
        yield '<p class="remark">It answered nothing.</p>'
    yield "</details>"


def _value(value: Value) -> str:
    name = value.name or "arguments"
    return f'<div class="label">{escape(name)}</div>{_box(value.text, name)}'


def _outcome(outcome: Outcome) -> Iterator[str]:
    name = f"Result: {outcome.name}" if outcome.name else "Result"
    if outcome.text:
        yield f'<div class="label">{escape(name)}</div>{_box(outcome.text, name)}'
    if outcome.error:
        error = f"Error: {outcome.name}" if outcome.name and not outcome.text else "Error"
        yield f'<div class="label failed">{escape(error)}</div>{_box(outcome.error, error)}'


def _box(text: str, name: str) -> str:
    # The first line break after <pre> is not part of the text, so one is put there that may go.
    return f'<pre lang=""{_reach(text, name)}>\n{escape(text)}</pre>'


def _reach(text: str, name: str) -> str:
    """Return the attributes that let the keyboard into a box that scrolls."""
    return f' tabindex="0" role="region" aria-label="{escape(name)}"' if text.count("\n") >= LONG_LINES else ""


def _picture(picture: Picture) -> str:
    name = escape(describe_picture(picture))
    if picture.media_type not in SHOWN_TYPES:
        return f'<p class="remark">{name}, which is not shown.</p>'
    data = b64encode(picture.data).decode("ascii")
    return f'<p><img src="data:{picture.media_type};base64,{data}" alt="{name}"></p>'
