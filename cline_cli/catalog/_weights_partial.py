"""The beginning of a file that grows until it is whole, and its digest; what an interruption leaves is gone on with."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
from pathlib import Path
from types import TracebackType

from cline_cli.errors import ClineError

READ_BYTES = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Partial:
    """Open from entering the `with` to leaving it. What was appended stays, unless it is cut or dropped."""

    def __init__(self, path: Path, total_bytes: int) -> None:
        self._path = path
        self._total_bytes = total_bytes
        self._descriptor = -1
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def __enter__(self) -> Partial:
        """Open the file, or make it.

        Raises:
            ClineError: it cannot be opened.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise cannot_write(self._path, error) from None
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            os.close(self._descriptor)
            raise cannot_write(self._path, OSError("it is no ordinary file"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    async def catch_up(self) -> None:
        """Read what is there already, for its digest. More than the whole cannot be its beginning, and is dropped."""
        if os.fstat(self._descriptor).st_size > self._total_bytes:
            self.cut(0)
        while chunk := os.read(self._descriptor, READ_BYTES):
            self._digest.update(chunk)
            self.size_bytes += len(chunk)
            await asyncio.sleep(0)

    def append(self, chunk: bytes) -> None:
        """Write the bytes that follow.

        Raises:
            ClineError: the disk is full or refuses; what it took stays.
        """
        rest = memoryview(chunk)
        try:
            while rest:
                written = os.write(self._descriptor, rest)
                self._digest.update(rest[:written])
                self.size_bytes += written
                rest = rest[written:]
        except OSError as error:
            raise cannot_write(self._path, error) from None

    def cut(self, size_bytes: int) -> None:
        """Take away what came after so many bytes; the digest is then of no use any more."""
        os.ftruncate(self._descriptor, size_bytes)

    def hex_digest(self) -> str:
        return self._digest.hexdigest()

    def drop(self) -> None:
        """Take the file away."""
        self._path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the file its final name, in one step and for good.

        Raises:
            ClineError: the disk refuses.
        """
        try:
            os.fsync(self._descriptor)
            self._path.replace(target)
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise cannot_write(target, error) from None


def cannot_write(path: Path, error: OSError) -> ClineError:
    """Return what to tell a person when the disk refuses."""
    cause = os.strerror(error.errno).lower() if error.errno else str(error)
    if error.errno in _FULL:
        return ClineError(f"cannot write {path}: {cause}", "Make room and run the same command again: it goes on")
    return ClineError(f"cannot write {path}: {cause}", "Name another folder in $CLINE_MODELS_DIR")
