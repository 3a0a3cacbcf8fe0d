from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    LeftoverProcess,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from cline_cli.agent.messages import AssistantMessage, JsonObject, TextPart, ToolCall, Usage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, Waiting
from cline_cli.agent.tool import Tool, ToolOutput
from cline_cli.errors import ClineError, DeniedError, LimitReachedError, ProviderError, ServerError
from cline_cli.frontends.manner import Manner, RunFacts
from cline_cli.frontends.text import TextFrontEnd
from cline_cli.machine.output import Output
from tests.fakes import FakeClock, FakeTool

CALL = ToolCall("c1", "run_commands", '{"commands":["pytest -q"]}')


class Page:
    """Stdout and stderr as files; `out` and `err` are what has been written so far."""

    def __init__(self, folder: Path) -> None:
        self.paths = (folder / "stdout", folder / "stderr")
        self.descriptors = tuple(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in self.paths)

    @property
    def outputs(self) -> tuple[Output, Output]:
        return Output(self.descriptors[0]), Output(self.descriptors[1])

    @property
    def out(self) -> str:
        return self.paths[0].read_bytes().decode()

    @property
    def err(self) -> str:
        return self.paths[1].read_bytes().decode()

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


def play(folder: Path, events: Sequence[Event], manner: Manner | None = None) -> tuple[str, str]:
    """Show the events, and return what is then on stdout and stderr."""
    page = Page(folder)

    async def main() -> None:
        front_end = TextFrontEnd(*page.outputs, manner or Manner())
        try:
            for event in events:
                await front_end.show(event)
        finally:
            await front_end.close()

    try:
        asyncio.run(main())
        return page.out, page.err
    finally:
        page.close()


def streamed(text: str, *, has_tools: bool = True, size: int = 3) -> list[Event]:
    """The events of one message without tool calls."""
    deltas = [TextDelta(text[start : start + size]) for start in range(0, len(text), size)]
    message = AssistantMessage((TextPart(text),), "stop", Usage(200, 20, 80))
    return [IterationStarted(1, has_tools), *deltas, MessageFinished(message)]


def finished(text: str, *, error: ClineError | None = None, calls: int = 0) -> RunFinished:
    return RunFinished(text, Usage(18_200, 1_100, 14_000, 0, 0.034), 1, calls, 12.0, error)


def called(display: str, *, summary: str = "$ pytest -q", duration_s: float = 0, is_error: bool = False) -> list[Event]:
    return [
        ToolStarted(CALL, summary),
        ToolProgress(CALL.id, "collecting\n"),
        ToolFinished(CALL, summary, ToolOutput((), display, is_error), duration_s),
    ]


WITH_TOOLS: list[Event] = [
    RunStarted("m"),
    IterationStarted(1, has_tools=True),
    TextDelta("I will run the tests."),
    MessageFinished(AssistantMessage((TextPart("I will run the tests."), CALL), "tool_calls")),
    *called("exit 1, 3.2 s", duration_s=3.2, is_error=True),
    *called("+3 -1", summary="edit src/a.py", duration_s=2.5),
    *streamed("They pass now."),
]


def test_only_the_answer_is_printed_when_tools_are_offered(tmp_path: Path) -> None:
    assert play(tmp_path, [RunStarted("m"), *streamed("It is 42."), finished("It is 42.")]) == ("It is 42.\n", "")


def test_the_answer_is_one_write_when_it_was_held(tmp_path: Path) -> None:
    reader, writer = os.pipe()

    async def main() -> None:
        front_end = TextFrontEnd(Output(writer), Output(None), Manner())
        for event in (*streamed("It is 42."), finished("It is 42.")):
            await front_end.show(event)
        await front_end.close()

    asyncio.run(main())
    assert os.read(reader, 100) == b"It is 42.\n"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("manner", "has_tools"), [(Manner(), False), (Manner(streams=True), True)], ids=["no tools", "asked for"]
)
def test_text_is_out_before_the_end_when_it_streams(tmp_path: Path, manner: Manner, has_tools: bool) -> None:
    page = Page(tmp_path)

    async def main() -> None:
        front_end = TextFrontEnd(*page.outputs, manner)
        await front_end.show(IterationStarted(1, has_tools))
        await front_end.show(TextDelta("one "))
        assert page.out == "one"
        await front_end.show(TextDelta("two\n\n"))
        assert page.out == "one two"
        await front_end.show(TextDelta("three\n"))
        assert page.out == "one two\n\nthree"

    asyncio.run(main())
    page.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.sampled_from(list("ab \n\t\x1b[1m]é\r")), min_size=1), st.integers(1, 4))
