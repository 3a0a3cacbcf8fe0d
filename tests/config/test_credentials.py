from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.config._key_file import KeyFile
from cline_cli.config._store import NoStoreError, StoreError
from cline_cli.config.credentials import (
    MAX_KEY_CHARACTERS,
    Key,
    Recipient,
    Stores,
    clean_key,
    find_key,
    find_optional_key,
    look_for_key,
    open_stores,
    read_key_line,
    remove_key,
    save_key,
)
from cline_cli.config.paths import find_paths
from cline_cli.config.settings import KeyStore, ProviderSettings, Settings
from cline_cli.environment import read_environment
from cline_cli.errors import NotSignedInError, UsageError

CANARY = "sk-canary-3f9a1c"
CLINE = Recipient("cline", ("CLINE_API_KEY",), "https://api.cline.bot/api/v1", "https://api.cline.bot/api/v1")
OPENAI = Recipient("openai-compatible", ("OPENAI_API_KEY",), "https://api.openai.com/v1", "https://api.openai.com/v1")
CUSTOM = OPENAI._replace(base_url="https://llm.example.com/v1")
OWN_SERVER = Recipient("ollama", ("OLLAMA_API_KEY",), "http://10.0.0.7:11434/v1", "http://localhost:11434/v1")


@dataclass
class FakeStore:
    keys: dict[str, str] = field(default_factory=dict)
    error: StoreError | None = None
    reads: int = 0
    place: str = "the keyring"

    def read(self, provider: str) -> str | None:
        self.reads += 1
        if self.error:
            raise self.error
        return self.keys.get(provider)

    def write(self, provider: str, key: str) -> None:
        if self.error:
            raise self.error
        self.keys[provider] = key

    def delete(self, provider: str) -> bool:
        if self.error:
            raise self.error
        return self.keys.pop(provider, None) is not None


@dataclass
class World:
    folder: Path
    keyring: FakeStore = field(default_factory=FakeStore)
    variables: dict[str, str] = field(default_factory=dict)
    key_store: KeyStore | None = None

    @property
    def stores(self) -> Stores:
        return Stores(self.keyring, self.file, self.folder / "providers.json")

    @property
    def file(self) -> KeyFile:
        return KeyFile(self.folder / "config" / "credentials.json")

    def find(self, recipient: Recipient = CLINE, flag: str | None = None) -> Key:
        settings = Settings(providers={recipient.provider: ProviderSettings(key_store=self.key_store)})
        return find_key(recipient, flag, self.variables, settings, self.stores)

    def leave_original(self, provider: str, **settings: str) -> None:
        document = {"providers": {provider: {"settings": settings}}}
        (self.folder / "providers.json").write_text(json.dumps(document))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_each_place_gives_way_to_the_one_before_it(world: World) -> None:
    world.leave_original("cline", apiKey="from-original")
    assert world.find().value == "from-original"
    world.file.write("cline", "from-file")
    assert world.find().value == "from-file"
    world.keyring.keys["cline"] = "from-keyring"
    world.key_store = "keyring"
    assert world.find().value == "from-keyring"
    world.variables["CLINE_API_KEY"] = "from-environment"
    assert world.find().value == "from-environment"
    assert world.find(flag="from-flag").value == "from-flag"


def test_the_source_is_told_in_words_that_help(world: World) -> None:
    world.leave_original("cline", apiKey=CANARY)
    assert world.find() == Key(CANARY, str(world.folder / "providers.json"), is_plain_text=True)
    world.file.write("cline", CANARY)
    assert world.find() == Key(CANARY, world.file.place, is_plain_text=True)
    world.keyring.keys["cline"] = CANARY
    world.key_store = "keyring"
    assert world.find() == Key(CANARY, "the keyring")
    world.variables["CLINE_API_KEY"] = CANARY
    assert world.find() == Key(CANARY, "$CLINE_API_KEY", also_saved=True)
    assert world.find(flag=CANARY) == Key(CANARY, "-k", also_saved=True)


def test_no_key_is_in_what_python_shows_of_it(world: World) -> None:
    key = world.find(flag=CANARY)
    assert CANARY not in repr(key)
    assert CANARY not in str(key)


@pytest.mark.parametrize(
    ("value", "tail"), [("sk-1234567-f3a2", "...f3a2"), ("123456789012", "...9012"), ("x" * 11, "")]
)
def test_the_tail_of_a_key_is_shown_only_when_it_is_long(value: str, tail: str) -> None:
    assert Key(value, "-k").tail == tail


