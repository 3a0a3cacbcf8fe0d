from __future__ import annotations

import json
import shlex
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.commands._config_given import blame, fill
from cline_cli.commands._config_opening import PROVIDER_NAMES
from cline_cli.commands._config_show import collect, look_up
from cline_cli.commands._given import Given
from cline_cli.commands._values import read_amount, read_bool, read_count, read_effort, read_timeout, read_word
from cline_cli.commands.config import ORIGINAL_TABS, app
from cline_cli.commands.options import BUILT
from cline_cli.config.definitions import DEFINITIONS as SETTINGS
from cline_cli.config.definitions import Definition
from cline_cli.config.opening import Opened, open_settings
from cline_cli.config.paths import find_paths
from cline_cli.config.settings import change_settings, load_settings
from cline_cli.config.values import from_text, to_text
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, SettingsError, UsageError

KEY = "sk-canary-77aa01c3"


@dataclass
class Desk:
    """Runs the command in a private home."""

    folder: Path
    environment: Environment
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "config" / "settings.toml"

    @property
    def draft(self) -> Path:
        return self.file.with_name("settings.draft.toml")

    def write(self, text: str) -> None:
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(text)

    def write_project(self, text: str) -> Path:
        file = Path.cwd() / ".cline" / "settings.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    def run(self, *words: str) -> tuple[str, str]:
        """Return what the command wrote to stdout and to stderr."""
        texts: list[str] = []
        with (self.folder / "out").open("w+b") as out, (self.folder / "err").open("w+b") as err:
            environment = replace(
                self.environment, stdout=out.fileno(), stderr=err.fileno(), variables=self.variables, stdin=None
            )
            app(["--config", str(self.file.parent), *words], standalone_mode=False, obj=environment)
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode())
        return texts[0], texts[1]

    def table(self, *words: str) -> dict[str, tuple[str, str]]:
        """Return each setting that is listed with its value and who says so."""
        rows = [line.split() for line in self.run(*words)[0].splitlines()]
        return {key: (value, " ".join(origin)) for key, value, *origin in rows}

    def edit_with(self, code: str) -> None:
        """Make an editor of a line of Python, in which `file` is what it edits."""
        script = self.folder / "editor.py"
        script.write_text(f"import sys; from pathlib import Path; file = Path(sys.argv[1])\n{code}\n")
        self.variables["EDITOR"] = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))}"


@pytest.fixture
def desk(tmp_path: Path, private_home: Path) -> Desk:
    environment = Environment({}, Path.cwd(), private_home, None, None, None, False, False, False)
    return Desk(tmp_path, environment)


def test_every_setting_is_listed_with_who_says_so(desk: Desk) -> None:
    desk.write("timeout = 90\n\n[providers.openrouter]\nmodel = 'a/b'\n")
    project = desk.write_project("max_turns = 9\n")
    desk.variables = {"CLINE_RETRIES": "2", "CLINE_PLAN": "1", "CLINE_NO_SESSION": "1"}
    assert desk.table() == {
        "provider": ("cline", "default"),
        "auto_approve": ("false", "default"),
        "mode": ("plan", "$CLINE_PLAN"),
        "thinking": ("-", "default"),
        "timeout": ("90", f"{desk.file}:1"),
        "idle_timeout": ("5m", "default"),
        "request_timeout": ("30m", "default"),
        "compaction": ("agentic", "default"),
        "max_turns": ("9", f"{project}:1"),
        "max_total_tokens": ("-", "default"),
        "max_cost": ("-", "default"),
        "retries": ("2", "$CLINE_RETRIES"),
        "providers.openrouter.model": ("a/b", f"{desk.file}:4"),
        "stdin.max_bytes": ("200000", "default"),
        "credentials.store": ("auto", "default"),
        "sessions.keep": ("false", "$CLINE_NO_SESSION"),
        "sessions.keep_days": ("30", "default"),
        "sessions.max_bytes": ("1000000000", "default"),
        "console.theme": ("auto", "default"),
        "console.title": ("false", "default"),
        "console.bell": ("0", "default"),
        "policy.allow": ("-", "default"),
        "policy.deny": ("-", "default"),
        "policy.allow_redirects": ("-", "default"),
        "sandbox": ("-", "default"),
        "sandbox_network": ("on", "default"),
    }
    assert desk.table("list") == desk.table()


