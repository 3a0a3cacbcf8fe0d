"""`streamGenerateContent`, as the Gemini API serves it.

The first call of a reply is signed, by what it is: a history that brings a call of this server back without its
signature, or with that of another one, is refused, as Gemini 3 does.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from cline_cli.agent.messages import JsonObject, JsonValue
from tests.dialects import Exchange, Said, history_fault, to_object, to_objects

PATH = r"/(api/)?v1(beta)?/models/[\w.%-]+:streamGenerateContent"
STAND_IN = "skip_thought_signature_validator"
_FINISHES = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}
_FIELDS = {
    "body": {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"},
    "generationConfig": {"maxOutputTokens", "thinkingConfig", "responseMimeType", "responseJsonSchema"},
    "thinkingConfig": {"thinkingBudget", "thinkingLevel", "includeThoughts"},
    "content": {"role", "parts"},
    "functionCall": {"id", "name", "args"},
    "functionResponse": {"id", "name", "response", "parts"},
    "inlineData": {"mimeType", "data"},
    "functionDeclarations": {"name", "description", "parametersJsonSchema"},
}
_DATA = {"text", "inlineData", "functionCall", "functionResponse"}
_ASIDE = {"thought", "thoughtSignature"}
_OURS = re.compile(r"call_\d+_\d+")


def event(data: JsonValue) -> bytes:
    """Return one server-sent event that carries `data` as JSON."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def part_event(*parts: JsonObject, finish: str = "", usage: JsonObject | None = None) -> bytes:
    """Return the event of new parts: `part_event({"text": "hi"})`, `part_event(finish="STOP")`."""
    candidate: dict[str, JsonValue] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    more: JsonObject = {"usageMetadata": usage} if usage else {}
    return event({"candidates": [candidate], **more, "modelVersion": "fake-model", "responseId": "r1"})


def sign(name: str, arguments: str) -> str:
    """Return the signature of a call when nothing else is said; `arguments` are JSON text."""
    return base64.b64encode(f"{name} {json.dumps(json.loads(arguments), sort_keys=True)}".encode()).decode()


def render(said: Said) -> tuple[bytes, ...]:
    parts: list[JsonObject] = [{"text": delta, "thought": True} for delta in said.thinking]
    parts += [{"text": delta} for delta in said.deltas]
    for place, (identity, name, arguments) in enumerate(said.calls):
        part: dict[str, JsonValue] = {"functionCall": {"id": identity, "name": name, "args": _read(arguments)}}
        if place == 0:
            part["thoughtSignature"] = said.signature or sign(name, json.dumps(_read(arguments)))
        parts.append(part)
    if said.signature and not said.calls:
        parts.append({"text": "", "thoughtSignature": said.signature})
    usage = _usage(said.usage) if said.usage else None
    last = part_event({"text": ""}, finish=_FINISHES.get(said.finish, "STOP"), usage=usage)
    return (*(part_event(part) for part in parts), last)


def fault_of(body: JsonObject) -> str:
    contents = to_objects(body.get("contents"))
    if not contents:
        return "the body is no JSON object with contents"
    faults = [_unknown_in("body", body), *_faults_of_options(body), _fault_of_order(contents)]
    faults += [_fault_of_content(content) for content in contents]
    faults += [_fault_of_answers(before, after) for before, after in pairwise(contents)]
    faults.append(history_fault(_to_exchanges(contents)))
    return next(filter(None, faults), "")


def tools_of(body: JsonObject) -> tuple[str, ...]:
    declared = (to_objects(tool.get("functionDeclarations")) for tool in to_objects(body.get("tools")))
    return tuple(str(function.get("name")) for functions in declared for function in functions)


def results_of(body: JsonObject) -> Mapping[str, str]:
    results = [result for content in to_objects(body.get("contents")) for result in _all(content, "functionResponse")]
    return {str(result.get("id")): "".join(map(str, to_object(result.get("response")).values())) for result in results}


def _read(arguments: str) -> JsonValue:
    """Return arguments as they travel; what is no JSON stays a text, which no real server would send."""
    try:
        value: JsonValue = json.loads(arguments)
    except ValueError:
        return arguments
    return value