def test_streamed_and_held_are_the_same_when_a_run_succeeds(tmp_path: Path, text: str, size: int) -> None:
    held, _ = play(tmp_path, [*streamed(text, size=size), finished(text)])
    flowed, _ = play(tmp_path, [*streamed(text, has_tools=False, size=size), finished(text)])
    assert flowed == held
    assert held.endswith("\n")
    assert "\x1b" not in held


def test_no_escape_reaches_stdout_when_the_model_writes_one_in_pieces(tmp_path: Path) -> None:
    text = "a\x1b[31mred\x1b[0m\x1b]0;title\x07 \x9b2Jb\r\n"
    for has_tools in (True, False):
        assert play(tmp_path, [*streamed(text, has_tools=has_tools, size=1), finished(text)])[0] == "ared b\n"


def test_each_call_is_one_line_when_tools_ran(tmp_path: Path) -> None:
    out, err = play(tmp_path, [*WITH_TOOLS, finished("They pass now.", calls=2)])
    assert out == "They pass now.\n"
    assert err.splitlines() == [
        "cline: $ pytest -q -> exit 1, 3.2 s",
        "cline: edit src/a.py -> +3 -1, 2.5 s",
        "cline: done: 2 calls, 12 s, 18.2k in (14k cached), 1.1k out, $0.034",
    ]


def test_only_the_answer_is_written_when_it_is_quiet(tmp_path: Path) -> None:
    manner = Manner(is_quiet=True, is_verbose=True)
    events = [*WITH_TOOLS, Waiting(2, "rate limit (429)"), finished("They pass now.", calls=2)]
    assert play(tmp_path, events, manner) == ("They pass now.\n", "")


@pytest.mark.parametrize("manner", [Manner(holds=True), Manner(holds=True, streams=True, is_watched=True)])
def test_nothing_is_printed_before_the_end_when_it_is_to_be_held(tmp_path: Path, manner: Manner) -> None:
    events = [*WITH_TOOLS[:4], *streamed('{"a": 1}', has_tools=False)]
    assert play(tmp_path, events, manner)[0] == ""
    assert play(tmp_path, [*events, finished('{"a": 1}')], manner)[0] == '{"a": 1}\n'


def test_a_void_reply_is_no_failure_when_it_was_held(tmp_path: Path) -> None:
    events: list[Event] = [IterationStarted(1, has_tools=False), TextDelta("half"), ReplyDiscarded("cut")]
    again = [*streamed("whole", has_tools=False)[1:], finished("whole")]
    assert play(tmp_path, [*events, *again], Manner(holds=True))[0] == "whole\n"


KEPT = RunFacts("20261125-ab", is_session_kept=True)


@pytest.mark.parametrize(
    ("facts", "run", "is_told"),
    [
        (KEPT, finished("", error=ProviderError("cut"), calls=1), True),
        (KEPT, finished("", error=ProviderError("cut")), False),
        (KEPT, finished("fine", calls=1), False),
        (RunFacts("20261125-ab"), finished("", error=ProviderError("cut"), calls=1), False),
    ],
)
def test_the_way_to_go_on_is_told_when_a_run_failed_that_did_work(
    tmp_path: Path, facts: RunFacts, run: RunFinished, is_told: bool
) -> None:
    _, err = play(tmp_path, [run], Manner(facts=facts))
    assert err.endswith('\ncline: resume: cline --id 20261125-ab "continue"\n') == is_told
    assert ("resume" in err) == is_told
    assert play(tmp_path, [run], Manner(facts=facts, is_quiet=True))[1] == ""


