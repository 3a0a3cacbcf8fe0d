from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    LeftoverProcess,
    MessageFinished,
    Notice,
    NoticeReason,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    UsageUpdated,
)
from cline_cli.agent.loop import Agent
from cline_cli.agent.messages import AssistantMessage, ImagePart, JsonObject, TextPart, ThinkingPart, ToolCall, Usage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import Tool, ToolOutput
from cline_cli.errors import (
    ClineError,
    DeniedError,
    ErrorClass,
    InterruptedRunError,
    LimitReachedError,
    MistakesError,
    RateLimitedError,
    ServerError,
    TimedOutError,
    UsageError,
)
from cline_cli.frontends._lines import parse_json, to_json
from cline_cli.frontends.json_lines import JsonLinesFrontEnd, failure_lines, to_timestamp
from cline_cli.frontends.manner import Manner, RunFacts
from cline_cli.machine.output import Output
from tests.fakes import FakeProvider, FakeTool, approve_all, collect, deny_all, reply, tools

DOCS = Path(__file__).parent.parent.parent / "docs"
SCHEMA = json.loads((DOCS / "json.schema.json").read_text("utf-8"))
SPOOLED = {"kind": "pipe", "status": "spooled", "bytes": 1}
PAGE = (DOCS / "json.md").read_text("utf-8")
VALIDATOR = Draft202012Validator(SCHEMA)
FACTS = RunFacts("20261125-ab", "anthropic", "claude-x", cwd="/work")
MANNER = Manner("json", facts=FACTS)
CALL = ToolCall("call_1", "run_commands", '{"commands": ["pytest -q"]}')
RESULT = '[{"query": "pytest -q", "result": "2 passed\\n", "success": true}]'
HOSTILE = '\x00\x1b]0;t\x07\x9b2J\x7f\u2028\u2029\x85\u202e\u2066\ud800\udfff\ufeff\U000e0041\n\r\t"\\ \u200d é語😀'

Line = dict[str, Any]


class Recorder(Output):
    """Keeps each write, and takes no more of one than it is told to."""

    def __init__(self, most: int = 1 << 30) -> None:
        super().__init__(None)
        self.writes: list[bytes] = []
        self.room = asyncio.Event()
        self.room.set()
        self.most = most

    async def write_some(self, data: memoryview) -> int:
        await self.room.wait()
        self.writes.append(bytes(data[: self.most]))
        return len(self.writes[-1])


def read(data: bytes) -> list[Line]:
    """Return the lines, after a look at each: whole, valid, and nothing in it steers a terminal."""
    text = data.decode()
    lines = text.split("\n")
    assert lines.pop() == "", "the last line is whole"
    assert all(line.isprintable() for line in lines)
    parsed = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    for line in parsed:
        assert next(iter(line)) == "ts"
        VALIDATOR.validate(line)
    return parsed


def play(events: Sequence[Event], manner: Manner = MANNER) -> list[Line]:
    """Show the events, and return the lines that were printed."""
    recorder = Recorder()

    async def main() -> None:
        front_end = JsonLinesFrontEnd(recorder, manner)
        for event in events:
            await front_end.show(event)
        await front_end.close()

    asyncio.run(main())
    assert all(write.endswith(b"\n") and write.count(b"\n") == 1 for write in recorder.writes), "one write a line"
    return read(b"".join(recorder.writes))


def shown(event: Event, manner: Manner = MANNER) -> list[Line]:
    """Return what one event adds after the start of a run."""
    return play([RunStarted("claude-x"), event], manner)[2:]


def name(line: Line) -> str:
    """Return what a line is, in a few words."""
    if line["type"] == "hook_event":
        return str(line["hookEventName"])
    if line["type"] != "agent_event":
        return str(line["type"])
    event = line["event"]
    content = f" {event['contentType']}" if "contentType" in event else ""
    return f"{event['type']}{content}"


def finished(text: str = "", error: ClineError | None = None, **more: Any) -> RunFinished:
    return RunFinished(text, Usage(200, 20, 80, 0, 0.0012), 2, 1, 2.5, error, **more)


