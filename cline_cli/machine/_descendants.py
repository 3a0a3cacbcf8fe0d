"""The processes that descend from this one, as /proc tells; without /proc there are none to be seen.

A process is named by its number and its start time together: numbers are used again (the kernel's default is 32,768 of
them), the pair is not.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
"""From <linux/prctl.h>."""
MAX_COMMAND_BYTES = 200
"""Of a command line that is shown."""


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int
    started: int
    """Clock ticks after boot."""
    is_zombie: bool
    """Ended, and not waited for yet."""

    @property
    def identity(self) -> tuple[int, int]:
        return self.pid, self.started


def guard_process() -> None:
    """Become the parent of every descendant that loses its own, and close our memory to them. Linux only.

    None can leave our tree then, and no command of the same user reads our environment, which holds keys, from /proc,
    or a core of us from the disk. What runs as root may read it all the same.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if not PROC.is_dir():
        return
    import ctypes  # lazy: 5 ms, and only a run that executes commands needs it

    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def read_processes(proc: Path = PROC) -> Mapping[int, Process]:
    """Return every process of the machine by its number; empty where there is no /proc."""
    try:
        names = os.listdir(proc)  # noqa: PTH208  # twice as quick as iterdir, and this reads hundreds
    except OSError:
        return {}
    processes = (_read_process(proc, int(name)) for name in names if name.isdecimal())
    return {process.pid: process for process in processes if process}


def _read_process(proc: Path, pid: int) -> Process | None:
    try:
        descriptor = os.open(f"{proc}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # The name stands in parentheses and may hold spaces and parentheses itself: count from the last one.
        fields = os.read(descriptor, 4096).rpartition(b")")[2].split()
        state, parent, group, session = fields[0], int(fields[1]), int(fields[2]), int(fields[3])
        return Process(pid, parent, group, session, int(fields[19]), state in {b"Z", b"X"})
    except (OSError, IndexError, ValueError):  # it ended while it was read
        return None
    finally:
        os.close(descriptor)


def find_tree(roots: Collection[tuple[int, int]], processes: Mapping[int, Process]) -> set[Process]:
    """Return the processes with these identities and all that descend from them."""
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found: set[Process] = set()
    waiting = [process for process in processes.values() if process.identity in roots]
    while waiting:
        process = waiting.pop()
        if process not in found:
            found.add(process)
            waiting.extend(children.get(process.pid, ()))
    return found


def send_signal(processes: Iterable[Process], number: signal.Signals) -> None:
    """Send a signal to each of these that still is the process it was when it was read, and may be signalled."""
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended, or runs as somebody else
            _send_to(process, number)


def _send_to(process: Process, number: signal.Signals) -> None:
    """Raises OSError where it cannot be done."""
    if not hasattr(os, "pidfd_open"):
        os.kill(process.pid, number)
        return
    # A pidfd goes on naming the process it was opened for, so the number cannot change hands after the comparison.
    descriptor = os.pidfd_open(process.pid)
    try:
        now = _read_process(PROC, process.pid)
        if now and now.identity == process.identity:
            signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def describe(process: Process, proc: Path = PROC) -> str:
    """Return the command line of a process, shortened; empty where it cannot be read. Untrusted text."""
    try:
        with Path(proc, str(process.pid), "cmdline").open("rb") as file:
            words = file.read(MAX_COMMAND_BYTES)
    except OSError:
        return ""
    return words.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
