"""`cline doctor`: what a run would find here, line by line, and whether it could start: a check before CI relies on it.

Nothing is decided here: every line comes from the functions that a run uses, and no line is a guess at what they do.
Without --online no request is made, and no program is started but git and ripgrep, for their versions, and what the
sandbox of a run is tried with.
"""

from __future__ import annotations

import json as json_text
import os
import sys
from typing import Annotated

import typer

from cline_cli.agent.messages import JsonObject
from cline_cli.commands._async import run_to_end
from cline_cli.commands._doctor_installation import (
    check_packages,
    check_path,
    check_program,
    check_tools,
    find_programs,
    find_script,
    program_asker,
    read_distribution,
    read_version,
)
from cline_cli.commands._doctor_keyring import Keyring, KeyringView, look_at_keyring
from cline_cli.commands._doctor_online import Online, check_online
from cline_cli.commands._doctor_places import check_places
from cline_cli.commands._doctor_provider import Outlook, foresee
from cline_cli.commands._doctor_reading import Reading, Wanted, check_folder, read_run, read_settings, stand_somewhere
from cline_cli.commands._doctor_report import SHORTEST_SECRET, Check, Group, Report, from_error
from cline_cli.commands._doctor_sandbox import View, look_at_sandbox
from cline_cli.commands._doctor_surroundings import (
    check_language,
    check_terminal,
    check_way,
)
from cline_cli.commands._doctor_variables import KEY_VARIABLES, PREFIX, check_variables
from cline_cli.commands._sandbox import to_json
from cline_cli.commands._streams import move, say, tell
from cline_cli.config._keyring import KeyringStore
from cline_cli.config.opening import Opened
from cline_cli.config.paths import Paths, find_paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.machine.process import child_variables
from cline_cli.network.route import find_credentials

CANNOT_RUN = 3
"""The exit code where a run could not start."""

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
Marks: ok, -- worth knowing, !! should be put right, XX keeps a run from starting (exit code 3).

Nothing is changed, and without --online nothing is sent.

