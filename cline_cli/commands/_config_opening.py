"""The settings as every command opens them: with the providers that there are, and what is to be told of them told."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cline_cli.commands._streams import tell
from cline_cli.config.opening import Opened, open_settings
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.providers import ALIASES, PROVIDERS

PROVIDER_NAMES: Final[Mapping[str, str]] = {**{name: name for name in PROVIDERS}, **ALIASES}
"""Every name of a provider -> the one that settings know it by."""


def open_and_tell(
    environment: Environment,
    paths: Paths,
    *,
    workspace: Path | None = None,
    is_quiet: bool = False,
    may_write: bool = True,
) -> Opened:
    """Return the settings in force, as `open_settings` does, and tell its warnings on stderr.

    Raises:
        SettingsError: a file of settings cannot be used.
    """
    opened = open_settings(paths, environment, PROVIDER_NAMES, workspace=workspace, may_write=may_write)
    if not is_quiet:
        for warning in opened.warnings:
            with contextlib.suppress(OSError):  # a stderr that is closed or gone is no reason to fail
                tell(environment, warning)
    return opened
