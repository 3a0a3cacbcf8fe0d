"""A request as the bytes of a `streamGenerateContent` body. Pure, but for the memory of what was serialized before.

Roles take turns here, and all results of a reply's calls stand in one content: messages of the same role that follow
one another are the parts of one content. Gemini 3 refuses a history in which the first call of a reply is not signed;
for calls of other models there is a word that stands in for a signature.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
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
from cline_cli.agent.tool import ToolSpec
from cline_cli.catalog.models import facts, output_limit
from cline_cli.providers._gemini_thinking import generation_of, thinking_config
from cline_cli.providers._memory import Memory
from cline_cli.providers._signatures import unseal
from cline_cli.providers._values import dump, to_count, to_sendable

NEXT_PART = "gemini"
"""Seals what signs the part that follows, a call or a text."""
EMPTY_TEXT = "gemini-text"
"""Seals what came on a text without words."""
THOUGHT = "gemini-thought"
"""Seals what signs the thinking itself."""

_UNSIGNED = "skip_thought_signature_validator"
"""In place of a signature, for calls that were not made by the model; ai.google.dev names it for just that."""
_BEGINNING = b'{"role":"user","parts":[{"text":"(The conversation goes on.)"}]},'
"""Before a history whose first message is the model's."""
_EMPTY = "(empty)"
_IMAGES_FOLLOW = "(The images follow.)"
_THIRD = 3.0
"""The generation of Gemini that wants calls to be signed, and takes images within results and schemas beside tools."""
_MAX_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_.:-]")


class _Wire(NamedTuple):
    role: bytes
    parts: bytes
    """With commas between them; empty where there is nothing to send."""
    images: tuple[bytes, ...] = ()
    """Of a tool result, for a model that takes them only beside it."""


class RequestWriter:
    """Writes the requests of one run."""

    def __init__(self) -> None:
        self._sends_schema = True
        self._sends_thinking = True
        self._generation = 0.0
        self._names: Mapping[str, str] = {}
        self._unsigned: Mapping[int, Message] = {}
        """By identity: messages whose signatures were refused."""
        self._last: Sequence[Message] = ()
        self._memory = Memory(self._to_wire)

    def write(self, request: Request) -> bytes:
        """Return the body of `POST {base}/models/{model}:streamGenerateContent`."""
        generation = generation_of(request.model)
        if generation != self._generation:
            self._memory.forget()
            self._generation = generation
        self._last = request.messages
        thinking = thinking_config(request.model, request.effort, request.max_tokens) if self._sends_thinking else {}
        config: JsonObject = {
            "maxOutputTokens": request.max_tokens or _limit_of(request.model, thinking),
            "thinkingConfig": thinking,
            **(_schema_options(request, generation) if self._sends_schema else {}),
        }
        options: JsonObject = {
            **({"systemInstruction": {"parts": [_text(request.system)]}} if request.system else {}),
            **_tool_options(request.tools, may_call=request.may_call),
            "generationConfig": {name: value for name, value in config.items() if value},
        }
        # joined once: a long history is megabytes, and each copy of them counts
        return b"".join((b'{"contents":[', *self._write_contents(request.messages), b"],", dump(options)[1:]))

    def leave_out_schema(self) -> None:
        """Write no schema from now on: the server refuses them."""
        self._sends_schema = False

    def leave_out_thinking(self) -> None:
        """Say no more how long the model may think: the server refuses it."""
        self._sends_thinking = False

    def leave_out_signatures(self) -> None:
        """Send no signature of the last history again: the server refuses one of them, or wants more than there are."""
        self._unsigned = {id(message): message for message in self._last}
        self._memory.forget()

    def _write_contents(self, messages: Sequence[Message]) -> Iterator[bytes]:
        """Yield the contents in pieces; images of tool results that cannot be in them stand after the last of these."""
        replies = [message for message in messages if isinstance(message, AssistantMessage)]
        self._names = {call.id: call.name for reply in replies for call in reply.tool_calls}
        role = b""
        images: list[bytes] = []
        for message, wire in zip(messages, self._memory.recall(messages), strict=True):
            if images and not isinstance(message, ToolResult):
                yield b"," + b",".join(images)
                images = []
            if not wire.parts:
                continue
            if wire.role == role:
                yield b","
            else:
                yield b"]}," if role else _BEGINNING if wire.role == b"model" else b""
                yield b'{"role":"%b","parts":[' % wire.role
                role = wire.role
            yield wire.parts
            images += wire.images
        if images:
            yield b"," + b",".join(images)
        if role:
            yield b"]}"

    def _to_wire(self, message: Message) -> _Wire:
        match message:
            case UserMessage():
                parts = [
                    _text(part.text) if isinstance(part, TextPart) else _image(part)
                    for part in message.parts
                    if not isinstance(part, TextPart) or part.text
                ]
                return _Wire(b"user", _join(parts or [_text(_EMPTY)]))
            case AssistantMessage():
                return _Wire(b"model", _join(list(self._from_assistant(message))))
            case ToolResult():
                return self._from_result(message)

    def _from_assistant(self, message: AssistantMessage) -> Iterator[JsonObject]:
        """Yield its parts, each with the signature that it came with. Thinking that is not signed is left out."""
        is_refused = id(message) in self._unsigned
        stand_in = _UNSIGNED if self._generation >= _THIRD or (is_refused and not self._generation) else ""
        signature = ""
        for part in message.parts:
            if isinstance(part, ThinkingPart):
                if not is_refused:
                    signature = _unseal(NEXT_PART, part)
                    yield from _from_thinking(part)
                continue
            if isinstance(part, ToolCall):
                yield _signed({"functionCall": _from_call(part)}, signature or stand_in)
                stand_in = ""  # only the first call of a reply is signed
            elif part.text or signature:
                yield _signed(_text(part.text), signature)
            signature = ""

    def _from_result(self, message: ToolResult) -> _Wire:
        images = [_image(part) for part in message.parts if isinstance(part, ImagePart)]
        text = message.text or (_IMAGES_FOLLOW if images else _EMPTY)
        response: dict[str, JsonValue] = {
            "id": message.call_id,
            "name": _sendable_name(self._names.get(message.call_id, "")),
            "response": {"error" if message.is_error else "output": text},
        }
        if images and self._generation >= _THIRD:
            response["parts"] = images
            images = []
        return _Wire(b"user", _join([{"functionResponse": response}]), tuple(dump(image) for image in images))


