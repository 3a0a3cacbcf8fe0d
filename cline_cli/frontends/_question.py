"""The question that stands before a call, as rows: the call whole, what may be answered, and where."""

from __future__ import annotations

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool
from cline_cli.frontends._answering import commands_of
from cline_cli.frontends._ask import _break, _title, lay_out
from cline_cli.frontends._style import DIM
from cline_cli.text import visible

HELP = (
    "  y  run it, this once",
    "  a  run it, and whatever fits the pattern above, for the rest of this session",
    "  e  edit the command first",
    "  n  do not run it: Enter, or go on writing: no, because ...",
    "  Any other words are a no, too; they are told to the model. Esc and Ctrl-D are a no without words.",
)


def lay_out_question(
    tool: Tool, arguments: JsonObject, patterns: tuple[str, ...], columns: int
) -> list[tuple[str, str]]:
    """Return rows with their styles, for a terminal of so many columns; the answer is typed behind the last."""
    rows = [*_title(tool.summary(arguments), columns), *lay_out(arguments, columns)]
    if patterns:
        told = visible(f"a: always, in this session, for {', '.join(patterns)}")
        rows += [(row, DIM) for row in _break(told, columns, "")]
    keys = ["y: yes", "n: no", *(["a: always"] if patterns else []), *(["e: edit"] if commands_of(arguments) else [])]
    rows.append((f"{'  '.join(keys)}  ?: help  or say why not: ", DIM))
    return rows
