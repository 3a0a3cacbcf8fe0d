"""The command at a terminal: a process in a session of its own, a person who types, a scripted server."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fake_server import FakeServer, Turn, calls, slow, text
from tests.frontends.emulator import Emulator

COLUMNS, ROWS = 80, 24
PATIENCE_S = 40
AT_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "cline_cli", *sys.argv[1:]])
"""
ANSWER = """# Head

A **bold** word, `code`, and a line that is so long that it has to be wrapped at a terminal of eighty columns.

- one
- two

```python
def f():

    return 1
```
"""
SHOWN = [
    "Head",
    "",
    "A bold word, code, and a line that is so long that it has to be wrapped at a",
    "terminal of eighty columns.",
    "",
    " • one",
    " • two",
    "",
    "def f():",
    "",
    "    return 1",
]
RUN = calls(("run_commands", {"commands": ["touch made"]}))


class Person:
    """Sits at a terminal, and sees what one process does there."""

    server: FakeServer
    """What the process asks."""

    def __init__(
        self, argv: tuple[str, ...], variables: dict[str, str], stdout: int | None, stdin: int | None = None
    ) -> None:
        self.seen = b""
        self.terminal, program = pty.openpty()
        termios.tcsetwinsize(program, (ROWS, COLUMNS))
        self.program = program
        self.before = termios.tcgetattr(program)
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_THE_TERMINAL, *argv],
            stdin=program if stdin is None else stdin,
            stdout=program if stdout is None else stdout,
            stderr=program,
            env={**os.environ, "TERM": "xterm-256color", **variables},
            start_new_session=True,
        )

    def look(self, timeout_s: float = 0) -> None:
        if select.select([self.terminal], [], [], timeout_s)[0]:
            self.seen += os.read(self.terminal, 65536)

    def wait_for(self, text: str, times: int = 1) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while self.seen.decode(errors="replace").count(text) < times:
            assert time.monotonic() < deadline_s, f"{text!r} was not seen in {self.seen!r}"
            self.look(0.1)

    def wait_for_question(self, times: int = 1) -> None:
        """See the question: what is typed from now on answers it."""
        self.wait_for("or say why not: ", times)

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def wait(self) -> int:
        """See it to its end; the terminal must be as it was."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, f"it goes on; seen: {self.seen!r}"
            self.look(0.05)
        while select.select([self.terminal], [], [], 0.05)[0]:
            self.look()
        assert termios.tcgetattr(self.program) == self.before
        return self.process.returncode

    @property
    def screen(self) -> list[str]:
        emulator = Emulator(COLUMNS, ROWS)
        emulator.feed(self.seen.decode().replace("\r\n", "\n"))
        return emulator.text

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.terminal)
        os.close(self.program)


Sit = Callable[..., Person]


@pytest.fixture
def sit() -> Iterator[Sit]:
    """Return a function that starts the command at a terminal: `sit((turns...), "-n", "hi", NO_COLOR="1")`."""
    people: list[Person] = []
    servers: list[FakeServer] = []

    def start(turns: tuple[Turn, ...], *argv: str, stdout: int | None = None, **variables: str) -> Person:
        server = FakeServer(*turns)
        server.__enter__()
        servers.append(server)
        variables = {"CLINE_API_KEY": "sk-test-canary-7d1f4b", "CLINE_API_BASE_URL": server.origin, **variables}
        people.append(Person(argv, variables, stdout))
        people[-1].server = server
        return people[-1]

    yield start
    for person in people:
        person.close()
    for server in servers:
        server.__exit__(None, None, None)


def test_the_answer_stays_as_if_rendered_at_once_when_it_streamed(sit: Sit) -> None:
    person = sit((slow([ANSWER[start : start + 3] for start in range(0, len(ANSWER), 3)], 0.005),), "-n", "hi")
    assert person.wait() == 0
    assert person.screen == [*SHOWN, ""]
    assert b"\x1b[?25l" not in person.seen


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}], ids=str)
def test_no_escape_byte_is_written_when_the_terminal_or_the_person_wants_none(
    sit: Sit, variables: dict[str, str]
) -> None:
    person = sit((text(ANSWER),), "hi there", **variables)
    assert person.wait() == 0
    assert person.seen.decode().replace("\r\n", "\n") == ANSWER


def test_the_call_runs_when_the_person_says_yes(sit: Sit) -> None:
    person = sit((RUN, text("Done.")), "make it")
    person.wait_for_question()
    assert not Path("made").exists()
    person.type("y\r")
    assert person.wait() == 0
    assert Path("made").exists()
    assert person.screen[:4] == [
        "Allow: run this?",
        "  $ touch made",
        "a: always, in this session, for touch *",
        "y: yes  n: no  a: always  e: edit  ?: help  or say why not: y",
    ]
    assert person.screen[4] == ""
    assert person.screen[5].startswith("$ touch made  exit 0")
    assert "Done." in person.screen


@pytest.mark.parametrize(("keys", "shown"), [("y", "y"), ("yes\r", "yes"), ("\x1b[A\x1b[1;5Dy", "y")])
def test_the_call_runs_at_once_when_the_keys_are_a_yes(sit: Sit, keys: str, shown: str) -> None:
    person = sit((RUN, text("Done.")), "make it")
    person.wait_for_question()
    person.type(keys)
    assert person.wait() == 0
    assert Path("made").exists()
    assert f"why not: {shown}\r\n" in plain(person.seen)
    assert not has_input(person)


def plain(seen: bytes) -> str:
    """Return what was seen without its styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", seen.decode())


