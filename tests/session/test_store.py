from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from cline_cli.agent.events import (
    Event,
    IterationStarted,
    MessageFinished,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolSettled,
    ToolStarted,
)
from cline_cli.agent.loop import Agent
from cline_cli.agent.messages import (
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
    user_text,
)
from cline_cli.agent.provider import TextDelta
from cline_cli.agent.repair import repair
from cline_cli.agent.tool import ToolOutput
from cline_cli.errors import ServerError, UsageError
from cline_cli.session.store import Header, Session, create, find_newest, resume
from tests.agent.test_repair import is_sound
from tests.fakes import FakeProvider, FakeTool, approve_all, reply, tools

ROOT = Path(__file__).parent.parent.parent
ID = "1754000000000_ab3xy"
HEADER = Header(ID, "2026-11-02T10:00:00+00:00", "/work", "cline", "vendor/model", "act")
GO = user_text("go")
DONE = reply("done")
CALLS = reply("", ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}"))
END = RunFinished("done", Usage(7, 3), 1, 0, 1.0, None)


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sessions"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "cline-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def file_of(sessions: Path, session_id: str = ID) -> Path:
    return sessions / session_id / f"{session_id}.jsonl"


def records_of(sessions: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file_of(sessions).read_bytes().splitlines()]


def types_of(sessions: Path) -> list[object]:
    return [record["type"] for record in records_of(sessions)]


def finished(call_id: str, text: str = "seen") -> ToolFinished:
    return ToolFinished(ToolCall(call_id, "look", "{}"), "look", ToolOutput((TextPart(text),)), 0.1)


def result(call_id: str, text: str = "seen") -> ToolResult:
    return ToolResult(call_id, (TextPart(text),))


def make(sessions: Path, *messages: Message, session_id: str = ID, cwd: str = "/work") -> None:
    session = create(sessions, HEADER._replace(session_id=session_id, cwd=cwd))
    session.record(RunStarted("m"), messages)
    session.close()


def count_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def load(sessions: Path, session_id: str = ID) -> tuple[Message, ...]:
    session = resume(sessions, session_id)
    session.close()
    return session.messages


def test_a_history_is_loaded_as_it_was_when_a_run_recorded_it(sessions: Path) -> None:
    history: list[Message] = [UserMessage((TextPart("go"), ImagePart("image/png", b"\x89PNG\xff")))]
    session = create(sessions, HEADER)
    assert session.id == ID
    assert session.messages == ()
    session.record(RunStarted("m"), history)
    history.append(CALLS)
    session.record(MessageFinished(CALLS), history)
    session.record(finished("a"), history)
    session.record(finished("b"), history)
    history += [result("a"), result("b"), DONE]
    session.record(MessageFinished(DONE), history)
    session.record(END, history)
    session.close()
    again = resume(sessions, ID)
    assert again.messages == tuple(history)
    assert again.header == HEADER
    assert again.failure == session.failure == ""
    again.close()


def test_each_thing_is_written_once_when_it_is_told_more_than_once(sessions: Path) -> None:
    history: list[Message] = [GO]
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), history)
    session.record(IterationStarted(1, has_tools=True), history)
    session.record(TextDelta("hm"), history)
    history.append(CALLS)
    session.record(MessageFinished(CALLS), history)
    session.record(ToolStarted(CALLS.tool_calls[0], "look"), history)
    session.record(finished("a"), history)
    assert types_of(sessions) == ["session", "run_started", "user", "assistant", "tool_result"]
    session.record(finished("b"), history)
    history += [result("a"), result("b")]
    session.record(IterationStarted(2, has_tools=True), history)
    session.record(END, history)
    session.close()
    assert types_of(sessions)[5:] == ["tool_result", "run_finished"]


