from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from cline_cli.config.opening import Opened, open_settings
from cline_cli.config.paths import find_paths
from cline_cli.config.settings import ProviderSettings, Settings
from cline_cli.environment import Environment
from cline_cli.errors import SettingsError

NAMES = {"cline": "cline", "openrouter": "openrouter", "openai-compatible": "openai-compatible"}
NAMES |= {"openai": "openai-compatible", "openai-native": "openai-compatible"}
KEY = "sk-canary-0123456789"


@dataclass
class World:
    home: Path
    workspace: Path

    @property
    def file(self) -> Path:
        return self.home / "config" / "settings.toml"

    @property
    def original(self) -> Path:
        return self.home / ".cline" / "data" / "settings" / "providers.json"

    def write(self, text: str) -> None:
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(text)

    def write_project(self, text: str) -> Path:
        file = self.workspace / ".cline" / "settings.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def leave_original(self, document: object, **globals_document: object) -> None:
        self.original.parent.mkdir(parents=True, exist_ok=True)
        self.original.write_text(document if isinstance(document, str) else json.dumps(document))
        if globals_document:
            self.original.with_name("global-settings.json").write_text(json.dumps(globals_document))

    def open(self, *, may_write: bool = True, **variables: str) -> Opened:
        environment = Environment(variables, self.workspace, self.home, None, None, None, False, False, False)
        paths = find_paths(environment, config=str(self.file.parent))
        return open_settings(paths, environment, NAMES, workspace=self.workspace, may_write=may_write)


@pytest.fixture
def world(private_home: Path) -> World:
    return World(private_home, Path.cwd())


def test_nothing_is_made_when_nothing_is_set(world: World) -> None:
    assert world.open() == Opened(own=world.open().own)
    assert not world.file.parent.exists()


def test_every_setting_is_known_with_the_file_and_line_it_stands_in(world: World) -> None:
    world.write("# mine\nmax_turns = 20\n[providers.cline]\nmodel = 'm'\n")
    project = world.write_project("\n\nmax_turns = 10\n")
    opened = world.open()
    assert opened.place(("max_turns",)) == f"{project}, line 3"
    assert opened.place(("providers", "cline", "model")) == f"{world.file}, line 4"
    assert opened.place(("timeout",)) == ""
    assert opened.settings.of("cline").model == "m"


def test_a_name_that_is_no_setting_is_told_with_the_nearest(world: World) -> None:
    world.write(
        "max_turn = 3\n[stdin]\nmax_byte = 1\n[hooks]\nx = 1\ny = 2\n[providers.opnrouter]\nmodel = 'x'\n"
        "[providers.openai]\nmodel = 'y'\n[providers.cline]\napi_key = 'sk-secret'\n"
    )
    project = world.write_project("retrys = 3\n")
    file = world.file
    warnings = world.open().warnings
    assert warnings[:5] == (
        f'{file}, line 1: there is no setting "max_turn", did you mean max_turns?',
        f'{file}, line 3: there is no setting "stdin.max_byte", did you mean stdin.max_bytes?',
        f'{file}, line 4: there is no setting "hooks"',
        (
            f'{file}, line 12: there is no setting "providers.cline.api_key": '
            "keys are kept by `cline auth`, not in this file"
        ),
        f'{file}, line 7: there is no provider "opnrouter", did you mean providers.openrouter?',
    )
    assert warnings[5] == f"{file}: 1 more of such names"
    assert warnings[6] == f'{project}, line 1: there is no setting "retrys", did you mean retries?'
    assert "sk-secret" not in str(warnings)


def test_settings_under_another_name_of_a_provider_are_told(world: World) -> None:
    world.write("[providers.openai]\nmodel = 'y'\n")
    (warning,) = world.open().warnings
    assert warning.endswith('line 1: there is no provider "openai", did you mean providers.openai-compatible?')


