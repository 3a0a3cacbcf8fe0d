"""One pattern of a policy, and what a policy says of something. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from cline_cli.policy._glob import covers, may_match

Kind = Literal["command", "edit", "fetch"]


class PolicyError(Exception):
    """A policy that is none, or does not do what its examples say; the message says where."""


class Verdict(NamedTuple):
    is_allowed: bool | None
    """None where no rule says anything."""
    reason: str = ""
    rule: str = ""
    """The pattern that decided."""


class Example(NamedTuple):
    """What a policy's author says that it does; checked when it is loaded."""

    line: str
    matches: bool
    """Whether the pattern is to match this line."""


class Rule(NamedTuple):
    kind: Kind
    pattern: str
    source: str
    """As it was written."""

    def matches_surely(self, text: str) -> bool:
        return covers(self.pattern, text)

    def may_match(self, text: str) -> bool:
        return may_match(self.pattern, text)
