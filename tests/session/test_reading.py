from __future__ import annotations

import json
import os
import shutil
from itertools import islice
from pathlib import Path

import pytest

from cline_cli.agent.events import MessageFinished, RunFinished, RunStarted
from cline_cli.agent.messages import Message, TextPart, ToolCall, ToolResult, Usage, user_text
from cline_cli.errors import UsageError
from cline_cli.session.reading import Entry, Row, find_rows, list_rows, read_transcript
from cline_cli.session.store import Header, create, find_newest, resume
from tests.fakes import reply
from tests.session.test_originals import make_original

HEADER = Header("1754000000000_ab3xy", "2026-11-02T10:00:00+00:00", "/work", "cline", "vendor/model", "plan")
GO = user_text("go")
DONE = reply("done")
END = RunFinished("done", Usage(20, 10, cost_usd=0.5), 1, 0, 1.0, None)


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def make(sessions: Path, session_id: str, *messages: Message, cwd: str = "/work", is_ended: bool = True) -> Path:
    session = create(sessions, HEADER._replace(session_id=session_id, cwd=cwd))
    history = list(messages or (GO, DONE))
    session.record(RunStarted("m"), history[:1])
    for position, message in enumerate(history[1:], start=2):
        session.record(MessageFinished(DONE), history[:position])
        del message
    if is_ended:
        session.record(END, history)
    session.close()
    return sessions / session_id


def names_of(sessions: Path) -> list[str]:
    return [row.session_id for row in list_rows(sessions)]


def row_of(sessions: Path) -> Row:
    [row] = list_rows(sessions)
    return row


def test_a_row_tells_what_was_recorded_when_it_is_read(sessions: Path) -> None:
    make(sessions, "1754000000000_ab3xy", user_text("go\nand look"), DONE)
    row = row_of(sessions)
    assert (row.title, row.prompt) == ("go and look", "go\nand look")
    assert (row.status, row.exit_code, row.usage) == ("completed", 0, Usage(20, 10, cost_usd=0.5))
    assert (row.provider, row.model, row.cwd, row.mode) == ("cline", "vendor/model", "/work", "plan")
    assert row.started_at == "2026-11-02T10:00:00.000Z"
    assert row.updated_at == row.ended_at > row.started_at
    assert (row.pid, row.is_original) == (os.getpid(), False)


def test_the_newest_comes_first_when_there_are_several(sessions: Path) -> None:
    for session_id in ("1754000000002_b", "conv_x", "1754000000003_c", "1754000000001_a", "9_old"):
        make(sessions, session_id)
    os.utime(sessions / "conv_x" / "conv_x.jsonl", (1_754_000_000.0015, 1_754_000_000.0015))
    assert names_of(sessions) == ["1754000000003_c", "1754000000002_b", "conv_x", "1754000000001_a", "9_old"]


def test_one_that_was_gone_on_with_comes_first_when_others_began_later(sessions: Path) -> None:
    for session_id in ("1754000000001_a", "1754000000002_b"):
        make(sessions, session_id)
    session = resume(sessions, "1754000000001_a")
    session.record(RunStarted("m"), [*session.messages, GO])
    session.close()
    assert names_of(sessions) == ["1754000000001_a", "1754000000002_b"]
    assert find_newest(sessions, Path("/work")) == "1754000000001_a"


def test_it_stays_where_it_was_when_it_was_only_looked_at(sessions: Path) -> None:
    for session_id in ("1754000000001_a", "1754000000002_b"):
        make(sessions, session_id)
    resume(sessions, "1754000000001_a").close()
    read_transcript(sessions, "1754000000001_a")
    assert names_of(sessions) == ["1754000000002_b", "1754000000001_a"]


@pytest.mark.parametrize("uses", [b"\xff\xfe garbage\n\n7", b"9" * 300 + b" 1754000000001_a\n", b"x" * 200_000])
def test_the_order_is_that_of_the_ids_when_the_notes_are_garbage(sessions: Path, uses: bytes) -> None:
    for session_id in ("1754000000001_a", "1754000000002_b"):
        make(sessions, session_id)
    sessions.with_name("sessions.uses").write_bytes(uses)
    assert names_of(sessions) == ["1754000000002_b", "1754000000001_a"]


