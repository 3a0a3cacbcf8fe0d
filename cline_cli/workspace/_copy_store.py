"""States of a folder that no repository keeps, as copies of its files in a folder of the session.

All files are copied where they are few; else only those that the file tools say they are about to change.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cline_cli.machine.files import NotRegularError, make_private_folder, open_regular, write_atomic
from cline_cli.workspace._states import MAX_FILE_BYTES, Entry, State
from cline_cli.workspace.walk import SKIPPED_FOLDERS

MAX_FILES = 5_000
MAX_TOTAL_BYTES = 100_000_000


class TooManyError(Exception):
    """There is more in the folder than is copied before every run."""


@dataclass(frozen=True, slots=True)
class CopyStore:
    root: Path
    """A real path."""
    folder: Path
    """Where the copies are."""

    def take(self, name: str, paths: Iterable[str] | None = None) -> State:
        """Keep the state of now, of all files or of these, under a name.

        Raises:
            TooManyError: of all files, there are more than are copied.
            OSError: it cannot be kept.
        """
        make_private_folder(self.folder)
        entries: dict[str, Entry] = {}
        left_out: list[str] = []
        room = MAX_TOTAL_BYTES
        for number, path in enumerate(_walk(self.root) if paths is None else paths):
            if paths is None and number >= MAX_FILES:
                raise TooManyError
            found = self._keep(path)
            if found is None:
                left_out.append(path)
                continue
            entry, size = found
            room -= size
            if room < 0 and paths is None:
                raise TooManyError
            if entry:
                entries[path] = entry
        state = State(entries, tuple(left_out))
        self.put(name, state)
        return state

    def put(self, name: str, state: State) -> None:
        """Keep a state under a name. Raises OSError."""
        write_atomic(self.folder / f"{name}.json", _to_json(state), mode=0o600)

    def read(self, name: str) -> State:
        """Return a state that was taken.

        Raises:
            OSError, ValueError: it is not there any more.
        """
        told = json.loads((self.folder / f"{name}.json").read_bytes().decode("utf-8", "surrogatepass"))
        entries = {path: Entry(*entry) for path, entry in told["entries"].items()}
        return State(entries, tuple(told["left_out"]))

    async def read_blob(self, blob: str) -> bytes:
        return (self.folder / blob).read_bytes()

    def _keep(self, path: str) -> tuple[Entry | None, int] | None:
        """Keep a file and return its entry, None where there is none, with its size; None for what is not kept."""
        place = self.root / path
        try:
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                return Entry("link", self._put(os.fsencode(place.readlink()))), 0
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                return None
            with os.fdopen(open_regular(Path(os.path.realpath(place.parent), place.name)), "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None, 0
        except (NotRegularError, PermissionError):
            return None
        return Entry("file", self._put(data), stat.S_IMODE(status.st_mode)), len(data)

    def _put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        if not (self.folder / name).exists():
            write_atomic(self.folder / name, data, mode=0o600)
        return name


def _to_json(state: State) -> bytes:
    told: Mapping[str, object] = {"entries": state.entries, "left_out": state.left_out}
    return json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _walk(root: Path) -> Iterator[str]:
    """Yield all files and links below a folder, but for what nobody wrote by hand."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                yield folder + entry.name
            elif entry.name not in SKIPPED_FOLDERS:
                waiting.append(f"{folder}{entry.name}/")