ONE_RUN: list[Event] = [
    RunStarted("claude-x"),
    IterationStarted(1, has_tools=True),
    ThinkingDelta("Tests "),
    ThinkingDelta("first."),
    TextDelta("Let me "),
    TextDelta("look."),
    ToolCallDelta("run_commands", CALL.arguments),
    UsageUpdated(Usage(100, 10, 40, 0, 0.0006), Usage(100, 10, 40, 0, 0.0006)),
    MessageFinished(
        AssistantMessage((ThinkingPart("Tests first.", "s"), TextPart("Let me look."), CALL), "tool_calls")
    ),
    ToolStarted(CALL, "$ pytest -q"),
    ToolProgress(CALL.id, "2 passed\n"),
    ToolFinished(CALL, "$ pytest -q", ToolOutput((TextPart(RESULT),), "exit 0, 1.2 s"), 1.2, tool="run_commands"),
    IterationStarted(2, has_tools=True),
    TextDelta("All pass."),
    UsageUpdated(Usage(100, 10, 40, 0, 0.0006), Usage(200, 20, 80, 0, 0.0012)),
    MessageFinished(AssistantMessage((TextPart("All pass."),), "stop")),
    finished("All pass."),
]


def test_a_run_is_told_in_order_when_it_completes() -> None:
    assert [name(line) for line in play(ONE_RUN)] == [
        "run_start",
        "agent_start",
        "iteration_start",
        "content_start reasoning",
        "content_start reasoning",
        "content_start text",
        "content_start text",
        "usage",
        "content_end reasoning",
        "content_end text",
        "content_start tool",
        "tool_call",
        "content_update tool",
        "tool_result",
        "content_end tool",
        "iteration_end",
        "iteration_start",
        "content_start text",
        "usage",
        "content_end text",
        "iteration_end",
        "done",
        "agent_end",
        "run_result",
    ]


def test_the_lines_say_what_happened_when_a_run_completes() -> None:
    lines = play(ONE_RUN)
    events = [line["event"] for line in lines if line["type"] == "agent_event"]
    assert [
        event["text"] for event in events if name({"type": "agent_event", "event": event}) == "content_end text"
    ] == [
        "Let me look.",
        "All pass.",
    ]
    tool = {"contentType": "tool", "toolCallId": "call_1", "toolName": "run_commands"}
    assert {"type": "content_start", **tool, "input": {"commands": ["pytest -q"]}} in events
    assert {"type": "content_update", **tool, "update": {"stream": "stdout", "chunk": "2 passed\n"}} in events
    assert {"type": "content_end", **tool, "output": json.loads(RESULT), "durationMs": 1200} in events
    assert {"type": "iteration_end", "iteration": 1, "hadToolCalls": True, "toolCallCount": 1} in events
    assert {"type": "iteration_end", "iteration": 2, "hadToolCalls": False, "toolCallCount": 0} in events
    usage = events[-4]
    assert (usage["inputTokens"], usage["totalInputTokens"], usage["totalCost"]) == (100, 200, 0.0012)


def test_the_last_line_holds_the_whole_outcome_when_a_run_completes() -> None:
    usage = {
        "inputTokens": 200,
        "outputTokens": 20,
        "cacheReadTokens": 80,
        "cacheWriteTokens": 0,
        "totalCost": 0.0012,
        "isEstimate": False,
    }
    left = LeftoverProcess(71, "sleep 300", is_ended=True)
    run = finished(
        "All pass.", denied=("rm x",), leftover_processes=(left,), stdin={"kind": "pipe", "status": "sent", "bytes": 3}
    )
    result = play([*ONE_RUN[:-1], run])[-1]
    del result["ts"]
    assert result == {
        "type": "run_result",
        "finishReason": "completed",
        "exitCode": 0,
        "text": "All pass.",
        "iterations": 2,
        "toolCalls": 1,
        "usage": usage,
        "aggregateUsage": usage,
        "durationMs": 2500,
        "model": {"id": "claude-x", "provider": "anthropic"},
        "session_id": "20261125-ab",
        "sessionId": "20261125-ab",
        "denied": ["rm x"],
        "stdin": {"kind": "pipe", "status": "sent", "bytes": 3},
        "leftoverProcesses": [{"pid": 71, "command": "sleep 300", "ended": True}],
    }


