"""The command as people and scripts run it: a process, pipes, and a scripted server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Result, RunCline
from tests.e2e.conftest import KEY, Serve
from tests.fake_server import calls, json_reply, slow, status, text


def one_line(result: Result) -> str:
    """Return the one line that stderr holds."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("cline: ")
    return lines[0]


def test_a_pipe_gets_exactly_the_answer_and_a_newline(serve: Serve) -> None:
    server, ask = serve(text("Hello.\n\n"))
    result = ask("hi there")
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"Hello.\n", "")
    assert len(server.requests) == 1


def test_the_request_is_the_one_of_the_cline_api(serve: Serve) -> None:
    server, ask = serve(text("Hello."))
    ask("hi there")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/chat/completions")
    headers = request.headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-title"] == "Cline"
    assert headers["http-referer"] == "https://cline.bot"
    assert headers["x-client-type"] == "cline-cli"
    assert headers["x-platform"] == "cli"
    assert headers["x-is-multiroot"] == "false"
    assert headers["x-task-id"]
    assert headers["user-agent"].startswith("Cline/")
    assert request.body["model"] == "anthropic/claude-sonnet-4.6"
    assert request.body["stream"] is True
    assert request.messages[0]["role"] == "system"
    assert request.messages[1]["role"] == "user"
    assert request.messages[1]["content"] == "hi there"


def test_no_control_sequence_of_a_model_reaches_stdout(serve: Serve) -> None:
    _, ask = serve(text("\x1b[31mred\x1b[0m \x1b]0;title\x07and \u009b2Jthis"))
    result = ask("-n", "hi there")
    assert result.text == "red and this\n"


def test_an_answer_that_is_not_streamed_is_read_too(serve: Serve) -> None:
    _, ask = serve(json_reply("Whole."))
    assert ask("hi there").text == "Whole.\n"


@pytest.mark.parametrize(
    ("argv", "stdin", "content"),
    [
        (["Explain."], b"some text\n\n", "Explain.\n\nsome text"),
        (["Explain."], b"", "Explain."),
        (["Explain."], b"\n\n", "Explain."),
        ([], b"only this\n", "only this"),
        (["-"], b"only this\n", "only this"),
        (["fix", "the", "tests"], b"", "fix the tests"),
        (["explain"], b"\xff\xfe", "explain\n\n\ufffd\ufffd"),
        (["--", "-n"], b"", "-n"),
    ],
)
def test_the_message_is_the_prompt_and_what_was_piped_in(
    serve: Serve, argv: list[str], stdin: bytes, content: str
) -> None:
    server, ask = serve(text("ok"))
    assert ask(*argv, stdin=stdin).exit_code == 0
    assert server.requests[0].messages[-1]["content"] == content


def test_a_file_on_standard_input_is_read(serve: Serve, tmp_path: Path) -> None:
    server, ask = serve(text("ok"))
    source = tmp_path / "notes.txt"
    source.write_text("from a file\n")
    with source.open("rb") as file:
        ask("Summarize.", stdin=file.fileno())
    assert server.requests[0].messages[-1]["content"] == "Summarize.\n\nfrom a file"


