"""The history as a small model is shown it: what was said, and actions with their outcome in plain text. Pure.

Results of tools are JSON text with numbered lines; a small model copies what it sees, so both are taken away here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from cline_cli.agent.messages import AssistantMessage, JsonValue, Message, ToolCall, ToolResult

_NUMBERED = re.compile(r" *(\d+) \| ?(.*)")
_NO_TEXT = ("(no output)", "[the file is empty]")
CHANGES = frozenset({"write_file", "replace_in_file"})


class Said(NamedTuple):
    role: Literal["user", "assistant"]
    text: str


class Step(NamedTuple):
    """An action and what came of it."""

    name: str
    arguments: Mapping[str, str]
    result: str
    is_error: bool

    def argument(self, name: str) -> str:
        return self.arguments.get(name, "")


Turn = Said | Step


def read_history(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """Return the turns of a history, in order."""
    results = {message.call_id: message for message in messages if isinstance(message, ToolResult)}
    turns: list[Turn] = []
    for message in messages:
        if isinstance(message, AssistantMessage):
            if message.text.strip():
                turns.append(Said("assistant", message.text))
            turns.extend(_to_step(call, results.get(call.id)) for call in message.tool_calls)
        elif not isinstance(message, ToolResult):
            turns.append(Said("user", "".join(part.text for part in message.parts if hasattr(part, "text"))))
    return tuple(turns)


def steps_of(turns: Sequence[Turn]) -> tuple[Step, ...]:
    """Return the steps since the last thing the user said."""
    start = max(
        (index for index, turn in enumerate(turns) if isinstance(turn, Said) and turn.role == "user"), default=0
    )
    return tuple(turn for turn in turns[start:] if isinstance(turn, Step))


def find_texts(turns: Sequence[Turn]) -> dict[str, str]:
    """Return path -> present text of the files that were read or written, as far as the history tells."""
    texts: dict[str, str] = {}
    for turn in turns:
        if not isinstance(turn, Step) or turn.is_error:
            continue
        path = turn.argument("path")
        if turn.name == "read_file" and turn.result not in _NO_TEXT:
            texts[path] = f"{turn.result}\n"
        elif turn.name == "write_file":
            texts[path] = turn.argument("content")
        elif turn.name == "replace_in_file" and path in texts:
            texts[path] = texts[path].replace(turn.argument("old"), turn.argument("new"), 1)
    return {path: text for path, text in texts.items() if text.strip()}


def unwrap(text: str) -> str:
    """Return a result as plain text: without its JSON, and without line numbers."""
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text.strip("\n")
    items = value if isinstance(value, list) else [value]
    return "\n".join(_unwrap_item(item) for item in items if isinstance(item, dict)) or text.strip("\n")


def _unwrap_item(item: Mapping[str, JsonValue]) -> str:
    result, error = str(item.get("result") or "").strip("\n"), str(item.get("error") or "")
    lines = [_NUMBERED.fullmatch(line) for line in result.split("\n")]
    if result and lines[0]:
        result = "\n".join(line.group(2) for line in lines if line)
    if error:
        return f"{result}\n({error})" if result else f"error: {error}"
    return result or _NO_TEXT[0]


def _to_step(call: ToolCall, result: ToolResult | None) -> Step:
    try:
        value = json.loads(call.arguments)
    except ValueError:
        value = None
    arguments = value if isinstance(value, dict) else {}
    texts = {name: item if isinstance(item, str) else json.dumps(item) for name, item in arguments.items()}
    text, is_error = (unwrap(result.text), result.is_error) if result else ("(not run)", True)
    if call.name == "list_files" and not is_error:
        text = _join_names(texts.get("path", ""), text)
    return Step(call.name, texts, text, is_error)


def _join_names(folder: str, names: str) -> str:
    """Return names as paths that can be read: a small model forgets which folder it listed."""
    start = folder.removeprefix("./").rstrip("/")
    if start in ("", ".") or start.startswith("/"):
        return names
    return "\n".join(f"{start}/{name}" if name and not name.startswith("(") else name for name in names.split("\n"))
