"""Every recipe of docs/headless.md, run as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fake_server import FakeServer, Turn, calls, status, text

PAGE = Path(__file__).parents[2] / "docs" / "headless.md"
RECIPES: dict[str, str] = dict(
    re.findall(r"^(\S[^\n]*[:?])\n\n```sh\n(.*?)```", PAGE.read_text("utf-8").partition("## Recipes")[2], re.M | re.S)
)
REPOSITORY = """
git init -q -b main . && git config user.email a@example.com && git config user.name A
echo one > a.txt && git add a.txt && git commit -q -m first
git checkout -q -b change && echo two >> a.txt && git commit -q -a -m second && echo three >> a.txt && git add a.txt
"""


class Done(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


class Case(NamedTuple):
    turns: tuple[Turn, ...]
    check: Callable[[Done, FakeServer], None]
    setup: str = ""
    is_repeated: bool = False


def sent(server: FakeServer, number: int = 0) -> str:
    return str(server.requests[number].messages[-1]["content"])


def check_ci_job(done: Done, server: FakeServer) -> None:
    assert (done.exit_code, done.stdout) == (0, "Mended.\n")
    assert Path("summary.md").read_text() == "what stood there\nMended.\n"
    assert Path("mended").exists()


def check_commit_message(done: Done, server: FakeServer) -> None:
    assert done.exit_code == 0, done.stderr
    assert "+three" in sent(server)
    log = subprocess.run(["git", "log", "-1", "--format=%s"], capture_output=True, text=True, check=True)
    assert log.stdout == "Add three\n"


def check_review(done: Done, server: FakeServer) -> None:
    assert (done.exit_code, done.stdout) == (1, "It breaks.\n")
    assert "+two" in sent(server)
    assert json.loads(Path("review.json").read_text()) == {"verdict": "fail", "reasons": ["It breaks."]}


def check_why(done: Done, server: FakeServer) -> None:
    assert (done.exit_code, done.stdout) == (0, "One is not two.\n")
    assert "assert 1 == 2" in sent(server)


def check_fan_out(done: Done, server: FakeServer) -> None:
    assert (done.exit_code, done.stdout) == (0, "")
    assert [Path(f"{name}.py.md").read_text() for name in "abc"] == ["Documented.\n"] * 3
    assert sorted("# of " + name in sent(server, number) for number in range(3) for name in "abc") == [
        *[False] * 6,
        *[True] * 3,
    ]


def check_try_again(done: Done, server: FakeServer) -> None:
    assert (done.exit_code, done.stdout) == (0, "Hello.\n")
    assert len(server.requests) == 2


def check_many(done: Done, server: FakeServer) -> None:
    assert json.loads(done.stdout) == {"answers": ["no", "no", "no"], "usd": pytest.approx(0.003)}


def check_variable(done: Done, server: FakeServer) -> None:
    assert (done.exit_code, done.stdout) == (0, "It is short.\n")
    assert sent(server).endswith("what it is about")


FILES = 'for name in a b c; do echo "# of $name" > $name.py; done'
CASES = {
    "A CI job that mends what fails, and shows what was done:": Case(
        (calls(("run_commands", {"commands": ["touch mended"]})), text("Mended.")),
        check_ci_job,
        'echo "what stood there" > summary.md',
    ),
    "A commit message from what is staged:": Case((text("Add three"),), check_commit_message, REPOSITORY),
    "A review that decides whether a pull request passes:": Case(
        (text('{"verdict": "fail", "reasons": ["It breaks."]}'),), check_review, REPOSITORY
    ),
    "Why did the tests fail?": Case(
        (text("One is not two."),), check_why, "echo 'def test_it() -> None: assert 1 == 2' > test_it.py"
    ),
    "Many questions at once, four at a time, each answer in a file of its own:": Case(
        (text("Documented."),), check_fan_out, FILES, is_repeated=True
    ),
    "Try again later where that makes sense, and only there:": Case(
        (status(429, "slow down", {"Retry-After": "600"}), text("Hello.")), check_try_again
    ),
    "One field of many runs, and what they cost:": Case((text("no"),), check_many, FILES, is_repeated=True),
    "A question whose answer goes into a variable:": Case(
        (text("It is short."),), check_variable, "echo 'what it is about' > README.md"
    ),
}


def test_every_recipe_is_tested() -> None:
    assert list(RECIPES) == list(CASES)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder for the PATH with the command and pytest in it, and a `sleep` that does not."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, line in (
        ("cline", f'exec "{sys.executable}" -m cline_cli "$@"'),
        ("pytest", f'exec "{sys.executable}" -m pytest -p no:cacheprovider "$@"'),
        ("sleep", 'echo "$1" >> slept'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


def run(script: str, server: FakeServer, programs: Path, *, stdin: str | None = None) -> Done:
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CLINE_API_KEY": "sk-test-0123456789",
        "CLINE_API_BASE_URL": server.origin,
        "GITHUB_STEP_SUMMARY": "summary.md",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        input=stdin or "",
        timeout=50,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def need(*names: str) -> None:
    for name in names:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("title", CASES)
def test_a_recipe_does_what_it_says(title: str, programs: Path) -> None:
    recipe, case = RECIPES[title], CASES[title]
    need(*(program for program in ("bash", "git", "jq") if program in recipe + case.setup))
    with FakeServer(*case.turns, repeat_last=case.is_repeated) as server:
        assert run(f"set -e\n{case.setup}", server, programs).exit_code == 0
        case.check(run(recipe, server, programs), server)


def test_trying_again_ends_with_the_failure_when_every_try_fails(programs: Path) -> None:
    recipe = RECIPES["Try again later where that makes sense, and only there:"]
    with FakeServer(status(429, "slow down", {"Retry-After": "600"}), repeat_last=True) as server:
        assert run(recipe, server, programs).exit_code == 75
        assert len(server.requests) == 4
    assert Path("slept").read_text() == "1\n60\n600\n"


def test_nothing_is_tried_again_when_that_makes_no_sense(programs: Path) -> None:
    recipe = RECIPES["Try again later where that makes sense, and only there:"]
    with FakeServer(status(401, {"error": {"message": "no"}})) as server:
        assert run(recipe, server, programs).exit_code == 3


def filters(page: str) -> list[str]:
    """Return the jq lines of a page, with what feeds them taken off."""
    blocks = re.findall(r"```sh\n(.*?)```", (PAGE.parent / page).read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in re.findall(r"jq (?:-\S+ |--\S+ )*'[^']*'", block)]
    return [line for line in lines if "select(" in line]


@pytest.mark.parametrize("line", [*filters("json.md"), *filters("headless.md")])
def test_every_filter_of_the_pages_takes_what_a_run_really_prints(line: str, programs: Path) -> None:
    need("jq")
    turns = (
        calls(("run_commands", {"commands": ["echo hi"]}), ("run_commands", "no JSON"), text="Looking."),
        calls(("read_files", {"files": [{"path": "missing.txt"}]})),
        text("All done."),
    )
    with FakeServer(*turns) as server:
        printed = run("cline --json -y 'do it'", server, programs).stdout
        done = run(line, server, programs, stdin=printed)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.strip()
