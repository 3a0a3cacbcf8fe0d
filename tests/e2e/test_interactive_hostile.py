"""What would steer the terminal, in every place of an interactive session where foreign text can stand.

`leave` sees that nothing of it did.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.test_interactive import IDLE, begin, leave, pieces, sit
from tests.fake_server import calls, status, text
from tests.sitting import Sit

__all__ = ["sit"]

TITLE = "\x1b]0;owned\x07"
CLIPBOARD = "\x1b]52;c;b3duZWQ=\x07"
OTHER_SCREEN = "\x1b[?1049h\x1b[2J"
REGION = "\x1b[2;5r"
C1 = "\x9b2J\x9d0;owned\x9c"
PAYLOAD = f"a{TITLE}b{CLIPBOARD}c{OTHER_SCREEN}d{REGION}e\x1bcf{C1}g\x07h\u202ei"


def test_the_answer_steers_nothing(sit: Sit) -> None:
    sitting = begin(sit, pieces(f"Text {PAYLOAD}\n\n```py\n{PAYLOAD}\n```\n\n| {PAYLOAD} |\n|---|\n| x |\n\nEnd.", 3))
    sitting.type("hi\r")
    sitting.wait_for("End.")
    leave(sitting)


def test_the_output_of_a_command_steers_nothing(sit: Sit) -> None:
    Path("payload").write_text(PAYLOAD + "\n")
    run = calls(("run_commands", {"commands": ["cat payload; sleep 1; cat payload"]}))
    sitting = begin(sit, run, text("End."), argv=("-y", "--sandbox=off"))
    sitting.type("hi\r")
    sitting.wait_for("End.")
    sitting.type("!cat payload\r")
    sitting.wait_for("[y/N]")
    sitting.type("n")
    leave(sitting)


def test_a_command_that_is_asked_for_steers_nothing_also_while_it_is_edited(sit: Sit) -> None:
    run = calls(("run_commands", {"commands": [f"touch made # {PAYLOAD}"]}))
    sitting = begin(sit, run, text("End."))
    sitting.type("hi\r")
    sitting.wait_for("or say why not:")
    assert any("<U+001B>" in line for line in sitting.scrollback)
    sitting.type("e")
    sitting.wait_for("edit >")
    sitting.type("\x1b")
    sitting.look(0.5)
    sitting.type("n\r")
    sitting.wait_for("End.")
    leave(sitting)


def test_a_question_of_the_model_steers_nothing(sit: Sit) -> None:
    asked = calls(("ask_question", {"question": f"Which? {PAYLOAD}", "options": [PAYLOAD, "two"]}))
    sitting = begin(sit, asked, text("End."))
    sitting.type("hi\r")
    sitting.wait_for("answer >")
    sitting.type("1\r")
    sitting.wait_for("End.")
    leave(sitting)


def test_a_change_and_a_file_name_steer_nothing(sit: Sit) -> None:
    edit = calls(("editor", {"path": f"x{TITLE}{REGION}.py", "new_text": PAYLOAD}))
    sitting = begin(sit, edit, text("End."))
    sitting.type("hi\r")
    sitting.wait_for("or say why not:")
    sitting.type("y")
    sitting.wait_for("End.")
    sitting.type("/diff\r")
    sitting.look(1.0)
    leave(sitting)


@pytest.mark.parametrize("code", [400, 401])
def test_the_body_of_an_error_steers_nothing(sit: Sit, code: int) -> None:
    sitting = begin(sit, status(code, {"error": {"message": f"no {PAYLOAD}"}}))
    sitting.type("hi\r")
    sitting.wait_for("cline: ")
    leave(sitting)


def test_the_name_of_a_model_steers_nothing(sit: Sit) -> None:
    sitting = begin(sit, text("End."), argv=("-m", f"m{TITLE}{REGION}{OTHER_SCREEN}"))
    sitting.type("hi\r")
    sitting.wait_for("End.")
    sitting.type("/model\r")
    sitting.wait_for("Which model?")
    sitting.type("\x1b")
    leave(sitting)


def test_what_is_pasted_and_sent_steers_nothing_nor_does_the_title_it_becomes(sit: Sit) -> None:
    first = begin(sit, text("End."))
    first.paste(PAYLOAD.replace("\x07", ""))
    first.type("\r")
    first.wait_for("End.")
    leave(first)
    second = begin(sit)
    second.type("/resume\r")
    second.wait_for("Which conversation?")
    second.type("\x1b")
    second.wait_for(IDLE)
    second.type("\x1b[A\x1b[A\x1b[A")
    second.wait_until(lambda: any("> a<U+001B>" in line for line in second.screen))
    second.type("\x15")
    second.type("/history\r")
    second.wait_for("Title")
    leave(second)


def test_a_name_that_would_steer_is_not_offered(sit: Sit) -> None:
    Path("plain_name.py").touch()
    Path(f"plain_{TITLE}name.py").touch()
    sitting = begin(sit)
    sitting.type("@plain")
    sitting.wait_for("  plain_name.py")
    assert not any(re.search(r"plain_.*owned", line) for line in sitting.scrollback)
    sitting.type("\x03")
    leave(sitting)