def test_the_first_line_says_what_runs_when_a_run_starts() -> None:
    start = play([RunStarted("claude-y")])[0]
    assert start["schemaVersion"] == 1
    assert start["session_id"] == start["sessionId"] == "20261125-ab"
    assert (start["providerId"], start["modelId"], start["mode"], start["cwd"]) == (
        "anthropic",
        "claude-y",
        "act",
        "/work",
    )
    assert start["thinking"] == "default"


@pytest.mark.parametrize("event", [finished(), Waiting(0, "loading the model")])
def test_the_run_start_comes_first_when_a_run_never_said_that_it_started(event: Event) -> None:
    lines = play([event])
    assert [name(line) for line in lines[:2]] == ["run_start", "agent_start"]
    assert lines[0]["modelId"] == "claude-x"


@pytest.mark.skipif(not shutil.which("jq"), reason="there is no jq here")
@pytest.mark.parametrize(
    "recipe",
    [
        'select(.type=="agent_event" and .event.type=="done") | .event.text',
        'select(.type=="run_result") | .text',
    ],
)
def test_jq_finds_the_answer_when_a_run_completes(recipe: str) -> None:
    assert recipe in PAGE
    data = "".join(f"{json.dumps(line)}\n" for line in play(ONE_RUN))
    done = subprocess.run(["jq", "-r", recipe], input=data, capture_output=True, text=True, check=True)
    assert done.stdout == "All pass.\n"


def test_only_the_result_is_printed_when_it_is_quiet() -> None:
    lines = play(ONE_RUN, Manner("json", is_quiet=True, facts=RunFacts("s", "p")))
    assert [name(line) for line in lines] == ["run_result"]
    assert lines[0]["model"] == {"id": "claude-x", "provider": "p"}


@pytest.mark.parametrize(
    ("error", "finish_reason", "done"),
    [
        (RateLimitedError("rate limit (429)", "Try later"), "error", "error"),
        (DeniedError("not allowed: rm x"), "error", "error"),
        (MistakesError("6 turns failed"), "mistake_limit", "error"),
        (LimitReachedError("the limit of 1 turn"), "max_iterations", "error"),
        (TimedOutError("timed out after 2 s"), "aborted", "aborted"),
        (InterruptedRunError(15, "SIGTERM"), "aborted", "aborted"),
    ],
)
def test_the_failure_is_told_before_the_end_when_a_run_fails(error: ClineError, finish_reason: str, done: str) -> None:
    lines = play([RunStarted("m"), IterationStarted(1, has_tools=True), finished("so far", error)])[3:]
    assert [name(line) for line in lines] == ["iteration_end", "error", "done", "agent_error", "run_result"]
    told = {"name": type(error).__name__, "message": error.message, "hint": error.hint}
    assert lines[1]["event"]["error"] == told
    assert lines[1]["event"]["errorClass"] == lines[-1]["errorClass"] == error.error_class
    assert (lines[2]["event"]["reason"], lines[2]["event"]["text"]) == (done, "so far")
    assert lines[-1]["error"] == told
    assert (lines[-1]["finishReason"], lines[-1]["exitCode"], lines[-1]["text"]) == (
        finish_reason,
        error.exit_code,
        "so far",
    )


def test_the_schema_knows_every_class_of_error_and_every_reason_for_a_notice() -> None:
    assert SCHEMA["$defs"]["errorClass"]["enum"] == list(get_args(ErrorClass))
    reasons = set(get_args(NoticeReason)) | {"retry", "waiting", "reply_discarded", "auto_compaction"}
    assert set(SCHEMA["$defs"]["notice"]["properties"]["reason"]["enum"]) == reasons


