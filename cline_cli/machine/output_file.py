"""Where `--output` puts an answer: looked at before the run begins, written once at its end.

    regular file, or none yet           replaced in one step; a symbolic link is followed
    what stdout or stderr writes to     written through that descriptor, behind all that is there
    /dev/stdout, /dev/fd/N and the like likewise
    the file of $GITHUB_STEP_SUMMARY    appended to: other steps have written there
    named pipe, device                  opened for ourselves without blocking; a pipe's reader is waited for

A file that stdout also writes to is not opened again: with an offset of its own, each would write over the other.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cline_cli.errors import DeliveryError, UsageError
from cline_cli.machine.files import write_atomic
from cline_cli.machine.output import Output
from cline_cli.text import one_line

READER_S = 0.05
"""Between two looks whether a named pipe has a reader: nothing tells when one comes."""
_DESCRIPTOR = re.compile(r"/dev/(?P<name>stdout|stderr)|/(?:dev|proc/self)/fd/(?P<number>\d+)")
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A place that `check_output` has found fit."""

    name: str
    """As it was given, for messages; one line."""
    path: Path
    is_appended: bool
    """Whether a regular file is added to and not replaced."""
    own: Sequence[int]
    """The descriptors that the rest of the program writes to."""

    def leads_to(self, descriptor: int) -> bool:
        """Whether it is where a descriptor of the rest of the program writes to."""
        return _find_descriptor(self.path, (descriptor,)) == descriptor

    async def deliver(self, data: bytes) -> None:
        """Write the data, whole. Cancelling stops it at once, with some of the data in a pipe or a device.

        Raises:
            DeliveryError: it cannot be written; a regular file is then as it was, unless it is appended to.
        """
        try:
            await self._write(data)
        except OSError as error:
            raise DeliveryError(f"cannot write {self.name}: {error.strerror or error}") from None

    async def _write(self, data: bytes) -> None:
        descriptor = _find_descriptor(self.path, self.own)
        if descriptor is not None:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.lseek(descriptor, 0, os.SEEK_END)
            await Output(descriptor).write(data)
        elif not self.is_appended and _is_regular_or_none(self.path):
            write_atomic(self.path, data)
        else:
            descriptor = await _open(self.path, creates=self.is_appended)
            try:
                await Output(descriptor).write(data)
            finally:
                os.close(descriptor)


def check_output(
    path_text: str, folder: Path, variables: Mapping[str, str], *, own: Sequence[int] = (1, 2)
) -> OutputFile:
    """Return where `--output` leads, relative to `folder`. Creates and opens nothing.

    `own` are the descriptors that the rest of the program writes to.

    Raises:
        UsageError: nothing can be written there.
    """
    name = one_line(path_text, 200)
    if not path_text:
        raise UsageError("--output has no file name")
    path = folder / path_text
    summary = variables.get("GITHUB_STEP_SUMMARY")
    try:
        is_appended = bool(summary) and os.path.realpath(folder / str(summary)) == os.path.realpath(path)
        output = OutputFile(name, path, is_appended, own)
        fault = "it is a folder" if path_text.endswith("/") else _find_fault(output)
    except OSError as error:
        raise _refused(name, error.strerror or str(error)) from None
    except ValueError as error:  # a NUL
        raise _refused(name, str(error)) from None
    if fault:
        raise _refused(name, fault)
    return output


def _refused(name: str, fault: str) -> UsageError:
    return UsageError(f"--output cannot write {name}: {fault}", "Give another file")


def _find_fault(output: OutputFile) -> str:
    """Return why nothing can be written there, or ""."""
    path = output.path
    descriptor = _find_descriptor(path, output.own)
    if descriptor is not None:
        return "" if _is_open_for_writing(descriptor) else f"descriptor {descriptor} is not open for writing"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return _find_fault_of_folder(path)
    if stat.S_ISDIR(mode) or stat.S_ISSOCK(mode):
        return f"it is a {'folder' if stat.S_ISDIR(mode) else 'socket'}"
    if not os.access(path, os.W_OK):
        return os.strerror(errno.EACCES)
    return _find_fault_of_folder(path) if stat.S_ISREG(mode) and not output.is_appended else ""


def _find_fault_of_folder(path: Path) -> str:
    parent = Path(os.path.realpath(path)).parent
    shown = one_line(str(parent), 200)
    if not parent.is_dir():
        return f"there is no folder {shown}"
    return "" if os.access(parent, os.W_OK | os.X_OK) else f"the folder {shown} may not be written to"


def _find_descriptor(path: Path, own: Sequence[int]) -> int | None:
    """Return the descriptor that a path names, or the one of `own` that writes to the file there."""
    named = _DESCRIPTOR.fullmatch(os.path.normpath(path))
    if named:
        return int(named["number"]) if named["number"] else ("stdin", "stdout", "stderr").index(named["name"])
    try:
        status = path.stat()
    except OSError:
        return None
    writing = (descriptor for descriptor in own if _is_open_for_writing(descriptor))
    return next((descriptor for descriptor in writing if os.path.samestat(os.fstat(descriptor), status)), None)


def _is_open_for_writing(descriptor: int) -> bool:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except (OSError, OverflowError):
        return False


def _is_regular_or_none(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _lacks_reader(path: Path, error: OSError) -> bool:
    """Return whether opening failed because nobody reads a named pipe; a device says the same when it is not there."""
    return error.errno == errno.ENXIO and path.is_fifo()


async def _open(path: Path, *, creates: bool) -> int:
    """Return a descriptor of our own that never blocks; a named pipe is opened when it has a reader."""
    while True:
        try:
            return os.open(path, _FLAGS | (os.O_CREAT if creates else 0), 0o666)
        except OSError as error:
            if not _lacks_reader(path, error):
                raise
        await asyncio.sleep(READER_S)
