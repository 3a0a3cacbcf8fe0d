"""The wire formats that `tests/fake_server.py` speaks: one module each, found by the path of a request.

A module has PATH (a pattern that the whole path, without its query, has to match), `render(said) -> pieces`,
`fault_of(body) -> text`, why a real server would refuse the request, or "", `tools_of(body)` and `results_of(body)`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Literal, NamedTuple, Protocol, cast

from cline_cli.agent.messages import JsonObject, JsonValue

NAMES = ("openai_chat", "anthropic", "openai_responses", "gemini")
Finish = Literal["stop", "length", "tool_calls", "content_filter"]


class Said(NamedTuple):
    """A reply in no wire format."""

    deltas: tuple[str, ...] = ()
    """Its text, in pieces."""
    calls: tuple[tuple[str, str, str], ...] = ()
    """Id, name and arguments of each; arguments are JSON text, and sent in two pieces where the format can."""
    finish: str = "stop"
    usage: JsonObject | None = None
    """As in chat completions; None for a reply without it."""
    thinking: tuple[str, ...] = ()
    """Before the text, in pieces."""
    signature: str = ""
    """What the format wants back with the thinking."""


class Dialect(Protocol):
    PATH: str

    def render(self, said: Said) -> tuple[bytes, ...]: ...
    def fault_of(self, body: JsonObject) -> str: ...
    def tools_of(self, body: JsonObject) -> tuple[str, ...]: ...
    def results_of(self, body: JsonObject) -> Mapping[str, str]: ...


def find_dialect(method: str, path: str) -> Dialect | None:
    """Return the format that is spoken at a path, or None."""
    if method != "POST":
        return None
    dialects = (cast(Dialect, import_module(f"tests.dialects.{name}")) for name in NAMES)
    return next((dialect for dialect in dialects if re.fullmatch(dialect.PATH, path.partition("?")[0])), None)


class Exchange(NamedTuple):
    """One thing in a history: calls of a reply, the result of a call, or something else."""

    calls: Sequence[tuple[str, str]] = ()
    """Id and arguments of each."""
    answers: str = ""
    """The id of the call whose result it is."""


def history_fault(exchanges: Sequence[Exchange]) -> str:
    """Return what is wrong with calls and results: unanswered, answered twice, made twice, without JSON; or ""."""
    made: set[str] = set()
    pending: set[str] = set()
    for place, exchange in enumerate(exchanges):
        if exchange.answers:
            if exchange.answers not in pending:
                return f"message {place} answers {exchange.answers}, which waits for no answer"
            pending.remove(exchange.answers)
            continue
        if pending:
            return f"{', '.join(sorted(pending))} had no result before message {place}"
        for identity, arguments in exchange.calls:
            if identity in made:
                return f"message {place} makes the call {identity} again"
            if not is_json(arguments):
                return f"the arguments of {identity} are not JSON: {arguments!r}"
            made.add(identity)
            pending.add(identity)
    return f"{', '.join(sorted(pending))} had no result" if pending else ""


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def to_object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def to_objects(value: JsonValue) -> tuple[JsonObject, ...]:
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    return tuple(item for item in items if isinstance(item, Mapping))