def test_a_filter_sends_no_tools_and_little_else(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    ask("-n", "hi there")
    (request,) = server.requests
    assert request.tools == ()
    assert [message["role"] for message in request.messages] == ["user"]
    assert len(json.dumps(request.body)) < 1000


def test_the_first_request_stays_small(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    ask("-y", "hi there")
    assert len(json.dumps(server.requests[0].body)) < 7000


def test_flags_go_before_the_environment(serve: Serve) -> None:
    server, ask = serve(text("ok"), repeat_last=True)
    ask("-m", "a/b", "hi there", CLINE_MODEL="c/d")
    ask("hi there", CLINE_MODEL="c/d")
    assert [request.body["model"] for request in server.requests] == ["a/b", "c/d"]


def test_a_system_prompt_of_ones_own_replaces_ours(serve: Serve) -> None:
    server, ask = serve(text("ok"), repeat_last=True)
    ask("-n", "-s", "Be brief.", "hi there")
    ask("-s", "Be brief.", "hi there")
    systems = [str(request.messages[0]["content"]) for request in server.requests]
    assert systems[0] == "Be brief."
    assert systems[1].startswith("Be brief.\n\n")
    assert str(Path.cwd()) in systems[1]


def test_thinking_is_asked_for(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    ask("--thinking", "high", "hi there")
    assert server.requests[0].body["reasoning_effort"] == "high"


def test_the_yolo_loop_runs_what_the_model_asks_for(serve: Serve) -> None:
    server, ask = serve(
        calls(
            ("editor", {"path": "hello.txt", "new_text": "hello\n"}),
            ("run_commands", {"commands": ["echo one > made.txt; cat made.txt", "cat made.txt made.txt"]}),
            text="Working on it.",
        ),
        text("All done."),
    )
    result = ask("-y", "make it so")
    assert (result.exit_code, result.stdout) == (0, b"All done.\n")
    assert Path("hello.txt").read_text() == "hello\n"
    assert Path("made.txt").read_text() == "one\n"
    results = server.requests[1].results
    assert len(results) == 2
    command = json.loads(list(results.values())[1])
    assert [part["result"] for part in command] == ["one\n", "one\none\n"]
    assert "cline: make hello.txt" in result.stderr
    assert "cline: done: 2 calls" in result.stderr


def test_a_text_reply_ends_the_yolo_loop_at_once(serve: Serve) -> None:
    server, ask = serve(text("Nothing to do."))
    assert ask("-y", "do it now").text == "Nothing to do.\n"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("attempt_completion", {"result": "The summary."}),
        ("submit_and_exit", {"summary": "The summary.", "verified": True}),
    ],
)
def test_an_answer_that_is_handed_in_ends_the_run(serve: Serve, name: str, arguments: dict[str, str]) -> None:
    server, ask = serve(calls((name, arguments)))
    assert ask("-y", "do it now").text == "The summary.\n"
    assert len(server.requests) == 1


def test_a_run_without_yolo_changes_nothing_and_says_so(serve: Serve) -> None:
    server, ask = serve(
        calls(("run_commands", {"commands": ["touch made"]}), ("editor", {"path": "made", "new_text": "x"})),
        text("I could not."),
    )
    result = ask("make it so")
    assert result.exit_code == 5
    assert result.text == "I could not.\n"
    assert not Path("made").exists()
    assert all("Denied" in text for text in server.requests[1].results.values())
    assert "-y" in result.stderr.splitlines()[-1]


def test_reading_needs_no_leave(serve: Serve) -> None:
    Path("a.txt").write_text("canary line\n")
    server, ask = serve(calls(("read_files", {"files": [{"path": "a.txt"}]})), text("Read."))
    assert ask("read it please").exit_code == 0
    assert "canary line" in next(iter(server.requests[1].results.values()))


def test_plan_mode_changes_nothing_even_with_yolo(serve: Serve) -> None:
    server, ask = serve(calls(("run_commands", {"commands": ["touch made"]})), text("The plan."))
    result = ask("-p", "-y", "make it so")
    assert result.text == "The plan.\n"
    assert not Path("made").exists()
    assert "editor" not in server.requests[0].tools


def test_the_folder_can_be_chosen(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    _, ask = serve(calls(("run_commands", {"commands": ["touch here"]})), text("Done."))
    ask("-y", "-c", str(tmp_path / "elsewhere"), "make it so")
    assert (tmp_path / "elsewhere" / "here").exists()


def test_the_turns_of_a_run_can_be_limited(serve: Serve) -> None:
    turns = [calls(("run_commands", {"commands": [f"echo {number}"]})) for number in range(2)]
    server, ask = serve(*turns, text("So far."))
    result = ask("-y", "--max-turns", "2", "do it now")
    assert (result.exit_code, result.text) == (4, "So far.\n")
    assert [request.body.get("tool_choice") for request in server.requests] == ["auto", "auto", "none"]


def test_a_refused_key_is_told_in_one_line_without_the_key(serve: Serve) -> None:
    server, ask = serve(status(401, {"error": {"message": f"Invalid key {KEY}", "code": 401}}))
    result = ask("hi there")
    assert result.exit_code == 3
    assert result.stdout == b""
    line = one_line(result)
    assert "unauthorized" in line
    assert "$CLINE_API_KEY" in line
    assert KEY not in line
    assert len(server.requests) == 1


def test_no_key_is_told_at_once_and_nothing_is_sent(serve: Serve) -> None:
    server, ask = serve()
    result = ask("hi there", CLINE_API_KEY=None)
    assert result.exit_code == 3
    assert "not logged in" in one_line(result)
    assert server.requests == []


@pytest.mark.parametrize(("code", "exit_code", "words"), [(402, 3, "credit"), (404, 2, "model"), (400, 1, "400")])
def test_a_failure_that_another_try_would_not_mend_is_one_request(
    serve: Serve, code: int, exit_code: int, words: str
) -> None:
    server, ask = serve(status(code, {"error": {"message": "no credit left for this model", "code": code}}))
    result = ask("hi there")
    assert result.exit_code == exit_code
    assert words in one_line(result)
    assert len(server.requests) == 1


def test_an_unreachable_server_is_named(cline: RunCline) -> None:
    result = cline("hi there", CLINE_API_KEY=KEY, CLINE_API_BASE_URL="http://127.0.0.1:9")
    assert result.exit_code == 69
    assert "127.0.0.1" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--no-such-option", "x"], "--no-such-option"),
        (["-t", "0", "x"], "--timeout '0'"),
        (["-t", "soon", "x"], "--timeout 'soon'"),
        (["-c", "/nowhere/at/all", "x"], "/nowhere/at/all"),
        (["   "], "no prompt"),
        ([], "no prompt"),
        (["--thinking=lots", "x"], "--thinking 'lots'"),
        (["--max-turns", "0", "x"], "--max-turns '0'"),
        (["--retries=0", "x"], "--retries '0'"),
        (["--mode", "think", "x"], "--mode 'think'"),
        (["--auto-approve=maybe", "x"], "--auto-approve 'maybe'"),
        (["-F", "xml", "x"], "--output-format 'xml'"),
        (["--sandbox", "maybe", "x"], "--sandbox 'maybe'"),
        (["--sandbox", "off", "--sandbox-network", "off", "x"], "contradict"),
        (["--allow", " ", "x"], "a policy cannot be used"),
        (["--hooks-dir", "x", "x"], "not supported yet"),
        (["--max-cost", "free", "x"], "--max-cost 'free'"),
        (["--max-cost", "1", "-m", "nobody/knows", "x"], "price of nobody/knows"),
        (["-n", "--id", "S", "x"], "--no-tools"),
        (["--id", "../S", "x"], "'../S'"),
        (["--id", "S", "x"], "S"),
        (["--continue", "x"], "no session"),
        (["--schema", "nowhere.json", "x"], "nowhere.json"),
        (["--schema", '{"type": 7}', "x"], "schema"),
        (["--output", "nowhere/out.txt", "x"], "nowhere"),
        (["-f", "nowhere.txt", "x"], "nowhere.txt"),
        (["--require-stdin", "x"], "standard input"),
        (["-P", "clone", "x"], "cline"),
        (["-p", "-a", "x"], "--plan"),
        (["schedule"], "not supported yet"),
    ],
)
def test_bad_input_is_one_clear_line_and_sends_nothing(serve: Serve, argv: list[str], words: str) -> None:
    server, ask = serve()
    result = ask(*argv)
    assert result.exit_code == 2
    assert words in one_line(result)
    assert result.stdout == b""
    assert server.requests == []