def test_a_name_that_steers_terminals_is_shown_harmlessly(world: World) -> None:
    world.write('"\\u001b[2J" = 1\n"' + "x" * 5000 + '" = 2\n')
    first, second = world.open().warnings
    assert first.isprintable()
    assert len(second) < 300


def test_unknown_names_stay_in_the_file(world: World) -> None:
    text = "future = 1\n"
    world.write(text)
    world.open()
    assert world.file.read_text() == text


def test_a_broken_project_stops_whoever_opens_it(world: World) -> None:
    file = world.write_project("max_turns = = 3\n")
    with pytest.raises(SettingsError, match=rf"cannot read {file}, line 1, column 13: "):
        world.open()


def test_a_project_that_is_not_read_is_told(world: World) -> None:
    (world.workspace / ".cline").mkdir()
    (world.workspace / ".cline" / "settings.toml").symlink_to("/etc/hostname")
    (warning,) = world.open().warnings
    assert "symbolic link" in warning


CLINE = {"model": "a/b", "apiKey": KEY, "baseUrl": "https://x.example/v1/", "reasoning": {"effort": "high"}}


def test_the_originals_settings_are_taken_over_once(world: World) -> None:
    world.leave_original({"lastUsedProvider": "cline", "providers": {"cline": {"settings": CLINE}}}, planActMode="plan")
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in world.original.parent.iterdir()}
    opened = world.open()
    assert opened.settings == Settings("cline", {"cline": ProviderSettings("a/b", "https://x.example/v1")})
    assert {key[0]: each.value for key, each in opened.found.items() if len(key) == 1} == {
        "provider": "cline",
        "thinking": "high",
        "mode": "plan",
    }
    (warning,) = opened.warnings
    assert warning == (
        f'taken over from {world.original}: provider = "cline", providers.cline.model = "a/b", '
        'providers.cline.base_url = "https://x.example/v1", thinking = "high", mode = "plan"; '
        f"keys stay there and are found; now in {world.file}"
    )
    assert stat.S_IMODE(world.file.stat().st_mode) == 0o600
    assert KEY not in world.file.read_text() + str(opened.warnings)
    assert world.file.read_text().startswith(f"# Taken over from {world.original}, which is only read.\n")
    again = world.open()
    assert (again.settings, again.warnings) == (opened.settings, ())
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in world.original.parent.iterdir()} == before


def test_nothing_is_taken_over_when_there_are_settings(world: World) -> None:
    world.leave_original({"lastUsedProvider": "cline", "providers": {"cline": {"settings": CLINE}}})
    world.write("")
    assert world.open().settings == Settings()
    assert world.open().warnings == ()
    assert world.file.read_text() == ""


def test_what_would_loosen_or_is_not_there_is_named_and_left(world: World) -> None:
    world.leave_original(
        {"lastUsedProvider": "bedrock", "providers": {"bedrock": {}, "dify\x1b[2J": {}}},
        toolAutoApprove=True,
        disabledTools=["web_search", "\x1b]0;x\x07editor"],
        planActMode="act",
    )
    (warning,) = world.open().warnings
    assert warning.startswith(f"taken over from {world.original}: nothing; not taken over: ")
    assert "providers that are not supported yet (bedrock, dify)" in warning
    assert "toolAutoApprove (use -y, or cline config set auto_approve true)" in warning
    assert "disabledTools (web_search, editor)" in warning
    assert warning.isprintable()
    assert "auto_approve" not in world.file.read_text()
    assert world.open().warnings == ()


def test_a_provider_is_taken_over_under_the_name_that_settings_know(world: World) -> None:
    providers = {
        "cline": {"settings": {"reasoning": {"effort": "high"}}},
        "openai-compatible": {"settings": {"model": "other"}},
        "openai-native": {"settings": {"model": "last", "reasoning": {"enabled": False, "effort": "low"}}},
    }
    world.leave_original({"lastUsedProvider": "openai-native", "providers": providers})
    opened = world.open()
    assert opened.settings == Settings("openai-compatible", {"openai-compatible": ProviderSettings("last")})
    assert ("thinking",) not in opened.found


