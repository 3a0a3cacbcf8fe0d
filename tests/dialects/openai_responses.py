"""OpenAI's responses, as its own server serves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from cline_cli.agent.messages import JsonObject, JsonValue
from tests.dialects import Exchange, Said, history_fault, to_object, to_objects

PATH = r"/(api/)?v1/responses"
_ROLES = {"user": "input_", "assistant": "output_"}


def event(kind: str, **data: JsonValue) -> bytes:
    """Return one server-sent event of this kind: `event("response.output_text.delta", delta="hi")`."""
    body = json.dumps({"type": kind, **data}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {body}\n\n".encode()


class _Stream:
    """The events of one reply."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.output: list[JsonObject] = []

    def tell(self, kind: str, **data: JsonValue) -> None:
        self.pieces.append(event(f"response.{kind}", sequence_number=len(self.pieces), **data))

    def tell_part(self, kind: str, item: JsonObject, **data: JsonValue) -> None:
        self.tell(kind, item_id=item["id"], output_index=len(self.output), **data)

    def begin(self, item: JsonObject) -> None:
        self.tell("output_item.added", item={**item, "status": "in_progress"}, output_index=len(self.output))

    def end(self, item: JsonObject) -> None:
        self.tell("output_item.done", item={**item, "status": "completed"}, output_index=len(self.output))
        self.output.append({**item, "status": "completed"})


def render(said: Said) -> tuple[bytes, ...]:
    stream = _Stream()
    stream.tell("created", response=reply_of("in_progress"))
    stream.tell("in_progress", response=reply_of("in_progress"))
    if said.thinking or said.signature:
        _render_thinking(stream, said)
    if said.deltas:
        _render_text(stream, said.deltas)
    for call in said.calls:
        _render_call(stream, *call)
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(said.finish)
    status = "incomplete" if reason else "completed"
    usage = _to_usage(said.usage) if said.usage else None
    details: JsonValue = {"reason": reason} if reason else None
    reply = {**reply_of(status), "output": stream.output, "usage": usage, "incomplete_details": details}
    stream.tell(status, response=reply)
    return tuple(stream.pieces)


def reply_of(status: str) -> JsonObject:
    """Return a reply that holds nothing."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1764144000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "fake/model",
        "output": [],
        "parallel_tool_calls": True,
        "store": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _render_thinking(stream: _Stream, said: Said) -> None:
    item: JsonObject = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": ""}
    stream.begin(item)
    whole: JsonObject = {"type": "summary_text", "text": "".join(said.thinking)}
    if said.thinking:
        stream.tell_part("reasoning_summary_part.added", item, summary_index=0, part={**whole, "text": ""})
        for delta in said.thinking:
            stream.tell_part("reasoning_summary_text.delta", item, summary_index=0, delta=delta)
        stream.tell_part("reasoning_summary_text.done", item, summary_index=0, text=whole["text"])
        stream.tell_part("reasoning_summary_part.done", item, summary_index=0, part=whole)
    summary = [whole] if said.thinking else []
    stream.end({**item, "summary": summary, "encrypted_content": said.signature or None})


def _render_text(stream: _Stream, deltas: tuple[str, ...]) -> None:
    item: JsonObject = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    whole: JsonObject = {"type": "output_text", "text": "".join(deltas), "annotations": [], "logprobs": []}
    stream.begin(item)
    stream.tell_part("content_part.added", item, content_index=0, part={**whole, "text": ""})
    for delta in deltas:
        stream.tell_part("output_text.delta", item, content_index=0, delta=delta, logprobs=[])
    stream.tell_part("output_text.done", item, content_index=0, text=whole["text"], logprobs=[])
    stream.tell_part("content_part.done", item, content_index=0, part=whole)
    stream.end({**item, "content": [whole]})


def _render_call(stream: _Stream, identity: str, name: str, arguments: str) -> None:
    head = {"id": f"fc_{len(stream.output)}", "type": "function_call", "call_id": identity, "name": name}
    item: JsonObject = {**head, "arguments": ""}
    middle = len(arguments) // 2
    stream.begin(item)
    for delta in filter(None, (arguments[:middle], arguments[middle:])):
        stream.tell_part("function_call_arguments.delta", item, delta=delta)
    stream.tell_part("function_call_arguments.done", item, name=name, arguments=arguments)
    stream.end({**item, "arguments": arguments})


def _to_usage(usage: JsonObject) -> JsonObject:
    details = to_object(usage.get("prompt_tokens_details"))
    sent, received = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": details.get("cached_tokens", 0), "cache_write_tokens": 0},
        "output_tokens": received,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sum(count for count in (sent, received) if isinstance(count, int)),
        **({"cost": usage["cost"]} if "cost" in usage else {}),
    }


def fault_of(body: JsonObject) -> str:
    items = to_objects(body.get("input"))
    if not items or not isinstance(body.get("model"), str):
        return "the body is no JSON object with a model and input"
    if body.get("store") is not False:
        return "the body asks to store the reply"
    faults = (_fault_of_item(item, items[place + 1 :]) for place, item in enumerate(items))
    return next(filter(None, faults), "") or history_fault(list(_to_exchanges(items)))


def tools_of(body: JsonObject) -> tuple[str, ...]:
    return tuple(str(tool.get("name")) for tool in to_objects(body.get("tools")))


def results_of(body: JsonObject) -> Mapping[str, str]:
    results = [item for item in to_objects(body.get("input")) if item.get("type") == "function_call_output"]
    return {str(item.get("call_id")): _text_of(item.get("output")) for item in results}


def _text_of(content: JsonValue) -> str:
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in to_objects(content))


def _fault_of_item(item: JsonObject, others: tuple[JsonObject, ...]) -> str:
    kind = item.get("type", "message")
    if kind == "reasoning":
        return _fault_of_reasoning(item, others)
    if kind in {"function_call", "function_call_output"}:
        if not 0 < len(str(item.get("call_id"))) <= 64:
            return f"the call_id {item.get('call_id')!r} is too long or too short"
        if kind == "function_call" and not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(item.get("name"))):
            return f"a function cannot be called {item.get('name')!r}"
        return ""
    prefix = _ROLES.get(str(item.get("role")))
    if kind != "message" or prefix is None:
        return f"there is no item of type {kind!r} and role {item.get('role')!r}"
    content = item.get("content")
    is_known = all(str(part.get("type")).startswith(prefix) for part in to_objects(content))
    return "" if content and is_known else f"the content of a message is {content!r}"


def _fault_of_reasoning(item: JsonObject, others: tuple[JsonObject, ...]) -> str:
    if not item.get("encrypted_content"):
        return f"Item with id '{item.get('id')}' not found"
    following = next((other for other in others if other.get("type") != "reasoning"), {})
    is_followed = following.get("type") == "function_call" or following.get("role") == "assistant"
    return "" if is_followed else "an item of reasoning was provided without its required following item"


def _to_exchanges(items: tuple[JsonObject, ...]) -> Iterator[Exchange]:
    """Yield replies with all of their calls, results and what the user said."""
    calls: list[tuple[str, str]] = []
    for item in items:
        if item.get("type") == "function_call":
            calls.append((str(item.get("call_id")), str(item.get("arguments"))))
        elif item.get("type") == "function_call_output" or item.get("role") == "user":
            if calls:
                yield Exchange(calls)
                calls = []
            yield Exchange(answers=str(item.get("call_id", "")))
    if calls:
        yield Exchange(calls)
