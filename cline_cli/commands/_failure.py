"""The last lines on stdout of a run with JSON lines that failed before it began: whoever reads waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Literal

from cline_cli.commands._streams import write_in_time
from cline_cli.environment import Environment
from cline_cli.errors import ClineError
from cline_cli.frontends.manner import Manner

MODULES = {"json": "json_lines", "say": "say_lines"}


def tell_failure(
    kind: Literal["json", "say"], error: ClineError, argv: Sequence[str], environment: Environment
) -> None:
    """Write them, if whoever reads takes them now."""
    front_end = import_module(f"cline_cli.frontends.{MODULES[kind]}")
    data: bytes = front_end.failure_lines(error, Manner(kind, is_quiet="-q" in argv or "--quiet" in argv), 0.0)
    write_in_time(environment.stdout, data)
