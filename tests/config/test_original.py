from __future__ import annotations

import json
from pathlib import Path

import pytest

from cline_cli.config._original import OriginalKey, find_original_file, read_original_key


def write(folder: Path, settings: object, provider: str = "cline") -> Path:
    file = folder / "providers.json"
    file.write_text(json.dumps({"version": 1, "providers": {provider: {"settings": settings}}}))
    return file


def test_the_file_is_in_the_home_of_the_original_command(tmp_path: Path) -> None:
    assert find_original_file(tmp_path) == tmp_path / ".cline/data/settings/providers.json"
    assert find_original_file(None) is None


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"apiKey": "sk-1"}, OriginalKey("sk-1", "")),
        ({"apiKey": "sk-1", "baseUrl": "https://x"}, OriginalKey("sk-1", "https://x")),
        ({"apiKey": "sk-1", "auth": {"accessToken": "t"}}, OriginalKey("workos:t", "")),
        ({"auth": {"accessToken": "workos:t"}}, OriginalKey("workos:t", "")),
        ({"auth": {"accessToken": ""}, "apiKey": "sk-1"}, OriginalKey("sk-1", "")),
        ({"auth": {"accessToken": 7}, "apiKey": "sk-1"}, OriginalKey("sk-1", "")),
        ({"auth": []}, None),
        ({"apiKey": " "}, None),
        ({"apiKey": None}, None),
        ([], None),
    ],
)
def test_the_login_goes_before_the_key(tmp_path: Path, settings: object, key: OriginalKey | None) -> None:
    assert read_original_key(write(tmp_path, settings), "cline") == key


def test_a_login_is_not_taken_for_a_key_when_it_is_another_vendors(tmp_path: Path) -> None:
    file = write(tmp_path, {"auth": {"accessToken": "t"}}, "openrouter")
    assert read_original_key(file, "openrouter") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"providers": 1}', '{"providers": {"cline": 1}}', "[" * 100_000])
def test_nothing_is_found_when_the_file_is_not_as_expected(tmp_path: Path, text: str) -> None:
    file = tmp_path / "providers.json"
    file.write_text(text)
    assert read_original_key(file, "cline") is None
    assert file.read_text() == text


def test_nothing_is_found_when_there_is_no_file(tmp_path: Path) -> None:
    assert read_original_key(tmp_path / "missing", "cline") is None
