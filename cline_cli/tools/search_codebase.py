"""`search_codebase`: the lines that match regular expressions, as `path:line: text`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._glob import to_regex
from cline_cli.tools._opened import resolve_to_read
from cline_cli.tools._results import MAX_RESULT_BYTES, Item, ItemError, count, one_line, to_output
from cline_cli.tools._search import (
    MAX_FILE_BYTES,
    MAX_MATCHES,
    Found,
    Where,
    find_ripgrep,
    search_with_child,
    search_with_ripgrep,
)
from cline_cli.tools._workplace import Workplace
from cline_cli.workspace.ignored import nothing
from cline_cli.workspace.walk import Listing, list_files

MAX_QUERIES = 20
TIMEOUT_S = 20.0
_LINE_BREAK = re.compile(r"(?<!\\)(?:\\\\)*\\n|\n")

SPEC = ToolSpec(
    name="search_codebase",
    description=f"Search the workspace's files for regexes, line by line; at most {MAX_MATCHES} matches each.",
    parameters={
        "type": "object",
        "properties": {"queries": {"type": "array", "items": {"type": "string"}}},
        "required": ["queries"],
        "additionalProperties": False,
    },
    effect="reads",
)


@dataclass(slots=True)
class _Scope:
    """Where the queries of a call search."""

    folder: Path
    pattern: str
    """For file names; empty for all."""
    listing: Listing | None = None
    """The files there, once they were needed."""


class SearchCodebase:
    spec = SPEC

    def __init__(self, workplace: Workplace, ripgrep: str | None, timeout_s: float = TIMEOUT_S) -> None:
        """Search with that program, or without one; each query at most `timeout_s`."""
        self._confinement = workplace.confinement
        self._variables = workplace.variables
        self._ripgrep = ripgrep
        self._timeout_s = timeout_s

    def normalize(self, arguments: JsonObject) -> JsonObject:
        given = inputs.first(arguments, "queries", "query", "regex", "pattern", "patterns")
        queries = [inputs.text(query, "a query") for query in inputs.items(given)]
        if not queries or not all(queries):
            raise ToolError('search_codebase needs {"queries": ["regex"]}, and no empty one')
        if len(queries) > MAX_QUERIES:
            raise ToolError(f"search_codebase takes at most {MAX_QUERIES} queries a call, not {len(queries)}")
        path = inputs.first(arguments, "path", "folder", "directory")
        files = inputs.first(arguments, "file_pattern", "filePattern", "glob", "include")
        return {
            "queries": queries,
            **({"path": inputs.text(path, "path")} if path else {}),
            **({"file_pattern": inputs.text(files, "file_pattern")} if files else {}),
        }

    def summary(self, arguments: JsonObject) -> str:
        try:
            queries = inputs.items(self.normalize(arguments)["queries"])
        except ToolError:
            return "search"
        more = f" (+{len(queries) - 1} more)" if len(queries) > 1 else ""
        return f'search "{one_line(str(queries[0]))}"{more}'

    def scope(self, arguments: JsonObject) -> Scope:  # noqa: ARG002  # the protocol's
        return Scope()

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        wanted = self.normalize(arguments)
        queries = tuple(map(str, inputs.items(wanted["queries"])))
        try:
            scope = self._choose_scope(str(wanted.get("path", ".")), str(wanted.get("file_pattern", "")))
        except ItemError as error:
            return to_output([Item(query, error=str(error)) for query in queries])
        found: list[Item] = []
        for query in queries:
            try:
                found.append(await self._search(query, scope))
            except ItemError as error:
                found.append(Item(query, error=str(error)))
        return to_output(found)

    def _choose_scope(self, given: str, pattern: str) -> _Scope:
        """Raises ItemError."""
        start = resolve_to_read(self._confinement, given)
        if os.path.isdir(start):
            return _Scope(start, pattern)
        if os.path.exists(start):
            return _Scope(start.parent, pattern, Listing((start.name,), is_complete=True))
        raise ItemError(f"there is no {given}")

    async def _search(self, regex: str, scope: _Scope) -> Item:
        """Raises ItemError."""
        if _LINE_BREAK.search(regex):
            raise ItemError("a match is within one line, so the regex cannot hold a line break")
        where = Where(scope.folder, self._variables, self._timeout_s)
        try:
            # A pattern given to ripgrep would win over what is ignored, so that goes the other way.
            is_free = not scope.pattern and not scope.listing and self._confinement.is_ignored is nothing
            if self._ripgrep and is_free:
                found = await search_with_ripgrep(self._ripgrep, regex, where)
                if found is not None:
                    return self._describe(regex, found, scope, is_complete=True)
            scope.listing = listing = scope.listing or await self._list(scope)
            found = await search_with_child(regex, listing.names, where)
        except OSError as error:
            raise ItemError(f"the search could not be started: {error.strerror}") from error
        except ValueError:
            raise ItemError("the regex holds a NUL or a broken character") from None
        return self._describe(regex, found, scope, is_complete=listing.is_complete)

    async def _list(self, scope: _Scope) -> Listing:
        listing = await list_files(scope.folder, self._variables)
        is_ignored = self._confinement.is_ignored
        names = listing.names
        if is_ignored is not nothing:
            names = tuple(name for name in names if not is_ignored(scope.folder / name))
        if scope.pattern:
            matches = to_regex(scope.pattern).fullmatch
            names = tuple(name for name in names if matches(name))
        return Listing(names, listing.is_complete)

    def _describe(self, regex: str, found: Found, scope: _Scope, *, is_complete: bool) -> Item:
        """Raises ItemError."""
        if found.is_timed_out and not found.matches:
            raise ItemError(
                f"nothing was found within {self._timeout_s:g} s: make the regex simpler, or search one folder"
            )
        lines: list[str] = []
        room = MAX_RESULT_BYTES
        for match in found.matches:
            line = f"{self._confinement.shorten(scope.folder / match.path)}:{match.line}: {match.text.rstrip()}"
            room -= len(line.encode("utf-8", "replace")) + 1
            if room < 0:
                break
            lines.append(line)
        notes = []
        if found.has_more or len(lines) < len(found.matches):
            notes.append(f"only the first {len(lines)} matches are shown: make the regex narrower")
        if found.is_timed_out:
            notes.append(f"stopped after {self._timeout_s:g} s, before all files were searched")
        if not is_complete:
            notes.append("there are too many files here: not all were searched")
        if not found.matches:
            size = f"{MAX_FILE_BYTES // 1_000_000} MB"
            notes.append(f"no matches; ignored files, binary ones and those over {size} are not searched")
        footer = [f"[{'; '.join(notes)}]"] if notes else []
        more = "more than " if found.has_more else ""
        display = more + count(len(found.matches), "match", "matches")
        return Item(regex, "\n".join([*lines, *footer]), display=display)


def build(workplace: Workplace) -> SearchCodebase:
    return SearchCodebase(workplace, find_ripgrep(workplace.variables))
