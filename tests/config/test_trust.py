from __future__ import annotations

import os
from pathlib import Path

import pytest

from cline_cli.config.trust import MAX_BYTES, change_trust, describe, is_trusted, look_at, read_trusted
from cline_cli.errors import SettingsError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "project"
    (folder / ".cline" / "hooks").mkdir(parents=True)
    (folder / ".cline" / "settings.toml").write_text("max_turns = 500\n")
    (folder / ".cline" / "hooks" / "PreToolUse").write_text("#!/bin/sh\n")
    return folder


def test_a_project_is_trusted_as_it_is(tmp_path: Path, project: Path) -> None:
    config = tmp_path / "config"
    assert not is_trusted(config, project)
    content = look_at(project)
    assert content.files == (".cline/settings.toml", ".cline/hooks/PreToolUse")
    assert describe(content.files) == "settings, hooks"
    change_trust(config, project, content.digest)
    assert is_trusted(config, project)
    assert (config / "trusted.json").stat().st_mode & 0o777 == 0o600
    change_trust(config, project, None)
    assert not is_trusted(config, project)


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / ".cline/settings.toml").write_text("max_turns = 501\n"),
        lambda project: (project / ".cline/hooks/PreToolUse").write_text("#!/bin/sh\nevil\n"),
        lambda project: (project / ".cline/mcp.json").write_text("{}"),
        lambda project: (project / ".cline/hooks/PreToolUse").rename(project / ".cline/hooks/PostToolUse"),
        lambda project: (project / ".cline/settings.toml").unlink(),
    ],
)
def test_whatever_changes_has_to_be_trusted_again(tmp_path: Path, project: Path, change: object) -> None:
    change_trust(tmp_path, project, look_at(project).digest)
    change(project)  # type: ignore[operator]
    assert not is_trusted(tmp_path, project)


def test_another_folder_with_the_same_files_is_not_trusted(tmp_path: Path, project: Path) -> None:
    change_trust(tmp_path, project, look_at(project).digest)
    twin = project.with_name("twin")
    project.rename(twin)
    assert not is_trusted(tmp_path, twin)


def test_nothing_is_trusted_where_there_is_nothing(tmp_path: Path) -> None:
    assert look_at(tmp_path).digest == ""
    change_trust(tmp_path, tmp_path, "")
    assert not is_trusted(tmp_path, tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"/x": 1}', "\xff"])
def test_a_list_that_cannot_be_read_trusts_nothing(tmp_path: Path, project: Path, text: str) -> None:
    (tmp_path / "trusted.json").write_text(text, "latin-1")
    assert not is_trusted(tmp_path, project)


def test_what_cannot_be_read_whole_is_not_trusted(tmp_path: Path, project: Path) -> None:
    (project / ".cline" / "mcp.json").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(SettingsError, match="too much"):
        look_at(project)
    (project / ".cline" / "mcp.json").unlink()
    os.mkfifo(project / ".cline" / "mcp.json")
    with pytest.raises(SettingsError, match="cannot read"):
        look_at(project)
    assert not is_trusted(tmp_path, project)
    assert read_trusted(tmp_path) == {}
