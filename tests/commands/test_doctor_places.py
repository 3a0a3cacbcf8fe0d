from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cline_cli.commands._doctor_places import Found, Place, check_place, count_sessions, look_at, try_to_write

STATE = Place("state", Path("/s/t ate"), "why", "nothing is saved", "Name another")
SESSIONS = STATE._replace(name="sessions", is_private=True)
CACHE = STATE._replace(name="cache", is_needed=False)


def found(mode: int = 0o700, **members: object) -> Found:
    return replace(Found(STATE.path, "", 7, mode, "", 10**12), **members)  # type: ignore[arg-type]  # the test names its fields


@pytest.mark.parametrize(
    ("place", "what", "status", "told", "remedy"),
    [
        (STATE, found(), "ok", "/s/t ate (why)", ""),
        (STATE, found(0o755), "ok", "", ""),
        (STATE, found(0o775), "bad", "other users may change what is in it", "chmod go-w '/s/t ate'"),
        (STATE, found(0o702), "bad", "other users may change what is in it", "chmod go-w '/s/t ate'"),
        (SESSIONS, found(0o750), "bad", "other users may read what is in it", "chmod 700 '/s/t ate'"),
        (STATE, found(owner=8), "bad", "belongs to the user with the number 8", "Name another"),
        (STATE, found(target="/else"), "ok", "a link to /else", ""),
        (STATE, found(fault="it is full"), "bad", "it is full, so nothing is saved", "Name another"),
        (CACHE, found(fault="it is full"), "note", "it is full, so nothing is saved", "Name another"),
        (STATE, found(free_bytes=99_999_999), "bad", "100 MB are free", "Make room on that disk"),
        (STATE, found(free_bytes=100_000_000), "ok", "", ""),
        (STATE, Found(Path("/s")), "ok", "made when it is needed", ""),
        (STATE, Found(Path("/s"), fault="/s may not be written to"), "bad", "/s may not be written to", "Name another"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(place: Place, what: Found, status: str, told: str, remedy: str) -> None:
    check = check_place(place, what, 7)
    assert (check.status, check.remedy) == (status, remedy)
    assert told in check.text


def test_looking_at_a_folder_leaves_nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    seen = look_at(tmp_path / "state")
    assert (seen.fault, seen.owner, seen.mode) == ("", os.geteuid(), 0o700)
    assert seen.free_bytes
    assert list((tmp_path / "state").iterdir()) == []
    assert look_at(tmp_path / "no" / "such").nearest == tmp_path
    assert not (tmp_path / "no").exists()


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "good").symlink_to(tmp_path)
    assert look_at(tmp_path / "file").fault == "it is not a folder"
    assert look_at(tmp_path / "file" / "inner").fault == f"{tmp_path / 'file'} is not a folder"
    assert "which does not exist" in look_at(tmp_path / "link").fault
    assert look_at(tmp_path / "good").target == str(tmp_path)


def test_a_folder_is_not_writable_when_no_file_can_be_made_in_it(tmp_path: Path) -> None:
    assert try_to_write(tmp_path) == ""
    assert try_to_write(tmp_path / "gone") == "it cannot be written to: No such file or directory"


def test_sessions_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir()
    assert count_sessions(folder) == "0 sessions"
    (folder / "1_a").mkdir()
    (folder / "file").touch()
    assert count_sessions(folder) == "1 session"
    assert count_sessions(folder / "gone") == "which cannot be listed"
