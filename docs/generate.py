"""Writes what comes from code: the packaged help texts, and docs/commands.md. `--check` only compares.

The Typer apps are the one source. Their help is rendered plainly and 80 columns wide, so that it reads the same in a
terminal, in a pipe and on a page.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer
from typer.main import get_command

from cline_cli.commands import VERBS
from cline_cli.commands.help import TEXTS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "commands.md"
HEADER = """\
# Commands

This page is written by `make docs` from the commands themselves; `cline help COMMAND` prints the same.
"""


def render(app: typer.Typer, name: str, *, is_whole: bool = False) -> str:
    """Return the help text of an app and of its subcommands; `is_whole` shows the options that --help leaves out."""
    command = get_command(app)
    texts = []
    for path, part in _walk(name, command):
        if is_whole:
            for parameter in part.params:
                parameter.hidden = False
        context = part.context_class(part, info_name=path, terminal_width=80, max_content_width=80)
        texts.append(part.get_help(context).rstrip() + "\n")
    return "\n".join(texts)


def _walk(
    name: str, command: typer.core.TyperCommand | typer.core.TyperGroup
) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    yield name, command
    for sub_name, sub_command in getattr(command, "commands", {}).items():
        yield from _walk(f"{name} {sub_name}", sub_command)


def texts() -> dict[Path, str]:
    """Return every generated file with its content."""
    files: dict[Path, str] = {}
    sections = [HEADER]
    for verb, row in VERBS.items():
        if not row.has_app:
            continue
        app = import_module(f"cline_cli.commands.{row.module}").app
        name = "cline" if verb == "run" else f"cline {verb}"
        files[TEXTS / f"{verb}.txt"] = render(app, name)
        whole = render(app, name, is_whole=True)
        if verb == "run":
            files[TEXTS / "all.txt"] = whole
        sections.append(f"## {name}\n\n```text\n{whole}```\n")
    files[PAGE] = "\n".join(sections)
    return files


def main() -> int:
    os.environ["COLUMNS"] = "80"
    stale = [path for path, text in texts().items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what `make docs` writes")
        return bool(stale)
    for path, text in texts().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"{len(stale)} written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
