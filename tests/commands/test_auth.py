from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cline_cli.commands._sign_in import Answers, Asked, Outcome, save, sign_in
from cline_cli.commands.auth import app
from cline_cli.config._key_file import KeyFile
from cline_cli.config._store import NoStoreError, StoreError
from cline_cli.config.credentials import Stores
from cline_cli.config.settings import ProviderSettings, change_settings, load_settings
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, NotSignedInError, SettingsError, UsageError
from cline_cli.providers import require

KEY = "sk-canary-3f9a1c"
MODEL = "anthropic/claude-sonnet-4.6"


@dataclass
class FakeKeyring:
    keys: dict[str, str] = field(default_factory=dict)
    error: StoreError | None = None
    place: str = "the keyring"

    def read(self, provider: str) -> str | None:
        return self.keys.get(provider)

    def write(self, provider: str, key: str) -> None:
        if self.error:
            raise self.error
        self.keys[provider] = key

    def delete(self, provider: str) -> bool:
        return self.keys.pop(provider, None) is not None


@dataclass
class Desk:
    """Signs in with fakes, and runs the command with the stores of a private home."""

    folder: Path
    environment: Environment
    keyring: FakeKeyring = field(default_factory=FakeKeyring)

    @property
    def settings_file(self) -> Path:
        return self.folder / "config" / "settings.toml"

    @property
    def file(self) -> KeyFile:
        return KeyFile(self.folder / "config" / "credentials.json")

    def sign_in(self, *, stdin: bytes = b"", **asked: str | bool) -> Outcome:
        stores = Stores(self.keyring, self.file, None)
        reader, writer = os.pipe()
        os.write(writer, stdin)
        os.close(writer)
        try:
            environment = replace(self.environment, stdin=reader)
            return sign_in(Asked(**asked), environment, self.settings_file, stores)  # type: ignore[arg-type]  # the test names its fields
        finally:
            os.close(reader)

    def run(self, *words: str, **variables: str) -> tuple[str, str]:
        """Return what the command wrote to stdout and to stderr."""
        texts: list[str] = []
        with (self.folder / "out").open("w+b") as out, (self.folder / "err").open("w+b") as err:
            environment = replace(
                self.environment, stdout=out.fileno(), stderr=err.fileno(), variables=variables, stdin=None
            )
            app(["--config", str(self.folder / "config"), *words], standalone_mode=False, obj=environment)
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode())
        return texts[0], texts[1]

    def status(self, **variables: str) -> dict[str, dict[str, object]]:
        document = json.loads(self.run("status", "--json", **variables)[0])
        return {each["provider"]: each for each in document["providers"]}


@pytest.fixture
def desk(tmp_path: Path, private_home: Path) -> Desk:
    environment = Environment({}, Path.cwd(), private_home, None, None, None, False, False, False)
    return Desk(tmp_path, environment)


def test_settings_and_key_are_saved_when_all_is_given(desk: Desk) -> None:
    outcome = desk.sign_in(provider="cline", key=KEY, model="a/b")
    assert outcome == Outcome("Signed in to cline with a/b; the key is in the keyring.")
    assert desk.keyring.keys == {"cline": KEY}
    settings = load_settings(desk.settings_file)
    assert settings.provider == "cline"
    assert settings.providers == {"cline": ProviderSettings("a/b", "", "keyring")}
    assert KEY not in desk.settings_file.read_text()


def test_the_default_model_is_told_and_not_fixed_when_none_is_given(desk: Desk) -> None:
    assert MODEL in desk.sign_in(provider="cline", key=KEY).sentence
    assert load_settings(desk.settings_file).of("cline").model == ""


def test_the_saved_model_stays_when_only_the_key_is_new(desk: Desk) -> None:
    desk.sign_in(provider="cline", key="old-key", model="a/b")
    assert "with a/b" in desk.sign_in(provider="cline", key=KEY).sentence
    assert desk.keyring.keys == {"cline": KEY}


def test_a_model_is_required_when_the_provider_has_no_default(desk: Desk) -> None:
    with pytest.raises(UsageError, match="openai-compatible needs a model"):
        desk.sign_in(provider="openai", key=KEY)
    assert not desk.settings_file.exists()


@pytest.mark.parametrize("model", ["", " ", "a\x1b[2J", "a\udcff"])
def test_a_model_is_refused_when_it_is_no_name(desk: Desk, model: str) -> None:
    with pytest.raises(UsageError):
        desk.sign_in(provider="cline", key=KEY, model=model)


