"""Who could still write into a silent pipe or socket, as far as Linux tells.

    pipe, FIFO    whoever has the same file open for writing, by /proc/*/fd
    Unix socket   whoever has its peer, which unix_diag names: what node and others give their children for a pipe
    other         cannot be told

A writer that is neither this process nor one of its ancestors is a producer: the rest of our pipeline. It may even be
our own child: zsh and ksh become the last command of a pipeline after they have started the others. An ancestor alone
is a program that gave us a pipe, and perhaps will never use it. Where nobody is to be seen, somebody holds it all the
same, since it did not end: a process of root's, of another container, or one that has closed itself to us.

Links are read with the functions of os, not those of Path: there are thousands of them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from cline_cli.machine._descendants import PROC, Process, read_processes
from cline_cli.text import one_line

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1
"""From <linux/netlink.h> and <linux/sock_diag.h>."""
_UDIAG_SHOW_PEER, _UNIX_DIAG_PEER = 4, 2
"""From <linux/unix_diag.h>."""
_NO_COOKIE = 0xFFFFFFFF
"""Twice: any socket with that inode."""
_HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length of all, type, flags, sequence number, port."""
_REQUEST = struct.Struct("=BBHIIIII")
"""struct unix_diag_req: family, protocol, padding, states, inode, what to show, cookie."""
_ATTRIBUTE = struct.Struct("=HH")
"""struct nlattr: length with this header, type. The value follows, and padding to a multiple of 4."""
_MESSAGE_BYTES = 16
"""Of struct unix_diag_msg, which comes before the attributes."""
_KERNEL_ANSWERS_S = 0.2


class Writer(NamedTuple):
    verdict: Literal["producer", "idle", "unknown"]
    process: Process | None = None
    """The producer."""


class _End(NamedTuple):
    """The file that a writer has open."""

    name: str
    """The last part of what its links in /proc/*/fd say: pipe:[123], socket:[123], or the name of a FIFO."""
    device: int
    inode: int


async def find_writer(descriptor: int, known: Process | None = None, proc: Path = PROC) -> Writer:
    """Return who may still write what this descriptor reads; `known` is asked about first, which is quick."""
    try:
        end, number = _find_end(descriptor, proc), _own_number(proc)
    except (OSError, ValueError):
        return Writer("unknown")
    processes = {process.pid: process for process in read_processes(proc).values() if not process.is_zombie}
    me = processes.get(number)
    if end is None or me is None:
        return Writer("unknown")
    still = processes.get(known.pid) if known else None
    if still and known and still.identity == known.identity and _holds(still, end, proc):
        return Writer("producer", still)
    # The rest of a pipeline is in our process group, and often all there is to look at.
    mates = [process for process in processes.values() if process.group == me.group]
    found = await _examine(mates, end, proc)
    writer = judge(me, processes, found)
    if writer.process is None or not found[writer.process.pid]:
        others = [process for process in processes.values() if process.group != me.group]
        writer = judge(me, processes, found | await _examine(others, end, proc))
    return writer


def judge(me: Process, processes: Mapping[int, Process], found: Mapping[int, bool | None]) -> Writer:
    """Return what it means that these processes hold the write end, or that it could not be seen (None). Pure."""
    line = _line_of(me, processes)
    others = [processes[pid] for pid in found if processes[pid] not in line]
    holders = [process for process in others if found[process.pid]]
    if holders:
        return Writer("producer", _choose(holders, me))
    hidden = [process for process in others if found[process.pid] is None and _may_feed(process, line)]
    mates = [process for process in hidden if process.group == me.group]
    if any(found.values()):
        return Writer("unknown" if mates or any(process.session == me.session for process in hidden) else "idle")
    # `sudo dmesg | cline`, and `cline | cline`, which closes itself to others: it can be nobody else of our pipeline.
    return Writer("producer", _choose(mates, me)) if mates else Writer("unknown")


def name_of(process: Process, proc: Path = PROC) -> str:
    """Return "pytest (pid 812)", fit for a terminal."""
    try:
        name = one_line(Path(proc, str(process.pid), "comm").read_bytes().decode(errors="replace"))
    except OSError:
        name = ""
    return f"{name or 'a process'} (pid {process.pid})"


