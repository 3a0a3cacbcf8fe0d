from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.config.addresses import check_base_url, is_same_origin
from cline_cli.config.definitions import DEFINITIONS
from cline_cli.config.settings import (
    Choice,
    ProviderSettings,
    SessionSettings,
    Settings,
    change_settings,
    choose_provider,
    find_base_url,
    load_settings,
    to_settings,
)
from cline_cli.config.values import from_text
from cline_cli.errors import ClineError, SettingsError, UsageError

MODEL = ("providers", "cline", "model")
ROWS = {one.key: one for one in DEFINITIONS}
NAMES = {"cline": ("CLINE_API_KEY",), "openrouter": ("OPENROUTER_API_KEY",), "local": ()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.toml"


def write(file: Path, text: str | bytes) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_defaults_are_used_when_there_is_no_file(file: Path) -> None:
    assert load_settings(file) == Settings()
    assert not file.parent.exists()


def test_every_setting_is_read_when_the_file_is_whole(file: Path) -> None:
    write(
        file,
        """
        provider = "cline"
        auto_approve = true
        [providers.cline]
        model = "a/b"
        base_url = "https://example.com/v1/"
        key_store = "keyring"
        [credentials]
        store = "file"
        [stdin]
        max_bytes = 3
        [sessions]
        keep = false
        keep_days = 0
        max_bytes = 7
        """,
    )
    assert load_settings(file) == Settings(
        provider="cline",
        providers={"cline": ProviderSettings("a/b", "https://example.com/v1", "keyring")},
        credentials_store="file",
        max_stdin_bytes=3,
        sessions=SessionSettings(keep=False, keep_days=0, max_bytes=7),
    )


def test_the_defaults_are_those_of_the_table() -> None:
    assert to_settings({one.path: one.default for one in DEFINITIONS if one.default is not None}) == Settings(
        provider="cline"  # which a run asks where no provider is named; it is not saved by that
    )


def test_unknown_keys_are_kept_when_something_else_changes(file: Path) -> None:
    write(file, "# mine\nfuture = [1, 2] # why\n[providers.cline]\nmodel = 'old' # good\nheat = 0.5\n[hooks]\nx = 1\n")
    change_settings(file, {MODEL: "new", ("provider",): "cline"})
    changed = file.read_text()
    assert tomllib.loads(changed) == {
        "provider": "cline",
        "future": [1, 2],
        "providers": {"cline": {"model": "new", "heat": 0.5}},
        "hooks": {"x": 1},
    }
    assert "# mine" in changed
    assert "# why" in changed
    assert "# good" in changed


def test_a_byte_order_mark_is_no_fault_when_an_editor_left_one(file: Path) -> None:
    write(file, b'\xef\xbb\xbfprovider = "local"\r\n')
    assert load_settings(file).provider == "local"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("provider = cline\n", "cannot read FILE, line 1, column 12: invalid value"),
        ('provider = "cline"\nauto_approve = yes', "cannot read FILE, line 2, column 16: invalid value"),
        ("[providers", "cannot read FILE, line 1, column 11: expected ']' at the end of a table declaration"),
        ("provider = 3", "cannot use FILE, line 1, column 12: provider must be text in quotes, not a number"),
        ("\n provider = true", "line 2, column 13: provider must be text in quotes, not true or false"),
        ('auto_approve = "false"', "line 1, column 16: auto_approve must be true or false, not text"),
        ("auto_approve = 1", "auto_approve must be true or false, not a number"),
        ("x = 1\r\nproviders = 1979-05-27", "line 2, column 13: providers must be a table, not a date or time"),
        ('[providers]\ncline = "x"', "line 2, column 9: providers.cline must be a table, not text"),
        ("[[providers]]", "line 1, column 3: providers must be a table, not a list"),
        ("[providers.cline]\nmodel = []", "line 2, column 9: providers.cline.model must be text in quotes, not a list"),
        ("[providers.cline]\nmodel = {a=1}", "providers.cline.model must be text in quotes, not a table"),
        ('providers = {cline = {model = "a\\u001b[2J"}}', "column 31: providers.cline.model has control characters"),
        (
            '[providers."\\u001b[2J"]',
            'line 1, column 12: providers."\\U0000001B[2J" has control characters in its name',
        ),
        ('[providers.cline]\nbase_url = "ftp://x"', "column 12: providers.cline.base_url is no address of a server"),
        ('[providers.cline]\nkey_store = "env"', "providers.cline.key_store must be one of keyring, file, not 'env'"),
        ('[credentials]\nstore = "plain"', "credentials.store must be one of auto, keyring, file, not 'plain'"),
        ("credentials = 1", "line 1, column 15: credentials must be a table, not a number"),
        ('# a\n[stdin]\nmax_bytes = "x"', "line 3, column 13: stdin.max_bytes must be a whole number, not text"),
        ('stdin . "max_bytes" = 0', "line 1, column 23: stdin.max_bytes must be at least 1, not 0"),
        ("sessions.keep_days = -1", "sessions.keep_days must be at least 0, not -1"),
        ("\n\nx = " + "9" * 5000, "cannot read FILE, line 3, column 5: the number is too long"),
        ("y = 1\n" + "a." * 5000 + "b = 1", "cannot read FILE, line 2, column 202: it is nested too deeply"),
        ("y = 1\nx = " + "[" * 5000, "cannot read FILE, line 2, column 105: it is nested too deeply"),
        (b"\n\nprovider = '\xff'", "cannot read FILE, line 3, column 13: it is not UTF-8"),
        (b"\xef\xbb\xbfx = 1\ny = \xe9", "cannot read FILE, line 2, column 5: it is not UTF-8"),
        ("max_turns = 3.5", "max_turns must be a whole number, not a number"),
        ("max_cost = '1'", "max_cost must be a number of US dollars, not text"),
        ("max_cost = nan", "max_cost must be more than 0"),
        ("max_cost = 0x" + "f" * 400, "max_cost must be more than 0 and less than"),
        ("timeout = 0x" + "f" * 5000, "timeout must be a time: 90, 90s, 10m, 2h"),
        ("max_turns = 0x" + "f" * 5000, "max_turns must be at most"),
        ("timeout = 0", "timeout must be a time such as 90, 90s or 10m, not '0'"),
        ("timeout = inf", "timeout must be a time"),
        ("thinking = 'much'", "thinking must be none, low, medium, high, xhigh, or a number of tokens, not 'much'"),
        ("mode = 'yolo'", "mode must be one of act, plan, not 'yolo'"),
    ],
)
def test_file_and_cause_are_named_when_the_file_is_broken(file: Path, text: str | bytes, told: str) -> None:
    write(file, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert told.replace("FILE", str(file)) in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_settings_or_an_error_for_people(text: str) -> None:
    file = Path("fuzzed.toml")
    file.write_text(text, "utf-8", errors="surrogatepass")
    with contextlib.suppress(SettingsError):
        assert isinstance(load_settings(file), Settings)


def test_a_pipe_is_refused_when_it_stands_in_for_the_file(file: Path) -> None:
    file.parent.mkdir()
    os.mkfifo(file)
    with pytest.raises(SettingsError, match="not a regular file"):
        load_settings(file)


def test_a_file_without_end_is_refused(file: Path) -> None:
    write(file, b"#" * (2 << 20))
    with pytest.raises(SettingsError, match="larger than"):
        load_settings(file)


def test_a_broken_file_is_not_touched_when_something_changes(file: Path) -> None:
    write(file, "provider = cline")
    with pytest.raises(SettingsError):
        change_settings(file, {MODEL: "x"})
    assert file.read_text() == "provider = cline"


def test_file_and_folder_are_private_when_they_are_made(tmp_path: Path) -> None:
    file = tmp_path / "above" / "config" / "settings.toml"
    mask = os.umask(0)
    try:
        change_settings(file, {("provider",): "cline"})
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700


def test_the_folder_is_named_when_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClineError, match=r"cannot save .*settings\.toml: .*--config"):
        change_settings(tmp_path / "file" / "settings.toml", {("provider",): "cline"})


