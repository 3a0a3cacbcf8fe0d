from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path

import pytest

from cline_cli.agent.events import RunFinished, RunStarted
from cline_cli.agent.messages import Usage, user_text
from cline_cli.errors import ClineError, UsageError
from cline_cli.session.changing import DAY_S, Limits, delete, describe, prune, prune_when_due
from cline_cli.session.reading import Row, list_rows
from cline_cli.session.store import Header, create, resume
from tests.session.test_originals import make_original, process_named

HEADER = Header("1754000000000_ab3xy", "2026-11-02T10:00:00+00:00", "/work", "cline", "vendor/model", "act")
GO = user_text("go")
END = RunFinished("done", Usage(20, 10), 1, 0, 1.0, None)
NOW_S = 2_000_000_000.0


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def make(sessions: Path, session_id: str, *, days_old: float = 0, more_bytes: int = 0) -> Path:
    session = create(sessions, HEADER._replace(session_id=session_id))
    session.record(RunStarted("m"), [GO])
    session.record(END, [GO])
    if more_bytes:
        (session.spool_folder() / "stdin.txt").write_bytes(b"x" * more_bytes)
    session.close()
    path = sessions / session_id
    used_s = NOW_S - days_old * DAY_S
    os.utime(path / f"{session_id}.jsonl", (used_s, used_s))
    return path


def names_of(sessions: Path) -> set[str]:
    return {path.name for path in sessions.iterdir() if not path.name.startswith(".")}


def row_of(sessions: Path) -> Row:
    [row] = list_rows(sessions)
    return row


def prune_now(sessions: Path, limits: Limits, *, is_dry: bool = False) -> set[str]:
    return set(prune(sessions, limits, is_dry=is_dry, clock=lambda: NOW_S).removed)


def test_nothing_of_a_session_is_left_when_it_is_deleted(sessions: Path) -> None:
    make(sessions, "1_a", more_bytes=10)
    make(sessions, "2_b")
    delete(sessions, "1_a")
    assert [path.name for path in sessions.iterdir()] == ["2_b"]


def test_one_of_the_original_goes_when_it_is_deleted_by_name(sessions: Path) -> None:
    make_original(sessions, "1_a")
    delete(sessions, "1_a")
    assert list(sessions.iterdir()) == []


@pytest.mark.parametrize("session_id", ["2_b", "../sessions/1_a", ".", "", "1_a/1_a.json"])
def test_it_is_said_when_there_is_nothing_to_delete(sessions: Path, session_id: str) -> None:
    make(sessions, "1_a")
    with pytest.raises(UsageError):
        delete(sessions, session_id)
    assert names_of(sessions) == {"1_a"}


def test_one_that_a_run_has_stays_when_it_is_to_be_deleted(sessions: Path) -> None:
    make(sessions, "1_a")
    session = resume(sessions, "1_a")
    with pytest.raises(UsageError, match="in use by another run"):
        delete(sessions, "1_a")
    session.close()
    delete(sessions, "1_a")


def test_one_of_the_original_stays_when_its_process_runs(sessions: Path) -> None:
    with process_named("cline") as pid:
        make_original(sessions, "1_a", status="running", pid=pid)
        for change in (delete, partial(describe, title="x")):
            with pytest.raises(UsageError, match="in use"):
                change(sessions, "1_a")
    assert names_of(sessions) == {"1_a"}


def test_what_a_link_leads_to_stays_when_it_is_to_be_deleted(sessions: Path, tmp_path: Path) -> None:
    make(sessions, "1_a")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    (sessions / "2_b").symlink_to(precious)
    with pytest.raises(UsageError, match="no session"):
        delete(sessions, "2_b")
    (precious / "2_b.jsonl").write_text("")
    with pytest.raises(ClineError, match="symbolic link"):
        delete(sessions, "2_b")
    (sessions / "1_a" / "spool").symlink_to(precious)
    delete(sessions, "1_a")
    assert (precious / "file").read_text() == "mine"


