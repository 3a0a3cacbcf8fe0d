"""Turns Markdown into lines for a terminal, with rich: nothing of the text is lost, and nothing of it steers.

rich's own reading is changed where it drops what a model wrote: HTML stays text (`List<String>`), a link or an image
shows where it leads, definitions of references stay, and cells of a table are folded, not cut. Colours are the sixteen
of the terminal's theme, without backgrounds, so that they can be read on light and dark.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import cache
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import box
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, HorizontalRule, Markdown, MarkdownContext, MarkdownElement, TableElement
from rich.rule import Rule
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table
from rich.theme import Theme

from cline_cli.frontends.console.screen import BLANK, MIN_COLUMNS, Line

THEME = Theme(
    {
        "markdown.block_quote": "dim",
        "markdown.code": "cyan",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.h4": "italic",
        "markdown.h6": "italic",
        "markdown.item.bullet": "cyan",
        "markdown.link": "underline",
        "markdown.link_url": "dim",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)
CODE_THEMES = {False: "ansi_dark", True: "ansi_light"}
"""By whether the terminal is light."""
CONTAINERS = frozenset({"bullet_list_open", "ordered_list_open", "blockquote_open", "table_open"})
MAX_BLOCK = 100_000
"""Characters; a larger block is shown as it was written, since reading it would hold everything else for a second."""


def render(text: str, columns: int, *, is_live: bool = False, is_light: bool = False) -> list[Line]:
    """Return the lines of a text; it has passed the sanitizer.

    A line is at most `columns` wide, but for code outside of lists and quotes: its lines stay whole and are wrapped by
    the terminal, so that they can be copied. `is_live` wraps them too. `is_light` tells what the terminal looks like.
    """
    if len(text) > MAX_BLOCK:
        return [Line(line, Segment(line).cell_length) for line in text.expandtabs(4).rstrip("\n").split("\n")]
    console = _console()
    document = _Document(text, wraps_code=is_live, is_light=is_light)
    segments = console.render(document, console.options.update(width=max(columns, MIN_COLUMNS)))
    lines = [_to_line(list(Segment.simplify(line))) for line in Segment.split_lines(segments)]
    if document.begins_with_container and lines[:1] == [BLANK]:
        # rich parts a list, a quote or a table from the text inside of it, which it has just read.
        del lines[0]
    while lines and lines[-1] == BLANK:
        lines.pop()
    return lines


@cache
def _console() -> Console:
    """rich's settings; nothing is ever printed to it."""
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        theme=THEME,
        highlight=False,
        legacy_windows=False,
    )


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("reference")


@cache
def _known_lexer(name: str) -> str:
    """Return the name if there is a lexer of it; that there is none costs a search through all installed packages."""
    return name if Syntax("", name).lexer else "text"


def _to_line(segments: Sequence[Segment]) -> Line:
    """Return a line with its styles written out, and without the blanks that only fill it."""
    end = len(segments)
    while end and not segments[end - 1].text.rstrip(" "):
        end -= 1
    parts: list[str] = []
    cells = 0
    for index, segment in enumerate(segments[:end]):
        text = segment.text.rstrip(" ") if index == end - 1 else segment.text
        style = segment.style
        parts.append(style.render(text, color_system=ColorSystem.STANDARD) if style else text)
        cells += Segment(text).cell_length
    return Line("".join(parts), cells)


class _Code(CodeBlock):
    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Code:
        words = token.info.split()
        element = cls(words[0] if words else "text", str(markdown.code_theme))
        element.wraps = not isinstance(markdown, _Document) or markdown.wraps_code
        return element

    wraps = True

    def on_enter(self, context: MarkdownContext) -> None:
        super().on_enter(context)
        self.wraps = self.wraps or len(context.stack) > 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        syntax = Syntax("", _known_lexer(self.lexer_name), theme=self.theme)
        text = syntax.highlight(self.text.plain.rstrip("\n").expandtabs(4))
        text.rstrip()
        text.no_wrap = not self.wraps
        text.overflow = "fold" if self.wraps else "ignore"
        yield text


class _Heading(Heading):
    LEVEL_ALIGN: ClassVar = {}  # rich centres the first level


class _Rule(HorizontalRule):
    new_line = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Rule(style="dim")


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, style="markdown.table.border")
        for cell in self.header.row.cells if self.header and self.header.row else ():
            heading = cell.content.copy()
            heading.stylize("markdown.table.header")
            table.add_column(heading, justify=cell.justify, overflow="fold")
        for row in self.body.rows if self.body else ():
            table.add_row(*(cell.content for cell in row.cells))
        yield table


class _Document(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Code,
        "code_block": _Code,
        "heading_open": _Heading,
        "hr": _Rule,
        "table_open": _Table,
    }

    def __init__(self, text: str, *, wraps_code: bool, is_light: bool) -> None:
        """Read the text; what rich's own constructor does beyond that is to make a parser anew."""
        self.markup = text
        self.inlines = {*Markdown.inlines, "link", "link_url"}
        self.parsed = [_show_targets(token) for token in _parser().parse(text)]
        self.code_theme = self.inline_code_theme = CODE_THEMES[is_light]
        self.justify = None
        self.style = "none"
        self.hyperlinks = False
        self.inline_code_lexer = None
        self.wraps_code = wraps_code
        self.begins_with_container = bool(self.parsed) and self.parsed[0].type in CONTAINERS


def _show_targets(token: Token) -> Token:
    """Write out where the links and images of a block lead: no target hides behind its text."""
    if token.children:
        token.children = list(_write_links(token.children))
    return token


def _write_links(tokens: Sequence[Token]) -> Iterator[Token]:
    target, words = "", ""
    for token in tokens:
        match token.type:
            case "link_open":
                target, words = str(token.attrs.get("href", "")), ""
                yield Token("mark_open", "link", 1)
            case "link_close":
                yield Token("mark_close", "link", -1)
                if target not in {words, f"mailto:{words}"}:
                    yield from _write_target(target)
            case "image":
                yield _text(f"[{token.content or 'image'}]")
                yield from _write_target(str(token.attrs.get("src", "")))
                words += token.content
            case _:
                words += token.content
                yield token


def _write_target(target: str) -> Iterator[Token]:
    yield Token("mark_open", "link_url", 1)
    yield _text(f" ({target})")
    yield Token("mark_close", "link_url", -1)


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
