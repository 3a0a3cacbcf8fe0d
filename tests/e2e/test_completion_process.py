"""Completion in the shells that people type in: interactive ones at a terminal, where a TAB is pressed."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cline_cli.agent.events import IterationStarted, MessageFinished
from cline_cli.agent.messages import AssistantMessage, TextPart, Usage, UserMessage
from cline_cli.commands._completion_grammar import Offer, Place, Word, read_grammar
from cline_cli.commands._completion_install import SHELLS, find_place, install
from cline_cli.commands._completion_scripts import to_script
from cline_cli.session.records import Header
from cline_cli.session.store import create
from tests.conftest import RunCline
from tests.test_startup import modules_of

PATIENCE_S = 40
GRAMMAR = read_grammar()
AT_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Manners(NamedTuple):
    """How a shell is spoken to."""

    plain: tuple[str, ...]
    """Starts it without anybody's files."""
    show: str
    """Makes Ctrl-T write the line as it stands to the file $LINE."""
    command: str
    """Makes `cline` write its arguments to the file $ARGUMENTS, each with a NUL behind it."""


MANNERS = {
    "bash": Manners(
        ("bash", "--norc", "--noprofile", "-i"),
        r"""bind -x '"\C-t":printf %s "$READLINE_LINE" >"$LINE.new"; mv "$LINE.new" "$LINE"'""",
        'cline() { printf "%s\\0" "$@" >"$ARGUMENTS.new"; mv "$ARGUMENTS.new" "$ARGUMENTS"; }',
    ),
    "zsh": Manners(
        ("zsh", "-f", "-i"),
        r"""show() { print -rn -- "$BUFFER" >$LINE.new; mv $LINE.new $LINE }; zle -N show; bindkey '^T' show""",
        'cline() { printf "%s\\0" "$@" >"$ARGUMENTS.new"; mv "$ARGUMENTS.new" "$ARGUMENTS"; }',
    ),
    "fish": Manners(
        ("fish", "--no-config", "-i"),
        r"""bind \ct 'printf %s (commandline) >$LINE.new; mv $LINE.new $LINE'""",
        "function cline; printf '%s\\0' $argv >$ARGUMENTS.new; mv $ARGUMENTS.new $ARGUMENTS; end",
    ),
}


