"""What an interactive session needs of whoever runs its prompts: a `Host`; `commands/_chat` has the one there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Completion(NamedTuple):
    """One way in which what was typed could go on."""

    text: str
    replaced: int
    """How many characters before the cursor it stands for."""
    shown: str
    about: str = ""


class Standing(NamedTuple):
    """How things stand between two prompts, for the line below the one that is typed in."""

    mode: str
    model: str
    is_auto_approved: bool = False
    context_percent: int | None = None
    cost: str = ""


class Host(Protocol):
    @property
    def standing(self) -> Standing: ...

    @property
    def title(self) -> str:
        """What the window may be called."""
        ...

    @property
    def greeting(self) -> str:
        """One line that says what is known of the folder."""
        ...

    async def perform(self, line: str) -> bool:
        """Do what a line asks for, a prompt, `/command` or `!command`; return whether the session goes on.

        What there is to show is shown when it returns. A failure is shown, too.

        Raises:
            OSError: the terminal is gone.
        """
        ...

    def stop(self) -> None:
        """End what `perform` does, and let it keep what came of it. May be called when nothing is done."""
        ...

    def toggle_mode(self) -> None:
        """Plan from the next request on, or act."""
        ...

    async def complete(self, before: str) -> Sequence[Completion]:
        """Return what could stand for the end of a text."""
        ...

    def remember(self, line: str) -> None:
        """Keep a line for the histories of later sessions."""
        ...
