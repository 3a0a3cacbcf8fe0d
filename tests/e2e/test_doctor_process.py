"""`cline doctor` as a process: what it says is what a run does, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject
from tests.conftest import RunCline
from tests.e2e.conftest import KEY, Serve
from tests.fake_server import status, text

COMMAND = (sys.executable, "-m", "cline_cli", "doctor")


def snapshot(*folders: Path) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*")}


def checks_of(report: bytes) -> dict[str, JsonObject]:
    """Return the first check of each name."""
    return {str(check["name"]): check for check in reversed(json.loads(report)["checks"])}


def test_a_run_can_start_when_there_is_a_key(cline: RunCline, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    result = cline("doctor", CLINE_API_KEY=KEY)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.text.endswith("A run can start.\n")
    assert f"...{KEY[-4:]} from $CLINE_API_KEY\n" in result.text
    assert KEY not in result.text
    assert snapshot(tmp_path) == before


def test_no_key_is_exit_code_3_and_one_line(cline: RunCline) -> None:
    result = cline("doctor", "--json")
    assert result.exit_code == 3
    assert result.stderr.startswith("cline: a run could not start: not logged in to cline. Run `cline auth -p cline`")
    assert result.stderr.count("\n") == 1
    document = json.loads(result.stdout)
    assert document["canRun"] is False
    assert checks_of(result.stdout)["key"]["status"] == "fatal"


def test_a_broken_settings_file_is_told_with_its_place(cline: RunCline, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "settings.toml").write_text('provider = "cline"\nauto_approve = maybe\n')
    result = cline("doctor", "--config", str(tmp_path / "c"), CLINE_API_KEY=KEY)
    assert result.exit_code == 3
    assert "settings.toml, line 2, column 16" in result.stderr
    assert "A run could not start" in result.text


def test_one_small_request_is_made_when_it_is_asked_for(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    result = ask("doctor", "--online")
    assert (result.exit_code, result.stderr) == (0, "")
    assert " ms by fake/model\n" in result.text
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.tools == ()
    assert request.size_bytes < 1000
    assert KEY not in result.text


def test_no_request_is_made_when_it_is_not_asked_for(serve: Serve) -> None:
    server, ask = serve()
    assert ask("doctor").exit_code == 0
    assert ask("doctor", "--json").exit_code == 0
    assert server.connections == 0


@pytest.mark.parametrize(
    ("code", "exit_code", "state", "told"),
    [
        (401, 3, "fatal", "(a run would end with 3)"),
        (402, 3, "fatal", "no credit left"),
        (404, 3, "fatal", "(a run would end with 1)"),
        (429, 0, "bad", "(a run would end with 75)"),
        (503, 0, "bad", "(a run would end with 75)"),
    ],
)
def test_a_refusal_is_told_and_never_asked_again(
    serve: Serve, code: int, exit_code: int, state: str, told: str
) -> None:
    server, ask = serve(status(code, {"error": {"message": f"no {KEY}"}}))
    result = ask("doctor", "--online", "--json")
    assert result.exit_code == exit_code
    check = checks_of(result.stdout)["online"]
    assert check["status"] == state
    assert told in str(check["text"])
    assert len(server.requests) == 1
    assert KEY not in result.text + result.stderr


def test_nobody_is_asked_when_a_run_would_not_get_so_far(serve: Serve) -> None:
    server, ask = serve()
    assert "nobody was asked" in ask("doctor", "--online", CLINE_TIMEOUT="soon").text
    assert "nobody was asked" in ask("doctor", "--online", "-P", "nobody").text
    assert server.connections == 0


def test_a_server_that_is_not_there_is_an_obstacle(cline: RunCline) -> None:
    result = cline("doctor", "--online", CLINE_API_KEY=KEY, CLINE_API_BASE_URL="http://127.0.0.1:9")
    assert result.exit_code == 3
    assert "cannot reach 127.0.0.1:9: connection refused (a run would end with 69)" in result.stderr


def test_the_model_says_nothing_to_the_terminal(serve: Serve) -> None:
    _, ask = serve(status(401, {"error": {"message": "\x1b]0;evil\x07 and more"}}))
    result = ask("doctor", "--online")
    assert "\x1b" not in result.text + result.stderr
    assert "\x07" not in result.text + result.stderr


ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"CLINE_API_KEY": KEY},
    {"CLINE_API_KEY": ""},
    {"CLINE_KEY": KEY},
    {"OPENAI_API_KEY": KEY},
    {"OPENAI_API_KEY": KEY, "CLINE_MODEL": "m"},
    {"CLINE_API_KEY": KEY, "CLINE_PROVIDER": "nobody"},
    {"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": "nowhere"},
    {"CLINE_API_KEY": KEY, "CLINE_TIMEOUT": "soon"},
    {"CLINE_API_KEY": KEY, "CLINE_SANDBOX": "require"},
    {"CLINE_API_KEY": KEY, "CLINE_ACT": "1", "CLINE_PLAN": "1"},
    {"CLINE_API_KEY": KEY, "CLINE_COMMAND_PERMISSIONS": "{}"},
    {"CLINE_API_KEY": KEY, "CLINE_MAX_COST": "1", "CLINE_MODEL": "x/y"},
    {"CLINE_API_KEY": KEY, "CLINE_CONTINUE": "1"},
)


@pytest.mark.parametrize("variables", ENVIRONMENTS, ids=lambda variables: "-".join(variables) or "none")
def test_it_says_of_a_run_what_a_run_does(cline: RunCline, variables: dict[str, str]) -> None:
    run = cline("--dry-run", "hi there", **variables)
    doctor = cline("doctor", **variables)
    assert (doctor.exit_code == 0) == (run.exit_code == 0), doctor.text
    if run.exit_code:
        cause = run.stderr.splitlines()[-1].removeprefix("cline: ").partition(". ")[0]
        assert cause in doctor.stderr


def test_what_it_starts_is_given_no_key(cline: RunCline, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "rg"):
        (folder / name).write_text('#!/bin/sh\necho "$0 $* <$CLINE_API_KEY$CLINE_KEY>" >>"$HOME/log"\necho version 1\n')
        (folder / name).chmod(0o755)
    (folder / "cline").symlink_to(folder / "git")
    result = cline("doctor", CLINE_API_KEY=KEY, CLINE_KEY=KEY, PATH=str(folder))
    assert f"a shell starts {folder}/cline, which is a script for /bin/sh" in result.text
    started = sorted((tmp_path / "home" / "log").read_text().splitlines())
    assert started == [f"{folder}/git --version <>", f"{folder}/rg --version <>"]


@pytest.mark.parametrize(
    "variables",
    [
        {"HOME": None},
        {"HOME": "/dev/null"},
        {"HOME": "/proc"},
        {"HOME": "/no/such/home"},
        {"PATH": None, "TERM": None, "LANG": None, "LC_ALL": None},
        {"PATH": ""},
        {"CLINE_DATA_DIR": "/dev/null/x", "CLINE_CONFIG": "/dev/null"},
        {"HOME": "/tmp/\udcff\x1b[2J"},
        {"XDG_CONFIG_HOME": "relative", "CLINE_MODELS_DIR": "~nobody-here/x"},
    ],
    ids=repr,
)
def test_it_is_told_in_the_strangest_places(cline: RunCline, variables: dict[str, str | None]) -> None:
    result = cline("doctor", **{"CLINE_API_KEY": KEY, **variables})
    assert result.exit_code in {0, 3}
    assert result.text.splitlines()[-1] == (
        "A run could not start: see XX above." if result.exit_code else "A run can start."
    )
    assert "\x1b" not in result.text
    assert result.stderr.count("\n") == bool(result.exit_code)


def test_the_object_is_valid_whatever_is_in_it(cline: RunCline) -> None:
    result = cline("doctor", "--json", CLINE_API_KEY=KEY, HOME="/tmp/\udcff\x1b[2J", CLINE_MODEL="\udcff\x9b2J")
    assert b"\\ud" not in result.stdout
    assert json.loads(result.stdout)["model"] == "<U+DCFF><U+009B>2J"


@pytest.mark.parametrize("script", ['mkdir d; cd d; rmdir ../d; exec "$@"', 'exec "$@" <&-', 'exec "$@" 2>&-'])
def test_it_is_told_without_a_folder_or_a_stream(script: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *COMMAND],
        env={**os.environ, "CLINE_API_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    is_deleted = "rmdir" in script
    assert done.returncode == (3 if is_deleted else 0)
    assert ("XX  folder" in done.stdout) == is_deleted
    assert "Traceback" not in done.stderr


def test_a_closed_stdout_is_one_line_and_exit_code_1() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *COMMAND], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "cline: cannot write to standard output: it is closed\n"


def test_a_person_at_a_terminal_gets_plain_lines() -> None:
    terminal, child_side = pty.openpty()
    environment = {**os.environ, "CLINE_API_KEY": KEY, "TERM": "xterm-256color"}
    process = subprocess.Popen(COMMAND, stdin=child_side, stdout=child_side, stderr=child_side, env=environment)
    os.close(child_side)
    screen = b""
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # how a terminal says that nobody is at the other end
            break
        if not data:
            break
        screen += data
    os.close(terminal)
    assert process.wait(timeout=20) == 0
    assert b"\x1b" not in screen
    assert b"xterm-256color" in screen
    assert screen.endswith(b"A run can start.\r\n")
