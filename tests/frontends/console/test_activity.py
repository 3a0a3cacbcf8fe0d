from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.events import ToolFinished, ToolStarted
from cline_cli.agent.messages import ToolCall, Usage
from cline_cli.agent.tool import ToolOutput
from cline_cli.frontends.console._activity import Activity
from cline_cli.frontends.console.screen import Line
from cline_cli.text import display_width
from tests.fakes import FakeClock

STYLE = re.compile(r"\x1b\[[0-9;]*m")
COLUMNS = 60


def plain(lines: list[Line], columns: int = COLUMNS) -> list[str]:
    texts = [STYLE.sub("", line.text) for line in lines]
    assert [display_width(text) for text in texts] == [line.cells for line in lines]
    assert all(line.cells <= columns for line in lines)
    assert all(text.isprintable() for text in texts)
    return texts


def call(number: int) -> ToolCall:
    return ToolCall(f"c{number}", "run_commands", "{}")


def done(
    summary: str, display: str, *, number: int = 1, duration_s: float = 0, is_error: bool = False, denied: bool = False
) -> ToolFinished:
    return ToolFinished(call(number), summary, ToolOutput((), display, is_error), duration_s, denied)


def run(activity: Activity, summary: str, output: str, finished: ToolFinished, columns: int = COLUMNS) -> list[str]:
    activity.start(ToolStarted(call(1), summary))
    activity.report("c1", output)
    return plain(activity.finish(finished, columns), columns)


@pytest.mark.parametrize(
    ("finished", "card"),
    [
        (done("read a.py", "120 lines"), ["read a.py  120 lines"]),
        (done("edit a.py", "+3 -1", duration_s=2.5), ["edit a.py  +3 -1, 2.5 s"]),
        (done("look", ""), ["look  ok"]),
        (done("look", "", is_error=True), ["look  failed"]),
        (done("$ rm x", "not now", is_error=True, denied=True), ["$ rm x  denied: not now"]),
        (done("$ true", "exit 0"), ["$ true  exit 0"]),
        (done("read a\x1b[31m\u202eb.py", "1\nline"), ["read a<U+202E>b.py  1 line"]),
        (done("read " + "x" * 80, "ok"), ["read " + "x" * 54 + "…", "  ok"]),
        (done("look", "y" * 80), ["look", "  " + "y" * 57 + "…"]),
    ],
)
def test_a_card_is_one_line_when_it_fits(finished: ToolFinished, card: list[str]) -> None:
    assert plain(Activity(FakeClock()).finish(finished, COLUMNS)) == card


def test_the_last_lines_of_a_command_are_on_its_card() -> None:
    output = "".join(f"line {number}\n" for number in range(8)) + "\n  last"
    card = run(Activity(FakeClock()), "$ make", output, done("$ make", "exit 2", is_error=True))
    assert card == [
        "$ make",
        "  … 4 more lines",
        "  line 4",
        "  line 5",
        "  line 6",
        "  line 7",
        "    last",
        "  exit 2",
    ]


def test_one_hidden_line_is_counted_as_one() -> None:
    card = run(Activity(FakeClock()), "$ x", "\n".join("abcdef"), done("$ x", "exit 0"))
    assert card[1:] == ["  … 1 more line", "  b", "  c", "  d", "  e", "  f", "  exit 0"]


def test_output_is_clean_and_fits_when_it_is_hostile() -> None:
    output = "10%\r20%\r\n\x1b[2J\x1b]0;title\x07" + "日" * 50 + "\n"
    card = run(Activity(FakeClock()), "$ x", output, done("$ x", "exit 0"), columns=20)
    assert card == ["$ x", "  10%", "  20%", "  " + "日" * 8 + "…", "  exit 0"]


def test_the_output_is_not_shown_when_the_call_is_no_command() -> None:
    assert run(Activity(FakeClock()), "read a", "text\n", done("read a", "1 line")) == ["read a  1 line"]


