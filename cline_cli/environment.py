"""What surrounds the process, gathered once: descriptors, terminals, folders, variables. Tests pass another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Environment:
    variables: Mapping[str, str]
    cwd: Path | None
    """None where the working directory was deleted."""
    home: Path | None
    """None without HOME."""
    stdin: int | None
    """A descriptor, or None where it is closed; likewise the next two."""
    stdout: int | None
    stderr: int | None
    is_stdin_terminal: bool
    is_stdout_terminal: bool
    is_stderr_terminal: bool

    @property
    def is_interactive(self) -> bool:
        """Whether a person can be asked: stderr is a terminal, /dev/tty opens and is ours, and it is no CI job."""
        return not self.why_not_interactive()

    def why_not_interactive(self) -> str:
        """Return in few words why nobody can be asked; empty where a person can be."""
        if self.variables.get("CI"):
            return "CI is set"
        if not self.is_stderr_terminal:
            return "standard error is not a terminal"
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return "there is no terminal to ask at"
        try:
            is_ours = os.tcgetpgrp(terminal) == os.getpgrp()
        except OSError:
            is_ours = False
        finally:
            os.close(terminal)
        return "" if is_ours else "it does not run in the foreground of its terminal"


def read_environment() -> Environment:
    """Return the environment of this process."""
    home = os.environ.get("HOME")
    try:
        cwd = Path.cwd()
    except OSError:
        cwd = None
    stdin, stdout, stderr = (_open_descriptor(number) for number in (0, 1, 2))
    return Environment(
        variables=os.environ,
        cwd=cwd,
        home=Path(home) if home else None,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        is_stdin_terminal=stdin is not None and os.isatty(stdin),
        is_stdout_terminal=stdout is not None and os.isatty(stdout),
        is_stderr_terminal=stderr is not None and os.isatty(stderr),
    )


def _open_descriptor(number: int) -> int | None:
    try:
        os.fstat(number)
    except OSError:
        return None
    return number
