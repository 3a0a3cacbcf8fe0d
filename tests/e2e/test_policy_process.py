"""Rules in force: the whole command, with a model that wants more than it may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import RunCline
from tests.e2e.conftest import Serve
from tests.fake_server import Turn, calls, text


def run(*commands: str) -> Turn:
    return calls(("run_commands", {"commands": list(commands)}))


def edit(path: str) -> Turn:
    return calls(("editor", {"path": path, "new_text": "x\n"}))


@pytest.mark.parametrize(
    ("argv", "variables", "turn", "exit_code", "is_done"),
    [
        ((), {}, run("ls > /dev/null; cat a 2>/dev/null; pwd"), 0, True),
        ((), {}, run("touch made"), 5, False),
        (("--allow", "touch *"), {}, run("touch made"), 0, True),
        (("--allow", "touch *"), {}, run("touch made; rm made"), 5, False),
        (("--allow", "touch *"), {}, run("echo x > made"), 5, False),
        (("--allow", "echo *", "--allow", "edit:made"), {}, run("echo x > made"), 0, True),
        (("--allow", "edit:*.txt"), {}, edit("made.txt"), 0, True),
        (("--allow", "edit:*.txt"), {}, edit("made.py"), 5, False),
        (("-y",), {}, run("touch made"), 0, True),
        (("-y", "--deny", "touch *"), {}, run("true && env touch made"), 5, False),
        (("-y", "--deny", "touch *"), {}, run('t=touch; "$t" made'), 5, False),
        (("-y", "--allow", "ls *"), {}, run("touch made"), 5, False),
        (("-y", "--deny", "edit"), {}, edit("made"), 5, False),
        (("-y", "--deny", "edit:made"), {}, run("echo x > made"), 5, False),
        (("-y",), {"CLINE_COMMAND_PERMISSIONS": '{"allow": ["touch *"]}'}, run("touch made"), 0, True),
        (("-y",), {"CLINE_COMMAND_PERMISSIONS": '{"allow": ["echo *"]}'}, run("echo x > made"), 5, False),
        (
            ("-y",),
            {"CLINE_COMMAND_PERMISSIONS": '{"allow": ["echo *"], "allowRedirects": true}'},
            run("echo x > made"),
            0,
            True,
        ),
        (("-y",), {"CLINE_COMMAND_PERMISSIONS": '{"deny": ["touch *"]}'}, run("touch made"), 5, False),
        (("-y",), {"CLINE_COMMAND_PERMISSIONS": '{"deny": ["touch *"]}'}, edit("made"), 0, True),
        (("-y",), {"CLINE_DENY": "touch *"}, run("touch made"), 5, False),
        (("-p", "-y"), {}, run("touch made"), 5, False),
        (("-p",), {}, run("ls; git --version >/dev/null 2>&1 || true"), 5, False),
        (("-p",), {}, run("ls | head -3"), 0, True),
    ],
)
def test_what_may_run_runs_and_nothing_else(
    serve: Serve, argv: tuple[str, ...], variables: dict[str, str], turn: Turn, exit_code: int, is_done: bool
) -> None:
    server, ask = serve(turn, text("So."))
    result = ask(*argv, "go", **variables)
    assert (result.exit_code, result.text) == (exit_code, "So.\n")
    made = any(Path(name).exists() for name in ("made", "made.txt", "made.py"))
    changes = "made" in str(turn)
    assert made is (is_done and changes)
    (told,) = server.requests[1].results.values()
    assert ("Denied" in told) is not is_done
    assert ("denied" in result.stderr) is not is_done


def test_a_denial_names_what_would_let_it_pass(serve: Serve) -> None:
    _, ask = serve(run("npm test -- -u"), text("So."))
    result = ask("go")
    assert "--allow 'npm test *' or -y lets it run" in result.stderr


def test_the_settings_hold_rules_with_examples(serve: Serve, private_home: Path) -> None:
    folder = private_home / ".config" / "cline"
    folder.mkdir(parents=True)
    settings = folder / "settings.toml"
    settings.write_text('[policy]\ndeny = [{ pattern = "touch *", match = ["env touch x"], not_match = ["ls"] }]\n')
    _, ask = serve(run("touch made"), text("So."))
    result = ask("-y", "go")
    assert result.exit_code == 5
    assert "the policy: touch made is denied (touch *)" in result.stderr
    settings.write_text('[policy]\ndeny = [{ pattern = "touch *", match = ["ls"] }]\n')
    _, ask = serve()
    result = ask("-y", "go")
    assert result.exit_code == 2
    assert "does not match its example 'ls'" in result.stderr


def test_tools_that_could_never_run_are_not_offered(serve: Serve) -> None:
    def offered(*argv: str) -> set[str]:
        server, ask = serve(text("ok"))
        assert ask(*argv, "go").exit_code == 0
        tools = server.requests[0].body["tools"]
        assert isinstance(tools, list)
        return {tool["function"]["name"] for tool in tools}

    reading = {"read_files", "search_codebase", "list_files", "run_commands"}
    assert offered() == offered("-p") == reading
    assert offered("-y") == reading | {"editor", "fetch_web_content"}
    assert offered("-y", "-m", "openai/gpt-5.2") == reading | {"apply_patch", "fetch_web_content"}
    assert offered("--allow", "edit:docs/**") == reading | {"editor"}
    assert offered("-y", "--deny", "edit", "--deny", "fetch") == reading


@pytest.mark.parametrize("argv", [("-y",), ("-y", "-m", "openai/gpt-5.2")])
def test_a_first_request_is_small(serve: Serve, argv: tuple[str, ...]) -> None:
    server, ask = serve(text("ok"))
    ask(*argv, "go")
    assert len(json.dumps(server.requests[0].body)) < 7_000


@pytest.mark.parametrize(
    ("argv", "exit_code", "told"),
    [
        (("check", "--", "git", "status"), 0, "it only reads the workspace"),
        (("check", "-y", "--", "make && rm x"), 0, "it runs rm x"),
        (("check", "-y", "--deny", "rm *", "--", "make && sudo rm x"), 5, "--allow and --deny: denied: rm x is denied"),
        (("check", "--", "$X y"), 5, "it cannot be read: the name of a program is only known when it runs"),
        (("check", "--allow", "make *", "--", "make", "all"), 0, "allowed: every part of it is allowed (make *)"),
        (("check", "-p", "--", "make"), 5, "plan mode"),
        (("show",), 0, "no rules"),
        (("show", "--deny", "rm *"), 0, "deny   rm *"),
        ((), 0, "no rules"),
        (("check",), 2, ""),
        (("sing",), 2, ""),
    ],
)
def test_a_verdict_is_explained(cline: RunCline, argv: tuple[str, ...], exit_code: int, told: str) -> None:
    result = cline("policy", *argv)
    assert result.exit_code == exit_code
    assert told in result.text


def test_a_verdict_is_told_to_programs(cline: RunCline) -> None:
    result = cline("policy", "check", "--json", "-y", "--deny", "rm *", "--", "rm x")
    assert json.loads(result.text) == {
        "command": "rm x",
        "verdict": "deny",
        "reason": "--allow and --deny: rm x is denied (rm *)",
    }
    (rules,) = json.loads(cline("policy", "show", "--json", "--deny", "rm *").text)
    assert rules["deny"] == ["rm *"]
