"""The list of `cline history`: a table on a terminal, a line a session elsewhere, one array for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cline_cli.commands._streams import say
from cline_cli.environment import Environment
from cline_cli.errors import UsageError
from cline_cli.frontends.figures import format_cost
from cline_cli.session.export import format_time, to_json_row, to_time
from cline_cli.session.reading import Row, Status
from cline_cli.text import one_line

if TYPE_CHECKING:
    from cline_cli.commands._tables import Cell

NOTHING = "No history found.\n"
ROOMY_COLUMNS = 100
"""In a terminal that is narrower, the status is a sign."""
DAY_S, HOUR_S, MINUTE_S = 86_400, 3600, 60


class Look(NamedTuple):
    sign: str
    style: str


LOOKS: Mapping[Status, Look] = {
    "completed": Look("✓", "green"),
    "failed": Look("✗", "red"),
    "cancelled": Look("~", "yellow"),
    "running": Look("…", "cyan"),
}


class Wanted(NamedTuple):
    """Which sessions are to be listed."""

    limit: int = 50
    """At most so many; 0 is without end."""
    page: int = 1
    """From 1 on; it has `limit` sessions."""
    is_here: bool = False
    """Only those of the working directory."""


def select_rows(rows: Iterator[Row], wanted: Wanted, cwd: Path | None) -> Iterator[Row]:
    """Return those of the rows that are wanted; no more are asked for than it takes.

    Raises:
        UsageError: the page is of no known length; there is no working directory.
    """
    if wanted.page > 1 and not wanted.limit:
        raise UsageError("--page needs a --limit, and 0 is none")
    if wanted.is_here:
        rows = of_folder(rows, cwd)
    start = (wanted.page - 1) * wanted.limit
    return islice(rows, start, start + wanted.limit if wanted.limit else None)


def of_folder(rows: Iterable[Row], cwd: Path | None) -> Iterator[Row]:
    """Return those of a folder, by whatever path they were begun there.

    Raises:
        UsageError: there is no such folder any more.
    """
    if cwd is None:
        raise UsageError("the working directory does not exist any more", "Go to one that does, or name one with --cwd")
    places = {str(cwd), str(cwd.resolve())}
    return (row for row in rows if row.cwd in places)


def show_list(rows: Iterator[Row], wanted: Wanted, environment: Environment, now: datetime, *, is_json: bool) -> None:
    """Write the sessions to stdout.

    Raises:
        ClineError: they cannot be read, or stdout cannot be written.
        BrokenPipeError: the reader has gone.
    """
    if is_json:
        say(environment, f"{json.dumps([to_json_row(row) for row in rows])}\n")
        return
    if environment.is_stdout_terminal:
        listed = list(rows)
        say(environment, _to_table(listed, wanted, environment, now) if listed else NOTHING)
        return
    is_empty = True
    for row in rows:
        say(environment, to_line(row))
        is_empty = False
    if is_empty:
        say(environment, NOTHING)


def to_line(row: Row) -> str:
    """Return a session as the original command's list has it, and its id at the end."""
    when = format_time(to_time(row.updated_at), None, "%m/%d/%Y %H:%M") or "unknown time"
    who = f"{row.provider}:{row.model}"
    cost = format_cost(row.usage.cost_usd, is_estimate=row.usage.is_estimate)
    return f"{when} {one_line(who)} [{row.status}] | {cost} | {one_line(row.title)} | {row.session_id}\n"


def format_age(time: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in one unit: `5 min`, `3 h`, `12 d`; empty where that is not known."""
    if time is None:
        return ""
    seconds = (now - time).total_seconds()
    for size, unit in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "now"


def _to_table(rows: list[Row], wanted: Wanted, environment: Environment, now: datetime) -> str:
    from cline_cli.commands._tables import Column, is_styled, render_table  # lazy: 50 ms of rich
    from cline_cli.frontends.console.screen import measure  # lazy: 45 ms of asyncio, and a pipe has no width

    width = measure(environment.stdout, environment.variables).columns
    is_roomy = width >= ROOMY_COLUMNS
    columns = (
        Column("Age", "right", leaves=3),
        Column("Status" if is_roomy else " ", leaves=2),
        Column("Model", least_cells=12, leaves=4),
        Column("Cost", "right", leaves=5),
        Column("Title", least_cells=10, weight=3, leaves=1),
        Column("ID"),
    )
    return render_table(
        columns,
        [_cells(row, now, is_roomy=is_roomy) for row in rows],
        width,
        is_coloured=is_styled(environment.variables),
        note="\n".join(_notes(rows, wanted, is_roomy=is_roomy)),
    )


def _cells(row: Row, now: datetime, *, is_roomy: bool) -> tuple[Cell, ...]:
    from cline_cli.commands._tables import Cell  # lazy: as above

    look = LOOKS[row.status]
    return (
        Cell(format_age(to_time(row.updated_at), now)),
        Cell(row.status if is_roomy else look.sign, look.style),
        Cell(row.model.rpartition("/")[2] or row.provider),
        Cell(format_cost(row.usage.cost_usd, is_estimate=row.usage.is_estimate)),
        Cell(row.title),
        Cell(row.session_id, "dim"),
    )


def _notes(rows: list[Row], wanted: Wanted, *, is_roomy: bool) -> Iterator[str]:
    """Yield what the table does not say itself."""
    shown = {row.status for row in rows}
    if not is_roomy and shown != {"completed"}:
        yield "   ".join(f"{look.sign} {status}" for status, look in LOOKS.items() if status in shown)
    if len(rows) == wanted.limit:
        yield f"These are {wanted.limit}; for older ones: --page {wanted.page + 1}, or --limit 0"
