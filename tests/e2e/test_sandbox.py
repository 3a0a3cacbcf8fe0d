"""What is told of the sandbox, by a run and by doctor, is what commands of a run find."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.machine.sandbox import Level
from tests.conftest import RunCline
from tests.e2e.conftest import KEY, Serve
from tests.fake_server import calls, text
from tests.machine.test_sandbox import LEVELS, LINUX, works

PROBES = (
    'touch "$OUT/a" 2>/dev/null && echo write; touch .git/hooks/x 2>/dev/null && echo protected;'
    " kill -0 $RUN 2>/dev/null && echo signal; (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null && echo network; echo end"
)


@pytest.fixture
def without_bwrap(tmp_path: Path) -> str:
    """A PATH on which everything is but bubblewrap."""
    folder = tmp_path / "path"
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            if program.name != "bwrap":
                (folder / program.name).unlink(missing_ok=True)
                (folder / program.name).symlink_to(program)
    return str(folder)


@LINUX
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("argv", [("--sandbox", "require"), ("--sandbox-network", "off", "--sandbox", "require")])
def test_what_a_run_tells_is_what_its_commands_find(
    serve: Serve, cline: RunCline, outside: Path, without_bwrap: str, port: int, level: Level, argv: tuple[str, ...]
) -> None:
    if not works(level):
        pytest.skip(f"{level} does not work on this machine")
    Path(".git/hooks").mkdir(parents=True)
    path = {"PATH": without_bwrap} if level == "landlock" else {}
    probe = f"OUT='{outside}'; PORT={port}; RUN=$(ps -o ppid= -p $PPID | tr -d ' '); {PROBES}"
    server, ask = serve(calls(("run_commands", {"commands": [probe]})), text("ok"))
    result = ask("-y", *argv, "--json", "go", **path)
    assert result.exit_code == 0
    told = json.loads(result.stdout.splitlines()[0])["sandbox"]
    assert told["level"] == level
    (printed,) = server.requests[1].results.values()
    found = {name for name in ("write", "protected", "network") if f"{name}\\n" in printed}
    assert "end" in printed
    assert found.isdisjoint(told["enforced"])
    assert found <= set(told["not_enforced"])
    assert "write" in told["enforced"]
    assert ("network" in told["enforced"]) is ("off" in argv)
    assert list(outside.iterdir()) == []
    variables = {"CLINE_SANDBOX": "require", **({"CLINE_SANDBOX_NETWORK": "off"} if "off" in argv else {})}
    doctor = cline("doctor", "--json", **variables, **path)
    assert json.loads(doctor.text)["sandbox"] == told


@LINUX
def test_a_refused_write_is_explained_to_the_model(serve: Serve, outside: Path) -> None:
    if not (works("bubblewrap") or works("landlock")):
        pytest.skip("no sandbox works on this machine")
    server, ask = serve(
        calls(
            ("run_commands", {"commands": [f"touch {outside}/a"]}),
            ("editor", {"path": f"{outside}/b", "new_text": "x"}),
        ),
        text("ok"),
    )
    ask("-y", "--sandbox", "require", "go")
    command, edited = server.requests[1].results.values()
    assert "blocked by the sandbox" in command
    assert "blocked by the sandbox" in edited
    assert list(outside.iterdir()) == []


WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
# Every system call of Landlock is one that this kernel does not know.
lines = ((0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x35, 1, 0, 447), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000))
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
header = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(lines), ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(header)), 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "cline_cli", *sys.argv[1:]])
"""
"""Starts the command on a kernel without Landlock, as far as it can tell."""


@LINUX
def test_without_any_sandbox_a_run_says_so_and_works_on_unless_it_must_not(serve: Serve, without_bwrap: str) -> None:
    server, _ = serve(calls(("run_commands", {"commands": ["echo on"]})), text("ok"))
    variables = {"PATH": without_bwrap, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin}

    def start(*argv: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", WITHOUT_LANDLOCK, *argv]
        surroundings = {**os.environ, **variables}
        return subprocess.run(
            words, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    for argv in (("--sandbox", "require"), ("--sandbox-network", "off")):
        refused = start("-y", *argv, "go")
        assert refused.returncode == 78
        assert "bubblewrap: there is no program bwrap; landlock: Function not implemented" in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert server.requests == []
    worked = start("-y", "-v", "go")
    assert (worked.returncode, worked.stdout) == (0, "ok\n")
    assert "[sandbox] none (" in worked.stderr
    assert json.loads(start("doctor", "--json").stdout)["sandbox"]["level"] == "none"


@pytest.mark.parametrize(
    ("argv", "told"), [(("-y", "--sandbox", "off"), "none (it is off)"), (("-y",), ""), ((), None)]
)
def test_the_run_says_what_confines_it(serve: Serve, argv: tuple[str, ...], told: str | None) -> None:
    _, ask = serve(text("ok"))
    result = ask("-v", *argv, "go")
    lines = [line for line in result.stderr.splitlines() if "[sandbox]" in line]
    assert len(lines) == (told is not None)
    assert told is None or told in lines[0]


@LINUX
@pytest.mark.parametrize("line", ["kill -9 $PPID; sleep 1", "kill -9 -1"])
def test_a_command_that_kills_does_not_end_the_run(serve: Serve, line: str) -> None:
    if not (works("bubblewrap") or works("landlock")):
        pytest.skip("no sandbox works on this machine")
    server, ask = serve(
        calls(("run_commands", {"commands": [line]})), calls(("run_commands", {"commands": ["echo on"]})), text("ok")
    )
    result = ask("-y", "--sandbox", "require", "go")
    assert (result.exit_code, result.text) == (0, "ok\n")
    assert "on\\n" in list(server.requests[2].results.values())[-1]


@pytest.mark.parametrize("argv", [("--sandbox", "off"), ("--sandbox", "require"), ()])
def test_what_is_asked_to_stay_lives_on_after_the_run(serve: Serve, argv: tuple[str, ...]) -> None:
    if "require" in argv and not (works("bubblewrap") or works("landlock")):
        pytest.skip("no sandbox works on this machine")
    line = "setsid sleep 300 & sleep 0.2; grep ^NSpid: /proc/$!/status > numbers"
    _, ask = serve(calls(("run_commands", {"commands": [line]})), text("ok"))
    result = ask("-y", "--leave-running", *argv, "go")
    assert result.exit_code == 0
    assert "left alone 1 process that commands left running: sleep 300" in result.stderr
    pid = int(result.stderr.partition("(pid ")[2].partition(")")[0])
    try:
        assert Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")
    finally:
        os.kill(pid, signal.SIGKILL)
