"""The sandbox of a run: what is asked for, where commands may write, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cline_cli.agent.messages import JsonObject
from cline_cli.app import command_variables
from cline_cli.commands._given import Given
from cline_cli.commands._values import read_word
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import SandboxError, UsageError
from cline_cli.machine.sandbox import Mode, Places, Report, Sandbox, UnmetError, Wanted

MODES: Final[tuple[Mode, ...]] = ("auto", "require", "off")
NETWORK: Final = ("on", "off")


def read_sandbox(given: Given, *, is_approved: bool) -> Wanted:
    """Return what a run asks for: with -y what there is, else nothing but what was asked for.

    Raises:
        UsageError: an option has no such value, or two contradict each other.
    """
    text, network = given.text("sandbox"), given.text("sandbox_network")
    has_network = network is None or read_word("sandbox_network", network, NETWORK) == "on"
    mode: Mode = "auto" if is_approved or not has_network else "off"
    if text is not None:
        mode = read_word("sandbox", text, MODES)
    if mode == "off" and not has_network:
        raise UsageError("--sandbox=off and --sandbox-network=off contradict each other")
    return Wanted(mode, has_network)


def list_protected(paths: Paths) -> tuple[Path, ...]:
    """Return what of our own no command and no tool may change."""
    return (paths.settings_file, paths.credentials_file, paths.state / "sessions")


def place(workspace: Path, environment: Environment, paths: Paths) -> Places:
    from cline_cli.machine.sandbox_levels import find_places  # lazy: 3 ms, and runs without -y have no sandbox

    return find_places(workspace, environment.home, environment.variables, list_protected(paths))


async def open_for(wanted: Wanted, places: Places, environment: Environment) -> Sandbox:
    """Start the sandbox of a run.

    Raises:
        SandboxError: what is required is not to be had here.
    """
    from cline_cli.machine.sandbox_levels import open_sandbox  # lazy: as above

    try:
        return await open_sandbox(wanted, places, command_variables(environment))
    except UnmetError as error:
        raise SandboxError(
            f"the sandbox that was asked for is not to be had here: {error}",
            "Install bubblewrap, or use a kernel with Landlock; cline doctor shows what works",
        ) from error


def to_json(report: Report) -> JsonObject:
    """Return what is true of a sandbox, for programs."""
    return {
        "level": report.level,
        "detail": report.detail,
        "enforced": list(report.enforced),
        "not_enforced": list(report.not_enforced),
    }
