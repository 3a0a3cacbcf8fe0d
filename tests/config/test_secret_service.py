"""The keyring, looked at with a Secret Service of our own on a bus of its own, which writes down what it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.config._keyring import KeyringStore
from cline_cli.config._store import StoreError

SERVICE = """\
import sys
from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

state, log = sys.argv[1], open(sys.argv[2], "a", buffering=1)
bus = open_dbus_connection("SESSION")
bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
print("ready", flush=True)
while True:
    call = bus.receive()
    if call.header.message_type != MessageType.method_call:
        continue
    member = call.header.fields[HeaderFields.member]
    log.write(f"{member}\\n")
    if member == "Get" and state == "missing":
        bus.send(new_error(call, "org.freedesktop.Secret.Error.NoSuchObject"))
    elif member == "Get":
        value = ("b", state == "locked") if call.body[1] == "Locked" else ("s", "Login")
        bus.send(new_method_return(call, "v", (value,)))
    elif member == "SearchItems":
        bus.send(new_method_return(call, "ao", ([],)))
    else:
        bus.send(new_error(call, "org.freedesktop.DBus.Error.UnknownMethod"))
"""
SCRIPT = """\
"$PYTHON" -c "$SERVICE" "$STATE" "$LOG" >"$LOG.ready" & service=$!
while ! [ -s "$LOG.ready" ]; do sleep 0.02; done
"$PYTHON" -c "$ASK"
kill $service
"""
ASK = """\
from cline_cli.config._keyring import KeyringStore
from cline_cli.config._store import StoreError
keyring = KeyringStore()
print(keyring.name())
try:
    print(keyring.check())
except StoreError as error:
    print(error)
"""
READS = {"Get", "SearchItems"}
"""Methods that make nothing and open no window; Unlock and CreateCollection do."""


def has_bus() -> bool:
    """Tell whether a bus can be started: it wants a user whom the system knows."""
    if sys.platform != "linux" or not shutil.which("dbus-run-session"):
        return False
    return subprocess.run(["dbus-run-session", "--", "true"], capture_output=True, check=False).returncode == 0


needs_bus = pytest.mark.skipif(not has_bus(), reason="needs dbus-run-session, and a user whom the system knows")


@needs_bus
@pytest.mark.parametrize(
    ("state", "told"), [("open", "True"), ("locked", "it is locked"), ("missing", "it was never set up")]
)
def test_a_keyring_is_looked_at_without_a_window(tmp_path: Path, state: str, told: str) -> None:
    log = tmp_path / "log"
    variables = {name: value for name, value in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"}
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", SCRIPT],
        env={**variables, "PYTHON": sys.executable, "SERVICE": SERVICE, "STATE": state, "LOG": str(log), "ASK": ASK},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.stdout == f"SecretService Keyring\n{told}\n", done.stderr
    asked = set(log.read_text().split())
    assert asked <= READS
    assert ("SearchItems" in asked) == (state == "open")


class Backend:
    """A backend of a module that is known to open no window for a missing key."""

    __module__ = "keyring.backends.libsecret"
    name = "a keyring"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.reads: list[tuple[str, str]] = []

    def get_password(self, service: str, username: str) -> str | None:
        self.reads.append((service, username))
        if self.error:
            raise self.error
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("looking writes nothing")

    def delete_password(self, service: str, username: str) -> None:
        raise AssertionError("looking deletes nothing")


class Stranger(Backend):
    __module__ = "somebody.elses"


class Chain(Backend):
    __module__ = "keyring.backends.chainer"

    def __init__(self, *backends: Backend) -> None:
        super().__init__()
        self.backends = backends


def test_a_backend_is_read_when_it_opens_no_window() -> None:
    backend = Backend()
    keyring = KeyringStore(lambda: backend)
    assert keyring.name() == "a keyring"
    assert keyring.check()
    assert [service for service, _ in backend.reads] == ["cline"]


def test_a_backend_is_not_read_when_it_may_open_a_window() -> None:
    for backend in (Stranger(), Chain(Backend(), Stranger())):
        keyring = KeyringStore(lambda backend=backend: backend)  # type: ignore[misc]  # bound now
        assert not keyring.check()
        assert backend.reads == []


def test_the_cause_is_told_when_a_backend_fails() -> None:
    backend = Backend(OSError("no such device"))
    with pytest.raises(StoreError, match="OSError: no such device"):
        KeyringStore(lambda: backend).check()
