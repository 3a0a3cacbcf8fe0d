"""`--worktree`: a new working tree of the repository, at its HEAD, for one run; it stays when the run has ended."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cline_cli.app import command_variables
from cline_cli.commands._streams import tell
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.machine.files import make_private_folder

TIMEOUT_S: Final = 120
_SWITCHES: Final = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")


def make_worktree(workspace: Path, environment: Environment, paths: Paths) -> Path:
    """Make a working tree without a branch, and return the folder in it that is this one.

    Raises:
        UsageError: this is no git repository, or has no commit yet.
        ClineError: it cannot be made.
    """
    variables = command_variables(environment)
    top = Path(os.path.realpath(_git(workspace, variables, "rev-parse", "--show-toplevel")))
    folder = paths.state / "worktrees" / secrets.token_hex(3)[:5]
    try:
        make_private_folder(folder)
    except OSError as error:
        raise ClineError(f"cannot make {folder}: {error.strerror}") from error
    tree = folder / top.name
    _git(workspace, variables, "worktree", "add", "--detach", str(tree), "HEAD")
    tell(environment, f"working in {tree}; git worktree remove {tree} removes it")
    inner = tree / workspace.relative_to(top)
    if not inner.is_dir():
        raise UsageError(f"{workspace} is not in the last commit, so it is not in a worktree either")
    return Path(os.path.realpath(inner))


def _git(folder: Path, variables: Mapping[str, str], *words: str) -> str:
    """Raises UsageError, ClineError."""
    try:
        done = subprocess.run(
            ("git", *_SWITCHES, *words),  # noqa: S607  # the git of the person
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClineError(f"--worktree needs git: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["git failed"]
        raise UsageError(f"--worktree cannot be made in {folder}: {said[0].removeprefix('fatal: ')}")
    return os.fsdecode(done.stdout).rstrip("\n")
