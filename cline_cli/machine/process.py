"""Commands run as children, each in a session of its own; what outlives its command is known, and ended with the run.

    run_process ── shell ──┬── its children          end with the command, or at its timeout, or when it is cancelled
    (a new session)        ├── server &              lives on when the shell ends: a leftover, until end_leftovers
                           └── setsid, double fork   the same: this process is the reaper of all its descendants (Linux)

No command can ask anybody anything: stdin is /dev/null, and without a controlling terminal /dev/tty does not open.
The state of this module is the state of the operating system's process, of which there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cline_cli.machine._capture import Capture
from cline_cli.machine._confined import ConfinedShell, Launcher, LauncherLostError
from cline_cli.machine._descendants import (
    MAX_COMMAND_BYTES,
    PROC,
    Process,
    describe,
    find_tree,
    guard_process,
    read_processes,
)
from cline_cli.machine._ending import end, has_members, signal_all
from cline_cli.machine._unattended import child_variables

TERMINATE_GRACE_S = 2.0
"""Between the SIGTERM and the SIGKILL of a command that ran out of time."""
_CANCEL_GRACE_S = 0.5
"""The same for one that is cancelled: somebody waits for the run to end."""
_DRAIN_S = 0.4
"""How long output is still read after the shell has ended, where a process that it left behind holds the pipe."""
_OWNER_WAITS_S = 1.0
"""A dead child that may be another room's is left this long to be waited for by whoever started it."""


@dataclass(frozen=True, slots=True)
class Command:
    argv: tuple[str, ...]
    cwd: Path
    variables: Mapping[str, str]
    """The whole environment, as `child_variables` makes it."""
    timeout_s: float | None = None
    max_bytes: int = 262_144
    """Of output to keep; of a longer one the beginning and the end are kept."""
    stops_when_full: bool = False
    """End the command when it has printed `max_bytes`, of which all are then the head."""
    drops_errors: bool = False
    """Keep its stdout only."""
    descriptors: tuple[int, ...] = ()
    """Open files that it gets under the same numbers."""
    stdin: int | None = None
    """An open file that it reads from; None for /dev/null."""
    launcher: Launcher | None = None
    """The sandbox that it is started in; None for none."""


@dataclass(frozen=True, slots=True)
class Completed:
    exit_code: int | None
    """None where a signal ended it."""
    signal_name: str
    """Which one: "SIGKILL"; else empty."""
    head: bytes
    """Its stdout and stderr as they came; the whole where nothing was omitted, together with the tail."""
    omitted_bytes: int
    tail: bytes
    is_timed_out: bool
    is_output_held: bool
    """A process that it left behind still holds its output open."""
    duration_s: float


Shell = subprocess.Popen[bytes] | ConfinedShell


__all__ = [
    "Command",
    "Completed",
    "LauncherLostError",
    "Leftover",
    "child_variables",
    "end_leftovers",
    "kill_all",
    "list_leftovers",
    "run_process",
]


class Leftover(NamedTuple):
    pid: int
    command: str
    """Its command line, as far as it can be read. Untrusted text."""


@dataclass(slots=True)
class _Known:
    shells: dict[int, Shell] = field(default_factory=dict)
    """The commands that run now."""
    launchers: dict[int, Launcher] = field(default_factory=dict)
    """Those that commands were started by, by the numbers of their outermost processes."""
    killed: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """Those that nobody could wait for: their own cancellation was cut short."""
    others: frozenset[tuple[int, int]] | None = None
    """The children this process had before the first command of the run: another room's, and none of ours to end."""
    pipes: set[Capture] = field(default_factory=set)
    """What leftovers still write into."""
    groups: dict[int, str] = field(default_factory=dict)
    """Where there is no /proc: the process groups that outlived their shells, and what these ran."""


_known = _Known()


