"""What a start imports. Time is never measured here: modules are counted, which is what makes a start slow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_server import FakeServer, text

REPORT = (
    "import atexit, sys; atexit.register(lambda: sys.stderr.write('\\nMODULES ' + ' '.join(sys.modules) + '\\n'))\n"
)


def modules_of(tmp_path: Path, *argv: str, **variables: str) -> set[str]:
    """Return the names of the modules that one whole process has imported when it ends."""
    site = tmp_path / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(REPORT)
    done = subprocess.run(
        [sys.executable, "-m", "cline_cli", *argv],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables, "PYTHONPATH": str(site)},
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("argument", ["--version", "-V", "version"])
def test_the_version_imports_nothing(tmp_path: Path, argument: str) -> None:
    modules = modules_of(tmp_path, argument)
    ours = {name for name in modules if name.startswith("cline_cli")}
    assert ours == {"cline_cli"}
    assert not modules & {"typer", "rich", "httpx", "asyncio", "dataclasses", "pathlib"}


@pytest.mark.parametrize("argument", ["--help", "--help-all"])
def test_help_is_printed_without_importing_what_it_describes(tmp_path: Path, argument: str) -> None:
    modules = modules_of(tmp_path, argument)
    assert not modules & {"typer", "rich", "httpx", "asyncio"}


def test_a_one_shot_in_a_pipe_imports_only_what_it_needs(tmp_path: Path) -> None:
    with FakeServer(text("hello")) as server:
        modules = modules_of(tmp_path, "hi there", CLINE_API_KEY="sk-test-0123456789", CLINE_API_BASE_URL=server.origin)
    unwanted = {
        "rich",
        "prompt_toolkit",
        "keyring",
        "tomlkit",
        "tomllib",
        "httpx._main",
        "click",
        "pygments",
        "xllamacpp",
        "pip",
    }
    unwanted |= {"jsonschema", "referencing", "cline_cli.schema", "cline_cli.frontends.json_lines"}
    unjudged = {"policy.shell", "policy.reading", "machine.sandbox_levels", "workspace.checkpoint", "tools.editor"}
    assert not modules & {*(f"cline_cli.{name}" for name in unjudged), "yaml", "pathspec", "bs4", "markdownify"}
    assert not modules & unwanted
    assert {"typer", "httpx"} <= modules


def test_only_the_provider_in_use_is_imported(tmp_path: Path) -> None:
    with FakeServer(text("hello")) as server:
        modules = modules_of(tmp_path, "hi there", CLINE_API_KEY="sk-test-0123456789", CLINE_API_BASE_URL=server.origin)
    providers = {name for name in modules if name.startswith("cline_cli.providers.")}
    assert not {name for name in providers if "local" in name}
