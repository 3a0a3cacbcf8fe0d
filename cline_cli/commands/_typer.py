"""Runs a verb's Typer app, and turns Typer's complaints into ours; makes Typer's parameters of a table of options."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, TypeVar

import typer
from typer.main import get_command

from cline_cli.argv import Call
from cline_cli.commands.options import Option
from cline_cli.environment import Environment
from cline_cli.errors import UsageError

_Function = TypeVar("_Function", bound=Callable[..., object])


def invoke(app: typer.Typer, call: Call, environment: Environment) -> int:
    """Run a verb and return its exit code; the app finds the environment in its context's `obj`.

    The app's own `main` is not used: it ends the process where a reader has gone, in a way of its own.

    Raises:
        ClineError: whatever the verb raises, and UsageError for arguments that Typer refuses.
    """
    name = _name_of(call)
    command = get_command(app)
    try:
        with command.make_context(name, list(call.arguments), obj=environment) as context:
            code = command.invoke(context)
    except typer.Exit as end:
        code = end.exit_code
    except typer.TyperException as error:
        raise UsageError(error.format_message(), f"{name} --help") from None
    return code if isinstance(code, int) else 0


def read_parameters(
    app: typer.Typer, call: Call, environment: Environment
) -> Mapping[str, bool | str | list[str] | None]:
    """Return what a verb would be called with, by the names of its parameters, and do not call it.

    Raises:
        UsageError: Typer refuses the arguments.
    """
    name = _name_of(call)
    try:
        with get_command(app).make_context(name, list(call.arguments), obj=environment) as context:
            return context.params
    except typer.TyperException as error:
        raise UsageError(error.format_message(), f"{name} --help") from None


def _name_of(call: Call) -> str:
    return "cline" if call.verb == "run" else f"cline {call.verb}"


def takes(options: Sequence[Option]) -> Callable[[_Function], _Function]:
    """Give a function that ends with `**given` the parameters of a table, for Typer to read.

    Each arrives under its option's `name`: a flag as a bool, a value as text or None, several as a list or None.
    """

    def give(function: _Function) -> _Function:
        own = inspect.signature(function, eval_str=True)
        fixed = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        made = [_to_parameter(option) for option in options]
        signature = own.replace(parameters=[*fixed, *made], return_annotation=inspect.Signature.empty)
        function.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks for first
        function.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
        return function

    return give


def _to_parameter(option: Option) -> inspect.Parameter:
    short = [name for name in option.names if not name.startswith("--")][:1]
    declared = typer.Option(
        option.names[0],
        *short,
        metavar=option.metavar or None,
        help=option.help,
        hidden=not option.is_common,
        show_default=False,
    )
    kind: object = {"nothing": bool, "values": list[str] | None}.get(option.takes, str | None)
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if option.takes == "nothing" else None,
        annotation=Annotated[kind, declared],
    )
