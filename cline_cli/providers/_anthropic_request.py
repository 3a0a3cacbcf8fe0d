"""A request as the bytes of a body for Anthropic's messages. Pure, but for the memory of what was serialized before.

The format wants more order than our history has: the first message is the user's, roles alternate, results come first
in the message after their calls, no text is blank, ids and names are of few characters. What a message becomes hangs on
that message alone, and neighbours of one role are joined, so that a history that grows is sent with the same beginning.

Prompts are cached up to a mark: one that stands fixed at the system prompt or the last tool, and one of the request as
a whole, by which the server marks the last block itself. No mark stands in the messages, where it would have to move.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

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
from cline_cli.providers._anthropic_models import plan, takes_schema
from cline_cli.providers._anthropic_schema import narrow
from cline_cli.providers._memory import Memory
from cline_cli.providers._signatures import unseal
from cline_cli.providers._values import dump, to_sendable

SIGNED, REDACTED = "anthropic", "anthropic-redacted"
"""Under which thinking is sealed: what its signature belongs to, and what came encrypted as a whole."""

Extra = Literal["automatic cache", "cache marks", "schema", "thinking", "old thinking"]
"""What a request can do without."""

_MARK: JsonObject = {"type": "ephemeral"}
_MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_CODED = "cline_"
"""Before an id that holds other characters, in base64."""
_EMPTY = "(empty)"
_FIRST = "(The conversation goes on from here.)"
_LAST = "(Go on.)"


class _Wire(NamedTuple):
    """What a message becomes; neither results nor blocks means that nothing of it can be sent."""

    role: Literal["user", "assistant"]
    results: tuple[bytes, ...]
    blocks: tuple[bytes, ...]
    has_thinking: bool = False


class RequestWriter:
    """Writes the requests of one provider."""

    def __init__(self) -> None:
        self._left_out: set[Extra] = set()
        self._sent: set[Extra] = set()
        self._most_tokens: int | None = None
        self._history: Sequence[Message] = ()
        self._unsigned: dict[int, Message] = {}
        """Whose thinking is not sent, by their identity."""
        self._memory = Memory(self._to_wire)

    def write(self, request: Request) -> bytes:
        """Return the body of `POST {base}/messages`."""
        self._sent = set()
        self._history = request.messages
        wires = self._memory.recall(request.messages)
        if any(wire.has_thinking for wire in wires):
            self._sent.add("old thinking")
        messages = list(_to_turns(wires))
        may_think = "thinking" not in self._left_out
        planned = plan(request, most_tokens=self._most_tokens, may_think=may_think)
        if planned.thinking:
            self._sent.add("thinking")
        output: dict[str, JsonValue] = {
            **({"effort": planned.effort} if planned.effort else {}),
            **self._format(request),
        }
        options: dict[str, JsonValue] = {
            **self._prompt(request),
            "max_tokens": planned.max_tokens,
            "stream": True,
            **({"tool_choice": {"type": "none"}} if request.tools and not request.may_call else {}),
            **({"thinking": planned.thinking} if planned.thinking else {}),
            **({"output_config": output} if output else {}),
            **({"cache_control": _MARK} if self._may_send("automatic cache") else {}),
        }
        # joined once: a long history is megabytes, and each copy of them counts
        messages[0] = b'{"model":%b,"messages":[%b' % (dump(request.model), messages[0])
        messages[-1] += b"]," + dump(options)[1:]
        return b",".join(messages)

    def can_leave_out(self, extra: Extra) -> bool:
        """Return whether the last request had it."""
        return extra in self._sent

    def leave_out(self, extra: Extra) -> None:
        """Write no such thing from now on; of "old thinking" that which is in the last request's history."""
        if extra == "old thinking":
            self._unsigned |= {id(message): message for message in self._history}
            self._memory.forget()
        else:
            self._left_out.add(extra)

    def limit_tokens(self, most: int) -> bool:
        """Ask for no more tokens than that from now on; return whether this is news."""
        is_news = most > 0 and (self._most_tokens is None or most < self._most_tokens)
        if is_news:
            self._most_tokens = most
        return is_news

    def _may_send(self, extra: Extra) -> bool:
        if extra in self._left_out:
            return False
        self._sent.add(extra)
        return True

    def _prompt(self, request: Request) -> JsonObject:
        """Return system prompt and tools, with the mark up to which they are cached."""
        has_system = bool(request.system.strip())
        has_mark = (has_system or bool(request.tools)) and self._may_send("cache marks")
        mark: JsonObject = {"cache_control": _MARK} if has_mark else {}
        tools = [_from_tool(tool) for tool in request.tools]
        if has_system:
            return {"system": [{**_text(request.system), **mark}], **({"tools": tools} if tools else {})}
        return {"tools": [*tools[:-1], {**tools[-1], **mark}]} if tools else {}

    def _format(self, request: Request) -> JsonObject:
        """Return the part of `output_config` that holds the answer to the request's schema; empty where none can be."""
        schema = narrow(request.schema) if request.schema is not None and takes_schema(request.model) else None
        if schema is None or not self._may_send("schema"):
            return {}
        return {"format": {"type": "json_schema", "schema": schema}}

    def _to_wire(self, message: Message) -> _Wire:
        match message:
            case UserMessage():
                blocks = tuple(dump(block) for part in message.parts if (block := _from_part(part)))
                return _Wire("user", (), blocks or (dump(_text(_EMPTY)),))
            case AssistantMessage():
                return _from_assistant(message, may_have_thinking=id(message) not in self._unsigned)
            case ToolResult():
                return _from_result(message)


