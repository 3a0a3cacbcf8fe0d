"""What `cline doctor` tells: checks in groups, as lines for people and as one JSON object for programs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from cline_cli import __version__
from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.errors import ClineError
from cline_cli.text import display_width, visible

Status = Literal["ok", "note", "bad", "fatal"]
"""`fatal` keeps a run from starting; `bad` should be put right; a `note` is worth knowing."""
MARKS: dict[Status, str] = {"ok": "ok", "note": "--", "bad": "!!", "fatal": "XX"}
SCHEMA_VERSION = 1
SHORTEST_SECRET = 8
"""What is shorter is no key, and may stand in any sentence."""
MAX_TEXT_CHARACTERS = 2000


class Check(NamedTuple):
    name: str
    status: Status
    text: str
    """What was found, in one line without a full stop; may hold untrusted text."""
    remedy: str = ""
    """What to do about it."""


class Group(NamedTuple):
    title: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Report:
    groups: tuple[Group, ...]
    facts: JsonObject
    """What programs may want to know without reading sentences."""
    secrets: Collection[str] = field(default=(), repr=False)
    """What must not be shown, wherever it comes from."""

    @property
    def obstacles(self) -> tuple[Check, ...]:
        """What keeps a run from starting."""
        return tuple(check for _, check in self._checks() if check.status == "fatal")

    def to_text(self) -> str:
        """Return the report for people: lines, each with its newline."""
        width = max((display_width(check.name) for _, check in self._checks()), default=0)
        lines: list[str] = []
        for group in self.groups:
            lines.append(group.title)
            for check in map(self._clean, group.checks):
                space = " " * (width - display_width(check.name))
                lines.append(f"  {MARKS[check.status]}  {check.name}{space}  {check.text}")
                if check.remedy:
                    lines.append(f"{' ' * (width + 8)}{check.remedy}")
        count = len(self.obstacles)
        lines.append(f"A run could not start: see {MARKS['fatal']} above." if count else "A run can start.")
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def to_json(self) -> str:
        """Return the report as one JSON object and a newline."""
        checks: list[JsonValue] = [
            {
                "group": title,
                "name": check.name,
                "status": check.status,
                "text": check.text,
                "remedy": check.remedy or None,
            }
            for title, check in self._checks()
        ]
        facts = {name: self._clean_value(value) for name, value in self.facts.items()}
        head: JsonObject = {
            "schemaVersion": SCHEMA_VERSION,
            "canRun": not self.obstacles,
            "version": __version__,
        }
        return f"{json.dumps({**head, **facts, 'checks': checks})}\n"

    def to_complaint(self) -> str:
        """Return the line for whoever looks at stderr only; empty where a run can start."""
        if not self.obstacles:
            return ""
        first = self.obstacles[0]
        return str(ClineError(f"a run could not start: {first.text}", first.remedy))

    def _checks(self) -> Iterator[tuple[str, Check]]:
        for group in self.groups:
            for check in group.checks:
                yield group.title, self._clean(check)

    def _clean(self, check: Check) -> Check:
        return Check(self._show(check.name), check.status, self._show(check.text), self._show(check.remedy))

    def _clean_value(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            return self._show(value)
        if isinstance(value, dict):
            return {name: self._clean_value(each) for name, each in value.items()}
        return value

    def _show(self, text: str) -> str:
        """Return a text without secrets, and without anything that steers a terminal or hides itself."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        shown = visible(text)
        return shown if len(shown) <= MAX_TEXT_CHARACTERS else f"{shown[:MAX_TEXT_CHARACTERS]}..."


def from_error(name: str, error: ClineError, status: Status = "fatal") -> Check:
    """Return what an error says, as a check that found it."""
    return Check(name, status, error.message.rstrip("."), error.hint)
