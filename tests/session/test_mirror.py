from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cline_cli.agent.events import Compacted, IterationStarted, MessageFinished, RunFinished, RunStarted
from cline_cli.agent.messages import Message, TextPart, ToolCall, ToolResult, Usage, user_text
from cline_cli.errors import InterruptedRunError, ServerError
from cline_cli.session.store import Header, Session, create, resume
from tests.fakes import reply

ID = "1754000000000_ab3xy"
HEADER = Header(ID, "2026-11-02T10:00:00+00:00", "/work", "cline", "vendor/model", "act")
GO = user_text("go\nand look")
CALL = reply("I look.", ToolCall("a", "look", "{}"))
SEEN = ToolResult("a", (TextPart("seen"),))
DONE = reply("done")
END = RunFinished("done", Usage(20, 10, cost_usd=0.5), 2, 1, 1.0, None)


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def messages_file(sessions: Path) -> Path:
    return sessions / ID / f"{ID}.messages.json"


def row_file(sessions: Path) -> Path:
    return sessions / ID / f"{ID}.json"


def document_of(sessions: Path) -> dict[str, object]:
    value = json.loads(messages_file(sessions).read_bytes())
    assert isinstance(value, dict)
    return value


def entries_of(sessions: Path) -> list[dict[str, object]]:
    entries = document_of(sessions)["messages"]
    assert isinstance(entries, list)
    return entries


def roles_of(sessions: Path) -> list[tuple[object, object]]:
    return [(entry["role"], entry["content"][0]["type"]) for entry in entries_of(sessions)]  # type: ignore[index]


def row_of(sessions: Path) -> dict[str, object]:
    value = json.loads(row_file(sessions).read_bytes())
    assert isinstance(value, dict)
    return value


def ticking() -> Callable[[], float]:
    """Seconds since the epoch, one more at every look."""
    seconds: Iterator[int] = iter(range(1_754_000_000, 1_755_000_000))
    return lambda: float(next(seconds))


def work(session: Session, history: list[Message]) -> None:
    """Let a session record one whole run that goes on from a history."""
    history.append(GO)
    session.record(RunStarted("m"), history)
    for reply_, results in ((CALL, [SEEN]), (DONE, [])):
        history.append(reply_)
        session.record(MessageFinished(reply_), history)
        history += results
        session.record(IterationStarted(2, has_tools=True), history)
    session.record(END, history)


def run(sessions: Path) -> list[Message]:
    session = create(sessions, HEADER, clock=ticking())
    session.introduce("cline", "vendor/model", "You work.")
    history: list[Message] = []
    work(session, history)
    session.close()
    return history


def test_a_parser_of_the_originals_format_finds_everything_when_a_run_has_ended(sessions: Path) -> None:
    run(sessions)
    document = document_of(sessions)
    assert document["version"] == 1
    assert (document["agent"], document["sessionId"], document["system_prompt"]) == ("lead", ID, "You work.")
    assert document["origin"] == {"source": "cli", "mode": "user", "sessionId": ID, "version": "0.1.0"}
    assert list(document)[-1] == "messages"
    assert roles_of(sessions) == [
        ("user", "text"),
        ("assistant", "text"),
        ("user", "tool_result"),
        ("assistant", "text"),
    ]
    for entry in entries_of(sessions):
        assert ("metrics" in entry) == ("modelInfo" in entry) == (entry["role"] == "assistant")
        assert isinstance(entry["ts"], int)
    assert len({str(entry["id"]) for entry in entries_of(sessions)}) == 4


def test_the_file_is_whole_when_it_is_read_after_any_step(sessions: Path) -> None:
    session = create(sessions, HEADER, clock=ticking())
    history: list[Message] = [GO]
    counts = []
    times = []
    session.record(RunStarted("m"), history)
    for step in range(30):
        call = reply("", ToolCall(f"c{step}", "look", "{}"))
        history.append(call)
        session.record(MessageFinished(call), history)
        history.append(ToolResult(f"c{step}", (TextPart("é\u2028" * step),)))
        session.record(IterationStarted(step + 2, has_tools=True), history)
        counts.append(len(entries_of(sessions)))
        times.append(str(document_of(sessions)["updated_at"]))
        assert row_of(sessions)["status"] == "running"
    session.close()
    assert counts == list(range(3, 63, 2))
    assert times == sorted(set(times))


def test_nothing_before_the_new_is_written_again_when_a_step_is_added(sessions: Path) -> None:
    session = create(sessions, HEADER)
    history: list[Message] = [GO]
    session.record(RunStarted("m"), history)
    before, inode = messages_file(sessions).read_bytes(), messages_file(sessions).stat().st_ino
    history.append(DONE)
    session.record(MessageFinished(DONE), history)
    session.close()
    after = messages_file(sessions).read_bytes()
    head = before.index(b'"agent"')
    assert after[head:].startswith(before[head:].removesuffix(b"\n]}\n"))
    assert messages_file(sessions).stat().st_ino == inode