@pytest.mark.parametrize(
    ("variables", "key", "shown"),
    [
        ({"CLINE_YOLO": "1"}, "auto_approve", ("true", "$CLINE_YOLO")),
        ({"CLINE_AUTO_APPROVE": "false"}, "auto_approve", ("false", "$CLINE_AUTO_APPROVE")),
        ({"CLINE_ACT": "1"}, "mode", ("act", "$CLINE_ACT")),
        ({"CLINE_MODE": "act"}, "mode", ("act", "$CLINE_MODE")),
        ({"CLINE_REASONING_EFFORT": "low"}, "thinking", ("low", "$CLINE_REASONING_EFFORT")),
        ({"CLINE_MAX_COST": "$2.5"}, "max_cost", ("2.5", "$CLINE_MAX_COST")),
        ({"CLINE_PROVIDER": "openai"}, "provider", ("openai", "$CLINE_PROVIDER")),
        ({"OPENROUTER_API_KEY": KEY}, "provider", ("openrouter", "$OPENROUTER_API_KEY")),
        ({"CLINE_MODEL": "m"}, "providers.cline.model", ("m", "$CLINE_MODEL")),
        ({"CLINE_MODEL": "m", "CLINE_PROVIDER": "openai"}, "providers.openai-compatible.model", ("m", "$CLINE_MODEL")),
        (
            {"CLINE_API_BASE_URL": "http://127.0.0.1:1"},
            "providers.cline.base_url",
            ("http://127.0.0.1:1/api/v1", "$CLINE_API_BASE_URL"),
        ),
    ],
)
def test_a_variable_goes_before_the_file(
    desk: Desk, variables: dict[str, str], key: str, shown: tuple[str, str]
) -> None:
    desk.write("auto_approve = true\nmode = 'plan'\nthinking = 'high'\nmax_cost = 1\n[providers.cline]\nmodel = 'x'\n")
    desk.variables = variables
    assert desk.table()[key] == shown


@pytest.mark.parametrize(
    ("variables", "key", "told"),
    [
        ({"CLINE_TIMEOUT": "soon"}, "timeout", "no run would start: CLINE_TIMEOUT 'soon' is no time."),
        ({"CLINE_IDLE_TIMEOUT": "0"}, "idle_timeout", "no run would start: CLINE_IDLE_TIMEOUT '0' is no time."),
        ({"CLINE_MAX_TURNS": "1_000"}, "max_turns", "CLINE_MAX_TURNS '1_000' is not a whole number"),
        ({"CLINE_API_BASE_URL": "x"}, "providers.cline.base_url", "CLINE_API_BASE_URL 'x' is no address"),
    ],
)
def test_a_variable_that_is_no_value_is_told(desk: Desk, variables: dict[str, str], key: str, told: str) -> None:
    desk.variables = variables
    out, err = desk.run()
    assert told in err
    assert {line.split()[0]: line.split()[1:] for line in out.splitlines()}[key] == ["-", f"${next(iter(variables))}"]


def test_the_list_is_one_object_for_programs(desk: Desk) -> None:
    desk.write("max_turn = 3\nmax_cost = 0.5\n")
    document = json.loads(desk.run("--json")[0])
    assert set(document) == {"settings", "paths", "warnings"}
    assert document["settings"]["max_cost"] == {
        "value": 0.5,
        "origin": f"{desk.file}:2",
        "file": str(desk.file),
        "line": 2,
    }
    assert document["settings"]["thinking"] == {"value": None, "origin": "default", "file": None, "line": None}
    assert document["paths"]["settings"] == {"path": str(desk.file), "reason": "--config", "exists": True}
    assert document["warnings"] == [f'{desk.file}, line 1: there is no setting "max_turn", did you mean max_turns?']


def test_no_key_is_shown(desk: Desk, private_home: Path) -> None:
    original = (
        desk.environment.home / ".cline" / "data" / "settings" / "providers.json" if desk.environment.home else None
    )
    assert original
    original.parent.mkdir(parents=True)
    original.write_text(json.dumps({"providers": {"cline": {"settings": {"apiKey": KEY}}}}))
    desk.write(f"api_key = '{KEY}'\n")
    desk.variables = {"CLINE_API_KEY": KEY, "CLINE_KEY": KEY}
    for line in ("", "--json", "path", "get provider"):
        assert KEY not in "".join(desk.run(*line.split()))
    for words in (("set", f"providers.cline.api_key={KEY}"), ("set", "key", KEY), ("set", "OPENAI_API_KEY", KEY)):
        with pytest.raises(UsageError, match="keys of providers are not kept in the settings") as caught:
            desk.run(*words)
        assert KEY not in str(caught.value)
        assert "cline auth" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("max_turns", "3\n"),
        ("max_cost", "0.5\n"),
        ("auto_approve", "true\n"),
        ("timeout", "90s\n"),
        ("retries", "6\n"),
        ("provider", "cline\n"),
        ("sessions.keep", "true\n"),
        ("providers.cline.model", "anthropic/claude-sonnet-4.6\n"),
        ("providers.openai.base_url", "https://api.openai.com/v1\n"),
    ],
)
def test_a_bare_value_is_printed(desk: Desk, key: str, text: str) -> None:
    desk.write("max_turns = 3\nmax_cost = 0.50\nauto_approve = true\ntimeout = '90s'\n")
    assert desk.run("get", key) == (text, "")


