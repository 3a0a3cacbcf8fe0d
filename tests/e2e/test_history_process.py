"""`cline history` as processes: what runs have left is found, read, taken along and taken away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import RunCline
from tests.e2e.conftest import Ask, Serve
from tests.e2e.test_terminal import COLUMNS, Person
from tests.fake_server import calls, text
from tests.test_startup import modules_of

HOSTILE = "\x1b]0;owned\x07\x1b[2Jlist \u202efiles </script><script>alert(1)</script>"
LIST = calls(("run_commands", {"commands": ["printf '\\033[31mred\\033[0m\\n'"]}))


@pytest.fixture
def ask(serve: Serve) -> Ask:
    """Return a `cline` whose runs call a tool that prints colours, and answer with them."""
    _, ask = serve(LIST, text("There is **one**: \x1b[31mred\x1b[0m."), repeat_last=True)
    return ask


def ids(cline: RunCline, *words: str) -> list[str]:
    return [row["sessionId"] for row in json.loads(cline("history", *words, "--json").text)]


def test_a_run_is_found_shown_exported_and_deleted(ask: Ask, cline: RunCline) -> None:
    assert ask("-y", HOSTILE).exit_code == 0
    assert ask("explain monads").exit_code == 0
    other, session_id = ids(cline)
    assert ids(cline, "monads", "list") == []
    assert ids(cline, "one", "list") == [session_id]
    shown = cline("history", "show", session_id)
    assert shown.exit_code == 0
    assert "> run_commands printf '" in shown.text
    assert "There is **one**: red." in shown.text
    page = cline("history", "export", session_id, "-o", "-").text
    assert "<strong>one</strong>: red." in page
    assert "<script" not in page
    for result in (cline("history"), cline("h", "show", session_id, "--full"), cline("history", "export", session_id)):
        assert b"\x1b" not in result.stdout
        assert result.stderr == ""
    assert Path(f"{session_id}.html").read_text("utf-8") == page
    assert cline("history", "delete", session_id).text == f"Deleted session {session_id}\n"
    assert ids(cline) == [other]


def test_the_short_name_and_options_before_it_mean_the_same(ask: Ask, cline: RunCline) -> None:
    ask("hi there")
    expected = cline("history", "--json").stdout
    assert json.loads(expected)[0]["metadata"]["title"] == "hi there"
    assert cline("h", "--json").stdout == expected
    assert cline("--json", "h").stdout == expected
    assert cline("--json", "-c", "/", "history", "-n", "5").stdout == expected


def test_a_session_can_be_gone_on_with_by_the_id_that_is_listed(ask: Ask, cline: RunCline) -> None:
    ask("-y", "list it")
    (session_id,) = ids(cline)
    assert ask("--id", session_id, "once more").exit_code == 0
    document = json.loads(cline("history", "show", "last", "--json").text)
    assert document["session"]["sessionId"] == session_id
    assert len([message for message in document["messages"] if message["role"] == "assistant"]) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show",), "`cline history show` takes the ID of one session"),
        (("show", "nothing"), "there is no session nothing"),
        (("show", "../x"), "'../x' is not the id of a session"),
        (("show", "last"), "there is no session of "),
        (("delete", "nothing"), "there is no session nothing"),
        (("update", "--session-id", "nothing", "--title", "x"), "there is no session nothing"),
        (("export", "nothing"), "there is no session nothing"),
        (("--limit", "x"), "Invalid value for '--limit'"),
        (("--page", "0"), "Invalid value for '--page'"),
        (("--no-such-option",), "--no-such-option"),
        (("prune", "--max-bytes", "much"), "--max-bytes 'much' is no size"),
        (("show", "\x1b[2Jx"), "is not the id of a session"),
    ],
)
def test_one_clear_line_is_told_when_it_cannot_be(cline: RunCline, words: tuple[str, ...], told: str) -> None:
    result = cline("history", *words)
    assert (result.exit_code, result.stdout) == (2, b"")
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("cline: ")
    assert told in result.stderr
    assert "\x1b" not in result.stderr


def test_it_dies_as_of_sigpipe_when_nobody_reads(ask: Ask) -> None:
    ask("hi there")
    for words in ((), ("--json",), ("show", "last"), ("export", "last", "-o", "-")):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "cline_cli", "history", *words]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
        os.close(writer)
        assert (done.returncode, done.stderr) == (-13, b"")


def test_it_is_told_when_stdout_is_closed(cline: RunCline) -> None:
    command = ["/bin/sh", "-c", '"$0" -m cline_cli history >&-', sys.executable]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"cline: cannot write to standard output: ")


def test_there_is_no_history_without_a_home(cline: RunCline) -> None:
    result = cline("history", HOME=None, XDG_STATE_HOME=None)
    assert (result.exit_code, result.text, result.stderr) == (0, "No history found.\n", "")


def test_a_folder_that_cannot_be_read_is_told(cline: RunCline, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "sessions").write_text("not a folder")
    result = cline("history", "--data-dir", str(tmp_path / "state"))
    assert (result.exit_code, result.stdout) == (2, b"")
    assert "cannot read " in result.stderr


def test_a_list_imports_only_what_it_needs(ask: Ask, tmp_path: Path) -> None:
    ask("hi there")
    unwanted = {"rich", "asyncio", "httpx", "markdown_it", "keyring", "tomlkit", "pygments"}
    assert not modules_of(tmp_path, "history") & unwanted
    assert not modules_of(tmp_path, "history", "show", "last") & unwanted
    assert "markdown_it" in modules_of(tmp_path, "history", "export", "last")


def test_a_terminal_shows_a_table_with_whole_ids(ask: Ask, cline: RunCline) -> None:
    ask("-y", HOSTILE)
    ask("日本語の題名はとても長いので切り取られる " * 4)
    other, session_id = ids(cline)
    person = Person(("history",), {}, None)
    try:
        assert person.wait() == 0
        head, first, second, *_ = person.screen
        assert head.split() == ["Age", "Model", "Cost", "Title", "ID"]
        assert first.endswith(other)
        assert second.endswith(session_id)
        assert max(map(len, person.screen)) <= COLUMNS
        assert b"\x1b]" not in person.seen
        assert b"\x1b[2J" not in person.seen
    finally:
        person.close()
