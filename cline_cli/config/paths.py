"""Where things lie, and why there: settings and credentials, state, caches, weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import platformdirs

from cline_cli.environment import Environment
from cline_cli.errors import UsageError

PLATFORM = "the platform's folder"
IN_HOME = "it exists"
ORIGINAL = Path(".cline", "data", "settings")
"""Where the original command has its settings, in HOME."""


NOWHERE = "/dev/null/cline"
"""Where there is no place for this user: nothing is found there, and nothing can be written."""


class Candidate(NamedTuple):
    path: Path
    reason: str
    """Why it may lie there, for people: "--config", "$CLINE_DIR"."""
    is_lasting: bool = True
    """It is not named for single runs alone, as by `--data-dir`."""

    @property
    def exists(self) -> bool:
        return os.path.lexists(self.path)


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
    original_providers: tuple[Candidate, ...] = ()
    """Where somebody says that the original command's providers.json lies, before the one in HOME."""
    original_globals: tuple[Candidate, ...] = ()
    """Likewise its global-settings.json."""

    @property
    def settings_file(self) -> Path:
        return self.config / "settings.toml"

    @property
    def credentials_file(self) -> Path:
        return self.config / "credentials.json"


def find_paths(environment: Environment, *, config: str | None = None, data_dir: str | None = None) -> Paths:
    """Return the folders in force; `config` and `data_dir` are what the flags of those names gave. Creates nothing.

    Raises:
        UsageError: a flag was given without a folder: an unset variable of a script, most likely.
    """
    for name, value in (("--config", config), ("--data-dir", data_dir)):
        if value == "":
            raise UsageError(f"{name} needs a value, but got an empty one")
    variables = environment.variables
    chosen = {
        "config": _first(
            ("--config", config),
            ("$CLINE_CONFIG", variables.get("CLINE_CONFIG")),
            ("$CLINE_DIR", variables.get("CLINE_DIR")),
            (PLATFORM, find_in_platform(platformdirs.user_config_dir)),
        ),
        "state": _first(
            ("--data-dir", data_dir),
            ("$CLINE_DATA_DIR", variables.get("CLINE_DATA_DIR")),
            (IN_HOME, _existing(environment.home, ".cline/data")),
            (PLATFORM, find_in_platform(platformdirs.user_state_dir)),
        ),
        "cache": _first((PLATFORM, find_in_platform(platformdirs.user_cache_dir))),
    }
    cache = chosen["cache"][1]
    chosen["models"] = _first(
        ("$CLINE_MODELS_DIR", variables.get("CLINE_MODELS_DIR")), ("in the cache", str(cache / "models"))
    )
    base = environment.cwd or Path("/")
    is_guess = environment.home is None and chosen["state"][0] == PLATFORM and not variables.get("XDG_STATE_HOME")
    folders = {name: _expand(base, path) for name, (_, path) in chosen.items()}
    reasons = {name: why for name, (why, _) in chosen.items()}
    # The original command has its settings below the folder of its state, and that below the folder of all it has.
    named = [
        (folders["state"] / "settings", reasons["state"], reasons["state"] not in {PLATFORM, IN_HOME}),
        (folders["config"] / "data" / "settings", reasons["config"], reasons["config"] != PLATFORM),
    ]
    originals = [
        Candidate(folder, why, is_lasting=folder != folders["state"] / "settings")
        for folder, why, is_named in named
        if is_named
    ]
    return Paths(
        **folders,
        reasons=reasons,
        is_homeless=is_guess,
        original_providers=_list_originals(
            "providers.json", "CLINE_PROVIDER_SETTINGS_PATH", variables, base, originals
        ),
        original_globals=_list_originals(
            "global-settings.json", "CLINE_GLOBAL_SETTINGS_PATH", variables, base, originals
        ),
    )


def find_original(candidates: Sequence[Candidate], home: Path | None, name: str = "providers.json") -> Candidate | None:
    """Return where that file of the original command lies, or would; None where there is no HOME and nobody says."""
    in_home = [Candidate(home / ORIGINAL / name, "the original command's folder")] if home else []
    places = [*candidates, *in_home]
    return next((place for place in places if place.exists), places[-1] if places else None)


def _list_originals(
    name: str, variable: str, variables: Mapping[str, str], base: Path, folders: Sequence[Candidate]
) -> tuple[Candidate, ...]:
    file = variables.get(variable)
    own = [Candidate(_expand(base, Path(file)), f"${variable}", is_lasting=False)] if file else []
    return (*own, *(folder._replace(path=folder.path / name) for folder in folders))


def find_in_platform(find: Callable[[str], str]) -> str:
    """Return the folder that a function of platformdirs finds for this program, or NOWHERE."""
    try:
        return find("cline")
    except RuntimeError:  # no HOME, and a user whom the system does not know
        return NOWHERE


def _expand(base: Path, path: Path) -> Path:
    try:
        return base / path.expanduser()
    except RuntimeError:  # ~nobody: a name like any other, then
        return base / path


def _first(*candidates: tuple[str, str | None]) -> tuple[str, Path]:
    """Return the first candidate that has a value; the last always does."""
    return next((why, Path(value)) for why, value in candidates if value)


def _existing(home: Path | None, relative: str) -> str | None:
    folder = home / relative if home else None
    # Not Path.is_dir, which raises where a folder on the way may not be entered: a HOME of somebody else's.
    return str(folder) if folder and os.path.isdir(folder) else None