class Typist:
    """Sits at a terminal, before one shell."""

    def __init__(self, shell: str, argv: tuple[str, ...], folder: Path) -> None:
        self.manners = MANNERS[shell]
        self.line = folder / "line"
        self.arguments = folder / "arguments"
        self.seen = b""
        self.terminal, program = pty.openpty()
        termios.tcsetwinsize(program, (40, 100))
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_THE_TERMINAL, *argv],
            stdin=program,
            stdout=program,
            stderr=program,
            env={**os.environ, "TERM": "xterm", "LINE": str(self.line), "ARGUMENTS": str(self.arguments)},
            start_new_session=True,
        )
        os.close(program)
        self.commands = 0
        self.say(self.manners.show)

    def say(self, command: str) -> None:
        """Have a command run, and see its end."""
        self.commands += 1
        self.type(f"{command}\r")
        self.type(f"echo end'-'{self.commands}\r")
        self.wait(lambda: f"end-{self.commands}".encode() in self.seen)

    def complete(self, keys: str) -> str:
        """Return how the line stands after these keys; it is taken away again."""
        self.line.unlink(missing_ok=True)
        self.type(f"{keys}\x14")
        self.wait(self.line.exists)
        line = self.line.read_text()
        self.type("\x05\x15")  # to its end, and back to its beginning
        return line

    def run(self, keys: str) -> list[str]:
        """Return the arguments that `cline` gets from the line that these keys make."""
        self.arguments.unlink(missing_ok=True)
        self.type(f"{keys}\r")
        self.wait(self.arguments.exists)
        return self.arguments.read_text().split("\0")[:-1]

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def wait(self, is_there: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not is_there():
            assert time.monotonic() < deadline_s, f"nothing came of it; seen: {self.seen!r}"
            if select.select([self.terminal], [], [], 0.02)[0]:
                self.seen += os.read(self.terminal, 65536)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.terminal >= 0:
            os.close(self.terminal)
            self.terminal = -1


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


Sit = Callable[..., Typist]


@pytest.fixture
def sit(shell: str, tmp_path: Path) -> Iterator[Sit]:
    """Return a function that starts the shell; with a script it reads that and nobody's files."""
    typists: list[Typist] = []

    def start(script: Path | None = None) -> Typist:
        typist = Typist(shell, MANNERS[shell].plain if script else (shell, "-i"), tmp_path)
        typists.append(typist)
        if script:
            typist.say(f"source {shlex.quote(str(script))}")
        return typist

    yield start
    for typist in typists:
        typist.close()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program that is the command, and writes a line to `calls` beside it whenever it is started."""
    path = tmp_path / "bin" / "cline"
    path.parent.mkdir()
    calls = shlex.quote(str(path.with_name("calls")))
    path.write_text(f'#!/bin/sh\necho "$*" >>{calls}\nexec {shlex.quote(sys.executable)} -P -m cline_cli "$@"\n')
    path.chmod(0o700)
    return path


@pytest.fixture
def script(shell: str, program: Path) -> Path:
    path = program.with_name(f"script.{shell}")
    path.write_text(to_script(shell, GRAMMAR, (str(program),)))
    return path


def save_settings(home: Path, text: str) -> None:
    folder = home / ".config" / "cline"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text(text)


STATIC = [
    ("cline hi\t", "cline history "),
    ("cline --mode=pl\t", "cline --mode=plan "),
    ("cline --mode p\t", "cline --mode plan "),
    ("cline -P openr\t", "cline -P openrouter "),
    ("cline -yqP openr\t", "cline -yqP openrouter "),
    ("cline -P op\t", "cline -P open"),
    ("cline --plan --ac\t", "cline --plan --ac"),
    ("cline auth an\t", "cline auth anthropic "),
    ("cline --config /x auth -p lo\t", "cline --config /x auth -p local "),
    ("cline --thinking xh\t", "cline --thinking xhigh "),
    ('cline "fix it" --mode pl\t', 'cline "fix it" --mode plan '),
    ("cline fix hi\t", "cline fix hi"),
    ('cline "fix it\t', 'cline "fix it'),
    ("cline 'fix `x` $(x\t", "cline 'fix `x` $(x"),
    ("cline -- --mode p\t", "cline -- --mode p"),
    ("cline config set credentials.store f\t", "cline config set credentials.store file "),
    ("cline h del\t", "cline h delete "),
    ("cline completion install z\t", "cline completion install zsh "),
    ("cline-cli hi\t", "cline-cli history "),
]


def test_commands_and_options_are_completed_without_starting_the_program(
    shell: str, sit: Sit, script: Path, program: Path
) -> None:
    typist = sit(script)
    if shell == "fish":  # in its folder the second file says this
        typist.say("complete --command cline-cli --wraps cline")
    assert [(keys, typist.complete(keys)) for keys, _ in STATIC] == STATIC
    assert not program.with_name("calls").exists()


def test_names_of_files_and_folders_are_completed_where_they_are_wanted(sit: Sit, script: Path) -> None:
    Path("a folder").mkdir()
    Path("a file.txt").write_text("")
    typist = sit(script)
    assert typist.complete("cline --cwd a\t") == "cline --cwd a\\ folder/"
    assert typist.complete("cline --cwd=a\t") == "cline --cwd=a\\ folder/"
    assert typist.complete("cline -f a\\ fi\t") == "cline -f a\\ file.txt "
    assert typist.complete("cline --output=a\\ fi\t") == "cline --output=a\\ file.txt "
    assert typist.complete("cline a\\ fi\t") == "cline a\\ fi"


HOSTILE = """my $(touch made)`touch made`;touch made #'"\\b:free@v1=2*?[x]{a,b}~!%"""
QUOTABLE = 'my $(touch made)`touch made`;"\\b:free'
QUOTED = '"' + QUOTABLE.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_a_name_arrives_as_it_is_whatever_it_holds(shell: str, sit: Sit, script: Path, private_home: Path) -> None:
    hostile = '"' + HOSTILE.replace("\\", "\\\\").replace('"', '\\"') + '"'
    save_settings(
        private_home,
        f"""
        [providers.openai-compatible]
        base_url = "http://127.0.0.1:1/v1"
        model = {hostile}
        [providers.anthropic]
        base_url = "http://127.0.0.1:1/v1"
        model = {QUOTED}
        """,
    )
    typist = sit(script)
    typist.say(typist.manners.command)
    assert typist.run("cline -P openai -m \t") == ["-P", "openai", "-m", HOSTILE]
    assert typist.run("cline -P openai --model=m\t") == ["-P", "openai", f"--model={HOSTILE}"]
    assert typist.run("cline -P openai -m my\\ \\$\t") == ["-P", "openai", "-m", HOSTILE]
    assert typist.run('cline -P anthropic -m "m\t') == ["-P", "anthropic", "-m", QUOTABLE]
    assert typist.run("cline -P anthropic -m 'my \t") == ["-P", "anthropic", "-m", QUOTABLE]
    assert not Path("made").exists()


def test_a_name_is_completed_across_the_places_where_bash_cuts_words(
    sit: Sit, script: Path, private_home: Path
) -> None:
    save_settings(private_home, '[providers.cline]\nmodel = "some/model:free@1=b"\n')
    typist = sit(script)
    for typed in ("some/", "some/model:", "some/model:free@", "some/model:free@1="):
        assert typist.complete(f"cline -m {typed}\t").replace("\\", "") == "cline -m some/model:free@1=b "
    assert typist.complete("cline --model=some/model:fr\t").replace("\\", "") == "cline --model=some/model:free@1=b "


def test_sessions_are_listed_with_what_they_are_about(sit: Sit, script: Path, private_home: Path) -> None:
    sessions = private_home / ".local" / "state" / "cline" / "sessions"
    for number, prompt in enumerate(("Fix the bug", "evil \x1b]0;owned\x07 \x1b[41m%F{red} $(touch made)\nmore")):
        header = Header(f"175400000000{number}_aaaaa", "2026-11-01T10:00:00.000Z", "/w", "cline", "m", "act")
        reply = AssistantMessage((TextPart("Done."),), "stop", Usage(), "m")
        messages = (UserMessage((TextPart(prompt),)), reply)
        session = create(sessions, header)
        session.record(IterationStarted(1, True), messages[:1])
        session.record(MessageFinished(reply), messages)
        session.close()
    typist = sit(script)
    typist.seen = b""
    assert typist.complete("cline --id 1754000000001\t") == "cline --id 1754000000001_aaaaa "
    assert typist.complete("cline history show 1754000000000\t") == "cline history show 1754000000000_aaaaa "
    typist.type("cline --id \t\t\t")
    typist.wait(lambda: b"Fix the bug" in typist.seen and b"evil" in typist.seen)
    assert b"owned" not in typist.seen
    assert b"\x1b[41m" not in typist.seen
    assert not Path("made").exists()


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_next_shell_completes_when_one_command_was_given(
    shell: str, sit: Sit, cline: RunCline, private_home: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.with_name("cline-cli").symlink_to(program)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")  # fish looks for a command before its file
    before = tree_of(private_home)
    result = cline("completion", "install", SHELL=shutil.which(shell))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Try: cline --mo<TAB>" in result.text
    installed = tree_of(private_home)
    typist = sit()
    assert typist.complete("cline hi\t") == "cline history "
    assert typist.complete("cline-cli -P openr\t") == "cline-cli -P openrouter "
    assert typist.complete("cline -m anthropic/claude-haiku-4\t") == "cline -m anthropic/claude-haiku-4.5 "
    typist.close()
    for name, content in installed.items():
        assert (private_home / name).read_bytes() == content
    assert cline("completion", "uninstall", shell).exit_code == 0
    assert not set(tree_of(private_home)) & (set(installed) - set(before))
    assert {name: tree_of(private_home)[name] for name in before} == before


STRICT = {
    "bash": "set -Eeuo pipefail; trap 'echo fail''ure' ERR",
    "zsh": "setopt err_exit no_unset pipe_fail; trap 'echo fail''ure' ZERR",
}
"""Makes a shell end at the first command that fails, and say so before."""


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("shell", list(STRICT), indirect=True)
def test_a_shell_lives_on_when_it_ends_at_a_failure(
    shell: str, sit: Sit, private_home: Path, program: Path, is_first: bool
) -> None:
    place = find_place(shell, private_home, {})
    assert place.startup
    install(place, to_script(shell, GRAMMAR, (str(program),)), {})
    lines = [f"{STRICT[shell]}\n", place.startup.read_text()]
    place.startup.write_text("".join(lines if is_first else reversed(lines)))
    typist = sit()
    assert [(keys, typist.complete(keys)) for keys, _ in STATIC] == STATIC
    assert typist.complete("cline -m anthropic/claude-haiku-4\t") == "cline -m anthropic/claude-haiku-4.5 "
    assert typist.complete("cline --id \t") == "cline --id "
    assert typist.complete("cline --cwd=no-such\t") == "cline --cwd=no-such"
    os.utime(place.scripts[0], (1, 1))
    program.write_text("#!/bin/sh\nexit 3\n")  # an upgrade that fails
    assert typist.complete("cline config\t") == "cline config "
    assert b"failure" not in typist.seen
    typist.say("true")


COMPINIT = "autoload -Uz compinit && compinit -u\n"


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), (COMPINIT, ""), ("", COMPINIT), (COMPINIT, COMPINIT), ("precmd() { : }\n", f"{COMPINIT}: last\n")],
    ids=["nowhere", "before", "after", "both", "after, with a hook"],
)
def test_zsh_completes_wherever_compinit_stands(
    sit: Sit, private_home: Path, program: Path, before: str, after: str
) -> None:
    place = find_place("zsh", private_home, {})
    assert place.startup
    install(place, to_script("zsh", GRAMMAR, (str(program),)), {})
    place.startup.write_text(f"{before}{place.startup.read_text()}{after}")
    typist = sit()
    assert typist.complete("cline hi\t") == "cline history "
    assert typist.complete("cline-cli -P openr\t") == "cline-cli -P openrouter "
    typist.say("echo hooks-${precmd_functions[(I)_cline_register]}")
    assert b"hooks-0" in typist.seen
    assert b"not found" not in typist.seen


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
def test_zsh_says_nothing_when_its_functions_are_missing(sit: Sit, private_home: Path) -> None:
    place = find_place("zsh", private_home, {})
    assert place.startup
    install(place, to_script("zsh", GRAMMAR, ()), {})
    place.startup.write_text(f"{place.startup.read_text()}fpath=()\n")
    typist = sit()
    typist.say("echo hooks-${precmd_functions[(I)_cline_register]}")
    assert b"hooks-0" in typist.seen
    assert b"not found" not in typist.seen


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
def test_zsh_completes_by_what_the_person_said_later(sit: Sit, private_home: Path) -> None:
    place = find_place("zsh", private_home, {})
    assert place.startup
    install(place, to_script("zsh", GRAMMAR, ()), {})
    own = "_own() { compadd owned }; compdef _own cline\n"
    place.startup.write_text(f"{place.startup.read_text()}{COMPINIT}{own}")
    typist = sit()
    assert typist.complete("cline o\t") == "cline owned "
    assert typist.complete("cline-cli hi\t") == "cline-cli history "


