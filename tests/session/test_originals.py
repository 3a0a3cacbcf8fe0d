from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cline_cli.agent.events import MessageFinished, RunFinished, RunStarted
from cline_cli.agent.messages import AssistantMessage, TextPart, ToolResult, Usage, user_text
from cline_cli.errors import UsageError
from cline_cli.session.reading import list_rows, read_transcript
from cline_cli.session.store import find_newest, resume
from tests.agent.test_repair import is_sound
from tests.fakes import reply

ID = "1754000000000_ab3xy"
MORE = user_text("and more")
DONE = reply("done")
MESSAGES: list[dict[str, object]] = [
    {"id": "m1", "role": "user", "content": [{"type": "text", "text": "list the files"}], "ts": 1754000000100},
    {
        "id": "m2",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig", "details": [1]},
            {"type": "tool_use", "id": "t1", "name": "run_commands", "input": {"commands": ["ls"]}},
            {"type": "tool_use", "id": "t2", "name": "run_commands", "input": {"commands": ["pwd"]}},
        ],
        "ts": 1754000000200,
        "modelInfo": {"id": "vendor/model", "provider": "cline", "family": "vendor"},
        "metrics": {"inputTokens": 100, "outputTokens": 9, "cacheReadTokens": 0, "cacheWriteTokens": 0, "cost": 0.25},
    },
    {
        "id": "m3",
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "name": "run_commands", "content": "a.py"}],
        "ts": 1754000000300,
        "unknown": {"kept": True},
    },
]


def make_original(sessions: Path, session_id: str = ID, *, status: str = "completed", pid: int = 1) -> Path:
    """Write what the original command leaves of a session, laid out as it does."""
    path = sessions / session_id
    path.mkdir(parents=True)
    row = {
        "version": 1, "session_id": session_id, "source": "cli", "pid": pid,
        "started_at": "2026-11-02T10:00:00.000Z", "status": status, "interactive": True,
        "provider": "cline", "model": "vendor/model", "cwd": "/theirs", "workspace_root": "/theirs",
        "enable_tools": True, "enable_spawn": True, "enable_teams": True, "prompt": "list the files",
        "metadata": {"title": "Files", "totalCost": 0.25, "usage": {"inputTokens": 100}, "checkpoint": {"latest": 1}},
        "messages_path": str(path / f"{session_id}.messages.json"),
    }  # fmt: skip
    document = {
        "version": 1, "updated_at": "2026-11-02T10:00:01.000Z", "agent": "lead", "sessionId": session_id,
        "origin": {"source": "cli", "mode": "user", "sessionId": session_id, "version": "3.0.65"},
        "messages": MESSAGES, "system_prompt": "Theirs.",
    }  # fmt: skip
    (path / f"{session_id}.json").write_text(json.dumps(row, indent=2))
    (path / f"{session_id}.messages.json").write_text(json.dumps(document, indent=2))
    return path


@contextmanager
def process_named(name: str) -> Iterator[int]:
    """Yield the number of a process that looks like that program."""
    with subprocess.Popen([name, "60"], executable=shutil.which("sleep")) as process:
        try:
            for _ in range(1000):  # until the kernel has put its name there
                if name.encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                    break
                time.sleep(0.005)
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def contents_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def go_on(sessions: Path) -> None:
    session = resume(sessions, ID)
    session.introduce("cline", "m", "Ours.")
    history = [*session.messages, MORE]
    session.record(RunStarted("m"), history)
    history.append(DONE)
    session.record(MessageFinished(DONE), history)
    session.record(RunFinished("done", Usage(7, 3, cost_usd=0.25), 1, 0, 1.0, None), history)
    session.close()


def test_what_was_said_is_read_when_the_original_wrote_it(sessions: Path) -> None:
    path = make_original(sessions)
    before = contents_of(path)
    session = resume(sessions, ID)
    assert is_sound(list(session.messages))
    said = session.messages
    assert said[0] == user_text("list the files")
    assert isinstance(said[1], AssistantMessage)
    assert [call.arguments for call in said[1].tool_calls] == ['{"commands":["ls"]}', '{"commands":["pwd"]}']
    assert said[2] == ToolResult("t1", (TextPart("a.py"),))
    assert isinstance(said[3], ToolResult)
    assert (said[3].call_id, said[3].is_error) == ("t2", True)  # it broke off in the middle of a reply's calls
    assert (session.header.provider, session.header.model, session.header.cwd) == ("cline", "vendor/model", "/theirs")
    session.close()
    assert contents_of(path) == before


