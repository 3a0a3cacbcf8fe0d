"""A session's folder and file: this user's own, locked, read line by line, written whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from cline_cli.session.records import parse_line

MAX_RECORD_BYTES = 64 << 20
FOLDER = os.O_RDONLY | os.O_DIRECTORY
LOCK_ATTEMPTS = 10
LOCK_PAUSE_S = 0.02


class Opened(NamedTuple):
    """A session's folder and file, held open."""

    path: Path
    """Of the folder."""
    folder: int
    file: int

    def close(self) -> None:
        os.close(self.file)
        os.close(self.folder)


def read_lines(file: BufferedReader) -> Iterator[tuple[bytes, object]]:
    """Yield each line and what it holds; a last one that is torn is passed over.

    Raises:
        ValueError: the next line is too long, or is not JSON and not the last.
    """
    while line := file.readline(MAX_RECORD_BYTES + 1):
        if len(line) > MAX_RECORD_BYTES:
            raise ValueError(f"it is longer than {MAX_RECORD_BYTES >> 20} MB")
        if not line.endswith(b"\n"):
            return
        try:
            value = parse_line(line)
        except ValueError:
            if file.peek(1):
                raise ValueError("it is not valid JSON") from None
            return
        yield line, value


def open_place(path: Path, flags: int) -> Opened:
    """Open a session's folder, and its file as the flags say.

    Raises:
        OSError: either is missing, a symbolic link, something else than it should be, or another user's.
    """
    folder = open_own(path, FOLDER)
    try:
        return Opened(path, folder, open_own(file_in(path), flags | os.O_APPEND | os.O_NONBLOCK, folder))
    except BaseException:
        os.close(folder)
        raise


def open_own(path: Path, flags: int, folder: int | None = None) -> int:
    """Open what is at a path, or of its name in an open folder."""
    place = path if folder is None else path.name
    try:
        descriptor = os.open(place, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError:
        if path.is_symlink():
            raise OSError(errno.ELOOP, f"{path} is a symbolic link") from None
        raise
    status = os.fstat(descriptor)
    fault = f"{path} belongs to another user" if status.st_uid != os.geteuid() else ""
    if not flags & os.O_DIRECTORY and not stat.S_ISREG(status.st_mode):
        fault = f"{path} is not a regular file"
    if fault:
        os.close(descriptor)
        raise OSError(errno.ELOOP, fault)
    return descriptor


def lock(file: int) -> None:
    """Take a file; whoever only looks whether somebody has it holds it for a moment, which is waited for.

    Raises:
        BlockingIOError: another process has it.
        FileNotFoundError: it has been taken away in the meantime.
    """
    for attempt in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if attempt == LOCK_ATTEMPTS - 1:
                raise
            time.sleep(LOCK_PAUSE_S)
    if os.fstat(file).st_nlink == 0:
        raise FileNotFoundError(errno.ENOENT, "it has been taken away")


def is_locked(file: int) -> bool:
    """Tell whether another process has a file."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def write_whole(file: int, line: bytes) -> None:
    """Write a line to the end of a file, or nothing of it if that can be helped.

    Raises:
        OSError: it is not there.
    """
    end = os.fstat(file).st_size
    rest = memoryview(line)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, end)
        raise


def replace_file(folder: int, name: str, data: bytes, aside: str = "") -> None:
    """Put a file in an open folder, in the place of what is there; whoever reads sees the old bytes or the new.

    With `aside`, what was there is kept under that name.

    Raises:
        OSError: what was there still is.
    """
    with _made(folder, name, data) as (file, temporary):
        os.close(file)
        if aside:
            os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def put_file(folder: int, name: str, data: bytes) -> int:
    """Put a file in an open folder where there is none, whole and locked, and return it open.

    Raises:
        FileExistsError: there is one.
        OSError: there is none still.
    """
    with _made(folder, name, data) as (file, temporary):
        with suppress(OSError):  # a file system without locks: nobody can be kept out
            lock(file)
        os.fsync(file)
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.unlink(temporary, dir_fd=folder)
    return file


@contextmanager
def _made(folder: int, name: str, data: bytes) -> Iterator[tuple[int, str]]:
    """Make a file under another name, and take it away when something goes wrong. Raises OSError."""
    temporary = f".{name}.{os.getpid()}"
    with suppress(FileNotFoundError):  # of a process that died
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        os.fchmod(file, 0o600)
        write_whole(file, data)
        yield file, temporary
    except BaseException:
        with suppress(OSError):
            os.close(file)
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def read_own(path: Path, folder: int, max_bytes: int) -> bytes | None:
    """Return what a file in an open folder holds; None where there is none.

    Raises:
        OSError: it cannot be read, is something else than a file of this user, or is too large.
    """
    try:
        file = open_own(path, os.O_RDONLY | os.O_NONBLOCK, folder)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"{path} is larger than {max_bytes >> 20} MB")
    return data


def make_names_durable(folder: int) -> None:
    """Without it a power cut may leave a new session's bytes, and no name that leads to them."""
    with suppress(OSError):  # some file systems cannot, and need not
        os.fsync(folder)
        sessions = os.open("..", FOLDER | os.O_CLOEXEC, dir_fd=folder)
        try:
            os.fsync(sessions)
        finally:
            os.close(sessions)


def discard(path: Path) -> None:
    """Take away a session in which nothing was said, and what was put beside it."""
    shutil.rmtree(path, ignore_errors=True)


def file_in(path: Path) -> Path:
    return path / f"{path.name}.jsonl"


def row_in(path: Path) -> Path:
    """Return where the original command's format has what lists show."""
    return path / f"{path.name}.json"


def messages_in(path: Path) -> Path:
    """Return where the original command's format has the messages."""
    return path / f"{path.name}.messages.json"
