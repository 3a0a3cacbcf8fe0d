"""What a shell's words are to a policy: text as far as it is known before the line runs. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from cline_cli.policy._glob import HOLE, WILD

__all__ = ["HOLE", "SHELL_VARIABLES", "WILD", "Redirect", "Script", "Simple", "UnreadableError", "Word"]


SHELL_VARIABLES = re.compile(r"BASH_ENV|PS4|PROMPT_COMMAND|SHELLOPTS|BASHOPTS|BASH_FUNC.*")
"""Bash runs what they hold, or changes how it reads."""


class UnreadableError(Exception):
    """What a line would run cannot be told before it runs; the message says why."""


class Word(NamedTuple):
    text: str
    """Without its quotes, and with HOLE and WILD in it."""
    source: str
    """As it was written."""

    @property
    def is_literal(self) -> bool:
        return HOLE not in self.text and WILD not in self.text

    @property
    def is_plain(self) -> bool:
        """Whether nothing in it is quoted or expanded, so that it can be a reserved word."""
        return self.text == self.source


class Redirect(NamedTuple):
    operator: str
    """`>`, `>>`, `>|`, `<>`, `&>`, `&>>`, `>&`, `<&`, `<`."""
    target: Word

    @property
    def writes(self) -> bool:
        """Whether it makes or changes a file: not another descriptor, and not /dev/null."""
        if self.operator in {"<", "<&"} or self.target.text == "/dev/null":
            return False
        is_descriptor = self.operator == ">&" and self.target.text.rstrip("-").isdecimal()
        return not is_descriptor and self.target.text not in {"-", "/dev/stdout", "/dev/stderr"}


class Simple(NamedTuple):
    """One simple command, wherever it stood: in a pipeline, a loop, a substitution, a function."""

    words: tuple[Word, ...]
    """The program first; empty where there are assignments or redirections only."""
    assignments: tuple[tuple[str, Word], ...] = ()
    """Name and value, in front of the program or alone."""
    redirects: tuple[Redirect, ...] = ()
    stdin: Word | None = None
    """A here-document or here-string."""


class Script(NamedTuple):
    commands: tuple[Simple, ...]
    """All of them, in no order that means anything."""
    computes: bool
    """It evaluates numbers somewhere, and bash runs `a[$(command)]` in those."""
    literals: str
    """All that is known of words and quoted text."""
