"""`cline config edit`: the editor of the person's choice, run on a draft of the settings."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.commands._config_opening import PROVIDER_NAMES
from cline_cli.commands._streams import tell
from cline_cli.config.draft import Draft, adopt, open_draft
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError

VARIABLES: Final = ("VISUAL", "EDITOR")
EDITORS: Final = ("vi", "nano")
"""Looked for at a terminal, where no variable names one."""
OTHER_WAYS: Final = "Set VISUAL or EDITOR, or use cline config set"


class Edited(NamedTuple):
    has_changed: bool
    notices: tuple[str, ...] = ()
    """What the person should know, a line each."""


def edit(environment: Environment, settings_file: Path) -> Edited:
    """Let the person edit the settings, and return what came of it.

    Raises:
        UsageError: there is no editor to be had, or what was written cannot be used; then it is kept as a draft.
        ClineError: the editor failed, or the settings cannot be written.
    """
    command = find_editor(environment)
    draft = open_draft(settings_file)
    _tell_of_earlier(draft, environment)
    try:
        code = _run([*command, str(draft.path)], environment)
    except OSError as error:
        _drop_unused(draft)
        raise ClineError(f"cannot start the editor {command[0]!r}: {error.strerror}", OTHER_WAYS) from error
    if code != 0:
        kept = "" if _drop_unused(draft) else f"; what was written is in {draft.path}, for the next cline config edit"
        ended = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise ClineError(f"the editor {command[0]!r} {ended}", f"{settings_file} is as it was{kept}")
    if draft.is_unchanged:
        draft.drop()
        return Edited(False)
    return Edited(True, adopt(draft, PROVIDER_NAMES))


def find_editor(environment: Environment) -> list[str]:
    """Return the words of the command that edits a file.

    Raises:
        UsageError: no variable names one, and there is no terminal, or none was found for it.
    """
    for variable in VARIABLES:
        named = environment.variables.get(variable, "").strip()
        if not named:
            continue
        try:
            return shlex.split(named)
        except ValueError as error:
            raise UsageError(f"${variable} {named!r} is no command: {error}", OTHER_WAYS) from None
    if not environment.is_stdin_terminal or not environment.is_stdout_terminal:
        raise UsageError("there is no terminal to edit at", OTHER_WAYS)
    for name in EDITORS:
        if found := shutil.which(name, path=environment.variables.get("PATH", "")):
            return [found]
    raise UsageError(f"no editor was found: neither {' nor '.join(EDITORS)} is there", OTHER_WAYS)


def _tell_of_earlier(draft: Draft, environment: Environment) -> None:
    """Tell what became of a draft from before; now, since the edit may yet fail."""
    told = ""
    if draft.is_left_over:
        told = f"this goes on with {draft.path}, which was left from before"
    elif draft.put_aside:
        told = (
            f"{draft.settings_file} may have changed since the draft from before was made: "
            f"that draft is now {draft.put_aside}, and this begins with the settings as they are"
        )
    if told:
        with contextlib.suppress(OSError):  # a stderr that is gone is no reason to fail
            tell(environment, told)


def _run(command: list[str], environment: Environment) -> int:
    """Run an editor at our terminal, and return its exit code; Ctrl-C is its own to act on."""
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)  # SIG_IGN would go on to the editor
    try:
        return subprocess.run(command, env=dict(environment.variables), check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _drop_unused(draft: Draft) -> bool:
    """Remove a draft in which nothing was written, unless it is from before; return whether nothing was written."""
    is_unused = draft.read() == draft.text and not draft.is_left_over
    if is_unused:
        draft.drop()
    return is_unused