def test_a_value_is_an_object_for_programs(desk: Desk) -> None:
    desk.write("max_turns = 3\n")
    assert json.loads(desk.run("get", "max_turns", "--json")[0]) == {
        "key": "max_turns",
        "value": 3,
        "origin": f"{desk.file}:1",
        "file": str(desk.file),
        "line": 1,
    }


@pytest.mark.parametrize("key", ["thinking", "providers.openai-compatible.model", "providers.cline.key_store"])
def test_nothing_is_printed_when_nothing_holds(desk: Desk, key: str) -> None:
    with pytest.raises(ClineError, match=rf"{key} is not set") as caught:
        desk.run("get", key)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("get", "max_turn"), "there is no setting 'max_turn'. Did you mean max_turns?"),
        (("get", "nothing.like.it"), "cline config shows all of them"),
        (("get", "stdin"), "stdin is a table"),
        (("get", "a b"), "'a b' is no name of a setting"),
        (("get", "providers.clin.model"), "there is no provider 'clin'"),
        (("get",), "it is `cline config get KEY`"),
        (("get", "a", "b"), "it is `cline config get KEY`"),
        (("path", "x"), "it is `cline config path`"),
        (("set",), "it is `cline config set KEY VALUE`"),
        (("set", "timeout"), "timeout needs a value"),
        (("set", "timeout", ""), "timeout needs a value"),
        (("set", "timeout="), "timeout needs a value"),
        (("set", "timeout", "soon"), "timeout must be a time such as 90, 90s or 10m, not 'soon'"),
        (("set", "provider", "clin"), "there is no provider 'clin'. The nearest are cline,"),
        (("set", "providers.cline.base_url", "https://ada:pw@x"), "it has a user name or password in it"),
        (("set", "sandbox", "maybe"), "sandbox must be one of auto, require, off, not 'maybe'"),
        (("set", "policy.deny", "[1]"), "policy.deny must hold patterns"),
        (("set", "policy.deny", "["), "policy.deny must be a list such as"),
        (("set", "stdin.max_byte", "3"), "Did you mean stdin.max_bytes?"),
        (("unset", "max_turn"), "there is no setting 'max_turn'"),
        (("unset", "stdin"), "stdin is a table"),
        (
            ("timeout",),
            "there is no `cline config timeout`. cline config get timeout, or cline config set timeout VALUE",
        ),
        (("timeout=3",), "there is no `cline config timeout`"),
        (("gte",), "Was it cline config get?"),
        (("\x1b[2J",), "there is no `cline config"),
    ],
)
def test_one_line_tells_what_is_wrong(desk: Desk, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        desk.run(*words)
    assert told in str(caught.value)
    assert caught.value.exit_code == 2
    assert not desk.file.parent.exists()


@pytest.mark.parametrize("tab", sorted(ORIGINAL_TABS))
def test_what_the_original_shows_here_is_refused(desk: Desk, tab: str) -> None:
    with pytest.raises(UsageError, match=rf"`cline config {tab}` is not supported yet"):
        desk.run(tab)


def test_a_setting_is_changed_and_nothing_else(desk: Desk) -> None:
    desk.write("# mine\nmax_turns = 3 # why\nfuture = 1\n")
    assert desk.run("set", "max_turns", "50")[0] == f"max_turns = 50 is in {desk.file}\n"
    assert desk.file.read_text() == "# mine\nmax_turns = 50 # why\nfuture = 1\n"
    assert desk.run("unset", "max_turns")[0] == f"max_turns is taken out of {desk.file}\n"
    assert "max_turns" not in desk.file.read_text()
    assert desk.run("unset", "max_turns")[0] == f"max_turns was not set in {desk.file}\n"
    assert desk.run("unset", "future")[0] == f"future is taken out of {desk.file}\n"
    assert desk.file.read_text().strip() == "# mine"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("set", "timeout=10m"), 'timeout = "10m"\n'),
        (("set", "max_cost", "$2.50"), "max_cost = 2.5\n"),
        (("set", "auto_approve", "1"), "auto_approve = true\n"),
        (("set", "provider", "openai"), 'provider = "openai-compatible"\n'),
        (("set", "providers.openai.model", "a=b"), '[providers.openai-compatible]\nmodel = "a=b"\n'),
        (("set", "providers.cline.base_url=https://x.example/"), '[providers.cline]\nbase_url = "https://x.example"\n'),
        (("set", "stdin.max_bytes", "2_000"), "[stdin]\nmax_bytes = 2000\n"),
    ],
)
def test_a_value_is_written_as_its_kind(desk: Desk, words: tuple[str, ...], text: str) -> None:
    desk.run(*words)
    assert desk.file.read_text() == text
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o600


