"""Which session is meant: its id, the beginning of it, or `last`."""

from __future__ import annotations

import os
from pathlib import Path

from cline_cli.commands._history_list import of_folder
from cline_cli.errors import UsageError
from cline_cli.session.reading import list_rows

LAST = "last"
LEAST_CHARACTERS = 6
"""Of the beginning of an id."""
TOLD = 5
"""How many are named where several begin so."""


def find_id(sessions: Path, asked: str, cwd: Path | None) -> str:
    """Return the id of the session that is meant; what leads to none is returned as it is.

    Raises:
        UsageError: several begin so; there is no session in this folder that could be the last.
    """
    if asked == LAST:
        row = next(of_folder(list_rows(sessions), cwd), None)
        if row is None:
            raise UsageError(f"there is no session of {cwd}", "cline history lists those of all folders")
        return row.session_id
    if len(asked) < LEAST_CHARACTERS:
        return asked
    try:
        with os.scandir(sessions) as entries:
            names = sorted(entry.name for entry in entries if entry.name.startswith(asked) and entry.is_dir())
    except OSError:  # whoever reads the session tells of it
        return asked
    if asked in names or not names:
        return asked
    if len(names) > 1:
        more = f", and {len(names) - TOLD} more" if len(names) > TOLD else ""
        raise UsageError(f"{asked} begins the ids of {len(names)} sessions: {', '.join(names[:TOLD])}{more}")
    return names[0]
