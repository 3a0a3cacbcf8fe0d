from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cline_cli.config.definitions import Key, Value
from cline_cli.config.project import Project, find_project_file, read_project, refuse_file, trust
from cline_cli.errors import SettingsError


def write(folder: Path, text: str | bytes = "") -> Path:
    file = folder / ".cline" / "settings.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def read(folder: Path, text: str | bytes) -> Project:
    return read_project(write(folder, text))


def find(workspace: Path, home: Path | None = None) -> Path | None:
    return find_project_file(workspace, home, Path("/nowhere/settings.toml"))


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    outer_file = write(tmp_path / "a")
    assert find(inner) == outer_file
    nearer_file = write(tmp_path / "a" / "b")
    assert find(inner) == nearer_file


@pytest.mark.parametrize("is_worktree", [True, False])
def test_nothing_above_a_repository_counts(tmp_path: Path, is_worktree: bool) -> None:
    repository = tmp_path / "repository"
    inner = repository / "inner"
    inner.mkdir(parents=True)
    write(tmp_path)
    if is_worktree:
        (repository / ".git").write_text("gitdir: elsewhere")
    else:
        (repository / ".git").mkdir()
    assert find(inner) is None
    file = write(repository)
    assert find(inner) == file


def test_the_file_in_home_is_none_of_a_project(tmp_path: Path) -> None:
    home = tmp_path / "home"
    inner = home / "work"
    inner.mkdir(parents=True)
    write(home)
    write(tmp_path)
    assert find(inner, home) is None
    assert find(home, home) is None
    link = tmp_path / "link"
    link.symlink_to(home)
    assert find(inner, link) is None


def test_the_persons_own_file_is_none_of_a_project(tmp_path: Path) -> None:
    file = write(tmp_path)
    assert find_project_file(tmp_path, None, file) is None
    assert find_project_file(tmp_path, None, tmp_path / "other.toml") == file


def test_nothing_is_found_when_there_is_none(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".cline").mkdir()
    assert find(tmp_path) is None


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, what: str) -> None:
    secret = write(tmp_path / "elsewhere", "the secret")
    project = tmp_path / "project"
    project.mkdir()
    if what == "file":
        (project / ".cline").mkdir()
        (project / ".cline" / "settings.toml").symlink_to(secret)
    else:
        (project / ".cline").symlink_to(secret.parent)
    file = find(project)
    assert file
    assert "symbolic link" in refuse_file(file, project)
    with pytest.raises(SettingsError):
        read_project(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_read_unless_the_workspace_is_theirs_as_well(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    file = write(tmp_path)
    assert refuse_file(file, workspace) == ""
    os.chown(file, 12345, 12345)
    assert "another user" in refuse_file(file, workspace)
    os.chown(workspace, 12345, 12345)
    assert refuse_file(file, workspace) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = [", "cannot read FILE, line 1, column 6: "),
        ("\nmax_turns = 'x'", "cannot use FILE, line 2, column 13: max_turns must be a whole number, not text"),
        (b"\xff", "cannot read FILE, line 1, column 1: it is not UTF-8"),
        ("#" * 70_000, "cannot read FILE: it is larger than 65,536 bytes"),
        ("a." * 30_000 + "b = 1", "cannot read FILE, line 1, column 202: it is nested too deeply"),
    ],
)
def test_a_broken_file_is_told_with_its_place(tmp_path: Path, text: str | bytes, told: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        read_project(file)
    assert told.replace("FILE", str(file)) in str(caught.value)
    assert "--bare" in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_pipe_or_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    file = write(tmp_path)
    file.unlink()
    subprocess.run(["mkfifo", str(file)], check=True)
    with pytest.raises(SettingsError, match="it is a named pipe"):
        read_project(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(SettingsError, match="it is a folder"):
        read_project(file)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbfmax_turns = 3\r\n"])
def test_an_empty_file_or_one_with_a_byte_order_mark_is_read(tmp_path: Path, data: bytes) -> None:
    assert dict(read(tmp_path, data).collected.values) == ({("max_turns",): 3} if b"max" in data else {})


@pytest.mark.parametrize(
    ("text", "own", "holds"),
    [
        ("max_turns = 50", {}, {("max_turns",): 50}),
        ("max_turns = 500", {}, {}),
        ("max_turns = 200", {}, {}),
        ("max_turns = 50", {("max_turns",): 20}, {}),
        ("max_turns = 300", {("max_turns",): 400}, {("max_turns",): 300}),
        ("timeout = '2m'", {}, {("timeout",): "2m"}),
        ("timeout = '2m'", {("timeout",): "119"}, {}),
        ("timeout = '2m'", {("timeout",): "121s"}, {("timeout",): "2m"}),
        ("max_cost = 0.5", {}, {("max_cost",): 0.5}),
        ("max_cost = 1", {("max_cost",): 0.5}, {}),
        ("retries = 9", {}, {}),
        ("max_total_tokens = 9", {}, {("max_total_tokens",): 9}),
        ("stdin.max_bytes = 10", {}, {("stdin", "max_bytes"): 10}),
        ("stdin.max_bytes = 10_000_000", {}, {}),
        ("mode = 'plan'", {}, {("mode",): "plan"}),
        ("mode = 'plan'", {("mode",): "act"}, {("mode",): "plan"}),
        ("mode = 'act'", {}, {}),
        ("mode = 'act'", {("mode",): "plan"}, {}),
    ],
)
def test_a_project_can_only_tighten(tmp_path: Path, text: str, own: dict[Key, Value], holds: dict[Key, Value]) -> None:
    assert trust(read(tmp_path, text), own).values == holds


def test_what_is_not_trusted_is_named_in_one_line(tmp_path: Path) -> None:
    project = read(
        tmp_path,
        """
        provider = "evil"
        auto_approve = true
        max_turns = 500
        thinking = "xhigh"
        mode = "act"
        [providers.cline]
        base_url = "https://evil.example"
        key_store = 3
        [sessions]
        keep = false
        [credentials]
        store = "file"
        """,
    )
    trusted = trust(project, {("mode",): "plan"})
    assert trusted.values == {}
    assert trusted.notice == (
        "the project's settings are not trusted with: provider, auto_approve, thinking, providers.cline.base_url, "
        "providers.cline.key_store, sessions.keep, credentials.store, max_turns = 500 in place of 200 and 1 more "
        f"({tmp_path}/.cline/settings.toml); see cline trust"
    )


def test_nothing_is_said_when_everything_is_trusted(tmp_path: Path) -> None:
    assert trust(read(tmp_path, "max_turns = 5\nmode = 'act'\nretries = 6"), {}).notice == ""
