"""The guided set-up at a terminal of its own: what is asked, what is saved, and how the terminal is left."""

from __future__ import annotations

import os
import signal
import socket
import termios
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.test_terminal import Person
from tests.model_server import ModelServer, models, reply, tags

KEY = "sk-canary-6a4f1e93"
LIST = "/api/v1/ai/cline/models"
CHAT = "/api/v1/chat/completions"
NAMES = ("anthropic/claude-sonnet-4.6", "openai/gpt-5.4", "x/one", "x/two")
ANSWER = "A REST API is an interface."
Sit = Callable[..., Person]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def provider(stack: ExitStack) -> ModelServer:
    """A provider that lists its models to everybody, and answers whoever has the key."""
    return stack.enter_context(ModelServer({LIST: models(*NAMES), CHAT: reply(ANSWER)}, KEY, (LIST,)))


@pytest.fixture
def sit(stack: ExitStack, provider: ModelServer) -> Sit:
    """Return a function that starts the command at a terminal: `sit("auth", CI="1", stdout=...)`."""

    def start(*argv: str, stdout: int | None = None, stdin: int | None = None, **variables: str) -> Person:
        person = Person(argv, {"CLINE_API_BASE_URL": provider.origin, **variables}, stdout, stdin)
        stack.callback(person.close)
        return person

    return start


@pytest.fixture
def config(private_home: Path) -> Path:
    return private_home / ".config" / "cline"


def settings_in(config: Path) -> Mapping[str, object]:
    file = config / "settings.toml"
    return tomllib.loads(file.read_text()) if file.exists() else {}


def wait_until_hidden(person: Person) -> None:
    """See that what is typed from now on is not shown."""
    while termios.tcgetattr(person.program)[3] & termios.ECHO:
        time.sleep(0.001)


def type_key(person: Person, key: str, times_asked: int = 1) -> None:
    person.wait_for("Key (it is not shown): ")
    while person.seen.count(b"Key (it is not shown): ") < times_asked:
        person.look(0.1)
    wait_until_hidden(person)
    person.type(f"{key}\r")


def test_provider_key_and_model_are_asked_checked_and_saved(sit: Sit, provider: ModelServer, config: Path) -> None:
    person = sit("auth")
    person.wait_for("[cline]: ")
    person.type("\r")
    type_key(person, "sk-wrong-00000000")
    person.wait_for("refused the key")
    type_key(person, KEY, times_asked=2)
    person.wait_for("[anthropic/claude-sonnet-4.6]: ")
    assert b"The key is good, and there are 4 models." in person.seen
    assert config.exists() is False
    person.type("x/\r")
    person.wait_for("[x/one]: ")
    person.type("2\r")
    assert person.wait() == 0
    place = config / "credentials.json"
    assert f"Signed in to cline with x/two; the key is in {place}." in "".join(person.screen)
    assert KEY.encode() not in person.seen
    assert settings_in(config) == {
        "provider": "cline",
        "providers": {"cline": {"model": "x/two", "key_store": "file"}},
    }
    assert KEY in place.read_text()
    assert provider.asked == [f"POST {CHAT}", f"POST {CHAT}", f"GET {LIST}"]


def test_nothing_but_the_outcome_goes_to_stdout(sit: Sit, private_home: Path) -> None:
    reader, writer = os.pipe()
    person = sit("auth", "cline", stdout=writer)
    os.close(writer)
    type_key(person, KEY)
    person.wait_for("[anthropic/claude-sonnet-4.6]: ")
    person.type("\r")
    assert person.wait() == 0
    with os.fdopen(reader, "rb") as stdout:
        said = stdout.read()
    assert said.startswith(b"Signed in to cline with anthropic/claude-sonnet-4.6; the key is in ")
    assert said.count(b"\n") == 1


