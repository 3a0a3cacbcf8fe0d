"""Where things lie, and why there: settings and credentials, state, caches, weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import platformdirs

from cline_cli.environment import Environment

PLATFORM = "the platform's folder"


class Paths(NamedTuple):
    config: Path
    """Settings and credentials. `--config`, else CLINE_CONFIG or CLINE_DIR, else the platform's folder for settings."""
    state: Path
    """What runs leave. `--data-dir`, else CLINE_DATA_DIR, else ~/.cline/data if it exists, else the platform's."""
    cache: Path
    """What can be made again."""
    models: Path
    """Weights of embedded models, hundreds of megabytes each. CLINE_MODELS_DIR, else in the cache."""
    reasons: Mapping[str, str]
    """Field name -> why it is that folder, for `cline config path`."""
    is_homeless: bool = False
    """There is no HOME, and nobody named a folder for the state: the platform's would be a guess at whose it is."""

    @property
    def settings_file(self) -> Path:
        return self.config / "settings.toml"

    @property
    def credentials_file(self) -> Path:
        return self.config / "credentials.json"


def find_paths(environment: Environment, *, config: str | None = None, data_dir: str | None = None) -> Paths:
    """Return the folders in force; `config` and `data_dir` are what the flags of those names gave. Creates nothing."""
    variables = environment.variables
    chosen = {
        "config": _first(
            ("--config", config),
            ("$CLINE_CONFIG", variables.get("CLINE_CONFIG")),
            ("$CLINE_DIR", variables.get("CLINE_DIR")),
            (PLATFORM, platformdirs.user_config_dir("cline")),
        ),
        "state": _first(
            ("--data-dir", data_dir),
            ("$CLINE_DATA_DIR", variables.get("CLINE_DATA_DIR")),
            ("it exists", _existing(environment.home, ".cline/data")),
            (PLATFORM, platformdirs.user_state_dir("cline")),
        ),
        "cache": _first((PLATFORM, platformdirs.user_cache_dir("cline"))),
    }
    cache = chosen["cache"][1]
    chosen["models"] = _first(
        ("$CLINE_MODELS_DIR", variables.get("CLINE_MODELS_DIR")), ("in the cache", str(cache / "models"))
    )
    base = environment.cwd or Path("/")
    is_guess = environment.home is None and chosen["state"][0] == PLATFORM and not variables.get("XDG_STATE_HOME")
    folders = {name: base / path.expanduser() for name, (_, path) in chosen.items()}
    return Paths(**folders, reasons={name: why for name, (why, _) in chosen.items()}, is_homeless=is_guess)


def _first(*candidates: tuple[str, str | None]) -> tuple[str, Path]:
    """Return the first candidate that has a value; the last always does."""
    return next((why, Path(value)) for why, value in candidates if value)


def _existing(home: Path | None, relative: str) -> str | None:
    folder = home / relative if home else None
    # Not Path.is_dir, which raises where a folder on the way may not be entered: a HOME of somebody else's.
    return str(folder) if folder and os.path.isdir(folder) else None