def test_a_setting_goes_when_its_new_value_is_none(file: Path) -> None:
    change_settings(file, {MODEL: "x", ("auto_approve",): True})
    settings = change_settings(file, {MODEL: None, ("auto_approve",): None, ("credentials", "store"): None})
    assert settings == load_settings(file)
    assert settings.of("cline") == ProviderSettings()
    assert "credentials" not in file.read_text()


def test_a_dotted_key_goes_with_its_line_and_nothing_else(file: Path) -> None:
    write(file, "# one\nstdin.max_bytes = 5 # two\n# three\nproviders.cline.model = 'a'\nproviders.cline.x = 1\n")
    change_settings(file, {("stdin", "max_bytes"): None, MODEL: None, ("provider",): "local"})
    assert file.read_text() == '# one\n# three\nproviders.cline.x = 1\nprovider = "local"\n'


def test_a_change_is_refused_when_it_cannot_be_made_alone(file: Path) -> None:
    text = "providers = { cline.model = 'a', local.model = 'b' }\n"
    write(file, text)
    with pytest.raises(SettingsError, match=r"without changing more\. Set by hand: providers\.cline\.model"):
        change_settings(file, {MODEL: None})
    assert file.read_text() == text


def test_a_change_is_refused_when_the_file_is_nested_beyond_the_editor(file: Path) -> None:
    text = "a." * 100 + "b = 1\n"
    write(file, text)
    with pytest.raises(SettingsError, match=r"without changing more\. Set by hand: providers\.cline\.model"):
        change_settings(file, {MODEL: "x"})
    assert file.read_text() == text


