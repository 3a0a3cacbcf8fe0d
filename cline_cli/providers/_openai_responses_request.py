"""A request as the bytes of a body for OpenAI's responses. Pure, but for the memory of what was serialized before.

Nothing is stored at the other end: what was thought comes back encrypted, and goes along with every later request. The
items of a reply go without their ids: those are looked up where nothing is kept, and have to be there for all items or
for none (openai/codex#3390, read 2026-11).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence

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
from cline_cli.catalog.models import output_limit
from cline_cli.providers._memory import Memory
from cline_cli.providers._openai_responses_effort import reasoning_options, reasons
from cline_cli.providers._openai_schema import response_format
from cline_cli.providers._signatures import unseal
from cline_cli.providers._values import dump, to_object, to_sendable_text

WIRE_FORMAT = "openai_responses"
MAX_ID_CHARACTERS = 64
"""Of a call, of a tool's name, and of the key that a prompt is cached under: more is refused."""
MIN_OUTPUT_TOKENS = 16
"""Less cannot be asked for."""

_EMPTY = "(empty)"
_NOT_IN_NAMES = r"[^a-zA-Z0-9_-]"
"""A tool that does not exist may be called anything; its call stays in the history."""
_SENT_BACK = ("type", "summary", "content", "encrypted_content")
"""Of an item of reasoning."""


class RequestWriter:
    """Writes the requests of one run; `session_id` is what its prompts are cached under."""

    def __init__(self, session_id: str) -> None:
        self._cache_key = session_id[:MAX_ID_CHARACTERS]
        self._left_out: set[str] = set()
        self._memory = Memory(self._to_wire)
        self._last: Request | None = None

    def write(self, request: Request) -> bytes:
        """Return the body of `POST {base}/responses`."""
        self._last = request
        items = [wire for wire in self._memory.recall(request.messages) if wire] or [b""]
        head: JsonObject = {
            "model": request.model,
            **({"instructions": request.system} if request.system else {}),
        }
        # joined once: a long history is megabytes, and each copy of them counts
        items[0] = b'%b,"input":[%b' % (dump(head)[:-1], items[0])
        items[-1] += b"]," + dump(self._options(request))[1:]
        return b",".join(items)

    def leave_out(self, name: str) -> bool:
        """Write no more of what goes by this name; return whether that makes another body of the last request.

        One of: schema, stream, encrypted, include, summary, reasoning, phase, cache key.
        """
        if self._last is None or not self._has(name):
            return False
        before = self.write(self._last)
        self._left_out.add(name)
        self._memory.forget()
        if self.write(self._last) != before:
            return True
        self._left_out.remove(name)
        self._memory.forget()
        return False

    def _options(self, request: Request) -> JsonObject:
        has_summary, has_reasoning = self._has("summary"), self._has("reasoning")
        thinking = reasoning_options(request.model, request.effort, has_summary=has_summary) if has_reasoning else {}
        is_thinking = bool(thinking) or reasons(request.model)
        limit = request.max_tokens or output_limit(request.model)
        return {
            **_tool_options(request.tools, may_call=request.may_call),
            "store": False,
            "stream": self._has("stream"),
            **({"max_output_tokens": max(limit, MIN_OUTPUT_TOKENS)} if limit else {}),
            **thinking,
            **({"include": ["reasoning.encrypted_content"]} if is_thinking and self._has("include") else {}),
            **(_text_options(request) if self._has("schema") else {}),
            **({"prompt_cache_key": self._cache_key} if self._cache_key and self._has("cache key") else {}),
        }

    def _has(self, name: str) -> bool:
        return name not in self._left_out

    def _to_wire(self, message: Message) -> bytes:
        """Return the items of a message, with commas between them; nothing where there is nothing to say."""
        match message:
            case UserMessage():
                return dump({"role": "user", "content": _content_of(message)})
            case AssistantMessage():
                return b",".join(dump(item) for item in self._items_of(message))
            case ToolResult():
                item: JsonObject = {"type": "function_call_output", "call_id": to_call_id(message.call_id)}
                return dump({**item, "output": _content_of(message)})

    def _items_of(self, message: AssistantMessage) -> Iterator[JsonObject]:
        """Yield the items of a reply in their order.

        What was thought goes with what came of it: an item of reasoning that nothing follows is refused.
        """
        thoughts: list[JsonObject] = []
        phase: JsonValue = None
        for part in message.parts:
            if isinstance(part, ThinkingPart):
                sealed = _unseal(part)
                if sealed.get("encrypted_content") and self._has("encrypted"):
                    thoughts.append({name: sealed[name] for name in _SENT_BACK if name in sealed})
                phase = sealed.get("phase") or phase
            elif isinstance(part, ToolCall):
                yield from thoughts
                thoughts = []
                yield _from_call(part)
            elif part.text.strip():
                yield from thoughts
                thoughts = []
                marks: JsonObject = {"phase": phase} if phase and self._has("phase") else {}
                yield {"role": "assistant", "content": part.text, **marks}
                phase = None


def to_call_id(identity: str) -> str:
    """Return the id of a call as it is sent: one that is too long or missing for the format becomes another."""
    if 0 < len(identity) <= MAX_ID_CHARACTERS:
        return identity
    import hashlib  # lazy: 3 ms, and only for calls that another format made

    return "call_" + hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _content_of(message: UserMessage | ToolResult) -> JsonValue:
    """Return text as it is, and what has images as parts."""
    if not any(isinstance(part, ImagePart) for part in message.parts):
        return "".join(part.text for part in message.parts if isinstance(part, TextPart)) or _EMPTY
    parts = [part for part in message.parts if isinstance(part, ImagePart) or part.text]
    return [_image(part) if isinstance(part, ImagePart) else _text(part.text) for part in parts]


def _text(text: str) -> JsonObject:
    return {"type": "input_text", "text": text}


def _image(part: ImagePart) -> JsonObject:
    url = f"data:{part.media_type};base64,{base64.b64encode(part.data).decode()}"
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def _unseal(part: ThinkingPart) -> JsonObject:
    """Return the item that this format has sealed in a part, or an empty one."""
    try:
        return to_object(json.loads(unseal(WIRE_FORMAT, part.signature) or "null"))
    except (ValueError, RecursionError):
        return {}


def _from_call(call: ToolCall) -> JsonObject:
    name = re.sub(_NOT_IN_NAMES, "_", call.name)[:MAX_ID_CHARACTERS] or "_"
    arguments = to_sendable_text(call.arguments)
    return {"type": "function_call", "call_id": to_call_id(call.id), "name": name, "arguments": arguments}


def _tool_options(tools: Sequence[ToolSpec], *, may_call: bool) -> JsonObject:
    if not tools:
        return {}
    functions: list[JsonObject] = [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": False,
        }
        for tool in tools
    ]
    return {"tools": functions, "tool_choice": "auto" if may_call else "none"}


def _text_options(request: Request) -> JsonObject:
    """Return the part of the body that holds the answer to the request's schema; empty for one that cannot be sent."""
    asked = to_object(response_format(request).get("response_format"))
    if not asked:
        return {}
    return {"text": {"format": {"type": "json_schema", **to_object(asked.get("json_schema"))}}}
