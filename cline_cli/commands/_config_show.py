"""What `cline config` shows: every setting as a run would have it, and who says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject
from cline_cli.argv import FromVariables, blame, read_variables
from cline_cli.commands._config_given import find_denial
from cline_cli.commands._config_opening import PROVIDER_NAMES
from cline_cli.commands._values import read_amount, read_bool, read_count, read_effort, read_timeout, read_word
from cline_cli.commands.options import BY_NAME, Option
from cline_cli.config.definitions import DEFINITIONS, FAMILY, Definition, Key, Value, find, spell
from cline_cli.config.opening import Opened
from cline_cli.config.settings import ADDRESS_VARIABLES, choose_provider, find_base_url
from cline_cli.config.values import from_text, to_text
from cline_cli.errors import UsageError
from cline_cli.providers import KEY_VARIABLES, PROVIDERS
from cline_cli.text import display_width, visible

DEFAULT = "default"
NOTHING = "-"
"""Stands for no value, in the table."""


class Shown(NamedTuple):
    """One setting in force."""

    key: Key
    value: Value | None
    """None where nothing holds, or where who says something says what cannot be."""
    origin: str
    """For people: "default", "$CLINE_MAX_TURNS", "/home/ada/.config/cline/settings.toml:3"."""
    file: Path | None = None
    line: int | None = None


class InForce(NamedTuple):
    shown: tuple[Shown, ...]
    """In the order of the table of settings."""
    problems: tuple[str, ...] = ()
    """What keeps a run from starting, or these from holding, a line each."""


def collect(variables: Mapping[str, str], opened: Opened) -> InForce:
    """Return every setting that has no provider in its name, and of the others those that somebody has set."""
    problems: list[str] = []
    given = FromVariables()
    try:
        given = read_variables(variables)
    except UsageError as error:
        problems.append(f"no run would start: {error}")
    used = choose_provider(None, variables, opened.settings, KEY_VARIABLES)
    asked = PROVIDER_NAMES.get(used.provider, used.provider) if used else "cline"
    if asked not in PROVIDERS:
        problems.append(f"no run would start: there is no provider {asked!r}")
    if variables.get("CLINE_BARE") in {"1", "true"}:
        problems.append("CLINE_BARE is set, so runs read no settings: what files say does not hold")
    set_up = dict.fromkeys(key[1] for key in opened.found if key[0] == FAMILY)
    shown: list[Shown] = []
    for key in _list_keys(dict.fromkeys((*set_up, asked))):
        try:
            one = _from_variables(key, variables, given, asked, opened)
        except UsageError as error:
            problems.append(f"no run would start: {error}")
            one = Shown(key, None, f"${error.message.partition(' ')[0]}")
        one = one or _from_files(key, opened, variables)
        if key == ("provider",) and one.file is None and used:
            one = Shown(key, used.provider, used.source)
        if key[0] != FAMILY or one.origin != DEFAULT:
            shown.append(one)
    return InForce(tuple(shown), tuple(problems))


def look_up(key: Key, in_force: InForce) -> Shown:
    """Return one setting; where nobody has set it of a provider, what the provider has by itself."""
    for one in in_force.shown:
        if one.key == key:
            return one
    row = PROVIDERS.get(key[1]) if key[0] == FAMILY else None
    own = {"model": row.default_model, "base_url": row.base_url}.get(key[-1], "") if row else ""
    return Shown(key, own or None, DEFAULT)


def to_table(shown: tuple[Shown, ...]) -> str:
    """Return a line for each setting: its key, its value, who says so."""
    rows = [(visible(spell(one.key)), visible(_to_cell(one.value)), visible(one.origin)) for one in shown]
    widths = [max(display_width(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{_pad(key, widths[0])}  {_pad(value, widths[1])}  {origin}\n" for key, value, origin in rows)


def to_object(one: Shown) -> JsonObject:
    """Return a setting as JSON has it."""
    return {
        "value": one.value,
        "origin": one.origin,
        "file": str(one.file) if one.file else None,
        "line": one.line,
    }


def to_json(in_force: InForce, opened: Opened, paths: JsonObject) -> str:
    """Return everything as one JSON object and a newline."""
    document: JsonObject = {
        "settings": {spell(one.key): to_object(one) for one in in_force.shown},
        "paths": paths,
        "warnings": [*opened.warnings, *in_force.problems],
    }
    return f"{json.dumps(document)}\n"


def _list_keys(providers: Mapping[str, None]) -> Iterator[Key]:
    for definition in DEFINITIONS:
        if "*" not in definition.path:
            yield definition.path
            continue
        for name in providers:
            yield (FAMILY, name, definition.path[-1])


def _from_files(key: Key, opened: Opened, variables: Mapping[str, str]) -> Shown:
    found, definition = opened.found.get(key), find(key)
    default = definition.default if definition else None
    if found is None:
        return Shown(key, default, DEFAULT)
    if definition and (variable := find_denial(definition, found.value, variables)):
        return Shown(key, default, f"${variable}")
    file, line = found.document.path, found.line(key)
    return Shown(key, found.value, f"{file}:{line}" if line else str(file), file, line)


def _from_variables(
    key: Key, variables: Mapping[str, str], given: FromVariables, asked: str, opened: Opened
) -> Shown | None:
    """Return what the environment says of a setting, or None.

    Raises:
        UsageError: it says what cannot be; the message begins with the variable.
    """
    match key:
        case (_, name, "model") if name == asked and (model := variables.get("CLINE_MODEL")):
            return Shown(key, model, "$CLINE_MODEL")
        case (_, name, "base_url") if variables.get(ADDRESS_VARIABLES.get(name, ""), "").strip():
            url = find_base_url(name, "", variables, opened.settings)
            if url != opened.settings.of(name).base_url:
                return Shown(key, url, f"${ADDRESS_VARIABLES[name]}")
    definition = find(key)
    if definition is None or not definition.option:
        return None
    own = BY_NAME[definition.option]
    for argument in given.arguments:
        name, _, text = argument.partition("=")
        option = BY_NAME[name]
        if option is own or option.group == own.group != "":
            try:
                value = _read(definition, own, option, text)
            except UsageError as error:
                blame(error, given.names)
                raise
            return Shown(key, value, f"${given.names[name]}")
    return None


def _read(definition: Definition, own: Option, option: Option, text: str) -> Value:
    """Return the value of a setting that an option means, which may be another of its option's group.

    Raises:
        UsageError: a run would not take it either.
    """
    if option.takes == "nothing":
        return option.name if option.name in definition.words else option is not own
    match definition.kind:
        case "flag":
            read_bool(option.name, text)
        case "number":
            read_count(option.name, text)
        case "amount":
            read_amount(option.name, text)
        case "time":
            read_timeout(text, option.name)
        case "level":
            read_effort(text)
        case "word":
            read_word(option.name, text, definition.words)
    return from_text(definition, text)


def _to_cell(value: Value | None) -> str:
    return NOTHING if value is None else to_text(value)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))
