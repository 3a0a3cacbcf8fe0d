"""Settings as processes: what is set holds for the next run, whoever stands higher wins, and nothing is lost."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.config.settings import load_settings
from tests.conftest import Result, RunCline
from tests.e2e.conftest import KEY, Serve
from tests.fake_server import hang, text


def settings_of(home: Path) -> Path:
    return home / ".config" / "cline" / "settings.toml"


def write(file: Path, content: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def dry(cline: RunCline, *argv: str, **variables: str) -> dict[str, object]:
    """Return what a run would be."""
    result: Result = cline("--json", "--dry-run", *argv, "hi there", CLINE_API_KEY=KEY, **variables)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    (facts,) = [line["event"]["metadata"] for line in lines if line.get("event", {}).get("reason") == "dry_run"]
    assert isinstance(facts, dict)
    return facts


def test_whoever_stands_higher_wins(cline: RunCline, private_home: Path) -> None:
    assert dry(cline)["limits"] == {"turns": 200}
    assert cline("config", "set", "max_turns", "50").exit_code == 0
    assert dry(cline)["limits"] == {"turns": 50}
    project = write(Path.cwd() / ".cline" / "settings.toml", "max_turns = 40\n")
    assert dry(cline)["limits"] == {"turns": 40}
    assert dry(cline, CLINE_MAX_TURNS="30")["limits"] == {"turns": 30}
    assert dry(cline, "--max-turns", "20", CLINE_MAX_TURNS="30")["limits"] == {"turns": 20}
    assert dry(cline, "--bare")["limits"] == {"turns": 200}
    rows = json.loads(cline("config", "--json").stdout)["settings"]
    assert rows["max_turns"] == {"value": 40, "origin": f"{project}:1", "file": str(project), "line": 1}


def test_a_settings_mode_and_leave_are_void_where_a_flag_says_otherwise(cline: RunCline, private_home: Path) -> None:
    write(settings_of(private_home), 'mode = "plan"\nauto_approve = true\n')
    assert (dry(cline)["mode"], dry(cline)["changes"]) == ("plan", "are denied")
    assert (dry(cline, "--act")["mode"], dry(cline, "--act")["changes"]) == ("act", "run")
    assert dry(cline, "--act", "--auto-approve=false")["changes"] == "are denied"


def test_a_run_keeps_no_session_when_the_settings_say_so(serve: Serve, private_home: Path) -> None:
    write(settings_of(private_home), "sessions.keep = false\n")
    _, ask = serve(text("ok"), repeat_last=True)
    assert ask("hi there").exit_code == 0
    assert not (private_home / ".local").exists()


def test_a_run_ends_at_the_time_of_the_settings(serve: Serve, private_home: Path) -> None:
    write(settings_of(private_home), "timeout = 1.5\n")
    _, ask = serve(hang())
    result = ask("hi there")
    assert result.exit_code == 124
    assert "timed out after 1.5 s" in result.stderr


@pytest.mark.parametrize("where", ["own", "project"])
def test_a_broken_file_is_one_line_with_its_place(serve: Serve, private_home: Path, where: str) -> None:
    own = settings_of(private_home)
    file = write(own if where == "own" else Path.cwd() / ".cline" / "settings.toml", '\n[stdin]\nmax_bytes = "x"\n')
    server, ask = serve()
    for words in (("hi there",), ("config",)):
        result = ask(*words)
        told = f"cline: cannot use {file}, line 3, column 13: stdin.max_bytes must be a whole number, not text. "
        assert result.exit_code == 2
        assert result.stderr.startswith(told)
        assert len(result.stderr.splitlines()) == 1
    assert server.requests == []


def test_a_wrong_setting_is_told_by_its_place_and_not_as_an_option(serve: Serve, private_home: Path) -> None:
    file = write(settings_of(private_home), "max_cost = 1\n")
    server, ask = serve()
    result = ask("-m", "no/price", "hi there")
    assert result.exit_code == 2
    assert f"max_cost ({file}, line 1) cannot be kept: the price of no/price is not known" in result.stderr
    assert "--max-cost" not in result.stderr
    assert server.requests == []


def test_a_name_that_is_none_is_told_once_and_not_to_the_quiet(serve: Serve, private_home: Path) -> None:
    file = write(settings_of(private_home), "max_turn = 3\n")
    _, ask = serve(text("ok"), repeat_last=True)
    told = f'cline: {file}, line 1: there is no setting "max_turn", did you mean max_turns?\n'
    assert ask("hi there").stderr == told
    assert ask("-q", "hi there").stderr == ""
    assert ask("--bare", "hi there").stderr == ""
    assert ask("auth", "status").stderr == told


def test_a_project_of_a_stranger_moves_no_key(serve: Serve, private_home: Path) -> None:
    write(
        Path.cwd() / ".cline" / "settings.toml",
        'auto_approve = true\n[providers.cline]\nbase_url = "http://127.0.0.1:9"\nmodel = "dear/model"\n',
    )
    server, ask = serve(text("ok"))
    result = ask("hi there")
    assert result.exit_code == 0
    assert "not trusted with: auto_approve, providers.cline.base_url, providers.cline.model (" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert server.requests[0].body["model"] == "anthropic/claude-sonnet-4.6"


def test_the_originals_settings_are_taken_over_by_the_first_run_and_its_key_is_used(
    serve: Serve, private_home: Path
) -> None:
    server, ask = serve(text("ok"), repeat_last=True)
    theirs = {"apiKey": KEY, "model": "their/model", "baseUrl": server.base_url}
    document = {"version": 1, "lastUsedProvider": "cline", "providers": {"cline": {"settings": theirs}}}
    original = write(private_home / ".cline" / "data" / "settings" / "providers.json", json.dumps(document))
    bare: dict[str, None] = {"CLINE_API_KEY": None, "CLINE_API_BASE_URL": None}
    ask("--bare", "--dry-run", "hi there")
    assert not settings_of(private_home).exists()
    first, second = ask("hi there", **bare), ask("hi there", **bare)
    assert first.stderr.startswith(f"cline: taken over from {original}: ")
    assert len(first.stderr.splitlines()) == 1
    assert second.stderr == ""
    assert [request.body["model"] for request in server.requests] == ["their/model"] * 2
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert original.read_text() == json.dumps(document)
    assert KEY not in settings_of(private_home).read_text()


def test_no_change_is_lost_when_many_are_made_at_once(private_home: Path) -> None:
    values = {"max_turns": "5", "timeout": "9m", "retries": "4", "max_cost": "1.5", "mode": "plan", "thinking": "low"}
    values |= {"sessions.keep_days": "3", "stdin.max_bytes": "77"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "cline_cli", "config", "set", key, value],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for key, value in values.items()
    ]
    assert [process.wait(50) for process in processes] == [0] * len(values)
    written = settings_of(private_home).read_text()
    assert len([line for line in written.splitlines() if "=" in line]) == len(values)
    assert load_settings(settings_of(private_home)).max_stdin_bytes == 77


def test_a_bare_value_goes_into_a_script(cline: RunCline) -> None:
    result = cline("config", "get", "max_turns")
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"200\n", "")
    result = cline("config", "get", "thinking")
    assert (result.exit_code, result.stdout, result.stderr) == (1, b"", "cline: thinking is not set\n")
    result = cline("config", "get", "max_turn")
    assert (result.exit_code, result.stdout) == (2, b"")
    assert result.stderr == "cline: there is no setting 'max_turn'. Did you mean max_turns?\n"


def test_no_control_character_of_a_file_reaches_the_terminal(cline: RunCline, private_home: Path) -> None:
    name = private_home / "a\x1b[2J\n\u202eb"
    write(name / "settings.toml", '"\\u001b]0;x\\u0007" = 1\nmax_turns = 3\n')
    for words in ((), ("path",), ("set", "max_turns", "4")):
        result = cline("config", *words, "--config", str(name))
        assert result.exit_code == 0
        assert all(character.isprintable() or character == "\n" for character in result.text + result.stderr)


def test_no_change_is_lost_when_a_draft_waited_while_others_changed_the_settings(
    cline: RunCline, private_home: Path, tmp_path: Path
) -> None:
    file = write(settings_of(private_home), "max_turns = 5\n")
    broken = write(tmp_path / "broken.sh", "echo 'max_turns = = 6' > \"$1\"\n")
    assert cline("config", "edit", EDITOR=f"sh {broken}").exit_code == 2
    assert cline("config", "set", "timeout", "10m").exit_code == 0
    repairing = write(tmp_path / "repairing.sh", 'sed \'s/= = 6/= 6/; s/= 5/= 6/\' "$1" > new && cat new > "$1"\n')
    result = cline("config", "edit", EDITOR=f"sh {repairing}")
    assert result.exit_code == 0
    assert file.read_text() == 'max_turns = 6\ntimeout = "10m"\n'
    assert str(file.with_name("settings.draft.1.toml")) in result.stderr


def test_a_saved_key_goes_to_no_other_server_when_the_settings_are_made_to_forget_it(
    serve: Serve, cline: RunCline, private_home: Path
) -> None:
    server, ask = serve(text("ok"), repeat_last=True)
    bare: dict[str, None] = {"CLINE_API_KEY": None, "CLINE_API_BASE_URL": None}
    assert ask("auth", "-p", "cline", "-k", KEY, "--insecure-storage", **bare).exit_code == 0
    assert ask("config", "unset", "providers.cline.key_store", **bare).exit_code == 2
    file = settings_of(private_home)
    file.write_text(file.read_text().replace('key_store = "file"\n', ""))
    result = ask("config", "set", "providers.cline.base_url", server.base_url, **bare)
    assert result.exit_code == 2
    assert "the saved key of cline is for https://api.cline.bot" in result.stderr
    assert KEY not in result.stderr
    assert "base_url" not in file.read_text()
    assert server.requests == []


def test_an_editor_at_a_terminal_gets_the_terminal_and_ctrl_c(private_home: Path, tmp_path: Path) -> None:
    script = write(
        tmp_path / "editor.py",
        "import sys, signal\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "assert all(open(number, closefd=False).isatty() for number in (0, 1, 2))\n"
        "open(sys.argv[1], 'w').write('max_turns = 6\\n')\n",
    )
    terminal, child_side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cline_cli", "config", "edit"],
        stdin=child_side,
        stdout=child_side,
        stderr=child_side,
        env={**os.environ, "EDITOR": f"{sys.executable} {script}"},
        start_new_session=True,
    )
    os.close(child_side)
    try:
        assert process.wait(50) == 0
        shown = os.read(terminal, 65536).decode()
    finally:
        process.kill()
        os.close(terminal)
    assert shown == f"The settings are in {settings_of(private_home)}.\r\n"
    assert settings_of(private_home).read_text() == "max_turns = 6\n"
