"""`apply_patch`: adds, changes, moves and deletes files, all of them or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.machine.contents import encode
from cline_cli.machine.files import remove_confined, write_confined
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._diff import compare
from cline_cli.tools._opened import name_to_judge, resolve_to_write
from cline_cli.tools._original import Original, read_original
from cline_cli.tools._patch import FilePatch, PatchError, apply_hunks, read_patch
from cline_cli.tools._results import Item, ItemError, one_line, to_single_output
from cline_cli.tools._workplace import Workplace

_NAMES = ("input", "patch", "diff", "patch_text")

SPEC = ToolSpec(
    name="apply_patch",
    description=(
        "Change files by a patch, all or nothing: *** Begin Patch; then *** Add File: PATH with + lines, *** Update"
        " File: PATH (and *** Move to: PATH) with @@ hunks of ' ', - and + lines, *** Delete File: PATH; *** End Patch"
    ),
    parameters={
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": False,
    },
    effect="changes",
)


class _Step(NamedTuple):
    """One file as it will be."""

    patch: FilePatch
    path: Path
    original: Original
    data: bytes | None
    """None for one that is deleted."""
    told: str
    shown: str
    """In a few words, for people."""
    move_to: Path | None = None
    diff: str = ""


class ApplyPatch:
    spec = SPEC

    def __init__(self, workplace: Workplace) -> None:
        self._confinement = workplace.confinement

    def normalize(self, arguments: JsonObject) -> JsonObject:
        text = inputs.text(inputs.first(arguments, *_NAMES) or "", "input")
        if not text.strip():
            raise ToolError('apply_patch needs {"input": "*** Begin Patch\\n...\\n*** End Patch"}')
        return {"input": text}

    def summary(self, arguments: JsonObject) -> str:
        try:
            patches = read_patch(str(self.normalize(arguments)["input"]))
        except (ToolError, PatchError):
            return "patch files"
        more = f" (+{len(patches) - 1} more)" if len(patches) > 1 else ""
        return one_line(f"patch {patches[0].path}{more}")

    def scope(self, arguments: JsonObject) -> Scope:
        try:
            patches = read_patch(str(arguments.get("input", "")))
        except PatchError:  # which is told when it is run, and changes nothing
            return Scope()
        paths = [path for patch in patches for path in (patch.path, patch.move_to) if path]
        return Scope(edits=tuple(name_to_judge(self._confinement, path) for path in paths))

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        text = str(self.normalize(arguments)["input"])
        try:
            steps = [self._plan(patch) for patch in read_patch(text)]
            _carry_out(steps)
        except (ItemError, PatchError) as error:
            return to_single_output(Item("patch", error=f"nothing was changed: {error}"))
        told = "\n".join(step.told for step in steps)
        diffs = [
            step.diff if len(steps) == 1 else f"*** {_name(step.patch)}\n{step.diff}".rstrip("\n") for step in steps
        ]
        shown = "; ".join(step.shown for step in steps)
        return to_single_output(Item("patch", told, display=shown, diff="\n".join(filter(None, diffs))))

    def _plan(self, patch: FilePatch) -> _Step:
        """Raises ItemError, PatchError."""
        path = resolve_to_write(self._confinement, patch.path)
        original = read_original(patch.path, path)
        if patch.kind == "add":
            if original.status:
                raise ItemError(f"{patch.path} is there already: use Update File")
            data, added = _to_bytes(patch, original, patch.content), compare("", patch.content)
            return _Step(patch, path, original, data, f"A {patch.path}", f"+{added.added}", diff=added.text)
        if not original.status:
            raise ItemError(f"there is no file {patch.path}")
        if patch.kind == "delete":
            return _Step(patch, path, original, None, f"D {patch.path}", "deleted")
        move_to = resolve_to_write(self._confinement, patch.move_to) if patch.move_to else None
        if move_to and os.path.lexists(move_to):
            raise ItemError(f"{patch.move_to} is there already")
        try:
            patched = apply_hunks(original.text, patch.hunks)
        except PatchError as error:
            raise ItemError(f"{patch.path}: {error}") from error
        if original.text and not patched.text:
            raise ItemError(f"this would leave nothing in {patch.path}: use Delete File")
        diff = compare(original.text, patched.text)
        note = " (some lines matched only with white space ignored)" if patched.is_tolerant else ""
        data = _to_bytes(patch, original, patched.text)
        shown = f"+{diff.added} -{diff.removed}"
        return _Step(
            patch, path, original, data, f"M {_name(patch)}{note}\n{diff.text}".rstrip(), shown, move_to, diff.text
        )


def build(workplace: Workplace) -> ApplyPatch:
    return ApplyPatch(workplace)


def _name(patch: FilePatch) -> str:
    if patch.kind == "delete":
        return f"{patch.path} (deleted)"
    return f"{patch.path} -> {patch.move_to}" if patch.move_to else patch.path


def _to_bytes(patch: FilePatch, original: Original, text: str) -> bytes:
    """Raises ItemError."""
    try:
        return encode(text, original.encoding)
    except UnicodeEncodeError as error:
        character = error.object[error.start : error.start + 1]
        name = original.encoding.label or "UTF-8"
        raise ItemError(f"{patch.path}: {character!a} cannot be written in {name}, as the file is") from error


def _carry_out(steps: list[_Step]) -> None:
    """Write all files; where one cannot be written, put those before it back.

    Raises:
        ItemError: one could not be written, and nothing was changed.
    """
    done: list[_Step] = []
    for step in steps:
        try:
            _write(step)
        except OSError as error:
            left = [earlier.patch.path for earlier in reversed(done) if not _take_back(earlier)]
            note = f"; these could not be put back: {', '.join(left)}" if left else ""
            raise ItemError(f"{step.patch.path}: {error.strerror or error}{note}") from error
        done.append(step)


def _write(step: _Step) -> None:
    """Raises OSError: nothing of it was done."""
    if step.data is None:
        remove_confined(step.path, expected=step.original.status)
    elif step.move_to is None:
        write_confined(step.path, step.data, expected=step.original.status)
    else:
        mode = step.original.status.st_mode & 0o7777 if step.original.status else None
        write_confined(step.move_to, step.data, expected=None, mode=mode)
        try:
            remove_confined(step.path, expected=step.original.status)
        except OSError:
            remove_confined(step.move_to, expected=None)
            raise


def _take_back(step: _Step) -> bool:
    try:
        target = step.move_to or step.path
        if step.data is not None and (step.move_to or not step.original.status):
            remove_confined(target, expected=None)
        if step.original.status and (step.data is None or step.move_to):
            mode = step.original.status.st_mode & 0o7777
            write_confined(step.path, step.original.data, expected=None, mode=mode)
        elif step.original.status:
            write_confined(step.path, step.original.data, expected=os.lstat(step.path))
    except OSError:
        return False
    return True
