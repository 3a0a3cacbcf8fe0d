"""Changes to a file of settings that leave the rest of it as it is: comments, layout, names that mean nothing here."""

from __future__ import annotations

import codecs
import copy
import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence

from cline_cli.config._document import Document
from cline_cli.config._files import read_small_file
from cline_cli.config._positions import find_spots
from cline_cli.config.definitions import Key, Value, spell
from cline_cli.config.values import to_plain
from cline_cli.errors import SettingsError

Changes = Mapping[Key, Value | None]
"""Path of a setting -> its new value, or None to take it away: `{("providers", "cline", "model"): "x"}`."""
Table = MutableMapping[str, object]


def apply_changes(document: Document, changes: Changes) -> str:
    """Return the text after the changes, with the line ends and the byte order mark of the file.

    Raises:
        SettingsError: it cannot be edited so that exactly these settings change.
    """
    try:
        try:
            after = _edit(document, changes)
        except ValueError:
            left = _cut(document, [key for key, value in changes.items() if value is None])
            after = _edit(left, {key: value for key, value in changes.items() if value is not None})
    except (ValueError, RecursionError):
        names = ", ".join(spell(key) for key in changes)
        raise SettingsError(f"cannot change {document.path} without changing more", f"Set by hand: {names}") from None
    if 0 < document.text.count("\n") == document.text.count("\r\n"):
        after = re.sub(r"(?<!\r)\n", "\r\n", after)  # the editor ends its own lines with \n, and keeps the others
    return f"\ufeff{after}" if _has_mark(document) else after


def _has_mark(document: Document) -> bool:
    """Whether the file begins with a byte order mark, which is no part of the document's text."""
    try:
        content = read_small_file(document.path)
    except OSError as error:
        raise SettingsError(f"cannot read {document.path}: {error.strerror}", document.repair) from error
    return content is not None and content.data.startswith(codecs.BOM_UTF8)


def _change_table(document: Document, changes: Changes) -> Table:
    """Return the parsed file as it must read after the changes."""
    result = copy.deepcopy(dict(document.table))
    for key, value in changes.items():
        try:
            _change(result, key, value, lambda _place, _depth: {})
        except TypeError:
            raise document.fault(key[:-1], "must be a table") from None
    return result


def _edit(document: Document, changes: Changes) -> str:
    """Return the text after the changes, as the editor of TOML makes it.

    Raises:
        ValueError: the text cannot be edited so that it reads exactly as wanted.
    """
    import tomllib  # lazy: 5 ms, and most runs have no settings

    import tomlkit  # lazy: 23 ms, and only `cline auth` and `cline config` write settings
    from tomlkit.exceptions import TOMLKitError  # lazy: see above
    from tomlkit.items import InlineTable  # lazy: see above

    def new_table(place: Table, depth: int) -> Table:
        return tomlkit.inline_table() if isinstance(place, InlineTable) else tomlkit.table(is_super_table=depth > 1)

    wanted = _change_table(document, changes)
    try:
        edited = tomlkit.parse(document.text)
        for key, value in changes.items():
            _change(edited, key, value, new_table)
        after = tomlkit.dumps(edited)
    except TOMLKitError as error:
        raise ValueError("the editor cannot read what the reader can") from error
    if tomllib.loads(after) != wanted:
        raise ValueError("the editor changed something else")
    return after


def _cut(document: Document, keys: Sequence[Key]) -> Document:
    """Return the document without the lines of these settings: the editor takes no dotted key away.

    Raises:
        ValueError: it would say something else then, but for tables with nothing in them.
    """
    import tomllib  # lazy: see _edit

    spots = find_spots(document.text)
    lines = [spot.statement for key in keys if (spot := spots.get(key)) and spot.statement]
    text = document.text
    for start, end in sorted(lines, reverse=True):
        text = text[:start] + text[end:]
    table = tomllib.loads(text)
    if _prune(table) != _prune(_change_table(document, dict.fromkeys(keys))):
        raise ValueError("what is left says something else")
    return document._replace(text=text, table=table)


def _prune(table: Mapping[str, object]) -> dict[str, object]:
    pruned = {name: _prune(value) if isinstance(value, dict) else value for name, value in table.items()}
    return {name: value for name, value in pruned.items() if value != {}}


def _change(place: Table, key: Key, value: Value | None, new_table: Callable[[Table, int], Table]) -> None:
    """Put a value where its path leads; `new_table` gets the table around it and how many names are left.

    Raises:
        TypeError: something on the way is not a table.
    """
    name, *rest = key
    if not rest:
        if value is None:
            place.pop(name, None)
        else:
            place[name] = to_plain(value)
        return
    if name not in place:
        if value is None:
            return
        place[name] = new_table(place, len(rest))
    inner = place[name]
    if not isinstance(inner, MutableMapping):
        raise TypeError(name)
    _change(inner, tuple(rest), value, new_table)
