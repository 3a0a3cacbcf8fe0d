from __future__ import annotations

import json
from pathlib import Path

import pytest

from cline_cli.config._original import (
    OTHER_IDS,
    Original,
    OriginalGlobals,
    OriginalKey,
    OriginalProvider,
    read_original,
    read_original_globals,
    read_original_key,
)
from cline_cli.providers import PROVIDERS


def write(folder: Path, settings: object, provider: str = "cline") -> Path:
    file = folder / "providers.json"
    file.write_text(json.dumps({"version": 1, "providers": {provider: {"settings": settings}}}))
    return file


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


@pytest.mark.parametrize(
    ("saved", "served"), [("openai", "openai-compatible"), ("openai-native", "openai-native"), ("cline", "cline")]
)
def test_a_key_is_found_under_the_originals_own_names(tmp_path: Path, saved: str, served: str) -> None:
    file = write(tmp_path, {"apiKey": "sk-1"}, saved)
    found = {name for name in ("openai-compatible", "openai-native", "cline") if read_original_key(file, name)}
    assert found == {served}
    assert {name: PROVIDERS[name].aliases for name in OTHER_IDS} == OTHER_IDS


def test_what_is_set_up_is_read_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "providers.json"
    settings = {"model": "a/b", "baseUrl": 3, "reasoning": {"enabled": True, "effort": "high"}}
    providers = {"cline": {"settings": settings}, "x": 1, "y": {"settings": {"reasoning": {"enabled": False}}}}
    file.write_text(json.dumps({"lastUsedProvider": "cline", "providers": providers}))
    nothing = OriginalProvider(None, None, None)
    found = read_original(file)
    assert found == Original("cline", {"cline": OriginalProvider("a/b", 3, "high"), "x": nothing, "y": nothing})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1, column 2 is not valid JSON"),
        ("[" * 100_000, "it is not valid JSON"),
        (b"\xff\xfe\xff".decode("latin-1"), "not valid JSON"),
        ("[]", "it has no providers in it"),
        ('{"providers": []}', "it has no providers in it"),
        ("#" * (2 << 20), "it is larger than"),
    ],
)
def test_the_cause_is_told_when_the_file_cannot_be_read(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "providers.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_original(file)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"planActMode": "plan", "toolAutoApprove": True}, OriginalGlobals("plan", True, ())),
        ({"toolAutoApprove": "yes", "disabledTools": ["a", 1, "b"]}, OriginalGlobals(None, False, ("a", "b"))),
        ({"disabledTools": "a"}, OriginalGlobals(None, False, ())),
        ([], OriginalGlobals(None, False, ())),
    ],
)
def test_what_holds_for_every_provider_is_read(tmp_path: Path, document: object, found: OriginalGlobals) -> None:
    file = tmp_path / "global-settings.json"
    file.write_text(json.dumps(document))
    assert read_original_globals(file) == found