def has_input(person: Person) -> bool:
    """Whether something is left of what was typed, for the shell to take for a command."""
    raw = termios.tcgetattr(person.program)
    raw[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(person.program, termios.TCSANOW, raw)
    return bool(select.select([person.program], [], [], 0.05)[0])


@pytest.mark.parametrize("keys", ["n\r", "\r", "\x1b", "\x04"])
def test_the_call_does_not_run_when_the_keys_are_a_no(sit: Sit, keys: str) -> None:
    person = sit((RUN, text("As you wish.")), "make it")
    person.wait_for_question()
    person.type(keys)
    assert person.wait() == 5
    assert not Path("made").exists()
    assert not has_input(person)


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}], ids=str)
def test_the_edited_command_runs_when_the_person_edits_it(sit: Sit, variables: dict[str, str]) -> None:
    person = sit((RUN, text("Done.")), "make it", **variables)
    person.wait_for_question()
    person.type("?")
    person.wait_for_question(2)
    assert "\r\n  e  edit the command first\r\n" in plain(person.seen)
    person.type("e")
    person.wait_for("Esc: back")
    person.type("x\x1b")
    person.wait_for_question(3)
    person.type("e\r")
    person.wait_for("Esc: back", 2)
    person.type("\x7f\x7f\x7f\x7fbetter\r")
    assert person.wait() == 0
    assert Path("better").exists()
    assert not Path("made").exists()
    assert "$ touch better" in plain(person.seen)
    assert "edited this call" in str(person.server.requests[-1].body)


def test_the_run_ends_when_control_c_comes_while_a_command_is_edited_and_the_question_stands_again(sit: Sit) -> None:
    person = sit((RUN,), "make it")
    person.wait_for_question()
    person.type("e")
    person.wait_for("Esc: back")
    person.type("\x03")
    person.wait_for_question(2)
    person.type("\x03")
    assert person.wait() == 128 + signal.SIGINT
    assert not Path("made").exists()


def test_the_terminal_is_as_it_was_when_a_signal_ends_the_run_while_a_command_is_edited(sit: Sit) -> None:
    person = sit((RUN,), "make it")
    person.wait_for_question()
    person.type("e")
    person.wait_for("Esc: back")
    person.process.terminate()
    assert person.wait() == 128 + signal.SIGTERM
    assert not Path("made").exists()


