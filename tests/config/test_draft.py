from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cline_cli.config._document import parse_document
from cline_cli.config._reading import collect
from cline_cli.config.definitions import BUILT, find
from cline_cli.config.draft import adopt, make_template, open_draft
from cline_cli.config.settings import change_settings
from cline_cli.errors import ClineError, SettingsError

NAMES = {"cline": "cline", "openrouter": "openrouter"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.toml"


def test_the_template_has_every_setting_as_a_comment() -> None:
    template = make_template()
    assert all(not line or line.startswith("# ") for line in template.splitlines())
    live = "\n".join(line.removeprefix("# ") for line in template.splitlines() if " = " in line)
    document = parse_document(Path("settings.toml"), live.encode())
    collected = collect(document)
    assert collected.unknown == ()
    assert {one.key for one in BUILT if find(one.path) and not one.key.endswith("key_store")} == {
        ".".join(key).replace("providers.cline", "providers.*") for key in collected.values
    }
    for key, value in collected.values.items():
        definition = find(key)
        assert definition
        assert value == (definition.example if definition.default is None else definition.default)


def test_a_draft_becomes_the_settings(file: Path) -> None:
    mask = os.umask(0)
    try:
        draft = open_draft(file)
        assert draft.text == make_template().encode()
        draft.path.write_text("max_turns = 3\nmax_turn = 4\n[providers.opnrouter]\n")
        told = adopt(draft, NAMES)
    finally:
        os.umask(mask)
    assert file.read_text().startswith("max_turns = 3\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert told[0] == f'{file}, line 2: there is no setting "max_turn", did you mean max_turns?'
    assert "opnrouter" in told[1]
    assert not draft.path.exists()


def test_a_broken_draft_stays_and_the_settings_stay_as_they_are(file: Path) -> None:
    change_settings(file, {("max_turns",): 3})
    draft = open_draft(file)
    assert draft.text == b"max_turns = 3\n"
    draft.path.write_text("max_turns = 3\ntimeout = soon\n")
    with pytest.raises(SettingsError) as caught:
        adopt(draft, NAMES)
    assert f"{draft.path}, line 2, column 11: invalid value" in caught.value.message
    assert "goes on with the draft" in caught.value.hint
    assert file.read_text() == "max_turns = 3\n"
    again = open_draft(file)
    assert (again.is_left_over, again.text) == (True, b"max_turns = 3\ntimeout = soon\n")
    again.path.write_text("timeout = 90\n")
    adopt(again, NAMES)
    assert file.read_text() == "timeout = 90\n"
    assert not open_draft(file).is_left_over


def test_an_empty_draft_is_what_was_left_and_not_taken_for_none(file: Path) -> None:
    draft = open_draft(file)
    draft.path.write_text("")
    assert open_draft(file).text == b""


def test_a_change_of_somebody_else_meanwhile_is_not_lost(file: Path) -> None:
    draft = open_draft(file)
    draft.path.write_text("max_turns = 3\n")
    change_settings(file, {("timeout",): "5m"})
    with pytest.raises(ClineError, match="was changed by somebody else meanwhile") as caught:
        adopt(draft, NAMES)
    assert str(draft.path) in caught.value.hint
    assert file.read_text() == 'timeout = "5m"\n'
    assert draft.path.read_text() == "max_turns = 3\n"


def test_a_link_to_the_settings_stays_a_link(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_text("max_turns = 3\n")
    file.parent.mkdir()
    file.symlink_to(target)
    draft = open_draft(file)
    draft.path.write_text("max_turns = 4\n")
    adopt(draft, NAMES)
    assert file.is_symlink()
    assert target.read_text() == "max_turns = 4\n"


def test_a_draft_that_the_editor_took_away_changes_nothing(file: Path) -> None:
    change_settings(file, {("max_turns",): 3})
    draft = open_draft(file)
    draft.path.unlink()
    assert draft.read() == draft.before
