"""The files that a person can mention, found by a few characters of their paths, and how a mention of each is written.

    refresh, in a thread of its own ──> names, all at once ──> match, at any time

What git ignores is left out, what `.clineignore` names, and what no mention can be written of.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from cline_cli.workspace._fuzzy import Names
from cline_cli.workspace._unversioned import walk_unversioned
from cline_cli.workspace.ignored import find_ignored, nothing
from cline_cli.workspace.walk import MAX_FILES, is_in_repository, list_files

MAX_FOLDERS = 50_000
MAX_NAME = 1_000
"""Characters of a path; longer ones are left out."""
MAX_ENTRIES = 2_000
"""Of a folder that is looked into."""
_LIST_TIMEOUT_S = 30.0
_UNWRITABLE = re.compile('["\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
_BARE = re.compile(r"""[^\s"'`<>]*[^\s"'`<>.,;:!?)\]}]""")
"""What ends where the next white space begins, and not with what could belong to the sentence."""
_BY_FOLDER = ("~/", "/", "./", "../")


class FileIndex:
    def __init__(self, folder: Path, variables: Mapping[str, str], max_files: int = MAX_FILES) -> None:
        """Know nothing yet; `variables` is the environment of git, and says where `~` is."""
        self._folder = Path(os.path.realpath(folder))
        self._variables = variables
        self._max_files = max_files
        self._names: Names | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the files have been listed."""
        return self._names is not None

    def refresh(self) -> None:
        """List the files anew. Takes seconds in a large project; until it is done `match` finds the former ones."""
        is_ignored = find_ignored(self._folder)
        files = [name for name in self._list() if _is_writable(name) and not _is_home(name)]
        if is_ignored is not nothing:
            files = [name for name in files if not is_ignored(self._folder / name)]
        self._names = Names((*files, *_find_folders(files)))

    def match(self, query: str, limit: int = 20) -> list[str]:
        """Return the paths that could be meant, the best first, relative to the folder; folders have a final slash.

        A query that begins with `~/`, `/`, `./` or `../` is looked up in that one folder, and the paths begin likewise.
        """
        if query.startswith(_BY_FOLDER):
            return self._look_up(query)[:limit]
        names = self._names
        return list(islice(self._find_present(names.find(query)), limit)) if names else []

    def _list(self) -> Iterable[str]:
        if is_in_repository(self._folder):
            listing = list_files(self._folder, self._variables, self._max_files)
            try:
                return asyncio.run(asyncio.wait_for(listing, _LIST_TIMEOUT_S)).names
            except TimeoutError:
                pass
        return walk_unversioned(self._folder, self._max_files)

    def _find_present(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield those that have not been taken away in the meantime; git lists some folders without their slash."""
        for path in paths:
            place = self._folder / path
            if os.path.lexists(place):
                yield f"{path}/" if not path.endswith("/") and os.path.isdir(place) else path

    def _look_up(self, query: str) -> list[str]:
        """Return what a query can mean in the one folder that it leads to; hidden names only where a dot asks for them.

        Nothing where it leads nowhere.
        """
        before, _, typed = query.rpartition("/")
        prefix = f"{before}/"
        if prefix.startswith("~/") and not self._variables.get("HOME"):
            return []
        place = f"{self._variables['HOME']}{prefix[1:]}" if prefix.startswith("~/") else prefix
        try:
            folder = Path(os.path.realpath(self._folder / place))
            with os.scandir(folder) as entries:
                names = [
                    f"{entry.name}/" if _is_folder(entry) else entry.name for entry in islice(entries, MAX_ENTRIES)
                ]
        except (OSError, ValueError):
            return []
        is_ignored = find_ignored(self._folder)
        names = [
            name for name in names if name.startswith(".") == typed.startswith(".") and _is_writable(prefix + name)
        ]
        return [prefix + name for name in Names(name for name in names if not is_ignored(folder / name)).find(typed)]


def to_mention(path: str) -> str:
    """Return how a path that was found is written in a prompt, such that find_mentions finds it."""
    return f"@{path}" if _BARE.fullmatch(path) else f'@"{path}"'


def _is_writable(path: str) -> bool:
    """Whether a mention can be written of it."""
    return len(path) <= MAX_NAME and not _UNWRITABLE.search(path)


def _is_home(name: str) -> bool:
    """Whether a mention of it would be one of the home folder."""
    return name == "~" or name.startswith("~/")


def _find_folders(files: Iterable[str]) -> list[str]:
    """Return the folders that the files are in, with a final slash, at most MAX_FOLDERS."""
    found: set[str] = set()
    for file in files:
        end = file.rfind("/", 0, len(file) - 1)
        while end > 0 and (folder := file[: end + 1]) not in found:
            if len(found) == MAX_FOLDERS:
                return list(found)
            found.add(folder)
            end = file.rfind("/", 0, end)
    return list(found)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link that leads to itself
        return False
