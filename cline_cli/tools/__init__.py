"""What a model can do: a row a tool, naming its module, and which of them a model is told of.

A module has one function, `build(workplace) -> Tool`. Names and shapes are the original command's (3.x), and the
earlier ones of `_old_names.py` are understood too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    shelf = _Shelf(workplace)

    def is_of_use(name: str) -> bool:
        row = TOOLS[name]
        if name in EDITORS - {edits_by} or (row.needs_person and workplace.question is None):
            return False
        return row.is_offered and (row.kind is None or may_ever(row.kind))

    return Toolbox(shelf, tuple(shelf[name].spec for name in TOOLS if is_of_use(name)))


class _Shelf(Mapping[str, Tool]):
    """Every name that is understood; a tool's module is imported when it is taken down."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._taken: dict[str, Tool] = {}

    def __getitem__(self, name: str) -> Tool:
        if name not in self._taken:
            if name in OLD_NAMES:
                own, translate = OLD_NAMES[name]
                self._taken[name] = OldName(self[own], translate)
            else:
                module = import_module(f"cline_cli.tools.{TOOLS[name].module}")
                build: Callable[[Workplace], Tool] = module.build
                self._taken[name] = build(self._workplace)
        return self._taken[name]

    def __iter__(self) -> Iterator[str]:
        yield from TOOLS
        yield from OLD_NAMES

    def __len__(self) -> int:
        return len(TOOLS) + len(OLD_NAMES)
