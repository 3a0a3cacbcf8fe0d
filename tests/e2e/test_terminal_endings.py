"""However a one-shot run ends, or is stopped for a while, the terminal is as it was, and the shell has its row."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.dialects import Said
from tests.fake_server import Turn, calls, hang, say, slow, stream_bytes, text
from tests.sitting import COMMAND, LINE_EDITOR, Sit, Sitting, seats

TOUCH = calls(("run_commands", {"commands": ["touch made"]}))
WAIT = calls(("run_commands", {"commands": ["echo begun; sleep 600"]}))
ASK = calls(("ask_question", {"question": "Which colour?", "options": ["red", "blue"]}))
STREAM = slow(["One.\n\nTwo ", *["more "] * 4000], 0.02)
QUESTION = "or say why not:"
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
CONTROL_C, CONTROL_Z = "\x03", "\x1a"


class State(NamedTuple):
    """Something that a run can be at."""

    turn: Turn
    argv: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    """What to wait for, and what to type then."""


STATES = {
    "waiting": State(hang(), ("-n", "hi"), (("waiting for model", ""),)),
    "thinking": State(say(Said((), thinking=("so ",) * 4000))._replace(pause_s=0.02), ("hi",), (("thinking", ""),)),
    "streaming": State(STREAM, ("-n", "hi"), (("Two more more", ""),)),
    "at a command": State(WAIT, ("-y", "--sandbox=off", "do it"), (("  begun", ""),)),
    "asking": State(TOUCH, ("do it",), ((QUESTION, ""),)),
    "asking, with words begun": State(TOUCH, ("do it",), ((QUESTION, "not"), (f"{QUESTION} not", ""))),
    "editing": State(TOUCH, ("do it",), ((QUESTION, "e"), ("Esc: back", "x"), ("touch madex", ""))),
    "inquiring": State(ASK, ("do it",), (("own words:", "gre"), ("own words: gre", ""))),
}


@pytest.fixture
def sit() -> Iterator[Sit]:
    with seats() as start:
        yield start


def bring(sit: Sit, name: str, *after: Turn, program: tuple[str, ...] = COMMAND) -> Sitting:
    """Return a run that is there."""
    turn, argv, steps = STATES[name]
    sitting = sit((turn, *after), *argv, program=program)
    sitting.own = LINE_EDITOR
    for seen, keys in steps:
        sitting.wait_for(seen)
        sitting.type(keys)
    return sitting


def end(sitting: Sitting, exit_code: int) -> None:
    """See the end: the shell's prompt would stand at the beginning of a row, below all that was said."""
    assert sitting.wait() == exit_code, "\n".join(sitting.scrollback)
    assert sitting.cursor[1] == 0
    assert not any(sitting.screen[sitting.cursor[0] :])


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("state", STATES)
def test_the_terminal_is_as_it_was_when_a_signal_ends_the_run(sit: Sit, state: str, number: signal.Signals) -> None:
    sitting = bring(sit, state)
    sitting.process.send_signal(number)
    end(sitting, SIGNALS[number])
    assert sitting.scrollback[-1] == f"cline: interrupted by {number.name}"
    assert not Path("made").exists()


@pytest.mark.parametrize("state", [state for state in STATES if state != "editing"])
def test_the_terminal_is_as_it_was_when_control_c_is_typed(sit: Sit, state: str) -> None:
    sitting = bring(sit, state)
    sitting.type(CONTROL_C)
    end(sitting, 130)
    assert sitting.scrollback[-1] == "cline: interrupted by SIGINT"
    assert not Path("made").exists()


def test_what_came_stays_and_no_status_line_when_a_signal_ends_the_stream(sit: Sit) -> None:
    sitting = bring(sit, "streaming")
    sitting.process.terminate()
    end(sitting, 143)
    assert sitting.scrollback[:2] == ["One.", ""]
    assert sitting.scrollback[2].startswith("Two more more")
    assert "waiting" not in "".join(sitting.scrollback)


@pytest.mark.parametrize("state", STATES)
def test_the_run_ends_when_the_terminal_hangs_up(sit: Sit, state: str) -> None:
    sitting = bring(sit, state)
    assert sitting.hang_up() == 129
    assert not Path("made").exists()


WHOLE = b"".join(text("It was here.\n\n" + "More and more of it. " * 20, pieces=40).pieces)
HALF = len(WHOLE) // 2


@pytest.mark.parametrize(
    ("turns", "exit_code"),
    [
        ((stream_bytes(WHOLE[:HALF], piece_bytes=100, pause_s=0.005, then="close"), text("Now it is whole.")), 0),
        ((stream_bytes(WHOLE[:HALF], piece_bytes=100, pause_s=0.005, then="reset"), text("Now it is whole.")), 0),
        ((stream_bytes(WHOLE[:HALF], piece_bytes=100, pause_s=0.005, then="reset"),) * 5, 75),
    ],
    ids=["close", "reset", "reset again and again"],
)
def test_the_terminal_is_as_it_was_when_the_server_is_gone_in_the_middle(
    sit: Sit, turns: tuple[Turn, ...], exit_code: int
) -> None:
    sitting = sit(turns, "-n", "hi")
    end(sitting, exit_code)
    assert "It was here." in sitting.scrollback
    assert exit_code or "Now it is whole." in sitting.scrollback


