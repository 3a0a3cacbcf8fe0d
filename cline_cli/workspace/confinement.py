"""Which paths the file tools may touch: those that really lie in the workspace, and by leave those outside.

    given            really inside      really outside
    relative         allowed            refused: `..` and symbolic links do not lead out
    absolute         allowed            with leave (`-y`), unless it is written as a path into the workspace
    in .git          may be read, is never written

"Really" is the path with every symbolic link followed. It is opened link by link again (machine.files), so what is
decided here holds when it is used.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cline_cli.workspace.ignored import Ignored, nothing

_SECRET_PLACE = re.compile(r"(?:^|/)\.cline/(?:settings\.toml|hooks|mcp|plugins)|(?:^|/)\.clinerules/hooks(?:/|$)")
"""In any folder, what a later run could take for the person's will. Rules in prose are not among it."""
MAX_NAMES = 2_000
"""Of files that a pattern stands for."""


class PathRefusedError(Exception):
    """A path that may not be touched; the message says why, and what may be."""


@dataclass(frozen=True, slots=True)
class Confinement:
    workspace: Path
    """A real path."""
    home: Path | None = None
    """What `~` stands for; None where there is no home."""
    allows_outside: bool = False
    """Whether an absolute path may lead out of the workspace."""
    read_roots: tuple[Path, ...] = ()
    """Real paths of folders outside that may be read all the same."""
    write_roots: tuple[Path, ...] | None = None
    """Real paths of all folders that may be written to; None where the sandbox does not confine that."""
    protected: tuple[Path, ...] = ()
    """Real paths of what is never written: our own settings and sessions."""
    is_ignored: Ignored = nothing
    """What the project keeps from models."""

    def resolve_for_reading(self, given: str) -> Path:
        """Return the real path of what may be read; whether there is anything is another question.

        Raises:
            PathRefusedError: it may not.
        """
        return self._resolve(given, self.read_roots)

    def resolve_for_writing(self, given: str) -> Path:
        """Return the real path of what may be written.

        Raises:
            PathRefusedError: it may not.
        """
        path = self._resolve(given, ())
        inner = path.relative_to(self.workspace) if path.is_relative_to(self.workspace) else path
        # Some file systems take .GIT for .git.
        if any(name.casefold() == ".git" for name in inner.parts):
            raise PathRefusedError(f"{given} lies in .git, which only git itself writes: use git commands")
        if any(path.is_relative_to(one) for one in self.protected) or _SECRET_PLACE.search(str(inner).casefold()):
            raise PathRefusedError(f"{given} holds settings or hooks of this program, which no tool changes")
        if self.write_roots is not None and not any(path.is_relative_to(root) for root in self.write_roots):
            raise PathRefusedError(
                f"{given} is blocked by the sandbox: files may be written in the workspace, temporary folders and"
                " caches only"
            )
        return path

    def leads_outside(self, text: str) -> bool:
        """Return whether a path in a command, in the workspace folder, leads out of what may be read.

        It may be a pattern of file names; then all that it stands for now are looked at, and too many are too many.
        """
        try:
            if "*" not in text:
                return not self._is_readable(Path(os.path.realpath(self.workspace / text)))
            from glob import iglob  # lazy: few commands are judged

            names = iglob(text, root_dir=self.workspace, include_hidden=True)  # noqa: PTH207  # as a shell does
            found = list(islice(names, MAX_NAMES + 1))
            tried = (text.partition("*")[0], *found)
            readable = all(self._is_readable(Path(os.path.realpath(self.workspace / name))) for name in tried)
            return len(found) > MAX_NAMES or not readable
        except (OSError, ValueError):
            return True

    def _is_readable(self, real: Path) -> bool:
        return any(real.is_relative_to(root) for root in (self.workspace, *self.read_roots, Path("/dev/null")))

    def shorten(self, path: Path) -> str:
        """Return a path as the model should name it: relative where it lies in the workspace."""
        return str(path.relative_to(self.workspace)) if path.is_relative_to(self.workspace) else str(path)

    def _resolve(self, given: str, roots: tuple[Path, ...]) -> Path:
        text = self._expand(given)
        if not text:
            raise PathRefusedError("the path is empty")
        try:
            real = Path(os.path.realpath(self.workspace / text))
        except ValueError:  # a NUL, a lone surrogate
            raise PathRefusedError(f"{given!r} is not a path") from None
        if self.is_ignored(real):
            raise PathRefusedError(f"{given} is kept from you by the project's .clineignore")
        if real.is_relative_to(self.workspace):
            return real
        # Path keeps `..`, so this is how the path is written, not where it leads.
        if not text.startswith("/") or Path(text).is_relative_to(self.workspace):
            raise PathRefusedError(
                f"{given} leads out of the workspace {self.workspace} to {real}, by '..' or a symbolic link"
            )
        if self.allows_outside or any(real.is_relative_to(root) for root in roots):
            return real
        raise PathRefusedError(f"{given} is outside the workspace {self.workspace}: only paths in it are allowed here")

    def _expand(self, given: str) -> str:
        if self.home and (given == "~" or given.startswith("~/")):
            return str(self.home) + given[1:]
        return f"/{given.lstrip('/')}" if given.startswith("//") else given


def confine(
    workspace: Path, *, home: Path | None = None, allows_outside: bool = False, read_roots: tuple[Path, ...] = ()
) -> Confinement:
    """Return the confinement to a folder, which may be named by way of symbolic links."""
    return Confinement(
        workspace=Path(os.path.realpath(workspace)),
        home=home,
        allows_outside=allows_outside,
        read_roots=tuple(Path(os.path.realpath(root)) for root in read_roots),
    )
