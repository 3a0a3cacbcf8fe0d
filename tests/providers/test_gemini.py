from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from contextlib import aclosing
from pathlib import Path

import pytest

from cline_cli.agent.messages import (
    AssistantMessage,
    JsonObject,
    JsonValue,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    user_text,
)
from cline_cli.agent.provider import (
    ReplyDiscarded,
    Request,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    Waiting,
)
from cline_cli.agent.tool import ToolSpec
from cline_cli.config.paths import Paths
from cline_cli.errors import (
    ContentFilteredError,
    ContextWindowError,
    KeyRefusedError,
    NoCreditError,
    ProviderError,
    RateLimitedError,
    ServerError,
    UnknownModelError,
)
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._complaints import Complaint
from cline_cli.providers._remote import Remote
from cline_cli.providers.gemini import GeminiCodec, connect
from tests.dialects import Said
from tests.dialects.gemini import STAND_IN, event, fault_of, part_event, sign
from tests.fake_server import FakeServer, Turn, calls, say, status, stream_bytes, text
from tests.providers.play import Play

KEY = "AIza-canary-7c40e2d1"
PATHS = Paths(Path(), Path(), Path(), Path(), {})
THREE = "gemini-3.1-pro-preview"
LOOK = ToolSpec("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}}, "reads")
REQUEST = Request(THREE, "Be brief.", (user_text("hi"),), (LOOK,))
RECORDINGS = Path(__file__).parent.parent / "recordings" / "gemini"
CALLED: tuple[Message, ...] = (
    user_text("go"),
    AssistantMessage((ThinkingPart("", "gemini:b2xk"), ToolCall("old_1", "look", '{"at":"x"}')), "tool_calls"),
    ToolResult("old_1", (TextPart("seen"),)),
)


def endpoint_at(server: FakeServer) -> Endpoint:
    return Endpoint("gemini", server.base_url, KEY, "$GEMINI_API_KEY", "session-1")


def play(*turns: Turn, request: Request = REQUEST, endpoint: Endpoint | None = None) -> Play:
    server = FakeServer(*turns)
    return Play(server, endpoint or endpoint_at(server), GeminiCodec("gemini"), [request])


def refusal(code: int, words: str, state: str = "INVALID_ARGUMENT", *details: JsonObject) -> Turn:
    error: JsonObject = {"code": code, "message": words, "status": state, "details": details}
    return status(code, {"error": error})


def test_deltas_and_message_come_when_the_server_answers() -> None:
    said = Said(("hel", "lo"), usage={"prompt_tokens": 9, "completion_tokens": 2}, thinking=("hm",), signature="c2ln")
    assert play(say(said)).deltas == [
        ThinkingDelta("hm"),
        TextDelta("hel"),
        TextDelta("lo"),
        AssistantMessage(
            (ThinkingPart("hm"), TextPart("hello"), ThinkingPart("", "gemini-text:c2ln")),
            "stop",
            Usage(9, 2),
            "fake-model",
        ),
    ]


def test_calls_come_when_the_server_asks_for_tools() -> None:
    played = play(calls(("look", {"at": "x"}), ("look", {}), text="So."))
    assert played.message.tool_calls == (
        ToolCall("call_1_1", "look", '{"at": "x"}'),
        ToolCall("call_1_2", "look", "{}"),
    )
    assert ToolCallDelta("look", '{"at": "x"}') in played.deltas
    assert played.message.stop_reason == "tool_calls"


def test_message_comes_when_the_reply_is_not_streamed() -> None:
    candidate: JsonObject = {"content": {"parts": [{"text": "hello"}], "role": "model"}, "finishReason": "STOP"}
    played = play(status(200, {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 4}}))
    assert played.deltas == [TextDelta("hello"), played.message]
    assert played.message.usage == Usage(4)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-pro", "gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google/gemini-2.5-pro", "gemini-2.5-pro"),
        ("a/../b?c#d e", "a%2F..%2Fb%3Fc%23d%20e"),
    ],
)
def test_model_stands_in_the_address_when_it_is_asked(model: str, path: str) -> None:
    address = GeminiCodec("gemini").address("https://h/v1beta", Request(model, "", ()))
    assert address == f"https://h/v1beta/models/{path}:streamGenerateContent?alt=sse"