def test_a_standard_input_that_fails_is_told(serve: Serve) -> None:
    server, ask = serve()
    only_writable = os.open("written.txt", os.O_WRONLY | os.O_CREAT)
    try:
        result = ask("hi there", stdin=only_writable)
    finally:
        os.close(only_writable)
    assert result.exit_code == 2
    assert "cannot read standard input" in one_line(result)
    assert server.requests == []


def test_the_key_of_a_command_line_is_not_kept(serve: Serve, private_home: Path) -> None:
    server, ask = serve(text("ok"))
    ask("-k", "sk-another-canary-key", "hi there", CLINE_API_KEY=None)
    assert server.requests[0].headers["authorization"] == "Bearer sk-another-canary-key"
    kept = [file for file in private_home.rglob("*") if file.is_file() and b"another-canary" in file.read_bytes()]
    assert kept == []


def test_a_key_can_be_piped_in_before_the_input(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    ask("-k", "-", "Summarize.", stdin=b"sk-piped-canary-key\nthe text\n", CLINE_API_KEY=None)
    (request,) = server.requests
    assert request.headers["authorization"] == "Bearer sk-piped-canary-key"
    assert request.messages[-1]["content"] == "Summarize.\n\nthe text"


def test_commands_do_not_see_the_keys(serve: Serve) -> None:
    server, ask = serve(calls(("run_commands", {"commands": ["env"]})), text("Done."))
    ask("-y", "look around", OPENROUTER_API_KEY="sk-or-canary-012345", CLINE_KEY="sk-or-canary-of-k", HARMLESS="seen")
    (result,) = server.requests[1].results.values()
    assert "HARMLESS=seen" in result
    assert KEY not in result
    assert "sk-or-canary" not in result


def test_a_one_shot_stays_small(serve: Serve) -> None:
    server, _ = serve(text("hello"))
    environment = {**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin}
    report = "import resource; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    script = (
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'cline_cli', 'hi there'],"
        f" stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True); {report}"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=50, check=True
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 50 * 1024**2