def test_memory_is_bounded_when_a_command_writes_without_an_end() -> None:
    activity = Activity(FakeClock())
    activity.start(ToolStarted(call(1), "$ yes"))
    for _ in range(100):
        activity.report("c1", "y" * 10_000)
        activity.report("c1", "y\n" * 10_000)
    assert plain(activity.finish(done("$ yes", "exit 0"), COLUMNS))[1] == "  … over 100 more lines"


def test_nothing_is_said_when_nothing_is_waited_for() -> None:
    assert Activity(FakeClock()).status(COLUMNS) == []


def test_what_is_waited_for_is_said_when_it_takes_long() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.wait("waiting for model")
    assert activity.status(COLUMNS) == []
    clock.now = 3.7
    assert plain(activity.status(COLUMNS)) == ["waiting for model, 3 s"]
    activity.wait("waiting for model")
    assert plain(activity.status(COLUMNS)) == ["waiting for model, 3 s"]
    activity.rest()
    assert activity.status(COLUMNS) == []


def test_a_pause_is_counted_down_when_its_length_is_known() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.wait("rate limit (429)", delay_s=5)
    clock.now = 1.5
    assert plain(activity.status(COLUMNS)) == ["rate limit (429), again in 4 s"]
    clock.now = 6.0
    assert plain(activity.status(COLUMNS)) == ["rate limit (429), 6 s"]


def test_the_model_is_waited_for_when_its_text_pauses() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.text_came()
    clock.now = 1.9
    assert activity.status(COLUMNS) == []
    clock.now = 2.1
    assert plain(activity.status(COLUMNS)) == ["waiting for model, 2 s"]


def test_the_last_thoughts_are_shown_in_one_line() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.wait("thinking", detail="first\n" * 50 + "\x1b[31mso the parser must keep its state")
    clock.now = 2
    (status,) = plain(activity.status(COLUMNS))
    assert status.startswith("thinking, 2 s  ")
    assert status.endswith("so the parser must keep its state")


def test_the_running_call_is_shown_with_its_last_output() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    for number in (1, 2):
        activity.start(ToolStarted(call(number), f"$ sleep {number}"))
    assert activity.status(COLUMNS) == []
    activity.report("c1", "a\nb\nc\nd")
    clock.now = 65
    assert plain(activity.status(COLUMNS)) == ["$ sleep 1  1 min 5 s, 1 more", "  … 1 more line", "  b", "  c", "  d"]
    activity.finish(done("$ sleep 1", "exit 0"), COLUMNS)
    assert plain(activity.status(COLUMNS)) == ["$ sleep 2  1 min 5 s"]


@pytest.mark.parametrize("columns", [1, 5, 20])
def test_the_status_fits_when_the_terminal_is_narrow(columns: int) -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.wait("thinking", detail="日本語" * 40)
    clock.now = 1
    assert all(line.cells <= max(columns, 1) for line in activity.status(columns))


def test_an_edit_shows_what_it_changed() -> None:
    output = ToolOutput((), "+1 -1", diff="@@ -1,1 +1,1 @@\n-a\n+b")
    finished = ToolFinished(call(1), "edit a.py", output, 0.0)
    assert plain(Activity(FakeClock()).finish(finished, COLUMNS)) == ["edit a.py  +1 -1", "  1 - a", "  1 + b"]


def test_an_edit_is_not_shown_again_when_the_question_has_shown_it() -> None:
    output = ToolOutput((), "+1 -1", diff="@@ -1,1 +1,1 @@\n-a\n+b")
    finished = ToolFinished(call(1), "edit a.py", output, 0.0)
    activity = Activity(FakeClock())
    activity.note_shown("edit a.py")
    assert plain(activity.finish(finished, COLUMNS)) == ["edit a.py  +1 -1"]
    assert len(activity.finish(finished, COLUMNS)) == 3


