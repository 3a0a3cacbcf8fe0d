"""Runs a verb's Typer app, and turns Typer's complaints into ours."""

from __future__ import annotations

import typer

from cline_cli.argv import Call
from cline_cli.environment import Environment
from cline_cli.errors import UsageError


def invoke(app: typer.Typer, call: Call, environment: Environment) -> int:
    """Run a verb and return its exit code; the app finds the environment in its context's `obj`.

    Raises:
        ClineError: whatever the verb raises, and UsageError for arguments that Typer refuses.
    """
    is_run = call.verb == "run"
    try:
        code = app(
            list(call.arguments),
            prog_name="cline" if is_run else f"cline {call.verb}",
            standalone_mode=False,
            obj=environment,
        )
    except typer.TyperException as error:
        raise UsageError(error.format_message(), "cline --help" if is_run else f"cline {call.verb} --help") from None
    return code if isinstance(code, int) else 0