def test_a_pause_is_a_notice_when_a_request_is_tried_again() -> None:
    notice = shown(Waiting(1.5, "rate limit (429)"))[0]["event"]
    assert (notice["reason"], notice["metadata"]) == ("retry", {"delayMs": 1500})
    assert notice["message"] == "waiting 1.5 s: rate limit (429)"
    notice = shown(Waiting(0, "loading the model"))[0]["event"]
    assert (notice["reason"], notice["message"], notice["metadata"]) == ("waiting", "loading the model", {})


def test_a_shorter_history_is_a_notice_with_its_sizes() -> None:
    event = Compacted(118_000, 24_000, "basic", is_forced=True, fallback="the server\nis down")
    notice = shown(event)[0]["event"]
    assert notice["reason"] == "auto_compaction"
    assert notice["metadata"] == {
        "beforeTokens": 118_000,
        "afterTokens": 24_000,
        "manner": "basic",
        "isForced": True,
        "fallback": "the server\nis down",
    }
    assert "118k -> 24k tokens" in notice["message"]


def test_a_void_reply_is_a_notice_and_no_content_when_it_broke_off() -> None:
    lines = play(
        [
            RunStarted("m"),
            IterationStarted(1, has_tools=False),
            TextDelta("ha"),
            ReplyDiscarded("the connection was cut"),
            TextDelta("whole"),
            MessageFinished(AssistantMessage((TextPart("whole"),), "stop")),
        ]
    )
    assert [name(line) for line in lines[3:]] == [
        "content_start text",
        "notice",
        "content_start text",
        "content_end text",
    ]
    assert lines[4]["event"]["reason"] == "reply_discarded"
    assert "the connection was cut" in lines[4]["event"]["message"]
    assert lines[-1]["event"]["text"] == "whole"


def test_notices_keep_their_reason() -> None:
    notice = shown(Notice("answer_refused", "no document"))[0]["event"]
    assert (notice["reason"], notice["message"], notice["displayRole"]) == ("answer_refused", "no document", "status")


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (ToolOutput((TextPart("plain"),), "ok"), {"output": "plain"}),
        (ToolOutput((TextPart('{"a": 1}'), TextPart("(a note)")), "ok"), {"output": {"a": 1}}),
        (ToolOutput((TextPart("one"), ImagePart("image/png", b"x"), TextPart("two")), "ok"), {"output": "one\ntwo"}),
        (ToolOutput((TextPart("42"),), "ok"), {"output": "42"}),
        (ToolOutput((TextPart("[NaN]"),), "ok"), {"output": "[NaN]"}),
        (ToolOutput((), "ok"), {"output": ""}),
        (ToolOutput((TextPart('{"error": "no"}'),), "no, never", is_error=True), {"error": "no, never"}),
        (
            ToolOutput((TextPart('[{"success": false}]'),), "exit 1", is_error=True),
            {"error": "exit 1", "output": [{"success": False}]},
        ),
        (ToolOutput((TextPart("broken"),), "", is_error=True), {"error": "failed", "output": "broken"}),
    ],
)
def test_a_call_ends_with_its_output_or_its_error(output: ToolOutput, told: JsonObject) -> None:
    hook, line = shown(ToolFinished(CALL, "$ pytest", output, 0.0314))
    assert name(hook) == "tool_result"
    event = line["event"]
    assert {key: event[key] for key in ("output", "error") if key in event} == told
    assert event["durationMs"] == 31


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"path": "a.py"}', {"path": "a.py"}),
        ("", {}),
        ('{"path": "a', '{"path": "a'),
        ('{"n": NaN}', '{"n": NaN}'),
        ('{"n": 1e999}', '{"n": 1e999}'),
        ('{"n": -Infinity}', '{"n": -Infinity}'),
        ('{"n": ' + "9" * 5000 + "}", '{"n": ' + "9" * 5000 + "}"),
        ("[" * 201 + "]" * 201, "[" * 201 + "]" * 201),
        ("[" * 100_000, "[" * 100_000),
    ],
    ids=["object", "empty", "cut", "nan", "huge float", "infinity", "huge integer", "deep", "very deep"],
)
def test_the_arguments_are_text_when_they_are_no_json_that_others_read(arguments: str, told: object) -> None:
    line, hook = shown(ToolStarted(ToolCall("c", "look", arguments), "look"))
    assert line["event"]["input"] == told
    assert name(hook) == "tool_call"


