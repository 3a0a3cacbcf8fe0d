"""A request as the bytes of a chat completion's body. Pure, but for the memory of what was serialized before.

A run sends its history again with every request, a little longer each time. Each message is turned into JSON once.
"""

from __future__ import annotations

import base64
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
from cline_cli.agent.provider import Request
from cline_cli.catalog.models import output_limit
from cline_cli.providers._chat_dialects import (
    PARTS_FIELD,
    Dialect,
    find_dialect,
    fit_id,
    limit_name,
    needs_marks,
    return_thinking,
    say_effort,
)
from cline_cli.providers._memory import Memory
from cline_cli.providers._openai_schema import response_format
from cline_cli.providers._values import dump, to_sendable_text

_MARK = b',"cache_control":{"type":"ephemeral"}'
_IMAGES_FOLLOW = "(The images are in the next message.)"
_IMAGES = "Images returned by the tools above:"


class _Wire(NamedTuple):
    body: bytes
    images: tuple[bytes, ...]
    """Of a tool result, whose own content can only be text."""


class RequestWriter:
    """Writes the requests of one provider; `provider` is its name."""

    def __init__(self, provider: str) -> None:
        self.dialect = find_dialect(provider)
        self._provider = provider
        self._sends_schema = True
        self._memory = Memory(self._to_wire)

    def write(self, request: Request) -> bytes:
        """Return the body of `POST {base}/chat/completions`."""
        dialect = self.dialect
        is_cached = needs_marks(dialect, request.model)
        messages = list(self._write_messages(request.messages))
        if is_cached:
            _mark_first_user_message(messages)
        if request.system:
            messages.insert(0, dump({"role": "system", "content": request.system}))
        options: dict[str, JsonValue] = {
            **_tool_options(request, dialect),
            "stream": True,
            **({"stream_options": {"include_usage": True}} if dialect.asks_for_usage else {}),
            **_limit_options(request, dialect),
            **say_effort(dialect, request.effort),
            **(response_format(request) if self._sends_schema else {}),
            **({"cache_control": {"type": "ephemeral"}} if is_cached else {}),
            **dialect.extra,
        }
        # joined once: a long history is megabytes, and each copy of them counts
        messages[0] = b'{"model":%b,"messages":[%b' % (dump(request.model), messages[0])
        messages[-1] += b"]," + dump(options)[1:]
        return b",".join(messages)

    def speak(self, dialect: Dialect) -> None:
        """Write as another dialect has it from now on."""
        self.dialect = dialect
        self._memory.forget()

    def leave_out_schema(self) -> None:
        """Write no schema from now on: the server refuses them."""
        self._sends_schema = False

    def _write_messages(self, messages: Sequence[Message]) -> Iterator[bytes]:
        """Yield every message, and after the results of a reply's calls one of the user's with the images in them."""
        images: list[bytes] = []
        for message, wire in zip(messages, self._memory.recall(messages), strict=True):
            if images and not isinstance(message, ToolResult):
                yield _user_message([dump(_text(_IMAGES)), *images])
                images = []
            yield wire.body
            images += wire.images
        if images:
            yield _user_message([dump(_text(_IMAGES)), *images])

    def _to_wire(self, message: Message) -> _Wire:
        match message:
            case UserMessage():
                return _Wire(_write_user(message), ())
            case AssistantMessage():
                return _Wire(dump(self._from_assistant(message)), ())
            case ToolResult():
                images = tuple(dump(_image(part)) for part in message.parts if isinstance(part, ImagePart))
                content = message.text or (_IMAGES_FOLLOW if images else "(empty)")
                identity = fit_id(self.dialect, message.call_id)
                return _Wire(dump({"role": "tool", "tool_call_id": identity, "content": content}), images)

    def _from_assistant(self, message: AssistantMessage) -> JsonObject:
        calls = message.tool_calls
        thinking = [part for part in message.parts if isinstance(part, ThinkingPart)]
        fields = dict(return_thinking(self.dialect, self._provider, thinking, has_calls=bool(calls)))
        parts = fields.pop(PARTS_FIELD, None)
        content: JsonValue = message.text or (None if calls else "")
        if isinstance(parts, list):
            content = [*parts, *([_text(message.text)] if message.text else [])]
        body: dict[str, JsonValue] = {"role": "assistant", "content": content, **fields}
        if calls:
            body["tool_calls"] = [_from_call(call, fit_id(self.dialect, call.id)) for call in calls]
        return body


def _write_user(message: UserMessage) -> bytes:
    texts = [part.text for part in message.parts if isinstance(part, TextPart)]
    if len(texts) == len(message.parts):  # some servers take no list, and text needs none
        return dump({"role": "user", "content": "".join(texts)})
    return _user_message(
        [dump(_text(part.text) if isinstance(part, TextPart) else _image(part)) for part in message.parts]
    )


def _user_message(parts: Sequence[bytes]) -> bytes:
    return b'{"role":"user","content":[%b]}' % b",".join(parts)


def _mark_first_user_message(messages: list[bytes]) -> None:
    """Mark where the prompt ends that is always cached: beside a content of text, or on the last part of several.

    Always the same message, so that no byte of the history changes when it grows; the mark at the end of it is the
    field of the body, which the server moves by itself.
    """
    for place, message in enumerate(messages):
        if message.startswith(b'{"role":"user"'):
            end = b"}]}" if message.endswith(b"}]}") else b"}"
            messages[place] = message.removesuffix(end) + _MARK + end
            return


def _from_call(call: ToolCall, identity: str) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": to_sendable_text(call.arguments)}
    return {"id": identity, "type": "function", "function": function}


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _image(part: ImagePart) -> JsonObject:
    url = f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _tool_options(request: Request, dialect: Dialect) -> JsonObject:
    if not request.tools:
        return {}
    functions: list[JsonObject] = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in request.tools
    ]
    choice: JsonObject = {"tool_choice": "auto" if request.may_call else "none"} if dialect.chooses_tools else {}
    return {"tools": [{"type": "function", "function": function} for function in functions], **choice}


def _limit_options(request: Request, dialect: Dialect) -> JsonObject:
    limit, name = request.max_tokens or output_limit(request.model), limit_name(dialect, request.model)
    return {name: limit} if limit and name else {}