def test_a_result_is_written_once_when_the_history_has_it_before_it_is_told(sessions: Path) -> None:
    history: list[Message] = [GO, CALLS, result("a"), result("b")]
    session = create(sessions, HEADER)
    session.record(finished("a"), history)
    session.record(finished("b"), history)
    session.close()
    assert types_of(sessions).count("tool_result") == 2
    assert load(sessions) == tuple(history)


def test_a_result_is_loaded_when_the_run_died_before_the_other_calls_were_done(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(MessageFinished(CALLS), [GO, CALLS])
    session.record(finished("b", "found"), [GO, CALLS])
    session.close()
    messages = load(sessions)
    assert messages[:2] == (GO, CALLS)
    assert messages[3:] == (result("b", "found"),)
    assert isinstance(messages[2], ToolResult)
    assert (messages[2].call_id, messages[2].is_error) == ("a", True)


def test_a_result_is_there_when_it_was_told_before_its_turn(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(MessageFinished(CALLS), [GO, CALLS])
    output = ToolOutput((TextPart("found"),))
    session.record(ToolSettled(CALLS.tool_calls[1], output), [GO, CALLS])
    assert types_of(sessions)[-1] == "tool_result"
    session.record(finished("a"), [GO, CALLS])
    session.record(ToolFinished(CALLS.tool_calls[1], "look", output, 0.1), [GO, CALLS])
    assert types_of(sessions).count("tool_result") == 2
    session.close()
    assert load(sessions) == (GO, CALLS, result("a"), result("b", "found"))


def test_the_history_has_the_last_word_when_a_result_was_told_otherwise(sessions: Path) -> None:
    history: list[Message] = [GO, CALLS]
    session = create(sessions, HEADER)
    session.record(finished("a", "told"), history)
    history += [result("a", "kept"), result("b")]
    session.record(IterationStarted(2, has_tools=True), history)
    session.record(END, history)
    session.close()
    assert load(sessions) == tuple(history)


def test_the_new_history_is_loaded_when_the_old_one_was_replaced(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO, reply("a long story"), user_text("on")])
    session.record(IterationStarted(2, has_tools=True), [user_text("in short")])
    session.record(MessageFinished(DONE), [user_text("in short"), DONE])
    session.close()
    assert load(sessions) == (user_text("in short"), DONE)
    assert types_of(sessions) == ["session", "run_started", "user", "assistant", "user", "history", "assistant"]


def test_the_next_run_is_appended_when_a_session_is_gone_on_with(sessions: Path) -> None:
    make(sessions, GO, CALLS)
    before = file_of(sessions).read_bytes()
    session = resume(sessions, ID)
    history = [*session.messages, user_text("go on")]
    session.record(RunStarted("m"), history)
    session.record(END, history)
    session.close()
    assert file_of(sessions).read_bytes().startswith(before)
    assert types_of(sessions)[4:] == ["run_started", "user", "run_finished"]
    assert load(sessions) == tuple(history)


def test_what_is_new_is_durable_when_it_is_recorded(sessions: Path) -> None:
    durable: list[object] = []
    history: list[Message] = [GO]
    session = create(sessions, HEADER, flush=lambda descriptor: durable.append(types_of(sessions)[-1]))
    session.record(RunStarted("m"), history)
    session.record(IterationStarted(1, has_tools=True), history)
    history.append(CALLS)
    session.record(MessageFinished(CALLS), history)
    session.record(finished("a"), history)
    session.record(finished("b"), history)
    history += [result("a"), result("b")]
    session.record(END, history)
    session.close()
    assert durable == ["user", "assistant", "tool_result", "tool_result", "run_finished"]


def test_the_run_goes_on_unsaved_when_nothing_is_made_durable(sessions: Path) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    make(sessions, GO)
    session = resume(sessions, ID, flush=fail)
    session.record(MessageFinished(DONE), [GO, DONE])
    session.record(END, [GO, DONE])
    session.close()
    assert session.failure == "nothing more is saved of this run: Input/output error"
    assert "run_finished" not in types_of(sessions)


def test_records_tell_their_time_and_how_the_run_ended(sessions: Path) -> None:
    session = create(sessions, HEADER, clock=lambda: 1754000001.5)
    session.record(RunFinished("", Usage(7, 3), 1, 0, 1.0, ServerError("overloaded")), [GO])
    session.close()
    header, prompt, end = records_of(sessions)
    assert header["version"] == 1
    assert prompt["ts"] == end["ts"] == 1754000001500
    assert (end["status"], end["exit_code"]) == ("failed", 75)


def agent_of(*turns: Message) -> Agent:
    tool = FakeTool()
    provider = FakeProvider([[turn] for turn in turns])  # type: ignore[list-item]
    return Agent(provider, "m", "", tools(tool), (tool.spec,), approve_all)


async def run_recorded(agent: Agent, session: Session, *, stop_at: type = RunFinished) -> None:
    async with aclosing(agent.run(GO)) as events:
        async for event in events:
            session.record(event, agent.messages)
            if isinstance(event, stop_at):
                break
    if stop_at is not RunFinished:
        session.record(agent.finish(ServerError("stopped")), agent.messages)


def test_an_agents_run_is_loaded_as_the_agent_had_it(sessions: Path) -> None:
    agent = agent_of(CALLS, DONE)
    session = create(sessions, HEADER)
    asyncio.run(run_recorded(agent, session))
    session.close()
    assert load(sessions) == tuple(agent.messages)
    assert types_of(sessions) == [
        "session", "run_started", "user", "assistant", "tool_result", "tool_result", "assistant", "run_finished",
    ]  # fmt: skip


@pytest.mark.parametrize("stop_at", [RunStarted, MessageFinished, ToolStarted, ToolFinished])
def test_a_stopped_run_is_loaded_as_the_agent_left_it(sessions: Path, stop_at: type) -> None:
    agent = agent_of(CALLS, DONE)
    session = create(sessions, HEADER)
    asyncio.run(run_recorded(agent, session, stop_at=stop_at))
    session.close()
    assert load(sessions) == tuple(repair(agent.messages))
    assert types_of(sessions)[-1] == "run_finished"


@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_folders_and_file_are_private_whatever_the_umask(sessions: Path, mask: int) -> None:
    sessions.mkdir(parents=True)
    old = os.umask(mask)
    try:
        make(sessions, GO)
    finally:
        os.umask(old)
    assert stat.S_IMODE((sessions / ID).stat().st_mode) == 0o700
    assert stat.S_IMODE(file_of(sessions).stat().st_mode) == 0o600


def test_the_folders_above_are_private_when_they_are_made(sessions: Path) -> None:
    old = os.umask(0)
    try:
        make(sessions, GO)
    finally:
        os.umask(old)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (sessions, sessions.parent)] == [0o700, 0o700]


