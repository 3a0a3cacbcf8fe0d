"""Settings that come with a project, `.cline/settings.toml`: found, and trusted with nothing that costs or loosens.

Whoever clones a project has not read them. So they may plan where a run would act, and lower limits; all else in them
is named and left alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.config import values
from cline_cli.config._document import Document, parse_document
from cline_cli.config._reading import Collected, collect
from cline_cli.config.definitions import Definition, Key, Value, find, spell
from cline_cli.errors import SettingsError
from cline_cli.machine.files import open_regular

NAME: Final = Path(".cline", "settings.toml")
REPAIR: Final = "Correct it, or run with --bare, which reads no settings"
MAX_BYTES: Final = 1 << 16
"""A stranger's file shall not keep a run waiting."""
NEVER: Final = frozenset({"credentials.store", "providers.*.key_store"})
"""Where a person keeps keys is no project's affair."""
MAX_NAMES: Final = 8
"""Of settings that are not trusted, in the line that tells of them."""


class Project(NamedTuple):
    document: Document
    collected: Collected
    """Only what a project may say at all."""


def find_project_file(workspace: Path, home: Path | None, own_file: Path) -> Path | None:
    """Return the nearest file of settings from this folder, a real path, upwards: not above a repository, not in HOME.

    `own_file` is the person's, which is none of a project even where it lies in one.
    """
    for folder in (workspace, *workspace.parents):
        if home and _is_same(folder, home):
            return None
        file = folder / NAME
        if os.path.lexists(file):
            return None if _is_same(file, own_file) else file
        if os.path.lexists(folder / ".git"):
            return None
    return None


def refuse_file(file: Path, workspace: Path) -> str:
    """Return why a project's file is not read, whatever is in it; empty where it is."""
    if file.is_symlink() or file.parent.is_symlink():
        return f"{file} is not read: it is, or lies behind, a symbolic link"
    try:
        owner = file.lstat().st_uid
        trusted = {0, os.geteuid(), workspace.stat().st_uid}
    except OSError:  # reading it says why
        return ""
    return "" if owner in trusted else f"{file} is not read: it belongs to another user"


def read_project(file: Path, *, is_trusted: bool = False) -> Project:
    """Return what a project says; of one that is trusted, all but where keys are.

    Raises:
        SettingsError: it cannot be read, is not TOML, or a value in it is wrong; the message says where.
    """
    try:
        with os.fdopen(open_regular(file), "rb") as opened:
            data = opened.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise OSError(0, f"it is larger than {MAX_BYTES:,} bytes")
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror or error}", REPAIR) from error
    document = parse_document(file, data, REPAIR)
    wants = (lambda one: one.key not in NEVER) if is_trusted else (lambda one: one.project != "nothing")
    return Project(document, collect(document, wants))


class Trusted(NamedTuple):
    values: Mapping[Key, Value]
    """What holds in place of the person's."""
    notice: str
    """What does not, in one line; or empty."""


def trust(project: Project, own: Mapping[Key, Value]) -> Trusted:
    """Choose what holds of a project's settings, beside those of the person."""
    found: dict[Key, Value] = {}
    refused = [spell(key) for key in project.collected.skipped]
    for key, value in project.collected.values.items():
        definition = find(key)
        assert definition, "only settings are collected"
        before = own.get(key, definition.default)
        order = _compare(definition, value, before)
        if order < 0:
            found[key] = value
        elif order > 0:
            assert before is not None, "without a limit every other is less"
            refused.append(f"{spell(key)} = {values.to_toml(value)} in place of {values.to_toml(before)}")
    if not refused:
        return Trusted(found, "")
    more = f" and {len(refused) - MAX_NAMES} more" if len(refused) > MAX_NAMES else ""
    names = ", ".join(refused[:MAX_NAMES])
    told = f"the project's settings are not trusted with: {names}{more} ({project.document.path}); see cline trust"
    return Trusted(found, told)


def _compare(definition: Definition, value: Value, before: Value | None) -> int:
    """Return -1 where the project's value allows less than the one before, 1 where it allows more."""
    if before is None:
        return -1
    if definition.project == "plan":
        return (value != "plan") - (before != "plan")
    ours, others = values.measure(definition, value), values.measure(definition, before)
    return (ours > others) - (ours < others)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
