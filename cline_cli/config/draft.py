"""Settings that a person edits as a whole: a draft beside the file, which takes its place once it can be read.

    settings.toml -> settings.draft.toml -> whoever edits -> checked -> settings.toml

So no half-written file ever stops a run. A draft that cannot be used stays, and the next edit goes on with it, as long
as the settings are still what they were when it was made; `settings.draft.origin` beside it says what that was. Else it
would undo what others have changed since, so it is put aside, and the edit begins with the settings as they are.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.config._document import parse_document
from cline_cli.config._files import read_small_file
from cline_cli.config._reading import collect, describe_unknown, find_strangers
from cline_cli.config.definitions import DEFINITIONS
from cline_cli.config.settings import changing
from cline_cli.config.values import to_toml
from cline_cli.errors import ClineError, SettingsError
from cline_cli.machine.files import write_atomic

TEMPLATE_HEAD: Final = """\
# Settings of cline. A line counts once its first # is gone; what is written there is the default, or an example.
# `cline config` shows what is in force, and who says so. Keys of providers are kept by `cline auth`, never here.
"""


class Draft(NamedTuple):
    path: Path
    settings_file: Path
    before: bytes | None
    """What the settings were when the draft was made; None where there were none."""
    text: bytes
    """What the draft was then."""
    is_left_over: bool
    """It is from an edit before, and was not used."""
    put_aside: Path | None = None
    """Where a draft from before is now, which the settings have changed under."""

    @property
    def is_unchanged(self) -> bool:
        """Whether it says what the settings said when it was made; of all comments or none, nothing.

        Raises:
            ClineError: it cannot be read.
        """
        return self.read() in ({self.before} if self.before else {make_template().encode(), b""})

    def read(self) -> bytes:
        """Return what it is now; an editor may have taken it away, which changes nothing.

        Raises:
            ClineError: it cannot be read.
        """
        found = _read(self.path)
        return self.text if found is None else found

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        _origin_of(self.path).unlink(missing_ok=True)


def open_draft(settings_file: Path) -> Draft:
    """Return a draft to edit: the settings as they are, all of them as comments where there are none, or what was left.

    What was left is gone on with where the settings have not changed since, and is put aside otherwise.

    Raises:
        ClineError: it cannot be written, or the settings cannot be read.
    """
    path = settings_file.with_name("settings.draft.toml")
    with changing(settings_file):
        before, left = _read(settings_file), _read(path)
        origin = _describe_origin(before)
        if left is not None and _read(_origin_of(path)) == origin:
            return Draft(path, settings_file, before, left, is_left_over=True)
        put_aside = _put_aside(path) if left is not None else None
        text = before or make_template().encode()
        # The draft comes last: it is never there with the origin of another.
        write_atomic(_origin_of(path), origin, mode=0o600)
        write_atomic(path, text, mode=0o600)
    return Draft(path, settings_file, before, text, is_left_over=False, put_aside=put_aside)


def adopt(draft: Draft, providers: Mapping[str, str]) -> tuple[str, ...]:
    """Make the draft the settings, and return what the person should know, a line each.

    `providers` are all names of providers, each with the one that settings know it by.

    Raises:
        SettingsError: it cannot be used; the message says where, and the draft stays.
        ClineError: the settings were changed by somebody else, or cannot be written; the draft stays.
    """
    again = f"{draft.settings_file} is as it was; cline config edit goes on with the draft"
    data = draft.read()
    try:
        document = parse_document(draft.path, data, again)
        collected = collect(document)
    except SettingsError as error:
        error.hint = again
        raise
    with changing(draft.settings_file):
        if _read(draft.settings_file) != draft.before:
            # A second edit may have made its own draft meanwhile, which this one then wrote over: trust neither.
            _origin_of(draft.path).unlink(missing_ok=True)
            raise ClineError(
                f"{draft.settings_file} was changed by somebody else meanwhile",
                f"Yours stays in {draft.path}; the next cline config edit begins with the settings as they are then,"
                " and says where it has put yours",
            )
        write_atomic(draft.settings_file, data, mode=0o600)
    draft.drop()
    strange = (*collected.unknown, *find_strangers(document, providers))
    return describe_unknown(document._replace(path=draft.settings_file), strange, providers)


def make_template() -> str:
    """Return a file in which every setting stands as a comment, with its default or an example."""
    lines = [TEMPLATE_HEAD]
    for definition in DEFINITIONS:
        value = definition.example if definition.default is None else definition.default
        if value is not None:
            lines.append(f"\n# {definition.help}\n# {definition.key.replace('*', 'cline')} = {to_toml(value)}\n")
    return "".join(lines)


def _origin_of(draft: Path) -> Path:
    return draft.with_name("settings.draft.origin")


def _describe_origin(settings: bytes | None) -> bytes:
    """Return what tells these settings from any others."""
    return b"none\n" if settings is None else f"sha256 {hashlib.sha256(settings).hexdigest()}\n".encode()


def _put_aside(draft: Path) -> Path:
    """Give a draft a name that no file has, and return it."""
    names = (draft.with_name(f"settings.draft.{number}.toml") for number in itertools.count(1))
    free = next(path for path in names if not os.path.lexists(path))
    draft.rename(free)
    return free


def _read(path: Path) -> bytes | None:
    try:
        content = read_small_file(path)
    except OSError as error:
        raise ClineError(f"cannot read {path}: {error.strerror}") from error
    return content.data if content else None