def test_a_private_folder_is_made_when_something_is_to_be_spooled(sessions: Path) -> None:
    session = create(sessions, HEADER)
    assert not (sessions / ID / "spool").exists()
    assert session.spool_folder() == session.spool_folder() == sessions / ID / "spool"
    assert stat.S_IMODE((sessions / ID / "spool").stat().st_mode) == 0o700
    session.close()


def test_a_spool_folder_is_refused_when_it_is_a_link(sessions: Path, tmp_path: Path) -> None:
    session = create(sessions, HEADER)
    (sessions / ID / "spool").symlink_to(tmp_path)
    with pytest.raises(OSError, match="symbolic link"):
        session.spool_folder()
    session.close()


def test_nothing_is_left_when_nothing_was_said(sessions: Path) -> None:
    session = create(sessions, HEADER)
    (session.spool_folder() / "stdin").write_text("much")
    session.close()
    session.close()
    assert list(sessions.iterdir()) == []


def test_the_session_stays_when_nothing_new_was_said(sessions: Path) -> None:
    make(sessions, GO)
    before = file_of(sessions).read_bytes()
    resume(sessions, ID).close()
    assert file_of(sessions).read_bytes() == before


def test_nothing_is_recorded_when_the_session_is_closed(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO])
    session.close()
    session.record(END, [GO, DONE])
    assert load(sessions) == (GO,)