def test_the_answer_is_parsed_when_it_is_a_document() -> None:
    manner = Manner("json", facts=RunFacts(has_schema=True))
    assert shown(finished('{"a": [1, null]}'), manner)[-1]["output"] == {"a": [1, None]}
    assert shown(finished('{"a": 1}', DeniedError("no")), manner)[-1]["output"] == {"a": 1}
    assert "output" not in shown(finished("", DeniedError("no")), manner)[-1]
    assert "output" not in shown(finished('{"a": 1}', ServerError("no")), manner)[-1]
    assert "output" not in shown(finished("[" * 300 + "]" * 300), manner)[-1]
    assert "output" not in shown(finished('{"a": 1}'))[-1]


@pytest.mark.parametrize("cost", [None, float("nan"), float("inf")])
def test_the_cost_is_null_when_it_is_not_known(cost: float | None) -> None:
    usage = Usage(1, 2, 3, 4, cost, is_estimate=True)
    event = shown(UsageUpdated(usage, usage))[0]["event"]
    assert event["cost"] is None
    assert event["totalCost"] is None
    assert event["isEstimate"] is True
    result = shown(RunFinished("", usage, 1, 0, 1, None))[-1]
    assert (result["usage"]["totalCost"], result["usage"]["cacheWriteTokens"]) == (None, 4)


def test_iterations_begin_and_end_in_pairs_when_a_run_is_stopped_in_the_middle() -> None:
    for count in range(1, len(ONE_RUN)):
        names = [name(line) for line in play([*ONE_RUN[:count], finished("", TimedOutError("timed out"))])]
        assert names.count("iteration_start") == names.count("iteration_end")
        assert names[-4:] == ["error", "done", "agent_error", "run_result"]


@pytest.mark.parametrize("approve", [approve_all, deny_all])
def test_every_line_is_valid_when_an_agent_runs(approve: Any) -> None:
    calls = (ToolCall("a", "look", '{"x": 1}'), ToolCall("b", "change", "{}"), ToolCall("c", "gone", "{"))
    provider = FakeProvider([[reply("I look.", *calls)], [reply("")], [reply("Done.")]])
    found = tools(FakeTool(), FakeTool("change", RuntimeError("broken"), effect="changes"))
    agent = Agent(provider, "m", "", found, tuple(tool.spec for tool in found.values()), approve)
    names = [name(line) for line in play(asyncio.run(collect(agent)))]
    assert names.count("content_start tool") == names.count("content_end tool") == 3
    assert names[-1] == "run_result"


