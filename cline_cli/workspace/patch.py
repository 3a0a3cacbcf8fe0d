"""Changes between two states as one unified diff in git's form, which `git apply` and `patch -p1` take. Pure but for
the store that it reads from."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from cline_cli.workspace._states import Change, Entry, Store

_CONTEXT = 3
_MAX_LINES = 40_000
"""Of two versions together: those of more are told as replaced whole, which takes no time to find out."""
_NO_NEWLINE = b"\\ No newline at end of file\n"


async def to_patch(changes: Iterable[Change], store: Store) -> bytes:
    """Return the changes as a patch; empty for none.

    Raises:
        OSError: the bytes of a version are not there any more.
    """
    return b"".join([await _to_file_patch(change, store) for change in changes])


async def count_lines(change: Change, store: Store) -> tuple[int, int] | None:
    """Return how many lines were added and removed; None for what is no text.

    Raises:
        OSError: as above.
    """
    old, new = await _read(change.before, store), await _read(change.after, store)
    if _is_binary(old) or _is_binary(new):
        return None
    added = removed = 0
    for tag, i1, i2, j1, j2 in _opcodes(_lines(old), _lines(new)):
        if tag != "equal":
            removed, added = removed + i2 - i1, added + j2 - j1
    return added, removed


async def _to_file_patch(change: Change, store: Store) -> bytes:
    path, before, after = change.path, change.before, change.after
    if before and after and before.kind != after.kind:  # git has no words for that but two
        gone, made = change._replace(after=None), change._replace(before=None)
        return await _to_file_patch(gone, store) + await _to_file_patch(made, store)
    old, new = await _read(before, store), await _read(after, store)
    name = path.encode("utf-8", "surrogateescape")
    a, b = _quote(b"a/" + name), _quote(b"b/" + name)
    head = [b"diff --git %s %s\n" % (a, b)]
    if before is None and after:
        head.append(b"new file mode %s\n" % _mode(after))
    elif after is None and before:
        head.append(b"deleted file mode %s\n" % _mode(before))
    elif before and after and _mode(before) != _mode(after):
        head.append(b"old mode %s\nnew mode %s\n" % (_mode(before), _mode(after)))
    if old == new:
        return b"".join(head) if len(head) > 1 else b""
    if _is_binary(old) or _is_binary(new):
        return b"".join([*head, _to_binary(old, new)])
    names = b"--- %s\n+++ %s\n" % (a if before else b"/dev/null", b if after else b"/dev/null")
    return b"".join([*head, names, *_to_hunks(_lines(old), _lines(new))])


async def _read(entry: Entry | None, store: Store) -> bytes:
    return await store.read_blob(entry.blob) if entry else b""


def _mode(entry: Entry) -> bytes:
    if entry.kind == "link":
        return b"120000"
    return b"100755" if entry.mode & 0o100 else b"100644"


def _quote(name: bytes) -> bytes:
    """Return a name as git writes it: in quotes where it holds what could be taken for something else."""
    if all(0x20 < one < 0x7F and one not in b'"\\' for one in name.replace(b" ", b"")):
        return name
    escapes = {0x22: b'\\"', 0x5C: b"\\\\", 0x0A: b"\\n", 0x09: b"\\t"}
    written = (escapes.get(one) or (bytes([one]) if 0x20 <= one < 0x7F else b"\\%03o" % one) for one in name)
    return b'"' + b"".join(written) + b'"'


def _is_binary(data: bytes) -> bool:
    return b"\0" in data[:8000]


def _lines(data: bytes) -> list[bytes]:
    *whole, last = data.split(b"\n")
    return [*(line + b"\n" for line in whole), *([last] if last else [])]


def _opcodes(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[str, int, int, int, int]]:
    start = 0
    most = min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-1 - end] == new[-1 - end]:
        end += 1
    inner_old, inner_new = old[start : len(old) - end], new[start : len(new) - end]
    if len(inner_old) + len(inner_new) > _MAX_LINES:
        inner = [("replace", 0, len(inner_old), 0, len(inner_new))]
    else:
        inner = list(SequenceMatcher(None, inner_old, inner_new).get_opcodes())
    codes = [("equal", 0, start, 0, start)]
    codes += [(tag, i1 + start, i2 + start, j1 + start, j2 + start) for tag, i1, i2, j1, j2 in inner]
    codes.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return [code for code in codes if code[1] < code[2] or code[3] < code[4]]


def _to_hunks(old: list[bytes], new: list[bytes]) -> list[bytes]:
    groups: list[list[tuple[int, int, int, int]]] = []
    for tag, i1, i2, j1, j2 in _opcodes(old, new):
        if tag == "equal":
            continue
        if groups and i1 - groups[-1][-1][1] <= 2 * _CONTEXT:
            groups[-1].append((i1, i2, j1, j2))
        else:
            groups.append([(i1, i2, j1, j2)])
    return [line for group in groups for line in _to_hunk(group, old, new)]


def _to_hunk(group: list[tuple[int, int, int, int]], old: list[bytes], new: list[bytes]) -> list[bytes]:
    before, after = min(_CONTEXT, group[0][0]), min(_CONTEXT, len(old) - group[-1][1])
    i1, i2 = group[0][0] - before, group[-1][1] + after
    j1, j2 = group[0][2] - before, group[-1][3] + after
    lines = [b"@@ -%s +%s @@\n" % (_range(i1, i2), _range(j1, j2))]
    position = i1
    for start, end, new_start, new_end in group:
        lines += _mark(b" ", old[position:start])
        lines += _mark(b"-", old[start:end])
        lines += _mark(b"+", new[new_start:new_end])
        position = end
    return lines + _mark(b" ", old[position:i2])


def _range(start: int, end: int) -> bytes:
    """Return a range of lines as a hunk tells it: one of none is behind the line before it."""
    length = end - start
    return b"%d" % (start + 1) if length == 1 else b"%d,%d" % (start + 1 if length else start, length)


def _mark(sign: bytes, lines: Sequence[bytes]) -> list[bytes]:
    marked = [sign + line for line in lines]
    if marked and not marked[-1].endswith(b"\n"):
        marked[-1] += b"\n" + _NO_NEWLINE
    return marked


def _to_binary(old: bytes, new: bytes) -> bytes:
    names = (_name(old), _name(new))
    return b"index %s..%s\nGIT binary patch\n%s%s" % (*names, _to_literal(new), _to_literal(old))


def _name(data: bytes) -> bytes:
    """Return what git calls these bytes, which it compares with what it finds; zeros for none."""
    if not data:
        return b"0" * 40
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest().encode()


def _to_literal(data: bytes) -> bytes:
    """Return bytes in the form of git's binary patches: deflated, 52 bytes a line, in base 85."""
    packed = zlib.compress(data)
    lines = [b"literal %d\n" % len(data)]
    for start in range(0, len(packed), 52):
        piece = packed[start : start + 52]
        length = len(piece)
        letter = bytes([length + 64 if length <= 26 else length + 70])
        lines.append(letter + base64.b85encode(piece, pad=True) + b"\n")
    return b"".join([*lines, b"\n"])
