"""Runs a coroutine to its end, and waits for nothing else; lets signals in where something else is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")


def run_to_end(work: Coroutine[None, None, _Result]) -> _Result:
    """Return what the coroutine returns, or raise what it raises.

    `asyncio.run` would then wait for the threads that look up names as well: measured, 15 s with a name server that
    does not answer, whatever the signal or the deadline was.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(_cancel_others())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextlib.contextmanager
def signals_let_through() -> Iterator[None]:
    """Let the signals that end a run interrupt what may block, before there is an event loop.

    Everywhere else they are held back until there is one: an exception in the middle of an import can leave a lock of
    Python's behind that nobody gives back.
    """
    held = signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
