from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

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
    Usage,
    UserMessage,
    user_text,
)
from cline_cli.agent.provider import Delta, Provider, Request, TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.agent.tool import ToolSpec
from cline_cli.config.paths import Paths
from cline_cli.errors import ContextWindowError, KeyRefusedError, ProviderError, RateLimitedError
from cline_cli.network.http import Network
from cline_cli.providers import PROVIDERS, Endpoint
from tests.dialects import Said
from tests.fake_server import FakeServer, Turn, say, status, text

KEY = "sk-canary-91c7d2e4"
PATHS = Paths(Path(), Path(), Path(), Path(), {})
FORMATS = {"openai_chat": "cline", "anthropic": "anthropic", "openai_responses": "openai-native", "gemini": "gemini"}
HISTORY_FIELD = {"cline": "messages", "anthropic": "messages", "openai-native": "input", "gemini": "contents"}
MODELS = {
    "cline": "anthropic/claude-sonnet-4.6",
    "anthropic": "claude-sonnet-4-6",
    "openai-native": "gpt-5.4",
    "gemini": "gemini-2.5-pro",
}
TOOL = ToolSpec("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}}, "reads")
USAGE: JsonObject = {"prompt_tokens": 300, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 100}}
SIGNATURE = "RXE4Qw=="
DIALOGUE = (
    Said(("Hel", "lo — 漢字 🙂"), usage=USAGE, finish="stop"),
    Said(
        ("I look.",), (("call_{request}_1", "look", '{"at": "x y"}'),), "tool_calls", USAGE, ("Let ", "me."), SIGNATURE
    ),
    Said(
        (),
        tuple((f"call_{{request}}_{place}", "look", json.dumps({"at": f"{place}"})) for place in range(1, 6)),
        "tool_calls",
        USAGE,
    ),
    Said((), (("call_{request}_1", "look", "{}"),), "tool_calls", USAGE, ("Hm.",), SIGNATURE),
    Said(('It is "done".\n\tReally\\',), usage=USAGE),
    Said(("Too lo",), usage=USAGE, finish="length"),
)


def request(provider: str, *messages: Message) -> Request:
    return Request(MODELS[provider], "Be brief.", messages or (user_text("hi"),), (TOOL,))


def open_provider(provider: str, server: FakeServer) -> Provider:
    module = import_module(f"cline_cli.providers.{PROVIDERS[provider].module}")
    endpoint = Endpoint(provider, server.base_url, KEY, "-k", "session-1")
    opened: Provider = module.connect(endpoint, Network(idle_s=5), PATHS)
    return opened


async def ask(provider: Provider, asked: Request) -> list[Delta]:
    async with aclosing(provider.stream(asked)) as deltas:
        return [delta async for delta in deltas]


def converse(provider: str, server: FakeServer, turns: int, images_at: int = -1) -> list[list[Delta]]:
    """Ask so many times, each time with the whole history and a result for every call."""

    async def go() -> list[list[Delta]]:
        opened = open_provider(provider, server)
        messages: list[Message] = [user_text("go")]
        replies: list[list[Delta]] = []
        for number in range(turns):
            replies.append(await ask(opened, request(provider, *messages)))
            reply = replies[-1][-1]
            assert isinstance(reply, AssistantMessage)
            messages.append(reply)
            image = (ImagePart("image/png", b"\x89PNG"),) if number == images_at else ()
            messages += [ToolResult(call.id, (TextPart(f"seen {number}"), *image)) for call in reply.tool_calls]
            if not reply.tool_calls:
                messages.append(user_text(f"and {number}?"))
        await opened.close()
        return replies

    return asyncio.run(go())


def join(deltas: Sequence[Delta]) -> list[Delta]:
    """Put neighbouring pieces of one kind together: how far a reply is cut up is each format's own."""
    joined: list[Delta] = []
    for delta in deltas:
        match joined[-1] if joined else None, delta:
            case TextDelta(before), TextDelta(more):
                joined[-1] = TextDelta(before + more)
            case ThinkingDelta(before), ThinkingDelta(more):
                joined[-1] = ThinkingDelta(before + more)
            case ToolCallDelta(name, before), ToolCallDelta(other, more) if name == other and not _is_whole(before):
                joined[-1] = ToolCallDelta(name, before + more)
            case _, AssistantMessage():
                joined.append(_without_signatures(delta))
            case _:
                joined.append(delta)
    return joined


