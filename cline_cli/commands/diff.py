"""`cline diff`: what a run changed, as a patch."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cline_cli.commands._async import run_to_end
from cline_cli.commands._checkpoints import Found, Work, find_run, look_at
from cline_cli.commands._streams import move, say
from cline_cli.config.paths import find_paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError
from cline_cli.text import one_line, sanitize, visible
from cline_cli.workspace.patch import count_lines, to_patch

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
Without an ID it is the last run that changed something in this folder.
cline diff | git apply -R takes it back by hand; cline undo does that, too."""


@app.command(epilog=EPILOG)
def diff(
    context: typer.Context,
    session: Annotated[str | None, typer.Argument(metavar="[ID]", help="A session.", show_default=False)] = None,
    *,
    stat: Annotated[bool, typer.Option("--stat", help="Only which files, and how many lines.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder whose last run it is.")] = None,
) -> None:
    """Show what a run changed, as a patch that git apply and patch -p1 take."""
    environment = move(context.ensure_object(Environment), cwd)
    found = find_run(session, environment, find_paths(environment, config=config, data_dir=data_dir))
    run_to_end(_show(found, environment, is_short=stat))


async def _show(found: Found, environment: Environment, *, is_short: bool) -> None:
    work = await look_at(found, environment)
    try:
        if is_short:
            say(environment, await _count(work))
            return
        patch = await to_patch(work.changes, work.store)
    except OSError as error:
        raise ClineError(f"the checkpoint is not whole any more: {error.strerror or error}") from error
    if environment.is_stdout_terminal or environment.stdout is None:
        say(environment, visible(sanitize(patch.decode("utf-8", "replace")), multiline=True))
        return
    while patch:
        patch = patch[os.write(environment.stdout, patch) :]


async def _count(work: Work) -> str:
    lines: list[str] = []
    for change in work.changes:
        counted = await count_lines(change, work.store)
        how = "new" if change.before is None else "deleted" if change.after is None else "changed"
        lines.append(f"{one_line(change.path)}: {how}" + (f", +{counted[0]} -{counted[1]}" if counted else ", binary"))
    return "".join(f"{line}\n" for line in lines)