def test_a_saved_key_is_not_moved_to_another_server(desk: Desk) -> None:
    desk.write(
        "[providers.cline]\nkey_store = 'file'\n[providers.openai-compatible]\nbase_url = 'https://x.example/v1'\n"
    )
    with pytest.raises(UsageError, match=r"is for https://api\.cline\.bot/api/v1, and would go to https://y\.example"):
        desk.run("set", "providers.cline.base_url", "https://y.example")
    desk.run("set", "providers.cline.base_url", "https://api.cline.bot/other")
    desk.run("set", "providers.openai.base_url", "https://y.example")
    change_settings(desk.file, {("providers", "openai-compatible", "key_store"): "keyring"})
    with pytest.raises(UsageError, match=r"is for https://y\.example, and would go to https://api\.openai\.com/v1"):
        desk.run("unset", "providers.openai-compatible.base_url")
    assert load_settings(desk.file).of("openai-compatible").base_url == "https://y.example"


@pytest.mark.parametrize("words", [("unset", "KEY"), ("set", "KEY", "keyring"), ("set", "KEY", "file")])
def test_where_a_key_was_put_is_not_changed_by_hand(desk: Desk, words: tuple[str, ...]) -> None:
    text = "[providers.cline]\nkey_store = 'file'\n"
    desk.write(text)
    with pytest.raises(UsageError, match="only cline auth changes it") as caught:
        desk.run(*(word.replace("KEY", "providers.cline.key_store") for word in words))
    assert "cline auth -p cline" in caught.value.hint
    assert "cline auth logout cline" in caught.value.hint
    assert desk.file.read_text() == text


def test_where_a_key_was_put_is_no_obstacle_when_no_key_was_saved(desk: Desk) -> None:
    desk.write("[providers.cline]\nkey_store = ''\n")
    assert "is taken out" in desk.run("unset", "providers.cline.key_store")[0]
    assert "was not set" in desk.run("unset", "providers.cline.key_store")[0]


def test_a_key_in_the_file_of_keys_is_not_moved_when_the_settings_know_nothing_of_it(desk: Desk) -> None:
    desk.write("[providers.openrouter]\nbase_url = 'https://openrouter.ai/other'\n")
    keys = {"version": 1, "keys": {"cline": KEY}}
    (desk.file.parent / "credentials.json").write_text(json.dumps(keys))
    with pytest.raises(UsageError, match=r"the saved key of cline is for https://api\.cline\.bot") as caught:
        desk.run("set", "providers.cline.base_url", "http://other.example")
    assert KEY not in str(caught.value)
    desk.run("set", "providers.cline.base_url", "https://api.cline.bot/other")
    desk.run("set", "providers.openrouter.base_url", "https://y.example")
    assert "other.example" not in desk.file.read_text()


def test_a_file_of_keys_that_cannot_be_read_counts_as_one_that_has_the_key(desk: Desk) -> None:
    desk.write("")
    (desk.file.parent / "credentials.json").write_text("{")
    with pytest.raises(UsageError, match=r"a key of cline may be in .*credentials\.json, which cannot be used"):
        desk.run("set", "providers.cline.base_url", "http://other.example")
    assert desk.file.read_text() == ""


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_and_mark_of_the_file_stay_when_it_is_changed(desk: Desk, mark: bytes, end: bytes) -> None:
    desk.write("")
    before = mark + b"# mine\nmax_turns = 3 # why\nstdin.max_bytes = 5\n".replace(b"\n", end)
    desk.file.write_bytes(before)
    desk.run("set", "timeout", "10m")
    desk.run("set", "providers.cline.model", "a/b")
    desk.run("unset", "stdin.max_bytes")
    after = desk.file.read_bytes()
    assert after.startswith(mark + b"# mine" + end + b"max_turns = 3 # why" + end)
    assert after.count(b"\xef\xbb\xbf") == bool(mark)
    assert after.count(b"\n") == after.count(end)
    assert b"stdin" not in after
    assert desk.run("get", "providers.cline.model")[0] == "a/b\n"
    assert desk.run("get", "timeout")[0] == "10m\n"


