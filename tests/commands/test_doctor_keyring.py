from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cline_cli.commands._doctor_keyring import look_at_keyring
from cline_cli.config._store import NoStoreError, StoreError
from cline_cli.config.settings import StoreChoice

KEY = "sk-canary-3f9a1c"


@dataclass
class FakeKeyring:
    failure: StoreError | None = None
    is_asked: bool = True
    reads: list[str] = field(default_factory=list)
    place: str = "the keyring"

    def name(self) -> str:
        return "Some\x1bring"

    def check(self) -> bool:
        if self.failure:
            raise self.failure
        return self.is_asked

    def read(self, provider: str) -> str | None:
        self.reads.append(provider)
        return KEY

    def write(self, provider: str, key: str) -> None:
        raise AssertionError("looking writes nothing")

    def delete(self, provider: str) -> bool:
        raise AssertionError("looking deletes nothing")


@pytest.mark.parametrize(
    ("keyring", "choice", "status", "told"),
    [
        (FakeKeyring(), "auto", "ok", "it answers"),
        (FakeKeyring(is_asked=False), "auto", "ok", "not asked, because that may open a window"),
        (FakeKeyring(StoreError("it is locked")), "auto", "bad", "it is locked"),
        (FakeKeyring(StoreError("it is locked")), "file", "note", "it is locked"),
        (FakeKeyring(NoStoreError("there is none")), "auto", "note", "none here: `cline auth` keeps keys in /c"),
        (FakeKeyring(NoStoreError("there is none")), "keyring", "bad", "there is none, and the settings want keys"),
    ],
)
def test_the_keyring_is_told(keyring: FakeKeyring, choice: StoreChoice, status: str, told: str) -> None:
    check = look_at_keyring(keyring, choice, Path("/c")).check
    assert check.status == status
    assert told in check.text
    assert keyring.reads == []


def test_a_keyring_that_is_locked_is_not_read() -> None:
    keyring = FakeKeyring(StoreError("it is locked"))
    store = look_at_keyring(keyring, "auto", Path("/c")).store
    with pytest.raises(StoreError, match="it is locked"):
        store.read("cline")
    assert keyring.reads == []