def test_key_is_in_its_header_alone_when_a_request_is_made() -> None:
    (request,) = play(text("hi")).server.requests
    assert request.path == f"/api/v1/models/{THREE}:streamGenerateContent?alt=sse"
    assert request.headers["x-goog-api-key"] == KEY
    assert [name for name, value in request.headers.items() if KEY in value] == ["x-goog-api-key"]
    assert "authorization" not in request.headers
    assert KEY not in request.path + json.dumps(request.body)


def test_no_key_is_sent_when_there_is_none() -> None:
    assert GeminiCodec("gemini").headers(Endpoint("gemini", "http://h", "", "", "s")) == {}


@pytest.mark.parametrize("key", ["AIza-canary\n", "AIza canary", "AIza-canary-é"])
def test_key_is_refused_unsent_when_it_cannot_be_one(key: str) -> None:
    error = play(endpoint=Endpoint("gemini", "http://127.0.0.1:1", key, "$GEMINI_API_KEY", "s")).error
    assert isinstance(error, KeyRefusedError)
    assert "canary" not in str(error)


def test_one_connection_serves_all_requests_when_a_run_is_long() -> None:
    async def ask(server: FakeServer) -> None:
        provider = connect(endpoint_at(server), Network(), PATHS)
        messages = REQUEST.messages
        for _ in range(4):
            async with aclosing(provider.stream(Request(THREE, "", messages, (LOOK,)))) as deltas:
                reply = [delta async for delta in deltas][-1]
            assert isinstance(reply, AssistantMessage)
            messages = (*messages, reply, *(ToolResult(call.id, (TextPart("seen"),)) for call in reply.tool_calls))
        await provider.close()

    tools = calls(("look", {"at": "x"}), ("look", {}))
    retried = status(503, b"", {"retry-after-ms": "1"})
    with FakeServer(tools, calls(("look", {"at": "é"})), retried, calls(("look", {})), text("done")) as server:
        asyncio.run(ask(server))
    assert server.connections == 1
    assert server.requests[-1].results == {f"call_{place}": "seen" for place in ("1_1", "1_2", "2_1", "4_1")}
    signatures = re.findall(r'"thoughtSignature": "([^"]+)"', json.dumps(server.requests[-1].body))
    assert signatures == [sign("look", '{"at": "x"}'), sign("look", '{"at": "é"}'), sign("look", "{}")]


def event_by_event(name: str) -> Turn:
    raw = (RECORDINGS / f"{name}.sse").read_bytes()
    return Turn(tuple(event + b"\n\n" for event in raw.split(b"\n\n")), pause_s=0.01)


@pytest.mark.parametrize("then", ["close", "reset"])
def test_reply_is_discarded_and_asked_for_again_when_it_breaks_off(then: str) -> None:
    broken = Turn((part_event({"text": "par"}),), then="reset" if then == "reset" else "close")
    played = play(broken, text("whole", pieces=1))
    cause = f"the connection to {played.server.origin[7:]} broke off"
    assert played.deltas == [
        TextDelta("par"),
        ReplyDiscarded(cause),
        Waiting(0.5, cause),
        TextDelta("whole"),
        played.message,
    ]


def test_message_comes_when_the_connection_breaks_after_its_finish() -> None:
    for turn in (Turn((part_event({"text": "hi"}, finish="STOP"),), then=then) for then in ("close", "reset")):
        played = play(turn)
        assert played.message.text == "hi"
        assert len(played.server.requests) == 1


