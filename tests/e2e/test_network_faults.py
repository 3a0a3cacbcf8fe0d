"""A line that breaks, stalls and floods, beneath the whole command: what is left on the disk, and what it took."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject
from tests.conftest import RunCline
from tests.cutting_server import CuttingServer, Kind, render
from tests.dialects import Said
from tests.e2e.conftest import KEY, Serve
from tests.e2e.test_endings import read_result
from tests.e2e.test_formats_process import save_address
from tests.e2e.test_run import one_line
from tests.fake_server import EVENT_STREAM, USAGE, FakeServer, Turn, delta_event, slow, status, stream_bytes, text


def call_event(place: int, arguments: str) -> bytes:
    function: JsonObject = {"name": "run_commands", "arguments": arguments}
    return delta_event(tool_calls=[{"index": place, "id": f"call_{place}", "function": function}])


MIB = 1024**2
MOST_MEMORY = 200 * MIB
COMMAND = json.dumps({"commands": ["echo once >> lines"]})
WORKS = Said(("I work.",), (("call_1", "run_commands", COMMAND),), "tool_calls", USAGE)
DONE = text("Done.")
STALLS = stream_bytes(delta_event(content="Hel"), then="hang")
DRIPS = slow(["a"] * 100, 0.1)
FLOOD = b"x" * (64 * 1024)
BOMB = gzip.compress(b"data: " + bytes(100 * MIB))
GZIPPED = {**EVENT_STREAM, "Content-Encoding": "gzip"}
FLOODS = {
    "a-line-of-64-MiB": Turn((b"data: ", *[FLOOD] * 1024, b"\n\n")),
    "a-line-without-end": Turn((b"data: ", *[FLOOD] * 4096)),
    "an-event-of-many-lines": Turn(((b"data: " + b"x" * 500 + b"\n") * 128,) * 1024),
    "text-without-end": Turn((delta_event(content="y" * 60_000),) * 1000),
    "thinking-without-end": Turn((delta_event(reasoning="y" * 60_000),) * 1000),
    "arguments-without-end": Turn((call_event(0, "["), *[call_event(0, "[" * 60_000)] * 1000)),
    "calls-without-end": Turn(tuple(call_event(number, "{}") for number in range(20_000))),
    "a-bomb": Turn((BOMB,), headers=GZIPPED),
}
MEASURE = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "cline_cli", *sys.argv[1:]], stdin=subprocess.DEVNULL, check=False)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


@pytest.mark.parametrize("flood", FLOODS)
def test_memory_is_bounded_and_the_run_fails_in_one_line_when_a_server_floods_it(flood: str) -> None:
    with FakeServer(FLOODS[flood], repeat_last=True) as server:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, "-y", "do it now"],
            env={**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    *told, measured = done.stderr.splitlines()
    exit_code, size = map(int, measured.split())
    assert exit_code in {1, 75}
    assert size * (1 if sys.platform == "darwin" else 1024) < MOST_MEMORY
    assert done.stdout == ""
    assert len(told) == 1, told
    assert told[0].startswith("cline: ")
    assert not Path("lines").exists()


CUTS = (0, 0.1, 0.3, 0.5, 0.65, 0.8, 0.99)
"""Of the bytes; at the last of these all that a reply needs is there."""
FORMATS = {"openai_chat": "cline", "anthropic": "anthropic", "openai_responses": "openai-native", "gemini": "gemini"}
CASES = [("openai_chat", cut, kind) for cut in CUTS for kind in ("close", "reset")]
CASES += [(name, cut, kind) for name in list(FORMATS)[1:] for cut, kind in ((0.5, "reset"), (0.8, "close"))]


@pytest.mark.parametrize(("name", "cut", "kind"), CASES)
def test_a_command_runs_once_and_the_answer_stands_once_when_its_reply_broke_off(
    name: str, cut: float, kind: Kind, cline: RunCline, private_home: Path
) -> None:
    raw = render(name, WORKS)
    with CuttingServer(DONE) as server:
        save_address(private_home, FORMATS[name], server)
        server.begin(raw, int(len(raw) * cut), kind, cuts=1)
        result = cline("-y", "-P", FORMATS[name], "do it now", CLINE_API_KEY=KEY)
    assert (result.exit_code, result.text) == (0, "Done.\n"), result.stderr
    assert Path("lines").read_text() == "once\n"
    assert (len(server.works), len(server.answers)) == (1 if cut == CUTS[-1] else 2, 1)


def test_the_run_fails_and_no_command_ran_when_every_reply_breaks_off(cline: RunCline, private_home: Path) -> None:
    raw = render("openai_chat", WORKS)
    with CuttingServer(DONE) as server:
        save_address(private_home, "cline", server)
        server.begin(raw, int(len(raw) * 0.7), "reset", cuts=100)
        result = cline("-y", "--json", "do it now", CLINE_API_KEY=KEY)
    ended = read_result(result.stdout, result.exit_code)
    assert (ended["exitCode"], ended["text"], ended["toolCalls"]) == (75, "", 0)
    assert not Path("lines").exists()
    assert (len(server.works), len(server.answers)) == (5, 0)


def test_text_that_streamed_is_not_printed_again_when_its_reply_broke_off(serve: Serve) -> None:
    answer = "One line.\nAnd another."
    half = stream_bytes(b"".join(delta_event(content=word) for word in ("One ", "line.\nAn")), then="reset")
    server, ask = serve(half, text(answer))
    result = ask("-n", "hi there")
    assert (result.exit_code, result.text, result.stderr) == (0, f"{answer}\n", "")
    assert len(server.requests) == 2


@pytest.mark.parametrize("turn", [STALLS, DRIPS], ids=["stalls", "drips"])
def test_the_run_ends_when_a_server_stays_silent_or_never_gets_on(serve: Serve, turn: Turn) -> None:
    server, ask = serve(turn)
    limit = "--idle-timeout" if turn is STALLS else "--request-timeout"
    result = ask(limit, "0.3s", "hi there")
    assert (result.exit_code, result.stdout) == (75, b"")
    assert "timed out" in one_line(result)
    assert limit in one_line(result)
    assert len(server.requests) == 1


def test_a_wait_that_is_too_long_ends_the_run_and_says_until_when(serve: Serve) -> None:
    server, ask = serve(status(429, {"error": {"message": "Slow down"}}, {"Retry-After": "400"}))
    result = ask("hi there")
    assert result.exit_code == 75
    assert re.search(r"Try again in 7 min, at \d\d:\d\d", one_line(result))
    assert len(server.requests) == 1