def test_line_ends_of_two_kinds_stay_as_they_are_when_the_file_is_changed(desk: Desk) -> None:
    desk.write("")
    desk.file.write_bytes(b"# one\r\n# two\nmax_turns = 3\r\n")
    desk.run("set", "max_turns", "4")
    assert desk.file.read_bytes() == b"# one\r\n# two\nmax_turns = 4\r\n"


@pytest.mark.parametrize(
    ("value", "told"), [("5.0", "a number with a fraction"), ("inf", "inf"), ("nan", "nan"), ("'5'", "text")]
)
def test_a_number_that_is_not_whole_is_told_as_what_it_is(desk: Desk, value: str, told: str) -> None:
    desk.write(f"max_turns = {value}\n")
    with pytest.raises(SettingsError, match="max_turns must be a whole number") as caught:
        desk.run()
    assert caught.value.message.endswith(f"must be a whole number, not {told}")
    assert caught.value.exit_code == 2


def test_changes_are_objects_for_programs(desk: Desk) -> None:
    file = str(desk.file)
    told = json.loads(desk.run("set", "max_turns", "5", "--json")[0])
    assert told == {"key": "max_turns", "value": 5, "file": file}
    told = json.loads(desk.run("unset", "max_turns", "--json")[0])
    assert told == {"key": "max_turns", "removed": True, "file": file}


def test_whoever_goes_before_the_new_value_is_named(desk: Desk) -> None:
    project = desk.write_project("max_turns = 9\n")
    assert desk.run("set", "max_turns", "50")[1] == f"cline: {project}:1 goes before it here: max_turns = 9\n"
    desk.variables = {"CLINE_MAX_TURNS": "4"}
    assert desk.run("set", "max_turns", "50")[1] == "cline: $CLINE_MAX_TURNS goes before it here: max_turns = 4\n"
    desk.write_project("max_turns = = 9\n")
    assert desk.run("set", "max_turns", "40")[1] == ""
    assert desk.file.read_text() == "max_turns = 40\n"


def test_a_broken_file_is_told_and_not_touched(desk: Desk) -> None:
    desk.write("max_turns = 3\ntimeout = soon\n")
    for words in ((), ("--json",), ("get", "max_turns"), ("set", "max_turns", "4"), ("unset", "max_turns")):
        with pytest.raises(SettingsError, match=rf"{desk.file}, line 2, column 11: invalid value"):
            desk.run(*words)
    assert desk.file.read_text() == "max_turns = 3\ntimeout = soon\n"
    assert str(desk.file) in desk.run("path")[0]


def test_the_originals_settings_are_taken_over_before_a_change(desk: Desk, private_home: Path) -> None:
    original = private_home / ".cline" / "data" / "settings" / "providers.json"
    original.parent.mkdir(parents=True)
    original.write_text(json.dumps({"lastUsedProvider": "openrouter", "providers": {}}))
    out, err = desk.run("set", "max_turns", "4")
    assert "taken over from" in err
    assert out.startswith("max_turns = 4")
    assert load_settings(desk.file).provider == "openrouter"


def test_every_place_is_told_with_its_reason(desk: Desk, private_home: Path) -> None:
    project = desk.write_project("")
    desk.write("")
    desk.variables = {"CLINE_DATA_DIR": "/state", "CLINE_MODELS_DIR": "/models"}
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in desk.run("path")[0].splitlines()}
    assert rows["settings"] == [str(desk.file), "--config"]
    assert rows["project"] == [str(project), f"the nearest to {Path.cwd()}"]
    assert rows["credentials"] == [str(desk.file.with_name("credentials.json")), "--config, not there yet"]
    assert rows["state"] == ["/state", "$CLINE_DATA_DIR, not there yet"]
    assert rows["sessions"] == ["/state/sessions", "in the state, not there yet"]
    assert rows["models"] == ["/models", "$CLINE_MODELS_DIR, not there yet"]
    assert rows["original"][0] == str(private_home / ".cline/data/settings/providers.json")
    assert "cache" in rows
    places = json.loads(desk.run("path", "--json")[0])
    assert set(places) == set(rows)
    assert places["project"] == {"path": str(project), "reason": f"the nearest to {Path.cwd()}", "exists": True}


def test_places_are_told_when_there_is_neither_a_home_nor_a_folder(desk: Desk) -> None:
    desk.environment = replace(desk.environment, home=None, cwd=None)
    out, _ = desk.run("path")
    assert "project      none" in out
    assert desk.run("get", "max_turns")[0] == "200\n"


