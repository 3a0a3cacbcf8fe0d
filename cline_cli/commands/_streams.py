"""What every verb but `run` shares: where it stands, and its plain words on stdout and stderr."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
from pathlib import Path

from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.text import one_line

WAIT_MS = 500


def move(environment: Environment, cwd: str | None) -> Environment:
    """Return the environment as if it had been started in that folder.

    Raises:
        UsageError: there is no such folder.
    """
    if cwd is None:
        return environment
    folder = (environment.cwd or Path("/")) / Path(cwd).expanduser()
    if not cwd or not os.path.isdir(folder):
        raise UsageError(f"--cwd {cwd!r} is not a folder")
    return dataclasses.replace(environment, cwd=folder.resolve())


def say(environment: Environment, text: str) -> None:
    """Write to stdout what was asked for.

    Raises:
        BrokenPipeError: the reader has gone.
        ClineError: it cannot be written.
    """
    if environment.stdout is None:
        raise ClineError("cannot write to standard output: it is closed")
    try:
        _write(environment.stdout, text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ClineError(f"cannot write to standard output: {error.strerror}") from error


def tell(environment: Environment, notice: str) -> None:
    """Write a line to stderr, safe for a terminal.

    Raises:
        OSError: as for `say`.
    """
    _write(environment.stderr, f"cline: {one_line(notice)}\n")


def write_in_time(descriptor: int | None, data: bytes) -> None:
    """Write as much as its reader takes without ever letting us wait for WAIT_MS; no failure is told."""
    if descriptor is None:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    with contextlib.suppress(OSError):
        while data and poll.poll(WAIT_MS):
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]


def _write(descriptor: int | None, text: str) -> None:
    data = text.encode("utf-8", "replace")
    while descriptor is not None and data:
        data = data[os.write(descriptor, data) :]
