from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import AssistantMessage, Message, TextPart, ToolCall, ToolResult, Usage, user_text
from cline_cli.agent.repair import INTERRUPTED, repair


def calls(*ids: str) -> AssistantMessage:
    return AssistantMessage(tuple(ToolCall(name, "look", "{}") for name in ids), "tool_calls", Usage())


def result(call_id: str, text: str = "seen") -> ToolResult:
    return ToolResult(call_id, (TextPart(text),))


def gap(call_id: str) -> ToolResult:
    return ToolResult(call_id, (TextPart(json.dumps({"error": INTERRUPTED})),), is_error=True)


ANSWER = AssistantMessage((TextPart("done"),), "stop")


@pytest.mark.parametrize(
    "sound",
    [
        [],
        [user_text("go")],
        [user_text("go"), ANSWER],
        [user_text("go"), user_text("and on"), ANSWER],
        [user_text("go"), calls("a", "b"), result("a"), result("b"), ANSWER],
        [user_text("go"), calls("a"), result("a"), user_text("no, the other one")],
        [user_text("go"), calls("a"), result("a", "one"), calls("a"), result("a", "two")],
    ],
)
def test_nothing_changes_when_the_history_is_sound(sound: list[Message]) -> None:
    assert repair(sound) == sound


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        pytest.param([calls("a", "b")], [calls("a", "b"), gap("a"), gap("b")], id="no result at the end"),
        pytest.param([calls("a"), ANSWER], [calls("a"), gap("a"), ANSWER], id="no result before a reply"),
        pytest.param([calls("a"), user_text("on")], [calls("a"), gap("a"), user_text("on")], id="none before a prompt"),
        pytest.param([calls("a", "b"), result("b")], [calls("a", "b"), gap("a"), result("b")], id="one of two"),
        pytest.param(
            [calls("a", "b"), result("b"), result("a")], [calls("a", "b"), result("a"), result("b")], id="another order"
        ),
        pytest.param(
            [calls("a"), user_text("on"), result("a")],
            [calls("a"), result("a"), user_text("on")],
            id="a prompt between",
        ),
        pytest.param([calls("a"), result("a"), result("a", "2")], [calls("a"), result("a")], id="answered twice"),
        pytest.param([user_text("go"), result("a"), ANSWER], [user_text("go"), ANSWER], id="an answer to nothing"),
        pytest.param([result("a"), user_text("go")], [user_text("go")], id="an answer at the beginning"),
        pytest.param([calls("a"), ANSWER, result("a")], [calls("a"), gap("a"), ANSWER], id="an answer too late"),
        pytest.param([calls("a", "a"), result("a")], [calls("a", "a"), result("a"), gap("a")], id="two of one name"),
    ],
)
def test_each_call_has_one_result_when_the_history_is_broken(broken: list[Message], mended: list[Message]) -> None:
    assert repair(broken) == mended


def test_a_made_up_result_is_json_that_tells_of_an_error() -> None:
    made_up = repair([calls("a")])[1]
    assert isinstance(made_up, ToolResult)
    assert made_up.is_error
    assert json.loads(made_up.text) == {"error": INTERRUPTED}


ids = st.sampled_from(("a", "b", "c"))
histories = st.lists(
    st.one_of(
        st.lists(ids, min_size=1, max_size=3).map(lambda names: calls(*names)),
        st.builds(result, ids, st.sampled_from(("one", "two"))),
        st.sampled_from((ANSWER, user_text("go"))),
    ),
    max_size=12,
)


def is_sound(messages: list[Message]) -> bool:
    expected: list[str] = []
    for message in messages:
        if isinstance(message, ToolResult):
            if not expected or message.call_id != expected.pop(0):
                return False
        elif expected:
            return False
        elif isinstance(message, AssistantMessage):
            expected = [call.id for call in message.tool_calls]
    return not expected


@given(histories)
def test_any_history_becomes_sound_and_loses_nothing_but_results(messages: list[Message]) -> None:
    mended = repair(messages)
    assert is_sound(mended)
    assert repair(mended) == mended
    assert [message for message in mended if not isinstance(message, ToolResult)] == [
        message for message in messages if not isinstance(message, ToolResult)
    ]


@given(histories)
def test_a_sound_history_stays_the_same_whatever_it_holds(messages: list[Message]) -> None:
    sound = repair(messages)
    assert all(one is other for one, other in zip(repair(sound), sound, strict=True))
