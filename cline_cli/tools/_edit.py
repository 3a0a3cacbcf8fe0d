"""Changes a text the way a model asks for it. Pure.

What is to be replaced is looked for in four ways, and the first that finds it decides; it must find it once:

    as it is          with \\r\\n and \\n taken for one another
    line by line      whitespace at both ends of each line ignored
    token by token    all whitespace ignored, line breaks too
    not at all        an error that shows the lines that come nearest
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from cline_cli.tools._line_ends import adapt, line_end_of, to_view
from cline_cli.tools._weave import Tokens, WeaveError, tokenize, weave

_MAX_TOLERANT_CHARACTERS = 2_000_000
"""Of a text whose tokens are looked at: about a second."""
_MAX_LINES_COMPARED = 5_000
_MAX_LINES_SHOWN = 10
_MAX_FOUND = 1_000
_LEAST_LIKENESS = 0.5


class EditError(Exception):
    """The change cannot be made; the message tells the model why, and what would work."""


class Edited(NamedTuple):
    text: str
    is_tolerant: bool
    """What was replaced matched only with whitespace ignored."""


def replace_once(text: str, old: str, new: str) -> Edited:
    """Replace the one place in `text` that is `old`; every character outside it stays.

    Raises:
        EditError: there is none, or more than one, or nothing would change.
    """
    view = to_view(text)
    old, plain = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
    found = _find_all(view.text, old)
    if found:
        start = _only([_line_at(view.text, position) for position in found], found)
        end = start + len(old)
    else:
        start, end = _find_tolerantly(view.text, old)
        start, end, plain = _fit(view.text, start, end, old, plain)
    first, last = view.original_position(start), view.original_position(end)
    replacement = new if found and "\n" not in text else plain
    changed = text[:first] + adapt(replacement, text, first, last) + text[last:]
    if changed == text:
        raise EditError("nothing would change: new_text is what is there already")
    return Edited(changed, is_tolerant=not found)


def insert_before(text: str, line: int, new: str) -> str:
    """Insert lines before a line (1-based), or with the number after the last one at the end.

    Raises:
        EditError: there is no such line, or nothing to insert.
    """
    lines = text.split("\n")
    total = len(lines) if lines[-1] else len(lines) - 1
    if not 0 <= line <= total + 1:
        raise EditError(f"insert_line {line} does not exist: the file has {total} lines; {total + 1} appends")
    if not new:
        raise EditError("nothing would change: new_text is empty")
    position = sum(len(one) + 1 for one in lines[: max(0, line - 1)])
    position = min(position, len(text))
    before = text[:position]
    end = line_end_of(before if "\n" in before else text)
    opening = end if before and not before.endswith("\n") else ""
    closing = "\n" if position < len(text) and not new.endswith("\n") else ""
    inserted = (new + closing).replace("\r\n", "\n").replace("\n", end) if "\n" in text else new + closing
    return before + opening + inserted + text[position:]


def replace_whole(text: str, new: str) -> str:
    """Replace all of a text by another, which takes its line ends."""
    return adapt(new, text, 0, len(text))


def _find_all(text: str, part: str) -> list[int]:
    found: list[int] = []
    position = text.find(part)
    while position >= 0 and len(found) < _MAX_FOUND:
        found.append(position)
        position = text.find(part, position + 1)
    return found


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _only(lines: Sequence[int], found: Sequence[int]) -> int:
    """Return the one that was found.

    Raises:
        EditError: there are several.
    """
    if len(found) > 1:
        shown = ", ".join(map(str, lines[:10])) + (", ..." if len(lines) > 10 else "")
        times = f"{len(found)} times" if len(found) < _MAX_FOUND else "very often"
        raise EditError(f"old_text is there {times}, at lines {shown}: give more of the lines around the one you mean")
    return found[0]


def _find_tolerantly(text: str, old: str) -> tuple[int, int]:
    """Return from the first to the last character of what is `old` but for whitespace.

    Raises:
        EditError: there is none, or more than one.
    """
    wanted = tokenize(old)
    if wanted.words and len(text) <= _MAX_TOLERANT_CHARACTERS:
        tokens = tokenize(text)
        places = _find_lines(text, old)
        found = _find_tokens(tokens, wanted)
        by_line = [position for position in found if _line_at(text, tokens.starts[position]) in places]
        chosen = by_line or found
        if chosen:
            first = _only([_line_at(text, tokens.starts[position]) for position in chosen], chosen)
            last = first + len(wanted.words) - 1
            return tokens.starts[first], tokens.starts[last] + len(tokens.words[last])
    raise EditError(f"old_text is not in the file{_nearest(text, old)}")


def _find_lines(text: str, old: str) -> set[int]:
    """Return at which lines there are lines like these but for the whitespace at their ends."""
    wanted = "\n".join(line.strip() for line in old.strip().split("\n"))
    stripped = "\n".join(line.strip() for line in text.split("\n"))
    return {_line_at(stripped, at) for at in _find_all(f"\n{stripped}\n", f"\n{wanted}\n")}


def _find_tokens(tokens: Tokens, wanted: Tokens) -> list[int]:
    """Return the positions, counted in tokens, at which these follow one another."""
    joined = "\0".join(("", *tokens.words, ""))
    found = _find_all(joined, "\0".join(("", *wanted.words, "")))
    positions: list[int] = []
    counted, upto = 0, 0
    for place in found:
        counted += joined.count("\0", upto, place)
        upto = place
        positions.append(counted)
    return positions


def _fit(text: str, start: int, end: int, old: str, new: str) -> tuple[int, int, str]:
    """Return the part to replace, from the beginning of its line where it begins one, and the text for it.

    Raises:
        EditError: that could only be guessed.
    """
    line_start = text.rfind("\n", 0, start) + 1
    if not text[line_start:start].strip():
        start = line_start
    if not new.strip():
        line_end = text.find("\n", end)
        is_whole = start == line_start and not text[end : line_end if line_end >= 0 else None].strip()
        return start, (line_end + 1 if line_end >= 0 else len(text)) if is_whole else end, ""
    try:
        return start, end, weave(text[start:end], old, new)
    except WeaveError:
        raise EditError(
            "old_text is in the file with other line breaks, so it cannot be told where those of new_text belong:"
            f" copy the lines as they are{_show(text, _line_at(text, start), _line_at(text, end))}"
        ) from None


def _nearest(text: str, old: str) -> str:
    """Return the lines of a text that are most like what was looked for, or that there are none."""
    wanted = [line.strip() for line in old.strip().split("\n")]
    key = max(wanted, key=len)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(key[:400])
    best, likeness = 0, _LEAST_LIKENESS
    for number, line in enumerate(text.split("\n")[:_MAX_LINES_COMPARED], 1):
        matcher.set_seq1(line.strip()[:400])
        if matcher.real_quick_ratio() > likeness and matcher.quick_ratio() > likeness:
            ratio = matcher.ratio()
            if ratio > likeness:
                best, likeness = number, ratio
    if not best:
        return ", nor anything like it: read the file again"
    first = max(1, best - wanted.index(key))
    return f"; the nearest is{_show(text, first, first + len(wanted) - 1)}"


def _show(text: str, first: int, last: int) -> str:
    lines = text.split("\n")[first - 1 : min(last, first + _MAX_LINES_SHOWN - 1)]
    return ":\n" + "\n".join(f"{number} | {line[:200]}" for number, line in enumerate(lines, first))
