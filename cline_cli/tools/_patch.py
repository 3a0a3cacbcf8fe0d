"""The `*** Begin Patch` envelope: read, and applied to text. Pure.

    *** Begin Patch
    *** Add File: docs/new.md          every line begins with +
    *** Update File: src/a.py
    *** Move to: src/b.py              optional
    @@ class Cart                      optional: a line that comes before, to find the place by; may be repeated
     kept
    -removed
    +added
    *** End of File                    optional: the lines before it are the last ones
    *** Delete File: old.py
    *** End Patch

Lines are looked for as they are, then without the white space at their ends, then without any around them; what is kept
of a file keeps its bytes, and new lines end as those beside them do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from itertools import accumulate
from typing import Literal, NamedTuple

BEGIN, END = "*** Begin Patch", "*** End Patch"
_HEADS = {"*** Add File: ": "add", "*** Update File: ": "update", "*** Delete File: ": "delete"}
_MOVE, _LAST = "*** Move to: ", "*** End of File"
_SHOWN = 8
_COMPARED = 400
"""Characters of a line, where the nearest is looked for: that takes the product of both lengths."""
_WAYS: tuple[Callable[[str], str], ...] = (str, str.rstrip, str.strip)


class PatchError(Exception):
    """It is no patch, or does not fit; the message tells the model why, and what would work."""


class Hunk(NamedTuple):
    anchors: tuple[str, ...]
    """Lines that come before it, in order."""
    lines: tuple[tuple[str, str], ...]
    """A sign, one of " -+", and the text."""
    is_last: bool = False
    """It is at the end of the file."""

    @property
    def old(self) -> list[str]:
        return [text for sign, text in self.lines if sign != "+"]


class FilePatch(NamedTuple):
    kind: Literal["add", "update", "delete"]
    path: str
    content: str = ""
    """Of a new file."""
    hunks: tuple[Hunk, ...] = ()
    move_to: str = ""


class Patched(NamedTuple):
    text: str
    is_tolerant: bool
    """Some lines matched only with white space ignored."""


def read_patch(text: str) -> tuple[FilePatch, ...]:
    """Return what a patch does to each file.

    Raises:
        PatchError: it is none.
    """
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    # Some models wrap it in the here-document that a shell would take.
    while lines and lines[0].strip() != BEGIN and not lines[0].startswith("*** "):
        lines.pop(0)
    if not lines or lines[0].strip() != BEGIN:
        raise PatchError(f"a patch begins with the line {BEGIN}")
    end = next((number for number, line in enumerate(lines) if line.strip() == END), None)
    if end is None:
        raise PatchError(f"a patch ends with the line {END}")
    found: list[FilePatch] = []
    position = 1
    while position < end:
        line = lines[position]
        head = next((head for head in _HEADS if line.startswith(head)), None)
        if head is None:
            if not line.strip():
                position += 1
                continue
            raise PatchError(f"line {position + 1} begins no file: {line[:80]!r}; use *** Add, Update or Delete File:")
        stop = next((at for at in range(position + 1, end) if any(lines[at].startswith(one) for one in _HEADS)), end)
        found.append(_read_file(head, line, lines[position + 1 : stop]))
        position = stop
    if not found:
        raise PatchError("the patch changes no file")
    paths = [path for one in found for path in (one.path, one.move_to) if path]
    if len(set(paths)) != len(paths):
        raise PatchError("a file stands twice in the patch: put all of its changes under one Update File")
    return tuple(found)


def _read_file(head: str, line: str, body: Sequence[str]) -> FilePatch:
    path = line.removeprefix(head).strip()
    if not path:
        raise PatchError(f"{head.strip()} names no file")
    kind = _HEADS[head]
    if kind == "delete":
        if any(one.strip() for one in body):
            raise PatchError(f"behind Delete File: {path} there must be nothing")
        return FilePatch("delete", path)
    if kind == "add":
        wrong = next((one for one in body if not one.startswith("+") and one.strip()), None)
        if wrong is not None:
            raise PatchError(f"in Add File: {path} every line begins with +, not {wrong[:80]!r}")
        return FilePatch("add", path, "".join(f"{one[1:]}\n" for one in body if one.startswith("+")))
    move_to = ""
    if body and body[0].startswith(_MOVE):
        move_to, body = body[0].removeprefix(_MOVE).strip(), body[1:]
    hunks = _read_hunks(path, body)
    if not hunks and not move_to:
        raise PatchError(f"Update File: {path} changes nothing")
    return FilePatch("update", path, hunks=hunks, move_to=move_to)


def _read_hunks(path: str, body: Sequence[str]) -> tuple[Hunk, ...]:
    hunks: list[Hunk] = []
    anchors: list[str] = []
    lines: list[tuple[str, str]] = []

    def close(*, is_last: bool = False) -> None:
        while lines and lines[-1] == (" ", "") and not is_last:  # blank lines between hunks are not meant
            lines.pop()
        if lines:
            if all(sign == " " for sign, _ in lines):
                raise PatchError(f"a hunk of {path} changes nothing: {lines[0][1][:80]!r}")
            hunks.append(Hunk(tuple(anchors), tuple(lines), is_last))
            anchors.clear()
            lines.clear()

    for line in body:
        if line.startswith("@@"):
            close()
            anchor = line[2:].strip()
            anchor = anchor.split("@@", 1)[-1].strip() if anchor.startswith("-") else anchor
            anchors.extend([anchor] if anchor else [])
        elif line.strip() == _LAST:
            close(is_last=True)
        elif not line:
            lines.append((" ", ""))
        elif line[0] in " -+":
            lines.append((line[0], line[1:]))
        else:
            raise PatchError(f"a line of {path} begins with none of space, - and +: {line[:80]!r}")
    close()
    if anchors:
        raise PatchError(f"behind @@ {anchors[-1][:80]} of {path} there is no change")
    return tuple(hunks)


def apply_hunks(text: str, hunks: Sequence[Hunk]) -> Patched:
    """Return the text with all hunks applied, in order.

    Raises:
        PatchError: the lines of one are not there.
    """
    old = text.split("\n")
    final = old.pop() if not text.endswith("\n") else old.pop() or None
    lines = [f"{line}\n" for line in old] + ([final] if final else [])
    places = _Places([line.rstrip("\n").removesuffix("\r") for line in lines])
    result: list[str] = []
    position = 0
    is_tolerant = False
    for hunk in hunks:
        start, is_exact = _find(places, hunk, position)
        is_tolerant |= not is_exact
        result += lines[position:start]
        at = start
        for sign, new in hunk.lines:
            if sign == "+":
                result.append(new + _end_near(lines, at))
            else:
                if sign == " ":
                    result.append(lines[at])
                at += 1
        position = at
    result += lines[position:]
    return Patched(_join(result, ends_open=bool(text) and not text.endswith("\n")), is_tolerant)


def _join(lines: list[str], *, ends_open: bool) -> str:
    """Return the lines as one text: only the last may be without an end, and is if the old last one was."""
    closed = [line if line.endswith("\n") else f"{line}\n" for line in lines]
    text = "".join(closed)
    return text.removesuffix("\n").removesuffix("\r") if ends_open else text


def _end_near(lines: Sequence[str], at: int) -> str:
    """Return how the line before, or else behind, ends."""
    for line in (*lines[max(0, at - 1) : at], *lines[at : at + 1]):
        if line.endswith("\n"):
            return "\r\n" if line.endswith("\r\n") else "\n"
    return "\r\n" if any(line.endswith("\r\n") for line in lines) else "\n"


class _Places:
    """The lines of a file, without their ends, to be looked for in each of the ways."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self._texts: dict[Callable[[str], str], tuple[str, list[int]]] = {}

    def seek(self, wanted: Sequence[str], start: int, way: Callable[[str], str]) -> int:
        """Return at which line these stand, from a line on; -1 for nowhere.

        They are looked for in the text as a whole: line by line it would take the product of both lengths.
        """
        if way not in self._texts:
            read = [way(line) for line in self.lines]
            self._texts[way] = _join_lines(read), list(accumulate((len(line) + 1 for line in read), initial=0))
        text, starts = self._texts[way]
        if not 0 <= start <= len(self.lines):
            return -1
        at = text.find(_join_lines([way(line) for line in wanted]), starts[start])
        return bisect_left(starts, at) if at >= 0 else -1


