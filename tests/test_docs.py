"""The pages and help texts are true: those that come from code are up to date, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli import errors
from cline_cli.commands import VERBS
from cline_cli.commands.options import BUILT

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def leaves(kind: type[errors.ClineError]) -> set[type[errors.ClineError]]:
    return {kind}.union(*(leaves(child) for child in kind.__subclasses__()))


def test_generated_pages_are_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        env={**os.environ},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_every_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "headless.md").read_text("utf-8")
    documented = {
        int(code) for codes in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for code in codes.split(",")
    }
    assert {kind.exit_code for kind in leaves(errors.ClineError)} <= documented
    assert {129, 130, 143} <= documented


def test_help_fits_one_screen() -> None:
    text = (ROOT / "cline_cli" / "commands" / "help" / "run.txt").read_text("utf-8")
    assert len(text.splitlines()) <= 23  # and the line that the shell asks on
    assert max(map(len, text.splitlines())) <= 80


def test_the_splitter_knows_the_options_that_typer_knows() -> None:
    import typer  # lazy: for this comparison only
    from typer.main import get_command  # lazy: as above

    from cline_cli.commands.run import app  # lazy: as above

    assert isinstance(app, typer.Typer)
    names = {option for parameter in get_command(app).params for option in parameter.opts if option.startswith("--")}
    assert names == {option.names[0] for option in BUILT}


def test_every_command_is_named_in_the_help() -> None:
    text = (ROOT / "cline_cli" / "commands" / "help" / "run.txt").read_text("utf-8")
    (lines,) = re.findall("^Commands: cline (.*)^More: ", text, re.MULTILINE | re.DOTALL)
    assert set(" ".join(lines.split()).split(" | ")) == set(VERBS) - {"run", "help"}
