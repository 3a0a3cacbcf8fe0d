"""A run as it was asked for on the command line, every value read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cline_cli.app import Options
from cline_cli.commands._deadline import Deadline
from cline_cli.environment import Environment
from cline_cli.errors import UsageError
from cline_cli.frontends.manner import Manner
from cline_cli.machine.input import StdinMode

if TYPE_CHECKING:  # lazy: few runs write a file
    from cline_cli.machine.output_file import OutputFile


@dataclass(frozen=True, slots=True)
class Fate:
    """What is to become of the changes."""

    is_patch: bool = False
    condition: str = ""
    """The command of --apply-if."""

    @property
    def may_go_back(self) -> bool:
        return self.is_patch or bool(self.condition)


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as it was asked for on the command line."""

    options: Options
    prompt: str
    """As it was typed; `-` alone stands for standard input, empty for none."""
    workspace: Path
    deadline: Deadline
    manner: Manner
    files: tuple[str, ...] = ()
    stdin_mode: StdinMode = "auto"
    requires_stdin: bool = False
    max_stdin_bytes: int = 200_000
    output: OutputFile | None = None
    fate: Fate = Fate()
    """What becomes of the files that are changed."""
    leaves_running: bool = False
    """What commands left running lives on after the run."""
    is_kept: bool = False
    """As a session."""
    is_bare: bool = False
    """No rules are read."""
    is_dry: bool = False
    """To be told, and not run."""
    is_session: bool = False
    """The prompt, if there is one, is the first of an interactive session."""


def check_prompt(prompt: str, environment: Environment, why_no_session: str = "") -> None:
    """See that there can be a prompt, before anything else is done; a person is told why there is no session, either.

    Raises:
        UsageError: none was typed, and nothing is piped in.
    """
    if not prompt and (environment.stdin is None or environment.is_stdin_terminal):
        told = f", and there is no interactive session: {why_no_session}" if why_no_session else ""
        raise UsageError(f"no prompt was given{told}", 'Give one: cline "Explain what a REST API is."')
