"""What a tool is to the loop: a spec for the model, and one coroutine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from cline_cli.agent.messages import ImagePart, JsonObject, TextPart

Report = Callable[[str], None]
"""Takes a piece of output while the tool still runs: text for people, not for the model."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    name: str
    description: str
    """For the model: what it does and when to use it."""
    parameters: JsonObject
    """A JSON schema of type object."""
    effect: Literal["reads", "changes", "answers"]
    """What a call may do to the machine: only read the workspace, change something, or hand in the final answer."""


class Scope(NamedTuple):
    """What a call would touch, for whoever decides whether it may."""

    commands: tuple[str, ...] = ()
    """Shell lines that it would run."""
    edits: tuple[str, ...] = ()
    """Files that it would change, by their paths in the workspace; whole paths for those outside."""
    hosts: tuple[str, ...] = ()
    """From where it would fetch."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A call's outcome for its two audiences: `parts` for the model, `display` (one line) for people."""

    parts: tuple[TextPart | ImagePart, ...]
    display: str = ""
    is_error: bool = False
    """The call was carried out and failed: a command that exited with 1, a file that was not found."""
    answer: str | None = None
    """The final answer, where the tool is one that hands it in; the run ends with it."""
    diff: str = ""
    """What was changed, for people: hunks of a unified diff, with a line `*** path` before each of several files."""


class ToolError(Exception):
    """A call that could not be carried out; the message is for the model and says what would work instead."""


class Tool(Protocol):
    @property
    def spec(self) -> ToolSpec: ...

    def normalize(self, arguments: JsonObject) -> JsonObject:
        """Return the same call in the form of the spec's schema, for whoever judges, shows and runs it.

        Raises:
            ToolError: it cannot be told what is meant.
        """
        ...

    def summary(self, arguments: JsonObject) -> str:
        """Return the call in one line for people: `$ pytest -q`, `edit src/a.py`. Never raises."""
        ...

    def scope(self, arguments: JsonObject) -> Scope:
        """Return what the normalized call would touch; empty for a tool that only reads the workspace."""
        ...

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:
        """Carry the call out. Cancelling it leaves no process behind and no file half written.

        Raises:
            ToolError: the arguments do not fit, or nothing could be done.
        """
        ...
