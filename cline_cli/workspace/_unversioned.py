"""The files of a folder that no repository knows, without what its `.gitignore` files name.

It is walked broad before deep, so that of too many the deepest are left out.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cline_cli.machine.files import open_regular
from cline_cli.workspace.walk import MAX_FILES, SKIPPED_FOLDERS

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

TIMEOUT_S = 10.0
_NAME = ".gitignore"
_MAX_BYTES = 100_000
_MAX_STARS = 2
"""In one part of a pattern, and parts that are `**`: what has more takes time that grows with a power of a name."""


class _Rules(NamedTuple):
    prefix: str
    """The folder that they are in."""
    spec: GitIgnoreSpec


def walk_unversioned(folder: Path, max_names: int, clock: Callable[[], float] = time.monotonic) -> list[str]:
    """Return the files below a real path, relative to it; those that were found in TIMEOUT_S, `max_names` at most.

    Symbolic links are among them and are not followed.
    """
    found: list[str] = []
    waiting: deque[tuple[str, tuple[_Rules, ...]]] = deque([("", ())])
    until_s = clock() + TIMEOUT_S
    while waiting and len(found) < max_names and clock() < until_s:
        prefix, rules = waiting.popleft()
        files, folders = _look_into(folder / prefix)
        if _NAME in files:
            rules = (*_read_rules(folder, prefix), *rules)
        found += [f"{prefix}{name}" for name in files if not _is_ignored(f"{prefix}{name}", rules)]
        inner = [f"{prefix}{name}/" for name in folders if name not in SKIPPED_FOLDERS]
        waiting += [(name, rules) for name in inner if not _is_ignored(name, rules)]
    return found[:max_names]


def _look_into(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of files and of folders in one folder; none where it must not be read."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, MAX_FILES):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                    files.append(entry.name)
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def _read_rules(folder: Path, prefix: str) -> tuple[_Rules, ...]:
    """Return the rules of a folder's own file; none where it cannot be read. Patterns that take long are left out."""
    from pathspec import GitIgnoreSpec  # lazy: 10 ms, and most folders are repositories

    try:
        with os.fdopen(open_regular(folder / prefix / _NAME), "rb") as file:
            lines = file.read(_MAX_BYTES).decode("utf-8-sig", "replace").splitlines()
        return (_Rules(prefix, GitIgnoreSpec.from_lines(line for line in lines if _is_quick(line))),)
    except (OSError, ValueError):
        return ()


def _is_quick(pattern: str) -> bool:
    parts = pattern.split("/")
    return parts.count("**") <= _MAX_STARS and all(part == "**" or part.count("*") <= _MAX_STARS for part in parts)


def _is_ignored(name: str, rules: tuple[_Rules, ...]) -> bool:
    """Return what the nearest file says that says something; a folder has a final slash."""
    for one in rules:
        is_named = one.spec.check_file(name.removeprefix(one.prefix)).include
        if is_named is not None:
            return is_named
    return False
