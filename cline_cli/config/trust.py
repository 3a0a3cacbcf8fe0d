"""Which projects are trusted with their own settings, hooks and servers: as they were when somebody said so.

`trusted.json` beside the settings maps the folder of a project to the digest of what was trusted. When one byte of that
changes, the project is not trusted any more: whoever trusts has read something, and not what a later commit brings.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.config._files import read_small_file
from cline_cli.errors import ClineError, SettingsError
from cline_cli.machine.files import locked, make_private_folder, open_regular, write_atomic

FILE: Final = "trusted.json"
MAX_BYTES: Final = 1 << 20
MAX_FILES: Final = 500
KINDS: Final[Mapping[str, str]] = {
    ".cline/settings.toml": "settings",
    ".cline/mcp.json": "MCP servers",
    ".cline/hooks": "hooks",
    ".clinerules/hooks": "hooks",
    ".cline/plugins": "plugins",
}
"""What of a project could run something, or lead elsewhere."""


class Content(NamedTuple):
    """What of a project is to be trusted."""

    files: tuple[str, ...]
    digest: str
    """Empty where there is nothing."""


def look_at(project: Path) -> Content:
    """Return what there is to trust in a project's folder.

    Raises:
        SettingsError: it cannot be read whole.
    """
    digest = hashlib.sha256()
    names: list[str] = []
    room = MAX_BYTES
    for path in _list_files(project):
        try:
            with os.fdopen(open_regular(Path(os.path.realpath(path.parent), path.name)), "rb") as file:
                data = file.read(room + 1)
        except OSError as error:
            raise SettingsError(f"cannot read {path}: {error.strerror or error}") from error
        room -= len(data)
        if room < 0 or len(names) >= MAX_FILES:
            raise SettingsError(f"there is too much in {project} to be trusted")
        name = str(path.relative_to(project))
        names.append(name)
        digest.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
    return Content(tuple(names), digest.hexdigest() if names else "")


def describe(names: tuple[str, ...]) -> str:
    """Return what files bring, in words: "settings, hooks"."""
    kinds = (kind for start, kind in KINDS.items() if any(f"{name}/".startswith(f"{start}/") for name in names))
    return ", ".join(dict.fromkeys(kinds))


def is_trusted(config: Path, project: Path) -> bool:
    """Return whether what there is in a project was trusted as it is; an unreadable list trusts nothing."""
    try:
        content = look_at(project)
        return bool(content.digest) and read_trusted(config).get(os.path.realpath(project)) == content.digest
    except ClineError:
        return False


def read_trusted(config: Path) -> dict[str, str]:
    """Return the digests of what was trusted, by folder.

    Raises:
        SettingsError: the list cannot be read.
    """
    path = config / FILE
    try:
        content = read_small_file(path)
        found = json.loads(content.data) if content else {}
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise SettingsError(f"{path} is not valid JSON", "Remove it, and trust projects again") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path} is not a list of folders", "Remove it, and trust projects again")
    return {str(folder): digest for folder, digest in found.items() if isinstance(digest, str)}


def change_trust(config: Path, project: Path, digest: str | None) -> None:
    """Remember that a project is trusted as it is, or with None that it is not.

    Raises:
        ClineError: it cannot be written.
    """
    try:
        make_private_folder(config)
        with locked(config / f"{FILE}.lock"):
            trusted = read_trusted(config)
            trusted.pop(os.path.realpath(project), None)
            if digest:
                trusted[os.path.realpath(project)] = digest
            write_atomic(config / FILE, json.dumps(trusted, indent=1).encode(), mode=0o600)
    except OSError as error:
        raise ClineError(f"cannot save {config / FILE}: {error.strerror}") from error


def _list_files(project: Path) -> Iterator[Path]:
    for name in KINDS:
        path = project / name
        if path.is_dir() and not path.is_symlink():
            yield from (one for one in sorted(path.rglob("*")) if not one.is_dir())
        elif os.path.lexists(path):
            yield path
