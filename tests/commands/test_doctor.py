from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cline_cli.agent.events import RunStarted
from cline_cli.agent.messages import user_text
from cline_cli.commands._doctor_keyring import Keyring
from cline_cli.commands._doctor_online import check_online
from cline_cli.commands._doctor_reading import Wanted
from cline_cli.commands._doctor_report import Check, Report
from cline_cli.commands._doctor_surroundings import check_terminal
from cline_cli.commands.doctor import app, examine
from cline_cli.config._key_file import KeyFile
from cline_cli.config._keyring import KeyringStore
from cline_cli.config._store import StoreError
from cline_cli.config.paths import Paths, find_paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.session.store import Header, create

KEY = "sk-canary-3f9a1c"
NOTHING = Wanted()


@dataclass
class Practice:
    """A machine by hand: its variables, its folders, and what the doctor says of them."""

    environment: Environment
    variables: dict[str, str] = field(default_factory=dict)
    keyring: Keyring | None = None
    """None for that of the operating system, which the tests have none of."""

    @property
    def surroundings(self) -> Environment:
        return replace(self.environment, variables=self.variables)

    @property
    def paths(self) -> Paths:
        return find_paths(self.surroundings)

    @property
    def settings_file(self) -> Path:
        return self.paths.settings_file

    def write_settings(self, text: str) -> None:
        self.settings_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.settings_file.write_text(text)

    def examine(self, wanted: Wanted = NOTHING, **variables: str) -> Report:
        """Set these variables, for good, and look."""
        self.variables |= variables
        return examine(wanted, self.surroundings, self.paths, keyring=self.keyring)

    def look(self, name: str, wanted: Wanted = NOTHING, **variables: str) -> Check:
        """Return the first check of that name."""
        return next(check for check in checks_of(self.examine(wanted, **variables)) if check.name == name)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Return the exit code of the command, and what it wrote to stdout and to stderr."""
        assert self.environment.home
        out, err = (self.environment.home / name for name in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            environment = replace(self.surroundings, stdout=stdout.fileno(), stderr=stderr.fileno())
            code: int = app([*words], standalone_mode=False, obj=environment)
        return code, out.read_text(), err.read_text()


def checks_of(report: Report) -> list[Check]:
    return [check for group in report.groups for check in group.checks]


@pytest.fixture
def practice(private_home: Path) -> Practice:
    environment = Environment({}, Path.cwd(), private_home, None, 1, 2, False, False, False)
    return Practice(environment)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CLINE_COMMAND_PERMISSIONS", "[]", "CLINE_COMMAND_PERMISSIONS is not an object"),
        ("CLINE_SANDBOX", "maybe", "CLINE_SANDBOX 'maybe' is not one"),
        ("CLINE_HOOKS_DIR", "x", "CLINE_HOOKS_DIR is not supported yet"),
        ("CLINE_TIMEOUT", "soon", "CLINE_TIMEOUT 'soon' is no time"),
        ("CLINE_YOLO", "maybe", "CLINE_YOLO 'maybe' is neither true nor false"),
        ("CLINE_MAX_TURNS", "0", "CLINE_MAX_TURNS '0' is not a whole number"),
        ("CLINE_MODE", "sing", "CLINE_MODE 'sing' is not one"),
        ("CLINE_SCHEMA", "{", "CLINE_SCHEMA"),
        ("CLINE_OUTPUT", "/", "CLINE_OUTPUT cannot write /"),
        ("CLINE_CWD", "/no/such", "CLINE_CWD '/no/such' is not a folder"),
    ],
)
def test_a_variable_that_keeps_a_run_from_starting_is_fatal(
    practice: Practice, name: str, value: str, told: str
) -> None:
    report = practice.examine(NOTHING, CLINE_API_KEY=KEY, **{name: value})
    (obstacle,) = report.obstacles
    assert obstacle.name == name
    assert told in obstacle.text
    assert obstacle.remedy


def test_every_wrong_variable_is_told_at_once(practice: Practice) -> None:
    report = practice.examine(CLINE_API_KEY=KEY, CLINE_TIMEOUT="x", CLINE_SANDBOX="maybe", CLINE_YOLO="1")
    assert [obstacle.name for obstacle in report.obstacles] == ["CLINE_SANDBOX", "CLINE_TIMEOUT"]
    assert practice.look("CLINE_YOLO") == Check("CLINE_YOLO", "ok", "1")


def test_variables_that_contradict_each_other_are_fatal_together(practice: Practice) -> None:
    report = practice.examine(CLINE_API_KEY=KEY, CLINE_QUIET="1", CLINE_VERBOSE="1")
    (obstacle,) = report.obstacles
    assert obstacle.name == "options"
    assert "CLINE_QUIET and CLINE_VERBOSE contradict each other" in obstacle.text
    assert practice.look("key").status == "ok"


@pytest.mark.parametrize(
    ("variables", "name", "text"),
    [
        ({"CLINE_MODEL": "a", "-": "model"}, "CLINE_MODEL", "has no effect, because of --model"),
        ({"CLINE_FILE": "a", "CLINE_IMAGE": "b"}, "CLINE_IMAGE", "has no effect, because of CLINE_FILE"),
        ({"CLINE_CONFIG": "/a", "CLINE_DIR": "/b"}, "CLINE_DIR", "has no effect, because of CLINE_CONFIG"),
        ({"CLINE_AUTO_CONDENSE": "1"}, "CLINE_AUTO_CONDENSE", "1; it has no effect here"),
        ({"CLINE_TIMEOUT": ""}, "CLINE_TIMEOUT", "set but empty, which counts as not set"),
        ({"CLINE_TIMEOTU": "1"}, "CLINE_TIMEOTU", "there is no such variable, so it has no effect"),
    ],
)  # fmt: skip
def test_a_variable_without_effect_is_noted(
    practice: Practice, variables: dict[str, str], name: str, text: str
) -> None:
    wanted = Wanted(model="b") if variables.pop("-", "") else NOTHING
    check = practice.look(name, wanted, CLINE_API_KEY=KEY, **variables)
    assert (check.status, check.text) == ("note", text)


def test_the_nearest_variables_are_named_when_one_is_misspelled(practice: Practice) -> None:
    assert practice.look("CLINE_TIMEOTU", CLINE_TIMEOTU="1").remedy == "Was it CLINE_TIMEOUT?"
    assert practice.look("CLINE_MODLE", CLINE_MODLE="1").remedy == "Was it CLINE_MODE or CLINE_MODEL?"
    assert practice.look("CLINE_SANDOBX", CLINE_SANDOBX="require").remedy == "Was it CLINE_SANDBOX?"
    check = practice.look("variables", CLINE_ABC=KEY, CLINE_QWERTY=KEY)
    assert check.text == "without effect here: CLINE_ABC, CLINE_QWERTY"


def test_a_broken_settings_file_is_fatal_and_the_rest_is_told_all_the_same(practice: Practice) -> None:
    practice.write_settings('provider = "cline"\nmax_turns = maybe\n')
    report = practice.examine(CLINE_API_KEY=KEY)
    (obstacle,) = report.obstacles
    assert obstacle.name == "settings"
    assert f"{practice.settings_file}, line 2, column 13" in obstacle.text
    assert obstacle.remedy
    names = {check.name for check in checks_of(report)}
    assert {"version", "provider", "key", "keyring", "config", "git", "terminal"} <= names


def test_a_setting_that_is_none_is_bad_and_no_obstacle(practice: Practice) -> None:
    practice.write_settings("max_trns = 3\n")
    report = practice.examine(CLINE_API_KEY=KEY)
    (warning,) = [check for check in checks_of(report) if check.name == "settings" and check.status == "bad"]
    assert 'there is no setting "max_trns"' in warning.text
    assert report.obstacles == ()


def test_settings_are_not_read_when_the_run_is_bare(practice: Practice) -> None:
    practice.write_settings("provider = ")
    report = practice.examine(CLINE_API_KEY=KEY, CLINE_BARE="1")
    assert report.obstacles == ()
    assert practice.look("settings").status == "note"


def test_a_setting_that_a_run_refuses_is_named_with_its_line(practice: Practice) -> None:
    practice.write_settings("\nmax_cost = 1.5\n")
    report = practice.examine(Wanted(model="nobody/knows-it"), CLINE_API_KEY=KEY)
    (obstacle,) = report.obstacles
    assert f"max_cost ({practice.settings_file}, line 2) cannot be kept" in obstacle.text


def test_looking_takes_nothing_over_from_the_original_command(practice: Practice, private_home: Path) -> None:
    folder = private_home / ".cline" / "data" / "settings"
    folder.mkdir(parents=True)
    providers = {"lastUsedProvider": "openrouter", "providers": {"openrouter": {"settings": {"apiKey": KEY}}}}
    (folder / "providers.json").write_text(json.dumps(providers))
    report = practice.examine()
    assert not practice.settings_file.exists()
    assert "openrouter (" in practice.look("provider").text
    assert [check.status for check in checks_of(report) if check.name == "settings"] == ["ok", "note"]
    assert report.obstacles == ()
    assert KEY not in report.to_text() + report.to_json()


def test_a_deleted_working_directory_is_fatal(practice: Practice) -> None:
    practice.environment = replace(practice.environment, cwd=None)
    report = practice.examine(CLINE_API_KEY=KEY, CLINE_YOLO="1")
    (obstacle,) = report.obstacles
    assert obstacle.name == "folder"
    assert "does not exist any more" in obstacle.text


def test_nothing_set_up_is_fatal_with_the_ways_out(practice: Practice) -> None:
    report = practice.examine()
    (obstacle,) = report.obstacles
    assert obstacle.name == "key"
    assert obstacle.text == "not logged in to cline"
    assert "cline auth -p cline" in obstacle.remedy
    assert practice.look("provider").text == "cline (nothing is set up)"


def test_each_piece_is_told_with_where_it_comes_from(practice: Practice) -> None:
    report = practice.examine(CLINE_API_KEY=KEY)
    assert report.obstacles == ()
    assert practice.look("provider").text == "cline ($CLINE_API_KEY is set)"
    assert practice.look("model").text == "anthropic/claude-sonnet-4.6 (the default of cline)"
    assert practice.look("address").text == "https://api.cline.bot/api/v1 (that of cline)"
    assert practice.look("key") == Check("key", "ok", "...9a1c from $CLINE_API_KEY")
    practice.write_settings('provider = "cline"\n[providers.cline]\nmodel = "a/b"\nbase_url = "https://x.example"\n')
    assert practice.look("provider").text == f"cline ({practice.settings_file}, line 1)"
    assert practice.look("model").text == f"a/b ({practice.settings_file}, line 3)"
    assert practice.look("address").text == f"https://x.example ({practice.settings_file}, line 4)"
    wanted = Wanted("cline", "c/d", "sk-other-1234567")
    assert practice.look("provider", wanted).text == "cline (-P)"
    assert practice.look("model", wanted).text == "c/d (-m)"
    assert practice.look("key", wanted).text == "...4567 from -k"
    practice.variables |= {"CLINE_MODEL": "e/f", "CLINE_API_BASE_URL": "https://y.example"}
    assert practice.look("model").text == "e/f ($CLINE_MODEL)"
    assert practice.look("address").text == "https://y.example/api/v1 ($CLINE_API_BASE_URL)"
    assert practice.look("key", CLINE_KEY="sk-third-7654321").text == "...4321 from $CLINE_KEY"


def test_facts_for_programs_are_those_of_the_lines(practice: Practice) -> None:
    document = json.loads(practice.examine(CLINE_API_KEY=KEY).to_json())
    assert document["provider"] == "cline"
    assert document["model"] == "anthropic/claude-sonnet-4.6"
    assert document["keySource"] == "$CLINE_API_KEY"
    assert document["keyTail"] == "...9a1c"
    assert document["keyring"] == {"backend": None, "state": "none"}
    assert set(document["sandbox"]) == {"level", "detail", "enforced", "not_enforced"}


@pytest.mark.parametrize(
    ("variables", "name", "told"),
    [
        ({"CLINE_PROVIDER": "opnrouter"}, "provider", "there is no provider 'opnrouter' ($CLINE_PROVIDER)"),
        ({"CLINE_API_KEY": ""}, "key", "CLINE_API_KEY is set but empty"),
        ({"CLINE_API_KEY": "two words"}, "key", "the key from $CLINE_API_KEY cannot be sent"),
        ({"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": "x"}, "address", "CLINE_API_BASE_URL 'x' is no address"),
        ({"CLINE_PROVIDER": "openai", "OPENAI_API_KEY": KEY}, "model", "openai-compatible has no default model"),
        ({"CLINE_API_KEY": KEY, "CLINE_MAX_COST": "1", "CLINE_MODEL": "x/y"}, "run", "CLINE_MAX_COST cannot be kept"),
        ({"CLINE_API_KEY": KEY, "CLINE_ID": "no-such"}, "session", "there is no session no-such"),
        ({"CLINE_PROVIDER": "local"}, "model", "is not installed"),
        ({"CLINE_PROVIDER": "local", "CLINE_MODEL": "big"}, "model", "there is no embedded model big"),
    ],
)
def test_what_keeps_a_run_from_asking_is_fatal(
    practice: Practice, variables: dict[str, str], name: str, told: str
) -> None:
    (obstacle,) = practice.examine(NOTHING, **variables).obstacles
    assert obstacle.name == name
    assert told in obstacle.text


def test_a_provider_that_settings_name_wrongly_is_told_with_its_line(practice: Practice) -> None:
    practice.write_settings('provider = "clin"\n')
    (obstacle,) = practice.examine(CLINE_API_KEY=KEY).obstacles
    assert obstacle.text.startswith(f"cannot use {practice.settings_file}, line 1")
    assert "'clin'" in obstacle.text


def test_further_keys_are_noted(practice: Practice) -> None:
    check = practice.look("provider", CLINE_API_KEY=KEY, OPENROUTER_API_KEY=KEY)
    assert check.status == "note"
    assert "there are also keys for openrouter" in check.text


def test_a_key_that_travels_in_the_open_is_bad(practice: Practice) -> None:
    check = practice.look("address", CLINE_API_KEY=KEY, CLINE_API_BASE_URL="http://x.example")
    assert check.status == "bad"
    assert "not encrypted" in check.text


def test_the_key_is_read_from_stdin_when_it_is_a_dash(practice: Practice) -> None:
    reader, writer = os.pipe()
    os.write(writer, f"{KEY}\n".encode())
    os.close(writer)
    practice.environment = replace(practice.environment, stdin=reader)
    try:
        assert practice.look("key", Wanted(key="-")).text == "...9a1c from -k"
        assert "the key from standard input is empty" in practice.look("key", Wanted(key="-")).text
    finally:
        os.close(reader)


class FakeKeyring(KeyringStore):
    """One that is there, with one key in it; or with a fault."""

    def __init__(self, failure: StoreError | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.reads: list[str] = []

    def name(self) -> str:
        return "a keyring"

    def check(self) -> bool:
        if self.failure:
            raise self.failure
        return True

    def read(self, provider: str) -> str | None:
        self.reads.append(provider)
        return KEY


SAVED = 'provider = "cline"\n[providers.cline]\nkey_store = "keyring"\n'


def test_the_key_in_the_keyring_is_told(practice: Practice) -> None:
    practice.write_settings(SAVED)
    practice.keyring = FakeKeyring()
    report = practice.examine()
    assert report.obstacles == ()
    assert Check("key", "ok", "...9a1c from the keyring") in checks_of(report)
    document = json.loads(report.to_json())
    assert document["keyring"] == {"backend": "a keyring", "state": "ok"}


def test_a_locked_keyring_is_an_obstacle_only_when_the_key_is_in_it(practice: Practice) -> None:
    practice.write_settings(SAVED)
    practice.keyring = keyring = FakeKeyring(StoreError("it is locked"))
    (obstacle,) = practice.examine().obstacles
    assert obstacle.name == "key"
    assert obstacle.text == "cannot read the key from the keyring: it is locked"
    assert "set CLINE_API_KEY" in obstacle.remedy
    report = practice.examine(CLINE_API_KEY=KEY)
    assert report.obstacles == ()
    assert ("keyring", "bad") in [(check.name, check.status) for check in checks_of(report)]
    assert keyring.reads == []


def test_a_session_that_is_gone_on_with_brings_its_provider_and_model(practice: Practice) -> None:
    header = Header("1_abcde", "2026-11-01T00:00:00.000Z", str(Path.cwd()), "openrouter", "a/b", "act")
    session = create(practice.paths.state / "sessions", header)
    session.record(RunStarted("a/b"), [user_text("hello")])
    session.close()
    variables = {"CLINE_ID": "1_abcde", "OPENROUTER_API_KEY": KEY, "CLINE_API_KEY": KEY}
    assert practice.examine(NOTHING, **variables).obstacles == ()
    assert practice.look("provider").text == "openrouter (session 1_abcde)"
    assert practice.look("model").text == "a/b (session 1_abcde)"
    assert practice.look("model", Wanted(model="c")).text == "c (-m)"
    assert practice.look("provider", Wanted("cline")).text == "cline (-P)"


@pytest.mark.parametrize("kind", ["text", "json"])
def test_no_key_is_told_wherever_it_stands(practice: Practice, kind: str) -> None:
    KeyFile(practice.paths.credentials_file).write("openrouter", KEY)
    address = f"http://me:{KEY}@proxy:1"
    practice.variables |= {
        "CLINE_API_KEY": KEY,
        "CLINE_KEY": f"{KEY}-other",
        "OPENROUTER_API_KEY": f"{KEY}-third",
        "CLINE_MODEL": KEY,
        "CLINE_SYSTEM": f"say {KEY}",
        "CLINE_PROVIDER": f"{KEY}-third",
        "CLINE_API_BASE_URL": address,
        "HTTPS_PROXY": address,
        "CLINE_NO_SUCH": KEY,
        "PATH": f"/{KEY}",
    }
    (Path.cwd() / KEY).mkdir()
    practice.environment = replace(practice.environment, cwd=Path.cwd() / KEY)
    for wanted in (Wanted(), Wanted("cline"), Wanted("openrouter", KEY, f"{KEY}-flag")):
        report = practice.examine(wanted)
        told = report.to_text() if kind == "text" else report.to_json()
        assert KEY not in told + report.to_complaint()


def test_a_file_of_keys_that_others_may_open_is_told(practice: Practice) -> None:
    file = KeyFile(practice.paths.credentials_file)
    file.write("cline", KEY)
    assert practice.look("credentials").status == "ok"
    practice.paths.credentials_file.chmod(0o644)
    check = practice.look("credentials")
    assert check.status == "bad"
    assert f"chmod 600 {practice.paths.credentials_file}" in check.text
    assert practice.look("key").status == "bad"


def test_no_home_is_no_obstacle(practice: Practice) -> None:
    practice.environment = replace(practice.environment, home=None)
    check = practice.look("state", CLINE_API_KEY=KEY)
    assert check.status == "note"
    assert "there is no HOME, so nothing is saved of a run" in check.text
    assert practice.examine().obstacles == ()


def test_nobody_is_asked_when_a_run_would_not_get_so_far(practice: Practice) -> None:
    assert check_online(None, practice.paths, {}).check.status == "note"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"TERM": "xterm"}, "xterm, its size is not known, with colours"),
        ({"TERM": "dumb"}, "plain text without colours: TERM is dumb"),
        ({}, "plain text without colours: TERM is not set"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "plain text without colours: NO_COLOR is set"),
    ],
)
def test_the_terminal_is_told_with_why_it_is_plain(practice: Practice, variables: dict[str, str], told: str) -> None:
    with (Path.cwd() / "out").open("wb") as out:
        environment = replace(practice.surroundings, variables=variables, is_stdout_terminal=True, stdout=out.fileno())
        terminal, _ = check_terminal(environment, is_approved=False)
    assert told in terminal.text


def test_it_is_told_why_nobody_can_be_asked(practice: Practice) -> None:
    _, questions = check_terminal(practice.surroundings, is_approved=False)
    assert questions.text == "nobody can be asked: standard error is not a terminal"
    practice.variables["CI"] = "1"
    _, questions = check_terminal(practice.surroundings, is_approved=False)
    assert questions.text == "nobody can be asked: CI is set"
    assert practice.look("questions", CLINE_API_KEY=KEY, CLINE_YOLO="1").status == "ok"


def test_the_exit_code_says_whether_a_run_could_start(practice: Practice) -> None:
    code, out, err = practice.run()
    assert code == 3
    assert out.endswith("A run could not start: see XX above.\n")
    assert err.startswith("cline: a run could not start: not logged in to cline. Run `cline auth")
    assert err.count("\n") == 1
    practice.variables["CLINE_API_KEY"] = KEY
    code, out, err = practice.run()
    assert (code, err) == (0, "")
    assert out.endswith("A run can start.\n")
    assert json.loads(practice.run("--json")[1])["canRun"] is True


@pytest.mark.parametrize(("word", "told"), [("fix", "There is nothing to end"), ("log", "No log is kept")])
def test_words_of_the_original_are_answered(practice: Practice, word: str, told: str) -> None:
    code, out, err = practice.run(word)
    assert (code, err) == (0, "")
    assert out.startswith(told)
    assert told in json.loads(practice.run(word, "--json")[1])["text"]


@pytest.mark.parametrize(
    "words", [("foo",), ("fix", "log"), ("fix", "--online"), ("log", "-k", KEY), ("-P", ""), ("-k", ""), ("-c", "/no")]
)
def test_what_is_none_is_a_usage_error(practice: Practice, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        practice.run(*words)
    assert KEY not in str(caught.value)


def test_an_option_goes_before_its_variable(practice: Practice, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    practice.variables |= {"CLINE_API_KEY": KEY, "CLINE_CWD": "/no/such", "CLINE_CONFIG": "/no/such"}
    code, out, _ = practice.run("-c", str(tmp_path / "here"), "--config", str(tmp_path / "c"))
    assert code == 0
    lines = [line.split(maxsplit=2)[1:] for line in out.splitlines() if line.startswith("  ")]
    assert ["folder", str(tmp_path / "here")] in lines
    assert ["CLINE_CWD", "has no effect, because of --cwd"] in lines
    assert ["CLINE_CONFIG", "has no effect, because of --config"] in lines


def test_no_answer_is_given_when_stdout_is_closed(practice: Practice) -> None:
    with pytest.raises(ClineError, match="cannot write to standard output: it is closed"):
        app([], standalone_mode=False, obj=replace(practice.surroundings, stdout=None))