def test_a_folder_that_is_no_session_stays_when_it_is_to_be_deleted(sessions: Path) -> None:
    make(sessions, "1_a")
    (sessions / "notes").mkdir()
    (sessions / "notes" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="no session notes"):
        delete(sessions, "notes")
    assert (sessions / "notes" / "thesis.txt").exists()


def test_it_stays_in_its_place_when_it_cannot_be_taken_away(sessions: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    path = make(sessions, "1_a")
    path.chmod(0o500)
    with pytest.raises(ClineError, match="Permission denied"):
        delete(sessions, "1_a")
    path.chmod(0o700)
    assert row_of(sessions).session_id == "1_a"


def test_what_is_reckoned_cannot_be_given_when_a_session_is_described(sessions: Path) -> None:
    make(sessions, "1_a")
    with pytest.raises(UsageError, match="totalCost, updated_at"):
        describe(sessions, "1_a", metadata={"totalCost": 99, "updated_at": "x", "mine": 1})
    assert "mine" not in row_of(sessions).metadata


def test_a_damaged_one_goes_when_it_is_deleted(sessions: Path) -> None:
    path = make(sessions, "1_a")
    (path / "1_a.jsonl").write_bytes(b"garbage")
    delete(sessions, "1_a")
    assert names_of(sessions) == set()


def test_a_title_is_shown_and_stays_when_somebody_gives_it(sessions: Path) -> None:
    path = make(sessions, "1_a", days_old=5)
    describe(sessions, "1_a", title="My work", metadata={"ticket": 7})
    assert (row_of(sessions).title, row_of(sessions).metadata["ticket"]) == ("My work", 7)
    assert (path / "1_a.jsonl").stat().st_mtime == NOW_S - 5 * DAY_S  # it was not used by this
    describe(sessions, "1_a", prompt="another", metadata={"team": "x"})
    session = resume(sessions, "1_a")
    session.record(RunStarted("m"), [*session.messages, GO])
    session.record(END, [*session.messages, GO])
    session.close()
    for _ in range(2):
        row = row_of(sessions)
        assert (row.title, row.prompt) == ("My work", "another")
        assert (row.metadata["ticket"], row.metadata["team"]) == (7, "x")
        (path / "1_a.json").unlink(missing_ok=True)


def test_a_torn_line_goes_when_something_is_written_after_it(sessions: Path) -> None:
    path = make(sessions, "1_a")
    file = path / "1_a.jsonl"
    file.write_bytes(file.read_bytes() + b'{"type":"user","pa')
    describe(sessions, "1_a", title="My work")
    resume(sessions, "1_a").close()
    (path / "1_a.json").unlink()
    assert row_of(sessions).title == "My work"


def test_a_title_of_the_originals_changes_and_nothing_else_when_somebody_gives_it(sessions: Path) -> None:
    path = make_original(sessions, "1_a")
    before = (path / "1_a.messages.json").read_bytes()
    describe(sessions, "1_a", title="My work")
    assert (row_of(sessions).title, row_of(sessions).is_original) == ("My work", True)
    assert (path / "1_a.messages.json").read_bytes() == before
    assert sorted(file.name for file in path.iterdir()) == ["1_a.json", "1_a.messages.json"]


def test_it_is_said_when_there_is_nothing_to_describe(sessions: Path) -> None:
    make(sessions, "1_a")
    with pytest.raises(UsageError, match="no session"):
        describe(sessions, "2_b", title="x")
    session = resume(sessions, "1_a")
    with pytest.raises(UsageError, match="in use"):
        describe(sessions, "1_a", title="x")
    session.close()


def test_the_old_go_when_there_is_a_limit_of_days(sessions: Path) -> None:
    make(sessions, "1_a", days_old=31)
    make(sessions, "2_b", days_old=29)
    assert prune_now(sessions, Limits(days=30)) == {"1_a"}
    assert names_of(sessions) == {"2_b"}


def test_the_oldest_go_when_there_is_a_limit_of_bytes(sessions: Path) -> None:
    for number, age in enumerate((3, 1, 2)):
        make(sessions, f"{number}_a", days_old=age, more_bytes=100_000)
    assert prune_now(sessions, Limits(max_bytes=250_000)) == {"0_a"}
    assert prune_now(sessions, Limits(max_bytes=1)) == {"2_a"}
    assert names_of(sessions) == {"1_a"}


def test_all_stay_when_there_is_no_limit(sessions: Path) -> None:
    make(sessions, "1_a", days_old=10_000, more_bytes=10_000)
    assert prune_now(sessions, Limits(0, 0)) == set()
    assert names_of(sessions) == {"1_a"}


def test_what_would_go_is_told_and_stays_when_it_is_only_asked(sessions: Path) -> None:
    make(sessions, "1_a", days_old=31)
    pruned = prune(sessions, Limits(), is_dry=True, clock=lambda: NOW_S)
    assert (pruned.removed, pruned.kept) == (("1_a",), 0)
    assert pruned.freed_bytes > 500
    assert names_of(sessions) == {"1_a"}
    assert prune_now(sessions, Limits()) == {"1_a"}  # it was let go of


def test_it_stays_when_a_run_has_it_or_the_original_wrote_it(sessions: Path) -> None:
    make(sessions, "1_a", days_old=31)
    original = make_original(sessions, "2_b")
    os.utime(original / "2_b.messages.json", (1, 1))
    session = resume(sessions, "1_a")
    assert prune_now(sessions, Limits()) == set()
    session.close()
    assert names_of(sessions) == {"1_a", "2_b"}


def test_what_is_left_of_a_deletion_that_broke_off_goes_when_others_are_pruned(sessions: Path) -> None:
    make(sessions, "1_a")
    (sessions / ".gone-2_b-77").mkdir()
    prune_now(sessions, Limits())
    assert [path.name for path in sessions.iterdir()] == ["1_a"]


def test_it_happens_once_a_day_when_it_happens_by_itself(sessions: Path) -> None:
    make(sessions, "1_a", days_old=31)
    now_s = NOW_S
    first = prune_when_due(sessions, Limits(), clock=lambda: now_s)
    assert first
    assert first.removed == ("1_a",)
    make(sessions, "2_b", days_old=31)
    now_s += DAY_S - 1
    assert prune_when_due(sessions, Limits(), clock=lambda: now_s) is None
    now_s += 2
    assert prune_when_due(sessions, Limits(), clock=lambda: now_s)
    assert stat.S_IMODE(sessions.with_name("sessions.pruned").stat().st_mode) == 0o600


def test_nothing_is_said_or_done_when_it_cannot_be_noted_that_it_was_done(sessions: Path, tmp_path: Path) -> None:
    make(sessions, "1_a", days_old=31)
    mark = sessions.with_name("sessions.pruned")
    mark.symlink_to(tmp_path / "elsewhere")
    os.utime(mark, (1, 1), follow_symlinks=False)
    assert prune_when_due(sessions, Limits(), clock=lambda: NOW_S) is None
    assert not (tmp_path / "elsewhere").exists()
    assert names_of(sessions) == {"1_a"}
    assert prune_when_due(tmp_path / "none", Limits(), clock=lambda: NOW_S) is None


def test_the_notes_of_use_become_no_more_when_there_are_many(sessions: Path) -> None:
    make(sessions, "1_a")
    sessions.with_name("sessions.uses").write_bytes(b"".join(b"%d 1_a\n" % number for number in range(20_000)))
    prune_when_due(sessions, Limits(), clock=lambda: NOW_S)
    kept = sessions.with_name("sessions.uses").read_bytes().splitlines()
    assert 100 < len(kept) < 500
    assert kept[-1] == b"19999 1_a"