def test_the_folder_is_the_one_that_is_named(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "other" / ".cline").mkdir(parents=True)
    (tmp_path / "other" / ".cline" / "settings.toml").write_text("max_turns = 7\n")
    assert desk.run("get", "max_turns", "--cwd", str(tmp_path / "other"))[0] == "7\n"
    assert desk.run("get", "max_turns", "-v")[1] == f"cline: settings: {desk.file} (--config)\n"


def test_an_edit_becomes_the_settings(desk: Desk) -> None:
    desk.edit_with("file.write_text(file.read_text() + 'max_turns = 5\\nmax_turn = 1\\n')")
    out, err = desk.run("edit")
    assert out == f"The settings are in {desk.file}.\n"
    assert 'there is no setting "max_turn", did you mean max_turns?' in err
    assert desk.file.read_text().startswith("# Settings of cline.")
    assert desk.run("get", "max_turns")[0] == "5\n"
    assert not desk.draft.exists()


def test_nothing_changes_when_nothing_was_edited(desk: Desk) -> None:
    change_settings(desk.file, {("max_turns",): 3})
    before = desk.file.stat().st_mtime_ns
    desk.edit_with("")
    assert desk.run("edit")[0] == f"Nothing was changed in {desk.file}.\n"
    assert json.loads(desk.run("edit", "--json")[0]) == {"file": str(desk.file), "changed": False}
    assert desk.file.stat().st_mtime_ns == before
    assert not desk.draft.exists()


def test_a_broken_edit_is_told_and_can_be_gone_on_with(desk: Desk) -> None:
    change_settings(desk.file, {("max_turns",): 3})
    desk.edit_with("file.write_text('max_turns = 3\\nmode = planning\\n')")
    with pytest.raises(SettingsError, match=rf"{desk.draft}, line 2, column 8: "):
        desk.run("edit")
    assert desk.file.read_text() == "max_turns = 3\n"
    desk.edit_with("file.write_text(file.read_text().replace('planning', '\"plan\"'))")
    _, err = desk.run("edit")
    assert err == f"cline: this goes on with {desk.draft}, which was left from before\n"
    assert desk.run("get", "mode")[0] == "plan\n"


def test_a_change_since_the_draft_was_made_is_not_lost_when_the_draft_is_repaired(desk: Desk) -> None:
    change_settings(desk.file, {("max_turns",): 5})
    desk.edit_with("file.write_text('max_turns = = 6\\n')")
    with pytest.raises(SettingsError):
        desk.run("edit")
    desk.run("set", "timeout", "10m")
    desk.edit_with("file.write_text(file.read_text().replace('max_turns = 5', 'max_turns = 6'))")
    _, err = desk.run("edit")
    put_aside = desk.file.with_name("settings.draft.1.toml")
    assert f"that draft is now {put_aside}, and this begins with the settings as they are\n" in err
    assert desk.file.read_text() == 'max_turns = 6\ntimeout = "10m"\n'
    assert put_aside.read_text() == "max_turns = = 6\n"
    assert not desk.draft.exists()


def test_a_change_while_the_editor_is_open_is_not_lost_when_the_edit_is_repeated(desk: Desk) -> None:
    change_settings(desk.file, {("max_turns",): 5})
    desk.edit_with(
        f"Path({str(desk.file)!r}).write_text('max_turns = 5\\ntimeout = 90\\n')\nfile.write_text('max_turns = 6\\n')"
    )
    with pytest.raises(ClineError, match="was changed by somebody else meanwhile") as caught:
        desk.run("edit")
    assert str(desk.draft) in caught.value.hint
    desk.edit_with("")
    out, err = desk.run("edit")
    assert out == f"Nothing was changed in {desk.file}.\n"
    assert desk.file.read_text() == "max_turns = 5\ntimeout = 90\n"
    assert str(desk.file.with_name("settings.draft.1.toml")) in err
    assert desk.file.with_name("settings.draft.1.toml").read_text() == "max_turns = 6\n"


def test_where_an_earlier_draft_is_now_is_told_when_the_editor_then_fails(desk: Desk) -> None:
    change_settings(desk.file, {("max_turns",): 3})
    desk.draft.write_text("max_turns = 4\n")
    desk.variables["EDITOR"] = "/nowhere/editor"
    with pytest.raises(ClineError, match="cannot start the editor"):
        desk.run("edit")
    assert "settings.draft.1.toml" in (desk.folder / "err").read_text()
    assert not desk.draft.exists()


@pytest.mark.parametrize("text", [None, ""])
def test_no_settings_are_made_when_the_editor_is_left_at_once(desk: Desk, text: str | None) -> None:
    if text is not None:
        desk.write(text)
    desk.edit_with("")
    assert desk.run("edit") == (f"Nothing was changed in {desk.file}.\n", "")
    assert (desk.file.read_text() if desk.file.exists() else None) == text
    assert [one.name for one in desk.file.parent.iterdir() if "draft" in one.name] == []