@pytest.mark.parametrize("name", ["one_tool", "parallel_tools"])
def test_whole_reply_or_none_comes_when_a_stream_ends_at_any_byte(name: str) -> None:
    raw = (RECORDINGS / f"{name}.sse").read_bytes()
    finish = raw.index(b'"finishReason"')
    for place in range(0, len(raw), 29):
        played = play(stream_bytes(raw[:place], then="close"), stream_bytes(raw))
        assert len(played.server.requests) == 2 or place > finish
        assert len(played.message.tool_calls) == (1 if name == "one_tool" else 3)


def test_calls_of_a_cut_reply_never_come_when_it_is_never_whole() -> None:
    raw = (RECORDINGS / "truncated.sse").read_bytes()
    played = play(*[stream_bytes(raw)] * 5)
    assert isinstance(played.error, ServerError)
    assert str(played.error) == "the reply of gemini ended in the middle (5 tries). Try again later"
    assert not [delta for delta in played.deltas if isinstance(delta, AssistantMessage)]


def test_reply_is_asked_for_again_when_its_call_cannot_be_read() -> None:
    played = play(event_by_event("malformed"), text("b", pieces=1))
    assert played.deltas[1] == ReplyDiscarded("the reply of gemini holds a call that cannot be read")
    assert played.message.text == "b"


@pytest.mark.parametrize("name", ["refusal", "blocked"])
def test_message_says_so_when_a_filter_stops_it(name: str) -> None:
    played = play(stream_bytes((RECORDINGS / f"{name}.sse").read_bytes()))
    assert played.message.stop_reason == "content_filter"
    assert len(played.server.requests) == 1


@pytest.mark.parametrize(("name", "slept"), [("error", 0.5), ("listed_error", 34.4)])
def test_request_is_made_again_when_an_error_in_the_stream_may_pass(name: str, slept: float) -> None:
    played = play(event_by_event(name), text("whole"))
    assert played.message.text == "whole"
    assert played.slept == [slept]
    assert played.deltas[0] == TextDelta("par")
    assert isinstance(played.deltas[1], ReplyDiscarded)


RETRY: JsonObject = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}
LONG_RETRY: JsonObject = {**RETRY, "retryDelay": "3000s"}
KEY_INVALID: JsonObject = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


def test_server_is_obeyed_when_its_error_says_how_long_to_wait() -> None:
    played = play(refusal(429, "Quota exceeded.", "RESOURCE_EXHAUSTED", RETRY), text("hi"))
    assert played.slept == [17]
    assert played.deltas[0] == Waiting(17, "rate limit (429)")
    assert played.message.text == "hi"