cline doctor fix and cline doctor log are of older versions, and do nothing: no process outlives a run, and no log is
kept."""
WORDS = {
    "fix": "There is nothing to end: no process of this program outlives a run.\n",
    "log": "No log is kept. What a run leaves is its session: cline history\n",
}


@app.command(epilog=EPILOG)
def doctor(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[fix | log]", help="Of older versions.", show_default=False)
    ] = None,
    *,
    online: Annotated[bool, typer.Option("--online", help="Ask the model as well, with one small request.")] = False,
    provider: Annotated[str | None, typer.Option("--provider", "-P", help="Look at a run with this provider.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Look at a run with this model.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", "-k", help="Look at a run with this key; - reads it from stdin.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder that a run would work in.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every package.")] = False,
) -> int:
    """Check that a run can start here, and say what to do if not.

    In CI, before anything else: cline doctor --online
    """
    environment = context.ensure_object(Environment)
    if environment.stdout is None:
        raise ClineError("cannot write to standard output: it is closed")
    others = tuple(f"--{name}" for name, value in (("config", config), ("data-dir", data_dir)) if value is not None)
    wanted = Wanted(provider, model, key, (*others, "--cwd") if cwd is not None else others)
    if words:
        _answer(words, wanted, environment, is_json=json, is_online=online)
        return 0
    for name, value in (("--provider", provider), ("--model", model), ("--key", key)):
        if value == "":  # an unset variable of a script, most likely
            raise UsageError(f"{name} needs a value, but got an empty one")
    environment = move(environment, cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    report = examine(wanted, environment, paths, is_online=online, is_verbose=verbose)
    say(environment, report.to_json() if json else report.to_text())
    if complaint := report.to_complaint():
        tell(environment, complaint)
        return CANNOT_RUN
    return 0


def examine(
    wanted: Wanted,
    environment: Environment,
    paths: Paths,
    *,
    is_online: bool = False,
    is_verbose: bool = False,
    keyring: Keyring | None = None,
) -> Report:
    """Look at everything that a run needs; `keyring` is that of the operating system, unless it is given."""
    variables = environment.variables
    reading, checks = _read(wanted, environment, paths)
    checks = (*checks, check_folder(reading, environment))
    choice = reading.opened.settings.credentials_store
    keys = look_at_keyring(keyring or KeyringStore(), choice, paths.credentials_file)
    outlook = foresee(reading, environment, paths, keys.store)
    would_ask = all(check.status != "fatal" for check in checks)
    online = check_online(outlook.chosen if would_ask else None, paths, variables) if is_online else None
    way = tuple(check_way(outlook.base_url, variables)) if outlook.base_url is not None else ()
    sandbox = look_at_sandbox(reading, environment, paths)
    groups = (
        Group("program", _check_installation(environment, is_verbose=is_verbose)),
        Group("settings", checks),
        Group("model", (*outlook.checks, *((online.check,) if online else ()), keys.check, *way)),
        Group("folders", tuple(check_places(paths, os.geteuid()))),
        Group("machine", _check_machine(environment, sandbox, is_approved=reading.asked.options.auto_approve)),
    )
    return Report(groups, _to_facts(outlook, keys, online, sandbox), _find_secrets(reading, outlook, environment))


def _answer(words: list[str], wanted: Wanted, environment: Environment, *, is_json: bool, is_online: bool) -> None:
    """Answer the words that the original command knows."""
    if len(words) > 1 or words[0] not in WORDS:
        message = f"cline doctor takes fix or log or no word, not {' '.join(words)!r}"
        raise UsageError(message, "cline doctor --help")
    if is_online or wanted != Wanted():
        raise UsageError(f"`cline doctor {words[0]}` takes no options but --json", "cline doctor --help")
    text = WORDS[words[0]]
    document = {"schemaVersion": 1, "text": text.strip()}
    say(environment, f"{json_text.dumps(document)}\n" if is_json else text)


def _read(wanted: Wanted, environment: Environment, paths: Paths) -> tuple[Reading, tuple[Check, ...]]:
    """Return the run that is asked for, by all that is right of settings and variables."""
    found = check_variables(wanted, environment)
    opened, settings_checks = read_settings(wanted, environment, paths, found.right)
    checks = (*settings_checks, *found.checks)
    try:
        return read_run(wanted, opened, stand_somewhere(environment, found.right)), checks
    except ClineError as error:
        # Each is right, and together they are not; what else there is to tell, is told of a run without them.
        plain = read_run(wanted, Opened(opened.settings), stand_somewhere(environment, {}))
        return plain, (*checks, from_error("options", error))


def _check_installation(environment: Environment, *, is_verbose: bool) -> tuple[Check, ...]:
    distribution = read_distribution()
    requirements = (distribution.requires or []) if distribution else []
    programs = find_programs(environment.variables.get("PATH", ""), environment.cwd, sys.executable)
    return (
        *check_program(distribution),
        *(check_packages(requirements, read_version, is_verbose=is_verbose) if requirements else ()),
        *check_path(programs, find_script(sys.executable)),
    )


def _check_machine(environment: Environment, sandbox: View, *, is_approved: bool) -> tuple[Check, ...]:
    variables = environment.variables
    ask = program_asker(child_variables(variables, KEY_VARIABLES))
    return (
        sandbox.check,
        *run_to_end(check_tools(ask)),
        *check_terminal(environment, is_approved=is_approved),
        check_language(variables),
    )


def _to_facts(outlook: Outlook, keyring: KeyringView, online: Online | None, sandbox: View) -> JsonObject:
    key = outlook.key
    return {
        "provider": outlook.provider or None,
        "model": outlook.model or None,
        "baseUrl": outlook.base_url or None,
        "keySource": key.source if key else None,
        "keyTail": key.tail or None if key else None,
        "keyring": {"backend": keyring.backend or None, "state": keyring.state},
        "sandbox": to_json(sandbox.report),
        "online": {"model": online.model or None, "durationMs": online.duration_ms} if online else None,
    }


def _may_be_address(name: str) -> bool:
    return name.startswith(PREFIX) or name.lower().endswith("_proxy")


def _find_secrets(reading: Reading, outlook: Outlook, environment: Environment) -> frozenset[str]:
    """Return every key that is known here, so that none is shown, wherever else it stands; and those in addresses."""
    variables = environment.variables
    known = {variables.get(name, "").strip() for name in KEY_VARIABLES} | {(reading.given.text("key") or "").strip()}
    known |= {outlook.key.value} if outlook.key else set()
    addresses = [value for name, value in variables.items() if _may_be_address(name) and "://" in value]
    in_addresses = {find_credentials(address) for address in addresses}
    return frozenset({secret for secret in known if len(secret) >= SHORTEST_SECRET} | in_addresses - {""})
