"""Small files of this user: read whole, and nothing that only looks like one (a pipe, a device, a file without end)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 1 << 20
"""More than any file of settings or keys has."""


class Content(NamedTuple):
    data: bytes
    owner: int
    """A user id."""
    mode: int
    """Permission bits."""


def read_small_file(path: Path, *, follows_links: bool = True) -> Content | None:
    """Return what the file holds, or None where there is none that this user could have made.

    Raises:
        OSError: it is there and cannot be read, is no regular file or is too large; with `follows_links` false, also
            a symbolic link.
    """
    try:
        path.lstat()
    except (FileNotFoundError, PermissionError):  # a folder that lets nobody in is another user's home
        return None
    except NotADirectoryError:  # HOME is /dev/null; a file that stands where the folder itself should be is told
        if os.path.lexists(path.parent):
            raise
        return None
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follows_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if not follows_links and path.is_symlink():
            raise OSError(error.errno, "it is a symbolic link") from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(0, f"it is larger than {MAX_BYTES:,} bytes")
    return Content(data, status.st_uid, stat.S_IMODE(status.st_mode))