def _choose(processes: Collection[Process], me: Process) -> Process:
    """Return the one to name: of ours rather than of others, and pytest rather than the subshell around it."""
    return max(processes, key=lambda process: (process.group == me.group, process.started, process.pid))


def _line_of(process: Process, processes: Mapping[int, Process]) -> list[Process]:
    """Return the process, its parent, and so on."""
    line = [process]
    while (parent := processes.get(line[-1].parent)) and parent not in line:
        line.append(parent)
    return line


def _may_feed(process: Process, line: Sequence[Process]) -> bool:
    """Whether a shell that started us, or became us, started it before us: it stands on our left in the pipeline.

    On our right stands who reads from us, as in `cline ... | sudo tee FILE`. To wait for that one would be for ever.
    """
    if process.parent == line[0].pid:
        return True
    brother = next((one for one in line if one.parent == process.parent), None)
    return brother is not None and (process.started, process.pid) < (brother.started, brother.pid)


async def _examine(processes: Collection[Process], end: _End, proc: Path) -> dict[int, bool | None]:
    found: dict[int, bool | None] = {}
    for process in processes:
        found[process.pid] = _holds(process, end, proc)
        await asyncio.sleep(0)  # there may be thousands, and somebody may want to stop us
    return found


def _holds(process: Process, end: _End, proc: Path) -> bool | None:
    """Whether a process has it open for writing; None where that may not be seen."""
    folder = f"{proc}/{process.pid}/fd"
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except PermissionError:
        return None
    except OSError:  # it has ended
        return False
    return any(_leads_to(f"{folder}/{name}", end) for name in names)


def _leads_to(link: str, end: _End) -> bool:
    try:
        # The name first: a stat may take for ever where it leads to a network drive.
        if os.readlink(link).rpartition("/")[2] != end.name:  # noqa: PTH115
            return False
        if not os.lstat(link).st_mode & stat.S_IWUSR:
            return False
        status = os.stat(link)  # noqa: PTH116
    except OSError:  # it was closed
        return False
    return (status.st_dev, status.st_ino) == (end.device, end.inode)


def _own_number(proc: Path) -> int:
    """Return what /proc calls us, which may be that of an outer container. Raises OSError, ValueError."""
    return int(Path(proc, "self").readlink().name)


def _find_end(descriptor: int, proc: Path) -> _End | None:
    """Raises OSError where it cannot be told."""
    status = os.fstat(descriptor)
    if stat.S_ISFIFO(status.st_mode):
        name = Path(proc, "self/fd", str(descriptor)).readlink().name
        return _End(name, status.st_dev, status.st_ino)
    if stat.S_ISSOCK(status.st_mode):
        peer = _ask_for_peer(status.st_ino)
        return _End(f"socket:[{peer}]", status.st_dev, peer) if peer else None
    return None


def _ask_for_peer(inode: int) -> int | None:
    """Return the inode of a Unix socket's peer. Raises OSError where the kernel does not tell."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_KERNEL_ANSWERS_S)
        kernel.send(to_peer_request(inode))
        return parse_peer(kernel.recv(8192))


def to_peer_request(inode: int) -> bytes:
    """Return the netlink message that asks for the peer of a Unix socket. Pure."""
    request = _REQUEST.pack(
        socket.AF_UNIX, 0, 0, 0xFFFFFFFF, inode & 0xFFFFFFFF, _UDIAG_SHOW_PEER, _NO_COOKIE, _NO_COOKIE
    )
    return _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + request


def parse_peer(answer: bytes) -> int | None:
    """Return the inode in the kernel's answer; None where it is an error, or the socket has no peer. Pure."""
    if len(answer) < _HEADER.size:
        return None
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind != _SOCK_DIAG_BY_FAMILY:
        return None
    rest = answer[_HEADER.size + _MESSAGE_BYTES : length]
    while len(rest) >= _ATTRIBUTE.size:
        size, name = _ATTRIBUTE.unpack_from(rest)
        value = rest[_ATTRIBUTE.size : size]
        if name == _UNIX_DIAG_PEER and len(value) == 4:
            return int(struct.unpack("=I", value)[0])
        rest = rest[max(_ATTRIBUTE.size, (size + 3) & ~3) :]
    return None
