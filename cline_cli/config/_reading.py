"""From a document to the settings in it, every value checked, and to the names in it that mean nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from cline_cli.config import values
from cline_cli.config._document import Document
from cline_cli.config.definitions import FAMILY, Definition, Key, Value, find, find_nearest, is_secret, is_table, spell

MAX_WARNINGS: Final = 5
MAX_NAME: Final = 80
"""Characters of a name that are told."""


class Collected(NamedTuple):
    values: Mapping[Key, Value]
    unknown: tuple[Key, ...] = ()
    """What stands there and is no setting; of a table that is none, the table alone."""
    skipped: tuple[Key, ...] = ()
    """Settings that were not wanted."""


def collect(document: Document, wants: Callable[[Definition], bool] = lambda _: True) -> Collected:
    """Return what a document says, of the settings that are wanted.

    Raises:
        SettingsError: a value is wrong.
    """
    found: dict[Key, Value] = {}
    unknown: list[Key] = []
    skipped: list[Key] = []
    left: list[tuple[Key, object]] = [((name,), value) for name, value in reversed([*document.table.items()])]
    while left:
        key, value = left.pop()
        definition = find(key)
        if definition is None and is_table(key):
            if not isinstance(value, dict):
                raise document.fault(key, f"must be a table, not {values.name_type(value)}")
            if not key[-1].isprintable():
                raise document.fault(key, "has control characters in its name")
            left += [((*key, name), inner) for name, inner in reversed([*value.items()])]
        elif definition is None:
            unknown.append(key)
        elif not wants(definition):
            skipped.append(key)
        elif (read := _read(document, definition, key, value)) is not None:
            found[key] = read
    return Collected(found, tuple(unknown), tuple(skipped))


def describe_unknown(document: Document, unknown: Collection[Key], providers: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each name that is no setting, with the setting that was most likely meant.

    `providers` are all names of providers, each with the one that settings know it by.
    """
    told: list[str] = []
    for key in list(unknown)[:MAX_WARNINGS]:
        position = document.locate(key)
        where = f"{document.path}, line {position.line}" if position else str(document.path)
        told.append(f"{where}: {_describe(key, providers)}")
    if len(unknown) > MAX_WARNINGS:
        told.append(f"{document.path}: {len(unknown) - MAX_WARNINGS} more of such names")
    return tuple(told)


def find_strangers(document: Document, providers: Mapping[str, str]) -> tuple[Key, ...]:
    """Return the tables of providers that do not exist, or go by another name."""
    tables = document.table.get(FAMILY)
    names = tables if isinstance(tables, dict) else {}
    return tuple((FAMILY, name) for name in names if providers.get(name) != name)


def _describe(key: Key, providers: Mapping[str, str]) -> str:
    name = spell(key)
    if len(name) > MAX_NAME:
        return f'there is no setting "{name[:MAX_NAME]}..."'
    if is_secret(key):
        return f'there is no setting "{name}": keys are kept by `cline auth`, not in this file'
    if len(key) == 2 and key[0] == FAMILY:
        return f'there is no provider "{key[1]}"{_meant(_nearest_provider(key[1], providers))}'
    return f'there is no setting "{name}"{_meant(find_nearest(key, dict.fromkeys(providers.values())))}'


def _nearest_provider(name: str, providers: Mapping[str, str]) -> str:
    if own := providers.get(name):
        return spell((FAMILY, own))
    from difflib import get_close_matches  # lazy: 3 ms, and only for what is misspelled

    near = get_close_matches(name, providers, 1)
    return spell((FAMILY, providers[near[0]])) if near else ""


def _meant(nearest: str) -> str:
    return f", did you mean {nearest}?" if nearest else ""


def _read(document: Document, definition: Definition, key: Key, value: object) -> Value | None:
    try:
        return values.from_toml(definition, value)
    except ValueError as error:
        raise document.fault(key, str(error)) from None
