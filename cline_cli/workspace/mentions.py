"""Files that a prompt mentions: `@src/a.py`, `@./a.py`, `@~/notes.md`, `@/etc/hosts`, `@"with space.txt"`.

What is written as a path, or in quotes, is meant as one, and said when it is missing; a bare `@name` is a file only
where there is one of that name, since it may as well be a person, a decorator or a package.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_MENTION = re.compile(r"""(?<![^\s(\[{<"'`,;])@(?:"([^"\n]+)"|([^\s"'`<>]+))""")
_TRAILING = ".,;:!?)]}"
MAX_MENTIONS = 50


class Mentions(NamedTuple):
    paths: tuple[str, ...]
    """Files and folders that are there, as they were written, `~` spelled out."""
    missing: tuple[str, ...]
    """What was meant as a path and leads nowhere."""


def find_mentions(prompt: str, folder: Path, home: Path | None) -> Mentions:
    """Return what a prompt mentions; relative paths are looked for in `folder`."""
    paths: dict[str, None] = {}
    missing: dict[str, None] = {}
    for match in list(_MENTION.finditer(prompt))[:MAX_MENTIONS]:
        quoted, bare = match[1], match[2] or ""
        candidates = [quoted] if quoted else _shorten(bare)
        found = next((path for one in candidates if (path := _find(one, folder, home))), None)
        if found:
            paths[found] = None
        elif quoted or re.match(r"~?/|\.{1,2}/", bare) or _looks_like_path(candidates[-1]):
            missing[quoted or candidates[-1]] = None
    return Mentions(tuple(paths), tuple(missing))


def list_names(folder: Path) -> list[str]:
    """Return the names in a folder in order, folders with a final slash. Raises OSError."""
    with os.scandir(folder) as entries:
        return sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries)


def _shorten(text: str) -> list[str]:
    """Return the text, and what is left of it without the punctuation of the sentence around it."""
    found = [text]
    while text and text[-1] in _TRAILING:
        text = text[:-1]
        found.append(text)
    return [one for one in found if one] or [""]


def _looks_like_path(text: str) -> bool:
    """Whether a bare mention is most likely a file: `src/a.py`, but not `babel/core` or `user`."""
    return re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+\.\w{1,8}", text) is not None


def _find(text: str, folder: Path, home: Path | None) -> str:
    """Return the path, if there is something; else nothing."""
    if not text:
        return ""
    if text == "~" or text.startswith("~/"):
        if home is None:
            return ""
        text = str(home) + text[1:]
    try:
        return text if os.path.exists(folder / text) else ""
    except ValueError:
        return ""
