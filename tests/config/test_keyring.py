from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cline_cli.config._keyring import SERVICE, Backend, KeyringStore
from cline_cli.config._store import NoStoreError, StoreError

CANARY = "sk-canary-3f9a1c"


@dataclass
class FakeBackend:
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    limit: int = 1000

    def get_password(self, service: str, username: str) -> str | None:
        return self.keys.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.keys[service, username] = password[: self.limit]

    def delete_password(self, service: str, username: str) -> None:
        del self.keys[service, username]


class Forgetful(FakeBackend):
    def set_password(self, service: str, username: str, password: str) -> None:
        return


class Stubborn(FakeBackend):
    def delete_password(self, service: str, username: str) -> None:
        return


class KeyringLocked(Exception):  # noqa: N818  # as in keyring.errors
    pass


class Failing(FakeBackend):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error


class Mute(FakeBackend):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.released = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.calls += 1
        self.released.wait()
        return None


class Loud(FakeBackend):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise ValueError(f"cannot keep {password}")


def store(backend: Backend) -> KeyringStore:
    return KeyringStore(lambda: backend)


def test_a_key_is_kept_under_service_and_provider() -> None:
    backend = FakeBackend()
    store(backend).write("cline", "sk-1")
    assert backend.keys == {(SERVICE, "cline"): "sk-1"}
    assert store(backend).read("cline") == "sk-1"
    assert store(backend).read("openrouter") is None


def test_a_key_is_gone_when_it_was_deleted() -> None:
    keyring = store(FakeBackend({(SERVICE, "cline"): "sk-1"}))
    assert keyring.delete("cline")
    assert keyring.read("cline") is None
    assert not keyring.delete("cline")


def test_the_backend_is_loaded_once_and_only_when_it_is_needed() -> None:
    loads: list[Backend] = []

    def load() -> Backend:
        loads.append(FakeBackend())
        return loads[-1]

    keyring = KeyringStore(load)
    assert not loads
    keyring.write("cline", "sk-1")
    assert keyring.read("cline") == "sk-1"
    assert len(loads) == 1


@pytest.mark.parametrize("backend", [Forgetful(), FakeBackend(limit=5)], ids=["forgets", "truncates"])
def test_a_write_fails_when_the_key_is_not_given_back(backend: Backend) -> None:
    with pytest.raises(StoreError, match="did not give back"):
        store(backend).write("cline", CANARY)


def test_a_deletion_fails_when_the_key_is_still_there() -> None:
    with pytest.raises(StoreError, match="still has the key"):
        store(Stubborn({(SERVICE, "cline"): "sk-1"})).delete("cline")


def test_an_answer_is_refused_when_it_is_no_text() -> None:
    backend = FakeBackend({(SERVICE, "cline"): b"sk-1"})  # type: ignore[dict-item]  # foreign code does as it likes
    with pytest.raises(StoreError, match="no text"):
        store(backend).read("cline")