def test_only_what_is_shown_is_opened_when_there_are_many(sessions: Path) -> None:
    for number in range(30):
        make(sessions, f"{1754000000000 + number}_a")
    for row in islice(list_rows(sessions), 5):
        shutil.rmtree(row.folder)
    for path in sorted(sessions.iterdir())[:20]:
        shutil.rmtree(path)
        path.symlink_to("/nowhere")
    assert len(names_of(sessions)) == 5


def test_it_has_failed_when_its_process_is_gone(sessions: Path) -> None:
    make(sessions, "1754000000000_ab3xy", is_ended=False)
    row = row_of(sessions)
    assert (row.status, row.exit_code, row.ended_at) == ("failed", None, "")


def test_it_is_running_when_a_process_has_it(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO])
    assert row_of(sessions).status == "running"
    assert read_transcript(sessions, HEADER.session_id).row.status == "running"
    session.close()
    assert row_of(sessions).status == "failed"


def test_it_is_running_when_the_process_that_has_it_is_in_another_container(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO])
    file = sessions / HEADER.session_id / f"{HEADER.session_id}.json"
    file.write_bytes(file.read_bytes().replace(b'"pid":%d' % os.getpid(), b'"pid":4194304'))
    assert row_of(sessions).status == "running"
    session.close()


def test_the_model_is_the_last_ones_when_a_run_asked_another(sessions: Path) -> None:
    make(sessions, "1754000000000_ab3xy")
    session = resume(sessions, "1754000000000_ab3xy")
    session.introduce("openrouter", "vendor/new", "")
    session.record(RunStarted("vendor/new"), [*session.messages, GO])
    session.close()
    for _ in range(2):
        assert (row_of(sessions).provider, row_of(sessions).model) == ("openrouter", "vendor/new")
        (sessions / "1754000000000_ab3xy" / "1754000000000_ab3xy.json").unlink(missing_ok=True)
    header = resume(sessions, "1754000000000_ab3xy").header
    assert (header.provider, header.model) == ("openrouter", "vendor/new")


@pytest.mark.parametrize("used_s", [-(10**11), 10**12])
def test_one_odd_time_is_no_reason_to_show_nothing_when_others_are_listed(sessions: Path, used_s: int) -> None:
    make(sessions, "2_b")
    path = make_original(sessions, "1_a")
    (path / "1_a.json").unlink()
    document = path / "1_a.messages.json"
    document.write_text(document.read_text().replace("1754000000100", str(10**18)))
    os.utime(document, (used_s, used_s))
    assert set(names_of(sessions)) == {"1_a", "2_b"}


def test_looking_takes_nothing_from_a_run_when_it_wants_the_session(sessions: Path) -> None:
    make(sessions, "1754000000000_ab3xy", is_ended=False)
    rows = list(list_rows(sessions))
    session = resume(sessions, "1754000000000_ab3xy")
    assert len(rows) == 1
    session.close()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"status": 7}', b"[" * 100_000, b"\0" * 300])
def test_the_row_is_made_from_the_records_when_its_file_cannot_be_used(sessions: Path, content: bytes | None) -> None:
    path = make(sessions, "1754000000000_ab3xy")
    before = row_of(sessions)
    (path / f"{path.name}.json").unlink()
    if content is not None:
        (path / f"{path.name}.json").write_bytes(content)
    after = row_of(sessions)
    assert (after.title, after.status, after.usage) == (before.title, before.status, before.usage)
    assert (after.cwd, after.exit_code, after.ended_at) == (before.cwd, before.exit_code, before.ended_at)