def test_a_session_is_left_alone_when_another_is_to_have_its_id(sessions: Path) -> None:
    make(sessions, GO)
    with pytest.raises(FileExistsError):
        create(sessions, HEADER)
    assert load(sessions) == (GO,)


def test_an_error_is_raised_when_the_folder_cannot_be_made(sessions: Path) -> None:
    sessions.parent.write_text("a file")
    with pytest.raises(OSError, match="File exists"):
        create(sessions, HEADER)


@pytest.mark.parametrize("session_id", ["", "..", "a/b", "/etc", "a.b", "a b", "a\n", "\u0661", "a" * 101, "a\0b"])
def test_an_id_is_refused_when_it_could_be_a_path(sessions: Path, session_id: str) -> None:
    with pytest.raises(UsageError, match="is not the id of a session"):
        resume(sessions, session_id)


def test_near_ids_are_told_when_one_is_not_known(sessions: Path) -> None:
    for end in ("ab3xy", "ab3xz", "qqqqq"):
        make(sessions, GO, session_id=f"1754000000000_{end}")
    with pytest.raises(UsageError, match="there is no session 1754000000000_ab3xx") as caught:
        resume(sessions, "1754000000000_ab3xx")
    assert "ab3xy" in caught.value.hint
    assert "ab3xz" in caught.value.hint
    assert "qqqqq" not in caught.value.hint


def test_the_newest_ids_are_told_when_none_is_near(sessions: Path) -> None:
    for number in range(5):
        make(sessions, GO, session_id=f"175400000000{number}_ab3xy")
    (sessions / "1754000000009_none1").mkdir()
    with pytest.raises(UsageError) as caught:
        resume(sessions, "yesterday")
    assert caught.value.hint == (
        "The newest: 1754000000004_ab3xy, 1754000000003_ab3xy, 1754000000002_ab3xy"
    )  # fmt: skip


def test_the_folder_is_told_when_there_are_no_sessions(sessions: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resume(sessions, ID)
    assert str(sessions) in caught.value.hint
    assert not sessions.exists()


def test_a_session_is_refused_while_another_run_has_it(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO])
    with pytest.raises(UsageError, match="in use by another run"):
        resume(sessions, ID)
    session.close()
    again = resume(sessions, ID)
    with pytest.raises(UsageError, match="in use by another run"):
        resume(sessions, ID)
    again.close()
    assert load(sessions) == (GO,)


def test_a_session_is_free_again_when_it_could_not_be_resumed(sessions: Path) -> None:
    make(sessions, GO)
    good = file_of(sessions).read_bytes()
    file_of(sessions).write_bytes(b"{}\n" + good)
    before = count_descriptors()
    with pytest.raises(UsageError):
        resume(sessions, ID)
    assert count_descriptors() == before
    file_of(sessions).write_bytes(good)
    assert load(sessions) == (GO,)


