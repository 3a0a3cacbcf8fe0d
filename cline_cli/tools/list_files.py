"""`list_files`: the names in a folder, or of all files below it, without what is ignored."""

from __future__ import annotations

import os
from pathlib import Path

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._opened import resolve_to_read
from cline_cli.tools._results import Item, ItemError, count, one_line, to_output
from cline_cli.tools._workplace import Workplace
from cline_cli.workspace.walk import Listing, list_files, list_folder

MAX_NAMES = 500

SPEC = ToolSpec(
    name="list_files",
    description=f"List a folder, or with recursive all files below it; ignored ones left out, at most {MAX_NAMES}.",
    parameters={
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "default ."},
            "recursive": {"type": "boolean"},
        },
        "additionalProperties": False,
    },
    effect="reads",
)


class ListFiles:
    spec = SPEC

    def __init__(self, workplace: Workplace) -> None:
        self._confinement = workplace.confinement
        self._variables = workplace.variables

    def normalize(self, arguments: JsonObject) -> JsonObject:
        path = inputs.text(inputs.first(arguments, "path", "folder", "directory", "dir") or ".", "path")
        recursive = inputs.first(arguments, "recursive")
        return {"path": path, "recursive": recursive is True or str(recursive).lower() == "true"}

    def summary(self, arguments: JsonObject) -> str:
        try:
            return one_line(f"list {self.normalize(arguments)['path']}")
        except ToolError:
            return "list files"

    def scope(self, arguments: JsonObject) -> Scope:  # noqa: ARG002  # the protocol's
        return Scope()

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        wanted = self.normalize(arguments)
        path = str(wanted["path"])
        try:
            return to_output((await self._list(path, recursive=wanted["recursive"] is True),))
        except ItemError as error:
            return to_output((Item(path, error=str(error)),))

    async def _list(self, given: str, *, recursive: bool) -> Item:
        """Raises ItemError."""
        folder = self._resolve(given)
        try:
            listing = await (list_files if recursive else list_folder)(folder, self._variables)
        except OSError as error:
            raise ItemError(f"{given}: {error.strerror}") from error
        kept = tuple(name for name in listing.names if not self._confinement.is_ignored(folder / name.rstrip("/")))
        return _describe(given, Listing(kept, listing.is_complete))

    def _resolve(self, given: str) -> Path:
        """Raises ItemError."""
        folder = resolve_to_read(self._confinement, given)
        if not os.path.isdir(folder):
            raise ItemError(f"{given} is not a folder" if os.path.exists(folder) else f"there is no folder {given}")
        return folder


def build(workplace: Workplace) -> ListFiles:
    return ListFiles(workplace)


def _describe(given: str, listing: Listing) -> Item:
    total = len(listing.names)
    shown = "\n".join(listing.names[:MAX_NAMES]) or "[nothing but ignored files, if any]"
    if total > MAX_NAMES or not listing.is_complete:
        more = f"{total - MAX_NAMES:,}" if listing.is_complete else f"more than {max(0, total - MAX_NAMES):,}"
        shown += f"\n[{more} more names left out: list a folder in it, or search]"
    return Item(given, shown, display=count(total, "name"))