def _usage(usage: JsonObject) -> JsonObject:
    cached = to_object(usage.get("prompt_tokens_details")).get("cached_tokens")
    counts: JsonObject = {
        "promptTokenCount": usage.get("prompt_tokens"),
        "candidatesTokenCount": usage.get("completion_tokens"),
        "cachedContentTokenCount": cached,
    }
    return {name: value for name, value in counts.items() if value}


def _all(content: JsonObject, kind: str) -> list[JsonObject]:
    return [to_object(part[kind]) for part in to_objects(content.get("parts")) if kind in part]


def _unknown_in(kind: str, value: JsonObject) -> str:
    unknown = value.keys() - _FIELDS[kind]
    return f"{kind} has no field {', '.join(sorted(unknown))}" if unknown else ""


def _faults_of_options(body: JsonObject) -> list[str]:
    config = to_object(body.get("generationConfig"))
    thinking = to_object(config.get("thinkingConfig"))
    faults = [_unknown_in("generationConfig", config), _unknown_in("thinkingConfig", thinking)]
    faults += [
        _unknown_in("functionDeclarations", function)
        for tool in to_objects(body.get("tools"))
        for function in to_objects(tool.get("functionDeclarations"))
    ]
    if {"thinkingBudget", "thinkingLevel"} <= thinking.keys():
        faults.append("only one of thinking budget and thinking level can be set")
    return faults


def _fault_of_order(contents: Sequence[JsonObject]) -> str:
    roles = [content.get("role") for content in contents]
    if roles != ["user" if place % 2 == 0 else "model" for place in range(len(roles))]:
        return f"the roles do not take turns: {roles}"
    return "" if roles[-1] == "user" else "the last content is the model's"


def _fault_of_content(content: JsonObject) -> str:
    parts = to_objects(content.get("parts"))
    faults = [_unknown_in("content", content), "" if parts else "a content has no parts"]
    faults += [_fault_of_part(part, str(content.get("role"))) for part in parts]
    first = next((part for part in parts if "functionCall" in part), {})
    call, signature = to_object(first.get("functionCall")), first.get("thoughtSignature")
    if _OURS.fullmatch(str(call.get("id"))) and not signature:
        faults.append(f"Function call {call.get('name')} is missing a thought_signature")
    return next(filter(None, faults), "")


def _fault_of_part(part: JsonObject, role: str) -> str:
    kinds = part.keys() - _ASIDE
    if len(kinds) != 1 or not kinds <= _DATA:
        return f"a part holds {sorted(part)}"
    kind = next(iter(kinds))
    if kind == "text":
        return "" if part["text"] or part.get("thoughtSignature") else "a text is empty"
    if (kind == "functionCall") != (role == "model"):
        return f"a content of {role} holds a part with {kind}"
    value = to_object(part[kind])
    if kind == "functionCall":
        return _unknown_in(kind, value) or _fault_of_call(value, str(part.get("thoughtSignature", "")))
    if kind == "functionResponse" and not isinstance(value.get("response"), Mapping):
        return "a function response is no object"
    return _unknown_in(kind, value)


def _fault_of_call(call: JsonObject, signature: str) -> str:
    if not isinstance(call.get("args"), Mapping) or not re.fullmatch(r"[a-zA-Z_][\w.:-]{0,63}", str(call.get("name"))):
        return f"this is no function call: {call}"
    if signature in {"", STAND_IN}:
        return ""
    try:
        signed = base64.b64decode(signature, validate=True).decode()
    except ValueError:
        return "Corrupted thought signature"
    expected = sign(str(call.get("name")), json.dumps(call.get("args")))
    is_of_another = " {" in signed and signature != expected
    return "a thought signature is that of another call" if is_of_another else ""


def _fault_of_answers(before: JsonObject, after: JsonObject) -> str:
    asked = [(call.get("id"), call.get("name")) for call in _all(before, "functionCall")]
    given = [(result.get("id"), result.get("name")) for result in _all(after, "functionResponse")]
    if asked == given:
        return ""
    return f"function responses {given} do not answer function calls {asked}"


def _to_exchanges(contents: Sequence[JsonObject]) -> list[Exchange]:
    exchanges: list[Exchange] = []
    for content in contents:
        results = _all(content, "functionResponse")
        exchanges += [Exchange(answers=str(result.get("id"))) for result in results]
        if not results:
            calls = _all(content, "functionCall")
            exchanges.append(Exchange([(str(call.get("id")), json.dumps(call.get("args"))) for call in calls]))
    return exchanges
