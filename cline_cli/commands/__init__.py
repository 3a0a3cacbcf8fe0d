"""The verbs of the command line: each row names a module with its own small Typer app, and says what the verb does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Verb(NamedTuple):
    module: str
    """In this package."""
    help: str
    has_app: bool = True
    """The module has a Typer app named `app`; without one it has `answer(arguments) -> str`, the text to print."""


VERBS: Mapping[str, Verb] = {
    "run": Verb("run", "Ask a model, or let it work"),
    "auth": Verb("auth", "Sign in: save a provider, a model and a key"),
    "models": Verb("models", "List models: what they cost, what they can"),
    "local": Verb("local", "Install, list and remove the embedded models"),
    "history": Verb("history", "List, search, show, export and delete sessions"),
    "config": Verb("config", "Show and change the settings, and where each comes from"),
    "policy": Verb("policy", "Show the rules for commands and edits, and check them"),
    "undo": Verb("undo", "Put the files back as they were before a run"),
    "diff": Verb("diff", "Show what a run changed"),
    "trust": Verb("trust", "Trust the settings that come with a project"),
    "doctor": Verb("doctor", "Check that a run can start, and say what to do if not"),
    "completion": Verb("completion", "Complete options and names in bash, zsh and fish"),
    "version": Verb("version", "Print the version, as --version and -V do", has_app=False),
    "help": Verb("help", "Print help on a command or on exit-codes (--help-all)", has_app=False),
}
ALIASES: Mapping[str, str] = {"task": "run", "t": "run", "h": "history"}
PLANNED = frozenset(
    "acp connect dashboard hook hub instance kanban logs map mcp plugin schedule serve skill update".split()
)
"""Words that are commands of the original or will be ours: refused, so that none of them is sent to a model."""
