"""Files written whole or not at all, and opened without following what was put in the way; locks between processes.

A path that was checked can be another place by the time it is opened, if a folder in it became a symbolic link. So
`open_regular` and `write_confined` take a real path (no symbolic link in it) and walk it folder by folder: a link that
has appeared since is an error, never followed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
"""O_PATH, where it is, also opens a folder that may be passed through but not listed."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a symbolic link"),
)


class NotRegularError(OSError):
    """It is something else than a file with bytes in it; `kind` says what: "a named pipe"."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"it is {kind}")
        self.kind = kind


class ChangedError(OSError):
    """Somebody changed, made or removed the file since it was read."""


def write_atomic(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace a file's content in one step: whoever reads sees the old bytes or the new, whenever this process dies.

    A symbolic link is followed, and its target replaced. `mode` is the permission bits; None keeps those of the file
    that is there, and its owner where we may, or takes what the umask leaves of 0666 for a new one. The folder must
    exist.

    Raises:
        OSError: nothing was changed, and no temporary file is left.
    """
    target = Path(os.path.realpath(path))
    with _closing(os.open(target.parent, _FOLDER_FLAGS)) as folder:
        _replace(folder, target.name, data, mode)


def make_private_folder(folder: Path) -> None:
    """Make a folder that only this user can enter, and likewise those above it that are missing.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        make_private_folder(folder.parent)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:  # another process was faster
            if not folder.is_dir():
                raise
        else:
            folder.chmod(0o700)  # a umask may have taken more away


def write_confined(path: Path, data: bytes, *, expected: os.stat_result | None, mode: int | None = None) -> None:
    """Replace a file's content as write_atomic does, at a real path, if it still is as `expected`.

    `expected` is what the file was when it was read; with None the file must not exist, and its folders are made.
    `mode` is the permission bits of a new one, None what the umask leaves.

    Raises:
        ChangedError: the file is not the one that was read, or there is one now.
        OSError: nothing was changed: not allowed, no space, a symbolic link in the path.
    """
    with open_folder(path.parent, creates=expected is None) as folder:
        if _identity(_stat_in(folder, path.name)) != _identity(expected):
            raise ChangedError("it was changed by somebody else in the meantime")
        if expected:
            # A rename asks the folder only. Whoever may not write the file itself shall not replace it.
            os.close(os.open(path.name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder))
        _replace(folder, path.name, data, mode)


def remove_confined(path: Path, *, expected: os.stat_result | None) -> None:
    """Remove a file at a real path, if it still is as `expected`; with None, whatever it is like.

    Raises:
        ChangedError: it is not the one that was read.
        OSError: it was not removed.
    """
    with open_folder(path.parent) as folder:
        if expected and _identity(_stat_in(folder, path.name)) != _identity(expected):
            raise ChangedError("it was changed by somebody else in the meantime")
        os.unlink(path.name, dir_fd=folder)


def open_regular(path: Path) -> int:
    """Return a descriptor to read a file at a real path. Opening never blocks, whatever is there.

    Raises:
        NotRegularError: it is a folder, a named pipe, a socket, a device, or a symbolic link.
        OSError: it cannot be opened.
    """
    with open_folder(path.parent) as folder:
        # Opening alone can do something to a device, so what it is is asked before, and made sure of afterwards.
        _require_regular(os.stat(path.name, dir_fd=folder, follow_symlinks=False))
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, dir_fd=folder)
    try:
        _require_regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def open_folder(path: Path, *, creates: bool = False) -> Iterator[int]:
    """Hold a descriptor of the folder at a real path, for the `dir_fd` of the os functions; `creates` makes it.

    Raises:
        OSError: one of its parts is missing, no folder, or a symbolic link.
    """
    folder = os.open(path.anchor, _FOLDER_FLAGS)
    try:
        for name in path.parts[1:]:
            inner = _open_inner(folder, name, creates)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _open_inner(folder: int, name: str, creates: bool) -> int:
    flags = _FOLDER_FLAGS | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        if not creates:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
    return os.open(name, flags, dir_fd=folder)


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError(next((kind for test, kind in _KINDS if test(status.st_mode)), "no ordinary file"))


def _identity(status: os.stat_result | None) -> tuple[int, ...]:
    """What differs when a file was written to or replaced; empty for none."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns) if status else ()


def _stat_in(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _replace(folder: int, name: str, data: bytes, mode: int | None) -> None:
    old = _stat_in(folder, name) if mode is None else None
    temporary = f".cline-{os.urandom(8).hex()}"
    # With 0666 the kernel applies the umask, which cannot be read without changing it for every thread.
    descriptor, is_named = _open_new(folder, temporary, 0o666 if old is None and mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if old:
                _take_after(folder, name, old, descriptor)
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            if not is_named:
                os.link(f"/proc/self/fd/{descriptor}", temporary, dst_dir_fd=folder, follow_symlinks=True)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _open_new(folder: int, name: str, mode: int) -> tuple[int, bool]:
    """Open a new file, without a name where that can be had: then nothing of it is left if this process dies.

    Return whether it has the name. Raises OSError.
    """
    flags = os.O_WRONLY | os.O_CLOEXEC
    if hasattr(os, "O_TMPFILE") and os.path.exists("/proc/self/fd"):
        with contextlib.suppress(OSError):  # not every file system has such files
            return os.open(".", flags | os.O_TMPFILE, mode, dir_fd=folder), False
    return os.open(name, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder), True


def _take_after(folder: int, name: str, old: os.stat_result, descriptor: int) -> None:
    """Give the new file the old one's owner, extended attributes (access lists among them) and permission bits."""
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    if hasattr(os, "listxattr"):
        # Opened without following: the name may be another file's by now, and then only attributes go wrong.
        with contextlib.suppress(OSError), _closing(_open_quietly(folder, name)) as source:
            for attribute in os.listxattr(source):
                with contextlib.suppress(OSError):  # some belong to the system, and are set by it
                    os.setxattr(descriptor, attribute, os.getxattr(source, attribute))
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))  # last: a change of owner clears the set-user-id bits


def _open_quietly(folder: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def scratch_file(data: bytes) -> Iterator[int]:
    """Hold a descriptor, at its beginning, of a file without a name: for a child that is given more than fits in words.

    Raises:
        OSError: there is no space for it.
    """
    import tempfile  # lazy: 4 ms, for what few runs need

    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file.fileno()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that other processes of ours respect; `path` is the lock's own file and stays.

    Raises:
        OSError: the lock file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
