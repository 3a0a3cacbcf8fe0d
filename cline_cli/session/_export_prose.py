"""Turns the Markdown of a reply into HTML that does nothing: no HTML of its own, no image that is fetched. Pure.

What the reader of Markdown would take away is kept: HTML stays text, an image becomes a link to where it lies, and
definitions of references stay. What it cannot read in good time is shown as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_PROSE = 50_000
"""Characters; a longer reply is shown as it was written, since one made for it would be read for minutes."""
MAX_NESTING = 60
"""Of lists and quotes in one another; the reader would drop what is deeper, so it is shown as it was written."""
FIRST_HEADING = 3
"""The level of a reply's first heading: those above it are the page's own."""
SCHEMES = ("http://", "https://", "mailto:")


def to_html(text: str) -> str:
    """Return a reply as HTML."""
    tokens = _parse(text)
    if tokens is None:
        return f'<div class="plain">{escape(text)}</div>'
    reader = _reader()
    return str(reader.renderer.render(tokens, reader.options, {})).rstrip("\n")


def is_closed(text: str) -> bool:
    """Return whether what is written below a text is no part of it: no fence is open at its end, for example."""
    if len(text) > MAX_PROSE:
        return False
    try:
        *_, opening, inline, closing = MarkdownIt("commonmark").parse(f"{text}\n\n# end\n")
    except (ValueError, RecursionError):
        return False
    return (opening.type, opening.level, inline.content, closing.type) == ("heading_open", 0, "end", "heading_close")


def _parse(text: str) -> list[Token] | None:
    if len(text) > MAX_PROSE:
        return None
    try:
        tokens = _reader().parse(text)
    except RecursionError:
        return None
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        return None
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + FIRST_HEADING - 1, 6)}"
        if token.children:
            token.children = list(_tame(token.children))
    return tokens


@cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_NESTING, "xhtmlOut": False})
    reader.enable(["strikethrough", "table"]).disable("reference")
    reader.validateLink = _is_allowed  # type: ignore[method-assign]  # as its documentation says
    return reader


def _is_allowed(url: str) -> bool:
    return url.strip().lower().startswith(SCHEMES)


def _tame(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield what stands in a line of text: links that tell nobody where one came from, and links for images."""
    is_link = False  # they cannot stand in one another
    for token in tokens:
        if token.type == "link_open":
            url = str(token.attrGet("href") or "")
            is_link = bool(url)  # one that leads nowhere would lead to the page itself
            if is_link:
                yield _link_to(url)
        elif token.type == "link_close":
            if is_link:
                yield token
            is_link = False
        elif token.type == "image":
            yield from _to_link(token, is_link=is_link)
        else:
            yield token


def _to_link(image: Token, *, is_link: bool) -> Iterator[Token]:
    url = str(image.attrGet("src") or "")
    text = Token("text", "", 0, content=f"[image: {image.content}]")
    if url and not is_link:
        yield from (_link_to(url), text, Token("link_close", "a", -1))
    else:
        yield text


def _link_to(url: str) -> Token:
    return Token("link_open", "a", 1, attrs={"href": url, "rel": "noreferrer noopener"})
