"""The settings in force: the project's over the person's over the defaults, with where each stands and what to tell.

settings.toml  <- once, from the original command's files
      |
.cline/settings.toml of the project, as far as it is trusted
      |
    Opened
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cline_cli.config._document import Document, read_document
from cline_cli.config._reading import collect, describe_unknown, find_strangers
from cline_cli.config._takeover import find_takeover, take_over
from cline_cli.config.definitions import Key, Value
from cline_cli.config.paths import Paths
from cline_cli.config.project import NAME, find_project_file, read_project, refuse_file, trust
from cline_cli.config.settings import Settings, to_settings
from cline_cli.config.trust import KINDS, describe, is_trusted
from cline_cli.environment import Environment


class Found(NamedTuple):
    """One setting that a file makes."""

    value: Value
    document: Document
    """Where it stands."""

    def line(self, key: Key) -> int | None:
        """Return the line that it stands in; None where it comes from a file of another form."""
        position = self.document.locate(key)
        return position.line if position else None


@dataclass(frozen=True, slots=True)
class Opened:
    settings: Settings = Settings()
    found: Mapping[Key, Found] = field(default_factory=dict)
    """What files say and holds."""
    warnings: tuple[str, ...] = ()
    """What the person should know, a line each."""
    own: Document = Document(Path())
    """The person's file as it was read."""

    def place(self, key: Key) -> str:
        """Return where a setting stands, for people: "PATH, line 3"; empty where no file makes it."""
        found = self.found.get(key)
        if found is None:
            return ""
        line = found.line(key)
        return f"{found.document.path}, line {line}" if line else str(found.document.path)


def open_settings(
    paths: Paths,
    environment: Environment,
    providers: Mapping[str, str],
    *,
    workspace: Path | None = None,
    may_write: bool = True,
) -> Opened:
    """Return the settings in force; on first use those of the original command are taken over.

    `providers` are all names of providers, each with the one that settings know it by. `workspace` is the folder whose
    project is asked too, a real path. With `may_write` false what is taken over holds, and is not kept.

    Raises:
        SettingsError: a file cannot be read, is not TOML, or a value in it is wrong; the message says where.
    """
    warnings: list[str] = []
    takeover = find_takeover(paths, environment.home, providers)
    if takeover and takeover.is_lasting:
        told = take_over(takeover, paths.settings_file) if may_write else f"{takeover.describe()}; for this run only"
        warnings += [told] if told else []
    document = read_document(paths.settings_file)
    collected = collect(document)
    found = {key: Found(value, document) for key, value in collected.values.items()}
    if takeover and not document.text:  # it could not be kept
        found = {key: Found(value, Document(takeover.source)) for key, value in takeover.values.items()}
    strange = (*collected.unknown, *find_strangers(document, providers))
    warnings += describe_unknown(document, strange, providers)
    file = find_project_file(workspace, environment.home, paths.settings_file) if workspace else None
    if workspace and file:
        refusal = refuse_file(file, workspace)
        warnings += [refusal] if refusal else _add_project(file, found, providers, paths.config)
    if workspace:
        warnings += _tell_untrusted(workspace, paths.config)
    settings = to_settings({key: each.value for key, each in found.items()})
    return Opened(settings, found, tuple(warnings), document)


def _tell_untrusted(workspace: Path, config: Path) -> list[str]:
    """Name what a project brings that would run something, and is not in force."""
    names = [name for name in KINDS if name != str(NAME) and os.path.lexists(workspace / name)]
    if not names or is_trusted(config, workspace):
        return []
    return [f"not in force: {describe(tuple(names))} of the project ({', '.join(names)}); see cline trust"]


def _add_project(file: Path, found: dict[Key, Found], providers: Mapping[str, str], config: Path) -> list[str]:
    """Put what holds of a project's settings among those that were found, and return what is to be told of it."""
    if is_trusted(config, file.parent.parent):
        project = read_project(file, is_trusted=True)
        found |= {key: Found(value, project.document) for key, value in project.collected.values.items()}
        return [*describe_unknown(project.document, project.collected.unknown, providers)]
    project = read_project(file)
    trusted = trust(project, {key: each.value for key, each in found.items()})
    found |= {key: Found(value, project.document) for key, value in trusted.values.items()}
    told = describe_unknown(project.document, project.collected.unknown, providers)
    return [*told, trusted.notice] if trusted.notice else [*told]