def test_an_upgraded_command_is_asked_what_it_completes_now(
    shell: str, sit: Sit, tmp_path: Path, private_home: Path
) -> None:
    newer = GRAMMAR._replace(places=(Place((), Offer("command", (Word("brandnew"),))), *GRAMMAR.places[1:]))
    program = tmp_path / "cline"
    (tmp_path / "newer").write_text(to_script(shell, newer, ()))
    program.write_text(f"#!/bin/sh\nexec cat {shlex.quote(str(tmp_path / 'newer'))}\n")
    program.chmod(0o700)
    place = find_place(shell, private_home, {})
    install(place, to_script(shell, GRAMMAR, (str(program),)), {})
    assert sit(place.scripts[0]).complete("cline brandn\t") == "cline brandn"
    os.utime(place.scripts[0], (1, 1))
    typist = sit(place.scripts[0])
    assert typist.complete("cline brandn\t") == "cline brandnew "
    assert typist.complete("cline --mode p\t") == "cline --mode plan "
    assert place.scripts[0].stat().st_mtime == 1


def test_a_script_is_printed_and_nothing_else(cline: RunCline, private_home: Path) -> None:
    for shell in SHELLS:
        result = cline("completion", shell)
        assert (result.exit_code, result.stderr) == (0, "")
        assert f"`cline completion {shell}` prints this file" in result.text
        assert f"{sys.executable} -P -m cline_cli" in result.text
    assert tree_of(private_home) == {}


