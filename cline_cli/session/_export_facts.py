"""What a session's own pages tell of it besides what was said: times, model, tokens, cost. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import NamedTuple

from cline_cli.agent.messages import Usage
from cline_cli.session.reading import Row
from cline_cli.text import one_line

SMALLEST_COST = 0.000001
"""In USD; what is less is told as that."""


class Fact(NamedTuple):
    name: str
    text: str


def describe(row: Row, zone: tzinfo | None = UTC) -> tuple[Fact, ...]:
    """Return what is known of a session besides what was said in it; times as in that zone, or the local one."""
    code = f", exit code {row.exit_code}" if row.exit_code else ""
    facts = (
        Fact("Session", row.session_id),
        Fact("Status", f"{row.status}{code}"),
        Fact("Began", format_time(to_time(row.started_at), zone)),
        Fact("Last used", format_time(to_time(row.updated_at), zone)),
        Fact("Model", ": ".join(filter(None, (one_line(row.provider), one_line(row.model))))),
        Fact("Mode", one_line(row.mode)),
        Fact("Folder", one_line(row.cwd)),
        Fact("Tokens", _describe_tokens(row.usage)),
        Fact("Cost", describe_cost(row.usage)),
        Fact("Written by", "the original command" if row.is_original else ""),
    )
    return tuple(fact for fact in facts if fact.text)


def to_time(iso: str) -> datetime | None:
    """Return the time that ISO 8601 text tells, if it does; without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def from_ms(time_ms: int | None) -> datetime | None:
    """Return the time that is so many milliseconds after the epoch, if a calendar has it."""
    try:
        return None if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def format_time(time: datetime | None, zone: tzinfo | None = UTC, form: str = "%Y-%m-%d %H:%M %Z") -> str:
    """Return a time as it is read in a zone, None being the local one; empty where there is none."""
    try:
        return time.astimezone(zone).strftime(form) if time else ""
    except (ValueError, OverflowError, OSError):  # the first and the last day of all calendars
        return ""


def describe_cost(usage: Usage) -> str:
    """Return the cost to the last digit, since a document is for good: `$0.034125`."""
    cost_usd = usage.cost_usd
    if cost_usd is None or not isfinite(cost_usd):
        return "not known"
    if 0 < cost_usd < SMALLEST_COST:
        return f"less than ${SMALLEST_COST:f}"
    digits = f"{cost_usd:.6f}".rstrip("0").rstrip(".")
    return f"${digits}{' (an estimate)' if usage.is_estimate else ''}"


def _describe_tokens(usage: Usage) -> str:
    caches = ((usage.cache_read_tokens, "read from a cache"), (usage.cache_write_tokens, "written to one"))
    cached = ", ".join(f"{tokens:,} {what}" for tokens, what in caches if tokens)
    return f"{usage.input_tokens:,} in{f' ({cached})' if cached else ''}, {usage.output_tokens:,} out"