@pytest.mark.parametrize("keys", ["a", "a\r"])
def test_always_is_asked_once(sit: Sit, keys: str) -> None:
    again = calls(("run_commands", {"commands": ["touch again"]}))
    person = sit((RUN, again, text("Done.")), "make it")
    person.wait_for_question()
    person.type(keys)
    assert person.wait() == 0
    assert Path("made").exists()
    assert Path("again").exists()


def test_a_question_of_the_model_is_answered(sit: Sit) -> None:
    question = calls(("ask_question", {"question": "Which colour?", "options": ["red", "blue"]}))
    person = sit((question, text("Done.")), "paint it")
    person.wait_for("own words: ")
    person.type("2\r")
    assert person.wait() == 0
    assert "? Which colour?" in person.screen
    assert "Done." in person.screen


def test_no_other_question_is_seen_when_a_command_is_padded_to_look_like_one(sit: Sit) -> None:
    forged = "touch made #".ljust(COLUMNS - 4, "-") + "Allow: run this?".ljust(COLUMNS) + "  $ ls -l"
    person = sit((calls(("run_commands", {"commands": [forged, "touch made" + " " * 5000 + "; ls"]})),), "make it")
    person.wait_for_question()
    assert [line for line in person.screen if line[:1] not in {"", " "}] == [
        "Allow: run this?",
        "y: yes  n: no  e: edit  ?: help  or say why not:",
    ]
    assert "  $ touch made<5000 spaces>; ls" in person.screen
    person.type("\x03")
    assert person.wait() == 128 + signal.SIGINT


def test_the_question_says_so_when_a_whole_file_would_be_replaced(sit: Sit) -> None:
    Path("big.txt").write_text("one\ntwo\n")
    person = sit((calls(("editor", {"path": "big.txt", "new_text": "gone\n"})), text("As you wish.")), "go")
    person.wait_for_question()
    assert person.screen[:3] == ["Allow: replace all of big.txt?", "  path: big.txt", "  + gone"]
    person.type("\r")
    assert person.wait() == 5
    assert Path("big.txt").read_text() == "one\ntwo\n"


def test_the_call_does_not_run_when_the_person_says_why_not(sit: Sit) -> None:
    person = sit((RUN, text("As you wish.")), "make it")
    person.wait_for_question()
    person.type("no, not here\r")
    assert person.wait() == 5
    assert not Path("made").exists()
    assert "$ touch made  denied: The user said no: not here" in person.screen
    assert "As you wish." in person.screen


def test_the_run_ends_when_control_c_is_typed_at_the_question(sit: Sit) -> None:
    person = sit((RUN,), "make it")
    person.wait_for_question()
    person.type("\x03")
    assert person.wait() == 128 + signal.SIGINT
    assert not Path("made").exists()
    assert person.screen[-2:] == ["cline: interrupted by SIGINT", ""]


def test_what_came_stays_when_control_c_is_typed_while_it_streams(sit: Sit) -> None:
    person = sit((slow(["One.\n\nTwo ", *["more "] * 400], 0.05),), "-n", "hi")
    person.wait_for("more")
    person.type("\x03")
    assert person.wait() == 128 + signal.SIGINT
    assert person.screen[0:2] == ["One.", ""]
    assert person.screen[2].startswith("Two more")
    assert person.screen[-2:] == ["cline: interrupted by SIGINT", ""]


def test_the_question_stands_on_the_terminal_when_the_answer_goes_into_a_pipe(sit: Sit) -> None:
    reader, writer = os.pipe()
    person = sit((RUN, text("Done.")), "make it", stdout=writer)
    os.close(writer)
    person.wait_for_question()
    person.type("y\r")
    assert person.wait() == 0
    assert os.read(reader, 1000) == b"Done.\n"
    os.close(reader)
    assert b"cline: $ touch made -> exit 0" in person.seen
    assert b"\x1b" not in person.seen
    assert Path("made").exists()
