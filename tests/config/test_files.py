from __future__ import annotations

import os
from pathlib import Path

import pytest

from cline_cli.config._files import read_small_file
from cline_cli.machine.files import make_private_folder


def test_content_owner_and_mode_are_told_when_the_file_is_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    file.chmod(0o640)
    content = read_small_file(file)
    assert content is not None
    assert content == (b"x", os.geteuid(), 0o640)


def test_nothing_is_told_when_there_is_no_file(tmp_path: Path) -> None:
    assert read_small_file(tmp_path / "missing" / "file") is None


def test_a_link_is_followed_only_when_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"x")
    link = tmp_path / "link"
    link.symlink_to("target")
    followed = read_small_file(link)
    assert followed is not None
    assert followed.data == b"x"
    with pytest.raises(OSError, match="symbolic link"):
        read_small_file(link, follows_links=False)


def test_a_dangling_link_is_an_error_and_not_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        read_small_file(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_nothing_is_told_when_the_folder_lets_nobody_in(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    assert read_small_file(closed / "file") is None


def test_folders_above_are_private_too_when_they_are_made(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    make_private_folder(tmp_path / "a" / "b")