LAYOUTS = st.sampled_from(
    (
        "",
        "# only a comment",
        "provider = 'x'",
        "providers = {}\n",
        "providers = { local = { model = 'm' } }\n",
        "providers = { cline = { model = 'm', key_store = 'file' } } # all in one\n",
        "providers.cline.model = 'm'\nz = 1\n",
        "providers.local.model = 'm'\n",
        "[providers]\n",
        "[providers]\ncline.model = 'm'\n",
        "[providers.cline]\nmodel = 'm'\n[other]\n[providers.local]\n",
        "[providers.cline.deeper]\nx = 1\n",
        "[[list]]\na = 1\n[[list]]\na = 2",
        "[credentials]\r\nstore = 'auto'\r\n",
        "'provider' = '''\nx'''\n",
    )
)
VALUES = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8)


@given(LAYOUTS, st.dictionaries(st.sampled_from((MODEL, ("provider",), ("providers", "local", "model"))), VALUES))
def test_a_change_changes_what_it_names_and_nothing_else(
    layout: str, changes: dict[tuple[str, ...], str | bool | None]
) -> None:
    file = Path("settings.toml")
    file.write_text(layout)
    before = tomllib.loads(layout)
    try:
        change_settings(file, changes)
    except SettingsError:
        assert file.read_text() == layout
        assert "\ncline.model = " in layout or layout.startswith("providers."), "only dotted keys are beyond the editor"
        return
    after = tomllib.loads(file.read_text())
    for keys, value in changes.items():
        place = after
        for key in keys[:-1]:
            place = place.get(key, {})
        assert place.get(keys[-1]) == value
    for name in before.keys() - {"provider", "providers"}:
        assert after[name] == before[name]


def test_no_change_is_lost_when_processes_write_at_once(file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cline_cli.config.settings import change_settings\n"
        "for n in range(5): change_settings(Path(sys.argv[1]), {('providers', f'p{sys.argv[2]}-{n}', 'model'): 'm'})"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(file), str(number)]) for number in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert len(load_settings(file).providers) == 20


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        (" http://127.0.0.1:8080 ", "http://127.0.0.1:8080"),
        ("http://[::1]:1/x", "http://[::1]:1/x"),
    ],
)
def test_an_address_is_kept_without_its_last_slash(url: str, kept: str) -> None:
    assert check_base_url(url) == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https:///v1",
        "https://user:secret@example.com",
        "https://user@example.com",
        "https://example.com?key=1",
        "https://example.com/?",
        "https://example.com/#x",
        "https://exam ple.com",
        "https://example.com/\x1b[2J",
        "https://[::1",
        "https://example.com:port",
        "https://example.com:0",
        "https://example.com:99999",
    ],
)
def test_an_address_is_refused_when_it_is_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_base_url(url)


def test_origins_are_the_same_when_scheme_host_and_port_are() -> None:
    assert is_same_origin("https://Example.com/v1", "https://example.com:443/other")
    assert not is_same_origin("http://example.com", "https://example.com")
    assert not is_same_origin("https://example.com:8443", "https://example.com")
    assert not is_same_origin("https://example.com.evil.org", "https://example.com")
    assert not is_same_origin("https://[", "https://[")


@pytest.mark.parametrize(
    ("flag", "variables", "saved", "choice"),
    [
        ("x", {"CLINE_PROVIDER": "y"}, "z", Choice("x", "-P")),
        (None, {"CLINE_PROVIDER": "y"}, "z", Choice("y", "$CLINE_PROVIDER")),
        (None, {"OPENROUTER_API_KEY": "k"}, "z", Choice("z", "the settings")),
        (None, {"OPENROUTER_API_KEY": "k"}, "", Choice("openrouter", "$OPENROUTER_API_KEY")),
        (
            None,
            {"OPENROUTER_API_KEY": "k", "CLINE_API_KEY": "k"},
            "",
            Choice("cline", "$CLINE_API_KEY", ("openrouter",)),
        ),
        (
            None,
            {"OPENROUTER_API_KEY": "k", "CLINE_API_KEY": ""},
            "",
            Choice("cline", "$CLINE_API_KEY", ("openrouter",)),
        ),
        (None, {"OPENROUTER_API_KEY": "", "CLINE_API_KEY": "k"}, "", Choice("cline", "$CLINE_API_KEY")),
        (None, {}, "", None),
    ],
)
def test_the_provider_is_the_first_that_is_named(
    flag: str | None, variables: dict[str, str], saved: str, choice: Choice | None
) -> None:
    assert choose_provider(flag, variables, Settings(provider=saved), NAMES) == choice


