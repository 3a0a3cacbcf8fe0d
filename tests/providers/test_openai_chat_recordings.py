from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cline_cli.agent.messages import AssistantMessage, JsonValue, TextPart, ThinkingPart, ToolCall, Usage, user_text
from cline_cli.agent.provider import Request, TextDelta, ThinkingDelta
from cline_cli.agent.tool import ToolSpec
from cline_cli.errors import ContextWindowError, ServerError
from cline_cli.network.http import CutOffError
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._complaints import read_answer, read_error, to_error
from cline_cli.providers.openai_chat import ChatCodec
from tests.providers.play import ways_to_come

RECORDINGS = Path(__file__).parent.parent / "recordings"
TOOLS = (ToolSpec("read_files", "Reads.", {"type": "object"}, "reads"), ToolSpec("run_commands", "", {}, "changes"))
REQUEST = Request("m", "", (user_text("hi"),), TOOLS)
SONNET, QWEN = "anthropic/claude-sonnet-4.6", "qwen2.5-coder-0.5b"
BLOCK = '{"type":"reasoning.text","text":"I read.","format":"anthropic-claude-v1","index":0,"signature":"EqQBCk=="}'


def thought(provider: str, text: str, came_in: str) -> ThinkingPart:
    return ThinkingPart(text, f"openai_chat/{provider}:{came_in}")


def read_file(identity: str, path: str = "a.py", spaces: str = "") -> ToolCall:
    return ToolCall(identity, "read_files", f'{{"paths":{spaces}["{path}"]}}')


LS = '{"commands": ["ls"]}'
WHOLE = {
    "deepseek/thinking_and_tools": AssistantMessage(
        (
            thought("deepseek", "Two files, so two calls.", "reasoning_content"),
            read_file("call_00_A", spaces=" "),
            ToolCall("call_01_B", "run_commands", LS),
        ),
        "tool_calls",
        Usage(350, 40, 256),
        "deepseek-v4-flash",
    ),
    "deepseek/text": AssistantMessage(
        (thought("deepseek", "Easy.", "reasoning_content"), TextPart("Es ist 4 — 四。")),
        "stop",
        Usage(20, 9, 16),
        "deepseek-v4-flash",
    ),
    "groq/thinking_and_tool": AssistantMessage(
        (thought("groq", "I read it.", "reasoning"), read_file("fc_5d1c")),
        "tool_calls",
        Usage(210, 35),
        "openai/gpt-oss-120b",
    ),
    "mistral/thinking": AssistantMessage(
        (thought("mistral", "Seventeen times twenty-three.", "content"), TextPart("391")),
        "stop",
        Usage(28, 39),
        "mistral-medium-latest",
    ),
    "mistral/parallel_tools": AssistantMessage(
        (read_file("Ab3dE6gH9", spaces=" "), ToolCall("Kl2nO5qR8", "run_commands", LS)),
        "tool_calls",
        Usage(124, 46),
        "mistral-medium-latest",
    ),
    "mistral/model_length": AssistantMessage((TextPart("Too long"),), "length", Usage(12, 2), "mistral-medium-latest"),
    "openrouter/thinking_and_tool": AssistantMessage(
        (thought("openrouter", "I read.", f"[{BLOCK}]"), TextPart("Reading."), read_file("toolu_01B")),
        "tool_calls",
        Usage(900, 60, 512, 300, 0.00018 + 0.0036),
        SONNET,
    ),
    "xai/thinking_and_tool": AssistantMessage(
        (thought("xai", "A file, so I look.", "reasoning_content"), read_file("call_10024031")),
        "tool_calls",
        Usage(402, 31 + 119, 384, cost_usd=0.00152305),
        "grok-4.7",
    ),
    "ollama/thinking_and_tools": AssistantMessage(
        (thought("ollama", "Both files.", "reasoning"), read_file("call_bz9a1f"), read_file("call_x7k2qq", "b.py")),
        "tool_calls",
        Usage(180, 44),
        "qwen3:8b",
    ),
    "ollama/call_as_text": AssistantMessage(
        (read_file("call_1", spaces=" "),), "tool_calls", Usage(180, 24), "qwen3:8b"
    ),
    "llama-server/text": AssistantMessage((TextPart("你好\uff0c欢迎来到中国。"),), "stop", Usage(43, 7, 5), QWEN),
    "llama-server/length": AssistantMessage((TextPart("Sure, here are"),), "length", Usage(33, 4, 24), QWEN),
    "llama-server/one_tool": AssistantMessage(
        (read_file("79i7laRsITprT98BeRY5gFYAVQfxyVwE", "notes.txt", " "),), "tool_calls", Usage(176, 19, 175), QWEN
    ),
    "llama-server/no_arguments": AssistantMessage(
        (ToolCall("m1jOXhPeodEQM4X09mOQuXMec7INNSbf", "read_files", ""),), "tool_calls", Usage(198, 1, 190), QWEN
    ),
    "llama-server/fenced_call": AssistantMessage(
        (ToolCall("call_1", "read_files", '{\n    "paths": ["notes.txt"]\n  }'),),
        "tool_calls",
        Usage(174, 30, 173),
        QWEN,
    ),
    "llama-server/bare_call": AssistantMessage(
        (read_file("call_1", 'a.txt", "b.txt', " "),), "tool_calls", Usage(229, 23, 174), QWEN
    ),
}
SAID: dict[str, JsonValue] = {
    "deepseek/interrupted": {
        "code": "service_unavailable",
        "message": "the reply ended with insufficient_system_resource",
    },
    "groq/failed_call": {
        "message": "Tool call validation failed: parameters for tool read_files did not match schema",
        "type": "invalid_request_error",
        "code": "tool_use_failed",
        "failed_generation": "{}",
        "status_code": 400,
    },
    "openrouter/error": {"code": 502, "message": "Provider disconnected", "metadata": {"provider_name": "Google"}},
}


