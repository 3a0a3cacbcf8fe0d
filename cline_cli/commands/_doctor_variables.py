"""The variables of a run, each on its own: what it says, what goes before it, and what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cline_cli.commands._doctor_reading import Wanted, read_run, stand_somewhere
from cline_cli.commands._doctor_report import Check
from cline_cli.commands._rules import VARIABLE as PERMISSIONS
from cline_cli.commands.options import LOOKED_UP_LATER, OPTIONS, OTHER_VARIABLES, Option
from cline_cli.config.credentials import FLAG_VARIABLE
from cline_cli.config.opening import Opened
from cline_cli.environment import Environment
from cline_cli.errors import ClineError
from cline_cli.network.route import hide_credentials
from cline_cli.providers import PROVIDERS

PREFIX = "CLINE_"
OPTION_OF: Mapping[str, Option] = {variable: option for option in OPTIONS for variable in option.variables}
KEY_VARIABLES = frozenset({FLAG_VARIABLE, *(name for row in PROVIDERS.values() for name in row.key_variables)})
"""They hold secrets."""
PLACES = frozenset({"CLINE_PROVIDER_SETTINGS_PATH", "CLINE_GLOBAL_SETTINGS_PATH"})
"""Where the original command was told to keep its settings, which are looked for there."""
KNOWN = frozenset({*OPTION_OF, *KEY_VARIABLES, *PLACES, *", ".join(OTHER_VARIABLES).split(", ")})
POINTLESS = frozenset(variable for variable, option in OPTION_OF.items() if option.state in {"ignored", "silent"})
"""They are taken, and nobody means them."""
MAX_NAMES = 10


class Variables(NamedTuple):
    checks: tuple[Check, ...]
    right: Mapping[str, str]
    """Those that keep no run from starting."""


def check_variables(wanted: Wanted, environment: Environment) -> Variables:
    """Look at every variable of ours."""
    variables = environment.variables
    checks: list[Check] = []
    right = dict(variables)
    for name in sorted(name for name in variables if name.startswith(PREFIX) and name in KNOWN):
        check = _check_variable(name, wanted, environment)
        checks.append(check)
        if check.status == "fatal":
            del right[name]
    checks += _check_unknown(variables)
    return Variables(tuple(checks) or (Check("variables", "ok", f"none that begins with {PREFIX} is set"),), right)


def _check_variable(name: str, wanted: Wanted, environment: Environment) -> Check:
    value = environment.variables[name]
    option = OPTION_OF.get(name)
    if not value:
        is_key = name in KEY_VARIABLES and option is None
        text = "set but empty" if is_key else "set but empty, which counts as not set"
        return Check(name, "note", text, f"Set it to a key, or unset it (unset {name})" if is_key else "")
    if void := _find_what_voids(name, option, wanted, environment.variables):
        return Check(name, "note", f"has no effect, because of {void}")
    shown = "a key" if name in KEY_VARIABLES else hide_credentials(value) if "://" in value else value
    if option or name == PERMISSIONS:
        try:
            read_run(wanted, Opened(), stand_somewhere(environment, {name: value}))
        except ClineError as error:
            return Check(name, "fatal", error.message, error.hint or f"Unset it to do without (unset {name})")
    is_ignored = option is not None and option.state == "ignored"
    return Check(name, "note" if is_ignored else "ok", f"{shown}; it has no effect here" if is_ignored else shown)


def _find_what_voids(name: str, option: Option | None, wanted: Wanted, variables: Mapping[str, str]) -> str:
    """Return what goes before a variable, or nothing."""
    if name == "CLINE_DIR":
        return "CLINE_CONFIG" if variables.get("CLINE_CONFIG") else ""
    if option is None:
        return ""
    typed = {argument.partition("=")[0] for argument in (*wanted.arguments, *wanted.others)}
    if option.names[0] in typed:
        return option.names[0]
    first = next(variable for variable in option.variables if variables.get(variable))
    return first if first != name and option.names[0] not in LOOKED_UP_LATER else ""


def _check_unknown(variables: Mapping[str, str]) -> Iterator[Check]:
    """Tell of those that mean nothing; their values may be anything and are not shown."""
    strangers: list[str] = []
    ends = sorted(name.removeprefix(PREFIX) for name in KNOWN if name.startswith(PREFIX) and name not in POINTLESS)
    for name in sorted(name for name in variables if name.startswith(PREFIX) and name not in KNOWN):
        near = difflib.get_close_matches(name.removeprefix(PREFIX), ends, 2, cutoff=0.8)
        if near:
            remedy = f"Was it {' or '.join(PREFIX + end for end in near)}?"
            yield Check(name, "note", "there is no such variable, so it has no effect", remedy)
        else:
            strangers.append(name)
    if strangers:
        more = f" and {len(strangers) - MAX_NAMES} more" if len(strangers) > MAX_NAMES else ""
        yield Check("variables", "note", f"without effect here: {', '.join(strangers[:MAX_NAMES])}{more}")
