from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.config._key_file import KeyFile
from cline_cli.config._store import StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "credentials.json"


def test_a_key_is_read_back_when_it_was_written(path: Path) -> None:
    KeyFile(path).write("cline", "sk-1")
    KeyFile(path).write("openrouter", "sk-2")
    assert KeyFile(path).read("cline") == "sk-1"
    assert KeyFile(path).read("openrouter") == "sk-2"
    assert KeyFile(path).read("local") is None


def test_file_and_folder_are_private_whatever_the_umask(path: Path) -> None:
    mask = os.umask(0)
    try:
        KeyFile(path).write("cline", "sk-1")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert KeyFile(path).weakness() == ""


def test_only_that_key_goes_when_one_is_deleted(path: Path) -> None:
    file = KeyFile(path)
    file.write("cline", "sk-1")
    file.write("openrouter", "sk-2")
    assert file.delete("cline")
    assert not file.delete("cline")
    assert file.read("cline") is None
    assert file.read("openrouter") == "sk-2"


def test_nothing_is_made_when_there_is_nothing_to_delete(path: Path) -> None:
    assert not KeyFile(path).delete("cline")
    assert not path.parent.exists()


def test_unknown_members_are_kept_when_a_key_is_written(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 1, "note": "mine", "keys": {"x": "y"}}')
    KeyFile(path).write("cline", "sk-1")
    assert json.loads(path.read_text()) == {"version": 1, "note": "mine", "keys": {"x": "y", "cline": "sk-1"}}


def test_a_link_is_neither_read_nor_written_through(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    target = tmp_path / "target"
    target.write_text('{"version": 1, "keys": {"cline": "sk-1"}}')
    path.symlink_to(target)
    with pytest.raises(StoreError, match="symbolic link"):
        KeyFile(path).read("cline")
    with pytest.raises(StoreError, match="symbolic link"):
        KeyFile(path).write("cline", "sk-2")
    assert "sk-1" in target.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's file")
def test_another_users_file_is_refused(path: Path) -> None:
    KeyFile(path).write("cline", "sk-1")
    os.chown(path, 12345, -1)
    with pytest.raises(StoreError, match="another user"):
        KeyFile(path).read("cline")
    with pytest.raises(StoreError, match="another user"):
        KeyFile(path).write("cline", "sk-2")


@pytest.mark.parametrize(("mode", "folder_mode", "told"), [(0o644, 0o700, "open it"), (0o600, 0o777, "replace it")])
def test_the_weakness_is_told_when_others_can_get_at_the_file(
    path: Path, mode: int, folder_mode: int, told: str
) -> None:
    KeyFile(path).write("cline", "sk-1")
    path.chmod(mode)
    path.parent.chmod(folder_mode)
    assert told in KeyFile(path).weakness()
    KeyFile(path).write("cline", "sk-2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1 is not valid JSON"),
        ('{"version": 1,\n"keys": {', "line 2 is not valid JSON"),
        ("[]", "not a file of keys"),
        ("{}", "not a file of keys"),
        ('{"version": 2, "keys": {}}', "newer version"),
        ('{"version": 1, "keys": []}', "is not an object"),
        ('{"version": 1, "keys": {"cline": 3}}', "is no text"),
        ("[" * 100_000, "is not valid JSON"),
        ("\udcff", "is not valid JSON"),
    ],
)
def test_the_cause_is_told_and_nothing_is_lost_when_the_file_is_broken(path: Path, text: str, told: str) -> None:
    path.parent.mkdir()
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(StoreError, match=told):
        KeyFile(path).read("cline")
    with pytest.raises(StoreError, match=told):
        KeyFile(path).delete("cline")
    assert path.read_text(errors="surrogateescape") == text


def test_no_key_is_in_the_error_when_the_file_is_broken(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 1, "keys": {"cline": "sk-canary" oops')
    with pytest.raises(StoreError) as caught:
        KeyFile(path).read("cline")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("version", "keys", "cline")), inner),
        max_leaves=10,
    )
)
def test_any_document_is_keys_or_a_fault_of_the_store(document: object) -> None:
    path = Path("credentials.json")
    path.write_text(json.dumps(document))
    try:
        key = KeyFile(path).read("cline")
    except StoreError:
        return
    assert key is None or isinstance(key, str)


def test_no_key_is_lost_when_processes_write_at_once(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cline_cli.config._key_file import KeyFile\n"
        "for n in range(5): KeyFile(Path(sys.argv[1])).write(f'{sys.argv[2]}-{n}', 'sk')"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert len(json.loads(path.read_text())["keys"]) == 20
