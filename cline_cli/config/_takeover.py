"""On first use: what the original command was set up with becomes our settings, once; its files are only read.

What could loosen or widen a run is not taken over but named, and keys stay where they are: runs find them there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.config import values
from cline_cli.config._document import Document
from cline_cli.config._editing import apply_changes
from cline_cli.config._original import OriginalProvider, read_original, read_original_globals
from cline_cli.config.definitions import FAMILY, Key, Value, find, spell
from cline_cli.config.paths import Paths, find_original
from cline_cli.config.settings import changing
from cline_cli.errors import ClineError
from cline_cli.machine.files import write_atomic
from cline_cli.text import one_line

MAX_NAMES: Final = 5
"""That are told of one kind."""


class Takeover(NamedTuple):
    """What there is to take over, and what not."""

    source: Path
    values: Mapping[Key, Value] = {}
    left: tuple[str, ...] = ()
    """What is not taken over, for people."""
    complaint: str = ""
    """Why nothing could be read."""
    is_lasting: bool = True
    """It may be kept; what was found through an option or a variable of this run holds for this run."""

    def describe(self) -> str:
        """Return all of it in one sentence."""
        if self.complaint:
            return f"nothing is taken over from {self.source}: {self.complaint}"
        taken = ", ".join(f"{spell(key)} = {values.to_toml(value)}" for key, value in self.values.items())
        left = f"; not taken over: {', '.join(self.left)}" if self.left else ""
        return f"taken over from {self.source}: {taken or 'nothing'}{left}; keys stay there and are found"


def find_takeover(paths: Paths, home: Path | None, providers: Mapping[str, str]) -> Takeover | None:
    """Return what the original command was set up with, or None where it was not, or we have settings of our own.

    `providers` are all names of providers, each with the one that settings know it by.
    """
    file = find_original(paths.original_providers, home)
    if file is None or not file.exists or os.path.lexists(paths.settings_file):
        return None
    collector = _Collector(providers)
    try:
        original = read_original(file.path)
        collector.add_providers(original.provider, original.providers)
    except ValueError as error:
        return Takeover(file.path, complaint=str(error), is_lasting=file.is_lasting)
    globals_file = find_original(paths.original_globals, home, "global-settings.json")
    if globals_file and globals_file.exists:
        collector.add_globals(globals_file.path)
    if not collector.values and not collector.left:
        return None
    return Takeover(file.path, collector.values, tuple(collector.left), is_lasting=file.is_lasting)


def take_over(takeover: Takeover, settings_file: Path) -> str:
    """Write it into the settings, and return the line that says so; empty where another process was faster.

    What cannot be written is told in that line.
    """
    told = takeover.describe()
    origin = told if takeover.complaint else f"Taken over from {takeover.source}, which is only read."
    document = Document(settings_file, f"# {one_line(origin)}\n")
    try:
        text = apply_changes(document, takeover.values) if takeover.values else document.text
        with changing(settings_file):
            if os.path.lexists(settings_file):
                return ""
            write_atomic(settings_file, text.encode("utf-8", "replace"), mode=0o600)
    except ClineError as error:
        return f"{told}; for this run only: {error.message}"
    return f"{told}; now in {settings_file}"


class _Collector:
    def __init__(self, providers: Mapping[str, str]) -> None:
        self._providers = providers
        self.values: dict[Key, Value] = {}
        self.left: list[str] = []

    def add_providers(self, last: str, entries: Mapping[str, OriginalProvider]) -> None:
        """Take what is set up of the providers that there are, that of the last one first."""
        if last in self._providers:
            self._add(("provider",), self._providers[last])
        names = sorted(entries, key=lambda name: (name != last, self._providers.get(name) != name))
        for name in names:
            if own := self._providers.get(name):
                self._add((FAMILY, own, "model"), entries[name].model)
                self._add((FAMILY, own, "base_url"), entries[name].base_url)
        if last in self._providers and last in entries:
            self._add(("thinking",), entries[last].effort)
        unknown = [name for name in dict.fromkeys((last, *entries)) if name and name not in self._providers]
        if unknown:
            self.left.append(f"providers that are not supported yet ({_list(unknown)})")

    def add_globals(self, path: Path) -> None:
        try:
            found = read_original_globals(path)
        except ValueError as error:
            self.left.append(f"{path}: {error}")
            return
        if found.mode == "plan":
            self._add(("mode",), found.mode)
        if found.approves_all:
            self.left.append("toolAutoApprove (use -y, or cline config set auto_approve true)")
        if found.disabled_tools:
            self.left.append(f"disabledTools ({_list(found.disabled_tools)})")

    def _add(self, key: Key, value: object) -> None:
        if value is None or key in self.values:
            return
        definition = find(key)
        assert definition, "what is taken over is a setting"
        try:
            read = values.from_toml(definition, value)
        except ValueError as error:
            self.left.append(f"{spell(key)} ({error})")
            return
        if read is not None:
            self.values[key] = read


def _list(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{', '.join(one_line(name, 40) for name in names[:MAX_NAMES])}{more}"
