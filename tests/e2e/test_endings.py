"""A run ends whatever the model or the server does: with its exit code, its one line, and its `run_result`."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from cline_cli.agent.messages import JsonObject
from tests.conftest import Result, RunCline
from tests.dialects import Said
from tests.e2e.test_stopping import is_alive
from tests.fake_server import (
    USAGE,
    FakeServer,
    Turn,
    calls,
    delta_event,
    event,
    hang,
    say,
    slow,
    status,
    stream_bytes,
    text,
)

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
    if len(lines) > 1:  # it was not to be quiet
        told = [line["event"] for line in lines if line["type"] == "agent_event" and line["event"]["type"] == "error"]
        assert [error["error"] for error in told] == ([result["error"]] if kind else [])
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
    exit_code: int
    error_class: str
    words: str
    """A pattern for the line on stderr: what failed, why, and what to do."""
    turns: tuple[Turn, ...]
    """The last one is repeated for ever."""
    argv: tuple[str, ...] = ("-y",)
    requests: int | None = 1
    """How many were made; None where that hangs on the clock."""
    answer: str = ""
    """On stdout, and in the result."""
    fragment: str = ""
    """In the result alone."""
    variables: Mapping[str, str | None] = MappingProxyType({})


def works(cost_usd: float = 0.001) -> Turn:
    """Call another command each time."""
    usage: JsonObject = {"prompt_tokens": 100, "completion_tokens": 10, "cost": cost_usd}
    return calls(("run_commands", {"commands": ["echo {request}"]}), usage=usage)


def refuses(code: int, words: str, headers: Mapping[str, str] | None = None) -> Turn:
    return status(code, {"error": {"message": words, "code": code}}, headers)


REPEATS = calls(("run_commands", {"commands": ["echo again"]}))
FAILS = calls(("read_files", {"files": [{"path": "no-{request}"}]}))
WRITES = calls(("run_commands", {"commands": ["touch made"]}))
MADE = ("call_1", "run_commands", '{"commands": ["touch made"]}')
FILTERED_CALL = say(Said(calls=(MADE,), finish="content_filter", usage=USAGE))
BREAKS_OFF = stream_bytes(delta_event(content="Hel") + event({"error": {"code": 400, "message": "Bad luck"}}))
TRICKLE = stream_bytes(b"".join(delta_event(content="word ") for _ in range(100)), piece_bytes=1, pause_s=0.2)
SO_FAR = text("So far.")
AT_ONCE = {"retry-after-ms": "1"}
LATER = {"Retry-After": "7200"}
IN_TIME = ("-y", "-t", "1.5")

ENDINGS = {
    "turns": Ending(
        *(4, "limit", "limit of 2 turns was reached.*--max-turns", (works(), works(), SO_FAR)),
        argv=("-y", "--max-turns=2"),
        requests=3,
        answer="So far.",
    ),
    "turns-of-the-environment": Ending(
        *(4, "limit", "limit of 1 turn was reached", (works(), SO_FAR)),
        requests=2,
        answer="So far.",
        variables={"CLINE_MAX_TURNS": "1"},
    ),
    "tokens": Ending(
        *(4, "limit", r"limit of 300 tokens was reached \(330 used\).*--max-total-tokens", (*[works()] * 3, SO_FAR)),
        argv=("-y", "--max-total-tokens=300"),
        requests=4,
        answer="So far.",
    ),
    "cost": Ending(
        *(
            4,
            "limit",
            r"limit of \$0.1 leaves too little for another request \(\$0.0800 used\).*--max-cost",
            (*[works(0.04)] * 2, SO_FAR),
        ),
        argv=("-y", "--max-cost=0.10"),
        requests=3,
        answer="So far.",
    ),
    "repeats": Ending(7, "mistakes", "called run_commands 5 times in a row", (REPEATS,), requests=5),
    "mistakes": Ending(7, "mistakes", "6 turns in a row failed.*--retries", (FAILS,), requests=6),
    "hangs": Ending(124, "timeout", "timed out after 1.5 s.*--timeout", (hang(),), IN_TIME, None),
    "trickles": Ending(124, "timeout", "timed out after 1.5 s.*--timeout", (TRICKLE,), IN_TIME, None),
    "empty": Ending(1, "unknown", "empty reply 3 times.*another model", (text(""),), requests=3),
    "cut": Ending(
        *(1, "unknown", "cut at the model's output limit.*Ask for less", (text("a part", finish="length"),)),
        requests=3,
        fragment="a part",
    ),
    "filter": Ending(1, "content_filter", "content filter stopped", (text("I ca", finish="content_filter"),)),
    "401": Ending(3, "auth", "unauthorized.*Bad key.*cline auth", (refuses(401, "Bad key"),)),
    "402": Ending(3, "billing", "credit.*Empty.*Add credits", (refuses(402, "Empty"),)),
    "429": Ending(75, "rate_limit", "rate limit.*Slow down.*Try again in 2 h", (refuses(429, "Slow down", LATER),)),
    "500": Ending(75, "server", r"Oops.*\(5 tries\).*Try again later", (refuses(500, "Oops", AT_ONCE),), requests=5),
    "denied": Ending(5, "policy", "touch made.*-y lets", (WRITES, SO_FAR), (), 2, "So far."),
    "schema": Ending(
        6, "schema", "never satisfied the schema.*--retries", (text("7"),), ("--schema=n int", "--retries=2"), 3
    ),
    "model": Ending(2, "usage", "does not serve x/y.*with -m", (refuses(404, "no model x/y"),), ("-m", "x/y")),
}
FOR_PROGRAMS = ENDINGS | {
    "completed": Ending(0, "", "", (works(), SO_FAR), requests=2, answer="So far."),
    "turns-and-no-answer": Ending(4, "limit", "2 turns", (works(),), ("-y", "--max-turns=2"), 3),
    "turns-and-empty-answer": Ending(4, "limit", "1 turn", (works(), text("")), ("-y", "--max-turns=1"), 4),
    "empty-after-work": Ending(1, "unknown", "empty reply 3 times", (works(), text(" \n")), requests=4),
    "filter-of-a-call": Ending(1, "content_filter", "content filter stopped", (FILTERED_CALL,)),
    "401-after-work": Ending(3, "auth", "unauthorized", (works(), refuses(401, "Bad key")), requests=2),
    "413": Ending(1, "context_window_exceeded", "too long.*Begin a new one", (refuses(413, "Large"),)),
    "error-in-the-stream": Ending(1, "unknown", "Bad luck", (BREAKS_OFF,)),
    "option": Ending(2, "usage", "--no-such-option", (SO_FAR,), ("--no-such-option",), 0),
    "no-key": Ending(3, "auth", "not logged in", (SO_FAR,), requests=0, variables={"CLINE_API_KEY": None}),
}


def run_to_ending(cline: RunCline, ending: Ending, *argv: str) -> tuple[Result, float]:
    """Return what came of it, and what the server billed."""
    with FakeServer(*ending.turns, repeat_last=True) as server:
        surroundings = {"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin, **ending.variables}
        result = cline(*ending.argv, *argv, "do it now", **surroundings)
    assert result.exit_code == ending.exit_code
    assert ending.requests in {None, len(server.requests)}
    if ending.exit_code:
        assert LINE.fullmatch(result.stderr)
        assert re.search(ending.words, result.stderr)
    else:
        assert result.stderr == ""
    assert not Path("made").exists()
    played = [ending.turns[min(number, len(ending.turns) - 1)] for number in range(len(server.requests))]
    return result, billed_usd(played)


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_only_an_answer_is_on_stdout_when_a_person_reads(cline: RunCline, ending: Ending) -> None:
    result, _ = run_to_ending(cline, ending, "-q")
    assert result.text == (f"{ending.answer}\n" if ending.answer else "")


@pytest.mark.parametrize("ending", FOR_PROGRAMS.values(), ids=FOR_PROGRAMS)
def test_the_result_is_the_last_line_when_a_program_reads(cline: RunCline, ending: Ending) -> None:
    ended, billed = run_to_ending(cline, ending, "--json")
    result = read_result(ended.stdout, ended.exit_code)
    assert result.get("errorClass", "") == ending.error_class
    assert (result["usage"]["totalCost"] or 0) == pytest.approx(billed)
    assert ending.fragment or result["text"] == ending.answer
    if ending.exit_code:
        error = result["error"]
        assert ended.stderr == f"cline: {error['message']}{'. ' if error['hint'] else ''}{error['hint']}\n"


def test_what_was_streamed_ends_with_its_line_when_time_is_up(cline: RunCline) -> None:
    with FakeServer(slow(["word "] * 100, 0.05)) as server:
        result = cline("-n", "-t", "2", "hi there", CLINE_API_KEY=KEY, CLINE_API_BASE_URL=server.origin)
    assert result.exit_code == 124
    assert re.fullmatch(r"((word )+\n)?", result.text)
    assert LINE.fullmatch(result.stderr)


@pytest.mark.parametrize("argv", [[], ["--json"]], ids=["text", "json"])
def test_the_address_is_named_when_nobody_is_there(cline: RunCline, argv: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    ended = cline("-y", "-q", *argv, "do it now", CLINE_API_KEY=KEY, CLINE_API_BASE_URL=url)
    assert ended.exit_code == 69
    assert LINE.fullmatch(ended.stderr)
    assert re.search(f"cannot reach 127.0.0.1:{port}.*base URL", ended.stderr)
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
        pytest.param((refuses(401, "Bad key"),), (), 3, id="refused"),
        pytest.param((hang(),), ("-t", "4"), 124, id="timeout"),
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
    ended, result = leftovers_of(cline, turns, "-t", "4")
    assert ended.exit_code == 124
    assert result["toolCalls"] == 1
    assert not [name for name in LEFT if is_alive(int(Path(name).read_text()))]


def test_the_run_ends_as_by_any_signal_when_a_command_sends_it_one(cline: RunCline) -> None:
    turns = (calls(("run_commands", {"commands": ["kill -TERM $PPID; sleep 300"]})),)
    with FakeServer(*turns) as server:
        ended = cline(
            "-y", "--sandbox", "off", "--json", "do it now", CLINE_API_KEY=KEY, CLINE_API_BASE_URL=server.origin
        )
    assert ended.exit_code == 128 + signal.SIGTERM
    assert read_result(ended.stdout, 143)["errorClass"] == "cancelled"