HEAD = b'{"type":"session","version":1,"id":"x","created":"","cwd":"/work","provider":"","model":"","mode":"act"}\n'
SAID = b'{"type":"user","parts":[{"type":"text","text":"go"}]}\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "line 1 of .*: it is not the beginning"),
        (HEAD[:-1], "line 1 of .*: it is not the beginning"),
        (SAID, "line 1 of .*: it is not the beginning"),
        (HEAD.replace(b'"version":1', b'"version":"1"'), "line 1 of .*: it is not the beginning"),
        (b"\0" * 5000, "line 1 of .*: it is not the beginning"),
        (b"canary\n" + SAID, "line 1 of .*: it is not valid JSON"),
        (HEAD + b"canary\n" + SAID, "line 2 of .*: it is not valid JSON"),
        (HEAD + SAID + b"\n" + SAID, "line 3 of .*: it is not valid JSON"),
        (HEAD + SAID + b'"canary"\n', "line 3 of .*: it is no record"),
        (HEAD + b'{"type":"user","parts":[{"canary":1}]}\n', "line 2 of .*: it has a part"),
        (HEAD.replace(b'"version":1', b'"version":2'), "a newer version"),
        (b'{"version":2,"kind":"of another form"}\n', "a newer version"),
        (HEAD + SAID + b'{"type":"user","version":2}\n' + SAID, "a newer version"),
    ],
)
def test_the_cause_is_told_and_nothing_changes_when_the_file_is_damaged(
    sessions: Path, content: bytes, told: str
) -> None:
    make(sessions, GO)
    file_of(sessions).write_bytes(content)
    with pytest.raises(UsageError, match=told) as caught:
        resume(sessions, ID)
    assert ID in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert file_of(sessions).read_bytes() == content


def test_a_record_is_refused_when_it_is_too_large(sessions: Path) -> None:
    make(sessions, GO)
    with file_of(sessions).open("r+b") as file:
        file.truncate((64 << 20) + 5000)
    with pytest.raises(UsageError, match=r"line 4 of .*: it is longer than 64 MB"):
        resume(sessions, ID)
    assert file_of(sessions).stat().st_size == (64 << 20) + 5000


def test_records_of_a_type_that_is_not_known_stay_and_are_passed_over(sessions: Path) -> None:
    make(sessions, GO)
    content = HEAD + b'{"type":"checkpoint","tree":"abc"}\n' + SAID
    file_of(sessions).write_bytes(content)
    session = resume(sessions, ID)
    session.record(MessageFinished(DONE), [*session.messages, DONE])
    session.close()
    assert session.messages == (GO,)
    assert file_of(sessions).read_bytes().startswith(content)


@pytest.mark.parametrize(
    "tail", [b"{", SAID[:-1], SAID[:-4], b"\0" * 4096, b'{"type":"user"\n', b"\0\0\n", b"\xc3"], ids=repr
)
def test_a_torn_last_line_goes_when_the_session_is_gone_on_with(sessions: Path, tail: bytes) -> None:
    make(sessions, GO)
    whole = file_of(sessions).read_bytes()
    file_of(sessions).write_bytes(whole + tail)
    session = resume(sessions, ID)
    assert session.messages == (GO,)
    assert file_of(sessions).read_bytes() == whole + tail
    session.record(MessageFinished(DONE), [GO, DONE])
    session.record(END, [GO, DONE])
    session.close()
    assert file_of(sessions).read_bytes().startswith(whole + b'{"type":"assistant"')
    assert load(sessions) == (GO, DONE)


def test_a_session_is_refused_when_its_folder_is_a_link(sessions: Path, tmp_path: Path) -> None:
    make(sessions, GO)
    (sessions / ID).rename(tmp_path / ID)
    (sessions / ID).symlink_to(tmp_path / ID)
    with pytest.raises(UsageError, match="symbolic link"):
        resume(sessions, ID)
    assert find_newest(sessions, Path("/work")) is None


def test_a_session_is_refused_when_its_file_is_a_link(sessions: Path, tmp_path: Path) -> None:
    make(sessions, GO)
    file_of(sessions).rename(tmp_path / "elsewhere")
    file_of(sessions).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="symbolic link"):
        resume(sessions, ID)
    assert find_newest(sessions, Path("/work")) is None


def test_sessions_are_found_when_a_folder_above_them_is_a_link(sessions: Path, tmp_path: Path) -> None:
    make(sessions, GO)
    (tmp_path / "link").symlink_to(sessions.parent)
    assert load(tmp_path / "link" / "sessions") == (GO,)


