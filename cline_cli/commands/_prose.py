"""The rules in prose of a run: which of them hold, and what is told of them."""

from __future__ import annotations

from pathlib import Path

from cline_cli.app import Chosen
from cline_cli.commands._asked import Asked
from cline_cli.workspace.rules import Rules, find_rules


def find_rules_for(asked: Asked, choice: Chosen, home: Path | None) -> Rules:
    """Return the rules that hold for a run; none without tools, with --bare, and for a small model."""
    if not asked.options.has_tools or asked.is_bare or choice.row.is_compact:
        return Rules()
    words = (word.strip("@.,;:!?()'\"`") for word in asked.prompt.split())
    about = (*asked.files, *(word for word in words if "/" in word or "." in word))
    return find_rules(asked.workspace, home, about)


def describe_rules(rules: Rules, *, is_verbose: bool) -> tuple[str, ...]:
    """Return what is told of the rules: with -v which they are, and always what was left out."""
    names = [*(rule.name for rule in rules.told), *(f"{rule.name} (by name)" for rule in rules.named)]
    told = (f"[rules] {', '.join(names)}",) if names and is_verbose else ()
    return (*told, *rules.notices)
