"""Messages, as Anthropic serves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from cline_cli.agent.messages import JsonObject, JsonValue
from tests.dialects import Exchange, Said, history_fault, to_object, to_objects

PATH = r"/(api/)?v1/messages"
MODEL = "fake/model"
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_RESULT = "tool_result"


def event(data: JsonObject) -> bytes:
    """Return one server-sent event that carries `data` as JSON, with spaces before its last brace as in Anthropic's."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    padding = " " * (len(text) % 8)
    return f"event: {data['type']}\ndata: {text[:-1]}{padding}}}\n\n".encode()


def block_events(index: int, block: JsonObject, *deltas: JsonObject) -> Iterator[bytes]:
    """Yield the events of one block: its start, its deltas, its end."""
    yield event({"type": "content_block_start", "index": index, "content_block": block})
    for delta in deltas:
        yield event({"type": "content_block_delta", "index": index, "delta": delta})
    yield event({"type": "content_block_stop", "index": index})


def start_event(usage: JsonObject | None = None, content: JsonValue = ()) -> bytes:
    message: JsonObject = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": content}
    end: JsonObject = {"stop_reason": None, "stop_sequence": None, **({"usage": usage} if usage else {})}
    return event({"type": "message_start", "message": {**message, **end}})


def end_events(reason: str, usage: JsonObject | None = None) -> Iterator[bytes]:
    delta: JsonObject = {"stop_reason": reason, "stop_sequence": None}
    yield event({"type": "message_delta", "delta": delta, **({"usage": usage} if usage else {})})
    yield event({"type": "message_stop"})


def render(said: Said) -> tuple[bytes, ...]:
    first, last = _to_usage(said.usage)
    pieces = [start_event(first), event({"type": "ping"})]
    blocks: list[tuple[JsonObject, list[JsonObject]]] = []
    if said.thinking or said.signature:
        thoughts: list[JsonObject] = [{"type": "thinking_delta", "thinking": thought} for thought in said.thinking]
        signature: list[JsonObject] = [{"type": "signature_delta", "signature": said.signature}]
        block: JsonObject = {"type": "thinking", "thinking": "", "signature": ""}
        blocks.append((block, thoughts + (signature if said.signature else [])))
    if said.deltas:
        texts: list[JsonObject] = [{"type": "text_delta", "text": delta} for delta in said.deltas]
        blocks.append(({"type": "text", "text": ""}, texts))
    for identity, name, arguments in said.calls:
        middle = len(arguments) // 2
        halves: list[JsonObject] = [
            {"type": "input_json_delta", "partial_json": half} for half in (arguments[:middle], arguments[middle:])
        ]
        blocks.append(({"type": "tool_use", "id": identity, "name": name, "input": {}}, halves))
    for index, (head, deltas) in enumerate(blocks):
        pieces += block_events(index, head, *deltas)
    return (*pieces, *end_events(_STOP_REASONS[said.finish], last))


def fault_of(body: JsonObject) -> str:
    messages = to_objects(body.get("messages"))
    if not messages or not isinstance(body.get("model"), str) or not isinstance(body.get("max_tokens"), int):
        return "the body is no JSON object with a model, messages and max_tokens"
    roles = [message.get("role") for message in messages]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        return f"roles do not take turns from the user to the user: {roles}"
    if json.dumps(body).count('"cache_control"') > 4:
        return "there are more than four marks for caching"
    faults = (_content_fault(place, message) for place, message in enumerate(messages))
    return next(filter(None, faults), "") or _budget_fault(body) or history_fault(list(_to_exchanges(messages)))


def tools_of(body: JsonObject) -> tuple[str, ...]:
    return tuple(str(tool.get("name")) for tool in to_objects(body.get("tools")))


def results_of(body: JsonObject) -> Mapping[str, str]:
    blocks = [block for message in to_objects(body.get("messages")) for block in _blocks_of(message)]
    results = [block for block in blocks if block.get("type") == _RESULT]
    return {str(block.get("tool_use_id")): _text_of(block.get("content")) for block in results}


def _blocks_of(message: JsonObject) -> tuple[JsonObject, ...]:
    content = message.get("content")
    return ({"type": "text", "text": content},) if isinstance(content, str) else to_objects(content)


def _text_of(content: JsonValue) -> str:
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in to_objects(content))


def _to_usage(usage: JsonObject | None) -> tuple[JsonObject | None, JsonObject | None]:
    """Return the usage of the first event and of the last but one."""
    if usage is None:
        return None, None
    cached = to_object(usage.get("prompt_tokens_details")).get("cached_tokens", 0)
    asked = usage.get("prompt_tokens", 0)
    assert isinstance(cached, int)
    assert isinstance(asked, int)
    counts: JsonObject = {
        "input_tokens": asked - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
    }
    return {**counts, "output_tokens": 1}, {"output_tokens": usage.get("completion_tokens", 0)}


def _content_fault(place: int, message: JsonObject) -> str:
    blocks = _blocks_of(message)
    if not blocks:
        return f"message {place} has no content"
    if message.get("role") == "assistant" and "thinking" in str(blocks[-1].get("type")):
        return f"message {place} ends with thinking"
    faults = (_block_fault(block) for block in blocks)
    return next((f"message {place} holds {fault}" for fault in faults if fault), "")


def _block_fault(block: JsonObject) -> str:
    kind, identity = block.get("type"), str(block.get("id", block.get("tool_use_id", "x")))
    if kind == "text" and not str(block.get("text")).strip():
        return "a blank text"
    if kind == "thinking" and not block.get("signature"):
        return "thinking without a signature"
    if kind == _RESULT and not block.get("content"):
        return "an empty result"
    return "" if re.fullmatch(r"[a-zA-Z0-9_-]+", identity) else f"the id {identity!r}"


def _budget_fault(body: JsonObject) -> str:
    thinking, most = to_object(body.get("thinking")), body.get("max_tokens")
    budget = thinking.get("budget_tokens", 0)
    assert isinstance(budget, int)
    assert isinstance(most, int)
    is_sound = 1024 <= budget < most if thinking.get("type") == "enabled" else "budget_tokens" not in thinking
    return "" if is_sound else f"the thinking {dict(thinking)} does not fit {most} tokens"


def _to_exchanges(messages: tuple[JsonObject, ...]) -> Iterator[Exchange]:
    """Yield what history_fault wants: results count as answers only where they come first."""
    for message in messages:
        blocks = _blocks_of(message)
        if message.get("role") == "assistant":
            calls = [block for block in blocks if block.get("type") == "tool_use"]
            yield Exchange([(str(call.get("id")), json.dumps(call.get("input"))) for call in calls])
            continue
        for block in blocks:
            yield Exchange(answers=str(block.get("tool_use_id"))) if block.get("type") == _RESULT else Exchange()