@pytest.mark.parametrize(("make_other", "told"), [(os.mkfifo, "is not a regular file"), (os.mkdir, "Is a directory")])
def test_a_session_is_refused_when_its_file_is_something_else(
    sessions: Path, make_other: Callable[[Path], None], told: str
) -> None:
    make(sessions, GO)
    file_of(sessions).unlink()
    make_other(file_of(sessions))
    before = count_descriptors()
    with pytest.raises(UsageError, match=told):
        resume(sessions, ID)
    assert find_newest(sessions, Path("/work")) is None
    assert count_descriptors() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("place", ["", f"{ID}.jsonl"])
def test_a_session_is_refused_when_it_is_another_users(sessions: Path, place: str) -> None:
    make(sessions, GO)
    os.chown(sessions / ID / place, 65534, 65534)
    with pytest.raises(UsageError, match="belongs to another user"):
        resume(sessions, ID)
    assert find_newest(sessions, Path("/work")) is None


def test_a_copy_has_its_own_id_when_it_is_resumed(sessions: Path) -> None:
    make(sessions, GO)
    copy = file_of(sessions, "copy")
    copy.parent.mkdir()
    copy.write_bytes(file_of(sessions).read_bytes())
    session = resume(sessions, "copy")
    session.close()
    assert session.id == session.header.session_id == "copy"


def test_the_newest_session_of_the_folder_is_found(sessions: Path) -> None:
    for session_id, cwd in (
        ("999999999999_zzzzz", "/work"),
        ("1754000000001_aaaaa", "/work"),
        ("1754000000002_aaaaa", "/work"),
        ("1754000000003_aaaaa", "/here/inner"),
    ):
        make(sessions, GO, session_id=session_id, cwd=cwd)
    (sessions / "1754000000004_ab3xy").mkdir()
    (sessions / "README.txt").write_text("what is this?")
    assert find_newest(sessions, Path("/work")) == "1754000000002_aaaaa"
    assert find_newest(sessions, Path("/here/inner")) == "1754000000003_aaaaa"
    assert find_newest(sessions, Path("/")) is None


def test_a_session_is_found_when_its_folder_is_reached_by_a_link(sessions: Path, tmp_path: Path) -> None:
    real = tmp_path.resolve() / "project"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    make(sessions, GO, cwd=str(real))
    assert find_newest(sessions, tmp_path / "link") == ID


@pytest.mark.parametrize("content", [b"", HEAD, HEAD[:-1], b"garbage\n" + SAID, b"[]\n" + SAID])
def test_a_session_is_not_found_when_nothing_can_be_read_of_it(sessions: Path, content: bytes) -> None:
    make(sessions, GO)
    file_of(sessions).write_bytes(content)
    assert find_newest(sessions, Path("/work")) is None


def test_a_session_is_found_when_a_newer_version_wrote_it(sessions: Path) -> None:
    make(sessions, GO)
    file_of(sessions).write_bytes(HEAD.replace(b'"version":1', b'"version":2') + SAID)
    assert find_newest(sessions, Path("/work")) == ID


def test_none_is_found_when_there_is_no_folder_of_sessions(sessions: Path) -> None:
    assert find_newest(sessions, Path("/work")) is None


def test_the_cause_is_told_when_the_folder_of_sessions_cannot_be_read(sessions: Path) -> None:
    sessions.parent.mkdir()
    sessions.write_text("a file")
    with pytest.raises(UsageError, match=r"cannot read .*: Not a directory"):
        find_newest(sessions, Path("/work"))


def test_the_run_goes_on_unsaved_when_a_message_is_too_large(sessions: Path) -> None:
    session = create(sessions, HEADER)
    session.record(RunStarted("m"), [GO])
    large = reply("x" * (64 << 20))
    session.record(MessageFinished(large), [GO, large])
    session.record(END, [GO, large])
    session.close()
    assert session.failure == "nothing more is saved of this run: a message is larger than 64 MB"
    assert load(sessions) == (GO,)


