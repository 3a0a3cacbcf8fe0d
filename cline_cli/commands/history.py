"""`cline history`: list and search sessions; show, export, update and delete them; prune what is old.

One Typer command reads all the forms, so that one screen of help shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from typer.core import TyperCommand

from cline_cli.commands._history_change import delete_sessions, prune_sessions, read_days, read_size, update_session
from cline_cli.commands._history_export import choose_target, deliver
from cline_cli.commands._history_ids import find_id
from cline_cli.commands._history_list import Wanted, select_rows, show_list
from cline_cli.commands._history_show import Manner, to_text
from cline_cli.commands._streams import move, say, tell
from cline_cli.config.paths import Paths, find_paths
from cline_cli.config.settings import load_settings
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.session.changing import Limits
from cline_cli.session.export import to_json
from cline_cli.session.reading import Row, find_rows, list_rows, read_transcript

FORMS = "[WORD] | search WORD | show ID | export ID | update ID | delete ID... | prune"
EPILOG = """\
cline history WORD... lists the sessions that have all the words in their title, prompts or replies.
ID is that of a session, its beginning (6 characters or more), or last: the one of this folder that was used last."""


class _Command(TyperCommand):
    """Takes what stands behind `--` for words to search for, also where it reads like something else to do."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # Typer gives it its own
        behind = len(args) - args.index("--") - 1 if "--" in args else 0
        rest = super().parse_args(ctx, args)
        words = ctx.params.get("words") or []
        if behind and behind == len(words):
            ctx.params["words"] = ["search", *words]
        return rest


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True)
class _Given:
    """Options that belong to some of the forms, under the name that each has on the command line."""

    limit: int | None = None
    page: int | None = None
    here: bool = False
    full: bool = False
    output: str | None = None
    format: str | None = None
    session_id: str | None = None
    title: str | None = None
    prompt: str | None = None
    metadata: str | None = None
    days: str | None = None
    max_bytes: str | None = None
    dry_run: bool = False


class _Asked(NamedTuple):
    form: str
    words: tuple[str, ...]
    """What stands behind the form's own name."""
    given: _Given
    is_json: bool
    environment: Environment
    paths: Paths

    @property
    def sessions(self) -> Path:
        return self.paths.state / "sessions"


