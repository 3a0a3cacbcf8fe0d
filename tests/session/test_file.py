from __future__ import annotations

import os
from pathlib import Path

import pytest

from cline_cli.session._file import is_locked, lock, open_own


def test_nobody_gets_a_file_that_was_taken_away_while_it_was_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    file = open_own(path, os.O_RDWR)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        lock(file)
    os.close(file)


def test_a_file_is_had_by_one_when_two_want_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    first, second = (open_own(path, os.O_RDWR) for _ in range(2))
    assert not is_locked(first)
    lock(first)
    assert is_locked(second)
    with pytest.raises(BlockingIOError):
        lock(second)
    os.close(first)
    lock(second)
    os.close(second)
