"""Calls of tools that a model wrote as text: a strict reader, for servers that do not read them themselves. Pure.

Only a reply that is nothing but calls of tools that were offered, with white space between, is read as calls; all
else stays text, byte for byte. What a model writes is not guessed at or mended. The forms, with sources read 2026-11:

    {"name": "x", "arguments": {...}}              bare, in a list, or in a ```json fence: Qwen2.5-Coder
                                                   (ollama/ollama#12174; recorded from llama.cpp), Llama ("parameters")
    <tool_call>{...}</tool_call>                   Hermes, Qwen: their chat templates
    <tools>...</tools>                             Qwen2.5-Coder (vllm-project/vllm#33083)
    <function=x><parameter=p>v</parameter></function>      Qwen3-Coder, in <tool_call> or without it, or closing it only
    <function=x>{...}</function>                   Llama 3.1's own form
    [TOOL_CALLS][{...}]   [TOOL_CALLS]x[ARGS]{...} Mistral: its tokenizers of version 3 and 11

The reader takes a character at a time, and says no at the first one that no call could have there: a tool that was not
offered, a key that no call has. So an answer that merely begins like a call is held back no longer than that.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Final

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import ToolSpec
from cline_cli.providers._text_scanning import (
    NotACallError,
    Scan,
    read_braces,
    read_tag,
    read_until,
    read_word,
    skip_space,
    skip_string,
    take,
)
from cline_cli.providers._values import read_arguments, to_object

MAX_CHARACTERS: Final = 1024 * 1024
"""A text that is longer is no call."""
_KEYS: Final = frozenset({"name", "arguments", "parameters", "type", "id"})
_ARGUMENTS: Final = frozenset({"arguments", "parameters"})
_TYPES: Final = frozenset({"function"})
_FENCED: Final = frozenset({"", "json", "tool_call", "tool_calls", "xml"})
_MARKS: Final = frozenset({"ARGS", "CALL_ID"})
_END_OF_VALUE: Final = "</parameter>"


class TextCalls:
    """Reads one reply, to which these tools were offered."""

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._tools = {tool.name: tool.parameters for tool in tools}
        self._held = io.StringIO()
        self._calls: list[tuple[str, str]] = []
        self._scan: Scan | None = self._read_reply()
        next(self._scan)

    def feed(self, text: str) -> str:
        """Return what is certainly text, of this piece and of what was held back before."""
        if self._scan is None:
            return text
        self._held.write(text)
        try:
            for character in text:
                self._scan.send(character)
        except NotACallError:
            return self.release()
        return self.release() if self._held.tell() > MAX_CHARACTERS else ""

    def finish(self) -> Sequence[tuple[str, str]]:
        """Return name and arguments of each call that the whole text is; nothing where it is none."""
        if self._scan is None:
            return ()
        try:
            self._scan.send("")
        except StopIteration:
            return tuple(self._calls)
        except NotACallError:
            pass
        return ()

    def release(self) -> str:
        """Return what is held back, and hold back nothing any more."""
        held = self._held.getvalue()
        self._scan, self._held = None, io.StringIO()
        return held

    def _read_reply(self) -> Scan:
        character = yield from skip_space((yield))
        while character:
            if character == "`":
                character = yield from self._read_fence(character)
            else:
                character = yield from self._read_one(character)
            character = yield from skip_space(character)
        return character

    def _read_fence(self, character: str) -> Scan:
        character = yield from take(character, "```")
        _, character = yield from read_word(character, _FENCED, "\n")
        character = yield from skip_space(character)
        while character != "`":
            character = yield from self._read_one(character)
            character = yield from skip_space(character)
        return (yield from take(character, "```"))

    def _read_one(self, character: str) -> Scan:
        """Read a call, or a list or an element of several."""
        if character == "{":
            return (yield from self._read_object(character))
        if character == "<":
            return (yield from self._read_element(character))
        if character != "[":
            raise NotACallError
        character = yield
        if character == "T":
            character = yield from take(character, "TOOL_CALLS]")
            return (yield from self._read_mistral(character))
        return (yield from self._read_list(character))

    def _read_list(self, character: str) -> Scan:
        """Read on behind the bracket."""
        while True:
            character = yield from skip_space(character)
            character = yield from self._read_object(character)
            character = yield from skip_space(character)
            if character == "]":
                return (yield)
            character = yield from take(character, ",")

    def _read_object(self, character: str) -> Scan:
        name, arguments = "", ""
        seen: set[str] = set()
        character = yield from take(character, "{")
        while True:
            character = yield from skip_space(character)
            character = yield from take(character, '"')
            key, character = yield from read_word(character, _KEYS, '"')
            if key in seen or (key in _ARGUMENTS and seen & _ARGUMENTS):
                raise NotACallError
            seen.add(key)
            character = yield from skip_space(character)
            character = yield from take(character, ":")
            character = yield from skip_space(character)
            if key in _ARGUMENTS:
                arguments, character = yield from read_braces(character)
            elif key == "id":
                character = yield from skip_string(character)
            else:
                character = yield from take(character, '"')
                value, character = yield from read_word(character, self._tools if key == "name" else _TYPES, '"')
                name = value if key == "name" else name
            character = yield from skip_space(character)
            if character == "}":
                break
            character = yield from take(character, ",")
        if not name or not arguments:
            raise NotACallError
        self._add(name, arguments)
        return (yield)

    def _read_element(self, character: str) -> Scan:
        tag, character = yield from read_tag(character)
        if tag.startswith("function="):
            character = yield from self._read_function(self._to_name(tag), character)
            character = yield from skip_space(character)
            if character != "<":
                return character
            # The next one, or the end of an element whose beginning the server took away.
            tag, character = yield from read_tag(character)
            if tag == "/tool_call":
                return character
            raise NotACallError
        if tag not in {"tool_call", "tools"}:
            raise NotACallError
        while True:
            character = yield from skip_space(character)
            if character == "<":
                inner, character = yield from read_tag(character)
                if inner == f"/{tag}":
                    return character
                if not inner.startswith("function="):
                    raise NotACallError
                character = yield from self._read_function(self._to_name(inner), character)
            elif character == "[":
                character = yield from self._read_list((yield))
            else:
                character = yield from self._read_object(character)

    def _read_function(self, name: str, character: str) -> Scan:
        """Read on behind `<function=name>`, to behind its end."""
        values: dict[str, JsonValue] = {}
        character = yield from skip_space(character)
        if character == "{":
            arguments, character = yield from read_braces(character)
            character = yield from skip_space(character)
            character = yield from take(character, "</function>")
            self._add(name, arguments)
            return character
        while True:
            character = yield from skip_space(character)
            tag, character = yield from read_tag(character)
            if tag == "/function":
                break
            key = tag.removeprefix("parameter=").strip()
            if not tag.startswith("parameter=") or not key or key in values:
                raise NotACallError
            text, character = yield from read_until(character, _END_OF_VALUE)
            values[key] = self._to_value(name, key, text.removeprefix("\n").removesuffix("\n"))
        self._add(name, json.dumps(values, ensure_ascii=False))
        return character

    def _read_mistral(self, character: str) -> Scan:
        """Read on behind `[TOOL_CALLS]`."""
        character = yield from skip_space(character)
        if character == "[":
            return (yield from self._read_list((yield)))
        name, character = yield from read_word(character, self._tools, "[")
        mark, character = yield from read_word(character, _MARKS, "]")
        if mark == "CALL_ID":
            while character.isalnum():
                character = yield
            character = yield from take(character, "[ARGS]")
        character = yield from skip_space(character)
        arguments, character = yield from read_braces(character)
        self._add(name, arguments)
        return character

    def _to_name(self, tag: str) -> str:
        name = tag.removeprefix("function=")
        if name not in self._tools:
            raise NotACallError
        return name

    def _add(self, name: str, arguments: str) -> None:
        if read_arguments(arguments) is None:
            raise NotACallError
        self._calls.append((name, arguments))

    def _to_value(self, tool: str, key: str, text: str) -> JsonValue:
        """Return the value of a parameter: the text itself where the tool wants text, else the JSON that it is."""
        schema = to_object(_plain(to_object(_plain(self._tools[tool].get("properties"))).get(key)))
        kind = schema.get("type", "string")
        if kind == "string" or (isinstance(kind, Sequence) and "string" in kind):
            return text
        wrapped = read_arguments(f'{{"value":{text}}}')
        if wrapped is None or set(wrapped) != {"value"}:
            raise NotACallError
        return wrapped["value"]


def _plain(value: JsonValue) -> JsonObject:
    return dict(value) if isinstance(value, Mapping) else {}