def test_a_question_goes_to_the_terminal_when_a_call_is_to_be_approved() -> None:
    async def question(tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
        return Deny(f"{tool.spec.name} {dict(arguments)}")

    front_end = JsonLinesFrontEnd(Recorder(), MANNER, question=question)
    assert asyncio.run(front_end.ask(FakeTool(), {"a": 1})) == Deny("look {'a': 1}")


TEXTS = st.one_of(st.text(st.characters(categories=None)), st.text(st.sampled_from(HOSTILE)))


def check_that_it_arrives(text: str) -> None:
    """Put the text everywhere in a run, and look whether it comes out."""
    call = ToolCall(text, text, json.dumps({text: text}))
    facts = RunFacts(text, text, text, thinking=text, cwd=text)
    error = RateLimitedError(text, text)
    left = LeftoverProcess(1, text, is_ended=False)
    lines = play(
        [
            RunStarted(text),
            IterationStarted(1, has_tools=True),
            TextDelta(text),
            ThinkingDelta(text),
            Waiting(1, text),
            ReplyDiscarded(text),
            Notice("reply_cut", text),
            MessageFinished(AssistantMessage((TextPart(text), ThinkingPart(text)), "stop")),
            ToolStarted(call, text),
            ToolProgress(text, text),
            ToolFinished(call, text, ToolOutput((TextPart(json.dumps([text])),), text, is_error=True), 0),
            finished(text, error, denied=(text,), leftover_processes=(left,), stdin={**SPOOLED, "path": text}),
        ],
        Manner("json", facts=facts),
    )
    joined = json.loads(json.dumps(text))  # two halves of a surrogate pair are one character in JSON
    events = [line["event"] for line in lines if line["type"] == "agent_event"]
    assert events[1] == {"type": "content_start", "contentType": "text", "text": joined}
    assert events[2]["reasoning"] == joined
    assert [event["input"] for event in events if "input" in event] == [{joined: joined}]
    assert [event["output"] for event in events if "output" in event] == [[joined]]
    result = lines[-1]
    assert result["text"] == result["error"]["message"] == result["sessionId"] == joined
    assert (result["denied"], result["stdin"]) == ([joined], {**SPOOLED, "path": joined})


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(TEXTS)
@example(HOSTILE)
def test_every_text_arrives_and_steers_nothing_when_it_is_hostile(text: str) -> None:
    check_that_it_arrives(text)


def test_every_text_arrives_and_steers_nothing_when_it_is_huge() -> None:
    check_that_it_arrives(HOSTILE * 20_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(JSON)
def test_a_document_is_the_same_when_it_was_written_and_read(value: Any) -> None:
    expected = json.loads(json.dumps(value))
    assert json.loads(to_json(value)) == expected
    assert parse_json(to_json(value)) == expected
    assert to_json(value).isprintable()


@given(st.text(st.sampled_from('[]{}",:0-.eE NaInfity\\u'), max_size=30))
def test_a_document_can_be_written_again_when_it_could_be_read(text: str) -> None:
    try:
        value = parse_json(text)
    except ValueError:
        return
    assert json.loads(to_json(value), parse_constant=pytest.fail) == value


def test_text_stays_readable_when_it_is_printable() -> None:
    assert to_json("é 語 😀") == '"é 語 😀"'


@given(st.integers(0, 4_000_000_000_000))
def test_the_time_is_that_of_the_clock_to_the_millisecond(milliseconds: int) -> None:
    seconds, rest = divmod(milliseconds, 1000)
    stamp = to_timestamp(milliseconds / 1000)
    assert stamp == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"


def test_lines_carry_the_time_of_the_clock_when_they_are_written() -> None:
    recorder = Recorder()
    moments = iter([1.0, 1.0, 1.25, 61.0])
    front_end = JsonLinesFrontEnd(recorder, MANNER, now=lambda: next(moments))

    async def main() -> None:
        for event in (RunStarted("m"), TextDelta("a"), TextDelta("b")):
            await front_end.show(event)

    asyncio.run(main())
    stamps = [line["ts"] for line in read(b"".join(recorder.writes))]
    assert stamps[1:] == ["1970-01-01T00:00:01.000Z", "1970-01-01T00:00:01.250Z", "1970-01-01T00:01:01.000Z"]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    descriptors = os.pipe()
    yield descriptors
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            continue


def drain(descriptor: int, into: list[bytes]) -> None:
    while piece := os.read(descriptor, 65536):
        into.append(piece)


def test_the_last_line_is_whole_when_a_run_is_stopped_in_the_middle_of_another(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    received: list[bytes] = []
    thread = threading.Thread(target=drain, args=(reader, received), daemon=True)

    async def main() -> None:
        front_end = JsonLinesFrontEnd(Output(writer), MANNER)
        await front_end.show(RunStarted("m"))
        await front_end.show(IterationStarted(1, has_tools=True))
        message = AssistantMessage((ThinkingPart("x" * 300_000), TextPart("y" * 1000)), "stop")
        stuck = asyncio.create_task(front_end.show(MessageFinished(message)))
        await asyncio.sleep(0.05)
        assert not stuck.done()
        stuck.cancel()
        await asyncio.wait({stuck})
        await front_end.close()
        thread.start()
        await front_end.show(finished("", InterruptedRunError(15, "SIGTERM")))

    asyncio.run(main())
    os.close(writer)
    thread.join()
    assert [name(line) for line in read(b"".join(received))] == [
        "run_start",
        "agent_start",
        "iteration_start",
        "content_end reasoning",
        "content_end text",
        "iteration_end",
        "error",
        "done",
        "agent_error",
        "run_result",
    ]


def test_no_byte_is_lost_or_doubled_when_every_write_is_cancelled_once() -> None:
    recorder = Recorder(most=7)

    async def main() -> None:
        front_end = JsonLinesFrontEnd(recorder, MANNER)
        for event in ONE_RUN:
            recorder.room.clear()
            showing = asyncio.create_task(front_end.show(event))
            await asyncio.sleep(0)
            showing.cancel()
            await asyncio.wait({showing})
            recorder.room.set()
        await front_end.show(finished("again"))

    asyncio.run(main())
    lines = read(b"".join(recorder.writes))
    assert [name(line) for line in lines[:24]] == [name(line) for line in play(ONE_RUN)]
    assert lines[-1]["text"] == "again"


def test_lines_do_not_mix_when_two_are_shown_at_once() -> None:
    recorder = Recorder(most=10)

    async def main() -> None:
        front_end = JsonLinesFrontEnd(recorder, MANNER)
        recorder.room.clear()
        showing = [asyncio.create_task(front_end.show(TextDelta(letter * 50))) for letter in "abc"]
        await asyncio.sleep(0)
        recorder.room.set()
        await asyncio.gather(*showing)

    asyncio.run(main())
    assert [line["event"]["text"][0] for line in read(b"".join(recorder.writes))[2:]] == ["a", "b", "c"]


def test_the_error_reaches_the_caller_when_nobody_reads(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        asyncio.run(JsonLinesFrontEnd(Output(writer), MANNER).show(RunStarted("m")))


@pytest.mark.parametrize(
    "error", [UsageError("no prompt was given", "Give one"), ClineError(f"internal error: {HOSTILE}")]
)
def test_a_failure_is_two_lines_when_the_run_never_started(error: ClineError) -> None:
    lines = read(failure_lines(error, MANNER, 0.25))
    assert [name(line) for line in lines] == ["error", "run_result"]
    assert lines[0]["event"]["errorClass"] == lines[1]["errorClass"] == error.error_class
    assert (lines[1]["exitCode"], lines[1]["finishReason"], lines[1]["text"]) == (error.exit_code, "error", "")
    assert (lines[1]["durationMs"], lines[1]["iterations"], lines[1]["usage"]["totalCost"]) == (250, 0, 0)
    assert lines[1]["session_id"] == FACTS.session_id


def test_a_failure_is_one_line_when_it_is_quiet() -> None:
    data = failure_lines(UsageError("no"), Manner("json", is_quiet=True), 0, now=lambda: 1.0)
    (line,) = read(data)
    assert (line["type"], line["ts"]) == ("run_result", "1970-01-01T00:00:01.000Z")


def words_of(schema: Any) -> Iterator[str]:
    """Yield the names and the words that the schema allows."""
    if isinstance(schema, list):
        for item in schema:
            yield from words_of(item)
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        yield from (word for word in (*schema.get("enum", ()), schema.get("const")) if isinstance(word, str))
        for item in schema.values():
            yield from words_of(item)


def test_the_page_tells_every_line_and_field_that_the_schema_allows() -> None:
    assert not {word for word in words_of(SCHEMA) if f"`{word}`" not in PAGE}


def test_the_examples_of_the_page_are_valid() -> None:
    examples = [line for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    kinds = {name(line) for line in read("\n".join([*examples, ""]).encode())}
    assert kinds == {name(line) for line in play(ONE_RUN)} | {"notice", "error", "agent_error"}


def test_an_undocumented_field_is_caught_by_the_schema() -> None:
    for line in play(ONE_RUN):
        inner = line["event"] if line["type"] == "agent_event" else line
        inner["surprise"] = 1
        assert not VALIDATOR.is_valid(line)
