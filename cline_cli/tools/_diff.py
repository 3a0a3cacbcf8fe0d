"""What an edit changed, as a short unified diff. Pure."""

from __future__ import annotations

from typing import NamedTuple

from cline_cli.tools._changes import Change, find_changes

_CONTEXT = 3
_MAX_LINE_CHARACTERS = 500


class Diff(NamedTuple):
    text: str
    added: int
    """Lines."""
    removed: int


def compare(before: str, after: str, max_lines: int = 200) -> Diff:
    """Return the difference of two texts line by line; of a longer one its beginning, and how much is missing."""
    old, new = to_lines(before), to_lines(after)
    changes = find_changes(old, new)
    shown = [line for group in _group(changes) for line in _to_hunk(group, old, new)]
    missing = len(shown) - max_lines
    if missing > 0:
        shown[max_lines:] = [f"[... {missing:,} more lines of this diff]"]
    return Diff(
        "\n".join(shown),
        added=sum(change.new_end - change.new_start for change in changes),
        removed=sum(change.end - change.start for change in changes),
    )


def to_lines(text: str) -> list[str]:
    """Return the lines with their ends; only the last may have none."""
    *ended, last = text.split("\n")
    return [*(f"{line}\n" for line in ended), *([last] if last else [])]


def _group(changes: list[Change]) -> list[list[Change]]:
    """Put changes whose context would touch into one hunk."""
    groups: list[list[Change]] = []
    for change in changes:
        if groups and change.start - groups[-1][-1].end <= 2 * _CONTEXT:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _to_hunk(changes: list[Change], old: list[str], new: list[str]) -> list[str]:
    first, last = changes[0], changes[-1]
    before, after = min(_CONTEXT, first.start), min(_CONTEXT, len(old) - last.end)
    start, end = first.start - before, last.end + after
    new_start, new_end = first.new_start - before, last.new_end + after
    lines = [f"@@ -{start + 1},{end - start} +{new_start + 1},{new_end - new_start} @@"]
    position = start
    for change in changes:
        lines.extend(_mark(" ", old[position : change.start]))
        lines.extend(_mark("-", old[change.start : change.end]))
        lines.extend(_mark("+", new[change.new_start : change.new_end]))
        position = change.end
    lines.extend(_mark(" ", old[position:end]))
    return lines


def _mark(sign: str, lines: list[str]) -> list[str]:
    marked = [f"{sign}{_cut(line)}" for line in lines]
    if lines and not lines[-1].endswith("\n"):
        marked.append("\\ No newline at end of file")
    return marked


def _cut(line: str) -> str:
    line = line.removesuffix("\n").removesuffix("\r")
    return line if len(line) <= _MAX_LINE_CHARACTERS else f"{line[:_MAX_LINE_CHARACTERS]}…"
