"""A session as JSON: its row, under the names of the original command's `history --json` and ours, and all of it. Pure.

{"schemaVersion": 1, "session": row, "messages": [...]}      messages as in `<id>.messages.json`, see original.py,
                                                             and "stopReason", and in "metrics" "isEstimate"
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from cline_cli.agent.messages import AssistantMessage, JsonObject, JsonValue
from cline_cli.session.original import Names, from_usage, to_entries
from cline_cli.session.reading import Row, Transcript

SCHEMA_VERSION = 1
MAX_DEPTH = 100
"""Of what somebody else wrote into a session's metadata, or a model into its arguments."""


def to_json(transcript: Transcript) -> str:
    """Return the whole of a session as one line of ASCII, in which every string survives, and a newline."""
    document: JsonObject = {
        "schemaVersion": SCHEMA_VERSION,
        "session": to_json_row(transcript.row),
        "messages": list(_messages(transcript)),
    }
    return f"{json.dumps(document)}\n"


def to_json_row(row: Row) -> JsonObject:
    """Return what is known of a session besides what was said in it. What is not known is null."""
    usage = from_usage(row.usage, "totalCost")
    cost = row.usage.cost_usd
    metadata: JsonObject = {
        **row.metadata,
        "title": row.title,
        "totalCost": cost,
        "aggregatedAgentsCost": cost,
        "usage": usage,
        "aggregateUsage": usage,
    }
    document: JsonObject = {
        "sessionId": row.session_id,
        "source": "cli",
        "pid": row.pid or None,
        "startedAt": row.started_at,
        "endedAt": row.ended_at or None,
        "exitCode": row.exit_code,
        "status": row.status,
        "interactive": False,
        "provider": row.provider,
        "model": row.model,
        "cwd": row.cwd,
        "workspaceRoot": row.cwd,
        "enableTools": row.document.get("enable_tools", True),
        "enableSpawn": row.document.get("enable_spawn", False),
        "enableTeams": row.document.get("enable_teams", False),
        "isSubagent": False,
        "prompt": row.prompt,
        "metadata": metadata,
        "messagesPath": str(row.folder / f"{row.session_id}.messages.json"),
        "updatedAt": row.updated_at,
        "mode": row.mode,
        "isOriginal": row.is_original,
        "folder": str(row.folder),
    }
    return {name: _plain(value) for name, value in document.items()}


def _messages(transcript: Transcript) -> Iterator[JsonValue]:
    names = Names(transcript.row.session_id, transcript.row.provider)
    messages = (entry.message for entry in transcript.entries)
    replies = (message for message in messages if isinstance(message, AssistantMessage))
    for entry in to_entries(transcript.entries, names):
        if entry["role"] == "assistant":  # one for each reply, in order
            reply = next(replies)
            metrics = entry["metrics"]
            assert isinstance(metrics, Mapping), "every reply has them"
            more = {"isEstimate": True} if reply.usage.is_estimate else {}
            yield _plain({**entry, "stopReason": reply.stop_reason, "metrics": {**metrics, **more}})
        else:
            yield _plain(entry)


def _plain(value: JsonValue, depth_left: int = MAX_DEPTH) -> JsonValue:
    """Return a value as readers of JSON can have it: null for what is no number there, text for what is too deep."""
    if isinstance(value, float) and not isfinite(value):
        return None
    if not isinstance(value, Mapping | Sequence) or isinstance(value, str):
        return value
    if not depth_left:
        try:
            return json.dumps(value)
        except RecursionError:
            return None
    if isinstance(value, Mapping):
        return {key: _plain(inner, depth_left - 1) for key, inner in value.items()}
    return [_plain(inner, depth_left - 1) for inner in value]
