"""A file that is about to be changed, as it is now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from cline_cli.machine.contents import UTF_8, BinaryError, Encoding, decode
from cline_cli.tools._opened import open_file
from cline_cli.tools._results import ItemError, count

MAX_FILE_BYTES = 20_000_000


class Original(NamedTuple):
    """A file as it was read; without `status` there is none yet."""

    text: str = ""
    data: bytes = b""
    encoding: Encoding = UTF_8
    status: os.stat_result | None = None


def read_original(given: str, path: Path) -> Original:
    """Return the file; one without `status` where there is none.

    Raises:
        ItemError: there is something that cannot be edited.
    """
    if not os.path.lexists(path):
        return Original()
    descriptor = open_file(path, given)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size > MAX_FILE_BYTES:
            raise ItemError(f"{given} has {count(status.st_size, 'byte')}, too many to edit here: use run_commands")
        try:
            data = file.read(MAX_FILE_BYTES)
            text, encoding = decode(data)
        except OSError as error:
            raise ItemError(f"{given}: {error.strerror}") from error
        except BinaryError as error:
            raise ItemError(f"{given} is {error} ({count(status.st_size, 'byte')}), not text to edit") from error
    return Original(text, data, encoding, status)
