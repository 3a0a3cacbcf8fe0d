"""What files there are, without what is ignored: as git says, and without git as the names of folders tell.

The project's own git settings could name a program for git to start (core.fsmonitor), so that is switched off.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cline_cli.machine.process import Command, run_process

SKIPPED_FOLDERS = frozenset(
    ".git .hg .svn .jj node_modules .venv venv __pycache__ .mypy_cache .pytest_cache .ruff_cache .tox .nox".split()
)
"""What nobody wrote by hand; asked only where git does not know what is ignored."""
MAX_FILES = 200_000
_MAX_GIT_BYTES = 16 * 1024 * 1024
_GIT_TIMEOUT_S = 10.0
ALONE: Mapping[str, str] = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
"""Git is to list what is there, and not to fetch what it misses: the project's settings would say by which program."""
_LIST = ("ls-files", "-z", "--exclude-standard")
_FILES_AT_ONCE = 200


class Listing(NamedTuple):
    names: tuple[str, ...]
    """Relative to the folder, sorted part by part. A name that is not UTF-8 holds surrogates."""
    is_complete: bool


def is_in_repository(folder: Path) -> bool:
    return any(os.path.exists(parent / ".git") for parent in (folder, *folder.parents))


async def list_files(folder: Path, variables: Mapping[str, str], max_files: int = MAX_FILES) -> Listing:
    """Return the files in a folder and all folders in it, at most so many; symbolic links are not followed.

    `variables` is the environment for git. A tracked file that was deleted may be among them.
    """
    named = await _ask_git(folder, variables, "--cached", "--others")
    names: set[str] = set()
    is_complete = named is None or named.is_complete
    for name in named.names if named else ():
        if name.endswith("/"):  # another repository inside this one, of which git says nothing
            is_complete &= await _walk_into(folder, name, names, max_files)
        else:
            names.add(name)
    if not names:  # no repository, or the folder itself is ignored and was asked for all the same
        is_complete = await _walk_into(folder, "", names, max_files)
    ordered = sorted(names, key=lambda name: name.split("/"))
    return Listing(tuple(ordered[:max_files]), is_complete and len(ordered) <= max_files)


async def list_folder(folder: Path, variables: Mapping[str, str]) -> Listing:
    """Return the names in one folder, folders with a final slash.

    Raises:
        OSError: it is no folder, or must not be read.
    """
    with os.scandir(folder) as entries:
        found = list(islice(entries, MAX_FILES + 1))
    names = {f"{entry.name}/" if _is_folder(entry) else entry.name for entry in found}
    ignored = await _ask_git(folder, variables, "--others", "--ignored", "--directory")
    if ignored is None:
        names -= {f"{name}/" for name in SKIPPED_FOLDERS}
    elif "./" not in ignored.names:  # else the folder itself is ignored, and was asked for all the same
        names -= {*ignored.names, ".git/", ".git"}
    return Listing(tuple(sorted(names)), len(found) <= MAX_FILES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link that leads to itself
        return False


async def _ask_git(folder: Path, variables: Mapping[str, str], *options: str) -> Listing | None:
    """Return what `git ls-files` says; None where it knows nothing: no repository, no git, no answer in time."""
    if not is_in_repository(folder):
        return None
    command = Command(
        argv=("git", "-c", "core.fsmonitor=false", *_LIST, *options),
        cwd=folder,
        variables={**variables, **ALONE},
        timeout_s=_GIT_TIMEOUT_S,
        max_bytes=_MAX_GIT_BYTES,
        stops_when_full=True,
        drops_errors=True,
    )
    try:
        completed = await run_process(command)
    except OSError:
        return None
    is_full = len(completed.head) >= _MAX_GIT_BYTES
    if completed.exit_code != 0 and not is_full:
        return None
    names = os.fsdecode(completed.head).split("\0")[:-1]
    # An index can be forged to name what lies elsewhere.
    return Listing(tuple(name for name in names if name[:1] != "/" and ".." not in name.split("/")), not is_full)


async def _walk_into(folder: Path, start: str, names: set[str], max_files: int) -> bool:
    """Add the files below `start`; return whether these are all."""
    files = _walk(folder, start)
    while len(names) <= max_files:
        some = list(islice(files, _FILES_AT_ONCE))
        if not some:
            return True
        names.update(some)
        await asyncio.sleep(0)
    return False


def _walk(folder: Path, start: str) -> Iterator[str]:
    """Yield the files in the order of their paths, so that what is left out of too many is the end."""
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name and not name.endswith("/"):
            yield name
            continue
        try:
            with os.scandir(folder / name) as entries:
                found = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError:
            continue
        for entry in found:
            if entry.is_file(follow_symlinks=False):
                waiting.append(name + entry.name)
            elif entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED_FOLDERS:
                waiting.append(f"{name}{entry.name}/")