@pytest.mark.parametrize(
    ("turn", "kind", "words"),
    [
        (
            refusal(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", KEY_INVALID),
            KeyRefusedError,
            'gemini refused the key: unauthorized (401): "API key not valid. Please pass a valid API key."',
        ),
        (refusal(403, "Permission denied.", "PERMISSION_DENIED"), KeyRefusedError, "unauthorized (403)"),
        (
            refusal(429, "Your prepayment credits are depleted.", "RESOURCE_EXHAUSTED"),
            NoCreditError,
            "gemini has no credit left for this (402)",
        ),
        (
            refusal(429, "Quota exceeded.", "RESOURCE_EXHAUSTED", LONG_RETRY),
            RateLimitedError,
            "Try again in 50 min",
        ),
        (
            refusal(404, "models/gemini-9 is not found for API version v1beta", "NOT_FOUND"),
            UnknownModelError,
            f"gemini does not serve {THREE} (404)",
        ),
        (
            refusal(400, "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576)."),
            ContextWindowError,
            f"too long for {THREE} (400)",
        ),
        (
            refusal(400, "User location is not supported for the API use.", "FAILED_PRECONDITION"),
            ProviderError,
            'refused the request (400): "User location',
        ),
    ],
)
def test_one_request_is_made_and_the_error_fits_when_the_server_refuses(
    turn: Turn, kind: type[ProviderError], words: str
) -> None:
    played = play(turn)
    assert type(played.error) is kind
    assert words in str(played.error)
    assert len(played.server.requests) == 1
    assert KEY not in repr(played.error) + str(played.error)


def test_request_is_made_without_the_level_when_the_model_does_not_know_it() -> None:
    said = refusal(400, "Thinking level LOW is not supported for this model. Please retry with other thinking level.")
    played = play(said, text("hi"), request=Request(THREE, "", (user_text("hi"),), effort="low"))
    first, second = (body["generationConfig"] for body in played.bodies)
    assert isinstance(first, dict)
    assert first["thinkingConfig"] == {"thinkingLevel": "LOW", "includeThoughts": True}
    assert second == {"maxOutputTokens": first["maxOutputTokens"]}
    assert played.message.text == "hi"
    assert played.slept == []


@pytest.mark.parametrize(
    "words",
    [
        "Function calling with a response mime type: 'application/json' is unsupported",
        "Unknown name \"responseJsonSchema\" at 'generation_config': Cannot find field.",
        "The specified schema produces a constraint that has too many states for serving.",
        "JSON mode is not enabled for this model",
    ],
)
def test_request_is_made_without_a_schema_when_the_server_takes_none(words: str) -> None:
    played = play(
        refusal(400, words), text("hi"), request=Request(THREE, "", (user_text("hi"),), schema={"type": "object"})
    )
    assert ["responseJsonSchema" in str(body) for body in played.bodies] == [True, False]
    assert played.message.text == "hi"


@pytest.mark.parametrize(
    "turn",
    [
        refusal(400, "Corrupted thought signature."),
        refusal(400, "Function call is missing a thought_signature in functionCall parts."),
        stream_bytes(part_event(finish="MISSING_THOUGHT_SIGNATURE")),
    ],
)
def test_request_is_made_without_old_signatures_when_one_is_refused(turn: Turn) -> None:
    played = play(turn, text("hi"), request=Request(THREE, "", CALLED))
    assert ["b2xk" in str(body) for body in played.bodies] == [True, False]
    assert [STAND_IN in str(body) for body in played.bodies] == [False, True]
    assert played.message.text == "hi"


def test_request_is_not_made_again_when_nothing_can_be_left_out() -> None:
    for words in ("Corrupted thought signature", "Bad response schema", "Thinking is bad", "Bad in another way"):
        played = play(refusal(400, words), request=Request("gemini-2.0-flash", "", (user_text("hi"),)))
        assert str(played.error) == f'gemini refused the request (400): "{words}"'
        assert len(played.server.requests) == 1


def test_everything_is_left_out_when_a_server_refuses_one_after_the_other() -> None:
    turns = (
        refusal(400, "Bad thought_signature"),
        refusal(400, "Bad responseSchema"),
        refusal(400, "Bad thinkingConfig"),
        text("hi"),
    )
    played = play(*turns, request=Request(THREE, "", CALLED, schema={"type": "object"}, effort="high"))
    assert played.message.text == "hi"
    assert played.bodies[-1]["generationConfig"] == {"maxOutputTokens": 32_000}


@pytest.mark.parametrize(
    ("complaint", "error"),
    [
        (Complaint(500, "thinking failed"), ServerError("x")),
        (Complaint(400, "thinking is too long"), ContextWindowError("x")),
        (Complaint(400, "thinking is filtered"), ContentFilteredError("x")),
        (Complaint(400, "bad"), ProviderError("x")),
    ],
)
def test_nothing_is_left_out_when_the_error_is_of_another_kind(complaint: Complaint, error: ProviderError) -> None:
    codec = GeminiCodec("gemini")
    before = codec.write(REQUEST)
    assert codec.relax(complaint, error) == ""
    assert codec.write(REQUEST) == before


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"error": {"code": 400, "message": "bad"}}, 'gemini refused the request (400): "bad"'),
        ([{"error": {"status": "INVALID_ARGUMENT", "message": KEY}}], 'gemini sent an error: "***"'),
    ],
)
def test_words_of_the_server_are_told_when_an_error_in_the_stream_is_final(said: JsonValue, message: str) -> None:
    whole = json.dumps(said).encode()
    for turn in (
        stream_bytes(part_event({"text": "par"}) + event(said)),
        Turn((whole,), 200, {"Content-Type": "application/json"}),
    ):
        played = play(turn)
        assert str(played.error) == message
        assert len(played.server.requests) == 1


