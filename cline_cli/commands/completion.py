"""`cline completion`: print the script that completes command lines in a shell, install it, take it away.

One Typer command reads all forms, so that one screen of help shows them. Nothing is ever asked.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cline_cli.commands._completion_install import SHELLS, Report, find_place, install, uninstall
from cline_cli.commands._streams import move, say, tell
from cline_cli.config.paths import find_paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.text import visible

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

HELP = "cline completion --help"
FORMS = f"{' | '.join(SHELLS)} | install [SHELL] | uninstall [SHELL]"
EPILOG = """\
cline completion install suffices: it takes the shell from $SHELL, and says what it wrote.
By hand: source <(cline completion bash), or cline completion fish > ~/.config/fish/completions/cline.fish"""


class Where(NamedTuple):
    """What a script found on the line it completes."""

    provider: str | None = None
    config: str | None = None
    data_dir: str | None = None
    cwd: str | None = None


@app.command(epilog=EPILOG)
def completion(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar=FORMS, help="What to do.", show_default=False),
    ] = None,
    *,
    provider: Annotated[str | None, typer.Option("--provider", hidden=True)] = None,
    config: Annotated[str | None, typer.Option("--config", hidden=True)] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", hidden=True)] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", hidden=True)] = None,
) -> None:
    """Complete commands, options, models and sessions in bash, zsh and fish.

    Prints the script for a shell, or installs it for every next one.
    """
    environment = context.ensure_object(Environment)
    asked = Where(provider, config, data_dir, cwd)
    match words or []:
        case ["words", kind, *prefix]:
            _say_words(kind, "".join(prefix), asked, environment)
        case _ if asked != Where():
            raise UsageError("cline completion takes no options", HELP)
        case [shell] if shell in SHELLS:
            say(environment, _write_script(shell))
        case ["install", *names]:
            _install(_choose_shell(names, environment), environment)
        case ["uninstall", *names]:
            place = find_place(_choose_shell(names, environment), environment.home, environment.variables)
            _tell(uninstall(place), environment)
        case _:
            given = f"not {' '.join(words)!r}" if words else "and one of these is needed"
            raise UsageError(f"cline completion takes bash, zsh, fish, install or uninstall, {given}", HELP)


def _say_words(kind: str, prefix: str, where: Where, environment: Environment) -> None:
    """Answer a script; where something is wrong, with nothing."""
    from cline_cli.commands._completion_words import Asked, list_words  # lazy: what installing has no use for

    text = ""
    with contextlib.suppress(ClineError, OSError, RuntimeError):  # a folder that is not there; ~ of nobody
        environment = move(environment, where.cwd)
        paths = find_paths(environment, config=where.config, data_dir=where.data_dir)
        text = list_words(kind, Asked(where.provider, environment.variables, paths, prefix))
    say(environment, text)


def _write_script(shell: str) -> str:
    from cline_cli.commands._completion_grammar import read_grammar  # lazy: it imports every verb
    from cline_cli.commands._completion_scripts import to_script  # lazy: as above

    return to_script(shell, read_grammar(), find_own_command(sys.argv[0], sys.executable))


def find_own_command(started_as: str, python: str) -> tuple[str, ...]:
    """Return how this very program is started again; empty where that cannot be told.

    A script must not ask whatever else is called `cline`: another program of that name may take `completion words` for
    a prompt, which costs money. `-P` keeps Python from looking for modules in the folder where the person stands.
    """
    path = Path(started_as).absolute()  # not resolved: what pipx and uv leave on PATH is a link that outlives upgrades
    command = (python, "-P", "-m", "cline_cli") if path.name == "__main__.py" else (str(path),)
    is_usable = os.access(command[0], os.X_OK) and all(word.isprintable() for word in command)
    return command if is_usable else ()


def _choose_shell(names: Sequence[str], environment: Environment) -> str:
    """Return the shell that was named, else the one of $SHELL.

    Raises:
        UsageError: it is none that there is completion for.
    """
    if len(names) > 1:
        raise UsageError(f"one shell at a time, not {' and '.join(names)}", HELP)
    login = environment.variables.get("SHELL", "")
    shell = names[0] if names else login.rpartition("/")[2]
    if shell in SHELLS:
        return shell
    known = f"{', '.join(SHELLS[:-1])} and {SHELLS[-1]}"
    if names:
        raise UsageError(f"there is no completion for {shell!r}, only for {known}", HELP)
    cause = f"SHELL is {login!r}" if login else "SHELL is not set"
    hint = f"Name one, as in: cline completion install {SHELLS[0]}"
    raise UsageError(f"cannot tell which shell is meant: {cause}, and there is completion for {known}", hint)


def _install(shell: str, environment: Environment) -> None:
    place = find_place(shell, environment.home, environment.variables)
    _tell(install(place, _write_script(shell), environment.variables), environment)


def _tell(report: Report, environment: Environment) -> None:
    for notice in report.notices:
        tell(environment, notice)
    say(environment, "".join(f"{visible(line)}\n" for line in report.lines))