def test_what_is_no_session_is_passed_over_when_it_lies_there(sessions: Path, tmp_path: Path) -> None:
    make(sessions, "1754000000000_ab3xy")
    (sessions / "empty").mkdir()
    (sessions / "file").write_text("x")
    (sessions / "link").symlink_to(sessions / "1754000000000_ab3xy")
    (sessions / "garbage").mkdir()
    (sessions / "garbage" / "garbage.jsonl").write_bytes(b"\xff\n")
    (sessions / "pipe").mkdir()
    os.mkfifo(sessions / "pipe" / "pipe.jsonl")
    create(sessions, HEADER._replace(session_id="1754000000009_open"))
    assert names_of(sessions) == ["1754000000000_ab3xy"]
    assert list(list_rows(tmp_path / "none")) == []


def test_the_words_are_found_when_they_stand_somewhere_in_the_talk(sessions: Path) -> None:
    call = reply("I read Makefile", ToolCall("a", "look", "{}"))
    make(
        sessions, "1_a", user_text("Fix the FLAKY test"), call, ToolResult("a", (TextPart("needle"),)), reply("Straße")
    )
    make(sessions, "2_b", user_text("flaky"), DONE)

    def find(*words: str) -> list[str]:
        return [row.session_id for row in find_rows(sessions, words)]

    assert find("flaky") == ["2_b", "1_a"]
    assert find("makefile", "flaky") == ["1_a"]
    assert find("STRASSE") == ["1_a"]
    assert find("needle") == []  # what tools printed is not what was said
    assert find("nowhere") == []


def test_one_that_is_damaged_is_still_found_by_its_title(sessions: Path) -> None:
    path = make(sessions, "1_a", user_text("Fix it"), DONE)
    (path / "1_a.jsonl").write_bytes(b"garbage\ngarbage\n")
    assert [row.session_id for row in find_rows(sessions, ["fix"])] == ["1_a"]
    assert list(find_rows(sessions, ["done"])) == []


def test_a_transcript_has_each_message_with_its_time_when_it_is_read(sessions: Path) -> None:
    make(sessions, "1_a", GO, DONE)
    transcript = read_transcript(sessions, "1_a")
    assert [entry.message for entry in transcript.entries] == [GO, DONE]
    assert all(entry.time_ms for entry in transcript.entries)
    assert transcript.row.session_id == "1_a"


@pytest.mark.parametrize("session_id", ["../x", "", "a b", "none"])
def test_it_is_said_when_there_is_no_such_session(sessions: Path, session_id: str) -> None:
    make(sessions, "1_a")
    with pytest.raises(UsageError):
        read_transcript(sessions, session_id)


def test_it_is_said_when_a_newer_version_wrote_it(sessions: Path) -> None:
    path = make(sessions, "1_a")
    file = path / "1_a.jsonl"
    file.write_bytes(file.read_bytes() + b'{"type": "new", "version": 2, "ts": 1}\n')
    with pytest.raises(UsageError, match="newer version"):
        read_transcript(sessions, "1_a")
    assert names_of(sessions) == ["1_a"]


def test_the_tokens_of_a_run_that_broke_off_are_counted_when_another_one_followed(sessions: Path) -> None:
    make(sessions, "1_a", GO, DONE, is_ended=False)
    session = resume(sessions, "1_a")
    history = [*session.messages, GO]
    session.record(RunStarted("m"), history)
    session.record(RunFinished("", Usage(100), 1, 0, 1.0, None), history)
    session.close()
    (sessions / "1_a" / "1_a.json").unlink()
    assert row_of(sessions).usage.input_tokens == 110
    assert json.loads((sessions / "1_a" / "1_a.messages.json").read_bytes())["messages"][-1]["role"] == "user"


def test_times_stay_with_their_messages_when_the_history_is_mended(sessions: Path) -> None:
    calls = reply("", ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}"))
    make(sessions, "1_a", GO, calls, is_ended=False)
    entries = read_transcript(sessions, "1_a").entries
    assert [type(entry.message).__name__ for entry in entries] == [
        "UserMessage",
        "AssistantMessage",
        "ToolResult",
        "ToolResult",
    ]
    assert entries[2].time_ms == entries[3].time_ms == entries[1].time_ms
    assert isinstance(entries[0], Entry)
