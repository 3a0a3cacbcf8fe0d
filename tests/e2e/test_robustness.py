"""Odd surroundings, full disks, closed descriptors, several runs at once and runs that were killed do no harm.

After every test the key is looked for in all that was written.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.e2e.test_endings import LINE, parse_lines, read_result
from tests.e2e.test_stopping import is_alive, started, wait_until
from tests.fake_server import FakeServer, Turn, calls, hang, slow, status, text

KEY = "sk-robust-canary-91c4d7"
TEXT, JSON = (), ("--json",)
both_ways = pytest.mark.parametrize("manner", [TEXT, JSON], ids=["text", "json"])
Run = Callable[..., Result]


def sh(
    server: FakeServer, *argv: str, script: str = 'exec "$@"', stdin: bytes = b"", **variables: str | None
) -> Result:
    """Run the command in a shell script, where it is "$@"."""
    given = {**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin, **variables}
    environment = {name: value for name, value in given.items() if value is not None}
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "cline_cli", *argv],
        input=stdin,
        capture_output=True,
        env=environment,
        timeout=50,
        check=False,
    )
    result = Result(done.returncode, done.stdout, done.stderr.decode())
    assert KEY.encode() not in done.stdout
    assert KEY not in result.stderr
    assert not [word for word in ("Traceback", "Exception", "Warning") if word in result.stderr]
    return result


@pytest.fixture(autouse=True)
def no_key_is_kept(tmp_path: Path) -> Iterator[None]:
    """Look for the key in all that a test has left: its home, its folder, its sessions."""
    yield
    files = [file for file in tmp_path.rglob("*") if file.is_file() and not file.is_symlink()]
    assert not [file for file in files if KEY.encode() in file.read_bytes()]


def answer_of(result: Result, manner: Sequence[str]) -> str:
    """Return the answer, of a run that printed its lines, or nothing else."""
    if not manner:
        return result.text
    return f"{read_result(result.stdout, result.exit_code)['text']}\n"


def sessions_in(home: Path) -> list[Path]:
    """Return the files of the sessions, oldest first."""
    return sorted((home / ".local" / "state" / "cline" / "sessions").glob("*/*.jsonl"))


WORKS = calls(("run_commands", {"commands": ["printf 'caf\\351 \\377\\n'; touch \"$(printf 'n\\351')\"; ls; env"]}))
DONE = text("caf\u00e9 \u2713")

SURROUNDINGS: dict[str, tuple[str, dict[str, str]]] = {
    "LANG=C": ('exec "$@"', {"LANG": "C", "LC_ALL": "C"}),
    "latin-1": ('exec "$@"', {"PYTHONIOENCODING": "latin-1"}),
    "poor-terminal": ('exec "$@"', {"COLUMNS": "1", "LINES": "1", "TERM": "dumb", "NO_COLOR": "1"}),
    "no-TMPDIR": ('exec "$@" --no-session', {"TMPDIR": "/nowhere/at/all"}),
    "64-descriptors": ('ulimit -n 64; exec "$@"', {}),
    "a-folder-that-is-not-utf-8": (r'd=$(printf "d\377"); mkdir "$d"; cd "$d"; exec "$@"', {}),
    "no-stderr": ('exec "$@" 2>&-', {}),
    "stderr-full": ('exec "$@" 2>/dev/full', {}),
}


@both_ways
@pytest.mark.parametrize(("script", "variables"), SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_the_answer_is_whole_when_the_surroundings_are_odd(
    script: str, variables: dict[str, str], manner: tuple[str, ...]
) -> None:
    with FakeServer(WORKS, DONE) as server:
        result = sh(server, "-y", *manner, "na\udcefve \u2713", script=script, stdin=b"much " * 60_000, **variables)
    assert result.exit_code == 0
    assert answer_of(result, manner) == "caf\u00e9 \u2713\n"
    assert b"\x1b" not in result.stdout
    assert str(server.requests[0].messages[-1]["content"]).startswith(
        "na\ufffdve \u2713\n\n[Standard input: 300,000 bytes"
    )
    assert "caf" in next(iter(server.requests[1].results.values()))


@both_ways
@pytest.mark.parametrize("home", ["/proc", "/dev/null"])
def test_the_run_works_and_says_once_that_nothing_is_saved_when_home_is_no_home(
    home: str, manner: tuple[str, ...]
) -> None:
    with FakeServer(WORKS, DONE) as server:
        result = sh(server, "-y", *manner, "do it now", stdin=b"much " * 60_000, HOME=home)
    assert (result.exit_code, answer_of(result, manner)) == (0, "caf\u00e9 \u2713\n")
    assert result.stderr.count("nothing is saved of this run") == 1


@both_ways
@pytest.mark.parametrize("blocks", [0, 1])
def test_the_run_works_and_says_once_that_nothing_is_saved_when_the_disk_is_full(
    blocks: int, manner: tuple[str, ...], private_home: Path
) -> None:
    works = calls(("run_commands", {"commands": ["echo one"]}), text="long " * 200)
    with FakeServer(works, DONE) as server:
        result = sh(server, "-y", *manner, "do it now", script=f'ulimit -f {blocks}; exec "$@"')
    assert (result.exit_code, answer_of(result, manner)) == (0, "caf\u00e9 \u2713\n")
    assert result.stderr.count("is saved of this run") == 1
    assert "File too large" in result.stderr
    for session in sessions_in(private_home):
        assert session.read_bytes().endswith(b"\n")


@both_ways
def test_the_folder_is_asked_for_when_the_working_directory_was_deleted(manner: tuple[str, ...]) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; "$@"; test $? = 2 || exit 99; exec "$@" -c "$HOME"'
    with FakeServer(DONE) as server:
        result = sh(server, "-y", *manner, "do it now", script=script)
    assert result.exit_code == 0
    assert LINE.fullmatch(result.stderr)
    assert "the working directory does not exist any more" in result.stderr
    if manner:
        results = [line for line in parse_lines(result.stdout) if line["type"] == "run_result"]
        assert [line["exitCode"] for line in results] == [2, 0]
    else:
        assert result.text == "caf\u00e9 \u2713\n"


def test_only_this_user_can_read_what_is_kept_when_the_umask_lets_everybody(private_home: Path) -> None:
    with FakeServer(WORKS, DONE) as server:
        result = sh(server, "-y", "do it now", script='umask 000; exec "$@"', stdin=b"much " * 60_000)
    assert result.exit_code == 0
    kept = list((private_home / ".local" / "state" / "cline").rglob("*"))
    assert {path.suffix for path in kept if path.is_file()} == {"", ".json", ".jsonl", ".pruned", ".txt"}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in kept}
    assert modes == {0o600, 0o700}


@pytest.mark.parametrize(
    ("redirection", "words"),
    [(">&-", "standard output is closed"), (">/dev/full", "No space left")],
    ids=["closed", "full"],
)
def test_the_run_fails_in_one_line_when_stdout_takes_no_json(redirection: str, words: str) -> None:
    with FakeServer(DONE) as server:
        result = sh(server, "--json", "do it now", script=f'exec "$@" {redirection}')
    assert (result.exit_code, result.stdout) == (1, b"")
    assert LINE.fullmatch(result.stderr)
    assert words in result.stderr


@pytest.mark.parametrize("argv", [("-n",), ("-y",), ("-y", "--json")], ids=" ".join)
def test_the_run_ends_as_by_sigpipe_when_its_reader_leaves(argv: tuple[str, ...]) -> None:
    with FakeServer(text("a long answer " * 40_000)) as server:
        with started(server, *argv, "do it now") as process:
            assert process.stdout
            assert len(os.read(process.stdout.fileno(), 3)) == 3
            process.stdout.close()
            _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize(
    ("argv", "redirection", "exit_code"),
    [
        pytest.param(("-",), "<&-", 2, id="no-prompt"),
        pytest.param(("--nope", "x"), "2>&-", 2, id="nobody-is-told"),
        pytest.param(("--nope", "x"), "<&- >&- 2>&-", 2, id="nothing-is-open"),
        pytest.param(("do it now",), "<&- >&- 2>&-", 1, id="nowhere-to-answer"),
    ],
)
def test_the_exit_code_is_right_when_descriptors_are_closed(
    argv: tuple[str, ...], redirection: str, exit_code: int
) -> None:
    with FakeServer(DONE, repeat_last=True) as server:
        assert sh(server, *argv, script=f'exec "$@" {redirection}').exit_code == exit_code


def append_together(manners: Sequence[tuple[str, ...]], answers: Sequence[str]) -> tuple[list[Result], bytes]:
    """Run them at the same time with one file to append to; return how they ended, and what is in the file."""
    with FakeServer(*(text(answer, pieces=20) for answer in answers)) as server:
        with ThreadPoolExecutor(len(manners)) as pool:
            results = list(
                pool.map(lambda manner: sh(server, *manner, "do it now", script='exec "$@" >> all.txt'), manners)
            )
    return results, Path("all.txt").read_bytes()


def test_answers_do_not_mix_when_runs_append_to_one_file() -> None:
    answers = [f"{letter * 99}\n" * 200 for letter in "abcdefgh"]
    results, together = append_together([("-n",), ("-y",)] * 4, answers)
    assert {(result.exit_code, result.stderr) for result in results} == {(0, "")}
    size = len(answers[0])
    assert sorted(together[start : start + size].decode() for start in range(0, len(together), size)) == answers


def test_lines_do_not_mix_when_runs_append_json_to_one_file() -> None:
    answers = [letter * 20_000 for letter in "abcdefgh"]
    results, together = append_together([("--json", "-n"), ("--json", "-y")] * 4, answers)
    assert {(result.exit_code, result.stderr) for result in results} == {(0, "")}
    told = [line["text"] for line in parse_lines(together) if line["type"] == "run_result"]
    assert sorted(told) == answers


ECHOES = f"no such key: {KEY}"


@both_ways
@pytest.mark.parametrize(
    ("turns", "exit_code"),
    [
        pytest.param((status(401, {"error": {"message": ECHOES}}),), 3, id="401"),
        pytest.param((status(500, ECHOES, {"retry-after-ms": "1", "x-request-id": KEY}),), 75, id="500"),
        pytest.param((calls(("run_commands", {"commands": ["env; cat /proc/self/environ"]})), DONE), 0, id="env"),
    ],
)
def test_the_key_is_not_told_when_the_server_or_a_command_looks_for_it(
    turns: tuple[Turn, ...], exit_code: int, manner: tuple[str, ...]
) -> None:
    with FakeServer(*turns, repeat_last=True) as server:
        result = sh(server, "-y", *manner, "do it now", CLINE_DEBUG="1")
    assert result.exit_code == exit_code
    assert not [request for request in server.requests if KEY in json.dumps(request.body)]


def test_the_second_run_is_refused_when_another_has_the_session(private_home: Path) -> None:
    with FakeServer(slow(["The ", "first."], 1), text("The third.")) as server:
        with started(server, "-y", "the first question") as process:
            wait_until(lambda: server.requests, "the request")
            (session,) = sessions_in(private_home)
            refused = sh(server, "--id", session.stem, "the second question")
            stdout, _ = process.communicate(timeout=30)
        third = sh(server, "--id", session.stem, "the third question")
    assert (process.returncode, stdout) == (0, b"The first.\n")
    assert (refused.exit_code, refused.stdout) == (2, b"")
    assert LINE.fullmatch(refused.stderr)
    assert f"session {session.stem} is in use" in refused.stderr
    assert (third.exit_code, third.text) == (0, "The third.\n")
    said = [message["content"] for message in server.requests[-1].messages[1:]]
    assert said == ["the first question", "The first.", "the third question"]


SLEEPS = calls(("run_commands", {"commands": ["echo $$ > shell; exec sleep 300"]}))
KILLED = {
    "waiting": ((WORKS, hang()), 2),
    "streaming": ((WORKS, slow(["word "] * 600, 0.1)), 2),
    "in-a-command": ((SLEEPS,), 1),
}


@pytest.mark.parametrize(("turns", "requests"), KILLED.values(), ids=KILLED)
def test_the_session_goes_on_when_its_run_was_killed(
    turns: tuple[Turn, ...], requests: int, private_home: Path
) -> None:
    with FakeServer(*turns) as server:
        with started(server, "-y", "the first question") as process:
            wait_until(lambda: len(server.requests) == requests, "the requests")
            if requests == 1:
                wait_until(lambda: Path("shell").exists() and Path("shell").read_text(), "the command")
            process.kill()
            process.wait(30)
    if requests == 1:
        end_what_was_orphaned(int(Path("shell").read_text()))
    (session,) = sessions_in(private_home)
    with FakeServer(text("Went on.")) as server:
        result = sh(server, "--id", session.stem, "continue")
    assert (result.exit_code, result.text) == (0, "Went on.\n")
    (request,) = server.requests
    assert [message["role"] for message in request.messages[1:]] == ["user", "assistant", "tool", "user"]
    assert request.messages[1]["content"] == "the first question"
    assert request.messages[-1]["content"] == "continue"


def end_what_was_orphaned(pid: int) -> None:
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)


def test_the_session_goes_on_when_a_command_killed_the_run(private_home: Path) -> None:
    killer = calls(("editor", {"path": "made.txt", "new_text": "x"}), ("run_commands", {"commands": ["kill -9 $PPID"]}))
    with FakeServer(killer) as server:
        result = sh(server, "-y", "--sandbox", "off", "the first question", script='"$@"; test $? = 137')
    assert result.exit_code == 0
    (session,) = sessions_in(private_home)
    with FakeServer(text("Went on.")) as server:
        assert sh(server, "--id", session.stem, "continue").text == "Went on.\n"
    assert len(server.requests[0].results) == 2


def test_the_newest_session_of_this_folder_goes_on_when_it_is_continued(private_home: Path) -> None:
    with FakeServer(*(text(f"Answer {number}.") for number in range(4))) as server:
        for question in ("the first", "the second"):
            sh(server, "-y", f"{question} question")
        sh(server, "-y", "asked elsewhere", script='mkdir other; cd other; exec "$@"')
        result = sh(server, "--continue", "and now?")
    assert result.text == "Answer 3.\n"
    said = [message["content"] for message in server.requests[-1].messages[1:]]
    assert said == ["the second question", "Answer 1.", "and now?"]
    assert len(sessions_in(private_home)) == 3


def test_the_prompt_is_on_stdin_when_a_harness_gives_an_empty_one(private_home: Path, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    with FakeServer(DONE, calls(("run_commands", {"commands": ["pwd"]})), DONE) as server:
        first = sh(server, "--json", "-y", "-c", str(place), "\n", stdin=b"the first question\n")
        identity = parse_lines(first.stdout)[0]["session_id"]
        second = sh(server, "--json", "-y", "-c", str(place), "--id", identity, "\n", stdin=b"the second question\n")
    assert read_result(second.stdout, 0)["session_id"] == identity
    said = [message["content"] for message in server.requests[1].messages[1:]]
    assert said == ["the first question", "caf\u00e9 \u2713", "the second question"]
    assert str(place) in next(iter(server.requests[2].results.values()))
    assert [session.stem for session in sessions_in(private_home)] == [identity]


FAULT = """
import os
if "FAULTY" in os.environ:
    from cline_cli.agent.loop import Agent
    def judge(*_, **__):
        raise ZeroDivisionError(os.environ["CLINE_API_KEY"])
    Agent._judge = judge
"""


def test_a_fault_of_our_own_is_a_failure_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(FAULT)
    with FakeServer(DONE) as server:
        result = sh(server, "--json", "do it now", FAULTY="1", PYTHONPATH=str(tmp_path / "site"))
    assert read_result(result.stdout, result.exit_code)["errorClass"] == "unknown"
    assert result.exit_code == 1
    assert "internal error: ZeroDivisionError in sitecustomize" in result.stderr
