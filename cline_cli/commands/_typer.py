"""Runs a verb's Typer app, and turns Typer's complaints into ours."""

from __future__ import annotations

import typer
from typer.main import get_command

from cline_cli.argv import Call
from cline_cli.environment import Environment
from cline_cli.errors import UsageError


def invoke(app: typer.Typer, call: Call, environment: Environment) -> int:
    """Run a verb and return its exit code; the app finds the environment in its context's `obj`.

    The app's own `main` is not used: it ends the process where a reader has gone, in a way of its own.

    Raises:
        ClineError: whatever the verb raises, and UsageError for arguments that Typer refuses.
    """
    name = "cline" if call.verb == "run" else f"cline {call.verb}"
    command = get_command(app)
    try:
        with command.make_context(name, list(call.arguments), obj=environment) as context:
            code = command.invoke(context)
    except typer.Exit as end:
        code = end.exit_code
    except typer.TyperException as error:
        raise UsageError(error.format_message(), f"{name} --help") from None
    return code if isinstance(code, int) else 0
