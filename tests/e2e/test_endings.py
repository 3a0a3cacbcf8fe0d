"""A run ends whatever the model or the server does: with its exit code, its one line, and its `run_result`."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import Result, RunCline
from tests.e2e.test_stopping import is_alive
from tests.fake_server import FakeServer, Turn, calls, event, hang, status, stream_bytes, text
from tests.fake_server import delta_event as delta

KEY = "sk-endings-canary-5c2e"
SCHEMA = Path(__file__).parent.parent.parent / "docs" / "json.schema.json"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
LINE = re.compile(r"cline: [^\s.][^\n]*[^\s.]\n")
"""What promises to be one line for a person."""
REASONS = {
    "limit": "max_iterations",
    "mistakes": "mistake_limit",
    "timeout": "aborted",
    "cancelled": "aborted",
}
"""errorClass -> finishReason; all other classes have "error"."""
LEAVING = "sleep 300 & echo $! > background; setsid sleep 300 & echo $! > daemon; (setsid sleep 300 & echo $! > orphan)"
LEFT = ("background", "daemon", "orphan")

Line = dict[str, Any]


def parse_lines(stdout: bytes) -> list[Line]:
    """Return the lines of a `--json` run, after a look at each: whole, valid, and of the form that is documented."""
    lines = stdout.decode().split("\n")
    assert lines.pop() == "", "the last line is torn"
    parsed: list[Line] = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    for line in parsed:
        VALIDATOR.validate(line)
    return parsed


def read_result(stdout: bytes, exit_code: int) -> Line:
    """Return the `run_result` of a whole run: the last line, the only one of its kind, and true to the exit code."""
    lines = parse_lines(stdout)
    assert [line["type"] for line in lines].count("run_result") == 1
    result = lines[-1]
    assert result["type"] == "run_result"
    assert result["exitCode"] == exit_code
    kind = result.get("errorClass")
    assert result["finishReason"] == (REASONS.get(kind, "error") if kind else "completed")
    errors = [line["event"] for line in lines if line["type"] == "agent_event" and line["event"]["type"] == "error"]
    assert [error["error"] for error in errors] == ([result["error"]] if kind else [])
    if any(line["type"] == "run_start" for line in lines):
        _check_order(lines)
    return result


def _check_order(lines: Sequence[Line]) -> None:
    """Every iteration that began has ended before `done`, in order."""
    assert lines[0]["type"] == "run_start"
    events = [line["event"] for line in lines if line["type"] == "agent_event"]
    begun = [event["iteration"] for event in events if event["type"] == "iteration_start"]
    ended = [event["iteration"] for event in events if event["type"] == "iteration_end"]
    assert begun == ended == list(range(1, lines[-1]["iterations"] + 1))
    assert events[-1]["type"] == "done"
    assert (events[-1]["text"], events[-1]["usage"]) == (lines[-1]["text"], lines[-1]["usage"])


def billed_usd(turns: Iterable[Turn]) -> float:
    """Return what the server says that these replies cost."""
    costs = [re.findall(rb'"cost":([\d.e-]+)', b"".join(turn.pieces)) for turn in turns]
    return sum(float(cost) for found in costs for cost in found)


class Ending(NamedTuple):
    turns: tuple[Turn, ...]
    """The last one is repeated for ever."""
    argv: tuple[str, ...]
    exit_code: int
    error_class: str
    words: tuple[str, ...]
    """What the line on stderr says, its remedy among it."""
    requests: int | None
    """How many were made; None where that hangs on the clock."""
    answer: str = ""
    """On stdout, and in the result."""
    text: str | None = None
    """In the result, where that is something else: a fragment."""
    variables: dict[str, str] = {}  # noqa: RUF012  # nobody changes it


def failing(code: int, words: str, *, kind: str = "", headers: dict[str, str] | None = None) -> Turn:
    return status(code, {"error": {"message": words, "code": kind or code}}, headers)


def usage(cost_usd: float) -> dict[str, float]:
    return {"prompt_tokens": 100, "completion_tokens": 10, "cost": cost_usd}


WORKS = calls(("run_commands", {"commands": ["echo {request}"]}))
"""Another call each time."""
REPEATS = calls(("run_commands", {"commands": ["echo again"]}))
FAILS = calls(("read_files", {"files": [{"path": "no-{request}"}]}))
SPENDS = calls(("run_commands", {"commands": ["echo {request}"]}), usage=usage(0.04))
WRITES = calls(("run_commands", {"commands": ["touch made"]}))
CUT = text("a part", finish="length")
AT_ONCE = {"retry-after-ms": "1"}
TRICKLE = stream_bytes(b"".join(delta(content="word ") for _ in range(100)), piece_bytes=1, pause_s=0.2)
SO_FAR = text("So far.")

ENDINGS = {
    "turns": Ending(
        (WORKS, WORKS, SO_FAR), ("-y", "--max-turns=2"), 4, "limit", ("2 turns", "--max-turns"), 3, "So far."
    ),
    "turns-of-yolo": Ending(
        (WORKS, SO_FAR), ("-y",), 4, "limit", ("1 turn ",), 2, "So far.", variables={"CLINE_MAX_TURNS": "1"}
    ),
    "turns-and-no-answer": Ending((WORKS,), ("-y", "--max-turns=2"), 4, "limit", ("2 turns",), 3),
    "turns-and-empty-answer": Ending((WORKS, text("")), ("-y", "--max-turns=1"), 4, "limit", ("1 turn ",), 4),
    "tokens": Ending(
        (WORKS, WORKS, WORKS, SO_FAR),
        ("-y", "--max-total-tokens=300"),
        *(4, "limit", ("300 tokens", "330 used", "--max-total-tokens"), 4, "So far."),
    ),
    "cost": Ending(
        (SPENDS, SPENDS, SO_FAR),
        ("-y", "--max-cost=0.10"),
        *(4, "limit", ("$0.1 ", "$0.0800 used", "--max-cost"), 3, "So far."),
    ),
    "repeats": Ending((REPEATS,), ("-y",), 7, "mistakes", ("run_commands 5 times in a row",), 5),
    "mistakes": Ending((FAILS,), ("-y",), 7, "mistakes", ("6 turns in a row failed", "--retries"), 6),
    "mistakes-2": Ending((FAILS,), ("-y", "--retries=2"), 7, "mistakes", ("2 turns in a row failed",), 2),
    "hangs": Ending((hang(),), ("-y", "-t", "1.5"), 124, "timeout", ("timed out after 1.5 s", "--timeout"), None),
    "trickles": Ending((TRICKLE,), ("-y", "-t", "1.5"), 124, "timeout", ("timed out after 1.5 s",), None),
    "trickles-to-a-filter": Ending((TRICKLE,), ("-n", "-t", "1.5"), 124, "timeout", ("timed out",), None),
    "empty": Ending((text(""),), ("-y",), 1, "unknown", ("empty reply 3 times", "another model"), 3),
    "empty-after-work": Ending((WORKS, text(" \n")), ("-y",), 1, "unknown", ("empty reply 3 times",), 4),
    "cut": Ending((CUT,), ("-y",), 1, "unknown", ("cut at the model's output limit",), 3, text="a part"),
    "filter": Ending(
        (text("I ca", finish="content_filter"),), ("-y",), 1, "content_filter", ("content filter",), 1, text=""
    ),
    "filter-of-a-call": Ending(
        (WRITES._replace(pieces=(*WRITES.pieces[:-3], delta("content_filter"), *WRITES.pieces[-2:])),),
        *(("-y",), 1, "content_filter", ("content filter",), 1),
    ),
    "401": Ending((failing(401, "Invalid key"),), ("-y",), 3, "auth", ("unauthorized", "cline auth"), 1),
    "402": Ending((failing(402, "Insufficient"),), ("-y",), 3, "billing", ("credit", "Add credits"), 1),
    "403": Ending((failing(403, "Forbidden"),), ("-y",), 3, "auth", ("cline auth",), 1),
    "401-after-work": Ending((WORKS, failing(401, "Invalid key")), ("-y",), 3, "auth", ("unauthorized",), 2),
    "429-far": Ending(
        (failing(429, "Slow down", headers={"Retry-After": "7200"}),),
        *(("-y",), 75, "rate_limit", ("rate limit", "Slow down", "Try again in 2 h"), 1),
    ),
    "429": Ending((failing(429, "Slow down", headers=AT_ONCE),), ("-y",), 75, "rate_limit", ("(5 tries)",), 5),
    "500": Ending((failing(500, "Oops", headers=AT_ONCE),), ("-y",), 75, "server", ("Oops (5 tries)",), 5),
    "529": Ending((failing(529, "Busy", headers=AT_ONCE),), ("-y",), 75, "server", ("Try again later",), 5),
    "413": Ending((failing(413, "Big"),), ("-y",), 1, "context_window_exceeded", ("too long", "Begin a new one"), 1),
    "400": Ending((failing(400, "Bad"),), ("-y",), 1, "unknown", ("refused the request", "Bad"), 1),
    "error-in-the-stream": Ending(
        (stream_bytes(delta(content="Hel") + event({"error": {"code": 400, "message": "Bad"}})),),
        *(("-y",), 1, "unknown", ("Bad",), 1),
    ),
    "denied": Ending((WRITES, SO_FAR), (), 5, "policy", ("touch made", "-y lets"), 2, "So far."),
    "schema": Ending(
        (text("seven"),), ("--schema=n int", "--retries=2"), 6, "schema", ("never satisfied the schema",), 3
    ),
    "model": Ending(
        (failing(404, "model x/y not found"),), ("-m", "x/y"), 2, "usage", ("does not serve x/y", "with -m"), 1
    ),
    "option": Ending((SO_FAR,), ("--no-such-option",), 2, "usage", ("--no-such-option",), 0),
    "no-price": Ending((SO_FAR,), ("-y", "-m=a/b", "--max-cost=1"), 2, "usage", ("price of a/b",), 0),
    "no-key": Ending((SO_FAR,), ("-y",), 3, "auth", ("not logged in",), 0, variables={"CLINE_API_KEY": ""}),
    "done": Ending((WORKS, SO_FAR), ("-y",), 0, "", (), 2, "So far."),
}
every_ending = pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)


def run_to_ending(cline: RunCline, ending: Ending, *argv: str) -> tuple[Result, float]:
    """Return what came of it, and what the server billed."""
    with FakeServer(*ending.turns, repeat_last=True) as server:
        surroundings = {"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin, **ending.variables}
        result = cline(*ending.argv, *argv, "do it now", **surroundings)
    assert result.exit_code == ending.exit_code
    if ending.requests is not None:
        assert len(server.requests) == ending.requests
    played = [ending.turns[min(number, len(ending.turns) - 1)] for number in range(len(server.requests))]
    assert "Traceback" not in result.stderr
    assert not Path("made").exists()
    return result, billed_usd(played)


@every_ending
def test_the_ending_is_one_line_and_an_exit_code_when_a_person_reads(cline: RunCline, ending: Ending) -> None:
    result, _ = run_to_ending(cline, ending, "-q")
    streamed = result.text.startswith("word") and "-n" in ending.argv
    assert streamed or result.text == (f"{ending.answer}\n" if ending.answer else "")
    if not ending.exit_code:
        assert result.stderr == ""
        return
    assert LINE.fullmatch(result.stderr)
    assert [words for words in ending.words if words not in result.stderr] == []


@every_ending
def test_the_ending_is_the_last_line_when_a_program_reads(cline: RunCline, ending: Ending) -> None:
    ended, billed = run_to_ending(cline, ending, "--json")
    result = read_result(ended.stdout, ended.exit_code)
    assert result.get("errorClass", "") == ending.error_class
    if "-n" not in ending.argv:
        assert result["text"] == (ending.answer if ending.text is None else ending.text)
    assert result["usage"]["totalCost"] == (pytest.approx(billed) if billed else None) or not (
        billed or result["usage"]["totalCost"]
    )
    if not ending.exit_code:
        assert ended.stderr == ""
        return
    assert LINE.fullmatch(ended.stderr)
    assert result["error"]["message"].rstrip(".") in ended.stderr
    assert result["error"]["hint"] in ended.stderr


@pytest.mark.parametrize("argv", [[], ["--json"]], ids=["text", "json"])
def test_the_address_is_named_when_nobody_is_there(cline: RunCline, argv: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    ended = cline("-y", *argv, "-q", "do it now", CLINE_API_KEY=KEY, CLINE_API_BASE_URL=url)
    assert ended.exit_code == 69
    assert LINE.fullmatch(ended.stderr)
    assert f"cannot reach 127.0.0.1:{port}" in ended.stderr
    assert "base URL" in ended.stderr
    if argv:
        assert read_result(ended.stdout, 69)["errorClass"] == "network"
    else:
        assert ended.stdout == b""


def test_only_the_result_is_printed_when_json_is_to_be_quiet(cline: RunCline) -> None:
    ended, billed = run_to_ending(cline, ENDINGS["turns"], "--json", "-q")
    (line,) = parse_lines(ended.stdout)
    assert line == read_result(ended.stdout, 4)
    assert line["usage"]["totalCost"] == pytest.approx(billed)


def leftovers_of(cline: RunCline, turns: Sequence[Turn], *argv: str) -> tuple[Result, Line]:
    with FakeServer(*turns) as server:
        ended = cline("-y", "--json", *argv, "do it now", CLINE_API_KEY=KEY, CLINE_API_BASE_URL=server.origin)
    return ended, read_result(ended.stdout, ended.exit_code)


@pytest.mark.parametrize(
    ("turns", "argv", "exit_code"),
    [
        pytest.param((text("Done."),), (), 0, id="completed"),
        pytest.param((SO_FAR,), ("--max-turns=1",), 4, id="limit"),
        pytest.param((failing(401, "Invalid key"),), (), 3, id="refused"),
        pytest.param((hang(),), ("-t", "3"), 124, id="timeout"),
    ],
)
def test_what_commands_left_running_is_told_and_ended_when_the_run_ends(
    cline: RunCline, turns: tuple[Turn, ...], argv: tuple[str, ...], exit_code: int
) -> None:
    ended, result = leftovers_of(cline, (calls(("run_commands", {"commands": [LEAVING]})), *turns), *argv)
    assert ended.exit_code == exit_code
    pids = {int(Path(name).read_text()) for name in LEFT}
    assert {process["pid"] for process in result["leftoverProcesses"]} == pids
    assert all(process["ended"] and "sleep 300" in process["command"] for process in result["leftoverProcesses"])
    assert not [pid for pid in pids if is_alive(pid)]


def test_nothing_is_left_when_a_command_runs_out_the_clock_of_the_run(cline: RunCline) -> None:
    turns = [calls(("run_commands", {"commands": [f"{LEAVING}; trap '' TERM; sleep 300"]}))]
    ended, result = leftovers_of(cline, turns, "-t", "3")
    assert ended.exit_code == 124
    assert result["toolCalls"] == 1
    assert not [name for name in LEFT if is_alive(int(Path(name).read_text()))]


def test_a_command_cannot_end_the_run_when_it_signals_its_parent(cline: RunCline) -> None:
    turns = (calls(("run_commands", {"commands": ["kill -TERM $PPID; sleep 300"]})),)
    with FakeServer(*turns) as server:
        ended = cline("-y", "--json", "do it now", CLINE_API_KEY=KEY, CLINE_API_BASE_URL=server.origin)
    assert ended.exit_code == 128 + signal.SIGTERM
    assert read_result(ended.stdout, 143)["errorClass"] == "cancelled"
