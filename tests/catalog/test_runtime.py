from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cline_cli.catalog.runtime import REQUIREMENT, Host, describe_missing, read_host

ROOT = Path(__file__).parent.parent.parent


def test_the_requirement_is_that_of_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["optional-dependencies"]["local"] == [REQUIREMENT]


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/me/.local/share/pipx/venvs/cline-cli", f"pipx inject cline-cli {REQUIREMENT}"),
        ("/home/me/.local/share/uv/tools/cline-cli", "uv tool install 'cline-cli[local]'"),
        ("/home/me/project/.venv", f"-m pip install {REQUIREMENT}"),
    ],
)
def test_the_command_is_that_of_whoever_installed_it(prefix: str, command: str) -> None:
    problem = describe_missing(Host("Linux", "x86_64", "glibc", prefix))
    assert problem.message == "the runtime of the embedded models is not installed"
    assert problem.hint.startswith("Run: ")
    assert problem.hint.endswith(command)


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        (Host("Linux", "x86_64", "", "/"), "Linux on x86_64 with another C library than glibc"),
        (Host("Linux", "aarch64", "musl", "/"), "Linux on aarch64 with another C library than glibc"),
        (Host("Linux", "riscv64", "glibc", "/"), "Linux on riscv64"),
        (Host("Windows", "ARM64", "", "/"), "Windows on ARM64"),
    ],
)
def test_it_says_so_when_there_is_no_runtime_for_the_machine(host: Host, kind: str) -> None:
    problem = describe_missing(host)
    assert problem.message == f"the embedded models do not run on {kind}: their runtime is not made for it"
    assert "cline auth" in problem.hint


def test_this_machine_is_described() -> None:
    assert all((read_host().system, read_host().machine, read_host().prefix))
