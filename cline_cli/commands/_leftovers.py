"""What commands leave running: ended with the run, or left alone where that was asked for, and told in the end."""

from __future__ import annotations

from cline_cli.agent.events import LeftoverProcess
from cline_cli.machine.process import Leftover, end_leftovers, list_leftovers


class Leftovers:
    """Those of one run."""

    def __init__(self, *, is_sparing: bool) -> None:
        """With `is_sparing` they are told of and live on."""
        self._is_sparing = is_sparing
        self._known: dict[int, LeftoverProcess] = {}

    @property
    def told(self) -> tuple[LeftoverProcess, ...]:
        return tuple(self._known.values())

    async def end(self) -> None:
        """End what runs now, and remember what that was. May be called again."""
        before = list_leftovers()
        self._note(before, set())
        if before and not self._is_sparing:
            await end_leftovers()
            self._note(before, {one.pid for one in before} - {one.pid for one in list_leftovers()})

    def _note(self, processes: tuple[Leftover, ...], ended: set[int]) -> None:
        for one in processes:
            self._known[one.pid] = LeftoverProcess(one.pid, one.command, one.pid in ended, self._is_sparing)
