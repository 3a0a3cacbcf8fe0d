"""What is known of the folder a session works in, in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cline_cli.commands._asked import Asked
from cline_cli.session.store import Session
from cline_cli.text import one_line
from cline_cli.workspace.rules import Rules

KINDS = {
    "pyproject.toml": "Python",
    "setup.py": "Python",
    "package.json": "JavaScript",
    "Cargo.toml": "Rust",
    "go.mod": "Go",
    "pom.xml": "Java",
    "build.gradle": "Java",
    "Gemfile": "Ruby",
    "composer.json": "PHP",
    "CMakeLists.txt": "C or C++",
}
"""Files that tell what a project is written in."""
PLACE_CHARACTERS = 40


def describe_folder(asked: Asked, rules: Rules, session: Session | None, version: str) -> str:
    """Return `cline 1.0 in ~/shop: Python, git on main, rules from AGENTS.md`."""
    facts = list(_list_facts(asked.workspace, rules))
    if session:
        facts.append(f"goes on with {session.id}")
    place = one_line(_shorten(asked.workspace))
    return f"cline {version} in {place}{': ' if facts else ''}{', '.join(facts)}"


def _list_facts(folder: Path, rules: Rules) -> Iterator[str]:
    kinds = dict.fromkeys(kind for name, kind in KINDS.items() if os.path.isfile(folder / name))
    if kinds:
        yield " and ".join(kinds)
    branch = find_branch(folder)
    if branch:
        yield f"git on {one_line(branch, 40)}"
    names = [one_line(rule.name, 40) for rule in rules.told]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"rules from {', '.join(names[:3])}{more}"


def find_branch(folder: Path) -> str:
    """Return the branch that is checked out, or the beginning of a commit; empty outside of a repository."""
    for place in (folder, *folder.parents):
        try:
            git = place / ".git"
            if git.is_file():  # a worktree tells where its own is
                git = place / git.read_text("utf-8", "replace").removeprefix("gitdir:").strip()
            head = (git / "HEAD").read_text("utf-8", "replace").strip()
        except OSError:
            continue
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref:") else head[:8]
    return ""


def _shorten(folder: Path) -> str:
    home = os.environ.get("HOME", "")
    text = str(folder)
    if home and (text == home or text.startswith(f"{home}/")):
        text = f"~{text[len(home) :]}"
    return text if len(text) <= PLACE_CHARACTERS else f"…/{folder.name}"