def lead_to(person: Person, question: str) -> None:
    """Answer what comes before this question, and see it."""
    person.wait_for("[cline]: ")
    if question == "provider":
        return
    person.type("\r")
    person.wait_for("Key (it is not shown): ")
    wait_until_hidden(person)
    if question == "model":
        person.type(f"{KEY}\r")
        person.wait_for("[anthropic/claude-sonnet-4.6]: ")


@pytest.mark.parametrize("question", ["provider", "key", "model"])
@pytest.mark.parametrize(
    ("typed", "exit_code", "told"), [("\x03", 130, "interrupted by SIGINT"), ("\x04", 3, "nothing was saved")]
)
def test_nothing_is_saved_when_the_person_gives_up(
    sit: Sit, config: Path, question: str, typed: str, exit_code: int, told: str
) -> None:
    person = sit("auth")
    lead_to(person, question)
    person.type(typed)
    assert person.wait() == exit_code
    assert told in " ".join(person.screen)
    assert any(line.startswith("cline: ") for line in person.screen), "it stands on a line of its own"
    assert not config.exists()


def test_the_terminal_is_as_it_was_when_the_process_is_ended_while_a_key_is_typed(sit: Sit, config: Path) -> None:
    person = sit("auth", "cline")
    person.wait_for("Key (it is not shown): ")
    wait_until_hidden(person)
    person.type("sk-half")
    person.process.send_signal(signal.SIGTERM)
    assert person.wait() == -signal.SIGTERM
    assert b"sk-half" not in person.seen
    assert not config.exists()


def test_a_key_is_kept_all_the_same_when_nobody_can_be_asked_of_it(sit: Sit, stack: ExitStack, config: Path) -> None:
    closed = stack.enter_context(socket.socket())
    closed.bind(("127.0.0.1", 0))
    person = sit("auth", "cline", CLINE_API_BASE_URL=f"http://127.0.0.1:{closed.getsockname()[1]}")
    type_key(person, KEY)
    person.wait_for("Save it all the same?")
    assert b"Cannot reach 127.0.0.1:" in person.seen
    person.type("y\r")
    person.wait_for("Model: its name [anthropic/claude-sonnet-4.6]: ")
    person.type("\r")
    assert person.wait() == 0
    assert settings_in(config)["provider"] == "cline"


def test_the_key_is_asked_for_when_it_is_to_come_from_a_terminal(sit: Sit, config: Path) -> None:
    person = sit("auth", "-p", "cline", "-k", "-", "-m", "a/b")
    type_key(person, KEY)
    assert person.wait() == 0
    assert KEY.encode() not in person.seen
    assert b"shell's history" not in person.seen
    assert settings_in(config)["providers"] == {"cline": {"model": "a/b", "key_store": "file"}}


def test_the_key_comes_from_a_pipe_while_the_rest_is_asked_for(sit: Sit, config: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, f"{KEY}\n".encode())
    os.close(writer)
    person = sit("auth", "-k", "-", stdin=reader)
    os.close(reader)
    person.wait_for("[cline]: ")
    person.type("\r")
    person.wait_for("[anthropic/claude-sonnet-4.6]: ")
    person.type("\r")
    assert person.wait() == 0
    assert settings_in(config)["provider"] == "cline"


def test_nothing_is_asked_and_nothing_sent_when_the_line_says_all(
    sit: Sit, provider: ModelServer, config: Path
) -> None:
    person = sit("auth", "-p", "cline", "-k", KEY)
    assert person.wait() == 0
    assert provider.asked == []
    assert b": " in person.seen
    assert b"shell's history" in b" ".join(person.seen.split())
    assert settings_in(config)["provider"] == "cline"


@pytest.fixture
def ollama(stack: ExitStack, config: Path) -> ModelServer:
    """A server of one's own, where the settings say that it runs."""
    answers = {"/api/tags": tags("nomic-embed-text", "qwen3:8b", "\x1b[2Jevil"), "/v1/chat/completions": reply(ANSWER)}
    server = stack.enter_context(ModelServer(answers))
    config.mkdir(parents=True)
    (config / "settings.toml").write_text(f'[providers.ollama]\nbase_url = "{server.origin}/v1"\n')
    return server