def _to_turns(wires: Sequence[_Wire]) -> Iterator[bytes]:
    """Yield the messages: neighbours of one role as one, the first and the last of the user."""
    turns: list[list[_Wire]] = []
    for wire in wires:
        if not wire.results and not wire.blocks:
            continue
        if turns and turns[-1][0].role == wire.role:
            turns[-1].append(wire)
        else:
            turns.append([wire])
    if not turns or turns[0][0].role == "assistant":
        yield _to_turn("user", [dump(_text(_FIRST))])
    for turn in turns:
        results = [block for wire in turn for block in wire.results]
        yield _to_turn(turn[0].role, results + [block for wire in turn for block in wire.blocks])
    if turns and turns[-1][0].role == "assistant":
        yield _to_turn("user", [dump(_text(_LAST))])


def _to_turn(role: str, blocks: Sequence[bytes]) -> bytes:
    return b'{"role":"%b","content":[%b]}' % (role.encode(), b",".join(blocks))


def _from_assistant(message: AssistantMessage, *, may_have_thinking: bool) -> _Wire:
    blocks: list[bytes] = []
    has_thinking = False
    end = 0
    for part in message.parts:
        if not isinstance(part, ThinkingPart):
            block = _from_reply_part(part)
        else:
            block = _from_thinking(part) if may_have_thinking else b""
        if block:
            blocks.append(block)
            end = end if isinstance(part, ThinkingPart) else len(blocks)
            has_thinking = has_thinking or isinstance(part, ThinkingPart)
    return _Wire("assistant", (), tuple(blocks[:end]), has_thinking)  # a message must not end with thinking


def _from_reply_part(part: TextPart | ToolCall) -> bytes:
    if isinstance(part, TextPart):
        return dump(_text(part.text)) if part.text.strip() else b""
    name = part.name if _NAME.fullmatch(part.name) else re.sub(r"[^a-zA-Z0-9_-]", "_", part.name)[:128] or "_"
    head: JsonObject = {"type": "tool_use", "id": _to_id(part.id), "name": name}
    return dump(head)[:-1] + b',"input":%b}' % dump(to_sendable(part.arguments))


def _from_thinking(part: ThinkingPart) -> bytes:
    """Return thinking as it came; nothing for that of another format, which has no signature of this one."""
    data = unseal(REDACTED, part.signature)
    if data:
        return dump({"type": "redacted_thinking", "data": data})
    signature = unseal(SIGNED, part.signature)
    return dump({"type": "thinking", "thinking": part.text, "signature": signature}) if signature else b""


def _from_result(message: ToolResult) -> _Wire:
    """Return the result; the images of one that failed stand after it, as it may hold nothing but text."""
    text = message.text if message.text.strip() else ""
    images = [_image(part) for part in message.parts if isinstance(part, ImagePart)]
    head: JsonObject = {"type": "tool_result", "tool_use_id": _to_id(message.call_id)}
    if message.is_error:
        result: JsonObject = {**head, "content": text or _EMPTY, "is_error": True}
        return _Wire("user", (dump(result),), tuple(map(dump, images)))
    if images:
        return _Wire("user", (dump({**head, "content": [*([_text(text)] if text else []), *images]}),), ())
    return _Wire("user", (dump({**head, "content": text or _EMPTY}),), ())


def _from_part(part: TextPart | ImagePart) -> JsonObject | None:
    if isinstance(part, ImagePart):
        return _image(part)
    return _text(part.text) if part.text.strip() else None


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _image(part: ImagePart) -> JsonObject:
    kind = part.media_type.lower().replace("image/jpg", "image/jpeg")
    if kind not in _MEDIA_TYPES:
        return _text(f"(An image of type {part.media_type}, which cannot be sent.)")
    data = base64.b64encode(part.data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _to_id(identity: str) -> str:
    """Return an id of the characters that are allowed: different ids stay different, and the same ones the same."""
    if _ID.fullmatch(identity) and not identity.startswith(_CODED):
        return identity
    return _CODED + base64.urlsafe_b64encode(identity.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def _from_tool(tool: ToolSpec) -> JsonObject:
    """Return a tool; choices at the root of its schema are refused, and left to the tool to check."""
    parameters = {name: value for name, value in tool.parameters.items() if name not in {"oneOf", "anyOf", "allOf"}}
    description: JsonObject = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **description, "input_schema": {**parameters, "type": "object"}}