def test_a_value_that_is_none_here_is_named_and_left(world: World) -> None:
    settings = {"model": 3, "baseUrl": "ftp://x", "reasoning": {"effort": "very"}}
    world.leave_original({"lastUsedProvider": "cline", "providers": {"cline": {"settings": settings}}})
    opened = world.open()
    assert opened.settings == Settings("cline")
    assert "providers.cline.model (must be text in quotes, not a number)" in opened.warnings[0]
    assert "providers.cline.base_url (is no address of a server" in opened.warnings[0]
    assert "thinking (must be none, low" in opened.warnings[0]


def test_nothing_is_said_or_made_when_there_are_only_keys(world: World) -> None:
    world.leave_original({"providers": {"cline": {"settings": {"apiKey": KEY}}}})
    assert world.open().warnings == ()
    assert not world.file.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"providers": 3}'])
def test_a_broken_file_of_the_original_is_told_once_and_stops_nothing(world: World, text: str) -> None:
    world.leave_original(text)
    (warning,) = world.open().warnings
    assert warning.startswith(f"nothing is taken over from {world.original}: ")
    assert world.open().warnings == ()
    assert world.original.read_text() == text


def test_what_is_taken_over_holds_for_the_run_when_it_cannot_be_kept(world: World) -> None:
    world.leave_original({"lastUsedProvider": "cline", "providers": {"cline": {"settings": CLINE}}})
    world.file.parent.write_text("a file where the folder should be")
    environment = Environment({}, world.workspace, world.home, None, None, None, False, False, False)
    paths = find_paths(environment, config=str(world.file.parent / "below"))
    opened = open_settings(paths, environment, NAMES)
    assert opened.settings.of("cline").model == "a/b"
    assert "; for this run only: cannot save " in opened.warnings[0]
    assert opened.place(("provider",)) == str(world.original)


def test_nothing_is_written_when_it_must_not_be(world: World) -> None:
    world.leave_original({"lastUsedProvider": "cline", "providers": {"cline": {"settings": CLINE}}})
    assert world.open(may_write=False).settings.provider == "cline"
    assert not world.file.parent.exists()


def test_the_originals_settings_are_found_where_a_variable_says(world: World, tmp_path: Path) -> None:
    providers = tmp_path / "p.json"
    providers.write_text(json.dumps({"lastUsedProvider": "cline", "providers": {"cline": {"settings": CLINE}}}))
    rest = tmp_path / "g.json"
    rest.write_text(json.dumps({"planActMode": "plan"}))
    opened = world.open(CLINE_PROVIDER_SETTINGS_PATH=str(providers), CLINE_GLOBAL_SETTINGS_PATH=str(rest))
    assert opened.settings.provider == "cline"
    assert opened.found["mode",].value == "plan"


def test_what_is_found_through_a_variable_holds_for_that_run_alone(world: World, tmp_path: Path) -> None:
    settings = tmp_path / "clone" / "settings"
    settings.mkdir(parents=True)
    entry = {"settings": {"baseUrl": "http://127.0.0.1:1/v1"}}
    (settings / "providers.json").write_text(json.dumps({"lastUsedProvider": "cline", "providers": {"cline": entry}}))
    opened = world.open(CLINE_DATA_DIR=str(tmp_path / "clone"))
    assert opened.settings.of("cline").base_url == "http://127.0.0.1:1/v1"
    assert opened.warnings == ()
    assert not world.file.exists()
    assert world.open().settings.of("cline").base_url == ""


def test_a_broken_file_of_further_settings_takes_nothing_away_from_the_rest(world: World) -> None:
    world.leave_original({"lastUsedProvider": "cline", "providers": {}}, x=1)
    world.original.with_name("global-settings.json").write_text("{")
    opened = world.open()
    assert opened.settings.provider == "cline"
    assert "global-settings.json: line 1, column 2 is not valid JSON" in opened.warnings[0]
