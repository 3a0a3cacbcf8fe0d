"""The files of a folder at one moment, and what differs between two of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

MAX_FILE_BYTES = 50_000_000
"""A larger file is left out of a checkpoint: it is most likely data, and would be copied before every run."""


class Entry(NamedTuple):
    kind: Literal["file", "link"]
    blob: str
    """The name of its bytes in the store; of a link, of the path it leads to."""
    mode: int = 0o644
    """Permission bits; of no meaning for a link."""


class State(NamedTuple):
    entries: Mapping[str, Entry]
    """By path below the root, with slashes. A path that is not UTF-8 holds surrogates."""
    left_out: tuple[str, ...] = ()
    """What is there and was not looked into: too large, or no file."""


class Change(NamedTuple):
    path: str
    before: Entry | None
    """None where there was none."""
    after: Entry | None


class Store(Protocol):
    """Keeps the bytes of states."""

    async def read_blob(self, blob: str) -> bytes:
        """Raises OSError: it is not there any more."""
        ...


def compare(before: State, after: State) -> tuple[Change, ...]:
    """Return what differs, in the order of the paths; what either left out does not."""
    ignored = {*before.left_out, *after.left_out}
    paths = sorted({*before.entries, *after.entries} - ignored)
    changes = (Change(path, before.entries.get(path), after.entries.get(path)) for path in paths)
    return tuple(change for change in changes if change.before != change.after)
