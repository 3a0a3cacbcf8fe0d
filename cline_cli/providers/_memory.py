"""What was made of messages before, so that a history that is sent again and again is turned into JSON once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from cline_cli.agent.messages import Message

Wire = TypeVar("Wire")


class Memory(Generic[Wire]):
    """Knows the messages of the last history; `make` turns a new one into what its wire format sends for it."""

    def __init__(self, make: Callable[[Message], Wire]) -> None:
        self._make = make
        self._known: dict[int, tuple[Message, Wire]] = {}
        """By the identity of the message, which is kept so that no other one gets the same."""

    def recall(self, messages: Sequence[Message]) -> list[Wire]:
        """Return what is sent for each message; those that are not among them are forgotten."""
        known = {id(message): self._known.get(id(message)) or (message, self._make(message)) for message in messages}
        self._known = known
        return [known[id(message)][1] for message in messages]

    def forget(self) -> None:
        """Make every message anew: what is sent for it has changed."""
        self._known.clear()
