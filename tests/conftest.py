"""Every test gets a home, a working directory and a state of its own; nothing of the person who runs it is read."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.load_profile("here")

KEPT = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "TMPDIR", "CLINE_TEST_MODELS_DIR", "HYPOTHESIS_STORAGE_DIRECTORY")


@pytest.fixture(autouse=True)
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh HOME; the variables of this process are cut down to what programs need to start."""
    home = tmp_path / "home"
    workspace = tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    is_ci = os.environ.get("CI", "")
    for name in list(os.environ):
        if name not in KEPT and not name.startswith(("PYTEST", "PYTHON", "COVERAGE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CLINE_TEST_CI", is_ci)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.chdir(workspace)
    return home


@dataclass(frozen=True, slots=True)
class Result:
    exit_code: int
    """Negative: minus the signal that ended the process."""
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()


RunCline = Callable[..., Result]


@pytest.fixture
def cline(tmp_path: Path) -> RunCline:
    """Return a function that runs the command as a process of its own: `cline("-n", "hi", stdin=b"...", X="1")`.

    Keyword arguments in capitals are environment variables; None takes one away.
    """

    def run(*argv: str, stdin: bytes | int | None = None, cwd: Path | None = None, **variables: str | None) -> Result:
        environment = {**os.environ, **{name: value for name, value in variables.items() if value is not None}}
        for name, value in variables.items():
            if value is None:
                environment.pop(name, None)
        process = subprocess.Popen(
            [sys.executable, "-m", "cline_cli", *argv],
            stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=cwd,
        )
        with process:
            try:
                stdout, stderr = process.communicate(stdin if isinstance(stdin, bytes) else None, timeout=50)
            finally:
                process.kill()
        return Result(process.returncode, stdout, stderr.decode(errors="replace"))

    return run


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that is neither temporary nor a cache, so that a sandbox keeps commands from it."""
    own = Path(pwd.getpwuid(os.getuid()).pw_dir)
    temporary = [Path(os.path.realpath(path)) for path in ("/tmp", "/var/tmp", tempfile.gettempdir(), own / ".cache")]
    for base in (Path(__file__).parent, own, Path("/srv"), Path("/opt"), Path("/")):
        real = Path(os.path.realpath(base))
        if os.access(real, os.W_OK) and not any(map(real.is_relative_to, temporary)):
            folder = real / f".cline-test-{os.getpid()}"
            folder.mkdir()
            yield folder
            shutil.rmtree(folder)
            return
    pytest.skip("there is nowhere to write but in temporary folders")


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
        yield number
