"""Names and shapes of the original command's earlier tools, which models still use: each is one of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Report, Scope, Tool, ToolError, ToolOutput, ToolSpec
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._blocks import BlockError, read_blocks

Translate = Callable[[JsonObject], JsonObject]


@dataclass(frozen=True, slots=True)
class OldName:
    """A tool under an earlier name; its spec is that of the tool, so that a policy for the one holds for the other."""

    tool: Tool
    translate: Translate

    @property
    def spec(self) -> ToolSpec:
        return self.tool.spec

    def normalize(self, arguments: JsonObject) -> JsonObject:
        # What was translated already has the tool's own form, and is left as it is.
        return self.tool.normalize(self.translate(arguments))

    def summary(self, arguments: JsonObject) -> str:
        try:
            return self.tool.summary(self.translate(arguments))
        except ToolError:
            return self.tool.summary({})

    def scope(self, arguments: JsonObject) -> Scope:
        return self.tool.scope(self.translate(arguments))

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:
        return await self.tool.run(self.translate(arguments), report)


def _same(arguments: JsonObject) -> JsonObject:
    return arguments


def _whole_file(arguments: JsonObject) -> JsonObject:
    content = inputs.first(arguments, "content", "new_text", "text", "file_text")
    if content is None:
        raise ToolError('this needs {"path": "src/a.py", "content": "the whole text of the file"}')
    path = inputs.first(arguments, "path", "file_path", "filePath", "filename")
    return {"path": path, "new_text": content}


def _replacement(arguments: JsonObject) -> JsonObject:
    if arguments.get("edits") is not None:
        return arguments
    path = inputs.first(arguments, "path", "file_path", "filePath", "filename")
    diff = inputs.first(arguments, "diff")
    if diff is None:
        old = inputs.first(arguments, "old", "old_text", "old_string", "old_str", "search")
        if old is None or old == "":
            raise ToolError('this needs {"path", "old_text", "new_text"}, and an old_text that is not empty')
        new = inputs.first(arguments, "new", "new_text", "new_string", "new_str", "replace")
        return {"path": path, "old_text": old, "new_text": new}
    try:
        blocks = read_blocks(inputs.text(diff, "diff"))
    except BlockError as error:
        raise ToolError(str(error)) from error
    if not all(block.old for block in blocks):
        raise ToolError("a SEARCH part is empty: to write the whole file use write_to_file")
    return {"path": path, "edits": [{"old_text": block.old, "new_text": block.new} for block in blocks]}


OLD_NAMES: Mapping[str, tuple[str, Translate]] = {
    "execute_command": ("run_commands", _same),
    "run_command": ("run_commands", _same),
    "bash": ("run_commands", _same),
    "read_file": ("read_files", _same),
    "write_to_file": ("editor", _whole_file),
    "write_file": ("editor", _whole_file),
    "replace_in_file": ("editor", _replacement),
    "search_files": ("search_codebase", _same),
    "attempt_completion": ("answer", _same),
    "submit_and_exit": ("answer", _same),
}
"""Earlier name -> the tool it is, and how its arguments become that tool's."""
