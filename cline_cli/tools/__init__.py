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


Kind = Literal["command", "edit", "fetch"]


class Row(NamedTuple):
    module: str
    """In this package."""
    kind: Kind | None = None
    """What its calls are to a policy; None for what only reads the workspace."""
    needs_person: bool = False
    """It is of use only where somebody can be asked."""
    is_offered: bool = True
    """Whether a model is told of it; a tool that is not is understood all the same."""


TOOLS: Mapping[str, Row] = {
    "read_files": Row("read_files"),
    "search_codebase": Row("search_codebase"),
    "list_files": Row("list_files"),
    "run_commands": Row("run_commands", "command"),
    "editor": Row("editor", "edit"),
    "apply_patch": Row("apply_patch", "edit"),
    "fetch_web_content": Row("fetch_web_content", "fetch"),
    "ask_question": Row("ask_question", needs_person=True),
    "answer": Row("answer", is_offered=False),
}


class Toolbox(NamedTuple):
    tools: Mapping[str, Tool]
    """Every name that is understood."""
    offered: tuple[ToolSpec, ...]


EDITORS = frozenset({"editor", "apply_patch"})
"""Of which a model is told of one."""


def build_tools(
    workplace: Workplace, may_ever: Callable[[Kind], bool] = lambda _: True, *, edits_by: str = "editor"
) -> Toolbox:
    """Return the tools for a workplace.

    A model is told of those of which `may_ever` says that a call could run; of those
    that change files, of `edits_by` alone.
    """
    tools: dict[str, Tool] = {}
    for name, row in TOOLS.items():
        build: Callable[[Workplace], Tool] = import_module(f"cline_cli.tools.{row.module}").build
        tools[name] = build(workplace)

    def is_of_use(name: str) -> bool:
        row = TOOLS[name]
        if name in EDITORS - {edits_by} or (row.needs_person and workplace.question is None):
            return False
        return row.is_offered and (row.kind is None or may_ever(row.kind))

    offered = tuple(tool.spec for name, tool in tools.items() if is_of_use(name))
    old = {name: OldName(tools[own], translate) for name, (own, translate) in OLD_NAMES.items() if own in tools}
    return Toolbox({**tools, **old}, offered)
