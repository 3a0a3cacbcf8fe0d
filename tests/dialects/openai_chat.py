"""Chat completions, as the Cline API and its kind serve them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cline_cli.agent.messages import JsonObject, JsonValue
from tests.dialects import Exchange, Said, history_fault, to_object, to_objects

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
MAX_ID_CHARACTERS = 40
"""OpenAI refuses longer ids of calls."""
PATH = r"/(api/)?v1/chat/completions"


def event(data: JsonValue) -> bytes:
    """Return one server-sent event that carries `data` as JSON."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def delta_event(finish: str | None = None, **delta: JsonValue) -> bytes:
    """Return the event of one delta: `delta_event(content="hi")`, `delta_event(finish="stop")`."""
    return _delta_event(delta, finish)


def render(said: Said) -> tuple[bytes, ...]:
    deltas: list[JsonObject] = [{"reasoning": piece} for piece in said.thinking]
    if said.signature:
        detail: JsonObject = {"type": "reasoning.text", "index": 0, "signature": said.signature}
        deltas.append({"reasoning_details": [detail]})
    deltas += [{"content": piece} for piece in said.deltas]
    for index, (identity, name, arguments) in enumerate(said.calls):
        middle = len(arguments) // 2
        head: JsonObject = {"name": name, "arguments": arguments[:middle]}
        deltas.append({"tool_calls": [{"index": index, "id": identity, "type": "function", "function": head}]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": arguments[middle:]}}]})
    role: JsonObject = {"role": "assistant"}
    pieces = [_delta_event({**(role if place == 0 else {}), **delta}) for place, delta in enumerate(deltas)]
    last = (event({**_chunk([]), "usage": _with_total(said.usage)}),) if said.usage else ()
    return (*pieces, _delta_event({} if pieces else role, said.finish), *last, b"data: [DONE]\n\n")


def whole(choice: JsonObject, usage: JsonObject | None) -> JsonObject:
    """Return the body of a reply that was not to be streamed."""
    counted: JsonObject = {"usage": _with_total(usage)} if usage else {}
    return {**_chunk([choice]), "object": "chat.completion", **counted}


def fault_of(body: JsonObject) -> str:
    messages = to_objects(body.get("messages"))
    if not messages or not isinstance(body.get("model"), str):
        return "the body is no JSON object with a model and messages"
    if strange := {str(message.get("role")) for message in messages} - ROLES:
        return f"there is no role {', '.join(sorted(strange))}"
    if "tool_choice" in body and not body.get("tools"):
        return "a tool_choice is of no use without tools"
    ids = [str(call.get("id")) for message in messages for call in to_objects(message.get("tool_calls"))]
    if long := [identity for identity in ids if len(identity) > MAX_ID_CHARACTERS]:
        return f"the id {long[0]} is longer than {MAX_ID_CHARACTERS} characters"
    return history_fault([_to_exchange(message) for message in messages])


def tools_of(body: JsonObject) -> tuple[str, ...]:
    return tuple(str(to_object(tool.get("function")).get("name")) for tool in to_objects(body.get("tools")))


def results_of(body: JsonObject) -> Mapping[str, str]:
    results = [message for message in to_objects(body.get("messages")) if message.get("role") == "tool"]
    return {str(message.get("tool_call_id")): str(message.get("content")) for message in results}


def _delta_event(delta: JsonObject, finish: str | None = None) -> bytes:
    return event(_chunk([{"index": 0, "delta": delta, "finish_reason": finish}]))


def _with_total(usage: JsonObject) -> JsonObject:
    counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    return {**usage, "total_tokens": sum(count for count in counts if isinstance(count, int))}


def _chunk(choices: list[JsonObject]) -> JsonObject:
    head: JsonObject = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1764144000}
    return {**head, "model": "fake/model", "choices": choices}


def _to_exchange(message: JsonObject) -> Exchange:
    if message.get("role") == "tool":
        return Exchange(answers=str(message.get("tool_call_id")))
    calls = to_objects(message.get("tool_calls"))
    return Exchange([(str(call.get("id")), str(to_object(call.get("function")).get("arguments"))) for call in calls])
