"""`cline config`: what is set, who says so, and where it stands; changes that leave the rest of the file as it is.

One Typer command reads all forms, so that one screen of help shows them.
"""

from __future__ import annotations

import json as json_format
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, Final, NamedTuple

import typer

from cline_cli.agent.messages import JsonObject
from cline_cli.commands._config_edit import edit
from cline_cli.commands._config_opening import open_and_tell
from cline_cli.commands._config_places import list_places, places_to_object, places_to_text
from cline_cli.commands._config_show import DEFAULT, collect, look_up, to_json, to_object, to_table
from cline_cli.commands._streams import move, say, tell
from cline_cli.config._store import StoreError
from cline_cli.config.addresses import is_same_origin
from cline_cli.config.credentials import open_stores
from cline_cli.config.definitions import (
    FAMILY,
    Definition,
    Key,
    find,
    find_nearest,
    is_secret,
    is_table,
    parse_key,
    spell,
)
from cline_cli.config.opening import Opened
from cline_cli.config.paths import Paths, find_paths
from cline_cli.config.settings import change_settings
from cline_cli.config.values import from_text, to_text, to_toml
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, SettingsError, UsageError
from cline_cli.providers import PROVIDERS, require
from cline_cli.text import one_line, visible

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
cline config shows every setting that is in force, and who says so.
Then: cline config set timeout 10m"""
ORIGINAL_TABS: Final = frozenset("workflows rules skills agents plugins hooks mcp tools".split())
"""What the original command shows here."""
ACTIONS: Final = ("list", "get", "set", "unset", "path", "edit")
MAX_NAME: Final = 80
"""Characters of a key that are told where there is none such."""


class Call(NamedTuple):
    """One call of the command."""

    environment: Environment
    paths: Paths
    is_json: bool

    def answer(self, document: JsonObject, text: str) -> None:
        say(self.environment, f"{json_format.dumps(document)}\n" if self.is_json else text)


@app.command(epilog=EPILOG)
def config(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[list] | get KEY | set KEY VALUE | unset KEY | path | edit",
            help="What to do; nothing shows all.",
            show_default=False,
        ),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder whose project is asked.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say which file the settings are in.")] = False,
) -> None:
    """Show and change the settings, and where each comes from.

    What a run is given goes before its variables, its project's settings, yours, and the defaults.
    """
    environment = move(context.ensure_object(Environment), cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    if verbose:
        tell(environment, f"settings: {paths.settings_file} ({paths.reasons['config']})")
    action, *rest = words or ["list"]
    if action in ORIGINAL_TABS:
        raise UsageError(f"`cline config {action}` is not supported yet")
    form = FORMS.get(action)
    if form is None:
        raise _no_action(action)
    if len(rest) not in form.counts:
        raise UsageError(f"it is `cline config {form.usage}`", "cline config --help")
    form.run(Call(environment, paths, json), rest)


def _list(call: Call, _: list[str]) -> None:
    opened = _open(call)
    in_force = collect(call.environment.variables, opened)
    for problem in in_force.problems:
        tell(call.environment, problem)
    if call.is_json:
        places = places_to_object(list_places(call.environment, call.paths))
        say(call.environment, to_json(in_force, opened, places))
    else:
        say(call.environment, to_table(in_force.shown))


def _get(call: Call, words: list[str]) -> None:
    """Raises ClineError: it is not set, and has no default."""
    key, _ = _find(words[0])
    shown = look_up(key, collect(call.environment.variables, _open(call)))
    if shown.value is None:
        raise ClineError(f"{spell(key)} is not set")
    call.answer({"key": spell(key), **to_object(shown)}, f"{visible(to_text(shown.value))}\n")


def _set(call: Call, words: list[str]) -> None:
    """Raises UsageError: there is no such setting, or that is no value of it."""
    name, equals, text = words[0].partition("=")
    if len(words) == 2:
        name, text = words
    elif not equals:
        raise UsageError(f"{name[:MAX_NAME]} needs a value", "cline config set KEY VALUE")
    key, definition = _find(name)
    if key == ("provider",) and text.strip():
        text = require(text.strip())[0]
    try:
        value = from_text(definition, text)
    except ValueError as error:
        hint = "" if text.strip() else f"cline config unset {spell(key)} takes it away"
        raise UsageError(f"{spell(key)} {error}", hint) from None
    opened = open_and_tell(call.environment, call.paths)
    _refuse_to_forget_key(key, opened)
    _refuse_to_move_key(key, str(value), opened, call)
    file = call.paths.settings_file
    change_settings(file, {key: value})
    told = f"{spell(key)} = {to_toml(value)} is in {file}"
    call.answer({"key": spell(key), "value": value, "file": str(file)}, f"{one_line(told)}\n")
    _tell_what_goes_before(call, key)


def _unset(call: Call, words: list[str]) -> None:
    """Raises UsageError: there is no such setting, and nothing of that name in the file either."""
    opened = open_and_tell(call.environment, call.paths)
    key = _parse(words[0])
    if find(key) is None and not opened.own.holds(key):
        _find(words[0])
    if is_table(key):
        raise UsageError(f"{spell(key)} is a table", "Name one setting in it")
    was_set = opened.own.holds(key)
    file = call.paths.settings_file
    if was_set:
        _refuse_to_forget_key(key, opened)
        _refuse_to_move_key(key, "", opened, call)
        change_settings(file, {key: None})
    told = f"{spell(key)} is taken out of {file}" if was_set else f"{spell(key)} was not set in {file}"
    call.answer({"key": spell(key), "removed": was_set, "file": str(file)}, f"{one_line(told)}\n")
    if find(key):
        _tell_what_goes_before(call, key)


def _path(call: Call, _: list[str]) -> None:
    places = list_places(call.environment, call.paths)
    call.answer(places_to_object(places), places_to_text(places))


def _edit(call: Call, _: list[str]) -> None:
    try:
        open_and_tell(call.environment, call.paths)
    except SettingsError as error:  # what is broken is what there is to edit
        tell(call.environment, error.message)
    file = call.paths.settings_file
    edited = edit(call.environment, file)
    for notice in edited.notices:
        tell(call.environment, notice)
    told = f"The settings are in {file}." if edited.has_changed else f"Nothing was changed in {file}."
    call.answer({"file": str(file), "changed": edited.has_changed}, f"{one_line(told)}\n")


class Form(NamedTuple):
    run: Callable[[Call, list[str]], None]
    usage: str
    counts: tuple[int, ...]
    """How many words may follow."""


FORMS: Final[Mapping[str, Form]] = {
    "list": Form(_list, "list", (0,)),
    "get": Form(_get, "get KEY", (1,)),
    "set": Form(_set, "set KEY VALUE", (1, 2)),
    "unset": Form(_unset, "unset KEY", (1,)),
    "path": Form(_path, "path", (0,)),
    "edit": Form(_edit, "edit", (0,)),
}


def _open(call: Call, *, is_quiet: bool = False) -> Opened:
    folder = call.environment.cwd
    workspace = folder.resolve() if folder else None
    return open_and_tell(call.environment, call.paths, workspace=workspace, is_quiet=is_quiet)


def _find(text: str) -> tuple[Key, Definition]:
    """Return the setting of that name; a provider may go by any of its names.

    Raises:
        UsageError: there is none; the nearest is told.
    """
    key = _parse(text)
    if is_secret(key):
        raise UsageError(
            "keys of providers are not kept in the settings", "cline auth -p NAME -k - reads one from stdin"
        )
    definition = find(key)
    if definition is None:
        nearest = find_nearest(key, PROVIDERS)
        if is_table(key):
            raise UsageError(f"{spell(key)} is a table", "Name one setting in it: cline config")
        hint = f"Did you mean {nearest}?" if nearest else "cline config shows all of them"
        raise UsageError(f"there is no setting {spell(key)[:MAX_NAME]!r}", hint)
    return ((FAMILY, require(key[1])[0], key[2]) if key[0] == FAMILY else key), definition


def _refuse_to_forget_key(key: Key, opened: Opened) -> None:
    """See that a key which was saved stays known: else nothing keeps it from going to another server.

    Raises:
        UsageError: it would be forgotten, or looked for where it is not.
    """
    if key[0] == FAMILY and key[-1] == "key_store" and opened.settings.of(key[1]).key_store:
        message = f"{spell(key)} says where a key was put, and only cline auth changes it"
        raise UsageError(message, f"cline auth -p {key[1]} saves another key, cline auth logout {key[1]} removes it")


def _refuse_to_move_key(key: Key, address: str, opened: Opened, call: Call) -> None:
    """See that no saved key goes to another server than the one it was saved for.

    Raises:
        UsageError: it would.
    """
    if key[0] != FAMILY or key[-1] != "base_url" or key[1] not in PROVIDERS:
        return
    saved, own = opened.settings.of(key[1]), PROVIDERS[key[1]].base_url
    before, after = saved.base_url or own, address or own
    if is_same_origin(before, after):
        return
    file = open_stores(call.paths, call.environment.home).file
    try:
        is_saved = bool(saved.key_store or file.read(key[1]))  # a run looks into the file whatever the settings say
    except StoreError as error:
        message = f"a key of {key[1]} may be in {file.place}, which cannot be used: {error}"
        raise UsageError(f"{message}; it would go to {after}", "Correct that, or remove the file") from None
    if is_saved:
        message = f"the saved key of {key[1]} is for {before}, and would go to {after}"
        raise UsageError(message, f"cline auth -p {key[1]} -b {after} -k - changes both")


def _parse(text: str) -> Key:
    try:
        return parse_key(text.strip())
    except ValueError as error:
        raise UsageError(f"{text[:MAX_NAME]!r} is no name of a setting: {error}", "cline config shows them") from None


def _no_action(action: str) -> UsageError:
    name = action.partition("=")[0]
    try:
        is_setting = find(parse_key(name)) is not None
    except ValueError:
        is_setting = False
    if is_setting:
        hint = f"cline config get {name}, or cline config set {name} VALUE"
        return UsageError(f"there is no `cline config {name}`", hint)
    near = get_close_matches(name, ACTIONS, 1)
    hint = f"Was it cline config {near[0]}?" if near else "cline config --help"
    return UsageError(f"there is no `cline config {name[:MAX_NAME]}`", hint)


def _tell_what_goes_before(call: Call, key: Key) -> None:
    """Tell who says something else of a setting, if somebody does."""
    try:
        shown = look_up(key, collect(call.environment.variables, _open(call, is_quiet=True)))
    except SettingsError:  # the project's file is broken, which a run will tell
        return
    if shown.file != call.paths.settings_file and shown.origin != DEFAULT and shown.value is not None:
        tell(call.environment, f"{shown.origin} goes before it here: {spell(key)} = {to_toml(shown.value)}")
