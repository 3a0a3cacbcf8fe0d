"""How processes are ended: asked with SIGTERM, and after a while killed. Who they are is asked again at every step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Collection

from cline_cli.machine._descendants import PROC, Process, send_signal

_KILL_S = 0.4
"""How long to wait for the dead: a process in the middle of a disk access dies when that is over."""

Find = Callable[[], set[Process]]


async def end(find: Find, groups: Collection[int], grace_s: float) -> None:
    """Send SIGTERM to all that `find` returns and to the groups, wait `grace_s`, and send SIGKILL to what is left.

    The groups must be ours for certain: a group's number is safe as long as its leader is not waited for.
    """
    loop = asyncio.get_running_loop()
    try:
        signal_all(find(), groups, signal.SIGTERM)
        await _wait_until_none(find, groups, loop.time() + grace_s)
    finally:
        # Also when this wait is itself cut short. A group is killed at a stroke, which no fork outruns.
        signal_all(find(), groups, signal.SIGKILL)
    deadline = loop.time() + _KILL_S
    while not await _wait_until_none(find, groups, min(deadline, loop.time() + 0.05)) and loop.time() < deadline:
        signal_all(find(), groups, signal.SIGKILL)


async def _wait_until_none(find: Find, groups: Collection[int], deadline: float) -> bool:
    loop = asyncio.get_running_loop()
    pause_s = 0.002
    while find() or (not PROC.is_dir() and any(has_members(group) for group in groups)):
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.05)
    return True


def signal_all(processes: set[Process], groups: Collection[int], number: signal.Signals) -> None:
    """Send a signal to process groups, and to processes that may have groups of their own."""
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, number)
    send_signal(processes, number)


def has_members(group: int) -> bool:
    """Return whether there is anybody, or a zombie, in a process group that we may signal."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True
