"""`cline auth` as processes: what one saves, another finds; and the key is nowhere but where it was sent."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunCline
from tests.fake_server import FakeServer, status, text

KEY = "sk-canary-8b2e6d41"
LINE = KEY.encode() + b"\n"


def key_files(*folders: Path) -> list[Path]:
    """Return the files that have the key in them."""
    return [
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink() and KEY.encode() in file.read_bytes()
    ]


def test_a_second_process_finds_what_the_first_saved(cline: RunCline, private_home: Path, tmp_path: Path) -> None:
    signed_in = cline("auth", "cline", "-k", "-", "-m", "a/b", stdin=LINE)
    place = private_home / ".config" / "cline" / "credentials.json"
    assert signed_in.exit_code == 0
    assert signed_in.text == f"Signed in to cline with a/b; the key is in {place}.\n"
    assert len(signed_in.stderr.splitlines()) == 1
    status = cline("auth", "status", "--json")
    (entry,) = json.loads(status.text)["providers"]
    assert entry["key"] == {"source": str(place), "tail": "...6d41", "isPlainText": True}
    plain = cline("auth", "status")
    for result in (signed_in, status, plain):
        assert KEY not in result.text + result.stderr
    assert key_files(tmp_path) == [place]
    assert cline("auth", "logout").exit_code == 0
    assert key_files(tmp_path) == []


def test_the_folder_of_the_settings_may_be_named_before_the_verb(cline: RunCline, tmp_path: Path) -> None:
    assert cline("--config", str(tmp_path / "c"), "auth", "cline", "-k", "-", stdin=LINE).exit_code == 0
    assert cline("auth", "status", "--config", str(tmp_path / "c")).text.startswith("cline (a run asks it")
    assert cline("auth", "status", CLINE_DIR=str(tmp_path / "c")).text.startswith("cline (a run asks it")
    assert cline("auth", "status").text.startswith("Not logged in")


@pytest.mark.parametrize(
    ("words", "exit_code", "told"),
    [
        ((), 2, "no provider was given"),
        (("cline",), 2, "cline needs a key"),
        (("-p", "clin", "-k", KEY), 2, "there is no provider 'clin'. The nearest are cline,"),
        (("cline", "-k", ""), 2, "the key from -k is empty"),
        (("cline", "-k", f"{KEY}\n{KEY}"), 2, "the key from -k cannot be sent"),
        (("cline", "-k", f"{KEY}\udcff"), 2, "the key from -k cannot be sent"),
        (("openai", "-k", KEY), 2, "openai-compatible needs a model"),
        (("cline", "-k", KEY, "-b", "example.com"), 2, "--base-url 'example.com' is no address"),
        (("cline", "--azure-api-version", "1"), 2, "not supported yet"),
        (("cline", "--no-such-option"), 2, "--no-such-option"),
    ],
)
def test_one_clear_line_is_told_when_nothing_can_be_saved(
    cline: RunCline, tmp_path: Path, words: tuple[str, ...], exit_code: int, told: str
) -> None:
    result = cline("auth", *words)
    assert result.exit_code == exit_code
    assert result.stdout == b""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("cline: ")
    assert told in result.stderr
    assert KEY not in result.stderr
    assert key_files(tmp_path) == []


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("keyring.backends.null.Keyring", "it is switched off"),
        ("bogus", "ValueError"),
        ("bogus.Keyring", "a part of it is not installed (ModuleNotFoundError: No module named 'bogus')"),
    ],
)
def test_no_file_is_made_when_there_is_a_keyring_that_fails(
    cline: RunCline, tmp_path: Path, backend: str, told: str
) -> None:
    result = cline("auth", "cline", "-k", "-", stdin=LINE, PYTHON_KEYRING_BACKEND=backend)
    assert result.exit_code == 3
    assert result.stdout == b""
    assert len(result.stderr.splitlines()) == 1
    assert f"cannot save the key in the keyring: {told}" in result.stderr
    for way in ("Unlock", "CLINE_API_KEY", "--insecure-storage"):
        assert way in result.stderr
    assert key_files(tmp_path) == []
    insecure = cline("auth", "cline", "--insecure-storage", "-k", "-", stdin=LINE, PYTHON_KEYRING_BACKEND=backend)
    assert insecure.exit_code == 0
    assert "plain text" in insecure.stderr


def test_no_file_is_made_when_the_settings_want_a_keyring_and_there_is_none(cline: RunCline, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "settings.toml").write_text('[credentials]\nstore = "keyring"\n')
    result = cline("auth", "cline", "-k", "-", "--config", str(tmp_path / "c"), stdin=LINE)
    assert result.exit_code == 3
    assert "there is no keyring on this machine" in result.stderr
    assert key_files(tmp_path) == []


def test_a_broken_settings_file_is_named_with_its_line(cline: RunCline, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "settings.toml").write_text('provider = "cline"\nauto_approve = maybe\n')
    for words in (("status",), ("logout",), ("cline", "-k", "-")):
        result = cline("auth", *words, "--config", str(tmp_path / "c"), stdin=LINE)
        assert result.exit_code == 2
        assert "settings.toml" in result.stderr
        assert "line 2, column 16" in result.stderr


@pytest.fixture
def mute_bus() -> Iterator[str]:
    """A session bus that takes connections and never says anything."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/bus")
        listener.listen(16)
        yield f"unix:path={folder}/bus"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have neither /proc nor a session bus")
