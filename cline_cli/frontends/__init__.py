"""Consumers of events: each turns a run into bytes for somebody."""

from __future__ import annotations

from typing import Protocol

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import Event
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool


class FrontEnd(Protocol):
    async def show(self, event: Event) -> None:
        """Show one event; returns when its bytes are written.

        Raises:
            OSError: whoever reads is gone (BrokenPipeError), or the disk is full.
            ServerError: a void reply was shown where nothing can be taken back, and the next one is another.
        """
        ...

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
        """Put the question of a tool call to the person at the terminal. Only for an interactive environment.

        `patterns` are what "always" would allow from now on; with none that is no answer.
        """
        ...

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        """Put a question of the model's to the person, and return the answer; empty for none."""
        ...

    async def close(self) -> None:
        """Leave the terminal as it was found. May be called twice."""
        ...