def test_provider_is_connected_when_the_table_names_it() -> None:
    provider = connect(Endpoint("gemini", "http://127.0.0.1:1", KEY, "", "s"), Network(), PATHS)
    assert isinstance(provider, Remote)
    assert KEY not in repr(provider)


OTHER_SIGNATURE = b64encode(b'look {"at": "z"}').decode()


def test_fake_server_takes_a_history_when_it_is_sound() -> None:
    assert fault_of(sound()) == ""


def sound(**more: JsonValue) -> JsonObject:
    part: JsonObject = {
        "functionCall": {"id": "call_1_1", "name": "look", "args": {"at": "x"}},
        "thoughtSignature": sign("look", '{"at": "x"}'),
    }
    result: JsonObject = {"functionResponse": {"id": "call_1_1", "name": "look", "response": {"output": "seen"}}}
    history: list[JsonValue] = [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [part]},
        {"role": "user", "parts": [result]},
    ]
    return {"contents": history, **more}


@pytest.mark.parametrize(
    ("sought", "put", "fault"),
    [
        ('"role": "model"', '"role": "user"', "the roles do not take turns"),
        ('"role": "user", "parts": [{"text": "go"}]', '"role": "user", "parts": []', "a content has no parts"),
        ('"text": "go"', '"text": ""', "a text is empty"),
        ('"text": "go"', '"text": "go", "inlineData": {}', "a part holds"),
        ('"text": "go"', '"image": "go"', "a part holds"),
        ('"args"', '"arguments"', "functionCall has no field arguments"),
        ('{"at": "x"}', "[]", "this is no function call"),
        ('"name": "look", "args"', '"name": "l ook", "args"', "this is no function call"),
        ('"thoughtSignature"', '"thoughtSignature": "", "x"', "a part holds"),
        (sign("look", '{"at": "x"}'), "", "is missing a thought_signature"),
        (sign("look", '{"at": "x"}'), "?", "Corrupted thought signature"),
        (sign("look", '{"at": "x"}'), OTHER_SIGNATURE, "is that of another call"),
        ('"id": "call_1_1", "name": "look", "response"', '"name": "look", "response"', "do not answer"),
        ('"name": "look", "response"', '"name": "see", "response"', "do not answer"),
        ('{"output": "seen"}', '"seen"', "a function response is no object"),
    ],
)
def test_fake_server_refuses_a_history_when_a_real_one_would(sought: str, put: str, fault: str) -> None:
    raw = json.dumps(sound())
    assert sought in raw
    assert fault in fault_of(json.loads(raw.replace(sought, put, 1)))


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"model": "x"}, "body has no field model"),
        ({"generationConfig": {"temperature": 1}}, "generationConfig has no field temperature"),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}}, "only one of"),
        ({"tools": [{"functionDeclarations": [{"name": "x", "parameters": {}}]}]}, "has no field parameters"),
        ({"contents": []}, "no JSON object with contents"),
    ],
)
def test_fake_server_refuses_a_body_when_a_real_one_would(more: JsonObject, fault: str) -> None:
    assert fault in fault_of(sound(**more))


def test_content_filter_is_told_when_a_403_names_it() -> None:
    played = play(refusal(403, "Your input was flagged by moderation", "PERMISSION_DENIED"))
    assert isinstance(played.error, ContentFilteredError)
