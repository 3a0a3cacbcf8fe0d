"""What a model can do: a row a tool, naming its module, and which of them a model is told of.

A module has one function, `build(workplace) -> Tool`. Names and shapes are the original command's (3.x), and the
earlier ones of `_old_names.py` are understood too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Literal, NamedTuple

from cline_cli.agent.tool import Tool, ToolSpec
from cline_cli.tools._old_names import OLD_NAMES, OldName
from cline_cli.tools._workplace import Workplace

__all__ = ["TOOLS", "Row", "Toolbox", "Workplace", "build_tools"]


class Row(NamedTuple):
    module: str
    """In this package."""
    effect: Literal["reads", "changes", "answers"]
    """As in its spec; here so that a tool that is not wanted need not be imported."""
    is_offered: bool = True
    """Whether a model is told of it; a tool that is not is understood all the same."""


TOOLS: Mapping[str, Row] = {
    "read_files": Row("read_files", "reads"),
    "search_codebase": Row("search_codebase", "reads"),
    "list_files": Row("list_files", "reads"),
    "run_commands": Row("run_commands", "changes"),
    "editor": Row("editor", "changes"),
    "answer": Row("answer", "answers", is_offered=False),
}


class Toolbox(NamedTuple):
    tools: Mapping[str, Tool]
    """Every name that is understood."""
    offered: tuple[ToolSpec, ...]


def build_tools(workplace: Workplace, *, only_reads: bool = False) -> Toolbox:
    """Return the tools for a workplace; with `only_reads` there are none that change anything, under no name."""
    tools: dict[str, Tool] = {}
    for name, row in TOOLS.items():
        if row.effect != "changes" or not only_reads:
            build: Callable[[Workplace], Tool] = import_module(f"cline_cli.tools.{row.module}").build
            tools[name] = build(workplace)
    offered = tuple(tool.spec for name, tool in tools.items() if TOOLS[name].is_offered)
    old = {name: OldName(tools[own], translate) for name, (own, translate) in OLD_NAMES.items() if own in tools}
    return Toolbox({**tools, **old}, offered)
