"""A session that only the original command has written: its two files, read and not changed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import AssistantMessage, JsonObject, Message, Usage
from cline_cli.errors import UsageError
from cline_cli.session._file import FOLDER, messages_in, open_own, read_own
from cline_cli.session._loading import Told, newer
from cline_cli.session._mending import mend
from cline_cli.session._mirror import read_row
from cline_cli.session._row import to_milliseconds, to_timestamp
from cline_cli.session.original import VERSION, Entry, from_document, to_usage, unify
from cline_cli.session.records import Header

MAX_BYTES = 256 << 20


class Original(NamedTuple):
    told: Told
    row: JsonObject
    """What `<id>.json` says; empty where there is none."""


def read_original(path: Path) -> Original:
    """Return what the folder of such a session holds.

    Raises:
        UsageError: a newer version of that command wrote it, or it is no such file.
        OSError: it cannot be read; FileNotFoundError where there is none.
    """
    folder = open_own(path, FOLDER)
    try:
        data = read_own(messages_in(path), folder, MAX_BYTES)
        row = read_row(path, folder)
    finally:
        os.close(folder)
    if data is None:
        raise FileNotFoundError
    try:
        document: object = json.loads(data)
        match document:
            case {"version": int(version)} if version > VERSION:
                raise newer(path.name)
        entries = mend(unify(from_document(document)))
    except (ValueError, RecursionError) as error:
        message = f"cannot read session {path.name}: {messages_in(path)}: {error}"
        raise UsageError(message, "It is a file of the original command") from None
    usage = _to_usage(row, entries)
    told = Told(_to_header(path.name, row, entries), entries, 0, usage, None, 0, {})
    return Original(told, row)


def require_idle(row: JsonObject, session_id: str) -> None:
    """Raises UsageError where a process of the original command has the session."""
    pid = row.get("pid")
    if row.get("status") == "running" and isinstance(pid, int) and is_alive(pid):
        raise UsageError(f"session {session_id} is in use by process {pid}", "Wait for its end")


def is_alive(pid: int) -> bool:
    """Tell whether there is such a process, and it may be one of this command: numbers of processes come again."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return False
    with suppress(OSError):  # there is no /proc, or it may not be read
        return pid > 0 and b"cline" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return pid > 0


def _to_header(session_id: str, row: JsonObject, entries: tuple[Entry, ...]) -> Header:
    first_ms = next((entry.time_ms for entry in entries if entry.time_ms), 0)
    began = str(row.get("started_at") or "")
    started_ms = to_milliseconds(began) or first_ms
    replies = [entry.message for entry in entries if isinstance(entry.message, AssistantMessage)]
    metadata = row.get("metadata")
    mode = metadata.get("mode") if isinstance(metadata, dict) else None
    return Header(
        session_id=session_id,
        created=to_timestamp(started_ms),
        cwd=str(row.get("cwd") or ""),
        provider=str(row.get("provider") or ""),
        model=str(row.get("model") or (replies[-1].model if replies else "")),
        mode="plan" if mode == "plan" else "act",
    )


def _to_usage(row: JsonObject, entries: tuple[Entry, ...]) -> Usage:
    """Return what a session has cost: by its messages, or by what lists show where that is more."""
    messages: list[Message] = [entry.message for entry in entries]
    summed = sum((message.usage for message in messages if isinstance(message, AssistantMessage)), Usage())
    metadata = row.get("metadata")
    members = metadata if isinstance(metadata, dict) else {}
    shown = to_usage(members.get("usage"), "totalCost")
    cost = max(
        (one for one in (summed.cost_usd, shown.cost_usd, to_usage(members, "totalCost").cost_usd) if one is not None),
        default=None,
    )
    return replace(max(summed, shown, key=lambda usage: usage.input_tokens), cost_usd=cost)