def test_providers_that_share_a_variable_are_told_as_one() -> None:
    names = {"cline": ("C",), "native": ("O",), "compatible": ("O",), "gemini": ("G", "GG"), "studio": ("GG",)}
    assert choose_provider(None, {"C": "1", "O": "2"}, Settings(), names) == Choice("cline", "$C", ("native",))
    assert choose_provider(None, {"O": "2"}, Settings(), names) == Choice("native", "$O")
    assert choose_provider(None, {"G": "1", "GG": "2"}, Settings(), names) == Choice("gemini", "$G", ("studio",))
    assert choose_provider(None, {"C": "1", "O": " "}, Settings(), names) == Choice("cline", "$C")


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("box", "http://box:11434/v1"),
        ("box:99", "http://box:99/v1"),
        (" 'box' ", "http://box:11434/v1"),
        ("http://box", "http://box/v1"),
        ("https://box/", "https://box/v1"),
        ("https://box:8443/ollama/", "https://box:8443/ollama/v1"),
        ("0.0.0.0", "http://localhost:11434/v1"),
        ("0.0.0.0:99", "http://localhost:99/v1"),
        ("[::]:99", "http://localhost:99/v1"),
        (":99", "http://localhost:99/v1"),
        ("::1", "http://[::1]:11434/v1"),
        ("[::1]:99", "http://[::1]:99/v1"),
        ("", "http://own/v1"),
        (" ", "http://own/v1"),
    ],
)
def test_ollama_is_where_it_was_told_to_be(said: str, url: str) -> None:
    variables = {"OLLAMA_HOST": said}
    assert find_base_url("ollama", "http://own/v1", variables, Settings()) == url
    assert find_base_url("lmstudio", "http://own/v1", variables, Settings()) == "http://own/v1"
    saved = Settings(providers={"ollama": ProviderSettings(base_url="http://saved/v1")})
    assert find_base_url("ollama", "http://own/v1", variables, saved) == "http://saved/v1"


@pytest.mark.parametrize("said", ["ftp://box", "http://me:secret@box", "a b", "box:99999", "box:x", "http://box?x"])
def test_ollama_is_not_asked_when_the_variable_holds_no_address(said: str) -> None:
    with pytest.raises(UsageError, match=r"OLLAMA_HOST .* is no address of a server") as caught:
        find_base_url("ollama", "http://own/v1", {"OLLAMA_HOST": said}, Settings())
    assert "secret" not in str(caught.value)


def test_the_address_is_moved_when_the_variable_says_so() -> None:
    settings = Settings(providers={"cline": ProviderSettings(base_url="https://saved")})
    variables = {"CLINE_API_BASE_URL": "http://127.0.0.1:1/"}
    assert find_base_url("cline", "https://own", variables, settings) == "http://127.0.0.1:1/api/v1"
    assert find_base_url("cline", "https://own", {"CLINE_API_BASE_URL": ""}, settings) == "https://saved"
    assert find_base_url("cline", "https://own", {}, Settings()) == "https://own"
    assert find_base_url("openrouter", "https://own", variables, settings) == "https://own"
    with pytest.raises(UsageError, match="CLINE_API_BASE_URL 'nonsense' is no address"):
        find_base_url("cline", "https://own", {"CLINE_API_BASE_URL": "nonsense"}, settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\nsandbox = 'maybe'", "line 2, column 11: sandbox must be one of"),
        ("[policy]\ndeny = 'rm *'", "line 2, column 8: policy.deny must be a list of patterns, not text"),
        ("[policy]\nallow = [{ match = 'x' }]", "line 2, column 9: policy.allow must hold patterns"),
        ("policy = 'none'", "policy must be a table"),
    ],
)
def test_a_setting_that_protects_is_never_ignored(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert told in str(caught.value)


def test_patterns_are_written_and_read_as_a_list(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    value = from_text(ROWS["policy.deny"], '["rm *", {"pattern": "dd *", "match": ["dd x"]}]')
    settings = change_settings(file, {("policy", "deny"): value})
    assert json.loads(settings.policy.deny) == ["rm *", {"pattern": "dd *", "match": ["dd x"]}]
    assert tomllib.loads(file.read_text())["policy"]["deny"] == ["rm *", {"pattern": "dd *", "match": ["dd x"]}]
