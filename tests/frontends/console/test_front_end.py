from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    MessageFinished,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    UsageUpdated,
)
from cline_cli.agent.messages import AssistantMessage, TextPart, ToolCall, Usage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import ToolOutput
from cline_cli.errors import ClineError, DeniedError, ProviderError
from cline_cli.frontends.console._markdown import render
from cline_cli.frontends.console.front_end import ConsoleFrontEnd
from cline_cli.frontends.console.screen import Screen, Size
from cline_cli.frontends.manner import Manner, RunFacts
from tests.fakes import FakeClock, FakeTool
from tests.frontends.console.test_screen import Recorder

STYLE = re.compile(r"\x1b\[[0-9;]*m")
CALL = ToolCall("c1", "run_commands", "{}")
COLUMNS, ROWS = 90, 12
PIECES = (
    "# Head\n",
    "A **bold** paragraph\nof two lines.\n",
    "\n",
    "\n",
    "- one\n- two\n  - nested\n",
    "1. first\n\n   ```sh\n   ls -l\n\n   ```\n\n",
    "```py\ndef f(x):\n\n    return 1\n```\n",
    "| a | b |\n|---|--:|\n| one | 2 |\n",
    "> quoted\n",
    "---\n",
    "日本語 and 😀 in " + "a long line " * 9 + "\n",
    "no end",
)


class Room:
    """A front end with a terminal to look at."""

    def __init__(
        self,
        manner: Manner | None = None,
        columns: int = COLUMNS,
        rows: int = ROWS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.output = Recorder(columns, rows)
        screen = Screen(self.output, lambda: Size(columns, rows))
        self.front_end = ConsoleFrontEnd(screen, manner or Manner(), clock=clock)

    @property
    def text(self) -> list[str]:
        return self.output.terminal.text

    async def show(self, events: Sequence[Event]) -> None:
        for event in events:
            await self.front_end.show(event)

    async def until_seen(self, text: str) -> None:
        while not any(text in line for line in self.text):
            await asyncio.sleep(0.01)


def play(events: Sequence[Event], manner: Manner | None = None) -> list[str]:
    """Show the events; return the lines that stay."""
    room = Room(manner)

    async def main() -> None:
        try:
            await room.show(events)
        finally:
            await room.front_end.close()

    asyncio.run(main())
    assert room.text[-1] == ""
    return room.text[:-1]


def message(text: str, *calls: ToolCall) -> MessageFinished:
    parts: tuple[TextPart | ToolCall, ...] = (TextPart(text), *calls)
    return MessageFinished(AssistantMessage(parts, "tool_calls" if calls else "stop", Usage(200, 20, 80)))


def streamed(text: str, *calls: ToolCall, size: int = 5) -> list[Event]:
    deltas = [TextDelta(text[start : start + size]) for start in range(0, len(text), size)]
    return [IterationStarted(1, has_tools=True), *deltas, message(text, *calls)]


def finished(text: str, *, error: ClineError | None = None, calls: int = 0) -> RunFinished:
    return RunFinished(text, Usage(18_200, 1_100, 14_000, 0, 0.034), 1, calls, 12.0, error)


def called(summary: str, display: str, output: str = "", *, is_error: bool = False) -> list[Event]:
    return [
        ToolStarted(CALL, summary),
        ToolProgress(CALL.id, output),
        ToolFinished(CALL, summary, ToolOutput((), display, is_error), 0),
    ]


def rendered(text: str) -> list[str]:
    return [STYLE.sub("", line.text).rstrip() for line in render(text.strip("\n"), COLUMNS - 1)]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join), st.data())
def test_the_screen_ends_as_if_rendered_at_once_when_the_answer_grew(text: str, data: st.DataObject) -> None:
    room = Room(columns=200)
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=5))

    async def main() -> None:
        await room.front_end.show(IterationStarted(1, has_tools=False))
        position = index = 0
        while position < len(text):
            size = sizes[index % len(sizes)]
            await room.front_end.show(TextDelta(text[position : position + size]))
            await room.front_end.draw()
            position, index = position + size, index + 1
        await room.show([message(text), finished(text)])
        await room.front_end.close()

    asyncio.run(main())
    whole = [STYLE.sub("", line.text).rstrip() for line in render(text.strip("\n"), 199)]
    assert room.text[:-1] == whole


def test_only_the_answer_stays_when_no_tool_ran() -> None:
    text = "# Head\n\nA **bold** word and `code`.\n\n- one\n- two\n"
    assert play([RunStarted("m"), *streamed(text), finished(text)]) == rendered(text)