def test_the_keyring_is_left_alone_when_no_key_was_put_there(world: World) -> None:
    world.keyring.error = StoreError("must not be asked")
    for key_store in (None, "file"):
        world.key_store = key_store
        with pytest.raises(NotSignedInError, match="not logged in"):
            world.find()
    assert world.keyring.reads == 0


def test_the_ways_to_sign_in_are_told_when_there_is_no_key(world: World) -> None:
    with pytest.raises(NotSignedInError) as caught:
        world.find()
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "not logged in to cline. Run `cline auth -p cline`, set CLINE_API_KEY, or use the embedded model with -P local"
    )


def test_the_keyring_is_named_when_it_lost_the_key(world: World) -> None:
    world.key_store = "keyring"
    with pytest.raises(NotSignedInError, match="not logged in to cline: its key was put in the keyring"):
        world.find()
    world.keyring.error = NoStoreError("none here")
    with pytest.raises(NotSignedInError, match="not logged in to cline: its key was put in the keyring"):
        world.find()


def test_the_search_goes_on_when_the_machine_has_no_keyring_any_more(world: World) -> None:
    world.key_store = "keyring"
    world.keyring.error = NoStoreError("none here")
    world.file.write("cline", CANARY)
    assert world.find().source == world.file.place


def test_the_search_ends_when_the_keyring_is_locked(world: World) -> None:
    world.key_store = "keyring"
    world.keyring.error = StoreError("it is locked")
    world.file.write("cline", CANARY)
    with pytest.raises(NotSignedInError, match="cannot read the key from the keyring: it is locked") as caught:
        world.find()
    for way in ("Unlock", "CLINE_API_KEY", "--insecure-storage"):
        assert way in caught.value.hint


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_nothing_else_is_tried_when_a_variable_is_set_but_empty(world: World, value: str) -> None:
    world.variables["CLINE_API_KEY"] = value
    world.file.write("cline", CANARY)
    with pytest.raises(NotSignedInError, match=r"^CLINE_API_KEY is set but empty"):
        world.find()
    assert world.find(flag="sk-1").value == "sk-1"


def test_the_first_variable_that_is_set_wins(world: World) -> None:
    recipient = CLINE._replace(key_variables=("FIRST", "SECOND"))
    world.variables["SECOND"] = "two"
    assert world.find(recipient).source == "$SECOND"
    world.variables["FIRST"] = "one"
    assert world.find(recipient).source == "$FIRST"
    world.variables["FIRST"] = ""
    with pytest.raises(NotSignedInError, match="FIRST is set but empty"):
        world.find(recipient)


def test_a_vendors_key_stays_at_home_when_the_address_is_another(world: World) -> None:
    world.variables["OPENAI_API_KEY"] = CANARY
    world.leave_original("openai-compatible", apiKey=CANARY)
    assert world.find(OPENAI).source == "$OPENAI_API_KEY"
    with pytest.raises(NotSignedInError) as caught:
        world.find(CUSTOM)
    assert "$OPENAI_API_KEY is for the vendor's own server, not for https://llm.example.com/v1" in str(caught.value)
    assert "set CLINE_API_KEY" in caught.value.hint


def test_another_address_gets_its_saved_key_before_the_general_variable(world: World) -> None:
    world.variables["CLINE_API_KEY"] = "from-environment"
    assert world.find(CUSTOM).value == "from-environment"
    world.file.write("openai-compatible", "saved-for-it")
    assert world.find(CUSTOM).value == "saved-for-it"
    assert world.find(CUSTOM, flag="from-flag").value == "from-flag"


def test_clines_own_variable_goes_along_when_the_address_of_cline_is_moved(world: World) -> None:
    moved = CLINE._replace(base_url="http://127.0.0.1:1/api/v1")
    world.file.write("cline", "saved")
    world.variables["CLINE_API_KEY"] = "from-environment"
    assert world.find(moved).value == "from-environment"


def test_a_server_of_ones_own_gets_its_own_variable_wherever_it_runs_and_no_other(world: World) -> None:
    def find(flag: str | None = None) -> Key | None:
        return find_optional_key(OWN_SERVER, flag, world.variables, Settings(), world.stores)

    world.variables = {"CLINE_API_KEY": CANARY, "OPENAI_API_KEY": CANARY}
    assert find() is None
    world.variables["OLLAMA_API_KEY"] = "for-that-server"
    assert find() == Key("for-that-server", "$OLLAMA_API_KEY")
    assert find("from-flag") == Key("from-flag", "-k")
    world.variables["OLLAMA_API_KEY"] = ""
    with pytest.raises(NotSignedInError, match="OLLAMA_API_KEY is set but empty"):
        find()