def test_the_question_is_answered_by_a_server_that_was_found_and_chosen(
    sit: Sit, ollama: ModelServer, provider: ModelServer, config: Path
) -> None:
    person = sit("what is a REST API?")
    person.wait_for("A number (Enter: nobody): ")
    shown = " ".join(person.seen.decode().split())
    assert f"found at {ollama.origin}/v1: qwen3:8b and 1 more" in shown
    person.type("ollama\r")
    person.wait_for("[qwen3:8b]: ")
    person.type("\r")
    assert person.wait() == 0
    assert person.screen[-2] == ANSWER
    assert ollama.asked == ["GET /api/tags", "POST /v1/chat/completions"]
    assert ollama.keys == ["", ""]
    assert provider.asked == []
    assert settings_in(config) == {
        "provider": "ollama",
        "providers": {"ollama": {"base_url": f"{ollama.origin}/v1", "model": "qwen3:8b"}},
    }
    assert b"\x1b[2J" not in person.seen


def test_the_question_is_answered_with_a_key_that_was_just_typed(sit: Sit, provider: ModelServer) -> None:
    person = sit("what is a REST API?")
    person.wait_for("A number (Enter: nobody): ")
    person.type("1\r")
    person.wait_for("[cline]: ")
    person.type("\r")
    type_key(person, KEY)
    person.wait_for("[anthropic/claude-sonnet-4.6]: ")
    person.type("\r")
    assert person.wait() == 0
    assert person.screen[-2] == ANSWER
    assert provider.keys[-1] == f"Bearer {KEY}"
    assert KEY.encode() not in person.seen


@pytest.mark.parametrize("typed", ["\r", "\x04"])
def test_the_run_ends_as_for_a_script_when_nobody_is_chosen(sit: Sit, config: Path, typed: str) -> None:
    person = sit("what is a REST API?")
    person.wait_for("A number (Enter: nobody): ")
    person.type(typed)
    assert person.wait() == 3
    assert "not logged in to cline" in " ".join(person.screen)
    assert not config.exists()


def test_the_run_ends_when_control_c_is_typed_at_the_choice(sit: Sit, config: Path) -> None:
    person = sit("what is a REST API?")
    person.wait_for("A number (Enter: nobody): ")
    person.type("\x03")
    assert person.wait() == 128 + signal.SIGINT
    assert not config.exists()


def test_the_deadline_of_the_run_ends_a_question_that_nobody_answers(sit: Sit) -> None:
    person = sit("-t", "3", "what is a REST API?")
    person.wait_for("A number (Enter: nobody): ")
    assert person.wait() == 124


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (("-q",), {}),
        (("--json",), {}),
        (("-F", "json"), {}),
        (("-y",), {}),
        (("--dry-run",), {}),
        (("--bare",), {}),
        ((), {"CI": "true"}),
        ((), {"CLINE_PROVIDER": "openrouter"}),
        (("-P", "anthropic"), {}),
        ((), {"CLINE_API_KEY": ""}),
    ],
    ids=str,
)
def test_nobody_is_asked_and_nothing_is_looked_for_when_a_script_runs(
    sit: Sit, ollama: ModelServer, options: tuple[str, ...], variables: dict[str, str]
) -> None:
    person = sit(*options, "what is a REST API?", **variables)
    assert person.wait() == 3
    assert b"Who is to answer?" not in person.seen
    assert ollama.asked == []


def test_nobody_is_asked_when_the_answer_goes_elsewhere(sit: Sit, ollama: ModelServer) -> None:
    reader, writer = os.pipe()
    person = sit("what is a REST API?", stdout=writer)
    os.close(writer)
    assert person.wait() == 3
    os.close(reader)
    assert b"Who is to answer?" not in person.seen
    assert ollama.asked == []