def test_it_goes_on_in_both_formats_when_something_is_said(sessions: Path) -> None:
    path = make_original(sessions)
    go_on(sessions)
    document = json.loads((path / f"{ID}.messages.json").read_bytes())
    assert document["messages"][:3] == MESSAGES
    assert [entry["role"] for entry in document["messages"][3:]] == ["user", "user", "assistant"]
    assert document["system_prompt"] == "Theirs."
    assert document["origin"]["version"] == "3.0.65"
    row = json.loads((path / f"{ID}.json").read_bytes())
    assert (row["status"], row["workspace_root"], row["metadata"]["title"]) == ("completed", "/theirs", "Files")
    assert row["metadata"]["checkpoint"] == {"latest": 1}
    assert row["metadata"]["usage"]["inputTokens"] == 107
    assert row["metadata"]["totalCost"] == 0.5
    again = resume(sessions, ID)
    assert again.messages[-2:] == (MORE, DONE)
    assert is_sound(list(again.messages))
    again.close()


def test_their_entries_stay_when_it_goes_on_a_second_time(sessions: Path) -> None:
    path = make_original(sessions)
    go_on(sessions)
    inode = (path / f"{ID}.messages.json").stat().st_ino
    go_on(sessions)
    document = json.loads((path / f"{ID}.messages.json").read_bytes())
    assert document["messages"][:3] == MESSAGES
    assert [entry["role"] for entry in document["messages"][3:]] == ["user", *["user", "assistant"] * 2]
    assert (path / f"{ID}.messages.json").stat().st_ino == inode


def test_the_times_stay_when_it_goes_on(sessions: Path) -> None:
    make_original(sessions)
    go_on(sessions)
    times = [entry.time_ms for entry in read_transcript(sessions, ID).entries]
    assert times[:4] == [1754000000100, 1754000000200, 1754000000300, 1754000000300]


def test_all_of_it_is_there_when_the_run_that_took_it_over_was_killed(sessions: Path) -> None:
    path = make_original(sessions)
    session = resume(sessions, ID)
    records = (path / f"{ID}.jsonl").read_bytes()
    said = session.messages
    session.close()
    (path / f"{ID}.jsonl").write_bytes(records)  # as if it had never come to close it
    again = resume(sessions, ID)
    assert again.messages == said
    again.record(RunStarted("m"), [*said, MORE])
    assert again.take_notices() == ()
    again.close()
    document = json.loads((path / f"{ID}.messages.json").read_bytes())
    assert document["messages"][:3] == MESSAGES
    assert (document["system_prompt"], len(document["messages"])) == ("Theirs.", 5)
    assert document["messages"][3]["content"][0]["tool_use_id"] == "t2"


@pytest.mark.parametrize("room_bytes", [0, 700, 1250])
def test_all_of_it_stays_when_the_disk_is_full(sessions: Path, room_bytes: int) -> None:
    path = make_original(sessions)
    before = contents_of(path)
    script = f"""
import resource, signal, sys
from pathlib import Path
from cline_cli.agent.events import RunStarted
from cline_cli.agent.messages import user_text
from cline_cli.session.store import resume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room_bytes}, {room_bytes}))
session = resume(Path(sys.argv[1]), {ID!r})
session.record(RunStarted("m"), [*session.messages, user_text("and more")])
print(len(session.messages), session.failure)
session.close()
"""
    done = subprocess.run([sys.executable, "-c", script, str(sessions)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("4 nothing more is saved of this run: File too large")
    assert contents_of(path) == before
    go_on(sessions)
    assert len(resume(sessions, ID).messages) == 6


def test_what_another_program_added_is_put_aside_when_ours_is_gone_on_with(sessions: Path) -> None:
    path = make_original(sessions)
    go_on(sessions)
    document = json.loads((path / f"{ID}.messages.json").read_bytes())
    theirs = json.dumps({**document, "messages": [*MESSAGES, MESSAGES[0]]}, indent=2).replace('"adopted"', '"other"')
    (path / f"{ID}.messages.json").write_text(theirs)
    go_on(sessions)
    [aside] = path.glob(f"{ID}.messages.*.json")
    assert aside.read_text() == theirs
    assert len(json.loads((path / f"{ID}.messages.json").read_bytes())["messages"]) == 7


def test_calls_are_told_apart_when_their_ids_come_again(sessions: Path) -> None:
    path = make_original(sessions)
    turn = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_0", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_0", "content": "seen"}]},
    ]
    (path / f"{ID}.messages.json").write_text(json.dumps({"messages": [MESSAGES[0], *turn, *turn, *turn]}))
    session = resume(sessions, ID)
    results = [message for message in session.messages if isinstance(message, ToolResult)]
    assert [(result.call_id, result.text) for result in results] == [
        ("call_0", "seen"),
        ("call_0_2", "seen"),
        ("call_0_3", "seen"),
    ]
    session.close()
    go_on(sessions)
    assert json.loads((path / f"{ID}.messages.json").read_bytes())["messages"][1:7] == turn * 3