def _join(parts: Sequence[JsonObject]) -> bytes:
    return b",".join(dump(part) for part in parts)


def _text(text: str) -> JsonObject:
    return {"text": text}


def _image(part: ImagePart) -> JsonObject:
    return {"inlineData": {"mimeType": part.media_type, "data": base64.b64encode(part.data).decode()}}


def _signed(part: JsonObject, signature: str) -> JsonObject:
    return {**part, "thoughtSignature": signature} if signature else part


def _unseal(kind: str, part: ThinkingPart) -> str:
    return unseal(kind, part.signature) or ""


def _from_thinking(part: ThinkingPart) -> Iterator[JsonObject]:
    if signature := _unseal(THOUGHT, part):
        yield {"text": part.text, "thought": True, "thoughtSignature": signature}
    if signature := _unseal(EMPTY_TEXT, part):
        yield _signed(_text(""), signature)


def _from_call(call: ToolCall) -> JsonObject:
    return {"id": call.id, "name": _sendable_name(call.name), "args": to_sendable(call.arguments)}


def _sendable_name(name: str) -> str:
    """Return the name of a tool as the format takes it: other models call tools whatever comes to their mind."""
    name = _NOT_IN_NAMES.sub("_", name)
    return (name if re.match(r"[a-zA-Z_]", name) else f"_{name}")[:_MAX_NAME]


def _limit_of(model: str, thinking: JsonObject) -> int | None:
    """Return the most tokens to ask for, the thoughts' own among them; None for a model that is not known."""
    limit, known = output_limit(model), facts(model)
    if limit is None or known is None or known.max_output_tokens is None:
        return limit
    return min(limit + to_count(thinking.get("thinkingBudget")), known.max_output_tokens)


def _tool_options(tools: Sequence[ToolSpec], *, may_call: bool) -> JsonObject:
    if not tools:
        return {}
    return {
        "tools": [{"functionDeclarations": [_declare(tool) for tool in tools]}],
        **({} if may_call else {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}),
    }


def _declare(tool: ToolSpec) -> JsonObject:
    return {"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters}


def _schema_options(request: Request, generation: float) -> JsonObject:
    """Before Gemini 3, an answer that has a schema and tools that may be called exclude one another."""
    if request.schema is None or (request.tools and request.may_call and generation < _THIRD):
        return {}
    return {"responseMimeType": "application/json", "responseJsonSchema": request.schema}