def test_calls_stand_between_the_messages_when_tools_ran() -> None:
    events = [
        *streamed("I run the *tests*.", CALL),
        *called("$ pytest -q", "exit 1", "1 failed\n", is_error=True),
        *called("read a.py", "120 lines"),
        *streamed("Fixed.", CALL),
        *called("edit a.py", "+3 -1"),
        *streamed("They **pass** now."),
        finished("They **pass** now.", calls=3),
    ]
    assert play(events) == [
        *("I run the tests.", "", "$ pytest -q", "  1 failed", "  exit 1", "read a.py  120 lines", ""),
        *("Fixed.", "", "edit a.py  +3 -1", "", "They pass now.", ""),
        "3 calls, 12 s, 18.2k in (14k cached), 1.1k out, $0.034",
    ]


def test_only_text_is_shown_when_it_is_quiet() -> None:
    events = [
        *streamed("I look.", CALL),
        *called("$ ls", "exit 0", "a\n"),
        *streamed("Done."),
        finished("Done.", calls=1),
    ]
    assert play(events, Manner(is_quiet=True)) == ["I look.", "", "Done."]


def test_models_times_and_thoughts_are_told_when_it_is_verbose() -> None:
    events: list[Event] = [
        RunStarted("claude"),
        IterationStarted(1, has_tools=True),
        ThinkingDelta("First I\nlook."),
        TextDelta("Done."),
        message("Done."),
    ]
    lines = play([*events, finished("Done.")], Manner(is_verbose=True, facts=RunFacts(provider="cline")))
    assert lines[:5] == ["[model] provider=cline model=claude", "First I", "look.", "", "Done."]
    assert lines[-2].startswith("[message] 0 s, first text after 0 s, 200 in (80 cached), 20 out")
    assert lines[-1] == "12 s, 18.2k in (14k cached), 1.1k out, $0.034"


def think(thought_s: float, *rest: Event, manner: Manner | None = None) -> list[str]:
    """Show a model that thinks for so long; return the lines that stay."""
    clock = FakeClock()
    room = Room(manner, clock=clock)

    async def main() -> None:
        await room.show([IterationStarted(1, has_tools=True), ThinkingDelta("First I "), ThinkingDelta("look.")])
        clock.now += thought_s
        await room.show(rest)
        await room.front_end.close()

    asyncio.run(main())
    return room.text[:-1]


@pytest.mark.parametrize(
    ("thought_s", "lines"),
    [(1.9, ["Done."]), (2.0, ["thought for 2 s", "", "Done."]), (75, ["thought for 1 min 15 s"])],
)
def test_how_long_the_model_thought_is_told_when_it_took_its_time(thought_s: float, lines: list[str]) -> None:
    assert think(thought_s, TextDelta("Done."), message("Done."))[: len(lines)] == lines


def test_a_thought_is_told_once_when_a_call_follows_it() -> None:
    deltas = (ToolCallDelta("run_commands", ""), ToolCallDelta("run_commands", "{}"))
    lines = think(3, *deltas, message("", CALL), *called("$ ls", "exit 0"))
    assert lines == ["thought for 3 s", "$ ls  exit 0"]


def test_the_thought_itself_is_told_when_it_is_verbose() -> None:
    lines = think(3, TextDelta("Done."), message("Done."), manner=Manner(is_verbose=True))
    assert lines[:3] == ["First I look.", "", "Done."]


def test_nothing_is_told_of_a_thought_when_it_is_quiet_or_void() -> None:
    assert think(3, TextDelta("Done."), message("Done."), manner=Manner(is_quiet=True)) == ["Done."]
    assert think(3, ReplyDiscarded("cut"), TextDelta("Done."), message("Done.")) == ["Done."]


def test_the_files_that_were_changed_are_counted_when_a_run_ends() -> None:
    run = replace(finished("Done.", calls=2), changed_files=("a.py", "b.py"))
    assert play([*streamed("Done."), run])[-2:] == [
        "2 calls, 12 s, 18.2k in (14k cached), 1.1k out, $0.034",
        "2 files changed (cline undo takes them back)",
    ]


def test_what_an_edit_changed_stands_below_its_line() -> None:
    output = ToolOutput((), "+1 -1", diff="@@ -1,1 +1,1 @@\n-x = 1\n+x = 2")
    events: list[Event] = [ToolStarted(CALL, "edit a.py"), ToolFinished(CALL, "edit a.py", output, 0)]
    assert play(events) == ["edit a.py  +1 -1", "  1 - x = 1", "  1 + x = 2"]


def test_how_much_of_the_window_is_filled_is_seen_while_the_run_goes_on() -> None:
    async def main() -> None:
        await room.show([RunStarted("m"), UsageUpdated(Usage(1500, 500), Usage(4000, 800)), ToolStarted(CALL, "$ x")])
        await room.until_seen("4k in, 800 out  20% of context")
        await room.front_end.show(RunStarted("m"))
        await room.front_end.draw()
        assert not any("of context" in line for line in room.text)
        await room.front_end.close()

    room = Room(Manner(facts=RunFacts(context_window=10_000)))
    asyncio.run(main())