def test_how_all_of_a_change_is_seen_is_said_when_the_card_cuts_it() -> None:
    output = ToolOutput((), "+50", diff="@@ -1,0 +1,50 @@\n" + "\n".join(["+a"] * 50))
    finished = ToolFinished(call(1), "make a.py", output, 0.0)
    activity = Activity(FakeClock())
    assert plain(activity.finish(finished, COLUMNS))[-1] == "  … 30 more lines (cline diff shows all)"
    activity.whole = "/diff"
    assert plain(activity.finish(finished, COLUMNS))[-1] == "  … 30 more lines (/diff shows all)"


def test_what_the_run_has_taken_stands_beside_what_goes_on_as_far_as_there_is_room() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.note_usage(Usage(8000, 100), Usage(12_000, 300, cost_usd=0.5), 100_000)
    activity.wait("waiting for model")
    clock.now += 3
    assert plain(activity.status(80), 80) == ["waiting for model, 3 s  12k in, 300 out  $0.500  8% of context"]
    assert plain(activity.status(40), 40) == ["waiting for model, 3 s  12k in, 300 out"]
    assert plain(activity.status(30), 30) == ["waiting for model, 3 s"]


def test_how_it_is_stopped_is_said_all_the_time_when_it_can_be() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.begin()
    activity.text_came()
    assert activity.status(COLUMNS) == []
    activity.hint = "esc to stop"
    clock.now += 1
    assert plain(activity.status(COLUMNS)) == ["writing, 1 s  esc to stop"]
    activity.start(ToolStarted(call(1), "$ make"))
    assert plain(activity.status(COLUMNS)) == ["$ make  0 s", "esc to stop"]
    clock.now += 1
    assert plain(activity.status(COLUMNS)) == ["$ make  1 s", "esc to stop"]


def test_the_wait_is_shown_at_once_when_it_can_be_stopped() -> None:
    activity = Activity(FakeClock())
    activity.hint = "esc to stop"
    activity.wait("waiting for model")
    assert plain(activity.status(COLUMNS)) == ["waiting for model, 0 s  esc to stop"]


def test_nothing_is_being_written_when_the_message_is_over() -> None:
    activity = Activity(FakeClock())
    activity.hint = "esc to stop"
    activity.text_came()
    activity.rest()
    assert activity.status(COLUMNS) == []


def test_the_time_of_one_wait_is_known_until_another_begins() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.wait("thinking")
    clock.now += 3
    activity.wait("thinking", detail="more")
    assert activity.waited_s("thinking") == 3
    assert activity.waited_s("waiting for model") == 0
    activity.text_came()
    assert activity.waited_s("thinking") == 0


def test_the_outcome_has_a_line_of_its_own_when_the_name_of_the_file_is_long() -> None:
    finished = ToolFinished(call(1), "edit " + "x" * 80, ToolOutput((), "+0 -1", diff="@@ -1,1 +1,0 @@\n-a"), 0.0)
    assert plain(Activity(FakeClock()).finish(finished, 20), 20) == ["edit " + "x" * 14 + "…", "  +0 -1", "  1 - a"]


WORDS = st.text(st.sampled_from("ab 日😀\u0301\u202e\t\n\x1b"), max_size=60)


@given(WORDS, WORDS, WORDS, st.integers(2, 60), st.sampled_from([0, 1, 65, 3599, 40_000]), st.booleans())
def test_no_line_is_wider_than_the_terminal(
    summary: str, output: str, diff: str, columns: int, elapsed_s: int, is_command: bool
) -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.hint = "esc to stop"
    activity.note_usage(Usage(8000, 100), Usage(12_000, 300, cost_usd=0.5), 100_000)
    activity.text_came()
    clock.now += elapsed_s
    plain(activity.status(columns), columns)
    activity.wait(summary, detail=output)
    plain(activity.status(columns), columns)
    title = f"$ {summary}" if is_command else summary
    for number in range(12):
        activity.start(ToolStarted(call(number), title))
    activity.report("c0", output)
    clock.now += elapsed_s
    plain(activity.status(columns), columns)
    changed = f"@@ -1,1 +1,1 @@\n-{diff}\n+{diff}"
    plain(activity.finish(ToolFinished(call(0), title, ToolOutput((), output, diff=changed), 2.0), columns), columns)
