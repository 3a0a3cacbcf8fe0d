"""One file of settings as it was read: its text, what TOML makes of it, and complaints that say where in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cline_cli.config._files import read_small_file
from cline_cli.config._positions import Position, find_excess, find_spots, is_suspicious, to_position
from cline_cli.config.definitions import Key, spell
from cline_cli.errors import SettingsError

REPAIR: Final = "Correct it (cline config edit), or move it away"
TOO_DEEP: Final = "it is nested too deeply"


class Document(NamedTuple):
    path: Path
    text: str = ""
    table: Mapping[str, object] = {}
    repair: str = REPAIR
    """What to do when something in it is wrong."""

    def holds(self, key: Key) -> bool:
        """Whether something stands there, be it a setting or not."""
        place: object = self.table
        for name in key:
            if not isinstance(place, Mapping) or name not in place:
                return False
            place = place[name]
        return True

    def locate(self, key: Key, *, is_value: bool = False) -> Position | None:
        """Return where a setting stands, or None where it does not; `is_value` asks for what is behind its `=`."""
        spot = find_spots(self.text).get(key)
        return to_position(self.text, spot.value if is_value else spot.key) if spot else None

    def fault(self, key: Key, cause: str) -> SettingsError:
        """Return the complaint that a setting in it cannot be used."""
        at = self.locate(key, is_value=True)
        place = f"{self.path}, line {at.line}, column {at.column}" if at else str(self.path)
        return SettingsError(f"cannot use {place}: {spell(key)} {cause}", self.repair)


def read_document(path: Path) -> Document:
    """Return what the file holds; an empty document where there is no file.

    Raises:
        SettingsError: it cannot be read, or is not TOML; the message says where.
    """
    try:
        content = read_small_file(path)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", REPAIR) from error
    return parse_document(path, content.data if content else b"")


def parse_document(path: Path, data: bytes, repair: str = REPAIR) -> Document:
    """Return what these bytes of the file hold.

    Raises:
        SettingsError: they are not TOML; the message says where.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The error is about what comes after a byte order mark.
        before = error.object[: error.start].decode("utf-8-sig")
        raise _broken(path, to_position(before, len(before)), "it is not UTF-8", repair) from None
    if not text:
        return Document(path, repair=repair)
    import tomllib  # lazy: 5 ms, and most runs have no settings

    excess = find_excess(text) if is_suspicious(text) else None
    try:
        if excess is None:
            return Document(path, text, tomllib.loads(text), repair)
        position, cause = to_position(text, excess), TOO_DEEP
    except RecursionError:
        position, cause = to_position(text, find_excess(text) or len(text)), TOO_DEEP
    except tomllib.TOMLDecodeError as error:
        position, cause = _read_complaint(str(error), text)
    except ValueError:  # Python reads no number of more than some thousand digits
        digits = re.search(r"\d(?:_?\d){4000}", text)
        position, cause = to_position(text, digits.start() if digits else len(text)), "the number is too long"
    raise _broken(path, position, cause, repair)


def _read_complaint(complaint: str, text: str) -> tuple[Position, str]:
    """Take a sentence of the parser's apart: "Invalid value (at line 1, column 12)"."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", complaint, re.DOTALL)
    if match is None:
        return to_position(text, len(text)), complaint
    position = Position(int(match[2]), int(match[3])) if match[2] else to_position(text, len(text))
    return position, match[1][:1].lower() + match[1][1:]


def _broken(path: Path, position: Position, cause: str, repair: str) -> SettingsError:
    return SettingsError(f"cannot read {path}, line {position.line}, column {position.column}: {cause}", repair)
