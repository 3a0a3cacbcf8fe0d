from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    UsageUpdated,
)
from cline_cli.agent.messages import AssistantMessage, JsonObject, TextPart, ThinkingPart, ToolCall, Usage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import Tool, ToolOutput
from cline_cli.errors import ClineError, LimitReachedError, ServerError, UsageError
from cline_cli.frontends.manner import Manner, RunFacts
from cline_cli.frontends.say_lines import SayLinesFrontEnd, failure_lines
from cline_cli.machine.output import Output
from tests.fakes import FakeClock, FakeTool

MANNER = Manner("say", facts=RunFacts("20261125-ab", "anthropic", "claude-x", mode="plan"))
COMMAND = ToolCall("c1", "run_commands", '{"commands": ["make", "make test"]}')
EDIT = ToolCall("c2", "editor", '{"path": "a.py"}')

Line = dict[str, Any]


class Recorder(Output):
    def __init__(self) -> None:
        super().__init__(None)
        self.data = b""

    async def write_some(self, data: memoryview) -> int:
        self.data += data
        return len(data)


def read(data: bytes) -> list[Line]:
    lines = data.decode().split("\n")
    assert lines.pop() == "", "the last line is whole"
    assert all(line.isprintable() for line in lines)
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def play(events: Sequence[Event | float], manner: Manner = MANNER) -> list[Line]:
    """Show the events, with pauses in seconds between them, and return the lines that were printed."""
    recorder, clock = Recorder(), FakeClock()

    async def main() -> None:
        front_end = SayLinesFrontEnd(recorder, manner, now=clock)
        for event in events:
            if isinstance(event, float):
                clock.now += event
            else:
                await front_end.show(event)
        await front_end.close()

    asyncio.run(main())
    return read(recorder.data)


def finished(text: str = "", error: ClineError | None = None) -> RunFinished:
    return RunFinished(text, Usage(200, 20), 2, 2, 2.5, error)


ONE_RUN: list[Event | float] = [
    RunStarted("claude-y"),
    IterationStarted(1, has_tools=True),
    ThinkingDelta("Tests first."),
    TextDelta("Let me look."),
    ToolCallDelta("editor", "{}"),
    UsageUpdated(Usage(100, 10, 40, 5, 0.25), Usage(100, 10, 40, 5, 0.25)),
    MessageFinished(AssistantMessage((ThinkingPart("Tests first."), TextPart("Let me look."), COMMAND), "tool_calls")),
    ToolStarted(COMMAND, "$ make (+1 more)"),
    ToolProgress("c1", "ok"),
    ToolFinished(COMMAND, "$ make (+1 more)", ToolOutput((), "exit 0"), 1),
    ToolStarted(EDIT, "edit a.py"),
    ToolFinished(EDIT, "edit a.py", ToolOutput((), "+1 -1"), 0),
    IterationStarted(2, has_tools=True),
    TextDelta("All pass."),
    UsageUpdated(Usage(100, 10), Usage(200, 20, 40, 5, 0.25)),
    MessageFinished(AssistantMessage((TextPart("All pass."),), "stop")),
    finished("All pass."),
]


def test_a_run_is_told_in_the_old_words_when_it_completes() -> None:
    first, *lines = play(ONE_RUN)
    assert first == {"type": "task_started", "taskId": "20261125-ab"}
    assert [(line["say"], line["text"], line.get("partial")) for line in lines if line["say"] != "api_req_started"] == [
        ("task", "", None),
        ("text", "Let me look.", True),
        ("reasoning", "Tests first.", None),
        ("text", "Let me look.", False),
        ("command", "make\nmake test", None),
        ("tool", '{"path":"a.py","tool":"editor"}', None),
        ("text", "All pass.", True),
        ("text", "All pass.", False),
        ("completion_result", "All pass.", False),
    ]


def test_every_line_says_which_model_and_where_in_the_history_it_stands() -> None:
    _, *lines = play(ONE_RUN)
    model = {"providerId": "anthropic", "modelId": "claude-y", "mode": "plan"}
    assert all(line["modelInfo"] == model and line["type"] == "say" and line["ts"] == 0 for line in lines)
    assert [line["conversationHistoryIndex"] for line in lines] == [-1, *[0] * 7, *[2] * 5]