def test_the_run_goes_on_unsaved_when_the_disk_is_full(small_disk: Path) -> None:
    session = create(small_disk, HEADER)
    history: list[Message] = [GO]
    saved = 0
    while not session.failure:
        saved = len(history)
        history.append(reply("x" * 6000))
        session.record(MessageFinished(DONE), history)
    size = file_of(small_disk).stat().st_size
    session.record(END, history)
    session.close()
    assert session.failure == "nothing more is saved of this run: No space left on device"
    assert file_of(small_disk).stat().st_size == size
    assert file_of(small_disk).read_bytes().endswith(b"\n")
    assert load(small_disk) == tuple(history[:saved])


def test_a_session_is_resumed_unsaved_when_the_disk_is_read_only(small_disk: Path) -> None:
    make(small_disk, GO)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    session = resume(small_disk, ID)
    session.record(MessageFinished(DONE), [GO, DONE])
    session.close()
    assert session.messages == (GO,)
    assert session.failure == "nothing more is saved of this run: Read-only file system"


def test_no_folder_is_left_when_there_is_no_space_for_a_session(small_disk: Path) -> None:
    (small_disk / "large").write_bytes(b"x" * (64 << 10))
    with pytest.raises(OSError, match="No space left"):
        create(small_disk, HEADER)
    assert [entry.name for entry in small_disk.iterdir()] == ["large"]


def run_child(code: str, sessions: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.session.test_store import *\n{code}", str(sessions)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_run_goes_on_unsaved_when_the_file_may_not_grow(sessions: Path) -> None:
    code = """
import resource
session = create(Path(sys.argv[1]), HEADER)
session.record(RunStarted("m"), [GO])
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
session.record(MessageFinished(DONE), [GO, reply("x" * 5000)])
session.record(MessageFinished(DONE), [GO, reply("x" * 5000), reply("y" * 5000)])
session.record(END, [GO, reply("x" * 5000), reply("y" * 5000), DONE])
session.close()
print(session.failure)
"""
    assert run_child(code, sessions) == "nothing more is saved of this run: File too large\n"
    assert file_of(sessions).read_bytes().endswith(b"\n")
    assert load(sessions) == (GO, reply("x" * 5000))


def scripted() -> Iterator[tuple[Event, list[Message]]]:
    history: list[Message] = [GO]
    yield RunStarted("m"), history
    for number in range(20):
        step = reply("x" * 3000, *(ToolCall(f"{number}{letter}", "look", "{}") for letter in "ab"))
        history.append(step)
        yield MessageFinished(step), history
        for call in step.tool_calls:
            yield finished(call.id, "y" * 3000), history
        history += [result(call.id, "y" * 3000) for call in step.tool_calls]
    yield END, history


KILLED = """
import random, signal, time
chance = random.Random()
for number in range(30):
    session_id = f"{1754000000000 + number}_ab3xy"
    target, delay_s = chance.randrange(62), chance.random() * 0.001
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        session = create(Path(sys.argv[1]), HEADER._replace(session_id=session_id))
        for event, history in scripted():
            session.record(event, history)
            os.write(writing, b".")
        signal.pause()
    os.close(writing)
    acknowledged = 0
    while acknowledged < target:
        acknowledged += len(os.read(reading, 1))
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while os.read(reading, 1):
        acknowledged += 1
    os.close(reading)
    print(session_id, acknowledged)
"""


def test_whatever_was_recorded_is_there_when_the_process_is_killed(sessions: Path) -> None:
    killed = [line.split() for line in run_child(KILLED, sessions).splitlines()]
    assert len(killed) == 30
    for session_id, acknowledged in killed:
        expected: list[Message] = []
        for _, (event, history) in zip(range(int(acknowledged)), scripted(), strict=False):
            expected += [message for message in history if message not in expected]
            expected += [result(event.call.id, "y" * 3000)] if isinstance(event, ToolFinished) else []
        messages = load(sessions, session_id) if expected else ()
        assert not [message for message in expected if message not in messages]
        assert is_sound(list(messages))