def test_broken_settings_can_be_edited(desk: Desk) -> None:
    desk.write("mode = planning\n")
    desk.edit_with("file.write_text('mode = \"plan\"\\n')")
    _, err = desk.run("edit")
    assert "line 1, column 8" in err
    assert desk.file.read_text() == 'mode = "plan"\n'


@pytest.mark.parametrize(
    ("code", "told", "is_kept"),
    [
        ("sys.exit(3)", "ended with exit code 3", False),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9", False),
        ("file.write_text('mode = \"plan\"\\n'); sys.exit(1)", "for the next cline config edit", True),
    ],
)
def test_an_editor_that_fails_changes_nothing(desk: Desk, code: str, told: str, is_kept: bool) -> None:
    change_settings(desk.file, {("max_turns",): 3})
    desk.edit_with(code)
    with pytest.raises(ClineError) as caught:
        desk.run("edit")
    assert told in str(caught.value)
    assert caught.value.exit_code == 1
    assert desk.file.read_text() == "max_turns = 3\n"
    assert desk.draft.exists() == is_kept


def test_the_editor_may_have_words_of_its_own_and_visual_goes_first(desk: Desk) -> None:
    desk.edit_with("assert sys.argv[2] == 'a b'; Path(sys.argv[3]).write_text('max_turns = 8\\n')")
    desk.variables = {"EDITOR": "false", "VISUAL": f"{desk.variables['EDITOR']} first 'a b'"}
    script = desk.folder / "editor.py"
    script.write_text(script.read_text().replace("file = Path(sys.argv[1])", ""))
    desk.run("edit")
    assert desk.file.read_text() == "max_turns = 8\n"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "there is no terminal to edit at"),
        ({"EDITOR": "", "VISUAL": " "}, "there is no terminal to edit at"),
        ({"EDITOR": "'"}, '$EDITOR "\'" is no command'),
        ({"EDITOR": "/nowhere/editor"}, "cannot start the editor '/nowhere/editor': No such file or directory"),
    ],
)
def test_no_editor_is_started_when_there_is_none(desk: Desk, variables: dict[str, str], told: str) -> None:
    desk.variables = variables
    with pytest.raises(ClineError) as caught:
        desk.run("edit")
    assert told in caught.value.message
    assert "cline config set" in caught.value.hint
    assert not desk.file.exists()
    assert not desk.draft.exists()


def test_an_editor_is_looked_for_at_a_terminal(desk: Desk, tmp_path: Path) -> None:
    desk.environment = replace(desk.environment, is_stdin_terminal=True, is_stdout_terminal=True)
    desk.variables = {"PATH": str(tmp_path / "bin")}
    with pytest.raises(UsageError, match="neither vi nor nano is there"):
        desk.run("edit")
    nano = tmp_path / "bin" / "nano"
    nano.parent.mkdir()
    nano.write_text("#!/bin/sh\necho 'max_turns = 6' > \"$1\"\n")
    nano.chmod(0o755)
    desk.run("edit")
    assert desk.file.read_text() == "max_turns = 6\n"


def open_here(text: str, project: str = "", **variables: str) -> Opened:
    file = Path("config") / "settings.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    if project:
        Path(".cline").mkdir(exist_ok=True)
        Path(".cline/settings.toml").write_text(project)
    environment = Environment(variables, Path.cwd(), None, None, None, None, False, False, False)
    return open_settings(find_paths(environment, config="config"), environment, PROVIDER_NAMES, workspace=Path.cwd())


def give(**values: bool | str) -> Given:
    nothing: Mapping[str, bool | None] = {one.name: False if one.takes == "nothing" else None for one in BUILT}
    return Given({**nothing, **values})


ALL = """
auto_approve = true
mode = "plan"
thinking = 2048
timeout = 90
max_turns = 3
max_total_tokens = 4
max_cost = 0.000001
retries = 5
sessions.keep = false
"""