def test_another_path_of_the_same_server_is_the_vendors_own(world: World) -> None:
    world.variables["OPENAI_API_KEY"] = CANARY
    assert world.find(OPENAI._replace(base_url="https://API.openai.com:443/v2")).value == CANARY


def test_a_key_of_the_original_goes_only_where_the_original_sent_it(world: World) -> None:
    world.leave_original("openai-compatible", apiKey=CANARY, baseUrl="https://llm.example.com/v1")
    assert world.find(CUSTOM).value == CANARY
    with pytest.raises(NotSignedInError):
        world.find(OPENAI)
    world.leave_original("openai-compatible", apiKey=CANARY, baseUrl="http://[")
    with pytest.raises(NotSignedInError):
        world.find(OPENAI)


def test_the_originals_file_is_as_it_was_when_its_key_was_used(world: World) -> None:
    world.leave_original("cline", apiKey=CANARY)
    file = world.folder / "providers.json"
    before = file.read_bytes(), file.stat().st_mtime_ns
    world.find()
    remove_key("cline", world.stores)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_white_space_around_a_key_goes_wherever_it_comes_from(world: World) -> None:
    spaced = f" \t{CANARY}\r\n"
    world.leave_original("cline", apiKey=spaced)
    assert world.find().value == CANARY
    world.file.write("cline", spaced)
    assert world.find().value == CANARY
    world.keyring.keys["cline"] = spaced
    world.key_store = "keyring"
    assert world.find().value == CANARY
    world.variables["CLINE_API_KEY"] = spaced
    assert world.find().value == CANARY
    assert world.find(flag=spaced).value == CANARY


BAD = ("sk-\ncanary", "sk-canary\x00x", "sk-canary-\u2019x", "sk-canary-\xe9", "sk-canary-\udcff", "sk-\x7fcanary")


@pytest.mark.parametrize("bad", BAD)
def test_a_key_that_no_header_can_carry_is_refused_wherever_it_comes_from(world: World, bad: str) -> None:
    with pytest.raises(UsageError, match="the key from -k cannot be sent"):
        world.find(flag=bad)
    world.variables["CLINE_API_KEY"] = bad
    with pytest.raises(NotSignedInError, match=r"the key from \$CLINE_API_KEY cannot be sent") as caught:
        world.find()
    assert "canary" not in str(caught.value)
    del world.variables["CLINE_API_KEY"]
    world.key_store = "keyring"
    world.keyring.keys["cline"] = bad
    with pytest.raises(NotSignedInError, match="the key from the keyring cannot be sent"):
        world.find()
    world.keyring.keys.clear()
    world.file.write("cline", bad)
    with pytest.raises(NotSignedInError, match=r"credentials\.json cannot be sent"):
        world.find()
    world.file.delete("cline")
    world.leave_original("cline", apiKey=bad)
    with pytest.raises(NotSignedInError, match=r"providers\.json cannot be sent"):
        world.find()


def test_a_key_is_refused_when_it_is_a_whole_file() -> None:
    with pytest.raises(UsageError, match="longer than"):
        clean_key("x" * (MAX_KEY_CHARACTERS + 1), "-k")


@given(st.text())
def test_a_clean_key_is_printable_and_never_in_the_complaint(text: str) -> None:
    try:
        key = clean_key(text, "-k")
    except UsageError as error:
        told = str(error)
    else:
        assert key.encode("ascii")
        assert key == key.strip() != ""
        assert key.isprintable()
        return
    assert len(text.strip()) <= 4 or text.strip() not in told


def test_a_broken_file_ends_the_search(world: World) -> None:
    world.leave_original("cline", apiKey=CANARY)
    world.file.write("cline", CANARY)
    path = world.folder / "config" / "credentials.json"
    path.write_text('{"version": 1,\n "keys"')
    with pytest.raises(NotSignedInError, match=r"cannot use .*credentials\.json: line 2 is not valid JSON"):
        world.find()


def test_the_person_is_warned_when_others_can_read_the_file(world: World) -> None:
    world.file.write("cline", CANARY)
    (world.folder / "config" / "credentials.json").chmod(0o644)
    key = world.find()
    assert "credentials.json is not safe: other users may open it" in key.notice
    assert CANARY not in key.notice


def test_a_key_is_saved_in_the_keyring_and_an_older_copy_leaves_the_file(world: World) -> None:
    world.file.write("cline", "old")
    saved = save_key("cline", CANARY, "auto", world.stores)
    assert saved == ("keyring", "the keyring", "")
    assert world.keyring.keys == {"cline": CANARY}
    assert world.file.read("cline") is None


