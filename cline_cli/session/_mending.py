"""A history with times, made into one that every provider accepts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cline_cli.agent.repair import repair
from cline_cli.session.original import Entry


def mend(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return a history as every provider accepts it; a result that is made up has the time of the message before."""
    times = {id(message): time_ms for message, time_ms in entries}
    mended: list[Entry] = []
    for message in repair([entry.message for entry in entries]):
        before = mended[-1].time_ms if mended else None
        mended.append(Entry(message, times.get(id(message), before)))
    return tuple(mended)
