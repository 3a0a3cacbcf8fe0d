"""Command lines that exist in the wild, written for three generations of the original, and our own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.commands.help import TEXTS
from tests.conftest import RunCline
from tests.e2e.conftest import KEY, Serve
from tests.e2e.test_stopping import wait_until
from tests.fake_server import FakeServer, calls, hang, slow, status, text


def result_of(stdout: bytes) -> dict[str, object]:
    last = json.loads(stdout.splitlines()[-1])
    assert last["type"] == "run_result"
    return dict(last)


def shell(line: str, server: FakeServer, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash with `cline` on the PATH."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "cline").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cline_cli "$@"\n')
    (programs / "cline").chmod(0o755)
    return subprocess.run(
        ["bash", "-c", line],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=50,
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CLINE_API_KEY": KEY,
            "CLINE_API_BASE_URL": server.origin,
            **variables,
        },
    )


def test_the_line_of_an_evaluation_harness_runs(tmp_path: Path) -> None:
    line = (
        'cline -P cline -k "$K" -m some/model --json --yolo -t 60 --thinking high --max-consecutive-mistakes 5'
        " -- 'do it' < /dev/null"
    )
    with FakeServer(calls(("run_commands", {"commands": ["touch done"]})), text("Done.")) as server:
        done = shell(line, server, tmp_path, K="sk-of-the-flag-0123456789")
    assert done.returncode == 0, done.stderr
    assert result_of(done.stdout.encode())["text"] == "Done."
    assert Path("done").exists()
    first = server.requests[0]
    assert first.headers["authorization"] == "Bearer sk-of-the-flag-0123456789"
    assert first.body["model"] == "some/model"
    assert first.body["reasoning_effort"] == "high"
    assert first.messages[-1]["content"] == "do it"


def test_a_provider_is_set_up_in_a_folder_of_its_own(cline: RunCline, tmp_path: Path) -> None:
    folder = str(tmp_path / "config")
    result = cline("--config", folder, "auth", "anthropic", "--modelid", "claude-x", "--apikey", "sk-ant-0123456789")
    assert result.exit_code == 0, result.stderr
    status = json.loads(cline("--config", folder, "auth", "status", "--json").stdout)
    assert "anthropic" in json.dumps(status)


def test_a_provider_is_set_up_without_a_model(cline: RunCline) -> None:
    assert cline("auth", "--provider", "openrouter", "--apikey", "sk-or-0123456789").exit_code == 0


def test_a_compatible_server_is_asked_with_long_options(serve: Serve, cline: RunCline, tmp_path: Path) -> None:
    server, _ = serve(text("Hi."))
    cline("auth", "-p", "openai-compatible", "-k", "sk-saved", "-m", "m", "-b", server.base_url)
    (tmp_path / "D").mkdir()
    result = cline(
        *("--json", "--cwd", str(tmp_path / "D"), "--data-dir", str(tmp_path / "E"), "--provider", "openai-compatible"),
        *("--model", "gpt-5", "--key", "sk-k-0123456789", "--timeout", "20", "Hi"),
    )
    assert result.exit_code == 0, result.stderr
    last = result_of(result.stdout)
    assert last["text"] == "Hi."
    assert last["model"] == {"id": "gpt-5", "provider": "openai-compatible"}
    assert list((tmp_path / "E" / "sessions").iterdir())


@pytest.mark.parametrize(
    ("argv", "is_sent"),
    [
        (["-y", "do it now", "--mode", "act", "-F", "json"], "do it now"),
        (["task", "--yolo", "do it now"], "do it now"),
        (["t", "do it now", "-y"], "do it now"),
        (["task", "new", "-y", "do it now"], "do it now"),
        (["--auto-approve", "true", "--json", "do it now"], "do it now"),
        (["-y", "-o", "do it now"], "do it now"),
        (["hello"], "hello"),
        (["explain", "this", "-n"], "explain this"),
        (["--thinking", "fix it now"], "fix it now"),
        (["--retries", "fix it now"], "fix it now"),
        (["-m", "act", "fix it now"], "fix it now"),
        (["login"], "login"),
        (["hsitory"], "hsitory"),
        (["--", "-starts with a dash"], "-starts with a dash"),
        (["--no-interactive", "-w", ".", "do it now"], "do it now"),
    ],
)
def test_a_line_of_an_older_script_runs(serve: Serve, argv: list[str], is_sent: str) -> None:
    server, ask = serve(text("Done."))
    result = ask(*argv)
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.requests[0].messages[-1]["content"] == is_sent
    assert b"Done." in result.stdout


def test_the_lines_of_the_old_dialect_end_with_the_answer(serve: Serve) -> None:
    _, ask = serve(text("Done."))
    lines = [json.loads(line) for line in ask("-y", "do it now", "-F", "json").stdout.splitlines()]
    assert lines[0]["type"] == "task_started"
    assert (lines[-1]["say"], lines[-1]["text"]) == ("completion_result", "Done.")


def test_a_session_goes_on_with_a_prompt_from_stdin(serve: Serve, tmp_path: Path) -> None:
    server, ask = serve(text("One."), text("Two."))
    session_id = str(result_of(ask("--json", "first question").stdout)["session_id"])
    result = ask("--json", "-c", str(Path.cwd()), "--id", session_id, "\n", stdin=b"second question\n")
    assert result.exit_code == 0, result.stderr
    last = result_of(result.stdout)
    assert (last["text"], last["session_id"]) == ("Two.", session_id)
    contents = [message["content"] for message in server.requests[1].messages[1:]]
    assert contents[0] == "first question"
    assert contents[1:] == ["One.", "second question"]


def test_an_answer_goes_into_a_variable(tmp_path: Path) -> None:
    with FakeServer(text("Short.")) as server:
        done = shell('SUMMARY=$(echo x | cline "summarize this"); echo "[$SUMMARY]"', server, tmp_path)
    assert (done.returncode, done.stdout) == (0, "[Short.]\n")
    assert server.requests[0].messages[-1]["content"] == "summarize this\n\nx"


def test_three_runs_at_once_do_not_disturb_one_another(tmp_path: Path) -> None:
    line = 'for n in 1 2 3; do echo diff $n | cline "look at $n" > out.$n & done; wait'
    with FakeServer(slow(["Seen", " it."], 0.1), repeat_last=True) as server:
        done = shell(line, server, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [Path(f"out.{n}").read_text() for n in (1, 2, 3)] == ["Seen it.\n"] * 3
    contents = sorted(str(request.messages[-1]["content"]) for request in server.requests)
    assert contents == [f"look at {n}\n\ndiff {n}" for n in (1, 2, 3)]


def test_a_dry_run_tells_what_would_be_sent_and_sends_nothing(serve: Serve) -> None:
    server, ask = serve()
    result = ask("--dry-run", "-y", "-t", "90", "hi there", stdin=b"some text")
    assert (result.exit_code, result.stderr) == (0, "")
    facts = dict(line.split(None, 1) for line in result.text.splitlines())
    assert facts["model"] == "anthropic/claude-sonnet-4.6"
    assert facts["key"].startswith("$CLINE_API_KEY")
    assert KEY not in result.text
    assert "run_commands" in facts["tools"]
    assert "sent" in facts["stdin"]
    assert server.requests == []


def test_the_bytes_of_a_dry_run_are_those_that_are_sent(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    result = ask("--dry-run", "--json", "-y", "hi there", stdin=b"some text")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    (told,) = (line["event"]["metadata"] for line in lines if line.get("event", {}).get("reason") == "dry_run")
    ask("-y", "hi there", stdin=b"some text")
    assert told["requestBytes"] == server.requests[0].size_bytes
    assert (lines[-1]["type"], lines[-1]["exitCode"], lines[-1]["iterations"]) == ("run_result", 0, 0)
    assert str(told["requestBytes"]) in lines[-1]["text"]


def test_a_bare_run_reads_no_settings(serve: Serve, cline: RunCline, private_home: Path) -> None:
    server, ask = serve(text("ok"), repeat_last=True)
    cline("auth", "-p", "cline", "-k", "sk-saved-0123456789", "-m", "saved/model")
    ask("hi there")
    ask("--bare", "hi there")
    assert [request.body["model"] for request in server.requests] == ["saved/model", "anthropic/claude-sonnet-4.6"]
    settings = next(private_home.rglob("settings.toml"))
    settings.write_text("this is no TOML")
    assert ask("hi there").exit_code == 2
    assert ask("--bare", "hi there").exit_code == 0


def test_files_go_along(serve: Serve) -> None:
    Path("a.txt").write_text("first file\n")
    Path("b.txt").write_text("second file\n")
    server, ask = serve(text("ok"))
    ask("-n", "-f", "a.txt", "Compare.", "--file=b.txt", stdin=b"and this")
    content = str(server.requests[0].messages[-1]["content"])
    assert content.startswith("Compare.")
    assert content.index("first file") < content.index("second file") < content.index("and this")


def test_an_answer_is_written_to_a_file_as_well(serve: Serve) -> None:
    _, ask = serve(text("Hello."))
    assert ask("--output", "answer.txt", "hi there").text == "Hello.\n"
    assert Path("answer.txt").read_text() == "Hello.\n"


def test_no_file_is_written_when_the_run_fails(serve: Serve) -> None:
    Path("answer.txt").write_text("before")
    _, ask = serve(text("not JSON"), repeat_last=True)
    result = ask("-n", "--schema", "a int", "--retries", "1", "--output", "answer.txt", "hi there")
    assert (result.exit_code, result.stdout) == (6, b"")
    assert Path("answer.txt").read_text() == "before"


def test_the_answer_is_printed_when_its_file_cannot_be_written(serve: Serve) -> None:
    _, ask = serve(text("Hello."))
    result = ask("--output", "/dev/full", "hi there")
    assert (result.exit_code, result.text) == (1, "Hello.\n")
    assert "/dev/full" in result.stderr
    assert "No space left" in result.stderr


@pytest.mark.parametrize("argv", [[], ["-n"], ["-y"]])
def test_the_document_of_a_schema_is_all_of_stdout(serve: Serve, argv: list[str]) -> None:
    server, ask = serve(
        text('Sure: {"name": "x", "age": 3}'), text('{"name": "x"}'), text('```json\n{ "name": "x",\n "age": 3 }\n```')
    )
    result = ask(*argv, "--schema", "name, age int", "who is it")
    assert (result.exit_code, result.stdout) == (0, b'{"name":"x","age":3}\n')
    assert "age" in str(server.requests[2].messages[-1]["content"])
    assert len(server.requests) == 3


def test_the_document_stands_parsed_in_the_result(serve: Serve) -> None:
    _, ask = serve(text('{"tags": ["a", "b"]}'))
    last = result_of(ask("--json", "--schema", "tags list", "who is it").stdout)
    assert last["output"] == {"tags": ["a", "b"]}
    assert last["text"] == '{"tags":["a","b"]}'


@pytest.mark.parametrize("topic", sorted(file.stem for file in TEXTS.glob("*.txt")))
def test_every_topic_of_the_help_is_printed_without_a_key(cline: RunCline, topic: str) -> None:
    result = cline("help", topic)
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(len, result.text.splitlines())) <= 80


def test_the_help_names_its_topics_when_one_is_not_known(cline: RunCline) -> None:
    result = cline("help", "nothing")
    assert result.exit_code == 2
    assert all(topic in result.stderr for topic in ("exit-codes", "json", "stdin", "environment"))


def test_a_note_is_not_told_when_it_is_to_be_quiet(serve: Serve) -> None:
    _, ask = serve(text("ok"), repeat_last=True)
    assert "--auto-condense has no effect" in ask("--auto-condense", "hi there").stderr
    assert ask("-q", "--auto-condense", "hi there").stderr == ""


def test_an_answer_does_not_get_among_lines_of_json(serve: Serve, tmp_path: Path) -> None:
    server, ask = serve()
    result = ask("--json", "--output", "/dev/stdout", "hi there")
    assert (result.exit_code, result_of(result.stdout)["exitCode"]) == (2, 2)
    done = shell("cline --json --output f x > f; echo $?", server, tmp_path)
    assert done.stdout == "2\n"
    assert result_of(Path("f").read_bytes())["exitCode"] == 2


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("CLINE_TIMEOUT", "soon", "CLINE_TIMEOUT 'soon' is no time"),
        ("CLINE_MAX_CONSECUTIVE_MISTAKES", "0", "CLINE_MAX_CONSECUTIVE_MISTAKES '0' is not a whole number"),
        ("CLINE_CWD", "/nowhere", "CLINE_CWD '/nowhere' is not a folder"),
        ("CLINE_SANDBOX", "maybe", "CLINE_SANDBOX 'maybe' is not one"),
        ("CLINE_HOOKS_DIR", "/x", "CLINE_HOOKS_DIR is not supported yet"),
    ],
)
def test_a_variable_is_named_when_it_is_what_is_wrong(serve: Serve, variable: str, value: str, words: str) -> None:
    server, ask = serve()
    result = ask("-y", "do it now", **{variable: value})
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert words in result.stderr
    assert server.requests == []


@pytest.mark.parametrize("line", ["cline --help", "cline help json", "cline auth status", "cline --version"])
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_it_is_told_when_what_was_asked_for_cannot_be_printed(tmp_path: Path, line: str, redirection: str) -> None:
    with FakeServer() as server:
        done = shell(f"{line} {redirection}", server, tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"cline: cannot write to standard output: .+\n", done.stderr)


def test_a_dry_run_leaves_nothing_of_its_input(serve: Serve, private_home: Path) -> None:
    _, ask = serve(text("ok"))
    ask("hi there")
    before = sorted(private_home.rglob("*"))
    result = ask("--dry-run", "--continue", "and this", stdin=b"word " * 100_000)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "spooled" in result.text
    assert sorted(private_home.rglob("*")) == before


def test_the_second_signal_leaves_nothing_of_the_input(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with FakeServer(hang()) as server:
        environment = {
            **os.environ,
            "CLINE_API_KEY": KEY,
            "CLINE_API_BASE_URL": server.origin,
            "TMPDIR": str(temporary),
        }
        argv = [sys.executable, "-m", "cline_cli", "--no-session", "hi there"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
            assert process.stdin
            process.stdin.write(b"word " * 100_000)
            process.stdin.close()
            wait_until(lambda: server.requests, "the request")
            assert list(temporary.rglob("stdin.txt"))
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
    assert list(temporary.iterdir()) == []


def test_a_model_that_no_endpoint_serves_is_a_wrong_name(serve: Serve) -> None:
    _, ask = serve(status(404, {"error": {"message": "No endpoints found for gpt-5-mni.", "code": 404}}))
    result = ask("-m", "gpt-5-mni", "hi there")
    assert result.exit_code == 2
    assert "gpt-5-mini" in result.stderr


@pytest.mark.parametrize("argv", [[], ["-n"], ["--json"], ["--output", "answer.txt"]])
def test_nothing_is_asked_when_there_is_nowhere_to_answer(tmp_path: Path, argv: list[str]) -> None:
    with FakeServer() as server:
        done = shell(f"cline {' '.join(argv)} 'hi there' >&-", server, tmp_path)
        assert server.requests == []
    assert done.returncode == 1
    assert "standard output is closed" in done.stderr


def test_a_run_that_asked_nothing_cost_nothing(serve: Serve) -> None:
    _, ask = serve()
    usage = result_of(ask("--json").stdout)["usage"]
    assert isinstance(usage, dict)
    assert usage["totalCost"] == 0
