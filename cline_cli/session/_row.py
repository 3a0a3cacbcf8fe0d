"""What lists show of a session, as `<id>.json` in the original command's format has it, and back. Pure.

The keys are those of its 3.x manifest, read off its files in 2026-11. `metadata` has its title, tokens and cost, which
its lists show; `mode` and `updated_at` in it are ours. An unknown cost is left out, never 0.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from cline_cli import __version__
from cline_cli.agent.messages import JsonObject, Message, TextPart, Usage, UserMessage
from cline_cli.session.original import NEVER_MS, from_usage, to_usage
from cline_cli.session.records import Header, Status, to_status
from cline_cli.text import one_line

MAX_PROMPT_CHARACTERS = 10_000
"""Of the first prompt, in lists; the whole is among the messages."""
MAX_TITLE_CELLS = 100
_COSTS = ("totalCost", "aggregatedAgentsCost")
RECKONED = frozenset({*_COSTS, "usage", "aggregateUsage", "updated_at", "mode", "sessionHistoryOrigin"})
"""Members of `metadata` that are not for people to give."""


@dataclass(frozen=True, slots=True)
class Row:
    """A session as a list shows it."""

    session_id: str
    folder: Path
    title: str
    """One line; the beginning of the first prompt, unless somebody gave another. It may hold anything."""
    prompt: str
    """The first one, or its beginning."""
    started_at: str
    """ISO 8601 with milliseconds and Z, likewise the next two."""
    updated_at: str
    ended_at: str
    """Of the last run; empty while it runs, or where it broke off."""
    status: Status
    """Of the last run; one that broke off has failed."""
    exit_code: int | None
    """None while it runs, or where it broke off."""
    provider: str
    model: str
    cwd: str
    mode: str
    pid: int
    """Of the process that had it last; 0 where that is not known."""
    usage: Usage
    """Of all runs."""
    is_original: bool = False
    """The original command wrote it, and it was never gone on with here."""
    metadata: JsonObject = field(default_factory=dict)
    """All of it, with what somebody added."""
    document: JsonObject = field(default_factory=dict)
    """All that `<id>.json` says."""


class State(NamedTuple):
    """How it stands with a session."""

    status: Status
    usage: Usage
    updated_ms: int
    """Since the epoch."""
    exit_code: int | None = None
    ended_ms: int | None = None
    pid: int = 0


def to_document(header: Header, history: Sequence[Message], state: State, base: JsonObject) -> JsonObject:
    """Return the content of `<id>.json`; members of `base`, an older one, are kept where nothing newer is known.

    `base` may give `title`, `prompt` and `metadata` as somebody set them.
    """
    document = {**base}
    prompt = _text(base.get("prompt")) or first_prompt(history)
    extra = base.get("metadata")
    metadata: dict[str, object] = {**extra} if isinstance(extra, Mapping) else {}
    title = _text(base.get("title")) or _text(metadata.get("title")) or to_title(prompt)
    document.pop("title", None)
    for name in ("ended_at", "exit_code"):
        document.pop(name, None)
    usage = from_usage(state.usage, "totalCost")
    cost = {} if state.usage.cost_usd is None else dict.fromkeys(_COSTS, state.usage.cost_usd)
    metadata = {
        "sessionHistoryOrigin": {"mode": "user", "version": __version__},
        **{name: value for name, value in metadata.items() if name not in _COSTS},
        "title": title,
        **cost,
        "usage": usage,
        "aggregateUsage": usage,
        "mode": header.mode,
        "updated_at": to_timestamp(state.updated_ms),
    }
    document |= {
        "version": 1,
        "session_id": header.session_id,
        "source": base.get("source", "cli"),
        "pid": state.pid,
        "started_at": to_timestamp(to_milliseconds(header.created)),
        **({"ended_at": to_timestamp(state.ended_ms)} if state.ended_ms is not None else {}),
        **({"exit_code": state.exit_code} if state.exit_code is not None else {}),
        "status": state.status,
        "interactive": base.get("interactive", False),
        "provider": header.provider,
        "model": header.model,
        "cwd": header.cwd,
        "workspace_root": base.get("workspace_root", header.cwd),
        "enable_tools": base.get("enable_tools", True),
        "enable_spawn": base.get("enable_spawn", False),
        "enable_teams": base.get("enable_teams", False),
        "prompt": prompt,
        "messages_path": base.get("messages_path", ""),
    }
    return {**document, "metadata": metadata}  # type: ignore[dict-item]  # JSON values, all of them


def to_row(document: object, folder: Path, *, is_original: bool) -> Row:
    """Return the row that an `<id>.json` tells.

    Raises:
        ValueError: it is none.
    """
    match document:
        case {
            "started_at": str(started_at),
            "status": str(status),
            "provider": str(provider),
            "model": str(model),
            **others,
        }:
            pass
        case _:
            raise ValueError("it is not what is told of a session")
    extra = others.get("metadata")
    metadata: Mapping[str, object] = extra if isinstance(extra, dict) else {}
    prompt = _text(others.get("prompt"))
    usage = to_usage(metadata.get("usage"), "totalCost")
    if usage.cost_usd is None:
        usage = replace(usage, cost_usd=to_usage(metadata, "totalCost").cost_usd)
    exit_code, pid = others.get("exit_code"), others.get("pid")
    ended_at = _text(others.get("ended_at"))
    return Row(
        session_id=folder.name,
        folder=folder,
        title=_text(metadata.get("title")) or to_title(prompt),
        prompt=prompt,
        started_at=started_at,
        updated_at=_text(metadata.get("updated_at")) or ended_at or started_at,
        ended_at=ended_at,
        status=to_status(status),
        exit_code=exit_code if isinstance(exit_code, int) and not isinstance(exit_code, bool) else None,
        provider=provider,
        model=model,
        cwd=_text(others.get("cwd")),
        mode=_text(metadata.get("mode")) or "act",
        pid=pid if isinstance(pid, int) and not isinstance(pid, bool) else 0,
        usage=usage,
        is_original=is_original,
        metadata=metadata,  # type: ignore[arg-type]  # parsed JSON
        document=document,  # type: ignore[arg-type]  # as above
    )


def first_prompt(history: Sequence[Message]) -> str:
    """Return the beginning of what a person said first."""
    said = next((message for message in history if isinstance(message, UserMessage)), None)
    texts = [part.text for part in said.parts if isinstance(part, TextPart)] if said else []
    return "\n\n".join(texts)[:MAX_PROMPT_CHARACTERS]


def to_title(prompt: str) -> str:
    """Return a line for lists."""
    return one_line(prompt[: MAX_TITLE_CELLS * 4], MAX_TITLE_CELLS)


def to_timestamp(time_ms: int) -> str:
    """Return `2026-11-25T22:15:32.041Z`."""
    time_ms = min(max(time_ms, 0), NEVER_MS - 1)
    moment = datetime.datetime.fromtimestamp(time_ms // 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def to_milliseconds(timestamp: str) -> int:
    """Return an ISO 8601 time as milliseconds since the epoch; 0 where it is none."""
    try:
        moment = datetime.datetime.fromisoformat(timestamp)
        return min(max(0, round(moment.timestamp() * 1000)), NEVER_MS - 1)
    except (ValueError, OverflowError, OSError):
        return 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
