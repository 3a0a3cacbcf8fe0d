"""The last lines on stdout of a run with JSON lines that failed before it began: whoever reads waits for them."""

from __future__ import annotations

from importlib import import_module

from cline_cli.argv import Lines
from cline_cli.commands._streams import write_in_time
from cline_cli.environment import Environment
from cline_cli.errors import ClineError
from cline_cli.frontends.manner import Manner

MODULES = {"json": "json_lines", "say": "say_lines"}


def tell_failure(lines: Lines, error: ClineError, environment: Environment) -> None:
    """Write them, if whoever reads takes them now."""
    front_end = import_module(f"cline_cli.frontends.{MODULES[lines.kind]}")
    data: bytes = front_end.failure_lines(error, Manner(lines.kind, is_quiet=lines.is_quiet), 0.0)
    write_in_time(environment.stdout, data)