def _join_lines(lines: Sequence[str]) -> str:
    """Return lines as a text in which each stands between two line breaks."""
    return "".join(f"\n{line}" for line in lines) + "\n"


def _find(places: _Places, hunk: Hunk, position: int) -> tuple[int, bool]:
    """Return at which line a hunk applies, and whether its lines are there exactly.

    Raises:
        PatchError: they are not.
    """
    start, count = position, len(places.lines)
    for anchor in hunk.anchors:
        found = next((at for way in _WAYS if (at := places.seek([anchor], start, way)) >= 0), -1)
        if found < 0:
            raise PatchError(f"@@ {anchor[:120]} is not in the file{_hint(places.lines, anchor)}")
        start = found + 1
    old = hunk.old
    if not old:
        return (count if not hunk.anchors or hunk.is_last else start), True
    for way in _WAYS:
        if hunk.is_last:
            at = count - len(old)
            if at >= start and places.seek(old, at, way) == at:
                return at, way is str
        at = places.seek(old, start, way)
        if at >= 0:
            if not hunk.anchors and places.seek(old, at + 1, way) >= 0:
                raise PatchError(
                    f"the lines of a hunk are there more than once: {old[0][:80]!r}; add more lines around it, or @@"
                )
            return at, way is str
    before = places.seek(old, 0, str.strip)
    if 0 <= before < start:
        raise PatchError(f"{old[0][:80]!r} is before the hunk in front of it: give the hunks in the order of the file")
    raise PatchError(
        f"the lines of a hunk are not in the file: {old[0][:80]!r}{_hint(places.lines, max(old, key=len))}"
    )


def _hint(lines: Sequence[str], line: str) -> str:
    """Return the lines that are most like one, with their numbers."""
    compared = [one[:_COMPARED] for one in lines[:5000]]
    near = get_close_matches(line[:_COMPARED], compared, 1, cutoff=0.5)
    if not near:
        return ": read the file again"
    first = max(0, compared.index(near[0]) - 2)
    shown = "\n".join(f"{first + at + 1} | {text[:200]}" for at, text in enumerate(lines[first : first + _SHOWN]))
    return f"; the nearest is:\n{shown}"
