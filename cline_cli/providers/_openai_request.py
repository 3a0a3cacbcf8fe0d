"""A request as the bytes of a chat completion's body. Pure, but for the memory of what was serialized before.

A run sends its history again with every request, a little longer each time. Each message is turned into JSON once.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    JsonObject,
    JsonValue,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    UserMessage,
)
from cline_cli.agent.provider import Effort, Request
from cline_cli.agent.tool import ToolSpec
from cline_cli.catalog.models import output_limit
from cline_cli.providers._openai_schema import response_format

GATEWAYS = frozenset({"cline", "openrouter"})
"""They speak OpenRouter's dialect: `reasoning`, `cache_control`."""

_CACHED = re.compile(r"(^|/)(anthropic|claude|qwen)")
"""Models whose prompts are cached only where they are marked."""
_COUNTS_THINKING = re.compile(r"(^|/)(o\d|gpt-5)")
"""OpenAI's reasoning models: `max_tokens` is refused, the limit has another name."""
_MARK = b',"cache_control":{"type":"ephemeral"}'
_IMAGES_FOLLOW = "(The images are in the next message.)"
_IMAGES = "Images returned by the tools above:"


class _Wire(NamedTuple):
    message: Message
    """Kept so that its id stays its own."""
    body: bytes
    images: tuple[bytes, ...]
    """Of a tool result, whose own content can only be text."""


class RequestWriter:
    """Writes the requests of one provider; `provider` is its name."""

    def __init__(self, provider: str) -> None:
        self._sends_schema = True
        self._is_gateway = provider in GATEWAYS
        self._wires: dict[int, _Wire] = {}

    def write(self, request: Request) -> bytes:
        """Return the body of `POST {base}/chat/completions`."""
        is_cached = self._is_gateway and bool(_CACHED.search(request.model))
        messages = list(self._write_messages(request.messages))
        if is_cached:
            _mark_last_user_message(messages)
        if request.system:
            messages.insert(0, _dump({"role": "system", "content": request.system}))
        options: dict[str, JsonValue] = {
            **_tool_options(request.tools),
            "stream": True,
            "stream_options": {"include_usage": True},
            **_limit_options(request),
            **_effort_options(request.effort, is_gateway=self._is_gateway),
            **(response_format(request) if self._sends_schema else {}),
            **({"cache_control": {"type": "ephemeral"}} if is_cached else {}),
        }
        # joined once: a long history is megabytes, and each copy of them counts
        messages[0] = b'{"model":%b,"messages":[%b' % (_dump(request.model), messages[0])
        messages[-1] += b"]," + _dump(options)[1:]
        return b",".join(messages)

    def write_without_schema(self, request: Request) -> bytes:
        """Return the body for a server that refuses a schema. No later body has one either."""
        self._sends_schema = False
        return self.write(request)

    def _write_messages(self, messages: Sequence[Message]) -> Iterator[bytes]:
        """Yield every message, and after the results of a reply's calls one of the user's with the images in them."""
        wires: dict[int, _Wire] = {}
        images: list[bytes] = []
        for message in messages:
            wire = self._wires.get(id(message)) or self._to_wire(message)
            wires[id(message)] = wire
            if images and not isinstance(message, ToolResult):
                yield _user_message([_dump(_text(_IMAGES)), *images])
                images = []
            yield wire.body
            images += wire.images
        if images:
            yield _user_message([_dump(_text(_IMAGES)), *images])
        self._wires = wires

    def _to_wire(self, message: Message) -> _Wire:
        match message:
            case UserMessage():
                return _Wire(message, _write_user(message), ())
            case AssistantMessage():
                return _Wire(message, _dump(_from_assistant(message, is_gateway=self._is_gateway)), ())
            case ToolResult():
                images = tuple(_dump(_image(part)) for part in message.parts if isinstance(part, ImagePart))
                content = message.text or (_IMAGES_FOLLOW if images else "(empty)")
                body: JsonObject = {"role": "tool", "tool_call_id": message.call_id, "content": content}
                return _Wire(message, _dump(body), images)


def _write_user(message: UserMessage) -> bytes:
    if len(message.parts) == 1 and isinstance(message.parts[0], TextPart):
        return _dump({"role": "user", "content": message.parts[0].text})
    return _user_message(
        [_dump(_text(part.text) if isinstance(part, TextPart) else _image(part)) for part in message.parts]
    )


def _user_message(parts: Sequence[bytes]) -> bytes:
    return b'{"role":"user","content":[%b]}' % b",".join(parts)


def _mark_last_user_message(messages: list[bytes]) -> None:
    """Mark where the cached prompt ends: beside a content of text, or on the last part of several."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].startswith(b'{"role":"user"'):
            end = b"}]}" if messages[place].endswith(b"}]}") else b"}"
            messages[place] = messages[place].removesuffix(end) + _MARK + end
            return


def _from_assistant(message: AssistantMessage, *, is_gateway: bool) -> JsonObject:
    calls = message.tool_calls
    body: dict[str, JsonValue] = {"role": "assistant", "content": message.text or (None if calls else "")}
    thinking = [part for part in message.parts if isinstance(part, ThinkingPart)]
    details = [detail for part in thinking for detail in _details_of(part)]
    if is_gateway and details:
        body["reasoning_details"] = details
    elif thinking:
        body["reasoning" if is_gateway else "reasoning_content"] = "".join(part.text for part in thinking)
    if calls:
        body["tool_calls"] = [_from_call(call) for call in calls]
    return body


def _details_of(part: ThinkingPart) -> list[JsonValue]:
    """Return the blocks of thinking that this provider sent; a signature of another one is none of ours."""
    try:
        details = json.loads(part.signature)
    except ValueError:
        return []
    return details if isinstance(details, list) else []


def _from_call(call: ToolCall) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": _sendable(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _sendable(arguments: str) -> str:
    """Return the arguments as the model wrote them, or "{}" where a server would refuse the history for them."""
    try:
        value = json.loads(arguments, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return "{}"
    return arguments if isinstance(value, dict) else "{}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _image(part: ImagePart) -> JsonObject:
    url = f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _tool_options(tools: Sequence[ToolSpec]) -> JsonObject:
    if not tools:
        return {}
    functions: list[JsonObject] = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools
    ]
    return {
        "tools": [{"type": "function", "function": function} for function in functions],
        "tool_choice": "auto",
    }


def _limit_options(request: Request) -> JsonObject:
    limit = request.max_tokens or output_limit(request.model)
    name = "max_completion_tokens" if _COUNTS_THINKING.search(request.model) else "max_tokens"
    return {name: limit} if limit else {}


def _effort_options(effort: Effort | int | None, *, is_gateway: bool) -> JsonObject:
    """A budget in tokens is kept where it can be said, and becomes the nearest level where it cannot."""
    if effort is None:
        return {}
    if effort in {"none", 0}:
        return {"reasoning": {"enabled": False}} if is_gateway else {"reasoning_effort": "none"}
    if isinstance(effort, str):
        return {"reasoning_effort": effort}
    if is_gateway:
        return {"reasoning": {"max_tokens": effort}}
    return {"reasoning_effort": "low" if effort <= 4096 else "medium" if effort <= 16384 else "high"}


def _dump(value: JsonValue) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone halves of surrogate pairs, from file names and broken JSON
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
