"""The question that stands before a call, as rows: the call whole, what may be answered, and where. Pure.

The text of a model cannot pass for the question itself: only the title and what may be answered begin at the left edge.
All else is indented, and broken here, since a line that the terminal breaks would go on at that edge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import Tool
from cline_cli.frontends._answering import commands_of
from cline_cli.frontends._style import BOLD, DIM, GREEN, RED
from cline_cli.frontends.figures import is_command
from cline_cli.text import display_width, one_line, visible

WHY = "or say why not: "
"""Ends the last row: behind it stands what is typed."""
MIN_ROOM = 12
"""Cells that are free behind it, where the terminal is wide enough."""
HELP = (
    "  y  run it, this once",
    "  a  run it, and whatever fits the pattern above, for the rest of this session",
    "  e  edit the command first",
    "  n  do not run it: Enter, or go on writing: no, because ...",
    "  Any other words are a no, too; they are told to the model. Esc and Ctrl-D are a no without words.",
)
COMMANDS = frozenset({"command", "commands", "cmd"})
REMOVED = frozenset({"old_text", "old"})
ADDED = frozenset({"new_text", "new", "content"})
"""Arguments that are shown as what they are, whichever tool has them: command lines, and the two sides of a change."""
STYLES = {"+ ": GREEN, "- ": RED}
INDENT = "  "
CONTINUED = "  ⋮ "
"""Begins the rows of a line after its first: no line begins with it otherwise."""
MIN_COLUMNS = 8
MAX_SPACES = 7
"""How long a gap may be that is shown as it is: a longer one could push what matters out of sight."""
MAX_INDENT = 32
"""Likewise for what a line begins with: the code of a file is indented."""
MAX_BLANK_LINES = 2
TAB_CELLS = 4


def lay_out_question(
    tool: Tool, arguments: JsonObject, patterns: tuple[str, ...], columns: int
) -> list[tuple[str, str]]:
    """Return rows with their styles, for a terminal of so many columns; the answer is typed behind the last."""
    rows = [*_title(tool.summary(arguments), columns), *lay_out(arguments, columns)]
    if patterns:
        told = visible(f"a: always, in this session, for {', '.join(patterns)}")
        rows += [(row, DIM) for row in break_line(told, columns, "")]
    keys = ["y: yes", "n: no", *(["a: always"] if patterns else []), *(["e: edit"] if commands_of(arguments) else [])]
    rows += [(row, DIM) for row in _fill([*keys, "?: help", WHY], columns)]
    return rows


def _fill(items: list[str], columns: int) -> Iterator[str]:
    """Yield rows of as many items as fit, with room behind the last of them."""
    row = ""
    for item in items:
        joined = f"{row}  {item}" if row else item
        if row and len(joined) + (MIN_ROOM if item is WHY else 0) >= columns:
            yield row
            joined = item
        row = joined
    yield row


def _title(summary: str, columns: int) -> Iterator[tuple[str, str]]:
    title = "Allow: run this?" if is_command(summary) else f"Allow: {one_line(summary)}?"
    return ((row, BOLD) for row in break_line(title, columns, ""))


def lay_out(arguments: JsonObject, columns: int) -> Iterator[tuple[str, str]]:
    """Yield the arguments as rows with their styles: indented, and narrower than a terminal of so many columns."""
    for line in describe(arguments):
        style = STYLES.get(line[:2], "")
        yield from ((row, style) for row in break_line(line, columns, INDENT))


def describe(arguments: JsonObject) -> Iterator[str]:
    """Yield the arguments as lines of any length, whole, with what cannot be seen made visible."""
    for name, value in arguments.items():
        if name in COMMANDS:
            for command in value if isinstance(value, list | tuple) else (value,):
                yield from _mark(_to_text(command), "$ ", "> ")
        elif isinstance(value, str) and name in REMOVED | ADDED:
            mark = "+ " if name in ADDED else "- "
            yield from _mark(value, mark, mark)
        elif value is not None:
            text = _to_text(value)
            is_long = "\n" in text
            # A name that is quoted cannot begin like a command or a change.
            label = visible(name if name.isidentifier() else json.dumps(name, ensure_ascii=False))
            label = _count_spaces(label, MAX_SPACES)
            yield f"{label}:" if is_long else f"{label}: {_count_spaces(visible(text), MAX_SPACES)}"
            yield from _mark(text, "| ", "| ") if is_long else ()


def _to_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _mark(text: str, first: str, others: str) -> Iterator[str]:
    """Yield the lines of a text, each with its mark, and a count in place of many blank ones."""
    mark = first
    for is_blank, group in groupby(text.removesuffix("\n").split("\n"), lambda line: not line.strip(" \t")):
        lines = tuple(group)
        if is_blank and len(lines) > MAX_BLANK_LINES:
            lines = (f"<{len(lines)} blank lines>",)
        for line in lines:
            yield mark + _count_spaces(visible(line, multiline=True), MAX_INDENT)
            mark = others


def _count_spaces(line: str, max_indent: int) -> str:
    """Return the line with a count, such as `<40 spaces>`, in place of long gaps, and with tabs as spaces."""

    def replace(gap: re.Match[str]) -> str:
        spaces = gap[0].replace("\t", " " * TAB_CELLS)
        if len(spaces) <= (MAX_SPACES if gap.start() else max_indent):
            return spaces
        kinds = {" ": "spaces", "\t": "tabs"}
        return f"<{len(gap[0])} {' and '.join(kinds[kind] for kind in kinds if kind in gap[0])}>"

    return re.sub(r"[ \t]+", replace, line)


def break_line(line: str, columns: int, start: str) -> Iterator[str]:
    """Yield the line as rows, all of them one cell narrower than the terminal: a full row may wrap by itself."""
    room = max(columns, MIN_COLUMNS) - 1
    row, cells = start, len(start)
    for character in line:
        width = display_width(character)
        if cells + width > room:
            yield row
            row, cells = CONTINUED, len(CONTINUED)
        row += character
        cells += width
    yield row
