"""Opens a file that a model named, or says in words for it why not."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from cline_cli.machine.files import NotRegularError, open_regular
from cline_cli.tools._results import ItemError
from cline_cli.workspace.confinement import Confinement, PathRefusedError

_MAX_NAMES = 10_000


def resolve_to_write(confinement: Confinement, given: str) -> Path:
    """Return the real path of a file that may be written, whether it is there or not.

    Raises:
        ItemError: it may not.
    """
    try:
        return confinement.resolve_for_writing(given)
    except PathRefusedError as error:
        raise ItemError(str(error)) from error


def name_to_judge(confinement: Confinement, given: str) -> str:
    """Return a file as rules name it: where it really lies; as it is given where it may not be written anyway."""
    try:
        return confinement.shorten(confinement.resolve_for_writing(given))
    except PathRefusedError:
        return given


def resolve_to_read(confinement: Confinement, given: str) -> Path:
    """Return the real path of what may be read, whether it is there or not.

    Raises:
        ItemError: it may not.
    """
    try:
        return confinement.resolve_for_reading(given)
    except PathRefusedError as error:
        raise ItemError(str(error)) from error


def open_file(path: Path, given: str) -> int:
    """Return a descriptor to read the regular file at a real path; `given` is what the model calls it.

    Raises:
        ItemError: there is none, or none that can be read.
    """
    try:
        return open_regular(path)
    except NotRegularError as error:
        hint = "; list_files shows what is in it" if error.kind == "a folder" else ", which cannot be read"
        raise ItemError(f"{given} is {error.kind}{hint}") from error
    except FileNotFoundError as error:
        raise ItemError(f"there is no file {given}{_suggest(path)}") from error
    except OSError as error:
        raise ItemError(f"{given}: {error.strerror}") from error


def _suggest(path: Path) -> str:
    """Return which file may have been meant instead."""
    from difflib import get_close_matches  # lazy: 3 ms, for mistakes only

    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, _MAX_NAMES)]
    except OSError:
        names = []
    near = get_close_matches(path.name, names, 3)
    return f"; there is {', '.join(near)}" if near else "; list_files shows what there is"
