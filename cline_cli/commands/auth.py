"""`cline auth`: save a provider, a model and a key; `auth status` and `auth logout` beside it.

One Typer command reads all three forms, so that one screen of help shows them. Nothing is ever asked without a person
at a terminal, nor where the line says all that is needed; only who was asked for a key has it checked.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Annotated

import typer

from cline_cli.commands._auth_status import collect_status, recipient_of, to_json, to_text
from cline_cli.commands._config_opening import open_and_tell
from cline_cli.commands._sign_in import Asked, Outcome, is_complete, save, sign_in, warn_of_shell_history
from cline_cli.commands._streams import move, say, tell
from cline_cli.config.credentials import Stores, look_for_key, open_stores, read_key_line, remove_key
from cline_cli.config.paths import Paths, find_paths
from cline_cli.config.settings import Settings, change_settings
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, NotSignedInError, UsageError
from cline_cli.providers import PROVIDERS, require
from cline_cli.text import one_line

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
cline auth status (--json) tells which keys are there and where they lie.
cline auth logout [PROVIDER] forgets a saved key."""


@app.command(epilog=EPILOG)
def auth(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROVIDER] | status | logout [PROVIDER]", help="cline, openrouter, ...", show_default=False
        ),
    ] = None,
    *,
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="The same as the word.")] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", "-k", "--apikey", help="The key; - reads it from stdin, out of sight of other users."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", "--modelid", help="The model that runs ask.")] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", "-b", "--baseurl", help="Another server that speaks the same.")
    ] = None,
    insecure_storage: Annotated[
        bool, typer.Option("--insecure-storage", help="Keep the key in a file, as plain text, not in the keyring.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="With status: one JSON object.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder that others are relative to.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say which file the settings are in.")] = False,
    azure_api_version: Annotated[
        str | None, typer.Option("--azure-api-version", hidden=True, help="Not supported yet.")
    ] = None,
) -> None:
    """Sign in: save a provider, a model and a key.

    Without options it asks. In a script: cline auth -p cline -k - < FILE
    """
    if azure_api_version is not None:
        raise UsageError("--azure-api-version is not supported yet")
    environment = move(context.ensure_object(Environment), cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    if verbose:
        tell(environment, f"settings: {paths.settings_file} ({paths.reasons['config']})")
    given = Asked(provider, key, model, base_url, insecure_storage)
    match words or []:
        case ["status"]:
            _refuse(given, "status")
            _show_status(environment, paths, is_json=json)
        case ["logout", *names]:
            _refuse(dataclasses.replace(given, provider=None), "logout")
            _refuse_json(json)
            _log_out(_one_name(provider, names), environment, paths)
        case names:
            _refuse_json(json)
            asked = dataclasses.replace(given, provider=_one_name(provider, names))
            _sign_in(asked, environment, paths)


def _sign_in(asked: Asked, environment: Environment, paths: Paths) -> None:
    stores = open_stores(paths, environment.home)
    settings = open_and_tell(environment, paths).settings
    is_interactive = environment.is_interactive
    if is_interactive and asked.key == "-" and environment.is_stdin_terminal:
        asked = dataclasses.replace(asked, key=None)
    if is_interactive and not is_complete(asked, settings):
        outcome = _guide(asked, environment, paths, settings, stores)
    else:
        outcome = sign_in(asked, environment, paths.settings_file, stores)
    for notice in (*outcome.notices, *(warn_of_shell_history(asked) if is_interactive else ())):
        tell(environment, notice)
    say(environment, f"{one_line(outcome.sentence)}\n")


def _guide(asked: Asked, environment: Environment, paths: Paths, settings: Settings, stores: Stores) -> Outcome:
    """Ask the person at the terminal for what is missing, and save it."""
    from cline_cli.commands._dev_tty import DevTty  # lazy: 60 ms with the next two, which scripts do without
    from cline_cli.commands._guided import Guide  # lazy: as above
    from cline_cli.commands._outside import RealOutside  # lazy: as above

    if asked.key == "-":
        asked = dataclasses.replace(asked, key=read_key_line(environment.stdin))
    answers = Guide(DevTty(), RealOutside(environment, paths, settings), settings).complete(asked)
    return save(answers, asked, environment, paths.settings_file, stores)


def _show_status(environment: Environment, paths: Paths, *, is_json: bool) -> None:
    settings = open_and_tell(environment, paths).settings
    status = collect_status(environment.variables, settings, open_stores(paths, environment.home))
    say(environment, to_json(status) if is_json else to_text(status))


def _log_out(asked: str | None, environment: Environment, paths: Paths) -> None:
    """Forget the saved key of one provider, and tell where else a run finds one."""
    settings = open_and_tell(environment, paths).settings
    name = asked or settings.provider
    if not name:
        say(environment, "No provider is saved, so there is nothing to forget.\n")
        return
    if name not in settings.providers:
        name, _ = require(name)
    stores = open_stores(paths, environment.home)
    key_store = settings.of(name).key_store
    removal = remove_key(name, stores)
    if key_store and key_store in removal.failures:
        raise NotSignedInError(removal.failures[key_store], "Unlock it, or correct that, and try again")
    if key_store:
        settings = change_settings(paths.settings_file, {("providers", name, "key_store"): None})
    for failure in removal.failures.values():
        tell(environment, failure)
    done = f"Removed the key of {name} from {' and '.join(removal.places)}." if removal.places else ""
    say(environment, f"{one_line(done or f'No key of {name} was saved.')}\n")
    for source in _remaining_sources(name, environment, settings, stores):
        tell(environment, f"a run still finds a key of {name} in {source}, which is not ours to remove")


def _remaining_sources(name: str, environment: Environment, settings: Settings, stores: Stores) -> tuple[str, ...]:
    """Return where a run still finds a key: in the environment, in the original command's file."""
    row = PROVIDERS.get(name)
    found: dict[str, None] = {}
    for variables in (environment.variables, {}):
        with contextlib.suppress(ClineError):  # a key that cannot be used is not worth a word here
            recipient = recipient_of(name, row, variables, settings) if row else None
            key = look_for_key(recipient, variables, settings, stores) if recipient else None
            if key:
                found[key.source] = None
    return tuple(found)


def _one_name(option: str | None, names: list[str]) -> str | None:
    given = {name for name in (option, *names) if name is not None}
    if len(names) > 1 or len(given) > 1:
        raise UsageError(f"one provider at a time, not {' and '.join(sorted(given))}", "cline auth --help")
    return given.pop() if given else None


def _refuse(given: Asked, form: str) -> None:
    """Refuse options that only signing in has a use for."""
    if given != Asked():
        raise UsageError(f"`cline auth {form}` takes no provider, key, model or address as an option")


def _refuse_json(json: bool) -> None:
    if json:
        raise UsageError("--json goes with `cline auth status` only")