def test_nothing_is_installed_when_there_is_no_home(cline: RunCline) -> None:
    result = cline("completion", "install", "bash", HOME=None)
    assert result.exit_code == 2
    assert result.stdout == b""
    assert result.stderr.startswith("cline: HOME is not set")
    assert len(result.stderr.splitlines()) == 1


def test_one_line_is_told_when_the_home_cannot_be_written(cline: RunCline) -> None:
    result = cline("completion", "install", "bash", HOME="/dev/null")
    assert result.exit_code == 1
    assert result.stderr.startswith("cline: cannot read /dev/null/")
    assert len(result.stderr.splitlines()) == 1


def test_scripts_are_answered_in_silence_when_nothing_can_be_told(cline: RunCline, private_home: Path) -> None:
    save_settings(private_home, "provider = [")
    state = private_home / "state"
    state.write_text("a file where a folder should be")
    for words in (("sessions", "--data-dir", str(state)), ("nonsense",), ("installed",), ("sessions", "--", "--x")):
        result = cline("completion", "words", *words)
        assert (result.exit_code, result.stdout, result.stderr) == (0, b"", "")


@pytest.mark.parametrize("kind", ["models", "sessions", "installed"])
def test_an_answer_imports_little(tmp_path: Path, kind: str) -> None:
    modules = modules_of(tmp_path, "completion", "words", kind)
    assert not modules & {"httpx", "rich", "keyring", "tomlkit", "asyncio", "jsonschema", "xllamacpp"}
    assert "cline_cli.commands._completion_grammar" not in modules