def _is_whole(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True


def _without_signatures(delta: Delta) -> AssistantMessage:
    assert isinstance(delta, AssistantMessage)
    parts: list[TextPart | ThinkingPart | ToolCall] = []
    for part in delta.parts:
        match part:
            case ThinkingPart(""):
                continue
            case ThinkingPart(words):
                parts.append(ThinkingPart(words))
            case ToolCall(identity, name, arguments):
                parts.append(ToolCall(identity, name, json.dumps(json.loads(arguments or "{}"))))
            case _:
                parts.append(part)
    return replace(delta, parts=tuple(parts), model="")


def without_arguments_spacing(deltas: list[Delta]) -> list[Delta]:
    return [
        ToolCallDelta(delta.name, json.dumps(json.loads(delta.arguments or "{}")))
        if isinstance(delta, ToolCallDelta)
        else delta
        for delta in deltas
    ]


def test_every_format_is_in_the_contract() -> None:
    modules = {row.module for row in PROVIDERS.values()} - {"local"}
    assert modules == FORMATS.keys()


@pytest.mark.parametrize("provider", FORMATS.values())
def test_the_same_dialogue_gives_the_same_deltas(provider: str) -> None:
    with FakeServer(*map(say, DIALOGUE)) as server:
        replies = converse(provider, server, len(DIALOGUE))
    usage = Usage(300, 40, 100)
    for number, (said, deltas) in enumerate(zip(DIALOGUE, replies, strict=True), start=1):
        words, thoughts = "".join(said.deltas), "".join(said.thinking)
        made = [
            ToolCall(identity.replace("{request}", str(number)), name, json.dumps(json.loads(arguments)))
            for identity, name, arguments in said.calls
        ]
        message = AssistantMessage(
            (
                *((ThinkingPart(thoughts),) if thoughts else ()),
                *((TextPart(words),) if words else ()),
                *made,
            ),
            "tool_calls" if made else "length" if said.finish == "length" else "stop",
            usage,
        )
        assert without_arguments_spacing(join(deltas)) == [
            *([ThinkingDelta(thoughts)] if thoughts else []),
            *([TextDelta(words)] if words else []),
            *(ToolCallDelta(call.name, call.arguments) for call in made),
            message,
        ]


@pytest.mark.parametrize("provider", FORMATS.values())
def test_results_come_back_to_their_calls_when_tools_have_run(provider: str) -> None:
    with FakeServer(*map(say, DIALOGUE)) as server:
        converse(provider, server, len(DIALOGUE))
    assert server.requests[3].results.keys() >= {f"call_3_{place}" for place in range(1, 6)}
    assert all(shown.tools == ("look",) for shown in server.requests)


@pytest.mark.parametrize("provider", FORMATS.values())
def test_prefixes_stay_the_same_and_one_connection_serves_when_a_dialogue_has_thirty_steps(provider: str) -> None:
    turns = [say(DIALOGUE[(number % 3) + 1]) if number != 14 else text("Halfway.") for number in range(30)]
    with FakeServer(*turns) as server:
        converse(provider, server, 30, images_at=7)
    assert server.connections == 1
    histories = [_histories(request.body[HISTORY_FIELD[provider]]) for request in server.requests]
    assert all(len(after) > len(before) for before, after in pairwise(histories))
    for before, after in pairwise(histories):
        assert after[: len(before)] == before
    others = [
        {name: value for name, value in request.body.items() if name != HISTORY_FIELD[provider]}
        for request in server.requests
    ]
    assert all(other == others[0] for other in others)


def _histories(value: JsonValue) -> list[str]:
    assert isinstance(value, list)
    return [json.dumps(item) for item in value]


@pytest.mark.parametrize("provider", FORMATS.values())
def test_a_cut_reply_is_asked_for_again_when_nothing_of_it_was_used(provider: str) -> None:
    whole = _rendered(provider, DIALOGUE[1])
    cut = Turn((whole[: len(whole) * 2 // 3],), then="close")
    with FakeServer(cut, say(DIALOGUE[1])) as server:
        deltas = asyncio.run(_ask_once(provider, server))
    message = deltas[-1]
    assert isinstance(message, AssistantMessage)
    assert [call.arguments for call in message.tool_calls] == ['{"at": "x y"}']
    assert len(server.requests) == 2


def _rendered(provider: str, said: Said) -> bytes:
    module = import_module(f"tests.dialects.{PROVIDERS[provider].module}")
    return b"".join(module.render(said))


async def _ask_once(provider: str, server: FakeServer, asked: Request | None = None) -> list[Delta]:
    opened = open_provider(provider, server)
    try:
        return await ask(opened, asked or request(provider))
    finally:
        await opened.close()


@pytest.mark.parametrize("provider", FORMATS.values())
@pytest.mark.parametrize(
    ("turn", "kind"),
    [
        (status(401, {"error": {"message": "bad key", "type": "authentication_error"}}), KeyRefusedError),
        (status(413, {"error": {"message": "too large"}}), ContextWindowError),
        (status(429, {"error": {"message": "slow down"}}, {"Retry-After": "400"}), RateLimitedError),
        (status(400, {"error": {"message": "no"}}), ProviderError),
    ],
)
def test_a_refusal_is_the_same_error_and_one_request(provider: str, turn: Turn, kind: type[ProviderError]) -> None:
    with FakeServer(turn) as server:
        with pytest.raises(kind) as caught:
            asyncio.run(_ask_once(provider, server))
    assert len(server.requests) == 1
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("provider", FORMATS.values())
def test_the_key_is_in_one_header_and_nowhere_else(provider: str) -> None:
    with FakeServer(text("hi")) as server:
        asyncio.run(_ask_once(provider, server))
    (asked,) = server.requests
    assert [name for name, value in asked.headers.items() if KEY in value] in (
        ["authorization"],
        ["x-api-key"],
        ["x-goog-api-key"],
    )
    assert KEY not in asked.path
    assert KEY not in json.dumps(asked.body)


@pytest.mark.parametrize("provider", FORMATS.values())
def test_images_of_the_user_are_sent(provider: str) -> None:
    prompt = UserMessage((TextPart("what is it?"), ImagePart("image/png", b"\x89PNG-data")))
    with FakeServer(text("a cat")) as server:
        asyncio.run(_ask_once(provider, server, request(provider, prompt)))
    assert "iVBORy1kYXRh" in json.dumps(server.requests[0].body)


@pytest.mark.parametrize("provider", FORMATS.values())
def test_another_formats_signature_is_not_sent(provider: str) -> None:
    foreign = (
        *(
            ThinkingPart("Hm.", f"{name}:FOREIGN")
            for name in (*FORMATS, "elsewhere")
            if name != PROVIDERS[provider].module
        ),
        ThinkingPart("Hm.", "FOREIGN"),
        ThinkingPart("", '{"FOREIGN": 1}'),
    )
    history: tuple[Message, ...] = (
        user_text("a"),
        AssistantMessage((*foreign, TextPart("b"), ToolCall("call_1", "look", "{}")), "tool_calls"),
        ToolResult("call_1", (TextPart("c"),)),
    )
    with FakeServer(text("d")) as server:
        asyncio.run(_ask_once(provider, server, request(provider, *history)))
    assert "FOREIGN" not in json.dumps(server.requests[0].body)


@pytest.mark.parametrize("provider", FORMATS.values())
def test_a_server_error_is_tried_again(provider: str) -> None:
    with FakeServer(status(503, b"", {"retry-after-ms": "1"}), text("hi")) as server:
        deltas = asyncio.run(_ask_once(provider, server))
    assert isinstance(deltas[-1], AssistantMessage)
    assert deltas[-1].text == "hi"