def test_what_commands_left_running_is_told_when_it_was_ended(tmp_path: Path) -> None:
    left = (
        LeftoverProcess(71, "sleep 300", is_ended=True),
        LeftoverProcess(72, "x\x1b[2J\n\u202eserver", is_ended=True),
        LeftoverProcess(73, "stuck", is_ended=False),
    )
    run = RunFinished("ok", Usage(), 1, 1, 1, None, leftover_processes=left)
    assert play(tmp_path, [run])[1].splitlines()[:-1] == [
        "cline: ended 2 processes that commands left running: sleep 300 (pid 71), x <U+202E>server (pid 72)",
        "cline: could not end 1 process that commands left running: stuck (pid 73)",
    ]


def test_progress_is_printed_too_when_everything_streams(tmp_path: Path) -> None:
    out, err = play(tmp_path, [*WITH_TOOLS, finished("They pass now.", calls=2)], Manner(streams=True))
    assert out == "I will run the tests.\nThey pass now.\n"
    assert err.count("--stream: what the model says between its calls is on standard output too") == 1


def test_the_answer_of_a_tool_is_printed_when_the_message_streamed_was_another(tmp_path: Path) -> None:
    events = [*streamed("Handing in.", has_tools=False), *called("ok"), finished("All done.", calls=1)]
    assert play(tmp_path, events)[0] == "Handing in.\nAll done.\n"


def test_a_call_is_no_line_when_it_hands_in_the_answer(tmp_path: Path) -> None:
    handed_in = ToolFinished(CALL, "answer", ToolOutput((), "answered", answer="42"), 0)
    assert play(tmp_path, [ToolStarted(CALL, "answer"), handed_in, finished("42")]) == ("42\n", "")


@pytest.mark.parametrize("error", [DeniedError("not allowed: $ rm x"), LimitReachedError("the limit was reached")])
def test_the_answer_is_printed_when_the_run_failed_with_one(tmp_path: Path, error: ClineError) -> None:
    assert play(tmp_path, [*streamed("As far as I got."), finished("As far as I got.", error=error)])[0] == (
        "As far as I got.\n"
    )
    assert play(tmp_path, [finished("", error=error)])[0] == ""


def test_stdout_stays_empty_when_the_run_failed(tmp_path: Path) -> None:
    events = [*WITH_TOOLS, finished("They pass now.", error=ProviderError("cut"), calls=2)]
    out, err = play(tmp_path, events)
    assert out == ""
    assert err.splitlines()[-1].startswith("cline: stopped: 2 calls, 12 s")


def test_the_line_is_ended_when_a_streamed_reply_fails_in_the_middle(tmp_path: Path) -> None:
    events: list[Event] = [
        IterationStarted(1, has_tools=False),
        TextDelta("half \n"),
        finished("", error=ProviderError("gone")),
    ]
    assert play(tmp_path, events)[0] == "half \n"


ANSWER = "Half of it,\n\nand  the rest \x1b[1mof\x1b[0m it 🙂.\n"