def test_a_copy_that_cannot_be_removed_is_told(world: World) -> None:
    world.file.write("cline", "old")
    (world.folder / "config" / "credentials.json").write_text("{")
    assert "an older key may still lie in" in save_key("cline", CANARY, "auto", world.stores).notice


def test_a_key_is_saved_in_the_file_when_there_is_no_keyring_at_all(world: World) -> None:
    world.keyring.error = NoStoreError("none here")
    saved = save_key("cline", CANARY, "auto", world.stores)
    assert saved.store == "file"
    assert saved.place == world.file.place
    assert saved.notice.startswith("there is no keyring on this machine: the key lies in plain text in ")
    assert world.file.read("cline") == CANARY


def test_no_file_is_made_when_the_settings_want_the_keyring(world: World) -> None:
    world.keyring.error = NoStoreError("there is no keyring on this machine")
    with pytest.raises(NotSignedInError, match=r"there is no keyring on this machine.*credentials\.store"):
        save_key("cline", CANARY, "keyring", world.stores)
    assert not (world.folder / "config").exists()


def test_no_file_is_made_when_the_keyring_is_there_and_fails(world: World) -> None:
    world.keyring.error = StoreError("it is locked")
    with pytest.raises(NotSignedInError, match="cannot save the key in the keyring: it is locked") as caught:
        save_key("cline", CANARY, "auto", world.stores)
    for way in ("Unlock", "CLINE_API_KEY", "--insecure-storage"):
        assert way in caught.value.hint
    assert not (world.folder / "config").exists()


def test_the_keyring_is_left_alone_when_a_file_is_wanted(world: World) -> None:
    world.keyring.error = StoreError("must not be asked")
    saved = save_key("cline", CANARY, "file", world.stores)
    assert saved.store == "file"
    assert saved.notice == f"the key lies in plain text in {world.file.place}"


def test_the_cause_is_told_when_the_file_cannot_be_written(world: World) -> None:
    (world.folder / "config").write_text("a file where the folder should be")
    with pytest.raises(NotSignedInError, match=r"cannot save the key in .*credentials\.json"):
        save_key("cline", CANARY, "file", world.stores)


def test_a_key_is_removed_wherever_it_was_saved(world: World) -> None:
    world.keyring.keys["cline"] = CANARY
    world.file.write("cline", CANARY)
    assert remove_key("cline", world.stores) == (("the keyring", world.file.place), {})
    assert remove_key("cline", world.stores) == ((), {})


def test_one_store_is_cleared_when_the_other_fails(world: World) -> None:
    world.keyring.error = StoreError("it is locked")
    world.file.write("cline", CANARY)
    removal = remove_key("cline", world.stores)
    assert removal.places == (world.file.place,)
    assert removal.failures == {"keyring": "cannot remove the key from the keyring: it is locked"}


def test_nothing_is_said_when_there_is_no_keyring_to_clear(world: World) -> None:
    world.keyring.error = NoStoreError("none here")
    assert remove_key("cline", world.stores) == ((), {})


def test_nothing_is_read_or_made_when_the_stores_are_opened(tmp_path: Path) -> None:
    environment = read_environment()
    stores = open_stores(find_paths(environment, config=str(tmp_path / "config")), environment.home)
    assert look_for_key(CLINE, {}, Settings(), stores) is None
    assert not (tmp_path / "config").exists()


def read_line(data: bytes) -> tuple[str, bytes]:
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        return read_key_line(reader), os.read(reader, 1 << 16)
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("data", "key", "rest"),
    [
        (b"sk-1\n", "sk-1", b""),
        (b"sk-1", "sk-1", b""),
        (b" sk-1 \r\nthe prompt\n", "sk-1", b"the prompt\n"),
    ],
)
def test_one_line_is_taken_from_stdin_and_the_rest_is_left(data: bytes, key: str, rest: bytes) -> None:
    assert read_line(data) == (key, rest)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"\nsk-1", "is empty"),
        (b"x" * 60_000, "longer than"),
        (b"sk-\xff\n", r"character 4 is U\+DCFF"),
        (b"\x89PNG\r\n\x1a\n", "character 1 is"),
    ],
)
def test_a_line_that_is_no_key_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=f"the key from standard input .*{told}"):
        read_line(data)


def test_the_cause_is_told_when_stdin_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty"):
        read_key_line(None)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(UsageError, match="cannot read the key from standard input: Is a directory"):
            read_key_line(folder)
    finally:
        os.close(folder)