class Panic(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyringLocked("Failed to unlock the collection!"), r"it is locked \(KeyringLocked: Failed to unlock"),
        (ModuleNotFoundError("No module named 'bogus'"), "not installed .ModuleNotFoundError: No module named 'bogus'"),
        (ValueError("Empty module name"), "ValueError: Empty module name"),
        (RuntimeError(""), "^RuntimeError$"),
        (OSError("two\nlines"), "OSError: two lines"),
        (OSError("\x1b[2Jgone"), "^OSError$"),
        (Panic("in the Rust parts"), "Panic: in the Rust parts"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_the_cause_is_told_in_one_line_when_a_backend_fails(error: BaseException, told: str) -> None:
    keyring = store(Failing(error))
    attempts: list[Callable[[], object]] = [lambda: keyring.read("cline"), lambda: keyring.write("cline", CANARY)]
    for attempt in attempts:
        with pytest.raises(StoreError, match=told) as caught:
            attempt()
        assert caught.value.__cause__ is None


def test_no_key_is_in_the_error_when_the_backend_repeats_it() -> None:
    with pytest.raises(StoreError) as caught:
        store(Loud()).write("cline", CANARY)
    assert str(caught.value) == "ValueError"


def test_nothing_more_is_asked_when_the_backend_did_not_answer_in_time() -> None:
    backend = Mute()
    keyring = KeyringStore(lambda: backend, timeout_s=0.05)
    attempts: list[Callable[[], object]] = [
        lambda: keyring.read("cline"),
        lambda: keyring.write("cline", CANARY),
        lambda: keyring.delete("cline"),
    ]
    for attempt in attempts:
        with pytest.raises(StoreError, match=r"did not answer within 0\.05 s"):
            attempt()
    assert backend.calls == 1
    assert not backend.keys
    backend.released.set()


def test_nothing_more_is_asked_when_the_backend_could_not_be_loaded() -> None:
    loads: list[None] = []

    def load() -> Backend:
        loads.append(None)
        raise NoStoreError("none here")

    keyring = KeyringStore(load)
    for _ in range(2):
        with pytest.raises(NoStoreError, match="none here"):
            keyring.read("cline")
    assert len(loads) == 1


def test_no_thread_keeps_the_process_alive_when_the_backend_is_mute() -> None:
    code = (
        "import time\n"
        "from cline_cli.config._keyring import KeyringStore\n"
        "from cline_cli.config._store import StoreError\n"
        "try: KeyringStore(lambda: time.sleep(600), timeout_s=0.1).read('cline')\n"
        "except StoreError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout == "it did not answer within 0.1 s\n"
    assert not result.stderr


PROBE = """
from cline_cli.config._keyring import KeyringStore
from cline_cli.config._store import StoreError
try:
    keyring = KeyringStore()
    keyring.write("cline", "sk-1")
    print("kept", keyring.read("cline"))
except StoreError as error:
    print(type(error).__name__, error)
"""
BACKEND = """
from keyring.backend import KeyringBackend

class Keyring(KeyringBackend):
    priority = {priority}
    keys = {{}}

    def __init__(self):
        {init}

    def get_password(self, service, username):
        return self.keys.get(username)

    def set_password(self, service, username, password):
        self.keys[username] = password
"""


@pytest.fixture
def backends(tmp_path: Path) -> Path:
    for name, priority, init in (
        ("good", "1", "pass"),
        ("weak", "0.5", "pass"),
        ("strange", "None", "pass"),
        ("broken", "1", "raise TypeError('no such session')"),
    ):
        (tmp_path / f"{name}.py").write_text(BACKEND.format(priority=priority, init=init))
    return tmp_path


def probe(folder: Path, environ: dict[str, str]) -> str:
    """Use the real keyring package in a process of its own, which finds the backends of the test."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert not result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("good.Keyring", "kept sk-1"),
        ("weak.Keyring", "StoreError weak Keyring does not keep keys safe"),
        ("strange.Keyring", "StoreError TypeError:"),
        ("broken.Keyring", "StoreError TypeError: no such session"),
        ("good.Missing", "StoreError AttributeError:"),
        ("bogus", "StoreError ValueError"),
        ("bogus.Keyring", "StoreError a part of it is not installed (ModuleNotFoundError"),
        ("keyring.backends.null.Keyring", "StoreError it is switched off"),
        ("keyring.backends.fail.Keyring", "NoStoreError there is no keyring on this machine"),
    ],
)
def test_the_backend_that_is_asked_for_is_judged(backends: Path, backend: str, told: str) -> None:
    assert probe(backends, {"PYTHON_KEYRING_BACKEND": backend}).startswith(told)


linux = pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")


@linux
def test_there_is_no_store_when_no_bus_is_there(backends: Path) -> None:
    assert probe(backends, {}) == "NoStoreError there is no keyring on this machine"


@linux
def test_there_is_no_store_when_the_bus_has_gone(backends: Path) -> None:
    address = f"unix:path={backends}/nowhere"
    assert probe(backends, {"DBUS_SESSION_BUS_ADDRESS": address}) == "NoStoreError there is no keyring on this machine"


def add_plugin(folder: Path, code: str) -> None:
    (folder / "plugin.py").write_text(code)
    metadata = folder / "plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[keyring.backends]\nplugin = plugin\n")


@linux
def test_a_backend_is_refused_when_it_is_the_only_one_and_not_safe(backends: Path) -> None:
    add_plugin(backends, "import weak")
    assert "only one here, weak Keyring, does not keep keys safe" in probe(backends, {})


@linux
def test_a_plugin_that_breaks_is_passed_over_in_silence(backends: Path) -> None:
    add_plugin(backends, "raise RuntimeError('broken')")
    assert probe(backends, {}) == "NoStoreError there is no keyring on this machine"


@linux
def test_the_safe_one_is_taken_when_a_weak_one_is_there_too(backends: Path) -> None:
    add_plugin(backends, "import good, weak")
    assert probe(backends, {}) == "kept sk-1"


@pytest.fixture
def mute_bus() -> Iterator[str]:
    """A socket that takes connections and never says anything."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/bus")
        listener.listen(16)
        yield f"unix:path={folder}/bus"


@linux
def test_a_bus_that_says_nothing_is_no_missing_bus(backends: Path, mute_bus: str) -> None:
    told = probe(backends, {"DBUS_SESSION_BUS_ADDRESS": mute_bus})
    assert told in {
        "StoreError the D-Bus session bus does not answer",
        "StoreError it did not answer within 3 s",
    }