@pytest.mark.parametrize("place", range(len(ANSWER) + 1))
def test_an_answer_is_printed_once_when_it_broke_off_at_any_place_and_came_again(tmp_path: Path, place: int) -> None:
    void: list[Event] = [TextDelta(ANSWER[:place]), ReplyDiscarded("cut"), Waiting(0.5, "cut")]
    twice_void: list[Event] = [*void, TextDelta(ANSWER[: place // 2]), ReplyDiscarded("cut")]
    for before in (void, twice_void):
        started: Event = IterationStarted(1, has_tools=False)
        out, err = play(tmp_path, [started, *before, *streamed(ANSWER, has_tools=False)[1:], finished(ANSWER)])
        assert out == "Half of it,\n\nand  the rest of it 🙂.\n"
        assert err == ""


@pytest.mark.parametrize(
    "again",
    [
        pytest.param([TextDelta("Halt")], id="other-words"),
        pytest.param([TextDelta("H"), TextDelta("al"), TextDelta("t it.")], id="other-words-late"),
        pytest.param(streamed("Hal", has_tools=False)[1:], id="less"),
        pytest.param(streamed("", has_tools=False)[1:], id="nothing"),
    ],
)
def test_the_run_fails_when_a_reply_comes_differently_after_a_part_was_printed(
    tmp_path: Path, again: list[Event]
) -> None:
    page = Page(tmp_path)

    async def main() -> None:
        front_end = TextFrontEnd(*page.outputs, Manner())
        begun: tuple[Event, ...] = (IterationStarted(1, has_tools=False), TextDelta("Half"), ReplyDiscarded("cut"))

        async def show_all() -> None:
            for event in (*begun, *again):
                await front_end.show(event)

        with pytest.raises(ServerError, match="broke off after part of it was printed") as caught:
            await show_all()
        await front_end.show(finished("", error=caught.value))
        await front_end.close()

    asyncio.run(main())
    assert page.out == "Half\n"
    page.close()


def test_nothing_is_added_when_another_try_breaks_off_within_what_is_out(tmp_path: Path) -> None:
    events: list[Event] = [
        IterationStarted(1, has_tools=False),
        TextDelta("Half of"),
        ReplyDiscarded("cut"),
        TextDelta("Half \n"),
        finished("", error=ServerError("gone")),
    ]
    assert play(tmp_path, events)[0] == "Half of\n"


def test_nothing_is_lost_when_a_reply_is_void_before_anything_was_printed(tmp_path: Path) -> None:
    void: list[Event] = [
        IterationStarted(1, has_tools=False),
        TextDelta("\n \n"),
        TextDelta("\x1b]0;"),
        ReplyDiscarded("empty"),
    ]
    again = streamed("whole", has_tools=False)[1:]
    assert play(tmp_path, [*void, *again])[0] == "whole\n"


def test_a_word_takes_it_back_when_a_person_watched_the_void_reply(tmp_path: Path) -> None:
    void: list[Event] = [IterationStarted(1, has_tools=True), TextDelta("half"), ReplyDiscarded("cut")]
    out, err = play(tmp_path, [*void, *streamed("whole")[1:], finished("whole")], Manner(streams=True, is_watched=True))
    assert out == "half\nwhole\n"
    assert err == "cline: the reply broke off, and is asked for again: cut\n"


def test_a_pause_is_told_when_it_is_a_long_one(tmp_path: Path) -> None:
    pauses = [Waiting(7, "rate limit (429)"), Waiting(2, "server error (503)"), Waiting(0, "loading the model")]
    assert play(tmp_path, [*pauses, ThinkingDelta("hm")])[1] == "cline: waiting 7 s: rate limit (429)\n"
    told = play(tmp_path, pauses, Manner(is_verbose=True))[1]
    assert told == "cline: waiting 7 s: rate limit (429)\ncline: waiting 2 s: server error (503)\n"


def test_what_is_no_failure_yet_is_told_only_to_whoever_wants_to_know_all(tmp_path: Path) -> None:
    notice = Notice("answer_refused", "said\x1b[2J once")
    assert play(tmp_path, [notice])[1] == ""
    assert play(tmp_path, [notice], Manner(is_verbose=True))[1] == "cline: said once\n"


def test_a_shorter_history_is_a_line_only_when_a_tool_has_run(tmp_path: Path) -> None:
    shortened = Compacted(118_000, 24_000, "agentic")
    line = "cline: conversation shortened: about 118k -> 24k tokens, its older part summarized\n"
    assert play(tmp_path, [shortened])[1] == ""
    assert play(tmp_path, [shortened], Manner(is_verbose=True))[1] == line
    assert play(tmp_path, [*called("exit 0"), shortened])[1].endswith(f"\n{line}")
    assert play(tmp_path, [*called("exit 0"), shortened], Manner(is_quiet=True))[1] == ""


def test_a_line_holds_no_control_characters_when_names_and_outcomes_are_hostile(tmp_path: Path) -> None:
    output = ToolOutput((), "no\x1b[2J\nfile \u202egpj", is_error=True)
    events = [ToolFinished(CALL, "$ echo '\x1b]0;x\x07'\nrm -rf /", output, 0, denied=True)]
    assert play(tmp_path, events)[1] == "cline: $ echo '' rm -rf / -> denied: no file <U+202E>gpj\n"


def test_models_and_times_are_told_when_it_is_verbose(tmp_path: Path) -> None:
    manner = Manner(is_verbose=True, facts=RunFacts(provider="cline"))
    _, err = play(tmp_path, [RunStarted("anthropic/claude"), *streamed("hi"), finished("hi")], manner)
    first, second = err.splitlines()
    assert first == "cline: [model] provider=cline model=anthropic/claude"
    assert second.startswith("cline: [message] 0 s, 200 in (80 cached), 20 out")


def test_the_answer_arrives_when_stderr_is_closed(tmp_path: Path) -> None:
    page = Page(tmp_path)

    async def main() -> None:
        front_end = TextFrontEnd(page.outputs[0], Output(None), Manner())
        for event in (*WITH_TOOLS, finished("They pass now.", calls=2)):
            await front_end.show(event)
        await front_end.close()

    asyncio.run(main())
    assert page.out == "They pass now.\n"
    page.close()


def test_the_error_reaches_the_caller_when_nobody_reads_stdout() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    async def main() -> None:
        front_end = TextFrontEnd(Output(writer), Output(None), Manner())
        await front_end.show(finished("text"))

    with pytest.raises(BrokenPipeError):
        asyncio.run(main())
    os.close(writer)


class Sleeper:
    """Sleeps by moving the clock, one nap each time the test lets it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.naps: list[float] = []
        self.may_wake = asyncio.Semaphore(0)

    async def __call__(self, delay_s: float) -> None:
        self.naps.append(delay_s)
        await self.may_wake.acquire()
        self.clock.now += max(delay_s, 0)

    async def wake(self) -> None:
        self.may_wake.release()
        for _ in range(5):
            await asyncio.sleep(0)


def test_silence_is_told_when_nothing_comes_for_long(tmp_path: Path) -> None:
    page = Page(tmp_path)

    async def main() -> None:
        clock = FakeClock()
        sleeper = Sleeper(clock)
        front_end = TextFrontEnd(*page.outputs, Manner(), clock=clock, sleep=sleeper)
        await front_end.show(RunStarted("m"))
        for _ in range(3):
            await sleeper.wake()
        assert page.err.splitlines() == [
            "cline: waiting for model, 30 s",
            "cline: waiting for model, 1 min",
            "cline: waiting for model, 2 min",
        ]
        clock.now += 10
        await front_end.show(ToolStarted(CALL, "$ pytest -q"))
        await sleeper.wake()
        assert len(page.err.splitlines()) == 3
        await sleeper.wake()
        assert page.err.splitlines()[3:] == ["cline: waiting for $ pytest -q, 30 s"]
        assert sleeper.naps[:4] == [30, 30, 60, 60]
        await front_end.close()
        await front_end.close()

    asyncio.run(main())
    page.close()


def test_silence_is_not_told_while_a_question_is_open(tmp_path: Path) -> None:
    page = Page(tmp_path)

    async def main() -> None:
        clock = FakeClock()
        sleeper = Sleeper(clock)

        async def question(tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
            await sleeper.wake()
            await sleeper.wake()
            return Allow(arguments)

        front_end = TextFrontEnd(*page.outputs, Manner(), clock=clock, sleep=sleeper, question=question)
        await front_end.show(RunStarted("m"))
        assert await front_end.ask(FakeTool(), {"a": 1}) == Allow({"a": 1})
        assert page.err == ""
        await sleeper.wake()
        await sleeper.wake()
        assert page.err == "cline: waiting for model, 30 s\n"
        await front_end.close()

    asyncio.run(main())
    page.close()


def test_it_can_speak_its_last_words_when_it_was_closed(tmp_path: Path) -> None:
    page = Page(tmp_path)

    async def main() -> None:
        front_end = TextFrontEnd(*page.outputs, Manner())
        await front_end.show(RunStarted("m"))
        await front_end.close()
        await front_end.show(finished("", error=ProviderError("stopped"), calls=1))

    asyncio.run(main())
    assert page.err.startswith("cline: stopped: 1 call")
    page.close()