def record(name: str) -> bytes:
    return (RECORDINGS / f"{name}.sse").read_bytes()


def read_body(name: str) -> bytes:
    """Return a body that was not streamed; the recording has lines of ours before it."""
    return (RECORDINGS / f"{name}.body").read_bytes().split(b"\n\n")[1]


def read(name: str, pieces: Sequence[bytes]) -> tuple[list[ReplyDelta], AssistantMessage]:
    reader = ChatCodec(name.partition("/")[0]).read(REQUEST)
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas, reader.finish()


def test_every_recording_is_played_when_it_is_of_a_server_for_chat_completions() -> None:
    chat = {name for name, row in PROVIDERS.items() if row.module == "openai_chat"} - {"cline"}
    names = {f"{path.parent.name}/{path.stem}" for path in RECORDINGS.glob("*/*.sse") if path.parent.name in chat}
    assert names == WHOLE.keys() | SAID.keys()


@pytest.mark.parametrize("name", WHOLE)
def test_message_is_read_when_a_recording_is_whole(name: str) -> None:
    deltas, message = read(name, [record(name)])
    assert message == WHOLE[name]
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == message.text
    thinking = "".join(part.text for part in message.parts if isinstance(part, ThinkingPart))
    assert "".join(delta.text for delta in deltas if isinstance(delta, ThinkingDelta)) == thinking
    assert TextDelta("") not in deltas


@pytest.mark.parametrize("name", WHOLE)
def test_deltas_are_the_same_when_a_recording_is_cut_anywhere(name: str) -> None:
    whole = read(name, [record(name)])
    assert all(read(name, pieces) == whole for pieces in ways_to_come(record(name)))


@pytest.mark.parametrize("name", WHOLE)
def test_no_reply_counts_when_a_recording_breaks_off_before_its_finish(name: str) -> None:
    raw = record(name)
    end = raw.index(b'"finish_reason":"')
    for place in range(0, end, 11):
        with pytest.raises(CutOffError, match="ended in the middle"):
            read(name, [raw[:place]])


@pytest.mark.parametrize("name", SAID)
def test_error_is_given_out_when_a_recording_ends_with_one(name: str) -> None:
    with pytest.raises(ServerSaidError) as caught:
        read(name, [record(name)])
    assert caught.value.said == SAID[name]


@pytest.mark.parametrize(("name", "status"), [("deepseek/interrupted", 503), ("openrouter/error", 502)])
def test_another_try_is_worth_it_when_the_stream_was_interrupted(name: str, status: int) -> None:
    assert read_error(SAID[name], "").status == status


def test_message_is_read_when_llama_server_does_not_stream() -> None:
    reader = ChatCodec("llama-server").read(REQUEST)
    deltas = reader.feed_whole(read_body("llama-server/whole"))
    hello = "Hello! How can I assist you today?"
    assert deltas == [TextDelta(hello)]
    assert reader.finish() == AssistantMessage((TextPart(hello),), "stop", Usage(32, 10, 24), QWEN)


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [("llama-server/too_long", 400, ContextWindowError), ("llama-server/no_images", 500, ServerError)],
)
def test_errors_of_llama_server_are_told_apart_when_it_refuses(name: str, status: int, kind: type[Exception]) -> None:
    endpoint = Endpoint("llama-server", "http://h", "", "", "s")
    complaint = read_answer(status, {}, read_body(name), "")
    assert type(to_error(complaint, endpoint, "http://h/x", "m")) is kind
    assert complaint.words