def test_other_users_see_no_key_while_it_is_saved(mute_bus: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": mute_bus}
    del environment["PYTHON_KEYRING_BACKEND"]
    process = subprocess.Popen(
        [sys.executable, "-m", "cline_cli", "auth", "cline", "-k", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    with process:
        assert process.stdin
        process.stdin.write(LINE)
        process.stdin.flush()
        settings = Path(os.environ["HOME"]) / ".config" / "cline" / "settings.toml"
        while not settings.exists() and process.poll() is None:
            time.sleep(0.01)
        # The settings are there, so the key has been read; the keyring keeps the process waiting.
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        stdout, stderr = process.communicate()
    assert b"auth\0cline" in shown
    assert KEY.encode() not in shown
    assert process.returncode == 3
    assert stdout == b""
    assert b"does not answer" in stderr or b"did not answer" in stderr
    assert KEY.encode() not in stderr
    assert key_files(tmp_path) == []


def test_a_run_without_a_saved_key_imports_no_keyring(cline: RunCline) -> None:
    code = (
        "import sys; from cline_cli.__main__ import main; from cline_cli.environment import read_environment\n"
        "main(['auth', 'status'], read_environment())\n"
        "print(*sorted({'keyring', 'tomlkit', 'httpx', 'rich'} & sys.modules.keys()))"
    )
    assert cline("auth", "cline", "-k", "-", stdin=LINE).exit_code == 0
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout.endswith("\n\n")


def modules_after(*argv: str) -> tuple[int, set[str]]:
    """Return the exit code of the command, and the modules that it had imported by then."""
    code = (
        "import sys; from cline_cli.__main__ import main; from cline_cli.environment import read_environment\n"
        "code = main(sys.argv[1:], read_environment())\n"
        "print('\\n', code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    exit_code, *modules = done.stdout.splitlines()[-1].split()
    return int(exit_code), set(modules)


def test_a_run_with_nothing_set_up_ends_before_any_network_is_loaded() -> None:
    exit_code, modules = modules_after("hi there")
    assert exit_code == 3
    assert "cline_cli.app" in modules
    unwanted = {"httpx", "ssl.SSLContext", "keyring", "anyio", "cline_cli.providers.local_servers"}
    unwanted |= {f"cline_cli.commands.{name}" for name in ("_guided", "_outside", "_dev_tty", "_three_ways")}
    assert not modules & unwanted


def test_signing_in_from_a_script_loads_no_network(tmp_path: Path) -> None:
    exit_code, modules = modules_after("auth", "-p", "cline", "-k", KEY, "--config", str(tmp_path / "c"))
    assert exit_code == 0
    assert not modules & {"httpx", "cline_cli.commands._guided", "cline_cli.commands._outside"}


@pytest.mark.parametrize(
    ("words", "variables", "source"),
    [
        (("-k", KEY), {}, "-k"),
        ((), {"CLINE_KEY": KEY}, "$CLINE_KEY"),
        ((), {"CLINE_API_KEY": KEY}, "$CLINE_API_KEY"),
    ],
)
def test_a_refused_key_is_named_by_its_source_and_another_that_is_saved_is_told(
    cline: RunCline, words: tuple[str, ...], variables: dict[str, str], source: str
) -> None:
    assert cline("auth", "cline", "-k", "-", stdin=b"sk-saved-0000000\n").exit_code == 0
    with FakeServer(status(401, {"error": {"message": "no such key"}})) as server:
        result = cline(*words, "hi there", CLINE_API_BASE_URL=server.origin, **variables)
        assert len(server.requests) == 1
    assert result.exit_code == 3
    assert f"(key from {source}, ...6d41; another one is saved)" in result.stderr
    assert KEY not in result.stderr


def test_a_server_of_ones_own_is_asked_without_a_key(cline: RunCline) -> None:
    with FakeServer(text("Hello.")) as server:
        url = f"{server.origin}/v1"
        signed_in = cline("auth", "ollama", "-m", "qwen3:8b", "-b", url)
        assert signed_in.text == f"Runs now ask ollama at {url} with qwen3:8b, without a key.\n"
        assert cline("hi there", CLINE_API_KEY=KEY).text == "Hello.\n"
    assert "authorization" not in server.requests[0].headers
    report = json.loads(cline("doctor", "--json").text)
    checks = {check["name"]: check for check in report["checks"]}
    assert (checks["key"]["status"], checks["key"]["text"]) == ("ok", "none needed")


NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
has_secret_service = pytest.mark.skipif(
    not all(shutil.which(program) for program in NEEDED),
    reason=f"the real Secret Service: needs {' and '.join(NEEDED)}",
)
START = "printf %s the-password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1"
START_LOCKED = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1"


def in_session(*lines: str) -> list[tuple[int, str]]:
    """Run shell lines in one D-Bus session of their own; return the exit code and the output of each."""
    script = "\n".join(f"{{ {line}; }} 2>&1; printf '\\0%s\\0' $?" for line in lines)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"}
    (Path(environment["HOME"]) / ".cache").mkdir(exist_ok=True)
    result = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", script],
        env={**environment, "CLINE": f"{sys.executable} -m cline_cli"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    parts = result.stdout.split("\0")
    return [(int(code), output) for output, code in zip(parts[::2], parts[1::2], strict=False)]


@has_secret_service
def test_the_real_keyring_keeps_the_key_for_the_next_process(private_home: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(LINE)
    with FakeServer(text("Hello.")) as server:
        _, signed_in, status, answer, logout, after, refused = in_session(
            START,
            f"$CLINE auth cline -k - <{tmp_path}/key",
            "$CLINE auth status --json",
            f"CLINE_API_BASE_URL={server.origin} $CLINE hi there",
            "$CLINE auth logout",
            "$CLINE auth status --json",
            "$CLINE hi there",
        )
    assert signed_in[0] == 0
    assert signed_in[1].endswith("; the key is in the keyring.\n")
    (entry,) = json.loads(status[1])["providers"]
    assert entry["key"] == {"source": "the keyring", "tail": "...6d41", "isPlainText": False}
    assert answer == (0, "Hello.\n")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert logout == (0, "Removed the key of cline from the keyring.\n")
    assert json.loads(after[1])["providers"][0]["key"] is None
    assert refused[0] == 3
    assert "not logged in to cline" in refused[1]
    assert key_files(private_home) == []


@has_secret_service
def test_a_locked_keyring_is_an_error_with_ways_out(private_home: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(LINE)
    in_session(START, f"$CLINE auth cline -k - <{tmp_path}/key")
    _, signed_in, run_status = in_session(
        START_LOCKED, f"$CLINE auth cline -k - <{tmp_path}/key 2>{tmp_path}/told", "$CLINE auth status --json"
    )
    assert signed_in == (3, "")
    told = (tmp_path / "told").read_text()
    assert told.count("\n") == 1
    assert "cannot save the key in the keyring: it is locked" in told
    assert "--insecure-storage" in told
    assert "it is locked" in json.loads(run_status[1].splitlines()[-1])["providers"][0]["problem"]
    assert key_files(private_home) == []


@has_secret_service
def test_a_keyring_that_was_never_set_up_is_an_error_with_ways_out(private_home: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(LINE)
    ((exit_code, _),) = in_session(f"$CLINE auth cline -k - <{tmp_path}/key 2>{tmp_path}/told")
    assert exit_code == 3
    assert "cannot save the key in the keyring: it is locked, or was never set up" in (tmp_path / "told").read_text()
    assert key_files(private_home) == []


def test_a_run_sends_the_key_that_was_saved(cline: RunCline) -> None:
    with FakeServer(text("Hello.")) as server:
        assert cline("auth", "cline", "-k", "-", stdin=LINE).exit_code == 0
        result = cline("hi there", CLINE_API_BASE_URL=server.origin)
    assert (result.exit_code, result.text) == (0, "Hello.\n")
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
