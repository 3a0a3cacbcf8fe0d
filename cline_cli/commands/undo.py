"""`cline undo`: puts the files back as they were before a run."""

from __future__ import annotations

from typing import Annotated

import typer

from cline_cli.commands._async import run_to_end
from cline_cli.commands._checkpoints import Found, find_run, look_at
from cline_cli.commands._streams import move, say
from cline_cli.config.paths import find_paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError
from cline_cli.text import one_line
from cline_cli.workspace.checkpoint import mark_undone
from cline_cli.workspace.restoring import restore

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
Without an ID it is the last run that changed something in this folder; another cline undo takes the one before it.
Files that were changed since are left as they are, and named. Ignored files are not touched."""


@app.command(epilog=EPILOG)
def undo(
    context: typer.Context,
    session: Annotated[str | None, typer.Argument(metavar="[ID]", help="A session.", show_default=False)] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Put back what was changed since, too.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder whose last run it is.")] = None,
) -> None:
    """Put the files back as they were before a run: contents, permissions, deleted and new ones."""
    environment = move(context.ensure_object(Environment), cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    found = find_run(session, environment, paths, lambda record: not record.is_undone)
    run_to_end(_undo(found, environment, by_force=force))


async def _undo(found: Found, environment: Environment, *, by_force: bool) -> None:
    work = await look_at(found, environment)
    restored = await restore(work.root, work.changes, work.store, by_force=by_force)
    count = len(restored.paths)
    lines = [f"put back {count} file{'' if count == 1 else 's'} in {work.root} (session {found.session_id})"]
    lines += [f"  {one_line(path)}" for path in restored.paths]
    say(environment, "\n".join(lines) + "\n")
    if restored.kept:
        kept = "; ".join(f"{one_line(path)}: {why}" for path, why in restored.kept)
        raise ClineError(f"left as they are: {kept}", "--force puts back what was changed since, too")
    try:
        mark_undone(found.folder, found.record)
    except OSError as error:
        raise ClineError(f"cannot write {found.folder}: {error.strerror}") from error