def test_the_row_tells_how_it_stands_when_a_run_goes_on_and_ends(sessions: Path) -> None:
    session = create(sessions, HEADER, clock=ticking())
    history: list[Message] = [GO]
    session.record(RunStarted("m"), history)
    row = row_of(sessions)
    assert (row["status"], row["pid"]) == ("running", os.getpid())
    assert "ended_at" not in row
    assert "exit_code" not in row
    history.append(DONE)
    session.record(MessageFinished(DONE), history)
    session.record(RunFinished("", Usage(3, 1), 1, 0, 1.0, ServerError("down")), history)
    session.close()
    row = row_of(sessions)
    assert (row["status"], row["exit_code"]) == ("failed", 75)
    assert str(row["ended_at"]).endswith("Z")
    assert row["started_at"] == "2026-11-02T10:00:00.000Z"
    assert row["prompt"] == "go\nand look"
    assert row["messages_path"] == str(messages_file(sessions))
    metadata = row["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["title"] == "go and look"
    assert metadata["usage"]["inputTokens"] == 3
    assert "totalCost" not in metadata  # it is not known


def test_a_run_that_was_stopped_is_cancelled_when_it_is_told(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO])
    session.record(RunFinished("", Usage(), 1, 0, 1.0, InterruptedRunError(15, "SIGTERM")), [GO])
    session.close()
    assert (row_of(sessions)["status"], row_of(sessions)["exit_code"]) == ("cancelled", 143)


def test_both_files_go_on_when_the_session_does(sessions: Path) -> None:
    run(sessions)
    before = messages_file(sessions).stat().st_ino
    session = resume(sessions, ID)
    session.introduce("openrouter", "m", "Another.")
    session.record(RunStarted("m"), [*session.messages, GO])
    assert not {"ended_at", "exit_code"} & set(row_of(sessions))
    session.close()
    session = resume(sessions, ID)
    session.introduce("openrouter", "m", "Another.")
    work(session, list(session.messages))
    session.close()
    once = [("user", "text"), ("assistant", "text"), ("user", "tool_result"), ("assistant", "text")]
    assert roles_of(sessions) == [*once, ("user", "text"), *once]
    assert messages_file(sessions).stat().st_ino == before
    assert entries_of(sessions)[6]["modelInfo"] == {"id": "m", "provider": "openrouter"}
    metadata = row_of(sessions)["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["usage"]["inputTokens"] == 40
    assert metadata["totalCost"] == 1.0


def test_what_a_crash_left_out_is_added_when_the_session_is_gone_on_with(sessions: Path) -> None:
    history = run(sessions)
    whole = messages_file(sessions).read_bytes()
    session = create(sessions, HEADER._replace(session_id="other"), clock=ticking())
    session.introduce("cline", "vendor/model", "You work.")
    session.record(RunStarted("m"), [GO])
    session.close()
    shorter = (sessions / "other" / "other.messages.json").read_bytes().replace(b"other", ID.encode())
    messages_file(sessions).write_bytes(shorter)
    inode = messages_file(sessions).stat().st_ino
    again = resume(sessions, ID)
    again.record(RunStarted("m"), [*history, GO])
    again.close()
    assert messages_file(sessions).stat().st_ino == inode
    assert entries_of(sessions)[:-1] == json.loads(whole)["messages"]


def test_nothing_stands_there_twice_when_the_last_entry_has_several_results(sessions: Path) -> None:
    both = reply("", ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}"))
    history: list[Message] = [GO, both, SEEN, ToolResult("b", (TextPart("seen"),))]
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), history)
    session.close()
    again = resume(sessions, ID)
    again.record(RunStarted("m"), [*history, GO])
    again.close()
    assert [len(entry["content"]) for entry in entries_of(sessions)] == [1, 2, 2, 1]  # type: ignore[arg-type]


def test_nothing_stands_there_twice_when_the_run_died_between_two_writes(sessions: Path) -> None:
    history = run(sessions)
    whole = messages_file(sessions).read_bytes()
    time = whole.index(b"2025")  # of the head, which is written after the entries
    messages_file(sessions).write_bytes(whole[:time] + b"2024" + whole[time + 4 :])
    session = resume(sessions, ID)
    session.record(RunStarted("m"), [*history, GO])
    session.close()
    assert entries_of(sessions)[:-1] == json.loads(whole)["messages"]


def test_a_copy_goes_on_under_its_own_name_when_a_session_was_copied(sessions: Path) -> None:
    run(sessions)
    shutil.copytree(sessions / ID, sessions / "copy")
    for file in list((sessions / "copy").iterdir()):
        file.rename(file.with_name(file.name.replace(ID, "copy")))
    session = resume(sessions, "copy")
    session.record(RunStarted("m"), [*session.messages, GO])
    session.close()
    copied = json.loads((sessions / "copy" / "copy.messages.json").read_bytes())
    assert [entry["id"] for entry in copied["messages"]] == [f"msg_copy_{number}" for number in (0, 1, 2, 3, 4)]


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 60, 500])
def test_it_is_made_anew_when_it_broke_off(sessions: Path, cut: int) -> None:
    history = run(sessions)
    whole = messages_file(sessions).read_bytes()
    messages_file(sessions).write_bytes(whole[:-cut])
    session = resume(sessions, ID)
    session.record(RunStarted("m"), [*history, GO])
    assert session.take_notices() == ()
    session.close()
    assert [entry["role"] for entry in entries_of(sessions)] == ["user", "assistant", "user", "assistant", "user"]
    assert entries_of(sessions)[:-1] == json.loads(whole)["messages"]


