"""Text from anywhere that would steer the terminal: at a real one it steers nothing, and none of the rest is lost.

Each piece of text stands between two words of its own, `b07e` and `a07e`: what is overwritten, erased or swallowed is
missed on the screen. What steers is found in the bytes (tests/sitting.py), so that nothing depends on the emulator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from cline_cli.agent.messages import JsonObject
from tests.conftest import RunCline
from tests.dialects import Said, to_object
from tests.fake_server import USAGE, Turn, calls, event, say, slow, status, stream_bytes, text
from tests.sitting import Sit, Sitting, seats

HOSTILE = (
    "\x1b]0;owned\x07",
    "\x1b]2;owned\x1b\\",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b]8;;http://example.com\x1b\\",
    "\x1b]0;never ended",
    "\x1b[?1049h",
    "\x1b[?25l",
    "\x1b[?1000;1006h",
    "\x1b[?2004h",
    "\x1b[?7l",
    "\x1b[4h",
    "\x1b[1;3r",
    "\x1b[2J\x1b[H",
    "\x1b[3J",
    "\x1b[2K\x1b[1G",
    "\x1b[5A\x1b[J",
    "\x1b[100D",
    "\x1b[!p",
    "\x1bc",
    "\x1b#8",
    "\x1b(0",
    "\x1b7\x1b8",
    "\x1b[6n\x1b[c",
    "\x1b[21t\x1b[3;0;0t",
    "\x1b[8m",
    "\x1b[31;5m",
    "\x1b[38;2;1;2;3m",
    "\x1bP$q\x1b\\",
    "\x1bP1000p",
    "\x1b_Gi=1;owned\x1b\\",
    "\x1b^owned\x1b\\",
    "\x1bXowned\x1b\\",
    "\x1b[200~pasted\x1b[201~",
    "\x9b2J",
    "\x9d0;owned\x9c",
    "\x90$q\x9c",
    "\x9f\x98\x9e\x85\x8d",
    "\x08" * 8,
    "\rover ",
    "\x07",
    "\x7f\x7f\x7f\x7f",
    "\x0e\x0f\x05\x18\x1a\x0b\x0c",
    "\x1b\x1b[2J",
    "\x1b",
    "\x1b[",
)
DISGUISED = ("\u202e", "\u2066", "\u200b", "\u200f", "\u2028", "\ufeff", "\u3164")
"""Characters that steer nothing, but show a decision as another than it is."""
IN_NAMES = tuple(one for one in HOSTILE if "/" not in one)
AT_ONCE = {"retry-after-ms": "1"}
WIDE = 200


@pytest.fixture
def sit() -> Iterator[Sit]:
    with seats() as start:
        yield start


def before(number: int) -> str:
    return f"b{number:02}e"


def after(number: int) -> str:
    return f"a{number:02}e"


def wrap(payloads: Sequence[str] = HOSTILE) -> list[str]:
    """Return each between its two words."""
    return [f"{before(number)}{payload}{after(number)}" for number, payload in enumerate(payloads)]


def missed(sitting: Sitting, count: int = len(HOSTILE), *, word: Callable[[int], str] = before) -> list[str]:
    """Return which of the words that stand before the payloads are not to be seen."""
    seen = "\n".join(sitting.scrollback)
    return [word(number) for number in range(count) if word(number) not in seen]


def disguises(sitting: Sitting) -> list[str]:
    """Return what is hidden in that which is to be seen as it is."""
    return re.findall(f"[{''.join(DISGUISED)}]", sitting.raw.decode())


def end(sitting: Sitting, exit_code: int) -> None:
    assert sitting.wait() == exit_code, "\n".join(sitting.scrollback)


def cut(answer: str, size: int) -> list[str]:
    return [answer[start : start + size] for start in range(0, len(answer), size)]


def one_per_call(name: str, arguments: Callable[[str], JsonObject], payloads: Sequence[str]) -> Turn:
    return calls(*((name, arguments(payload)) for payload in wrap(payloads)))


FORMS: dict[str, Callable[[list[str]], str]] = {
    "paragraphs": "\n\n".join,
    "code": lambda lines: "```python\n" + "\n".join(lines) + "\n```\n",
    "a list": lambda lines: "".join(f"- {line}\n" for line in lines),
    "headings": lambda lines: "".join(f"# {line}\n\n" for line in lines),
    "a table": lambda lines: "| what | it |\n|---|---|\n" + "".join(f"| {line} | x |\n" for line in lines),
    "links": lambda lines: "".join(f"[{line}](http://example.com/{line} '{line}') `{line}`\n\n" for line in lines),
    "html": lambda lines: "".join(f"<b title='{line}'>{line}</b> &#27;]0;written&#7; {line}\n\n" for line in lines),
    "what names a language": lambda lines: "".join(f"{line}\n\n```{line}\n{line}\n```\n\n" for line in lines),
}


@pytest.mark.parametrize("size", [1, 3])
def test_an_answer_steers_nothing_and_stays_when_it_streams_in_such_pieces(sit: Sit, size: int) -> None:
    answer = "\n\n".join(f"{form}:\n\n{write(wrap())}" for form, write in FORMS.items())
    sitting = sit((slow(cut(answer, size), 0.0002),), "-n", "hi", columns=WIDE)
    end(sitting, 0)
    shown = "\n".join(sitting.scrollback)
    assert "owned" not in shown
    assert {
        word: shown.count(word) for word in map(before, range(len(HOSTILE))) if shown.count(word) < len(FORMS)
    } == {}


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_an_answer_steers_nothing_when_it_is_not_rendered(sit: Sit, variables: dict[str, str]) -> None:
    sitting = sit((slow(cut("\n\n".join(wrap()), 3), 0.0005),), "-n", "hi", columns=WIDE, **variables)
    end(sitting, 0)
    assert missed(sitting) == []
    assert b"\x1b" not in sitting.raw


@pytest.mark.parametrize("options", [("-n",), ("-n", "-v")], ids=" ".join)
def test_thoughts_steer_nothing(sit: Sit, options: tuple[str, ...]) -> None:
    thoughts = tuple(f"{line}\n" for line in wrap())
    turn = say(Said(("Done.",), thinking=thoughts, usage=USAGE))._replace(pause_s=0.02)
    sitting = sit((turn,), *options, "hi", columns=WIDE)
    end(sitting, 0)
    assert "-v" not in options or missed(sitting) == []


def print_each(payloads: Sequence[str]) -> list[str]:
    """Return commands that print the payloads, each of a text that hides nothing itself."""
    return [
        "printf '" + "".join(f"\\{byte:03o}" for byte in f"{line}\n".encode()) + "'" for line in wrap(payloads)
    ]  # fmt: skip


@pytest.mark.parametrize("options", [("-y",), ("-y", "-v"), ("-y", "-q"), ("-y", "--output-format", "plain")])
def test_what_a_command_prints_steers_nothing(sit: Sit, options: tuple[str, ...]) -> None:
    turn = calls(*(("run_commands", {"commands": [command]}) for command in print_each(HOSTILE)))
    sitting = sit((turn, text("Done.")), *options, "--sandbox=off", "do it", columns=WIDE)
    end(sitting, 0)
    assert "Done." in sitting.scrollback
    assert "-q" in options or "plain" in options or missed(sitting) == []


def test_what_a_command_prints_steers_nothing_when_it_comes_slowly(sit: Sit) -> None:
    payloads = [HOSTILE[number] for number in (0, 6, 12, 33, 37, 38)]
    command = "; sleep 0.5; ".join(print_each(payloads))
    sitting = sit((calls(("run_commands", {"commands": [command]})), text("Done.")), "-y", "--sandbox=off", "do it")
    end(sitting, 0)
    assert "Done." in sitting.scrollback


class Naming(NamedTuple):
    """A tool that shows names of files."""

    tool: str
    arguments: Callable[[str], JsonObject]
    options: tuple[str, ...] = ()


NAMINGS = {
    "listed": Naming("list_files", lambda name: {"path": "." if name.startswith(before(0)) else name}),
    "read": Naming("read_files", lambda name: {"files": [{"path": name}]}),
    "edited": Naming("editor", lambda name: {"path": name, "old_text": "old", "new_text": "new"}, ("-y",)),
    "written": Naming("editor", lambda name: {"path": name + "x", "new_text": f"{name}\n"}, ("-y",)),
    "searched": Naming("search_codebase", lambda name: {"queries": [re.escape(name)]}),
    "patched": Naming(
        "apply_patch",
        lambda name: {"input": f"*** Begin Patch\n*** Update File: {name}\n@@\n-old\n+new\n*** End Patch"},
        ("-y",),
    ),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_the_name_of_a_file_steers_nothing(sit: Sit, naming: str) -> None:
    payloads = (*IN_NAMES, *DISGUISED)
    for name in wrap(payloads):
        Path(name).write_text("old\n")
    tool, arguments, options = NAMINGS[naming]
    sitting = sit(
        (one_per_call(tool, arguments, payloads), text("Done.")),
        *(*options, "--allow", "*", "-v", "--sandbox=off", "do it"),
        columns=WIDE,
    )
    end(sitting, 0)
    first = 1 if naming == "listed" else 0
    assert [word for word in missed(sitting, len(payloads)) if word != before(0) or not first] == []
    assert disguises(sitting) == []


def answer_no(sitting: Sitting, times: int = 1) -> None:
    for number in range(times):
        sitting.wait_until(lambda: sitting.raw.count(b"or say why not:") > number)  # noqa: B023  # it is waited for here
        sitting.type("\x1b")


@pytest.mark.parametrize("payloads", [HOSTILE, DISGUISED], ids=["hostile", "disguised"])
def test_the_question_shows_all_and_steers_nothing_when_a_command_is_hostile(
    sit: Sit, payloads: tuple[str, ...]
) -> None:
    commands = wrap(payloads)
    parts = [commands[start : start + 20] for start in range(0, len(commands), 20)]
    turn = calls(*(("run_commands", {"commands": list(part)}) for part in parts))
    sitting = sit((turn, text("So be it.")), "do it", columns=WIDE)
    answer_no(sitting, len(parts))
    end(sitting, 5)
    assert missed(sitting, len(payloads)) == []
    assert missed(sitting, len(payloads), word=after) == []
    assert disguises(sitting) == []


@pytest.mark.parametrize(
    "turn",
    [
        calls(("editor", {"path": "a.txt", "new_text": "\n".join(wrap())})),
        calls(("editor", {"path": "b.txt", "old_text": "old", "new_text": "\n".join(wrap((*HOSTILE, *DISGUISED)))})),
        calls(("editor", {"path": "".join(wrap(IN_NAMES)), "new_text": "\n".join(wrap())})),
        calls(("fetch_web_content", {"url": "http://127.0.0.1:1/" + "".join(wrap()), "prompt": "".join(wrap())})),
    ],
    ids=["new", "changed", "named", "fetched"],
)
def test_the_question_steers_nothing_when_an_edit_is_hostile(sit: Sit, turn: Turn) -> None:
    Path("b.txt").write_text("\n".join(["old", *wrap()]))
    sitting = sit((turn, text("So be it.")), "do it", columns=WIDE, rows=50)
    answer_no(sitting)
    end(sitting, 5)
    assert missed(sitting) == []
    assert disguises(sitting) == []


def test_the_edited_command_shows_all_and_steers_nothing_when_it_is_hostile(sit: Sit) -> None:
    command = "".join(wrap((*HOSTILE, *DISGUISED)))
    sitting = sit((calls(("run_commands", {"commands": [command]})),), "do it", columns=WIDE, rows=50)
    sitting.wait_for("or say why not:")
    sitting.own = frozenset({"\b", "\x1b[?1l", "\x1b[?12l", "\x1b[?25l", "\x1b[?25h"})
    seen = len(sitting.raw)
    sitting.type("e")
    sitting.wait_for("Esc: back")
    assert after(0) in sitting.raw[seen:].decode()
    sitting.type("\x03")
    sitting.wait_until(lambda: sitting.raw.count(b"or say why not:") == 2)
    sitting.type("\x03")
    end(sitting, 130)
    assert disguises(sitting) == []


def test_the_question_of_the_model_shows_all_and_steers_nothing(sit: Sit) -> None:
    payloads = (*HOSTILE, *DISGUISED)
    lines = wrap(payloads)
    arguments: JsonObject = {"question": "\n".join(lines[:-9]), "options": list(lines[-9:])}
    sitting = sit((calls(("ask_question", arguments)), text("Thanks.")), "do it", columns=WIDE, rows=70)
    sitting.wait_for("own words:")
    sitting.type("1\r")
    end(sitting, 0)
    assert missed(sitting, len(payloads)) == []
    assert missed(sitting, len(payloads), word=after) == []
    assert disguises(sitting) == []


@pytest.mark.parametrize("kind", ["json", "html", "bytes"])
@pytest.mark.parametrize("code", [400, 401, 429, 500])
def test_what_a_server_says_when_it_refuses_steers_nothing(sit: Sit, code: int, kind: str) -> None:
    said = " ".join(wrap())
    body: str | bytes | JsonObject = said.encode() + b"\x9b2J\x9d0;owned\x9c\xff"
    if kind == "json":
        body = {"error": {"message": said, "code": said, "type": said, "param": said, "metadata": {"raw": said}}}
    elif kind == "html":
        body = f"<html><title>{said}</title><body><h1>{said}</h1></body></html>"
    turn = status(code, body, AT_ONCE)
    sitting = sit((turn,) * 6, "-n", "-v", "hi", columns=WIDE)
    assert sitting.wait() != 0
    assert any(line.startswith("cline: ") for line in sitting.scrollback)


def test_what_a_server_says_in_the_middle_of_a_reply_steers_nothing(sit: Sit) -> None:
    said = " ".join(wrap())
    raw = event({"id": said, "choices": [{"index": 0, "delta": {"content": "So far. "}}]})
    raw += event({"error": {"message": said, "code": said}, "choices": [{"finish_reason": "error", "delta": {}}]})
    sitting = sit((stream_bytes(raw),) * 6, "-n", "-v", "hi", columns=WIDE)
    assert sitting.wait() != 0


def test_what_a_server_says_of_itself_steers_nothing(sit: Sit) -> None:
    said = " ".join(wrap((*HOSTILE, *DISGUISED)))
    head = dict.fromkeys(("id", "model", "provider", "system_fingerprint", "service_tier"), said)
    raw = event({**head, "choices": [{"index": 0, "delta": {"content": "Here."}, "finish_reason": None}]})
    raw += event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"
    sitting = sit((stream_bytes(raw),), "-n", "-v", "hi", columns=WIDE)
    end(sitting, 0)
    assert "Here." in sitting.scrollback
    assert disguises(sitting) == []


@pytest.mark.parametrize("options", [(), ("-v",)], ids=["usual", "verbose"])
@pytest.mark.parametrize("is_refused", [False, True])
def test_the_name_of_a_model_steers_nothing(sit: Sit, options: tuple[str, ...], is_refused: bool) -> None:
    turn = status(404, {"error": {"message": "no such model"}}) if is_refused else text("Here.")
    payloads = (*HOSTILE, *DISGUISED)
    sitting = sit((turn,), "-n", *options, "-m", "a/" + "".join(wrap(payloads)), "hi", columns=WIDE)
    assert (sitting.wait() == 0) is not is_refused
    assert disguises(sitting) == []


@pytest.mark.parametrize("option", ["--provider", "--no-such-option", "--file", "--cwd", "--id", "--schema"])
def test_a_value_that_is_refused_steers_nothing(sit: Sit, option: str) -> None:
    words = "".join(wrap((*HOSTILE, *DISGUISED)))
    given = (f"{option}{words}",) if option == "--no-such-option" else (option, words)
    sitting = sit((), *given, "hi", columns=WIDE)
    assert sitting.wait() != 0
    assert before(0) in "".join(sitting.scrollback)
    assert disguises(sitting) == []


def test_the_name_of_a_tool_steers_nothing(sit: Sit) -> None:
    payloads = (*HOSTILE, *DISGUISED)
    turn = calls(*((name, {}) for name in wrap(payloads)))._replace(pause_s=0.01)
    sitting = sit((turn, text("Done.")), "do it", columns=WIDE)
    end(sitting, 0)
    assert "Done." in sitting.scrollback
    assert missed(sitting, len(payloads)) == []
    assert disguises(sitting) == []


def test_arguments_that_are_no_arguments_steer_nothing(sit: Sit) -> None:
    names = ("run_commands", "read_files", "editor", "list_files", "search_codebase", "ask_question", "apply_patch")
    said = " ".join(wrap((*HOSTILE, *DISGUISED)))
    turn = calls(*((name, to_object({said: said, "commands": {said: said}, "path": [said]})) for name in names))
    sitting = sit((turn, text("Done.")), "-y", "-v", "do it", columns=WIDE)
    end(sitting, 0)
    assert "Done." in sitting.scrollback
    assert disguises(sitting) == []


def test_the_name_of_a_mentioned_file_steers_nothing(sit: Sit) -> None:
    payloads = tuple(one for one in (*IN_NAMES, *DISGUISED) if not set(one) & set("\r\x0b\x0c\u2028"))
    names = [name for name in wrap(payloads) if " " not in name]
    for name in names[::2]:
        Path(name).write_text("old\n")
    sitting = sit((text("Done."),), "-v", "look at " + " ".join(f"@{name}" for name in names), columns=WIDE)
    end(sitting, 0)
    assert "Done." in sitting.scrollback
    assert disguises(sitting) == []


@pytest.mark.parametrize("verb", [("history",), ("history", "show"), ("history", "show", "--full")], ids=" ".join)
def test_the_title_and_the_text_of_a_session_steer_nothing_when_they_are_looked_at(
    sit: Sit, cline: RunCline, verb: tuple[str, ...]
) -> None:
    said = " ".join(wrap((*HOSTILE, *DISGUISED)))
    command = calls(("run_commands", {"commands": list(print_each(HOSTILE[:5]))}), (said, {said: said}))
    end(sit((command, text(said)), "-y", "--sandbox=off", said), 0)
    identity = [row["sessionId"] for row in json.loads(cline("history", "--json").text)]
    looking = sit((), *verb, *(identity if "show" in verb else ()), columns=WIDE)
    end(looking, 0)
    assert before(0) in "\n".join(looking.scrollback)
    assert "--full" not in verb or missed(looking) == []
    assert "show" in verb or disguises(looking) == []


@pytest.mark.parametrize("verb", [("undo",), ("diff", "--stat"), ("diff",)], ids=" ".join)
def test_what_a_run_changed_steers_nothing_when_it_is_looked_at(sit: Sit, verb: tuple[str, ...]) -> None:
    payloads = (*IN_NAMES, *DISGUISED)
    turn = calls(*(("editor", {"path": name, "new_text": f"{name}\n"}) for name in wrap(payloads)))
    end(sit((turn, text("Done.")), "-y", "do it"), 0)
    looking = sit((), *verb, columns=WIDE)
    end(looking, 0)
    assert missed(looking, len(payloads)) == []
    assert verb == ("diff",) or disguises(looking) == []


def test_the_name_of_a_model_that_is_looked_for_steers_nothing(sit: Sit) -> None:
    said = " ".join(wrap((*HOSTILE, *DISGUISED)))
    sitting = sit((), "models", "show", said, columns=WIDE)
    assert sitting.wait() != 0
    assert before(0) in "\n".join(sitting.scrollback)
    assert disguises(sitting) == []
