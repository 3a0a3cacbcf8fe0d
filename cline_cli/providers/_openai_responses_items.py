"""The items of a reply that grows, and how one is found again that an event goes on with. Pure.

An item has a place in the reply and an id, and neither can be relied on: there are servers that leave out the place or
give all items the same, and Copilot gives an item another id in each event.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeGuard

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.providers._values import to_text

Key = tuple[str, int]
"""A section of an item, and the number of a part in it."""


@dataclass(slots=True, eq=False)
class Item:
    """Reasoning, a message or a call."""

    kind: str
    index: int
    """Its place in the reply."""
    id: str = ""
    call_id: str = ""
    name: str = ""
    """Of the tool that is called."""
    phase: str = ""
    """Of a message: whether it is the answer, or said on the way."""
    parts: dict[Key, io.StringIO] = field(default_factory=dict)
    gap: str = ""
    """What parts it from the item before."""
    announced: str = ""
    """The arguments that a call was announced with."""
    sealed: str = ""
    """Of reasoning: what has to be passed back."""
    is_announced: bool = False
    is_done: bool = False

    def texts(self, section: str = "") -> list[str]:
        """Return the parts of a section, or of all, in order."""
        return [part.getvalue() for key, part in sorted(self.parts.items()) if section in {"", key[0]}]

    def describe(self, said: JsonObject) -> None:
        """Take in what is told of the item; what is known already stays."""
        self.id = self.id or to_text(said.get("id"))
        self.call_id = self.call_id or to_text(said.get("call_id"))
        self.name = self.name or to_text(said.get("name"))
        self.phase = self.phase or to_text(said.get("phase"))

    def is_same(self, said: JsonObject) -> bool:
        """Return whether an id that is told is this item's."""
        return any(mine == told for mine, told in self._ids(said))

    def is_other(self, said: JsonObject) -> bool:
        """Return whether the ids that are told are another item's; where none are told, that is not known."""
        ids = self._ids(said)
        return bool(ids) and all(mine != told for mine, told in ids)

    def _ids(self, said: JsonObject) -> list[tuple[str, str]]:
        """Return the ids that are both known and told."""
        pairs = ((self.id, to_text(said.get("id"))), (self.call_id, to_text(said.get("call_id"))))
        return [(mine, told) for mine, told in pairs if mine and told]


class Items:
    """All items of one reply."""

    def __init__(self) -> None:
        self._all: list[Item] = []
        self._by_index: dict[int, Item] = {}
        self._by_id: dict[tuple[str, str], Item] = {}
        self._last: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def in_order(self) -> list[Item]:
        """The items by their places; those with the same place as they came."""
        return sorted(self._all, key=lambda item: item.index)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._last)

    def find(self, kind: str, index: JsonValue, identity: str, call_id: str = "") -> Item | None:
        """Return the item that is meant, or None: by its id, else by its place, else the last one that is not done."""
        here = self._by_index.get(index) if _is_index(index) else self._last.get(kind)
        if here is not None and (here.kind != kind or (not _is_index(index) and here.is_done)):
            here = None
        if here is not None and identity and identity == here.id:
            return here
        for known in filter(None, (call_id, identity)):
            if same := self._by_id.get((kind, known)):
                return same
        if here is not None and call_id and here.call_id:
            return None
        return here

    def announce(self, kind: str, index: JsonValue, said: JsonObject) -> Item:
        """Return the item that begins; one that deltas have begun, or that was announced before, is gone on with."""
        item = self.find(kind, index, to_text(said.get("id")), to_text(said.get("call_id")))
        is_begun = item is not None and _is_at(item, index) and (not item.is_announced or item.is_same(said))
        if item is None or item.is_done or not is_begun:
            item = self.add(kind, index)
        item.is_announced = True
        self._describe(item, said)
        return item

    def conclude(self, kind: str, index: JsonValue, said: JsonObject) -> Item:
        """Return the item that is told as a whole, which may never have been heard of."""
        item = self.find(kind, index, to_text(said.get("id")), to_text(said.get("call_id")))
        if item is None or (item.is_done and (item.is_other(said) or not _is_at(item, index))):
            item = self.add(kind, index)
        item.is_done = True
        self._describe(item, said)
        return item

    def add(self, kind: str, index: JsonValue) -> Item:
        item = Item(kind, index if _is_index(index) else max(self._by_index, default=0))
        self._all.append(item)
        self._by_index[item.index] = self._last[kind] = item
        return item

    def _describe(self, item: Item, said: JsonObject) -> None:
        item.describe(said)
        for known in filter(None, (item.id, item.call_id)):
            self._by_id[item.kind, known] = item


def join(texts: Iterable[str], separator: str) -> str:
    return separator.join(filter(None, texts))


def _is_at(item: Item, index: JsonValue) -> bool:
    return not _is_index(index) or index == item.index


def _is_index(value: JsonValue) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
