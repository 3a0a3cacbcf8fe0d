from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
    user_text,
)
from cline_cli.session.original import Entry, Names, from_document, from_usage, to_entries, to_usage

NAMES = Names("1754000000000_ab3xy", "cline")
CALLED = AssistantMessage(
    (
        ThinkingPart("first look", "sig=="),
        TextPart("I look."),
        ToolCall("c1", "read_files", '{"files": [{"path": "a.py"}]}'),
        ToolCall("c2", "run_commands", "{"),
    ),
    "tool_calls",
    Usage(120, 7, 100, 20, 0.25),
    "vendor/model",
)
HISTORY: list[Message] = [
    UserMessage((TextPart("go"), ImagePart("image/png", b"\x89PNG"))),
    CALLED,
    ToolResult("c1", (TextPart("1 | x"),)),
    ToolResult("c2", (TextPart('{"error": "no"}'),), is_error=True),
    user_text("Answer now."),
    AssistantMessage((TextPart("done"),), "stop", Usage(5, 1), "vendor/model"),
]


def entries_of(history: list[Message], first: int = 0) -> list[dict[str, object]]:
    timed = [Entry(message, 1000 + number) for number, message in enumerate(history)]
    return [dict(entry) for entry in to_entries(timed, NAMES, first)]


def test_every_kind_of_message_is_told_in_the_originals_words_when_it_is_written() -> None:
    assert entries_of(HISTORY) == [
        {
            "id": "msg_1754000000000_ab3xy_0",
            "role": "user",
            "content": [
                {"type": "text", "text": "go"},
                {"type": "image", "data": "iVBORw==", "mediaType": "image/png"},
            ],
            "ts": 1000,
        },
        {
            "id": "msg_1754000000000_ab3xy_1",
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "first look", "signature": "sig=="},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "read_files", "input": {"files": [{"path": "a.py"}]}},
                {"type": "tool_use", "id": "c2", "name": "run_commands", "input": {"unparsed": "{"}},
            ],
            "modelInfo": {"id": "vendor/model", "provider": "cline"},
            "metrics": {
                "inputTokens": 120,
                "outputTokens": 7,
                "cacheReadTokens": 100,
                "cacheWriteTokens": 20,
                "cost": 0.25,
            },
            "ts": 1001,
        },
        {
            "id": "msg_1754000000000_ab3xy_2",
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "name": "read_files",
                    "content": [{"type": "text", "text": "1 | x"}],
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "name": "run_commands",
                    "content": [{"type": "text", "text": '{"error": "no"}'}],
                    "is_error": True,
                },
            ],
            "ts": 1002,
        },
        {
            "id": "msg_1754000000000_ab3xy_4",
            "role": "user",
            "content": [{"type": "text", "text": "Answer now."}],
            "ts": 1004,
        },
        {
            "id": "msg_1754000000000_ab3xy_5",
            "role": "assistant",
            "content": [{"type": "text", "text": "done"}],
            "modelInfo": {"id": "vendor/model", "provider": "cline"},
            "metrics": {"inputTokens": 5, "outputTokens": 1, "cacheReadTokens": 0, "cacheWriteTokens": 0},
            "ts": 1005,
        },
    ]


@pytest.mark.parametrize("first", [0, 1, 2, 4, 5, 6])
def test_the_same_entries_are_told_when_they_are_told_in_two_parts(first: int) -> None:
    assert entries_of(HISTORY[:first]) + entries_of(HISTORY, first) == entries_of(HISTORY)


def test_what_was_written_is_read_back_when_it_is_a_document() -> None:
    document = json.loads(json.dumps({"version": 1, "messages": entries_of(HISTORY)}))
    read = list(from_document(document))
    arguments = json.loads(read[1].message.tool_calls[0].arguments)  # type: ignore[union-attr]
    assert arguments == {"files": [{"path": "a.py"}]}
    assert [entry.message for entry in read[:1] + read[2:]] == HISTORY[:1] + HISTORY[2:]
    assert [entry.time_ms for entry in read] == [1000, 1001, 1002, 1002, 1004, 1005]


def test_what_a_tool_of_theirs_answered_is_told_when_it_is_a_list_of_its_own() -> None:
    answer = [{"query": "make test", "result": "1 failed", "success": False}]
    block = {"type": "tool_result", "tool_use_id": "c", "name": "run_commands", "content": answer}
    [entry] = from_document({"messages": [{"role": "user", "content": [block]}]})
    assert isinstance(entry.message, ToolResult)
    assert json.loads(entry.message.text) == answer


