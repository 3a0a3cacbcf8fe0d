"""Settings that stand for options of a run: they are given where nobody said anything of them, or against them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cline_cli.commands._given import Given
from cline_cli.commands.options import BUILT, BY_NAME, Option, excludes
from cline_cli.config.definitions import DEFINITIONS as SETTINGS
from cline_cli.config.definitions import Definition, Key, Value, spell
from cline_cli.config.opening import Opened
from cline_cli.config.values import to_text
from cline_cli.errors import UsageError

_SWITCHES: Mapping[tuple[str, Value], str] = {
    ("--auto-approve", True): "--yolo",
    ("--mode", "plan"): "--plan",
    ("--no-session", False): "--no-session",
}
"""The option of a setting, and its value -> the switch that means the same."""


class Filled(NamedTuple):
    given: Given
    """With the settings among what was given."""
    keys: Mapping[str, Key]
    """Option -> the setting that gave it: "--max-cost" -> ("max_cost",)."""


def fill(given: Given, opened: Opened, variables: Mapping[str, str]) -> Filled:
    """Let settings give the options that neither the command line nor a variable gave.

    As with variables, one is void where an option of its group was given: --act goes before mode = "plan". So it is
    where a variable switches off what it switches on: CLINE_YOLO=0 goes before auto_approve = true.
    """
    values = {option.name: _read(given, option) for option in BUILT}
    are_given = [option for option in BUILT if values[option.name]]
    keys: dict[str, Key] = {}
    for definition in SETTINGS:
        found = opened.found.get(definition.path)
        if found is None or not definition.option or find_denial(definition, found.value, variables):
            continue
        option = BY_NAME[definition.option]
        if any(one is option or excludes(one, option) for one in are_given):
            continue
        if option.takes != "nothing":
            values[option.name] = to_text(found.value)
            keys[option.names[0]] = definition.path
        elif found.value is False:  # the switch says no to what the setting says yes to
            values[option.name] = True
            keys[option.names[0]] = definition.path
    return Filled(Given(values), keys)


def find_denial(definition: Definition, value: Value, variables: Mapping[str, str]) -> str:
    """Return the variable that switches off what a setting switches on, or nothing."""
    switch = _SWITCHES.get((definition.option, value))
    names = BY_NAME[switch].variables if switch else ()
    return next((name for name in names if variables.get(name) in {"0", "false"}), "")


def blame(error: UsageError, filled: Filled, opened: Opened) -> None:
    """Name the setting, with file and line, in a complaint about what it gave: it is the file that is wrong."""
    for option, key in filled.keys.items():
        name = f"{spell(key)} ({opened.place(key)})".replace("\\", r"\\")
        error.message = re.sub(rf"(?<![\w-]){option}(?![\w-])", name, error.message, count=1)
    provider = opened.found.get(("provider",))
    is_asked = provider is not None and filled.given.text("provider") is None
    if provider and is_asked and error.message == f"there is no provider {provider.value!r}":
        cause = f"is {provider.value!r}, and there is none of that name"
        error.message = provider.document.fault(("provider",), cause).message


def _read(given: Given, option: Option) -> bool | str | list[str] | None:
    match option.takes:
        case "nothing":
            return given.flag(option.name)
        case "values":
            return list(given.texts(option.name))
    return given.text(option.name)
