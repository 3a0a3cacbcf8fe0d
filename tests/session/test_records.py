from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.events import RunFinished
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
from cline_cli.errors import ClineError, DeniedError, InterruptedRunError, TimedOutError
from cline_cli.session.records import (
    Header,
    from_end,
    from_header,
    from_message,
    parse_line,
    replay,
    to_header,
    to_line,
    to_message,
)

HEADER = Header("1754000000000_ab3xy", "2026-11-02T10:00:00+00:00", "/home/\udce9/x", "cline", "vendor/model", "act")


def has_pair(text: str) -> bool:
    return any("\ud800" <= first <= "\udbff" and "\udc00" <= second <= "\udfff" for first, second in pairwise(text))


texts = st.text(st.characters(), max_size=20).filter(lambda text: not has_pair(text))
tokens = st.integers(min_value=0, max_value=10**12)
usages = st.builds(
    Usage, tokens, tokens, tokens, tokens, st.none() | st.floats(allow_nan=False, min_value=0), st.booleans()
)
contents = st.lists(st.builds(TextPart, texts) | st.builds(ImagePart, texts, st.binary()), max_size=3).map(tuple)
replied = st.lists(
    st.builds(TextPart, texts) | st.builds(ThinkingPart, texts, texts) | st.builds(ToolCall, texts, texts, texts),
    max_size=4,
).map(tuple)
messages = (
    st.builds(UserMessage, contents)
    | st.builds(
        AssistantMessage, replied, st.sampled_from(("stop", "length", "tool_calls", "content_filter")), usages, texts
    )
    | st.builds(ToolResult, texts, contents, st.booleans())
)


@given(messages)
def test_a_message_is_the_same_when_it_comes_back(message: Message) -> None:
    line = to_line(from_message(message))
    assert to_message(parse_line(line)) == message
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def test_halves_of_a_character_are_joined_when_they_stand_together() -> None:
    message = user_text("\ud83d\ude00 and half: \ud83d")
    assert to_message(parse_line(to_line(from_message(message)))) == user_text("\U0001f600 and half: \ud83d")


def test_a_header_is_the_same_when_it_comes_back() -> None:
    assert to_header(parse_line(to_line(from_header(HEADER)))) == HEADER


def test_a_line_begins_with_its_type_and_a_header_with_its_version() -> None:
    assert to_line(from_header(HEADER)).startswith(b'{"type":"session","version":1,"id":"1754000000000_ab3xy",')
    assert to_line(from_message(user_text("go"))).startswith(b'{"type":"user",')


@pytest.mark.parametrize(
    ("error", "status", "exit_code"),
    [
        (None, "completed", 0),
        (ClineError("it broke"), "failed", 1),
        (DeniedError("it was denied"), "failed", 5),
        (TimedOutError("it took too long"), "failed", 124),
        (InterruptedRunError(15, "SIGTERM"), "cancelled", 143),
    ],
)
def test_the_end_tells_status_and_exit_code(error: ClineError | None, status: str, exit_code: int) -> None:
    record = from_end(RunFinished("text", Usage(7, 3, cost_usd=0.5), 2, 1, 4.0, error))
    assert record["status"] == status
    assert record["exit_code"] == exit_code
    assert record["usage"] == {
        "input_tokens": 7,
        "output_tokens": 3,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cost_usd": 0.5,
        "is_estimate": False,
    }


def test_messages_add_up_when_they_are_replayed() -> None:
    history: list[Message] = []
    told: list[Message] = [user_text("go"), AssistantMessage((TextPart("done"),), "stop")]
    for message in told:
        replay(from_message(message), history)
    assert history == told


def test_the_history_begins_anew_when_a_record_holds_all_of_it() -> None:
    history: list[Message] = [user_text("a long story"), AssistantMessage((TextPart("yes"),), "stop")]
    replay({"type": "history", "messages": [from_message(user_text("in short"))]}, history)
    assert history == [user_text("in short")]


@pytest.mark.parametrize("record", [{"type": "run_finished", "status": "failed"}, {"type": "of a later version"}])
def test_nothing_is_added_when_a_record_is_no_message(record: object) -> None:
    history: list[Message] = []
    replay(record, history)
    assert history == []


def test_members_that_are_not_known_are_passed_over() -> None:
    record = {**from_message(user_text("go")), "ts": 1, "mood": {"good": True}}
    assert to_message(record) == user_text("go")


USER = from_message(user_text("go"))
REPLY = from_message(AssistantMessage((), "stop"))
RESULT = from_message(ToolResult("a", ()))


@pytest.mark.parametrize(
    "record",
    [
        None,
        5,
        [],
        {},
        {"type": 3},
        {"type": "user"},
        {**USER, "parts": None},
        {**USER, "parts": "text"},
        {**USER, "parts": {"type": "text"}},
        {**USER, "parts": ["text"]},
        {**USER, "parts": [{"type": "text"}]},
        {**USER, "parts": [{"type": "text", "text": 5}]},
        {**USER, "parts": [{"type": "thinking", "text": "hm", "signature": ""}]},
        {**USER, "parts": [{"type": "image", "media_type": "image/png", "data": "!"}]},
        {**USER, "parts": [{"type": "image", "media_type": "image/png", "data": "\u00e9"}]},
        {**USER, "parts": [{"type": "sound", "data": ""}]},
        {**REPLY, "parts": [{"type": "image", "media_type": "image/png", "data": ""}]},
        {**REPLY, "parts": [{"type": "tool_call", "id": "a", "name": "look"}]},
        {**REPLY, "stop_reason": "tired"},
        {**REPLY, "stop_reason": None},
        {**REPLY, "model": None},
        {**REPLY, "usage": None},
        {**REPLY, "usage": {}},
        {**RESULT, "call_id": None},
        {**RESULT, "is_error": "no"},
        {"type": "history"},
        {"type": "history", "messages": {}},
        {"type": "history", "messages": [{"type": "run_finished"}]},
    ],
    ids=json.dumps,
)
def test_a_fault_is_told_and_nothing_is_added_when_a_record_is_malformed(record: object) -> None:
    history: list[Message] = [user_text("before")]
    with pytest.raises(ValueError, match="it "):
        replay(record, history)
    assert history == [user_text("before")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(("type", "parts", "text", "usage", "messages", "data")),
                inner | st.sampled_from(("user", "assistant", "tool_result", "history", "text", "image")),
            )
        ),
        max_leaves=12,
    )
)
def test_any_value_is_replayed_or_a_fault(value: object) -> None:
    history: list[Message] = []
    try:
        replay(value, history)
    except ValueError:
        assert history == []


@pytest.mark.parametrize("line", [b"", b"{", b"\xff\n", b'{"type":"user"', b"[" * 100_000, b"9" * 5000, b"\0" * 100])
def test_a_line_that_is_not_json_is_a_fault(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_line(line)


@pytest.mark.parametrize(
    "record", [None, {}, {**from_header(HEADER), "type": "user"}, {**from_header(HEADER), "cwd": None}, {"version": 1}]
)
def test_a_fault_is_told_when_a_record_is_no_header(record: object) -> None:
    with pytest.raises(ValueError, match="beginning of a session"):
        to_header(record)