@pytest.mark.parametrize("other", [b"", b"\0" * 500, b'{"version": 1, "messages": [{"role": "user"}]}'], ids=repr)
def test_it_is_put_aside_when_another_program_changed_it(sessions: Path, other: bytes) -> None:
    history = run(sessions)
    messages_file(sessions).write_bytes(other)
    session = resume(sessions, ID)
    session.record(RunStarted("m"), [*history, GO])
    [notice] = session.take_notices()
    session.close()
    [aside] = sessions.glob(f"{ID}/{ID}.messages.*.json")
    assert aside.read_bytes() == other
    assert aside.name in notice
    assert len(entries_of(sessions)) == 5


def test_it_is_made_anew_when_the_history_was_replaced(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO, CALL, SEEN])
    session.record(IterationStarted(2, has_tools=True), [user_text("in short")])
    session.record(MessageFinished(DONE), [user_text("in short"), DONE])
    session.close()
    assert roles_of(sessions) == [("user", "text"), ("assistant", "text")]


def test_the_records_go_on_when_the_mirror_cannot_be_written(sessions: Path) -> None:
    session = create(sessions, HEADER)
    messages_file(sessions).mkdir()
    session.record(RunStarted("m"), [GO])
    [notice] = session.take_notices()
    assert "are not kept any more" in notice
    session.record(MessageFinished(DONE), [GO, DONE])
    assert session.take_notices() == ()
    session.close()
    assert session.failure == ""
    assert resume(sessions, ID).messages == (GO, DONE)


@pytest.mark.parametrize("name", [f"{ID}.messages.json", f"{ID}.json"])
def test_nothing_is_written_through_a_link_when_one_was_put_in_the_way(
    sessions: Path, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    session = create(sessions, HEADER)
    (sessions / ID / name).symlink_to(target)
    session.record(RunStarted("m"), [GO])
    session.close()
    assert target.read_text() == "mine"


@pytest.mark.parametrize("umask", [0, 0o777])
def test_the_files_are_private_when_the_umask_is_another(sessions: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        run(sessions)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (sessions / ID).iterdir()}
    assert modes == {0o600}


def test_nothing_is_left_over_when_a_run_has_ended(sessions: Path) -> None:
    run(sessions)
    assert sorted(file.name for file in (sessions / ID).iterdir()) == [
        f"{ID}.json",
        f"{ID}.jsonl",
        f"{ID}.messages.json",
    ]


def test_half_a_surrogate_pair_is_no_reason_to_stop_when_a_model_writes_one(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.introduce("cline", "vendor/model", "\udce9")
    session.record(RunStarted("m"), [user_text("\ud800 x"), reply("\udfff")])
    assert session.take_notices() == ()
    session.close()
    assert len(entries_of(sessions)) == 2


def test_the_files_grow_by_what_is_said_when_a_run_is_long(sessions: Path) -> None:
    session = create(sessions, HEADER, flush=lambda _: None)
    history: list[Message] = [GO]
    session.record(RunStarted("m"), history)
    sizes = []
    for step in range(200):
        call = reply("x" * 100, ToolCall(f"call_{step:04}", "look", "{}"))
        history += [call, ToolResult(f"call_{step:04}", (TextPart("y" * 200),))]
        session.record(MessageFinished(call), history)
        if step % 100 == 99:
            sizes.append(sum(file.stat().st_size for file in (sessions / ID).iterdir()))
    session.close()
    assert abs(sizes[1] - 2 * sizes[0]) < 2500


def test_both_files_tell_the_shorter_history_when_it_was_made_shorter(sessions: Path) -> None:
    history = run(sessions)
    session = resume(sessions, ID, clock=ticking())
    session.introduce("cline", "vendor/model", "You work.")
    history.append(user_text("go on"))
    session.record(RunStarted("m"), history)
    history[:] = [user_text("the task, and notes"), user_text("go on")]
    session.record(Compacted(900, 90, "agentic"), history)
    assert [entry["content"] for entry in entries_of(sessions)] == [
        [{"type": "text", "text": "the task, and notes"}],
        [{"type": "text", "text": "go on"}],
    ]
    history.append(DONE)
    session.record(MessageFinished(DONE), history)
    session.record(END, history)
    session.close()
    assert roles_of(sessions) == [("user", "text"), ("user", "text"), ("assistant", "text")]
    again = resume(sessions, ID)
    assert list(again.messages) == history
    again.close()
    lines = [json.loads(line) for line in (sessions / ID / f"{ID}.jsonl").read_bytes().splitlines()]
    assert [line["type"] for line in lines].count("history") == 1
    assert lines[2]["parts"] == [{"type": "text", "text": "go\nand look"}]