def test_a_call_is_no_card_when_it_hands_in_the_answer() -> None:
    handed_in = ToolFinished(CALL, "answer", ToolOutput((), "answered", answer="42"), 0)
    assert play([ToolStarted(CALL, "answer"), handed_in, finished("42")]) == ["42"]


def test_the_answer_of_a_tool_is_shown_when_no_message_was_it() -> None:
    assert play([*streamed("Handing in."), finished("**All** done.")]) == ["Handing in.", "", "All done."]


@pytest.mark.parametrize(
    ("error", "lines"), [(DeniedError("no"), ["So far."]), (ProviderError("cut"), [])], ids=["denied", "failed"]
)
def test_what_there_is_of_an_answer_is_shown_only_when_it_is_one(error: ClineError, lines: list[str]) -> None:
    assert play([finished("So far.", error=error)]) == lines


def test_what_came_stays_when_the_reply_fails_in_the_middle() -> None:
    events: list[Event] = [
        IterationStarted(1, has_tools=True),
        TextDelta("One.\n\nTwo **ha"),
        finished("", error=ProviderError("gone")),
    ]
    assert play(events) == ["One.", "", "Two **ha"]


def test_a_void_reply_leaves_nothing_when_none_of_it_was_finished() -> None:
    async def main() -> None:
        await room.show([IterationStarted(1, has_tools=True), TextDelta("half")])
        await room.front_end.draw()
        assert room.text == ["half"]
        await room.show([ReplyDiscarded("cut"), TextDelta("whole"), message("whole"), finished("whole")])
        await room.front_end.close()

    room = Room()
    asyncio.run(main())
    assert room.text == ["whole", ""]


def test_a_void_reply_is_called_so_when_some_of_it_stays() -> None:
    async def main() -> None:
        await room.show([IterationStarted(1, has_tools=True), TextDelta("one\n\ntwo")])
        await room.front_end.draw()
        await room.show([ReplyDiscarded("cut"), TextDelta("whole"), message("whole"), finished("whole")])
        await room.front_end.close()

    room = Room()
    asyncio.run(main())
    assert room.text == ["one", "", "the reply broke off, and is asked for again: cut", "", "whole", ""]


def test_a_shorter_history_is_a_line_of_its_own() -> None:
    shortened = Compacted(118_000, 24_000, "basic")
    lines = play([IterationStarted(1, has_tools=True), shortened, TextDelta("done"), message("done")])
    assert "conversation shortened: about 118k -> 24k tokens, its older part cut" in lines
    assert "done" in lines


def test_no_control_sequence_arrives_when_everything_is_hostile() -> None:
    evil = "a\x1b[2Jb\x1b]0;title\x07c\x9b1mé\r"
    events: list[Event] = [
        RunStarted(evil),
        IterationStarted(1, has_tools=True),
        ThinkingDelta(evil),
        ToolCallDelta(evil, evil),
        Waiting(1, evil),
        *[TextDelta(character) for character in evil],
        message(evil),
        *called(f"$ {evil}", evil, evil),
        finished(evil + "!", calls=1),
    ]
    lines = play(events, Manner(is_verbose=True, facts=RunFacts(provider=evil)))
    assert "abcé" in lines
    assert "$ abcé" in lines


def test_the_growing_block_is_seen_before_it_is_finished() -> None:
    async def main() -> None:
        await room.show([RunStarted("m"), IterationStarted(1, has_tools=True), TextDelta("A **bold** wo")])
        await room.until_seen("A bold wo")
        await room.front_end.show(TextDelta("rd.\n\n```py\nx = 1\n"))
        await room.until_seen("x = 1")
        assert room.text == ["A bold word.", "", "x = 1"]
        await room.front_end.close()
        assert room.text == ["A bold word.", ""]

    room = Room()
    asyncio.run(main())


def test_the_live_part_is_never_higher_than_the_screen() -> None:
    async def main() -> None:
        await room.front_end.show(IterationStarted(1, has_tools=True))
        await room.front_end.show(TextDelta("```\n"))
        for number in range(100):
            await room.front_end.show(TextDelta(f"line {number}\n"))
            await room.front_end.draw()
            assert len(room.text) < ROWS
        assert room.text[-1] == "line 99"
        await room.show([TextDelta("```\n"), message(""), finished("")])

    room = Room()
    asyncio.run(main())
    assert room.text == [*(f"line {number}" for number in range(100)), ""]


def test_what_runs_is_seen_and_then_gone() -> None:
    async def main() -> None:
        await room.show([RunStarted("m"), ToolStarted(CALL, "$ sleep 9"), ToolProgress("c1", "tick\n")])
        await room.until_seen("tick")
        assert room.text[0].startswith("$ sleep 9  ")
        await room.front_end.close()
        assert room.text == [""]

    room = Room()
    asyncio.run(main())