def test_the_key_is_one_line_of_stdin_when_it_is_a_dash(desk: Desk) -> None:
    desk.sign_in(provider="cline", key="-", stdin=KEY.encode() + b"\nmore\n")
    assert desk.keyring.keys == {"cline": KEY}
    with pytest.raises(UsageError, match="the key from standard input is empty"):
        desk.sign_in(provider="cline", key="-")


@pytest.mark.parametrize("key", ["", "  ", "sk-\n1"])
def test_nothing_is_saved_when_the_key_is_none(desk: Desk, key: str) -> None:
    with pytest.raises(UsageError, match="the key from -k"):
        desk.sign_in(provider="cline", key=key)
    assert not desk.settings_file.exists()


def test_nobody_is_asked_when_there_is_no_terminal(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"cline needs a key.*cline auth -p cline -k -"):
        desk.sign_in(provider="cline")
    with pytest.raises(UsageError, match=r"no provider was given.*-k -"):
        desk.sign_in(key=KEY)
    assert not desk.settings_file.exists()


def test_the_nearest_names_are_told_when_there_is_no_such_provider() -> None:
    with pytest.raises(UsageError, match=r"no provider 'opnrouter'\. The nearest are openrouter, \S+, \S+$"):
        require("opnrouter")
    assert require("openai")[0] == "openai-compatible"


def test_the_address_is_saved_and_told_when_it_is_another(desk: Desk) -> None:
    outcome = desk.sign_in(provider="openai", key=KEY, model="m", base_url="https://llm.example.com/v1/")
    assert outcome.sentence.startswith("Signed in to openai-compatible at https://llm.example.com/v1 with m;")
    assert load_settings(desk.settings_file).of("openai-compatible").base_url == "https://llm.example.com/v1"
    outcome = desk.sign_in(provider="openai", key=KEY)
    assert " at https://llm.example.com/v1 " in outcome.sentence
    desk.sign_in(provider="openai", key=KEY, base_url="https://api.openai.com/v1")
    assert load_settings(desk.settings_file).of("openai-compatible").base_url == ""


def test_the_address_is_refused_when_it_is_none(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"--base-url 'example\.com' is no address of a server"):
        desk.sign_in(provider="cline", key=KEY, base_url="example.com")


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        ("http://llm.example.com/v1", True),
        ("http://10.0.0.1", True),
        ("http://localhost:8080", False),
        ("http://api.localhost", False),
        ("http://127.0.0.2:1", False),
        ("http://[::1]:1", False),
        ("https://llm.example.com", False),
    ],
)
def test_one_line_warns_when_the_key_would_travel_in_the_open(desk: Desk, url: str, is_warned: bool) -> None:
    notices = desk.sign_in(provider="cline", key=KEY, base_url=url).notices
    assert [notice for notice in notices if "not encrypted" in notice] == list(notices)
    assert len(notices) == int(is_warned)


def test_the_old_key_is_never_left_for_a_new_server(desk: Desk) -> None:
    desk.sign_in(provider="openai", key="old-key", model="m", is_storage_insecure=True)
    desk.keyring.error = StoreError("it is locked")
    with pytest.raises(NotSignedInError, match="it is locked"):
        desk.sign_in(provider="openai", key=KEY, base_url="https://llm.example.com")
    saved = load_settings(desk.settings_file).of("openai-compatible")
    assert saved.base_url == "https://llm.example.com"
    assert saved.key_store is None
    assert desk.file.read("openai-compatible") is None


def test_the_old_key_stays_when_the_new_one_is_not_kept_and_the_server_is_the_same(desk: Desk) -> None:
    desk.sign_in(provider="cline", key="old-key")
    desk.keyring.error = StoreError("it is locked")
    with pytest.raises(NotSignedInError):
        desk.sign_in(provider="cline", key=KEY)
    assert load_settings(desk.settings_file).of("cline").key_store == "keyring"


def test_the_file_is_told_when_there_is_no_keyring(desk: Desk) -> None:
    desk.keyring.error = NoStoreError("none here")
    outcome = desk.sign_in(provider="cline", key=KEY)
    assert outcome.sentence.endswith(f"the key is in {desk.file.place}.")
    assert "plain text" in outcome.notices[0]
    assert load_settings(desk.settings_file).of("cline").key_store == "file"


def test_a_file_is_used_when_the_person_says_so(desk: Desk) -> None:
    desk.sign_in(provider="cline", key=KEY, is_storage_insecure=True)
    assert not desk.keyring.keys
    assert desk.file.read("cline") == KEY


def test_the_setting_decides_where_the_key_goes(desk: Desk) -> None:
    change_settings(desk.settings_file, {("credentials", "store"): "file"})
    desk.sign_in(provider="cline", key=KEY)
    assert not desk.keyring.keys
    change_settings(desk.settings_file, {("credentials", "store"): "keyring"})
    desk.keyring.error = NoStoreError("none here")
    with pytest.raises(NotSignedInError, match="none here"):
        desk.sign_in(provider="cline", key=KEY)


