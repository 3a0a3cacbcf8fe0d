"""File name patterns as in .gitignore and ripgrep's --glob, for where there is no ripgrep. Pure."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|[{},]|.", re.DOTALL)
_FIXED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_SPECIAL_IN_SET = re.compile(r"([\\\[\]&~|])")


def to_regex(pattern: str) -> re.Pattern[str]:
    """Return what matches a whole relative path; a pattern without a slash is for the name alone."""
    depth = 0
    pieces: list[str] = []
    for piece in _PIECE.findall(pattern.removeprefix("./").lstrip("/")):
        if piece == "{":
            depth += 1
            pieces.append("(?:")
        elif piece == "}" and depth:
            depth -= 1
            pieces.append(")")
        elif piece == "," and depth:
            pieces.append("|")
        else:
            pieces.append(_FIXED.get(piece) or _translate(piece))
    anywhere = "" if "/" in pattern else "(?:.*/)?"
    try:
        return re.compile(f"{anywhere}{''.join(pieces)}{')' * depth}", re.DOTALL)
    except re.error:  # a set that is none: [z-a]
        return re.compile(anywhere + re.escape(pattern))


def _translate(piece: str) -> str:
    if not piece.startswith("[") or len(piece) < 3:
        return re.escape(piece)
    is_negated = piece[1] in "!^"
    inner = _SPECIAL_IN_SET.sub(r"\\\1", piece[1 + is_negated : -1])
    return f"[{'^' if is_negated else ''}{inner}]" if inner else re.escape(piece)