def test_a_message_that_no_record_holds_is_told_when_it_would_be_lost(sessions: Path) -> None:
    path = make_original(sessions)
    huge = {"role": "user", "content": "x" * (65 << 20)}
    (path / f"{ID}.messages.json").write_text(json.dumps({"messages": [huge]}))
    with pytest.raises(UsageError, match="larger than 64 MB"):
        resume(sessions, ID)
    assert sorted(contents_of(path)) == [f"{ID}.json", f"{ID}.messages.json"]


def test_a_second_run_is_refused_when_one_has_it(sessions: Path) -> None:
    make_original(sessions)
    session = resume(sessions, ID)
    with pytest.raises(UsageError, match="in use"):
        resume(sessions, ID)
    session.close()
    resume(sessions, ID).close()


def test_it_is_refused_when_a_process_of_the_original_has_it(sessions: Path) -> None:
    with process_named("cline") as pid:
        make_original(sessions, status="running", pid=pid)
        with pytest.raises(UsageError, match=f"in use by process {pid}"):
            resume(sessions, ID)


def test_it_is_taken_when_another_program_has_the_number_of_its_process(sessions: Path) -> None:
    with process_named("other") as pid:
        make_original(sessions, status="running", pid=pid)
        resume(sessions, ID).close()


def test_it_is_taken_when_that_process_is_gone(sessions: Path) -> None:
    make_original(sessions, status="running", pid=2**22 + 1)
    resume(sessions, ID).close()
    [row] = list_rows(sessions)
    assert row.status == "failed"


def test_a_list_shows_it_with_ours_when_it_lies_among_them(sessions: Path) -> None:
    make_original(sessions)
    [row] = list_rows(sessions)
    assert (row.title, row.status, row.is_original) == ("Files", "completed", True)
    assert (row.usage.input_tokens, row.usage.cost_usd) == (100, 0.25)
    assert find_newest(sessions, Path("/theirs")) == ID
    transcript = read_transcript(sessions, ID)
    assert len(transcript.entries) == 4
    go_on(sessions)
    [row] = list_rows(sessions)
    assert not row.is_original


def test_it_is_read_when_only_the_messages_are_there(sessions: Path) -> None:
    path = make_original(sessions)
    (path / f"{ID}.json").unlink()
    [row] = list_rows(sessions)
    assert (row.title, row.model, row.status) == ("list the files", "vendor/model", "completed")
    assert row.started_at == "2025-07-31T22:13:20.100Z"
    go_on(sessions)


def test_it_is_read_and_nothing_saved_when_the_folder_is_read_only(sessions: Path) -> None:
    path = make_original(sessions)
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    path.chmod(0o500)
    session = resume(sessions, ID)
    session.record(RunStarted("m"), [*session.messages, MORE])
    assert "nothing more is saved" in session.failure
    session.close()
    path.chmod(0o700)
    assert sorted(contents_of(path)) == [f"{ID}.json", f"{ID}.messages.json"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "Expecting value"),
        (b'{"version": "\xff"}', "decode"),
        (b'{"version": 1}', "no list of messages"),
        (b'{"version": 2, "messages": []}', "newer version"),
        (b"[" * 200_000, "recursion"),
        (b'{"messages": [{"role": "tool", "content": ""}]}', "message 1 has no role"),
    ],
)
def test_it_is_said_and_nothing_is_changed_when_their_file_cannot_be_used(
    sessions: Path, content: bytes, fault: str
) -> None:
    path = make_original(sessions)
    (path / f"{ID}.messages.json").write_bytes(content)
    before = contents_of(path)
    with pytest.raises(UsageError, match=fault):
        resume(sessions, ID)
    assert contents_of(path) == before


def test_nothing_of_theirs_is_followed_when_it_is_a_link(sessions: Path, tmp_path: Path) -> None:
    path = make_original(sessions)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(path / f"{ID}.messages.json", elsewhere)
    (path / f"{ID}.messages.json").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="symbolic link"):
        resume(sessions, ID)
