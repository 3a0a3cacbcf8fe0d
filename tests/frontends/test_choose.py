from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cline_cli.environment import Environment
from cline_cli.frontends.choose import choose_front_end
from cline_cli.frontends.console.front_end import ConsoleFrontEnd
from cline_cli.frontends.manner import Manner
from cline_cli.frontends.text import TextFrontEnd

XTERM = {"TERM": "xterm-256color"}


@pytest.fixture
def terminal() -> Iterator[int]:
    descriptors = pty.openpty()
    yield descriptors[1]
    for descriptor in descriptors:
        os.close(descriptor)


def environment(stdout: int | None, variables: dict[str, str]) -> Environment:
    is_terminal = stdout is not None and os.isatty(stdout)
    return Environment(variables, Path("/"), Path("/"), None, stdout, None, False, is_terminal, False)


@pytest.mark.parametrize(
    ("variables", "manner", "kind"),
    [
        (XTERM, Manner(), ConsoleFrontEnd),
        (XTERM, Manner(output_format="plain"), TextFrontEnd),
        ({**XTERM, "NO_COLOR": "1"}, Manner(), TextFrontEnd),
        ({**XTERM, "NO_COLOR": ""}, Manner(), ConsoleFrontEnd),
        ({**XTERM, "NO_COLOR": "1", "FORCE_COLOR": "1"}, Manner(), TextFrontEnd),
        ({**XTERM, "NO_COLOR": "1"}, Manner(output_format="rich"), ConsoleFrontEnd),
        ({"TERM": "dumb"}, Manner(), TextFrontEnd),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, Manner(), TextFrontEnd),
        ({}, Manner(), TextFrontEnd),
        ({"FORCE_COLOR": "1"}, Manner(), ConsoleFrontEnd),
        ({"FORCE_COLOR": "0"}, Manner(), TextFrontEnd),
    ],
)
def test_the_screen_is_live_when_the_terminal_can_and_nobody_objects(
    terminal: int, variables: dict[str, str], manner: Manner, kind: type
) -> None:
    assert type(choose_front_end(environment(terminal, variables), manner)) is kind


@pytest.mark.parametrize("output_format", [None, "rich", "plain"])
def test_it_is_text_when_stdout_is_no_terminal(tmp_path: Path, output_format: str | None) -> None:
    manner = Manner(output_format=output_format)  # type: ignore[arg-type]
    with (tmp_path / "out").open("wb") as file:
        for stdout in (file.fileno(), None):
            chosen = choose_front_end(environment(stdout, {**XTERM, "FORCE_COLOR": "1"}), manner)
            assert type(chosen) is TextFrontEnd


def test_nothing_heavy_is_imported_when_stdout_is_a_pipe() -> None:
    program = """
import sys
from cline_cli.environment import read_environment
from cline_cli.frontends.choose import choose_front_end
from cline_cli.frontends.manner import Manner
choose_front_end(read_environment(), Manner())
heavy = {"rich", "pygments", "markdown_it", "typer", "httpx", "keyring", "tomlkit", "termios"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
