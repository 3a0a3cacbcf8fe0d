"""What a project keeps from models: `.clineignore`, in the form of git's ignore files.

It holds for the file tools: what it names is neither listed, searched, read nor changed by them. Commands are not bound
by it; a policy or the permissions of files are for that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from cline_cli.machine.files import open_regular

NAME: Final = ".clineignore"
MAX_BYTES: Final = 100_000
MAX_STARS: Final = 3
"""In one part of a pattern: the time that it takes for a name grows with the name to the power of their number."""

Ignored = Callable[[Path], bool]
"""Whether a real path is kept from the model."""


def nothing(path: Path) -> bool:  # noqa: ARG001  # the form of all of them
    return False


def find_ignored(workspace: Path) -> Ignored:
    """Return what the `.clineignore` of a workspace, a real path, names; one that cannot be read names everything."""
    place = workspace / NAME
    if not os.path.lexists(place):
        return nothing
    try:
        with os.fdopen(open_regular(Path(os.path.realpath(place))), "rb") as file:
            lines = file.read(MAX_BYTES).decode("utf-8-sig", "replace").splitlines()
        return _compile(workspace, lines)
    except (OSError, ValueError):
        return lambda path: path != place and path.is_relative_to(workspace)


def _compile(workspace: Path, lines: Iterable[str]) -> Ignored:
    """Raises ValueError: a line is no pattern, or one with so many stars that a name can take minutes."""
    from pathspec import GitIgnoreSpec  # lazy: 10 ms, and few projects have the file

    kept = list(lines)
    if any(part.count("*") > MAX_STARS for line in kept for part in line.split("/") if not line.startswith("#")):
        raise ValueError("too many stars")
    spec = GitIgnoreSpec.from_lines(kept)

    def is_ignored(path: Path) -> bool:
        if not path.is_relative_to(workspace) or path == workspace:
            return False
        name = path.relative_to(workspace).as_posix()
        return spec.match_file(name) or spec.match_file(f"{name}/")

    return is_ignored