def test_slow_text_arrives_before_the_end_when_it_streams(serve: Serve) -> None:
    server, _ = serve(slow(["first ", "second"], 0.5))
    process = subprocess.Popen(
        [sys.executable, "-m", "cline_cli", "-n", "hi there"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin},
    )
    with process:
        assert process.stdout
        first = os.read(process.stdout.fileno(), 100)
        rest = process.stdout.read()
    assert first.startswith(b"first")
    assert b"second" not in first
    assert first + rest == b"first second\n"


def test_a_refused_key_says_that_another_one_is_saved(serve: Serve) -> None:
    _, ask = serve(status(401, {"error": {"message": "No.", "code": 401}}), text("ok"))
    assert ask("auth", "-p", "cline", "-k", "-", stdin=b"sk-the-saved-canary").exit_code == 0
    assert "another one is saved" in one_line(ask("hi there"))
    assert ask("hi there", CLINE_API_KEY=None).text == "ok\n"


@pytest.mark.parametrize(
    ("redirection", "exit_code", "words"),
    [
        ("<&-", 0, ""),
        (">&-", 1, "standard output is closed"),
        ("2>&-", 0, ""),
        ("<&- 2>&-", 0, ""),
        (">/dev/full", 1, "No space left"),
    ],
)
def test_closed_and_full_descriptors_do_no_harm(serve: Serve, redirection: str, exit_code: int, words: str) -> None:
    server, _ = serve(calls(("run_commands", {"commands": ["echo one"]})), text("Done."))
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m cline_cli -y "do it now" {redirection}', sys.executable],
        env={**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == exit_code
    assert done.stdout == ("Done.\n" if exit_code == 0 else "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("home", [None, "/nonexistent", "/proc"])
def test_a_run_works_without_a_home(serve: Serve, home: str | None) -> None:
    _, ask = serve(text("Done."))
    result = ask("-y", "do it now", HOME=home)
    assert (result.exit_code, result.stdout) == (0, b"Done.\n")


@pytest.mark.parametrize("variables", [{"LANG": "C", "LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}])
def test_text_is_utf_8_whatever_the_locale(serve: Serve, variables: dict[str, str]) -> None:
    server, ask = serve(text("caf\u00e9 \u2713"))
    result = ask("na\u00efve \u2713", **variables)
    assert result.text == "caf\u00e9 \u2713\n"
    assert server.requests[0].messages[-1]["content"] == "na\u00efve \u2713"


def test_a_prompt_that_is_not_utf_8_is_sent_with_replacements(
    serve: Serve,
) -> None:
    server, ask = serve(text("ok"))
    assert ask("caf\udce9 here").exit_code == 0
    assert server.requests[0].messages[-1]["content"] == "caf\ufffd here"


def test_a_broken_settings_file_is_named_and_left_alone(serve: Serve, tmp_path: Path) -> None:
    server, ask = serve()
    (tmp_path / "config").mkdir()
    settings = tmp_path / "config" / "settings.toml"
    settings.write_text('provider = "cline"\nmodel = = 3\n')
    result = ask("--config", str(tmp_path / "config"), "hi there")
    assert result.exit_code == 2
    assert f"{settings}" in one_line(result)
    assert "line 2" in one_line(result)
    assert server.requests == []
    assert "= = 3" in settings.read_text()


def test_nothing_is_written_where_the_command_was_run(serve: Serve, private_home: Path) -> None:
    _, ask = serve(text("ok"))
    ask("-y", "hi there")
    assert list(Path.cwd().iterdir()) == []
    kept = [file for file in private_home.rglob("*") if file.is_file()]
    state = private_home / ".local" / "state" / "cline"
    assert {file.parent.parent for file in kept} == {state / "sessions", state.parent}
    assert sorted(file.suffix for file in kept) == [".json", ".json", ".jsonl", ".pruned"]


@pytest.mark.parametrize("argv", [["--no-session"], ["-n"], ["--dry-run"]])
def test_nothing_is_written_at_all_when_nothing_is_to_be_kept(
    serve: Serve, private_home: Path, argv: list[str]
) -> None:
    _, ask = serve(text("ok"))
    assert ask(*argv, "hi there").exit_code == 0
    assert list(private_home.rglob("*")) == []


def test_a_policy_in_the_environment_is_never_ignored(serve: Serve) -> None:
    server, ask = serve()
    for policy in ("{", "[]", '{"deny": "rm"}', '{"denied": []}', '{"deny": [{"pattern": "rm *", "match": ["ls"]}]}'):
        result = ask("-y", "do it now", CLINE_COMMAND_PERMISSIONS=policy)
        assert result.exit_code == 2
        assert "CLINE_COMMAND_PERMISSIONS" in one_line(result)
    assert server.requests == []


def test_an_option_in_the_environment_is_in_force_and_a_flag_wins(
    serve: Serve,
) -> None:
    turn = calls(("run_commands", {"commands": ["echo one"]}))
    _, ask = serve(turn, text("So far."), turn, text("Done."))
    assert ask("-y", "do it now", CLINE_MAX_TURNS="1").exit_code == 4
    assert ask("-y", "--max-turns", "5", "do it now", CLINE_MAX_TURNS="1").exit_code == 0


def test_a_yolo_run_ends_after_200_turns(serve: Serve) -> None:
    turns = [calls(("list_files", {"path": "."}), ("read_files", {"files": [f"{n}"]})) for n in range(200)]
    server, ask = serve(*turns, text("So far."))
    result = ask("-y", "do it now")
    assert (result.exit_code, result.text) == (4, "So far.\n")
    assert len(server.requests) == 201
    assert server.connections == 1


def test_the_person_is_told_when_there_are_keys_for_several_providers(
    serve: Serve,
) -> None:
    _, ask = serve(text("ok"))
    assert "there are also keys for openrouter" in one_line(ask("hi there", OPENROUTER_API_KEY="sk-or-0123456789"))


def test_no_other_key_is_taken_when_the_first_is_set_but_empty(
    serve: Serve,
) -> None:
    server, ask = serve()
    result = ask("hi there", CLINE_API_KEY="", OPENROUTER_API_KEY="sk-or-0123456789")
    assert result.exit_code == 3
    assert "set but empty" in one_line(result)
    assert server.requests == []


def test_a_list_that_a_loop_around_us_reads_is_left_alone(serve: Serve, tmp_path: Path) -> None:
    server, _ = serve(text("ok"), repeat_last=True)
    (tmp_path / "list").write_text("one\ntwo\nthree\n")
    script = f'while read word; do "$0" -m cline_cli "say $word"; done < {tmp_path}/list'
    done = subprocess.run(
        ["/bin/bash", "-c", script, sys.executable],
        env={**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin},
        capture_output=True,
        timeout=50,
        check=True,
    )
    assert [request.messages[-1]["content"] for request in server.requests] == ["say one", "say two", "say three"]
    assert b"left alone" in done.stderr


def test_it_is_said_what_is_waited_for_when_standard_input_does_not_end(
    serve: Serve,
) -> None:
    server, _ = serve(text("ok"))
    process = subprocess.Popen(
        [sys.executable, "-m", "cline_cli", "--stdin", "wait", "hi there"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin},
    )
    with process:
        assert process.stderr
        assert b"waiting for st" in process.stderr.readline()
        stdout, _ = process.communicate(b"late", timeout=30)
    assert stdout == b"ok\n"
    assert server.requests[0].messages[-1]["content"] == "hi there\n\nlate"


def test_the_environment_of_the_command_is_closed_to_what_it_runs(serve: Serve, tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    server, ask = serve(calls(("run_commands", {"commands": ["cat /proc/$PPID/environ"]})), text("Done."))
    ask("-y", "look around")
    (result,) = server.requests[1].results.values()
    assert KEY not in result
    assert "ermission denied" in result


def test_the_exit_code_stays_when_nobody_reads_the_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "cline_cli", "--nope", "x"],
        stdin=subprocess.DEVNULL,
        stderr=writing,
        timeout=50,
        check=False,
    )
    os.close(writing)
    assert process.returncode == 2


def test_no_file_of_ours_gets_the_number_of_a_closed_descriptor() -> None:
    script = (
        "import os; from cline_cli.__main__ import _hold_standard_descriptors as hold; hold();"
        "opened = os.open('/', os.O_RDONLY); os.write(9, b'%d' % opened)"
    )
    reading, writing = os.pipe()
    done = subprocess.run(
        ["/bin/bash", "-c", f'exec "$0" -c "$1" 9>&{writing} <&- >&- 2>&-', sys.executable, script],
        pass_fds=(writing,),
        timeout=50,
        check=False,
    )
    os.close(writing)
    said = os.read(reading, 100)
    os.close(reading)
    assert done.returncode == 0
    assert int(said) > 2
