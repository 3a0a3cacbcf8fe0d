"""Which session a run belongs to: one that it goes on with, a new one, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cline_cli.app import Options
from cline_cli.commands._given import Given
from cline_cli.config.paths import Paths
from cline_cli.errors import UsageError
from cline_cli.providers import ALIASES
from cline_cli.session.store import Session, find_newest, resume


def open_session(given: Given, paths: Paths, workspace: Path) -> Session | None:
    """Return the session that is to be gone on with, if one was asked for.

    Raises:
        UsageError: there is none, another run has it, or it cannot be used.
    """
    session_id, is_newest = given.text("id"), given.flag("continue_")
    if session_id is None and not is_newest:
        return None
    if given.flag("no_tools") or given.flag("no_session"):
        kept = "--no-tools" if given.flag("no_tools") else "--no-session"
        raise UsageError(f"{kept} keeps nothing of a run, so it cannot go on with a session")
    if session_id is not None and is_newest:
        raise UsageError("--id and --continue contradict each other")
    folder = paths.state / "sessions"
    if session_id is None:
        session_id = find_newest(folder, workspace)
    if session_id is None:
        raise UsageError(f"there is no session of {workspace} to go on with", "Begin one, or name one with --id")
    return resume(folder, session_id)


def keep_on(options: Options, session: Session, variables: Mapping[str, str]) -> Options:
    """Return the options with the provider and the model that the session had last, where nobody names others."""
    named = options.provider or variables.get("CLINE_PROVIDER")
    if named and ALIASES.get(named, named) != session.header.provider:
        return options
    model = options.model or variables.get("CLINE_MODEL") or session.header.model
    return replace(options, provider=named or session.header.provider, model=model)
