"""What a tool is given when it is built: where it may work, and the variables of what it starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from cline_cli.machine.sandbox import Report, Sandbox
from cline_cli.workspace.confinement import Confinement


class Workplace(NamedTuple):
    confinement: Confinement
    variables: Mapping[str, str]
    """The environment of commands, without keys of ours."""
    sandbox: Sandbox = Sandbox(Report())
    """What confines commands."""
    may_reach: Callable[[str], bool] = lambda _: False
    """Whether pages of a host may be fetched although it is in a private network."""
    may_fetch: Callable[[str], bool] = lambda _: True
    """Whether a page may lead on to another host without being asked for again."""
    question: Callable[[str, tuple[str, ...]], Awaitable[str]] | None = None
    """Puts a question to the person; None where there is nobody."""