@pytest.mark.parametrize(
    ("turns", "argv", "exit_code"),
    [
        ((text("Done."),), ("-n", "hi"), 0),
        ((text("No newline at its end: " + "x" * 200),), ("-n", "hi"), 0),
        ((TOUCH, text("Done.")), ("-y", "--sandbox=off", "do it"), 0),
        ((STREAM,), ("-n", "-t", "1.5", "hi"), 124),
        ((), ("-n", "--no-such-option", "hi"), 2),
    ],
    ids=["an answer", "a long row", "a command", "a deadline", "a mistake"],
)
@pytest.mark.parametrize("columns", [80, 10])
def test_the_terminal_is_as_it_was_when_the_run_ends_by_itself(
    sit: Sit, turns: tuple[Turn, ...], argv: tuple[str, ...], exit_code: int, columns: int
) -> None:
    end(sit(turns, *argv, columns=columns), exit_code)


# Stopped for a while

SHELL = """
import os, signal, sys, termios

def give(group):
    os.tcsetpgrp(0, group)

signal.signal(signal.SIGTTOU, signal.SIG_IGN)
own = termios.tcgetattr(0)
child = os.fork()
if not child:
    os.setpgid(0, 0)
    give(os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    status = os.waitpid(child, os.WUNTRACED)[1]
    give(os.getpgrp())
    if not os.WIFSTOPPED(status):
        sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
    is_kept = termios.tcgetattr(0) == own
    termios.tcsetattr(0, termios.TCSADRAIN, own)
    print("\\n[stopped]" if is_kept else "\\n[stopped otherwise]", flush=True)
    sys.stdin.readline()
    give(child)
    os.killpg(child, signal.SIGCONT)
"""
"""A shell with one job: fg is any line. Like bash and zsh it takes back its own modes when the job is stopped."""
IN_A_SHELL = (sys.executable, "-c", SHELL, *COMMAND)


def stop(sitting: Sitting) -> None:
    sitting.type(CONTROL_Z)
    sitting.wait_for("[stopped")


def go_on(sitting: Sitting) -> None:
    seen = len(sitting.raw)
    sitting.type("fg\r")
    sitting.wait_until(lambda: b"fg" in sitting.raw[seen:])


@pytest.mark.parametrize("state", [state for state in STATES if state != "editing"])
def test_the_terminal_is_as_it_was_while_the_run_is_stopped(sit: Sit, state: str) -> None:
    sitting = bring(sit, state, program=IN_A_SHELL)
    stop(sitting)
    assert "[stopped]" in sitting.scrollback
    assert sitting.left_switched == []
    assert sitting.meddled == []


def test_the_stream_goes_on_when_it_was_stopped_and_is_continued(sit: Sit) -> None:
    answer = "".join(f"Paragraph {number}.\n\n" for number in range(40))
    sitting = sit(
        (slow([answer[at : at + 4] for at in range(0, len(answer), 4)], 0.02),), "-n", "hi", program=IN_A_SHELL
    )
    sitting.wait_for("Paragraph 3.")
    stop(sitting)
    go_on(sitting)
    end(sitting, 0)
    shown = [line for line in sitting.scrollback if re.match(r"Paragraph \d", line)]
    assert shown == [f"Paragraph {number}." for number in range(40)]


def test_the_command_goes_on_when_the_run_was_stopped_and_is_continued(sit: Sit) -> None:
    turn = calls(("run_commands", {"commands": ["echo begun; while test ! -e go; do sleep 0.05; done; echo over"]}))
    sitting = sit((turn, text("Done.")), "-y", "--sandbox=off", "do it", program=IN_A_SHELL)
    sitting.wait_for("  begun")
    stop(sitting)
    go_on(sitting)
    Path("go").touch()
    end(sitting, 0)
    assert "  over" in sitting.scrollback
    assert "Done." in sitting.scrollback


def test_the_request_goes_on_when_the_run_was_stopped_and_is_continued(sit: Sit) -> None:
    sitting = sit((text("Here.")._replace(pause_s=0.5),), "-n", "hi", program=IN_A_SHELL)
    sitting.wait_until(lambda: bool(sitting.server.requests))
    stop(sitting)
    go_on(sitting)
    end(sitting, 0)
    assert "Here." in sitting.scrollback


@pytest.mark.parametrize(
    ("state", "keys"),
    [("asking", "y"), ("asking", "y\r"), ("asking", "yes\r"), ("asking, with words begun", "\x15y")],
)
def test_the_question_is_answered_when_the_run_was_stopped_and_is_continued(sit: Sit, state: str, keys: str) -> None:
    sitting = bring(sit, state, text("Done."), program=IN_A_SHELL)
    stop(sitting)
    go_on(sitting)
    sitting.wait_until(lambda: QUESTION in sitting.screen[sitting.cursor[0]])
    sitting.type(keys)
    end(sitting, 0)
    assert Path("made").exists()
    assert "Done." in sitting.scrollback


def test_the_question_of_the_model_is_answered_when_the_run_was_stopped_and_is_continued(sit: Sit) -> None:
    sitting = bring(sit, "inquiring", text("Done."), program=IN_A_SHELL)
    stop(sitting)
    go_on(sitting)
    sitting.type("2\r")
    end(sitting, 0)
    assert "Done." in sitting.scrollback
