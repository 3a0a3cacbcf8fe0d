"""`cline trust`: lets the settings that come with a project count, as they are now."""

from __future__ import annotations

from typing import Annotated

import typer

from cline_cli.commands._streams import move, say
from cline_cli.commands.run import find_workspace
from cline_cli.config.paths import find_paths
from cline_cli.config.trust import change_trust, describe, look_at, read_trusted
from cline_cli.environment import Environment
from cline_cli.errors import UsageError
from cline_cli.text import one_line
from cline_cli.workspace.rules import find_root

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
Until then a project's .cline/settings.toml may only plan where a run would act, and lower limits; it cannot set base
URLs or policy. When what was trusted changes, it has to be trusted again. Read it first: it is listed."""


@app.command(epilog=EPILOG)
def trust(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    folder: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The project; else of this folder.", show_default=False)
    ] = None,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Do not trust it any more.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List what is trusted.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder that DIR is relative to.")] = None,
) -> None:
    """Trust the settings that come with a project, as they are now."""
    environment = move(context.ensure_object(Environment), cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    if list_all:
        trusted = read_trusted(paths.config)
        say(environment, "".join(f"{one_line(name)}\n" for name in sorted(trusted)) or "nothing is trusted\n")
        return
    place = find_workspace(environment, folder)
    project = place if folder else find_root(place)
    content = look_at(project)
    if revoke:
        change_trust(paths.config, project, None)
        say(environment, f"{one_line(str(project))} is not trusted any more\n")
        return
    if not content.digest:
        raise UsageError(f"there is nothing in {project} that needs trust")
    change_trust(paths.config, project, content.digest)
    lines = [f"trusted: {describe(content.files)} of {one_line(str(project))}", *map(one_line, content.files)]
    say(environment, "\n  ".join(lines) + "\n")
