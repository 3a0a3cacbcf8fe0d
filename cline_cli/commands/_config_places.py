"""What `cline config path` tells: every place that is read or written, and why it is that place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import JsonObject
from cline_cli.config.paths import Paths, find_original
from cline_cli.config.project import NAME, find_project_file, refuse_file
from cline_cli.environment import Environment
from cline_cli.text import visible


class Place(NamedTuple):
    name: str
    path: Path | None
    """None where there is none."""
    reason: str

    @property
    def exists(self) -> bool:
        return self.path is not None and os.path.lexists(self.path)


def list_places(environment: Environment, paths: Paths) -> tuple[Place, ...]:
    """Return the places in force, the ones that people look for first."""
    why = paths.reasons
    original = find_original(paths.original_providers, environment.home)
    return (
        Place("settings", paths.settings_file, why["config"]),
        _find_project(environment, paths),
        Place("credentials", paths.credentials_file, why["config"]),
        Place("state", paths.state, why["state"]),
        Place("sessions", paths.state / "sessions", "in the state"),
        Place("cache", paths.cache, why["cache"]),
        Place("models", paths.models, why["models"]),
        Place("original", original.path, original.reason) if original else Place("original", None, "there is no HOME"),
    )


def places_to_text(places: tuple[Place, ...]) -> str:
    """Return a line for each: its name, its path, why it is that."""
    rows = [(place, visible(str(place.path or "none"))) for place in places]
    name_width = max(len(place.name) for place in places)
    width = max(len(path) for _, path in rows)
    return "".join(
        f"{place.name:<{name_width}}  {path:<{width}}  {visible(place.reason)}"
        f"{'' if place.exists or place.path is None else ', not there yet'}\n"
        for place, path in rows
    )


def places_to_object(places: tuple[Place, ...]) -> JsonObject:
    """Return them as JSON has them."""
    return {
        place.name: {
            "path": str(place.path) if place.path else None,
            "reason": place.reason,
            "exists": place.exists,
        }
        for place in places
    }


def _find_project(environment: Environment, paths: Paths) -> Place:
    if environment.cwd is None:
        return Place("project", None, "the working directory does not exist")
    workspace = environment.cwd.resolve()
    file = find_project_file(workspace, environment.home, paths.settings_file)
    if file is None:
        return Place("project", None, f"there is no {NAME} from {workspace} upwards")
    return Place("project", file, refuse_file(file, workspace) or f"the nearest to {workspace}")
