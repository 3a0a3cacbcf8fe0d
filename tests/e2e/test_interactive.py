"""The interactive session as a person sees it: a real process on a pty, read through a terminal emulator."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cline_cli.session.store import Header, create
from tests.fake_server import Turn, calls, slow, status, text
from tests.sitting import Sit, Sitting, seats

ANSWER = "".join(f"Paragraph {number} of **many**.\n\n" for number in range(1, 31))
PLAIN = [line for number in range(1, 31) for line in (f"Paragraph {number} of many.", "")]
TOUCH = calls(("run_commands", {"commands": ["touch made"]}))
EDIT = calls(("editor", {"path": "a.py", "old_text": "x = 1\n", "new_text": "x = 2\n"}))
IDLE = "ask, or /help"


def pieces(answer: str, size: int = 5, pause_s: float = 0.01) -> Turn:
    return slow([answer[start : start + size] for start in range(0, len(answer), size)], pause_s)


@pytest.fixture
def sit() -> Iterator[Sit]:
    with seats() as start:
        yield start


def begin(sit: Sit, *turns: Turn, argv: tuple[str, ...] = (), **given: object) -> Sitting:
    sitting = sit(turns, *argv, **given)
    sitting.wait_for(IDLE)
    return sitting


def leave(sitting: Sitting) -> None:
    sitting.wait_for(IDLE)
    sitting.type("/quit\r")
    assert sitting.wait() == 0


def test_an_answer_streams_above_the_line_and_stays_when_the_session_is_left(sit: Sit) -> None:
    sitting = begin(sit, pieces(ANSWER, 12))
    sitting.type("say much\r")
    sitting.wait_for("Paragraph 30 of many.")
    leave(sitting)
    start = sitting.scrollback.index("> say much") + 2
    assert sitting.scrollback[start : start + 59] == PLAIN[:59]


def test_the_folder_is_told_of_in_one_line_when_a_session_begins(sit: Sit) -> None:
    Path("pyproject.toml").touch()
    Path("AGENTS.md").write_text("Be kind.")
    sitting = begin(sit)
    assert "Python" in sitting.screen[0]
    assert "rules from AGENTS.md" in sitting.screen[0]
    leave(sitting)


@pytest.mark.parametrize("reflows", [False, True], ids=["cuts", "rewraps"])
def test_nothing_is_lost_or_doubled_when_the_window_changes_while_it_streams(sit: Sit, reflows: bool) -> None:
    sitting = begin(sit, pieces(ANSWER), reflows=reflows)
    sitting.type("say much\r")
    for columns, rows in [(50, 24), (100, 30), (44, 20), (80, 24)]:
        sitting.wait_for_more()
        sitting.resize(columns, rows)
    sitting.wait_for("Paragraph 30 of many.")
    leave(sitting)
    assert [line for line in sitting.scrollback if line.startswith("Paragraph")] == PLAIN[::2]


@pytest.mark.parametrize(
    ("keys", "is_made", "seen"),
    [
        ("y", True, "touch made  exit 0"),
        ("n\r", False, "denied: The user said no."),
        ("\r", False, "denied: The user said no."),
        ("\x1b", False, "denied: The user said no."),
        ("no, because it is late\r", False, "denied: The user said no: because it is late"),
        ("not now\r", False, "denied: The user said no: not now"),
    ],
)
def test_a_call_runs_or_not_as_the_keys_say(sit: Sit, keys: str, is_made: bool, seen: str) -> None:
    sitting = begin(sit, TOUCH, text("As you wish."))
    sitting.type("make it\r")
    sitting.wait_for("or say why not:")
    assert not Path("made").exists()
    sitting.type(keys)
    sitting.wait_for("As you wish.")
    assert Path("made").exists() is is_made
    assert any(seen in line for line in sitting.scrollback)
    leave(sitting)


def test_always_is_asked_once(sit: Sit) -> None:
    again = calls(("run_commands", {"commands": ["touch again"]}))
    sitting = begin(
        sit, TOUCH, again, text("Done."), calls(("run_commands", {"commands": ["touch third"]})), text("Yes.")
    )
    sitting.type("make it\r")
    sitting.wait_for("a: always")
    assert any("touch *" in line for line in sitting.screen)
    sitting.type("a")
    sitting.wait_for("Done.")
    sitting.type("/plan\r")
    sitting.type("/act\r")
    sitting.type("once more\r")
    sitting.wait_for("Yes.")
    assert Path("again").exists()
    assert Path("third").exists()
    leave(sitting)


def test_the_command_that_was_edited_runs_and_the_model_is_told(sit: Sit) -> None:
    sitting = begin(sit, TOUCH, text("Done."))
    sitting.type("make it\r")
    sitting.wait_for("or say why not:")
    sitting.type("e")
    sitting.wait_for("edit >")
    sitting.type("2\r")
    sitting.wait_for("Done.")
    assert Path("made2").exists()
    assert not Path("made").exists()
    assert "touch made2" in str(sitting.server.requests[-1].results)
    leave(sitting)


def test_the_keys_are_explained_when_they_are_asked_for(sit: Sit) -> None:
    sitting = begin(sit, TOUCH, text("Done."))
    sitting.type("make it\r")
    sitting.wait_for("or say why not:")
    sitting.type("?")
    sitting.wait_for("edit the command")
    sitting.type("y")
    sitting.wait_for("Done.")
    leave(sitting)


def test_a_change_is_shown_as_a_diff_before_and_after(sit: Sit) -> None:
    Path("a.py").write_text("x = 1\n")
    sitting = begin(sit, EDIT, text("Done."))
    sitting.type("change it\r")
    sitting.wait_for("or say why not:")
    assert "  - x = 1" in sitting.screen
    assert "  + x = 2" in sitting.screen
    sitting.type("y")
    sitting.wait_for("Done.")
    sitting.wait_for("1 file changed")
    assert Path("a.py").read_text() == "x = 2\n"
    sitting.type("/undo\r")
    sitting.wait_for("put back 1 file")
    assert Path("a.py").read_text() == "x = 1\n"
    leave(sitting)


def test_what_came_stays_and_the_session_goes_on_when_esc_stops_the_stream(sit: Sit) -> None:
    sitting = begin(sit, pieces("One.\n\nTwo " + "more " * 400, 5, 0.02), text("Here I am."))
    sitting.type("say much\r")
    sitting.wait_for("Two more more")
    sitting.type("\x1b")
    sitting.wait_for("stopped")
    sitting.type("go on\r")
    sitting.wait_for("Here I am.")
    said = [message for message in sitting.server.requests[-1].messages if message["role"] == "assistant"]
    assert str(said[0]["content"]).startswith("One.\n\nTwo more")
    leave(sitting)


def test_the_command_ends_and_the_session_goes_on_when_esc_stops_it(sit: Sit) -> None:
    run = calls(("run_commands", {"commands": ["echo $$ > pid; echo begun; sleep 600"]}))
    sitting = begin(sit, run, text("Here I am."), argv=("-y", "--sandbox=off"))
    sitting.type("wait\r")
    sitting.wait_for("  begun")
    assert Path("pid").exists(), "\n".join(sitting.scrollback)
    sitting.type("\x1b")
    sitting.wait_for("stopped")
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)
    sitting.type("go on\r")
    sitting.wait_for("Here I am.")
    leave(sitting)


def test_a_line_waits_for_the_end_of_the_run_when_one_goes_on(sit: Sit) -> None:
    sitting = begin(sit, pieces("One " * 60, 4, 0.02), text("Second."))
    sitting.type("first\r")
    sitting.wait_for("One One")
    sitting.type("second\r")
    sitting.wait_for("waits: second")
    sitting.type("\x1b[A")
    sitting.wait_until(lambda: "> second" in sitting.screen)
    sitting.type("!\r")
    sitting.wait_for("waits: second!")
    sitting.wait_for("Second.")
    assert "second!" in str(sitting.server.requests[-1].messages[-1])
    leave(sitting)


def test_what_waits_comes_back_into_the_line_when_the_run_is_stopped(sit: Sit) -> None:
    sitting = begin(sit, pieces("more " * 4000, 5, 0.02))
    sitting.type("say much\r")
    sitting.wait_for("more more")
    sitting.type("and this\r")
    sitting.wait_for("waits: and this")
    sitting.type("\x1b")
    sitting.wait_for("stopped")
    sitting.wait_until(lambda: "> and this" in sitting.screen)
    assert len(sitting.server.requests) == 1
    sitting.type("\x15")
    leave(sitting)


def test_a_line_that_still_waited_is_in_the_history_when_the_session_was_left(sit: Sit) -> None:
    first = begin(sit, pieces("more " * 4000, 5, 0.02))
    first.type("say much\r")
    first.wait_for("more more")
    first.type("never sent\r")
    first.wait_for("waits: never sent")
    first.process.send_signal(signal.SIGTERM)
    assert first.wait() == 128 + signal.SIGTERM
    second = begin(sit)
    second.type("\x1b[A")
    second.wait_for("> never sent")
    second.type("\x15")
    leave(second)


def test_five_thousand_lines_are_one_token_and_sent_whole_when_they_are_pasted(sit: Sit) -> None:
    sitting = begin(sit, text("Read."))
    pasted = "\n".join(f"line {number}" for number in range(5000))
    sitting.type("look: ")
    sitting.paste(pasted)
    sitting.wait_for("[pasted 5,000 lines]")
    sitting.type("\r")
    sitting.wait_for("Read.")
    assert "line 0\nline 1\n" in str(sitting.server.requests[-1].messages[-1]["content"])
    assert "line 4999" in str(sitting.server.requests[-1].messages[-1]["content"])
    leave(sitting)


def test_a_session_is_gone_on_with_when_it_is_resumed(sit: Sit) -> None:
    first = begin(sit, text("It is blue."))
    first.type("the colour is blue\r")
    first.wait_for("It is blue.")
    leave(first)
    second = begin(sit, text("Blue, as you said."))
    second.type("/resume\r")
    second.wait_for("Which conversation?")
    second.type("\r")
    second.wait_for("It is blue.")
    second.type("which colour?\r")
    second.wait_for("Blue, as you said.")
    assert "the colour is blue" in str(second.server.requests[-1].messages)
    leave(second)


def test_no_colour_is_written_when_none_is_wanted(sit: Sit) -> None:
    sitting = begin(sit, text("A **bold** word."), NO_COLOR="1")
    sitting.type("hi\r")
    sitting.wait_for("A bold word.")
    leave(sitting)
    assert not re.search(rb"\x1b\[[0-9;]*m", sitting.raw)


def test_everything_fits_when_the_terminal_has_forty_columns(sit: Sit) -> None:
    sitting = begin(sit, TOUCH, pieces("| name | size |\n|---|---|\n| 中文 🎉 | 12 |\n\nDone.\n"), columns=40)
    sitting.type("make something that takes more than one row to say\r")
    sitting.wait_for("or say why not:")
    sitting.type("y")
    sitting.wait_for("Done.")
    assert any("中文 🎉" in line for line in sitting.scrollback)
    leave(sitting)


def test_the_history_is_searched_over_sessions(sit: Sit) -> None:
    first = begin(sit, text("Yes."))
    first.type("what is a monad\r")
    first.wait_for("Yes.")
    leave(first)
    second = begin(sit, text("No."))
    second.type("\x12mon")
    second.wait_for("what is a monad")
    second.type("\r")
    second.wait_until(lambda: "> what is a monad" in second.screen)
    second.type("\r")
    second.wait_for("No.")
    leave(second)


def test_a_file_is_attached_when_it_is_completed(sit: Sit) -> None:
    Path("src").mkdir()
    Path("src/target.py").write_text("secret_word = 7\n")
    sitting = begin(sit, text("Seven."))
    sitting.type("read @targ")
    sitting.wait_for("  src/target.py")
    sitting.type("\t")
    sitting.wait_until(lambda: any("@src/target.py" in line for line in sitting.screen))
    sitting.type("\r")
    sitting.type("\r")
    sitting.wait_for("Seven.")
    assert "secret_word = 7" in str(sitting.server.requests[-1].messages[-1])
    leave(sitting)


def test_plan_changes_nothing_and_act_asks_again(sit: Sit) -> None:
    sitting = begin(sit, TOUCH, text("A plan."))
    sitting.type("\t")
    sitting.wait_until(lambda: any(line.startswith("plan ") for line in sitting.screen))
    sitting.type("make it\r")
    sitting.wait_for("A plan.")
    assert not Path("made").exists()
    leave(sitting)


def test_the_output_goes_to_the_model_when_a_shell_command_is_offered(sit: Sit) -> None:
    sitting = begin(sit, text("I see."))
    sitting.type("!echo out-of-the-shell\r")
    sitting.wait_for("[y/N]")
    assert "out-of-the-shell" in sitting.screen
    sitting.type("y")
    sitting.wait_for("goes along")
    sitting.type("what was it?\r")
    sitting.wait_for("I see.")
    assert "out-of-the-shell" in str(sitting.server.requests[-1].messages[-1])
    leave(sitting)


def test_the_screen_is_empty_and_nothing_is_lost_when_it_is_cleared(sit: Sit) -> None:
    sitting = begin(sit)
    sitting.own = frozenset({"\x1b[H"})
    sitting.type("!seq 1 40\r")
    sitting.wait_for("[y/N]")
    sitting.type("n")
    sitting.wait_for(IDLE)
    sitting.type("/clear\r")
    sitting.wait_until(lambda: sitting.screen[0] == "a new conversation")
    assert [line for line in sitting.scrollback if line.isdecimal()] == [str(number) for number in range(1, 41)]
    leave(sitting)


def test_a_new_conversation_knows_nothing_of_the_other(sit: Sit) -> None:
    sitting = begin(sit, text("One."), text("Two."))
    sitting.type("the secret is 42\r")
    sitting.wait_for("One.")
    sitting.type("/new\r")
    sitting.wait_for("goes on with the other")
    sitting.type("what is it?\r")
    sitting.wait_for("Two.")
    assert "secret" not in str(sitting.server.requests[-1].messages)
    leave(sitting)


def test_the_provider_whose_name_is_typed_is_chosen(sit: Sit) -> None:
    sitting = begin(sit, ANTHROPIC_API_KEY="sk-ant-test-0123456789")
    sitting.type("/provider\r")
    sitting.wait_for("Which provider?")
    sitting.type("anthr\r")
    sitting.wait_for("at anthropic from now on")
    leave(sitting)


def test_another_model_is_asked_when_it_is_chosen(sit: Sit) -> None:
    sitting = begin(sit, text("One."), text("Two."))
    sitting.type("first\r")
    sitting.wait_for("One.")
    sitting.type("/model openai/gpt-5\r")
    sitting.wait_for("from now on")
    sitting.type("second\r")
    sitting.wait_for("Two.")
    request = sitting.server.requests[-1]
    assert request.body["model"] == "openai/gpt-5"
    assert "first" in str(request.messages)
    leave(sitting)


def test_a_failure_is_told_and_the_session_goes_on(sit: Sit) -> None:
    refused = status(401, {"error": {"message": "no such key"}})
    sitting = begin(sit, refused, text("Now."))
    sitting.type("first\r")
    sitting.wait_for("no such key")
    sitting.type("again\r")
    sitting.wait_for("Now.")
    leave(sitting)


@pytest.mark.parametrize("keys", ["\x04", "\x03\x03", "/quit\r"], ids=["Ctrl-D", "Ctrl-C twice", "/quit"])
def test_the_terminal_is_as_it_was_when_the_session_is_left(sit: Sit, keys: str) -> None:
    sitting = begin(sit)
    sitting.type(keys)
    assert sitting.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("is_busy", [False, True])
def test_the_terminal_is_as_it_was_when_a_signal_ends_the_session(sit: Sit, number: int, is_busy: bool) -> None:
    sitting = begin(sit, pieces("more " * 4000, 5, 0.02))
    if is_busy:
        sitting.type("say much\r")
        sitting.wait_for("more more")
    sitting.process.send_signal(number)
    assert sitting.wait() == 128 + number


@pytest.mark.parametrize("is_busy", [False, True])
def test_the_session_ends_when_the_terminal_is_gone(sit: Sit, is_busy: bool) -> None:
    sitting = begin(sit, pieces("more " * 4000, 5, 0.02))
    if is_busy:
        sitting.type("say much\r")
        sitting.wait_for("more more")
    assert sitting.hang_up() == 128 + signal.SIGHUP


def test_the_terminal_is_as_it_was_when_a_question_stands_and_a_signal_comes(sit: Sit) -> None:
    sitting = begin(sit, TOUCH)
    sitting.type("make it\r")
    sitting.wait_for("or say why not:")
    sitting.process.send_signal(signal.SIGTERM)
    assert sitting.wait() == 128 + signal.SIGTERM
    assert not Path("made").exists()


def test_the_shell_has_the_terminal_as_it_was_while_the_session_is_suspended(sit: Sit) -> None:
    sitting = begin(sit, text("Still here."))
    sitting.type("half")
    sitting.wait_for("> half")
    sitting.process.send_signal(signal.SIGTSTP)
    sitting.look(1.0)
    sitting.process.send_signal(signal.SIGCONT)
    sitting.type(" and half\r")
    sitting.wait_for("Still here.")
    assert "> half and half" in sitting.scrollback
    leave(sitting)


def test_the_run_stops_and_then_the_session_ends_when_ctrl_c_is_typed_twice(sit: Sit) -> None:
    sitting = begin(sit, pieces("more " * 4000, 5, 0.02))
    sitting.type("say much\r")
    sitting.wait_for("more more")
    sitting.type("\x03")
    sitting.wait_for("stopped")
    sitting.type("\x03")
    assert sitting.wait() == 0


def test_a_key_that_was_being_typed_does_not_answer_a_question(sit: Sit) -> None:
    sitting = begin(sit, pieces("x " * 20, 2, 0.02), TOUCH, text("Done."))
    sitting.type("first\r")
    sitting.wait_for("x x")
    sitting.type("second\r")
    deadline_s = time.monotonic() + 40
    while not any("stop typing" in line for line in sitting.screen):
        assert time.monotonic() < deadline_s
        sitting.type("y")
        sitting.look(0.1)
    sitting.type("y")
    sitting.look(0.3)
    assert not Path("made").exists()
    sitting.wait_until(lambda: not any("stop typing" in line for line in sitting.screen))
    sitting.type("y")
    sitting.wait_for("1 call,")
    sitting.type("\x15")
    leave(sitting)


def test_the_scrollback_is_the_plain_transcript_when_keys_and_sizes_are_random(sit: Sit) -> None:
    choice = random.Random(7)
    sitting = begin(sit, pieces(ANSWER, 5, 0.02))
    sitting.type("say much\r")
    keys = [
        *"abc xyz",
        "\x7f",
        "\x1b[D",
        "\x1b[C",
        "\x1b[A",
        "\x1b[B",
        "\x01",
        "\x05",
        "\x17",
        "\x0b",
        "\t",
        "中",
        "🎉",
    ]
    count = 0
    while count < 10_000:
        burst = choice.randint(20, 200)
        sitting.type("".join(choice.choice(keys) for _ in range(burst)))
        count += burst
        if choice.random() < 0.2:
            sitting.paste("pasted\n" * choice.randint(1, 30))
        if choice.random() < 0.3:
            sitting.resize(choice.randint(40, 120), choice.randint(24, 40))
        sitting.look(0.01)
    sitting.wait_for("Paragraph 30 of many.")
    sitting.resize(80, 24)
    sitting.type("\x1b")
    sitting.look(0.3)
    sitting.type("\x15\x03")
    sitting.wait_for("once more")
    sitting.type("\x03")
    assert sitting.wait() == 0
    assert [line for line in sitting.scrollback if line.startswith("Paragraph")] == PLAIN[::2]
    assert sum(line == "> say much" for line in sitting.scrollback) == 1


def test_completion_answers_from_a_large_repository(sit: Sit) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)
    for folder in range(50):
        place = Path(f"folder{folder}")
        place.mkdir()
        for number in range(1000):
            (place / f"module_{number}.py").touch()
    sitting = begin(sit)
    sitting.type("@folder7/module_77")
    sitting.wait_for("  folder7/module_77.py")
    before_s = time.monotonic()
    sitting.type("7")
    sitting.wait_for("  folder7/module_777.py")
    assert time.monotonic() - before_s < 5  # a guard against minutes; what it takes is measured by the bench
    sitting.type("\x03")
    leave(sitting)


def test_a_session_that_another_process_has_is_told_of(sit: Sit) -> None:
    header = Header("1700000000000_aaaaa", "2026-01-01T00:00:00.000Z", str(Path.cwd()), "cline", "m", "act")
    session = create(Path(os.environ["HOME"], "state", "sessions"), header)
    try:
        sitting = begin(sit, argv=("--data-dir", str(Path(os.environ["HOME"], "state"))))
        sitting.type("/resume 1700000000000_aaaaa\r")
        sitting.wait_for("in use by another run")
        leave(sitting)
    finally:
        session.close()


@pytest.mark.parametrize(
    ("argv", "variables", "told"),
    [
        ((), {"TERM": "dumb"}, "there is no interactive session: TERM"),
        ((), {"CI": "1"}, "there is no interactive session: CI is set"),
        (("-i",), {"TERM": "dumb"}, "there can be no interactive session"),
        (("-i", "--schema", "a", "hi"), {}, "--tui and --schema contradict each other"),
    ],
)
def test_it_is_said_why_there_is_no_session(
    sit: Sit, argv: tuple[str, ...], variables: dict[str, str], told: str
) -> None:
    sitting = sit((), *argv, **variables)
    assert sitting.wait() == 2
    assert told in "".join(sitting.scrollback)


def test_a_session_begins_with_the_prompt_when_one_is_given(sit: Sit) -> None:
    sitting = begin(sit, text("Hello."), argv=("-i", "say", "hello"))
    sitting.wait_for("Hello.")
    assert "> say hello" in sitting.scrollback
    leave(sitting)
