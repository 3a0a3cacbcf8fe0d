"""Writes what comes from code: the packaged help texts, docs/commands.md, docs/tools.md. `--check` only compares.

The Typer apps and the tools' specs are the one source. Help is rendered plainly and 80 columns wide, so that it reads
the same in a terminal, in a pipe and on a page.
"""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cline_cli.commands import VERBS
from cline_cli.commands.help import TEXTS
from cline_cli.tools import TOOLS, Workplace, build_tools
from cline_cli.tools._old_names import OLD_NAMES
from cline_cli.workspace.confinement import Confinement

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COMMANDS = """\
# Commands

This page is written by `make docs` from the commands themselves; `cline help COMMAND` prints the same.
"""
TOOLS_PAGE = """\
# Tools

What a model may call in a run. This page is written by `make docs` from what the model is told.

Without `-y` a run reads: a tool that changes something is asked for at the terminal, or denied where nobody can be
asked. With `-p` only the tools that read are there, with `-n` none. Several calls in one reply run together; the
commands of one call run one after another, each in a fresh shell in the working directory, without input and without
your keys. Relative paths stay in the working directory, symbolic links included; `-y` is leave for absolute paths too.
Every name below may be used by a model that learned it elsewhere, with the arguments of then.
"""


def render(app: typer.Typer, name: str, *, is_whole: bool = False) -> str:
    """Return the help text of an app and of its subcommands; `is_whole` shows the options that --help leaves out."""
    texts = []
    for path, part in _walk(name, get_command(app)):
        if is_whole:
            for parameter in part.params:
                parameter.hidden = False
        context = part.context_class(part, info_name=path, terminal_width=80, max_content_width=80)
        texts.append(part.get_help(context).rstrip() + "\n")
    return "\n".join(texts)


def _walk(name: str, command: TyperCommand | TyperGroup) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    yield name, command
    if isinstance(command, TyperGroup):
        for sub_name, sub_command in command.commands.items():
            yield from _walk(f"{name} {sub_name}", sub_command)


def describe_commands() -> dict[Path, str]:
    """Return the help texts and the page of commands."""
    files: dict[Path, str] = {}
    sections = [COMMANDS]
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
    return {**files, DOCS / "commands.md": "\n".join(sections)}


def describe_tools() -> str:
    """Return the page of tools."""
    toolbox = build_tools(Workplace(Confinement(ROOT), {}))
    sections = [TOOLS_PAGE]
    for name, row in TOOLS.items():
        spec = toolbox.tools[name].spec
        old = [f"`{other}`" for other, (own, _) in OLD_NAMES.items() if own == name]
        offered = "" if row.is_offered else " No model is told of it."
        sections.append(f"## {name}\n\nIt {row.effect}.{offered} {spec.description}\n")
        sections.append(f"```json\n{json.dumps(spec.parameters, indent=2)}\n```\n")
        if old:
            sections.append(f"Also understood as {', '.join(old)}.\n")
    return "\n".join(sections)


def describe_exit_codes() -> str:
    """Return the table of docs/headless.md as plain text."""
    page = (DOCS / "headless.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| (.+) \|$", page, re.MULTILINE)
    indent = " " * 15
    lines = [
        textwrap.fill(meaning.replace("`", ""), 80, initial_indent=f"{codes:<15}", subsequent_indent=indent)
        for codes, meaning in rows
    ]
    return "Exit codes of cline\n\n" + "\n".join(lines) + "\n"


def texts() -> dict[Path, str]:
    """Return every generated file with its content."""
    return {
        **describe_commands(),
        DOCS / "tools.md": describe_tools(),
        TEXTS / "exit-codes.txt": describe_exit_codes(),
    }


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