@app.command(cls=_Command, epilog=EPILOG)
def history(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar=FORMS, help="What to do, or to search for.", show_default=False)
    ] = None,
    *,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=0, metavar="N", help="List so many at most (50); 0 is all.")
    ] = None,
    page: Annotated[int | None, typer.Option("--page", min=1, metavar="N", help="Page N of the list.")] = None,
    here: Annotated[bool, typer.Option("--here", help="List only the sessions of this folder.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For programs: one line of JSON.")] = False,
    full: Annotated[bool, typer.Option("--full", help="With show: long output whole.")] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="With export: where to (ID.html); - is stdout.")
    ] = None,
    format: Annotated[  # noqa: A002  # Typer names the option after it
        str | None, typer.Option("--format", metavar="html|md|json", help="With export: if the FILE does not tell.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="With update: another title.")] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="With update: another first prompt, for lists.")
    ] = None,
    metadata: Annotated[
        str | None, typer.Option("--metadata", metavar="JSON", help="With update: members to add.")
    ] = None,
    days: Annotated[
        str | None, typer.Option("--days", metavar="N", help="With prune: keep what was used since; 0 is all.")
    ] = None,
    max_bytes: Annotated[
        str | None, typer.Option("--max-bytes", metavar="SIZE", help="With prune: keep so much (500MB); 0 is all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With prune: only say what would go.")] = False,
    session_id: Annotated[str | None, typer.Option("--session-id", metavar="ID", help="The same as the word.")] = None,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder that others are relative to.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say which folder the sessions are in.")] = False,
) -> None:
    """List the sessions of all folders, the one used last first; search, show, export, delete them.

    To go on with one: cline --id ID "..."
    """
    environment = move(context.ensure_object(Environment), cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    given = _Given(
        limit, page, here, full, output, format, session_id, title, prompt, metadata, days, max_bytes, dry_run
    )
    form, rest = _read_words(tuple(words or ()))
    _refuse_others(form, given)
    asked = _Asked(form, rest, given, json, environment, paths)
    if verbose:
        tell(environment, f"sessions: {asked.sessions} ({paths.reasons['state']})")
    DOERS[form].do(asked)


def _read_words(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the form that is asked for, and what stands behind its name."""
    if words and words[0] in DOERS:
        return words[0], words[1:]
    return ("search", words) if words else ("list", ())


def _refuse_others(form: str, given: _Given) -> None:
    """Refuse options that the form has no use for.

    Raises:
        UsageError: it names the forms that have.
    """
    for field in fields(given):
        if getattr(given, field.name) == field.default or field.name in DOERS[form].options:
            continue
        option = f"--{field.name.replace('_', '-')}"
        able = [f"`cline history {name}`" for name, doer in DOERS.items() if field.name in doer.options]
        raise UsageError(f"{option} does not go with `cline history {form}`", f"It goes with {' and '.join(able)}")


def _list(asked: _Asked) -> None:
    if asked.words:
        raise UsageError("`cline history list` takes no words", "To search for them: cline history search WORD...")
    _show_rows(list_rows(asked.sessions), asked)


def _search(asked: _Asked) -> None:
    if not asked.words or not all(word.strip() for word in asked.words):
        raise UsageError("there is no word to search for", "Give some: cline history search WORD...")
    _show_rows(find_rows(asked.sessions, asked.words), asked)


def _show_rows(rows: Iterator[Row], asked: _Asked) -> None:
    given = asked.given
    wanted = Wanted(Wanted().limit if given.limit is None else given.limit, given.page or 1, given.here)
    selected = select_rows(rows, wanted, asked.environment.cwd)
    show_list(selected, wanted, asked.environment, datetime.now(UTC), is_json=asked.is_json)


def _show_one(asked: _Asked) -> None:
    (session_id,) = _find_ids(asked, most=1)
    transcript = read_transcript(asked.sessions, session_id)
    if asked.is_json:
        say(asked.environment, to_json(transcript))
        return
    manner = Manner(is_full=asked.given.full)
    if asked.environment.is_stdout_terminal:
        from cline_cli.commands._tables import is_styled, paint  # lazy: 50 ms of rich

        if is_styled(asked.environment.variables):
            manner = manner._replace(paint=paint)
    say(asked.environment, to_text(transcript, manner))


def _export(asked: _Asked) -> None:
    (session_id,) = _find_ids(asked, most=1)
    target = choose_target(session_id, asked.given.output, asked.given.format, asked.environment.cwd)
    deliver(read_transcript(asked.sessions, session_id), target, asked.environment, is_json=asked.is_json)


def _update(asked: _Asked) -> None:
    described = (asked.given.title, asked.given.prompt, asked.given.metadata)
    try:
        (session_id,) = _find_ids(asked, most=1)
        update_session(asked.sessions, session_id, asked.environment, described, is_json=asked.is_json)
    except ClineError:
        if asked.is_json:
            say(asked.environment, '{"updated":false}\n')
        raise


def _delete(asked: _Asked) -> None:
    try:
        ids = _find_ids(asked)
    except UsageError:
        if asked.is_json:
            say(asked.environment, '{"deleted":false}\n')
        raise
    is_named = asked.given.session_id is None
    delete_sessions(asked.sessions, ids, asked.environment, is_json=asked.is_json, is_named=is_named)


def _prune(asked: _Asked) -> None:
    if asked.words:
        raise UsageError("`cline history prune` takes no words", "To take some away: cline history delete ID...")
    given = asked.given
    kept = load_settings(asked.paths.settings_file).sessions
    limits = Limits(
        kept.keep_days if given.days is None else read_days(given.days),
        kept.max_bytes if given.max_bytes is None else read_size(given.max_bytes),
    )
    prune_sessions(asked.sessions, limits, asked.environment, is_dry=given.dry_run, is_json=asked.is_json)


def _find_ids(asked: _Asked, most: int | None = None) -> tuple[str, ...]:
    """Return the ids that were given, each once, before anything is done to any of them.

    Raises:
        UsageError: there is none, or more than `most`; one of them could be several.
    """
    option = asked.given.session_id
    named = (*((option,) if option is not None else ()), *asked.words)
    ids = tuple(dict.fromkeys(find_id(asked.sessions, name, asked.environment.cwd) for name in named))
    if not ids or (most and len(ids) > most):
        takes = "the ID of one session" if most else "the ID of a session, or several"
        raise UsageError(f"`cline history {asked.form}` takes {takes}", "cline history lists them")
    return ids


class _Doer(NamedTuple):
    do: Callable[[_Asked], None]
    options: frozenset[str] = frozenset()
    """Of those that belong to some forms only."""


_LISTING = frozenset({"limit", "page", "here"})
DOERS: Mapping[str, _Doer] = {
    "list": _Doer(_list, _LISTING),
    "search": _Doer(_search, _LISTING),
    "show": _Doer(_show_one, frozenset({"full", "session_id"})),
    "export": _Doer(_export, frozenset({"output", "format", "session_id"})),
    "update": _Doer(_update, frozenset({"title", "prompt", "metadata", "session_id"})),
    "delete": _Doer(_delete, frozenset({"session_id"})),
    "prune": _Doer(_prune, frozenset({"days", "max_bytes", "dry_run"})),
}
"""What may stand behind `cline history`."""