def test_tokens_and_cost_are_told_when_a_reply_was_paid_for() -> None:
    requests = [json.loads(line["text"]) for line in play(ONE_RUN)[1:] if line["say"] == "api_req_started"]
    assert requests == [
        {"request": ""},
        {"request": "", "tokensIn": 100, "tokensOut": 10, "cacheReads": 40, "cacheWrites": 5, "cost": 0.25},
        {"request": ""},
        {"request": "", "tokensIn": 100, "tokensOut": 10, "cacheReads": 0, "cacheWrites": 0},
    ]


def texts(lines: list[Line]) -> Iterator[tuple[int, str, bool]]:
    return ((line["ts"], line["text"], line["partial"]) for line in lines if line.get("say") == "text")


def test_a_text_is_told_from_its_beginning_and_not_too_often_when_it_grows() -> None:
    message = MessageFinished(AssistantMessage((TextPart("abcd"),), "stop"))
    growing: list[Event | float] = [2.0, TextDelta("a"), 0.1, TextDelta("b"), 0.2, TextDelta("c"), TextDelta("d")]
    assert list(texts(play([*growing, message]))) == [(2000, "a", True), (2000, "abc", True), (2000, "abcd", False)]


def test_a_text_begins_anew_when_the_reply_is_void() -> None:
    void: list[Event | float] = [TextDelta("half"), ReplyDiscarded("cut"), 1.0, TextDelta("whole")]
    assert list(texts(play(void))) == [(0, "half", True), (1000, "whole", True)]


def test_the_error_is_told_when_a_run_fails() -> None:
    lines = play([RunStarted("m"), finished("half", ServerError("overloaded (529)", "Try again later"))])
    assert [(line["say"], line["text"]) for line in lines[2:]] == [("error", "overloaded (529). Try again later")]


def test_the_answer_is_told_too_when_a_limit_ended_the_run() -> None:
    lines = play([finished("so far", LimitReachedError("the limit of 1 turn was reached"))])
    assert [(line["say"], line["text"]) for line in lines] == [
        ("completion_result", "so far"),
        ("error", "the limit of 1 turn was reached"),
    ]


def test_nothing_is_told_of_what_the_old_words_did_not_know() -> None:
    assert play([Waiting(2, "rate limit"), Notice("reply_cut", "cut"), ThinkingDelta("hm")]) == []
    assert play([Compacted(118_000, 24_000, "agentic")]) == []


@pytest.mark.parametrize("arguments", ['{"commands": [1]}', '{"command": "ls"}', "[]", "{"])
def test_a_command_is_its_summary_when_its_arguments_are_strange(arguments: str) -> None:
    (line,) = play([ToolStarted(ToolCall("c", "bash", arguments), "$ ls")])
    assert (line["say"], line["text"]) == ("command", "ls")


def test_only_the_answer_is_told_when_it_is_quiet() -> None:
    lines = play(ONE_RUN, Manner("say", is_quiet=True))
    assert [(line["say"], line["text"]) for line in lines] == [("completion_result", "All pass.")]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(st.text(st.characters(categories=None)))
def test_every_line_can_be_parsed_when_texts_are_hostile(text: str) -> None:
    call = ToolCall(text, text, json.dumps({"commands": [text]}))
    message = MessageFinished(AssistantMessage((TextPart(text), ThinkingPart(text)), "stop"))
    started: list[Event | float] = [
        RunStarted(text),
        TextDelta(text),
        message,
        ToolStarted(call, f"$ {text}"),
        ToolStarted(call, "look"),
    ]
    lines = play([*started, finished(text)])
    assert lines[-1]["text"] == json.loads(json.dumps(text))
    assert lines[-1]["modelInfo"]["modelId"] == json.loads(json.dumps(text))


def test_the_error_is_all_when_the_run_never_started() -> None:
    (line,) = read(failure_lines(UsageError("no prompt was given", "Give one"), MANNER, 0.1, now=lambda: 1.5))
    assert (line["ts"], line["say"], line["text"]) == (1500, "error", "no prompt was given. Give one")


def test_a_question_goes_to_the_terminal_when_a_call_is_to_be_approved() -> None:
    async def question(tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
        return Deny(f"{tool.spec.name} {dict(arguments)}")

    front_end = SayLinesFrontEnd(Recorder(), MANNER, question=question)
    assert asyncio.run(front_end.ask(FakeTool(), {"a": 1})) == Deny("look {'a': 1}")