def test_the_tag_around_what_a_person_said_is_left_out_when_theirs_has_one() -> None:
    text = '<user_input mode="act">fix it\n</user_input>'
    document = {"messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]}
    assert [entry.message for entry in from_document(document)] == [user_text("fix it\n")]


def test_a_document_of_theirs_is_read_when_it_has_what_is_not_made_here() -> None:
    document = {
        "messages": [
            {"role": "user", "content": "plain words"},
            {
                "role": "user",
                "content": [
                    {"type": "file", "path": "/w/a.py", "content": "x = 1"},
                    {"type": "media", "media": {"mediaType": "video/mp4"}},
                    {"type": "image", "data": "not base64!", "mediaType": "image/png"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lG"}},
                ],
                "ts": 7,
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "redacted_thinking", "data": "x"},
                    {"type": "tool_use", "id": "c", "name": "look"},
                ],
                "modelInfo": "none",
                "metrics": {"inputTokens": "many", "outputTokens": -1, "cost": True},
            },
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "and then"},
                    {"type": "tool_result", "tool_use_id": "c", "content": {"rows": [1]}},
                    {"type": "tool_result", "tool_use_id": "d", "content": None},
                ],
            },
            {"role": "assistant", "content": []},
        ]
    }
    assert [entry.message for entry in from_document(document)] == [
        user_text("plain words"),
        UserMessage(
            (
                TextPart('<file_content path="/w/a.py">\nx = 1\n</file_content>'),
                TextPart("[an image (image/png) that cannot be read]"),
                ImagePart("image/gif", b"GIF"),
            )
        ),
        AssistantMessage((ToolCall("c", "look", "{}"),), "tool_calls", Usage(), ""),
        ToolResult("c", (TextPart('{"rows": [1]}'),)),
        ToolResult("d", (TextPart(""),)),
        user_text("and then"),
    ]


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (None, "no list of messages"),
        ({"messages": {}}, "no list of messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "message 1 has no role or no content"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "user"}]}, "message 2 has no role or no content"),
        ({"messages": [7]}, "message 1 has no role or no content"),
    ],
)
def test_a_fault_is_told_when_it_is_no_document(document: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        list(from_document(document))


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), 10**400, -1, "1", True])
def test_a_cost_is_unknown_when_it_is_no_amount(cost: object) -> None:
    assert to_usage({"inputTokens": 3, "cost": cost}, "cost") == Usage(3)


@pytest.mark.parametrize("arguments", ["NaN", "[1]", '{"x": NaN}', "7", "[" * 100_000])
def test_a_calls_text_is_kept_when_it_is_no_object_that_every_parser_reads(arguments: str) -> None:
    [entry] = entries_of([AssistantMessage((ToolCall("c", "look", arguments),), "tool_calls")])
    content = json.loads(json.dumps(entry["content"], allow_nan=False))
    assert content[0]["input"] == {"unparsed": arguments}
    [read] = from_document({"messages": [entry]})
    assert isinstance(read.message, AssistantMessage)
    assert read.message.tool_calls[0].arguments == arguments


def test_usage_is_read_back_when_it_was_written() -> None:
    usage = Usage(9, 8, 7, 6, 0.5)
    assert to_usage(from_usage(usage, "totalCost"), "totalCost") == usage
    assert to_usage(None, "cost") == Usage()


def has_pair(text: str) -> bool:
    return any("\ud800" <= first <= "\udbff" and "\udc00" <= second <= "\udfff" for first, second in pairwise(text))


texts = st.text(st.characters(), min_size=1, max_size=20).filter(lambda text: not has_pair(text))
contents = st.lists(st.builds(TextPart, texts) | st.builds(ImagePart, texts, st.binary()), min_size=1, max_size=3)
replies = st.lists(st.builds(TextPart, texts) | st.builds(ThinkingPart, texts, texts), min_size=1, max_size=3)
messages = (
    st.builds(UserMessage, contents.map(tuple))
    | st.builds(AssistantMessage, replies.map(tuple), st.just("stop"), st.builds(Usage, st.integers(0, 10**9)), texts)
    | st.builds(ToolResult, texts, contents.map(tuple), st.booleans())
)


@given(st.lists(messages, max_size=8))
def test_any_history_is_read_back_when_it_was_written(history: list[Message]) -> None:
    timed = [Entry(message, 5) for message in history]
    document = json.loads(json.dumps({"messages": list(to_entries(timed, NAMES))}))
    assert list(from_document(document)) == timed
