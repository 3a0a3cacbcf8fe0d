from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cline_cli.config._document import parse_document
from cline_cli.config._reading import collect
from cline_cli.config.definitions import DEFINITIONS, find
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
    assert {one.key for one in DEFINITIONS if find(one.path) and not one.key.endswith("key_store")} == {
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
    assert draft.path.exists()
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


@pytest.mark.parametrize("before", [None, b"", b"max_turns = 5\n"])
def test_a_draft_is_put_aside_when_the_settings_are_not_what_they_were_when_it_was_made(
    file: Path, before: bytes | None
) -> None:
    if before is not None:
        file.parent.mkdir()
        file.write_bytes(before)
    open_draft(file).path.write_text("max_turns = = 6\n")
    change_settings(file, {("timeout",): "10m"})
    again = open_draft(file)
    assert not again.is_left_over
    assert again.text == file.read_bytes()
    assert again.put_aside == file.with_name("settings.draft.1.toml")
    assert again.put_aside.read_text() == "max_turns = = 6\n"


def test_no_draft_that_was_put_aside_is_lost_when_another_follows(file: Path) -> None:
    for number in (1, 2):
        open_draft(file).path.write_text(f"# {number}\n")
        change_settings(file, {("max_turns",): number})
    last = open_draft(file)
    assert last.put_aside == file.with_name("settings.draft.2.toml")
    assert file.with_name("settings.draft.1.toml").read_text() == "# 1\n"
    assert last.put_aside.read_text() == "# 2\n"


def test_a_draft_is_put_aside_when_nobody_knows_what_the_settings_were(file: Path) -> None:
    change_settings(file, {("max_turns",): 3})
    file.with_name("settings.draft.toml").write_text("timeout = 90\n")
    draft = open_draft(file)
    assert (draft.text, draft.is_left_over) == (b"max_turns = 3\n", False)
    assert draft.put_aside
    assert draft.put_aside.read_text() == "timeout = 90\n"


def test_a_draft_that_two_edits_wrote_is_put_aside_when_one_of_them_was_refused(file: Path) -> None:
    change_settings(file, {("max_turns",): 3})
    first = open_draft(file)
    change_settings(file, {("timeout",): "10m"})
    second = open_draft(file)
    first.path.write_text("max_turns = 4\n")
    with pytest.raises(ClineError, match="was changed by somebody else meanwhile"):
        adopt(first, NAMES)
    assert second.path == first.path
    assert open_draft(file).put_aside
    assert file.read_text() == 'max_turns = 3\ntimeout = "10m"\n'


def test_a_draft_is_gone_on_with_when_the_settings_are_again_what_they_were(file: Path) -> None:
    change_settings(file, {("max_turns",): 3})
    open_draft(file).path.write_text("max_turns = = 4\n")
    change_settings(file, {("max_turns",): 9})
    change_settings(file, {("max_turns",): 3})
    assert open_draft(file).is_left_over


def test_nothing_of_a_draft_is_left_when_it_was_used(file: Path) -> None:
    draft = open_draft(file)
    draft.path.write_text("max_turns = 3\n")
    adopt(draft, NAMES)
    assert sorted(one.name for one in file.parent.iterdir()) == ["settings.toml", "settings.toml.lock"]


@pytest.mark.parametrize(
    ("before", "edited", "is_unchanged"),
    [
        (None, None, True),
        (None, "", True),
        (None, "max_turns = 3\n", False),
        ("", None, True),
        ("", "", True),
        ("# mine\n", None, True),
        ("# mine\n", "", False),
        ("# mine\n", make_template(), False),
    ],
)
def test_an_edit_changes_nothing_when_the_draft_says_what_the_settings_said(
    file: Path, before: str | None, edited: str | None, is_unchanged: bool
) -> None:
    if before is not None:
        file.parent.mkdir()
        file.write_text(before)
    draft = open_draft(file)
    if edited is not None:
        draft.path.write_text(edited)
    assert draft.is_unchanged == is_unchanged


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