async def run_process(command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
    """Run a command to its end, its timeout or its cancellation; `on_output` gets the output as it comes.

    It returns at most half a second after the command ended, whoever still holds its output. Cancelling it ends the
    command and all that it started, within a second.

    Raises:
        OSError: it could not be started: no such program or folder, too long, no memory.
        ValueError: its words or its environment hold what no program can be given: a NUL, a lone surrogate.
    """
    loop = asyncio.get_running_loop()
    _be_ready(loop)
    over: asyncio.Future[None] = loop.create_future()
    output = Capture(command.max_bytes, on_output, (lambda: _settle(over)) if command.stops_when_full else None)
    started = loop.time()
    try:
        shell = await _start(command, output)
    except BaseException:
        output.close()
        raise
    try:
        is_timed_out = not await _wait(shell, over, command.timeout_s)
        if is_timed_out or shell.poll() is None:
            await _end_tree(shell, TERMINATE_GRACE_S)
        duration_s = loop.time() - started
        await output.drain(_DRAIN_S)
        return _completed(shell, output, is_timed_out, duration_s)
    except BaseException:
        if shell.returncode is None:
            await _end_tree(shell, _CANCEL_GRACE_S)
        raise
    finally:
        _forget(shell, command, output)


def list_leftovers() -> tuple[Leftover, ...]:
    """Return the living processes that commands of this run have left behind."""
    found = {process.pid: describe(process) for process in _find_leftovers()}
    found.update((group, command) for group, command in _known.groups.items() if has_members(group))
    return tuple(Leftover(pid, command) for pid, command in sorted(found.items()))


async def end_leftovers(grace_s: float = 0.3) -> tuple[Leftover, ...]:
    """End what the commands of this run have left behind, and return what that was.

    Each gets a SIGTERM, and after `grace_s` a SIGKILL. What runs as another user may survive; list_leftovers tells.
    """
    ended = list_leftovers()
    try:
        if ended:
            await end(_find_leftovers, _known.groups, grace_s)
        if _find_leftovers():  # they are faster than signals: what they are in goes with them
            for launcher in _known.launchers.values():
                launcher.lose()
    finally:
        for pipe in _known.pipes:
            pipe.close()
        _known.pipes.clear()
        _known.groups.clear()
        _reap()
        if not _known.shells:
            _known.others = None
    return ended


def kill_all() -> None:
    """Kill the running commands and what commands have left behind, at once. For a process that is about to exit."""
    processes = read_processes()
    mine = {one.identity for one in processes.values() if one.pid in _known.shells}
    signal_all(find_tree(mine, processes) | _find_leftovers(), {*_known.shells, *_known.groups}, signal.SIGKILL)
    for launcher in _known.launchers.values():
        launcher.kill()


def _be_ready(loop: asyncio.AbstractEventLoop) -> None:
    """Make sure that nothing this run starts can get lost."""
    if _known.others is None:
        guard_process()
        mine = os.getpid()
        _known.others = frozenset(one.identity for one in read_processes().values() if one.parent == mine)
    with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: the dead are then reaped at the end
        loop.add_signal_handler(signal.SIGCHLD, _reap)


async def _start(command: Command, output: Capture) -> Shell:
    if command.launcher:
        return await _start_confined(command, command.launcher, output)
    try:
        shell = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL if command.stdin is None else command.stdin,
            stdout=output.write_end,
            stderr=subprocess.DEVNULL if command.drops_errors else output.write_end,
            cwd=command.cwd,
            env=command.variables,
            start_new_session=True,
            pass_fds=command.descriptors,
        )
    finally:
        output.close_write_end()
    _known.shells[shell.pid] = shell
    return shell


async def _start_confined(command: Command, launcher: Launcher, output: Capture) -> ConfinedShell:
    """Raises OSError."""
    _known.launchers[launcher.root] = launcher
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        first = nothing if command.stdin is None else command.stdin
        files = (first, output.write_end, nothing if command.drops_errors else output.write_end)
        shell = await launcher.start(command.argv, command.cwd, command.variables, files, command.descriptors)
    finally:
        os.close(nothing)
        output.close_write_end()
    _known.shells[shell.pid] = shell
    return shell


async def _wait(shell: Shell, over: asyncio.Future[None], timeout_s: float | None) -> bool:
    """Wait until the shell has ended or `over` is settled; return False when the time was up first."""
    try:
        async with asyncio.timeout(timeout_s):
            await _wait_for_exit(shell, over)
    except TimeoutError:
        return False
    return True


