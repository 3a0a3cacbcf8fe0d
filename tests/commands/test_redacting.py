from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.events import (
    Event,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolSettled,
    ToolStarted,
    UsageUpdated,
)
from cline_cli.agent.messages import (
    AssistantMessage,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    user_text,
)
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, Waiting
from cline_cli.agent.tool import ToolOutput
from cline_cli.app import Chosen
from cline_cli.commands._redacting import Redacting, make_redactor
from cline_cli.errors import ServerError
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.redaction import MASK, Redactor

KEY = "sk-canary-5f0e9d2b"
CALL = ToolCall(f"id {KEY}", f"name {KEY}", f'{{"a": "{KEY}"}}')
MESSAGE = AssistantMessage((ThinkingPart(KEY, KEY), TextPart(f"it is {KEY}"), CALL), "tool_calls", model=KEY)
OUTPUT = ToolOutput((TextPart(f"saw {KEY}"),), KEY, answer=KEY)
USAGE = Usage(cost_usd=0.0)
EVENTS: tuple[Event, ...] = (
    RunStarted(f"model {KEY}"),
    MessageFinished(MESSAGE),
    ToolStarted(CALL, f"$ echo {KEY}"),
    ToolSettled(CALL, OUTPUT),
    ToolFinished(CALL, KEY, OUTPUT, 0.1),
    Notice("reply_cut", KEY, {KEY: [KEY, {"deep": KEY}]}),
    Waiting(1, KEY),
    ReplyDiscarded(KEY),
    RunFinished(KEY, USAGE, 1, 1, 0.1, ServerError(f"bad {KEY}", f"do {KEY}"), (KEY,), stdin={"name": KEY}),
)


def redacting() -> Redacting:
    return Redacting(Redactor([KEY]))


def told(*events: Event) -> list[Event]:
    one = redacting()
    return [made for event in events for made in one.take(event)]


def text_of(events: Sequence[Event], kind: type[TextDelta] | type[ThinkingDelta] = TextDelta) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_no_part_of_an_event_holds_the_key(event: Event) -> None:
    (made,) = told(event)
    assert type(made) is type(event)
    assert KEY not in repr(made)
    assert MASK in repr(made)


def test_an_event_is_the_same_object_when_it_holds_no_key() -> None:
    event = UsageUpdated(USAGE, USAGE)
    assert told(event)[0] is event
    finished = MessageFinished(AssistantMessage((TextPart("hi"),), "stop"))
    assert told(finished)[0] is finished


@given(st.lists(st.sampled_from([KEY, KEY[:5], KEY[5:], KEY[:-1], "sk-", "words "]), max_size=8), st.integers(1, 7))
def test_text_in_pieces_comes_as_the_whole_would_without_the_key(parts: list[str], size: int) -> None:
    whole = "".join(parts)
    pieces = [TextDelta(whole[at : at + size]) for at in range(0, len(whole), size)]
    assert text_of(told(*pieces, RunStarted("m"))) == whole.replace(KEY, MASK)


def test_text_and_thinking_keep_their_order_when_the_end_of_one_was_held_back() -> None:
    events = told(ThinkingDelta("hm sk-"), TextDelta("so sk-ca"), ThinkingDelta("and"), RunStarted("m"))
    assert events == [
        ThinkingDelta("hm "),
        ThinkingDelta("sk-"),
        TextDelta("so "),
        TextDelta("sk-ca"),
        ThinkingDelta("and"),
        RunStarted("m"),
    ]


def test_nothing_of_a_void_reply_comes_after_it_was_told_to_be_void() -> None:
    assert told(TextDelta("sk-ca"), ReplyDiscarded("cut"), TextDelta("nary"), RunStarted("m")) == [
        ReplyDiscarded("cut"),
        TextDelta("nary"),
        RunStarted("m"),
    ]


def test_output_of_calls_that_run_together_is_not_mixed() -> None:
    first, second = ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}")
    events = told(
        ToolProgress("a", f"1 {KEY[:9]}"),
        ToolProgress("b", f"2 {KEY[:9]}"),
        ToolProgress("a", f"{KEY[9:]}."),
        ToolSettled(first, ToolOutput(())),
        ToolSettled(second, ToolOutput(())),
    )
    pieces = [(event.call_id, event.text) for event in events if isinstance(event, ToolProgress)]
    assert pieces == [("a", "1 "), ("b", "2 "), ("a", f"{MASK}."), ("b", KEY[:9])]


def test_a_message_is_redacted_once_and_stays_the_same_object() -> None:
    one = redacting()
    history: list[Message] = [user_text(f"my key is {KEY}"), MESSAGE, ToolResult("a", (TextPart("nothing"),))]
    first = one.history(history)
    assert KEY not in repr(first)
    assert first[2] is history[2]
    again = one.history([*history, user_text("more")])
    assert all(new is old for new, old in zip(again, first, strict=False))
    assert KEY in repr(history)


def test_nothing_is_looked_at_when_there_is_no_key() -> None:
    one = Redacting(Redactor([]))
    history: list[Message] = [MESSAGE]
    assert one.history(history) is history
    assert list(one.take(EVENTS[1])) == [EVENTS[1]]


def choice(provider: str, key: str) -> Chosen:
    return Chosen(PROVIDERS[provider], Endpoint(provider, "http://here", key, "", ""), "m", ())


def test_the_key_of_the_run_and_those_in_the_environment_are_known() -> None:
    variables = {"GEMINI_API_KEY": "gm-canary-1", "PATH": "/usr/bin:/bin", "CLINE_KEY": "ck-canary-2"}
    known = make_redactor(choice("cline", KEY), variables)
    assert known.redact(f"{KEY} gm-canary-1 ck-canary-2 /usr/bin:/bin") == f"{MASK} {MASK} {MASK} /usr/bin:/bin"


def test_a_word_is_no_key_when_a_server_of_ones_own_takes_any() -> None:
    assert make_redactor(choice("ollama", "not-needed"), {}).redact("not-needed") == "not-needed"
    assert make_redactor(choice("cline", "not-needed"), {}).redact("not-needed") == MASK