def test_no_key_is_saved_when_the_settings_cannot_be(desk: Desk) -> None:
    desk.settings_file.parent.write_text("a file where the folder should be")
    with pytest.raises(ClineError):
        desk.sign_in(provider="cline", key=KEY)
    assert not desk.keyring.keys


def test_broken_settings_are_left_as_they_are(desk: Desk) -> None:
    desk.settings_file.parent.mkdir()
    desk.settings_file.write_text("provider = cline")
    with pytest.raises(SettingsError):
        desk.sign_in(provider="cline", key=KEY)
    assert not desk.keyring.keys
    assert desk.settings_file.read_text() == "provider = cline"


def test_a_variable_that_goes_before_the_saved_key_is_told(desk: Desk) -> None:
    desk.environment = replace(desk.environment, variables={"CLINE_API_KEY": "x", "OPENAI_API_KEY": "y"})
    assert desk.sign_in(provider="cline", key=KEY).notices == ("$CLINE_API_KEY is set, and goes before the saved key",)
    assert len(desk.sign_in(provider="openai", key=KEY, model="m").notices) == 1
    assert desk.sign_in(provider="openai", key=KEY, base_url="https://llm.example.com").notices == ()


def test_no_key_is_needed_when_the_models_run_here(desk: Desk) -> None:
    outcome = desk.sign_in(provider="local")
    assert outcome == Outcome("Runs now ask local with qwen2.5-coder-1.5b; it needs no key.")
    assert load_settings(desk.settings_file).provider == "local"
    with pytest.raises(UsageError, match="--key does not go with local"):
        desk.sign_in(provider="local", key=KEY)
    with pytest.raises(UsageError, match="--base-url does not go with local"):
        desk.sign_in(provider="local", base_url="https://llm.example.com")


def test_no_key_is_needed_when_the_server_is_ones_own(desk: Desk) -> None:
    outcome = desk.sign_in(provider="ollama", model="qwen3:8b")
    assert outcome == Outcome("Runs now ask ollama with qwen3:8b, without a key.")
    assert load_settings(desk.settings_file).providers == {"ollama": ProviderSettings("qwen3:8b")}
    outcome = desk.sign_in(provider="ollama", base_url="http://10.0.0.7:11434/v1")
    assert outcome.sentence == "Runs now ask ollama at http://10.0.0.7:11434/v1 with qwen3:8b, without a key."
    with pytest.raises(UsageError, match="lmstudio needs a model"):
        desk.sign_in(provider="lmstudio")


def test_the_saved_key_stays_when_only_the_model_of_a_server_of_ones_own_is_new(desk: Desk) -> None:
    desk.sign_in(provider="ollama", key=KEY, model="a")
    assert desk.sign_in(provider="ollama", model="b").sentence == "Runs now ask ollama with b, with its saved key."
    assert desk.keyring.keys == {"ollama": KEY}
    assert load_settings(desk.settings_file).of("ollama").key_store == "keyring"
    desk.sign_in(provider="ollama", base_url="http://10.0.0.7:1/v1")
    assert load_settings(desk.settings_file).of("ollama").key_store is None


def test_a_model_that_was_only_picked_is_not_fixed_when_it_is_the_default(desk: Desk) -> None:
    change_settings(desk.settings_file, {("providers", "cline", "model"): "a/b"})
    name, row = require("cline")
    answers = Answers(name, row, MODEL, row.base_url, KEY)
    save(answers, Asked(), desk.environment, desk.settings_file, Stores(desk.keyring, desk.file, None))
    assert load_settings(desk.settings_file).of("cline").model == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_all_is_saved_when_a_signal_comes_in_the_middle(desk: Desk, number: signal.Signals) -> None:
    came: list[int] = []
    before = signal.signal(number, lambda number, _: came.append(number))

    class Interrupted(FakeKeyring):
        def write(self, provider: str, key: str) -> None:
            signal.raise_signal(number)
            assert not came
            super().write(provider, key)

    desk.keyring = Interrupted()
    try:
        desk.sign_in(provider="cline", key=KEY)
    finally:
        signal.signal(number, before)
    assert came == [number]
    assert desk.keyring.keys == {"cline": KEY}
    assert load_settings(desk.settings_file).of("cline").key_store == "keyring"


def test_no_key_is_in_what_python_shows_of_the_request() -> None:
    assert KEY not in repr(Asked("cline", KEY))


