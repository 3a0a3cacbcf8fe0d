"""`cline models`: the models of a provider with their facts, from the catalog or from the provider itself."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from cline_cli.app import Options, choose
from cline_cli.commands._config_opening import open_and_tell
from cline_cli.commands._models_rows import Listing, Target, collect, select
from cline_cli.commands._models_show import to_json, to_lines, to_table
from cline_cli.commands._streams import move, say, tell
from cline_cli.config.paths import Paths, find_paths
from cline_cli.config.settings import Settings, choose_provider
from cline_cli.environment import Environment
from cline_cli.errors import ClineError
from cline_cli.providers import KEY_VARIABLES, require

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
cline models sonnet 4.6 lists the models that have all the words in their names.
cline models | fzf: a line begins with the name, as -m takes it."""


@app.command(epilog=EPILOG)
def models(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD]...", help="Words of their names.", show_default=False)
    ] = None,
    *,
    provider: Annotated[
        str | None, typer.Option("--provider", "-P", "-p", help="Whose models; else of the one that a run would ask.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask the provider for its own list.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="For programs: one line of JSON, with all that is known.")
    ] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder that others are relative to.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say whose list it is.")] = False,
) -> None:
    """List models: how much they read and write, what they cost, what they can.

    The list is the one that came with this program. A server of your own is asked for its list, any other with --live.
    """
    environment = move(context.ensure_object(Environment), cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    settings = open_and_tell(environment, paths).settings
    target = _find_target(provider, settings, environment, is_live=live)

    def ask() -> tuple[str, ...]:
        return _ask(target, settings, environment, paths)

    listing = collect(target, paths, ask, is_live=live)
    if verbose:
        whose = f"{target.name} ({target.why})" if target else "nobody is set up"
        tell(environment, f"models: {whose}, listed by the {listing.origin}")
    try:
        listing = select(listing, words or ())
    except ClineError:
        if json:
            say(environment, "[]\n")
        raise
    say(environment, _render(listing, environment, is_json=json))


def _find_target(flag: str | None, settings: Settings, environment: Environment, *, is_live: bool) -> Target | None:
    """Return the provider that is named or that a run would ask; None where nothing is set up.

    Raises:
        UsageError: there is no such provider.
    """
    variables = environment.variables
    choice = choose_provider(flag, variables, settings, KEY_VARIABLES)
    if choice is None and not is_live:
        return None
    name, row = require(choice.provider if choice else "cline")
    saved = settings.of(name)
    return Target(
        name,
        row,
        choice.source if choice else "the table of providers",
        variables.get("CLINE_MODEL") or saved.model or row.default_model,
        is_elsewhere=bool(saved.base_url) and saved.base_url != row.base_url,
    )


def _ask(target: Target | None, settings: Settings, environment: Environment, paths: Paths) -> tuple[str, ...]:
    """Ask the server with the key that a run would send.

    Raises:
        ClineError: there is no key, or the server gives no list.
    """
    assert target, "without a provider nobody is asked"
    from cline_cli.commands._models_ask import ask_server  # lazy: 100 ms of asyncio and httpx, and a catalog needs none

    options = Options(provider=target.name, model=target.model or "none")
    chosen = choose(options, None, settings, environment, paths, session_id="")
    endpoint = dataclasses.replace(chosen.endpoint, is_tried_once=True)
    return ask_server(endpoint, environment.variables, is_own=target.row.is_key_optional)


def _render(listing: Listing, environment: Environment, *, is_json: bool) -> str:
    if is_json:
        return to_json(listing)
    return to_table(listing, environment) if environment.is_stdout_terminal else to_lines(listing)
