"""A run as it would be asked for: the command line, the environment and the settings, read as a run reads them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from cline_cli.argv import Call, FromVariables, read_variables
from cline_cli.argv import blame as blame_variables
from cline_cli.commands._asked import Asked
from cline_cli.commands._config_given import Filled, fill
from cline_cli.commands._config_given import blame as blame_settings
from cline_cli.commands._config_opening import PROVIDER_NAMES
from cline_cli.commands._deadline import Deadline
from cline_cli.commands._doctor_report import Check, from_error
from cline_cli.commands._given import Given
from cline_cli.commands._typer import read_parameters
from cline_cli.commands._values import read_timeout
from cline_cli.commands.run import app, find_workspace, read_asked
from cline_cli.config._takeover import find_takeover
from cline_cli.config.opening import Opened, open_settings
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, SettingsError, UsageError

_Error = TypeVar("_Error", bound=ClineError)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run would be given on the command line."""

    provider: str | None = None
    model: str | None = None
    key: str | None = field(default=None, repr=False)
    others: tuple[str, ...] = ()
    """Options that have been looked at already and go before their variables: "--config"."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """In the form that a run's Typer app reads."""
        named = (("--provider", self.provider), ("--model", self.model), ("--key", self.key))
        return tuple(f"{name}={value}" for name, value in named if value is not None)


class Reading(NamedTuple):
    """A run as it would be asked for."""

    filled: Filled
    """What was given, with what settings add to it."""
    asked: Asked
    variables: FromVariables
    opened: Opened

    @property
    def given(self) -> Given:
        return self.filled.given

    def blame(self, error: _Error) -> _Error:
        """Let a complaint name the variable or the setting that is wrong, and not an option that nobody typed."""
        if isinstance(error, UsageError):
            blame_settings(error, self.filled, self.opened)
            blame_variables(error, self.variables.names)
        return error


def read_given(wanted: Wanted, environment: Environment) -> tuple[Given, FromVariables]:
    """Return what the command line and the environment give to a run; of values, only whether there are any is checked.

    Raises:
        UsageError: a variable is no value, or asks for what is not built yet.
    """
    found = read_variables(environment.variables, (*wanted.arguments, *wanted.others))
    call = Call("run", (*found.arguments, *wanted.arguments, "--", "?"))
    try:
        parameters = read_parameters(app, call, environment)
    except UsageError as error:
        blame_variables(error, found.names)
        raise
    return Given({name: value for name, value in parameters.items() if name != "prompt"}), found


def read_run(wanted: Wanted, opened: Opened, environment: Environment) -> Reading:
    """Read all that a run reads before it looks for a key.

    Raises:
        ClineError: why it would not start; a complaint names the variable or the setting that is wrong.
    """
    given, found = read_given(wanted, environment)
    filled = fill(given, opened, environment.variables)
    timeout = filled.given.text("timeout")
    try:
        deadline = Deadline(read_timeout(timeout) if timeout is not None else None)
        asked = read_asked("?", filled.given, opened.settings, environment, deadline)
    except UsageError as error:
        blame_settings(error, filled, opened)
        blame_variables(error, found.names)
        raise
    return Reading(filled, asked, found, opened)


def stand_somewhere(environment: Environment, variables: Mapping[str, str]) -> Environment:
    """Return an environment with other variables, in which no deleted folder is in the way of other checks."""
    return dataclasses.replace(environment, cwd=environment.cwd or Path("/"), variables=variables)


def read_settings(
    wanted: Wanted, environment: Environment, paths: Paths, variables: Mapping[str, str]
) -> tuple[Opened, tuple[Check, ...]]:
    """Open the settings as a run does, but keep nothing; `variables` are those that a run could be started with."""
    standing = stand_somewhere(environment, variables)
    try:
        given, _ = read_given(wanted, standing)
        if given.flag("bare"):
            return Opened(), (Check("settings", "note", "not read, because of --bare"),)
        workspace = find_workspace(standing, given.text("cwd"))
    except UsageError:  # told where the variables are
        workspace = None
    try:
        opened = open_settings(paths, environment, PROVIDER_NAMES, workspace=workspace, may_write=False)
    except SettingsError as error:
        return Opened(), (from_error("settings", error),)
    return opened, (_describe_files(opened, paths), *_tell_warnings(opened, environment, paths))


def _describe_files(opened: Opened, paths: Paths) -> Check:
    own = paths.settings_file
    text = str(own) if os.path.lexists(own) else f"there is no {own}: the defaults"
    others = dict.fromkeys(str(each.document.path) for each in opened.found.values() if each.document.path != own)
    return Check("settings", "ok", f"{text}; also {' and '.join(others)}" if others else text)


def _tell_warnings(opened: Opened, environment: Environment, paths: Paths) -> Iterator[Check]:
    takeover = find_takeover(paths, environment.home, PROVIDER_NAMES)
    for warning in opened.warnings:
        if takeover and warning.startswith(takeover.describe()):
            yield Check("settings", "note", f"with the first run: {takeover.describe()}")
        else:
            yield Check("settings", "bad", warning)


def check_folder(reading: Reading, environment: Environment) -> Check:
    """Say where a run would work."""
    try:
        folder = find_workspace(environment, reading.given.text("cwd"))
    except UsageError as error:
        return from_error("folder", reading.blame(error))
    if not os.access(folder, os.R_OK | os.X_OK):
        return Check("folder", "bad", f"{folder} may not be read, so a model sees no files", "Go to another one")
    if not os.access(folder, os.W_OK):
        return Check("folder", "note", f"{folder} may not be written to, so a model changes no files in it")
    return Check("folder", "ok", str(folder))