def test_the_outcome_is_on_stdout_and_the_rest_on_stderr(desk: Desk) -> None:
    out, err = desk.run("cline", "-k", KEY, "-m", "a/b", "-v")
    place = desk.folder / "config" / "credentials.json"
    assert out == f"Signed in to cline with a/b; the key is in {place}.\n"
    first, second = err.splitlines()
    assert first == f"cline: settings: {desk.settings_file} (--config)"
    assert second.startswith("cline: there is no keyring on this machine")
    assert KEY not in out + err


@pytest.mark.parametrize(
    "words",
    [
        ("cline", "--apikey", KEY, "--modelid", "m", "--baseurl", "https://x.example"),
        ("-p", "cline", "--key", KEY, "--model", "m", "--base-url", "https://x.example"),
        ("--provider=cline", f"-k{KEY}", "-mm", "-b", "https://x.example"),
        ("cline", "-p", "cline", "-k", KEY, "-m", "m", "-b", "https://x.example"),
    ],
)
def test_every_spelling_of_the_options_means_the_same(desk: Desk, words: tuple[str, ...]) -> None:
    desk.run(*words)
    assert load_settings(desk.settings_file).of("cline") == ProviderSettings("m", "https://x.example", "file")
    assert desk.file.read("cline") == KEY


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("cline", "openrouter"), "one provider at a time"),
        (("cline", "-p", "openrouter"), "one provider at a time, not cline and openrouter"),
        (("logout", "cline", "openrouter"), "one provider at a time"),
        (("status", "-k", KEY), "takes no provider, key"),
        (("status", "-p", "cline"), "takes no provider, key"),
        (("status", "cline"), "one provider at a time"),
        (("logout", "-m", "x"), "takes no provider, key"),
        (("cline", "--json"), "--json goes with"),
        (("logout", "--json"), "--json goes with"),
        (("cline", "--azure-api-version", "1"), "--azure-api-version is not supported yet"),
        (("cline", "-c", "/nowhere"), "--cwd '/nowhere' is not a folder"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(desk: Desk, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        desk.run(*words)
    assert told in str(caught.value)
    assert KEY not in str(caught.value)


def test_relative_folders_start_where_the_line_says(desk: Desk) -> None:
    other = desk.folder / "other"
    other.mkdir()
    desk.run("local", "--config", "here", "-c", str(other))
    assert (other / "here" / "settings.toml").exists()


def test_status_tells_where_every_key_lies(desk: Desk) -> None:
    desk.run("cline", "-k", KEY)
    place = str(desk.folder / "config" / "credentials.json")
    status = desk.status(OPENROUTER_API_KEY="sk-or-123456")
    assert status["cline"] == {
        "provider": "cline",
        "isUsed": True,
        "needsKey": True,
        "key": {"source": place, "tail": "...9a1c", "isPlainText": True},
        "problem": None,
        "model": MODEL,
        "baseUrl": "https://api.cline.bot/api/v1",
    }
    assert status["openrouter"]["key"] == {"source": "$OPENROUTER_API_KEY", "tail": "...3456", "isPlainText": False}
    assert not status["openrouter"]["isUsed"]
    assert set(status) == {"cline", "openrouter"}
    text = desk.run("status", OPENROUTER_API_KEY="sk-or-123456")[0]
    assert f"cline (a run asks it: the settings)\n  key      ...9a1c from {place}, where it lies in plain text" in text
    assert "...3456 from $OPENROUTER_API_KEY\n" in text
    assert KEY not in text


def test_status_says_so_when_nothing_is_set_up(desk: Desk) -> None:
    assert desk.run("status")[0].startswith("Not logged in to any provider.")
    assert json.loads(desk.run("status", "--json")[0]) == {"provider": None, "providerSource": None, "providers": []}


def test_status_hides_a_short_key_whole(desk: Desk) -> None:
    out = desk.run("status", CLINE_API_KEY="tiny-f3a2")[0]
    assert "a short one from $CLINE_API_KEY" in out
    assert "f3a2" not in out


def test_status_names_a_key_that_goes_before_the_saved_one(desk: Desk) -> None:
    desk.run("cline", "-k", KEY)
    assert "$CLINE_API_KEY, which goes before the saved one" in desk.run("status", CLINE_API_KEY="sk-123456789")[0]


def test_status_tells_what_is_wrong_and_goes_on(desk: Desk) -> None:
    desk.run("cline", "-k", KEY)
    status = desk.status(CLINE_API_KEY="", OPENAI_API_KEY="sk-123456789")
    assert status["cline"]["problem"] == "CLINE_API_KEY is set but empty"
    assert status["cline"]["key"] is None
    assert status["openai-compatible"]["problem"] is None
    desk.file.delete("cline")
    change_settings(desk.settings_file, {("providers", "cline", "key_store"): "keyring"})
    assert "does not have it here" in str(desk.status()["cline"]["problem"])
    assert "problem  its key was put in the keyring" in desk.run("status")[0]


def test_status_shows_what_a_run_would_use(desk: Desk) -> None:
    desk.run("cline", "-k", KEY)
    status = desk.status(CLINE_PROVIDER="openai", CLINE_MODEL="x/y", CLINE_API_BASE_URL="http://127.0.0.1:1")
    assert status["openai-compatible"]["isUsed"]
    assert status["openai-compatible"]["model"] == "x/y"
    assert status["cline"]["model"] == MODEL
    assert status["cline"]["baseUrl"] == "http://127.0.0.1:1/api/v1"
    assert desk.status(CLINE_PROVIDER="nobody")["nobody"]["problem"] == "there is no such provider"
    assert "is no address" in str(desk.status(CLINE_API_BASE_URL="nonsense")["cline"]["problem"])


def test_status_says_that_a_server_of_ones_own_needs_no_key(desk: Desk) -> None:
    desk.run("ollama", "-m", "qwen3:8b", "-b", "http://10.0.0.7:11434/v1")
    status = desk.status(CLINE_API_KEY="sk-for-cline-only")["ollama"]
    assert (status["needsKey"], status["key"], status["problem"]) == (False, None, None)
    assert "  key      none needed\n" in desk.run("status")[0]
    key = desk.status(OLLAMA_API_KEY="sk-for-that-server")["ollama"]["key"]
    assert key == {"source": "$OLLAMA_API_KEY", "tail": "...rver", "isPlainText": False}


def test_status_lists_a_provider_that_needs_no_key(desk: Desk) -> None:
    desk.run("local")
    assert "local (a run asks it: the settings)\n  key      none needed\n" in desk.run("status")[0]


def test_no_control_sequence_reaches_the_terminal(desk: Desk) -> None:
    out = desk.run("status", CLINE_PROVIDER="\x1b[2Jgone", CLINE_MODEL="\u202eevil")[0]
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_logout_forgets_the_saved_key(desk: Desk) -> None:
    desk.run("cline", "-k", KEY)
    out, err = desk.run("logout")
    assert out == f"Removed the key of cline from {desk.folder / 'config' / 'credentials.json'}.\n"
    assert err == ""
    assert desk.file.read("cline") is None
    assert load_settings(desk.settings_file).of("cline").key_store is None
    assert desk.run("logout", "cline")[0] == "No key of cline was saved.\n"


def test_logout_takes_the_provider_in_every_way(desk: Desk) -> None:
    for words in (("openai",), ("-p", "openai"), ("openai-compatible",)):
        desk.run("openai", "-k", KEY, "-m", "m")
        assert desk.run("logout", *words)[0].startswith("Removed the key of openai-compatible from ")
    with pytest.raises(UsageError, match="no provider 'nobody'"):
        desk.run("logout", "nobody")


def test_logout_is_content_when_nothing_is_saved(desk: Desk) -> None:
    assert desk.run("logout")[0] == "No provider is saved, so there is nothing to forget.\n"


def test_logout_names_keys_that_a_run_still_finds(desk: Desk, private_home: Path) -> None:
    original = private_home / ".cline" / "data" / "settings" / "providers.json"
    original.parent.mkdir(parents=True)
    original.write_text(json.dumps({"providers": {"cline": {"settings": {"apiKey": "sk-original-1"}}}}))
    desk.run("cline", "-k", KEY)
    err = desk.run("logout", CLINE_API_KEY="sk-123456789")[1]
    assert [line.partition(" in ")[2] for line in err.splitlines()] == [
        "$CLINE_API_KEY, which is not ours to remove",
        f"{original}, which is not ours to remove",
    ]
    assert "sk-original-1" in original.read_text()


def test_logout_fails_when_the_key_is_still_there(desk: Desk) -> None:
    desk.run("cline", "-k", KEY)
    (desk.folder / "config" / "credentials.json").write_text("{")
    with pytest.raises(NotSignedInError, match=r"cannot remove the key from .*: line 1 is not valid JSON"):
        desk.run("logout")
    assert load_settings(desk.settings_file).of("cline").key_store == "file"


def test_logout_forgets_a_provider_that_is_in_the_settings_only(desk: Desk) -> None:
    change_settings(desk.settings_file, {("providers", "retired", "key_store"): "file"})
    desk.file.write("retired", KEY)
    assert "Removed the key of retired" in desk.run("logout", "retired")[0]