def test_settings_become_the_options_that_nobody_gave() -> None:
    filled = fill(give(), open_here(ALL), {}).given
    assert {name: filled.text(name) for name in ("auto_approve", "mode", "thinking", "timeout")} == {
        "auto_approve": "true",
        "mode": "plan",
        "thinking": "2048",
        "timeout": "90",
    }
    assert [filled.text(name) for name in ("max_turns", "max_total_tokens", "max_cost", "retries")] == [
        *("3", "4", "0.000001", "5")
    ]
    assert filled.flag("no_session")
    assert not filled.flag("yolo")


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"max_turns": "9"}, "max_turns", "9"),
        ({"act": True}, "mode", None),
        ({"plan": True}, "mode", None),
        ({"yolo": True}, "auto_approve", None),
        ({"auto_approve": "false"}, "auto_approve", "false"),
        ({"timeout": "1"}, "timeout", "1"),
        ({"json": True}, "mode", "plan"),
    ],
)
def test_a_setting_is_void_where_an_option_says_something_of_it(
    values: dict[str, bool | str], name: str, expected: str | None
) -> None:
    assert fill(give(**values), open_here(ALL), {}).given.text(name) == expected


@pytest.mark.parametrize("values", [{"id": "x"}, {"continue_": True}])
def test_a_session_that_is_named_is_gone_on_with_whatever_the_settings_say(values: dict[str, bool | str]) -> None:
    assert not fill(give(**values), open_here("sessions.keep = false\n"), {}).given.flag("no_session")


def test_a_switch_stays_off_when_the_setting_says_yes() -> None:
    assert not fill(give(), open_here("sessions.keep = true\n"), {}).given.flag("no_session")


@pytest.mark.parametrize(
    ("setting", "variable", "name"),
    [
        ("auto_approve = true", "CLINE_YOLO", "auto_approve"),
        ('mode = "plan"', "CLINE_PLAN", "mode"),
        ("sessions.keep = false", "CLINE_NO_SESSION", "no_session"),
    ],
)
@pytest.mark.parametrize("value", ["0", "false"])
def test_a_setting_is_void_when_a_variable_switches_off_what_it_means(
    setting: str, variable: str, name: str, value: str
) -> None:
    opened = open_here(f"{setting}\n")
    assert fill(give(), opened, {}).keys
    assert not fill(give(), opened, {variable: value}).keys
    key = ("sessions", "keep") if name == "no_session" else (name,)
    assert look_up(key, collect({variable: value}, opened)).origin == f"${variable}"


def test_a_complaint_names_the_setting_and_its_line() -> None:
    opened = open_here("\nmax_cost = 1\nprovider = 'foo'\n")
    filled = fill(give(), opened, {})
    error = UsageError("--max-cost cannot be kept: the price of m is not known")
    blame(error, filled, opened)
    file = Path.cwd() / "config" / "settings.toml"
    assert error.message == f"max_cost ({file}, line 2) cannot be kept: the price of m is not known"
    error = UsageError("there is no provider 'foo'")
    blame(error, filled, opened)
    assert error.message == f"cannot use {file}, line 3, column 12: provider is 'foo', and there is none of that name"


def test_a_complaint_stays_as_it_is_when_somebody_gave_the_option() -> None:
    opened = open_here("max_cost = 1\nprovider = 'foo'\n")
    filled = fill(give(max_cost="2", provider="foo"), opened, {})
    for message in ("--max-cost cannot be kept", "there is no provider 'foo'"):
        error = UsageError(message)
        blame(error, filled, opened)
        assert error.message == message


READERS: Mapping[str, Callable[[str], object]] = {
    "flag": lambda text: read_bool("x", text),
    "number": lambda text: read_count("x", text),
    "amount": lambda text: read_amount("x", text),
    "time": read_timeout,
    "level": read_effort,
}
TEXTS = st.one_of(
    st.from_regex(r"\A\$?\d{0,11}(\.\d{0,10})?[smhd]?\Z"),
    st.sampled_from(("true", "false", "1", "0", "act", "plan", "basic", "off", "none", "medium", "xhigh", "yes", "")),
    st.text(max_size=4),
)


@pytest.mark.parametrize(
    "definition", [one for one in SETTINGS if one.option and one.kind != "text"], ids=lambda one: one.key
)
@given(text=TEXTS.map(str.strip))
def test_a_setting_takes_what_its_option_takes(definition: Definition, text: str) -> None:
    if definition.option == "--no-session":
        return
    read = READERS.get(definition.kind) or (lambda text: read_word("x", text, definition.words))
    try:
        value = from_text(definition, text)
    except ValueError:
        with pytest.raises(UsageError):
            read(text)
    else:
        assert read(to_text(value)) is not None


def test_the_settings_of_the_person_are_read_and_never_written_by_showing_them(desk: Desk) -> None:
    desk.write("max_turns = 3\n")
    before = sorted(desk.file.parent.iterdir()), desk.file.stat().st_mtime_ns
    for words in ((), ("get", "max_turns"), ("path",), ("--json",)):
        desk.run(*words)
    assert (sorted(desk.file.parent.iterdir()), desk.file.stat().st_mtime_ns) == before