def test_the_last_words_follow_when_the_run_was_stopped() -> None:
    async def main() -> None:
        await room.show([RunStarted("m"), IterationStarted(1, has_tools=True), TextDelta("Some ")])
        await room.until_seen("Some")
        await room.front_end.close()
        await room.front_end.show(finished("", error=ProviderError("stopped"), calls=2))
        await room.front_end.close()

    room = Room()
    asyncio.run(main())
    assert room.text == ["Some", "", "stopped: 2 calls, 12 s, 18.2k in (14k cached), 1.1k out, $0.034", ""]


def test_nothing_is_lost_when_showing_is_cancelled_between_two_blocks() -> None:
    text = "one\n\ntwo\n\nthree\n\n"

    async def main() -> None:
        await room.show([IterationStarted(1, has_tools=True), TextDelta(text)])
        task = asyncio.create_task(room.front_end.show(message(text)))
        for _ in range(2):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await room.front_end.close()
        await room.front_end.show(finished("", error=ProviderError("stopped")))

    room = Room()
    asyncio.run(main())
    assert room.text == ["one", "", "two", "", "three", ""]


def test_a_frame_that_is_being_written_is_not_torn_when_the_run_finishes() -> None:
    text = "one\n\ntwo"

    async def main() -> None:
        await room.show([RunStarted("m"), IterationStarted(1, has_tools=True), TextDelta("one")])
        room.output.may_write.clear()
        await room.front_end.show(TextDelta("\n\ntwo"))
        while not room.output.is_waiting:
            await asyncio.sleep(0.01)
        finishing = asyncio.create_task(room.front_end.show(finished("", error=ProviderError("stopped"))))
        await asyncio.sleep(0.01)
        room.output.may_write.set()
        await finishing

    room = Room()
    asyncio.run(main())
    assert room.text == [*text.split("\n"), ""]


def test_thoughts_of_a_void_reply_are_not_told() -> None:
    void: list[Event] = [IterationStarted(1, has_tools=True), ThinkingDelta("void"), ReplyDiscarded("cut")]
    lines = play([*void, ThinkingDelta("sound"), TextDelta("x"), message("x")], Manner(is_verbose=True))
    assert "void" not in lines
    assert "sound" in lines


def test_closing_ends_when_the_terminal_takes_nothing() -> None:
    async def main() -> None:
        await room.show([RunStarted("m"), IterationStarted(1, has_tools=True), TextDelta("Some ")])
        await room.until_seen("Some")
        room.output.is_stuck = True
        await room.front_end.show(TextDelta("more"))
        await asyncio.wait_for(room.front_end.close(), 30)
        room.output.is_stuck = False
        await room.front_end.show(finished("", error=ProviderError("stopped"), calls=1))

    room = Room()
    asyncio.run(main())
    assert room.text == ["Some"]


def test_the_run_learns_of_it_when_the_terminal_is_gone() -> None:
    class Going(Recorder):
        async def write(self, data: bytes) -> None:
            if self.writes:
                raise OSError(5, "Input/output error")
            await super().write(data)

    async def main() -> None:
        front_end = ConsoleFrontEnd(Screen(Going(), lambda: Size(COLUMNS, ROWS)), Manner())
        await front_end.show(RunStarted("m"))
        await front_end.show(TextDelta("x"))
        await front_end.show(TextDelta("y"))
        await asyncio.sleep(0.1)
        with pytest.raises(OSError, match="Input/output error"):
            await front_end.show(TextDelta("x"))
        await front_end.close()

    asyncio.run(main())


def test_a_question_stands_below_what_is_printed_and_nothing_is_drawn_while_it_is_open() -> None:
    asked = asyncio.Event()
    answered = asyncio.Event()

    async def question(*_: object) -> Allow | Deny:
        room.output.terminal.feed("Allow?")
        asked.set()
        await answered.wait()
        room.output.terminal.feed("\n")
        return Deny("no")

    async def main() -> None:
        tool = FakeTool()
        await room.show([RunStarted("m"), *streamed("I edit.", CALL)])
        await room.front_end.show(TextDelta("grow"))
        asking = asyncio.create_task(room.front_end.ask(tool, {}))
        await asked.wait()
        before = room.text
        await asyncio.sleep(0.3)
        assert room.text == before == ["I edit.", "", "Allow?"]
        answered.set()
        assert await asking == Deny("no")
        await room.until_seen("grow")
        await room.front_end.close()

    room = Room()
    room.front_end = ConsoleFrontEnd(Screen(room.output, lambda: Size(COLUMNS, ROWS)), Manner(), question=question)
    asyncio.run(main())
    assert room.text == ["I edit.", "", "Allow?", ""]
