"""A server that gives back the key wherever it can: in no place where anybody looks later is it found."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import RunCline
from tests.dialects import Said
from tests.e2e.test_formats_process import save_address
from tests.fake_server import (
    USAGE,
    FakeServer,
    Turn,
    calls,
    delta_event,
    event,
    say,
    status,
    stream_bytes,
    text,
)

KEY = 'sk-can"ary/9f+3b=77c2d4e1'
"""Looks different in JSON, in a URL and in base64."""
WAYS = {
    "as-it-is": KEY,
    "json": json.dumps(KEY)[1:-1],
    "url": quote(KEY, safe=""),
    "base64": base64.b64encode(KEY.encode()).decode(),
}
ALL = " ".join(WAYS.values())
AT_ONCE = {"retry-after-ms": "1"}
FINISH = delta_event("stop") + b"data: [DONE]\n\n"
NAMED = event({"id": ALL, "model": ALL, "provider": ALL, "system_fingerprint": ALL})
PIECES = tuple(ALL[at : at + 7] for at in range(0, len(ALL), 7))
RUNS = ("run_commands", {"commands": ["cat secret.txt; cat secret.txt >&2"]})

CASES: dict[str, tuple[int, tuple[Turn, ...]]] = {
    "refusal": (3, (status(401, {"error": {"message": f"no such key: {ALL}", "code": ALL, "type": ALL}}),)),
    "refusal-as-text": (3, (status(403, f"You sent {ALL}"),)),
    "web-page": (75, (status(502, f"<html><title>{ALL}</title><body>{ALL}</body></html>", AT_ONCE),)),
    "page-that-is-no-failure": (1, (status(200, f"<html>{ALL}</html>", {"Content-Type": "text/html"}),)),
    "unknown-model": (2, (status(404, {"error": {"message": f"no model {ALL}"}}),)),
    "headers": (75, (status(500, "no", {**AT_ONCE, "x-request-id": KEY, "Server": KEY, "WWW-Authenticate": ALL}),)),
    "redirect": (1, (status(302, "", {"Location": f"http://{quote(KEY, safe='')}.test/{quote(KEY)}?key={KEY}"}),)),
    "encoding": (1, (text("hi")._replace(headers={"Content-Type": "text/event-stream", "Content-Encoding": KEY}),)),
    "error-in-the-stream": (1, (stream_bytes(delta_event(content=ALL) + event({"error": {"message": ALL}})),)),
    "damaged-event": (75, (stream_bytes(b"data: {" + ALL.encode() + b"\n\n"),)),
    "names-of-the-reply": (0, (stream_bytes(NAMED + delta_event(content="hi") + FINISH),)),
    "finish": (0, (stream_bytes(delta_event(content="hi") + delta_event(ALL) + b"data: [DONE]\n\n"),)),
    "answer": (0, (text(f"Your key is {ALL}, isn't it?", pieces=40),)),
    "thinking": (0, (say(Said(("hi",), thinking=PIECES, usage=USAGE)),)),
    "discarded": (0, (stream_bytes(delta_event(content=ALL[:30]), then="close"), text(f"{ALL}."))),
    "arguments": (0, (calls(("run_commands", {"commands": [f"true '{WAYS['base64']}' '{KEY}'"]})), text("done"))),
    "damaged-arguments": (0, (calls(("run_commands", f'{{"commands": ["{ALL}')), text("done"))),
    "unknown-tool": (0, (calls((ALL, {ALL: ALL})), text("done"))),
    "call-id": (0, (say(Said((), ((ALL, "run_commands", '{"commands": ["true"]}'),), "tool_calls")), text("done"))),
    "output-of-a-command": (0, (calls(RUNS), text("done"))),
    "handed-in": (0, (calls(("attempt_completion", {"result": ALL})),)),
}
FILTERED = ("refusal", "error-in-the-stream", "answer", "thinking", "discarded")
"""Cases that differ where no tool is offered and the text streams."""
OTHER_FORMATS = {
    "refusal": CASES["refusal"],
    "answer": CASES["answer"],
    "output-of-a-command": CASES["output-of-a-command"],
    "arguments": CASES["arguments"],
}


def places_of_key(root: Path) -> list[str]:
    """Return what holds the key in one of the ways: files below a folder, by content and by name."""
    found = [path for path in root.rglob("*") if any(way in path.name for way in WAYS.values())]
    files = [path for path in root.rglob("*") if path.is_file() and path.name != "secret.txt"]
    found += [path for path in files if any(way.encode() in path.read_bytes() for way in WAYS.values())]
    return [str(path) for path in found]


def run(cline: RunCline, tmp_path: Path, server: FakeServer, *argv: str, exit_code: int) -> None:
    """Let a run end, and look for the key wherever something came from it."""
    (tmp_path / "work" / "secret.txt").write_text(f"{ALL}\n")
    result = cline(*argv, "-y", "-v", "do it now", CLINE_API_KEY=KEY, CLINE_DEBUG="1")
    assert result.exit_code == exit_code, result.stderr
    assert server.requests
    streams = {"stdout": result.stdout.decode(), "stderr": result.stderr}
    assert [name for name, out in streams.items() if any(way in out for way in WAYS.values())] == []
    assert places_of_key(tmp_path) == []


@pytest.mark.parametrize(
    ("case", "manner"),
    [(case, manner) for case in CASES for manner in ("", "--json")] + [(case, "-n") for case in FILTERED],
)
def test_no_key_is_told_or_kept_when_a_server_or_a_command_gives_it_back(
    cline: RunCline, private_home: Path, tmp_path: Path, case: str, manner: str
) -> None:
    exit_code, turns = CASES[case]
    with FakeServer(*turns, repeat_last=True) as server:
        save_address(private_home, "cline", server)
        run(cline, tmp_path, server, *manner.split(), exit_code=exit_code)


@pytest.mark.parametrize("provider", ["anthropic", "openai-native", "gemini"])
@pytest.mark.parametrize("case", OTHER_FORMATS)
def test_no_key_is_told_or_kept_when_the_wire_format_is_another(
    cline: RunCline, private_home: Path, tmp_path: Path, case: str, provider: str
) -> None:
    exit_code, turns = OTHER_FORMATS[case]
    with FakeServer(*turns, repeat_last=True) as server:
        save_address(private_home, provider, server)
        run(cline, tmp_path, server, "-P", provider, "--json", exit_code=exit_code)