async def _wait_for_exit(shell: Shell, over: asyncio.Future[None]) -> None:
    loop = asyncio.get_running_loop()
    if isinstance(shell, ConfinedShell):
        await asyncio.wait({over, shell.ended}, return_when=asyncio.FIRST_COMPLETED)
        return
    try:
        descriptor = os.pidfd_open(shell.pid)
    except (AttributeError, OSError):  # not on Linux, or in a sandbox that forbids it
        while not over.done() and shell.poll() is None:  # noqa: ASYNC110  # nothing tells when a child ends
            await asyncio.sleep(0.02)
        return
    loop.add_reader(descriptor, _settle, over)
    try:
        await over
        shell.poll()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _end_tree(shell: Shell, grace_s: float) -> None:
    """End the shell, what is in its session, and what descends from either, even if it has a session of its own."""
    members: set[tuple[int, int]] = set()

    def find_members() -> set[Process]:
        processes = read_processes()
        session = {one.identity for one in processes.values() if shell.pid in {one.pid, one.session}}
        found = find_tree(members | session, processes)
        members.update(one.identity for one in found)
        return {one for one in found if not one.is_zombie}

    # The shell is not waited for before all is over: as long as it is there, if only as a zombie, no other group can
    # get its number.
    await end(find_members, {shell.pid}, grace_s)
    if isinstance(shell, ConfinedShell):
        await shell.settle(is_outrun=bool(find_members()))
    shell.poll()


def _completed(shell: Shell, output: Capture, is_timed_out: bool, duration_s: float) -> Completed:
    code = shell.returncode
    number = -code if code is not None and code < 0 else 0
    return Completed(
        exit_code=None if number else code,
        signal_name=_signal_name(number) if number else "",
        head=output.head,
        omitted_bytes=output.omitted_bytes,
        tail=output.tail,
        is_timed_out=is_timed_out,
        is_output_held=output.is_open,
        duration_s=duration_s,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _forget(shell: Shell, command: Command, output: Capture) -> None:
    """Leave a command that is over, and whatever it left behind to itself until the run ends."""
    _known.shells.pop(shell.pid, None)
    if isinstance(shell, ConfinedShell):
        shell.release()
    elif shell.poll() is None:
        _known.killed.append(shell)
    if output.is_open:
        output.discard()
        _known.pipes = {pipe for pipe in _known.pipes if pipe.is_open} | {output}
    if not PROC.is_dir() and has_members(shell.pid):
        _known.groups[shell.pid] = shlex.join(command.argv)[:MAX_COMMAND_BYTES]
    _reap()


def _find_leftovers() -> set[Process]:
    """The living descendants of this process but for running commands and what is another room's."""
    processes = read_processes()
    roots = {one.identity for one in _orphans(processes)}
    return {one for one in find_tree(roots, processes) if not one.is_zombie}


def _orphans(processes: Mapping[int, Process]) -> list[Process]:
    """Our children, dead or alive, that are neither commands nor another room's.

    Another room's are those that were there before the first command, and those in our own session, which what a
    command starts never is.
    """
    mine = processes.get(os.getpid())
    if mine is None or _known.others is None:
        return []
    parents = {mine.pid, *(launcher.pid for launcher in _known.launchers.values() if not launcher.is_lost)}
    return [
        one
        for one in processes.values()
        if one.parent in parents
        and one.session != mine.session
        and one.pid not in _known.shells
        and one.pid not in _known.launchers
        and one.identity not in _known.others
    ]


def _reap() -> None:
    """Wait for the dead among the processes that became our children when they lost their parents.

    A zombie still answers `kill -0`, so a command that waits for a server's end would wait for ever.
    """
    _known.killed = [shell for shell in _known.killed if shell.poll() is None]
    dead = _next_dead_child()
    if not dead or dead in _known.shells:  # _forget comes here again
        return
    for one in _orphans(read_processes()):
        if not one.is_zombie:
            continue
        if one.session == one.pid:  # perhaps it was never a command's, but is another room's with its own session
            asyncio.get_running_loop().call_later(_OWNER_WAITS_S, _reap_one, one)
        else:
            _reap_one(one)


def _reap_one(process: Process) -> None:
    if process in _orphans(read_processes()):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)


def _next_dead_child() -> int:
    """Return the number of a child that ended and was not waited for, which it goes on to be; 0 for none."""
    try:
        dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):  # no child at all; not offered on macOS, where no orphan comes to us
        return 0
    return dead.si_pid if dead else 0
