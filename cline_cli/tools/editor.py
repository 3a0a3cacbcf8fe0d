"""`editor`: makes a file, or changes a part of one, and leaves every other byte as it was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.machine.contents import UTF_8, Encoding, encode
from cline_cli.machine.files import write_confined
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._diff import compare, to_lines
from cline_cli.tools._edit import EditError, insert_before, replace_once, replace_whole
from cline_cli.tools._opened import name_to_judge, resolve_to_write
from cline_cli.tools._original import Original, read_original
from cline_cli.tools._results import Item, ItemError, count, one_line, to_single_output
from cline_cli.tools._workplace import Workplace

_OLD = ("old_text", "old_string", "old_str", "oldText", "old", "search")
_NEW = ("new_text", "new_string", "new_str", "newText", "new", "replace", "content", "file_text")
_TOLERANT = "old_text matched only with whitespace ignored; the file's own whitespace was kept. What changed:\n"

SPEC = ToolSpec(
    name="editor",
    description=(
        "Change a text file. old_text, copied exactly as in the file, must be there once and becomes new_text. Without"
        " old_text: makes the file, or replaces all of it; with insert_line: inserts new_text before that line."
    ),
    parameters={
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "old_text": {"type": ["string", "null"]},
            "new_text": {"type": "string"},
            "insert_line": {"type": ["integer", "null"], "description": "1-based; last line + 1 appends"},
        },
        "required": ["path", "new_text"],
        "additionalProperties": False,
    },
    effect="changes",
)


class _Change(NamedTuple):
    old: str
    """Empty for none."""
    new: str
    insert_line: int | None = None


class _Changed(NamedTuple):
    text: str
    data: bytes
    is_tolerant: bool
    is_whole: bool


class Editor:
    spec = SPEC

    def __init__(self, workplace: Workplace) -> None:
        self._confinement = workplace.confinement

    def normalize(self, arguments: JsonObject) -> JsonObject:
        path, changes = _read(arguments)
        if len(changes) > 1:
            return {"path": path, "edits": [{"old_text": change.old, "new_text": change.new} for change in changes]}
        change = changes[0]
        return {
            "path": path,
            **({"old_text": change.old} if change.old else {}),
            "new_text": change.new,
            **({"insert_line": change.insert_line} if change.insert_line is not None else {}),
        }

    def summary(self, arguments: JsonObject) -> str:
        try:
            path, changes = _read(arguments)
        except ToolError:
            return "edit a file"
        return one_line(f"{self._name_work(path, changes)} {path}")

    def scope(self, arguments: JsonObject) -> Scope:
        return Scope(edits=(name_to_judge(self._confinement, _read(arguments)[0]),))

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        path, changes = _read(arguments)
        try:
            return to_single_output(self._edit(path, changes))
        except ItemError as error:
            return to_single_output(Item(path, error=str(error)))

    def _name_work(self, given: str, changes: tuple[_Change, ...]) -> str:
        """Return what the changes do to the file as it is now: make it, edit it, or replace all of it."""
        if any(change.old for change in changes):
            return "edit"
        try:
            is_there = os.path.lexists(resolve_to_write(self._confinement, given))
        except ItemError:
            return "edit"
        is_insertion = any(change.insert_line is not None for change in changes)
        return "make" if not is_there else "edit" if is_insertion else "replace all of"

    def _edit(self, given: str, changes: tuple[_Change, ...]) -> Item:
        """Raises ItemError."""
        path = resolve_to_write(self._confinement, given)
        original = read_original(given, path)
        changed = _apply(given, original, changes)
        if changed.data == original.data and original.status:
            return Item(given, "unchanged: the file is exactly like this already", display="unchanged")
        if original.text and not changed.text:
            raise ItemError("this would leave nothing in the file; to delete it use run_commands with rm")
        try:
            write_confined(path, changed.data, expected=original.status)
        except OSError as error:
            raise ItemError(f"{given}: {error.strerror or error}") from error
        return _describe(given, original, changed)


def build(workplace: Workplace) -> Editor:
    return Editor(workplace)


def _read(arguments: JsonObject) -> tuple[str, tuple[_Change, ...]]:
    """Return which file to change, and how.

    Raises:
        ToolError: it cannot be told what is meant.
    """
    path = inputs.text(inputs.first(arguments, "path", "file_path", "filePath", "file", "filename") or "", "path")
    if not path:
        raise ToolError('editor needs {"path": "src/a.py", "old_text": "...", "new_text": "..."}')
    edits = inputs.items(arguments.get("edits"))
    if edits:
        return path, tuple(_read_replacement(inputs.unpack(edit)) for edit in edits)
    new = inputs.first(arguments, *_NEW)
    if new is None:
        raise ToolError("editor needs new_text; an empty one deletes old_text")
    old = inputs.text(inputs.first(arguments, *_OLD) or "", "old_text")
    line = inputs.number(inputs.first(arguments, "insert_line", "insertLine"), "insert_line")
    if old and line:
        raise ToolError("give old_text, to replace it, or insert_line, to insert: not both")
    return path, (_Change(old, inputs.text(new, "new_text"), None if old else line),)


def _read_replacement(edit: JsonValue) -> _Change:
    if not isinstance(edit, Mapping):
        raise ToolError('each of edits is an object: {"old_text": "...", "new_text": "..."}')
    old = inputs.text(inputs.first(edit, *_OLD) or "", "old_text")
    if not old:
        raise ToolError("each of edits needs an old_text that is not empty")
    return _Change(old, inputs.text(inputs.first(edit, *_NEW), "the new_text of each of edits"))


def _apply(given: str, original: Original, changes: tuple[_Change, ...]) -> _Changed:
    """Raises ItemError."""
    text, encoding = original.text, original.encoding
    is_tolerant = is_whole = False
    for number, change in enumerate(changes, 1):
        try:
            if change.old and not original.status:
                raise ItemError(f"there is no file {given}: leave out old_text to make it")
            if change.old and change.old == change.new:
                raise ItemError("nothing would change: old_text and new_text are the same")
            if change.old:
                text, tolerantly = replace_once(text, change.old, change.new)
                is_tolerant |= tolerantly
            elif change.insert_line is not None and original.status:
                text = insert_before(text, change.insert_line, change.new)
            else:
                is_whole, text = True, replace_whole(text, change.new)
        except EditError as error:
            raise ItemError(f"edit {number} of {len(changes)}: {error}" if len(changes) > 1 else str(error)) from error
    try:
        data = _encode(text, encoding, is_whole)
    except UnicodeEncodeError as error:
        character = error.object[error.start : error.start + 1]
        name = encoding.label or "UTF-8"
        raise ItemError(f"new_text holds {character!a}, which cannot be written in {name}, as the file is") from error
    return _Changed(text, data, is_tolerant, is_whole)


def _encode(text: str, encoding: Encoding, is_whole: bool) -> bytes:
    """Raises UnicodeEncodeError."""
    try:
        return encode(text, encoding)
    except UnicodeEncodeError:
        if not is_whole:
            raise
    return encode(text, UTF_8)


def _describe(given: str, original: Original, changed: _Changed) -> Item:
    if not original.status:
        lines = len(to_lines(changed.text))
        told, shown = f"created, {count(lines, 'line')}", compare("", changed.text)
        return Item(given, told, display=f"+{lines}", diff=shown.text)
    diff = compare(original.text, changed.text)
    counted = f"+{diff.added} -{diff.removed}"
    if changed.is_whole:
        told = f"replaced as a whole:\n{diff.text}"
        return Item(given, told, display=f"replaced, {counted}", diff=diff.text)
    if changed.is_tolerant:
        told = f"{_TOLERANT}{diff.text}"
        return Item(given, told, display=f"{counted}, whitespace ignored", diff=diff.text)
    return Item(given, diff.text, display=counted, diff=diff.text)
