"""A scripted server that breaks replies off in the middle of their bytes."""

from __future__ import annotations

from importlib import import_module
from typing import Literal, cast

from tests.dialects import Dialect, Said
from tests.fake_server import FakeServer, Recorded, Turn, stream_bytes

Kind = Literal["close", "reset"]


def render(name: str, said: Said) -> bytes:
    """Return the bytes of a reply in one of `tests.dialects.NAMES`."""
    dialect = cast(Dialect, import_module(f"tests.dialects.{name}"))
    return b"".join(dialect.render(said)).replace(b"{request}", b"1")


class CuttingServer(FakeServer):
    """Breaks off so many replies to a request without results, then gives them whole; answers one with results."""

    def __init__(self, answer: Turn) -> None:
        super().__init__(answer, repeat_last=True)
        self.works: list[Recorded] = []
        self.answers: list[Recorded] = []
        self._cut = self._whole = answer
        self._cuts = 0

    def begin(self, raw: bytes, place: int, then: Kind, cuts: int) -> None:
        """Forget the run before."""
        self.works, self.answers = [], []
        self._cut, self._whole = stream_bytes(raw[:place], then=then), stream_bytes(raw)
        self._cuts = cuts

    def take_turn(self, request: Recorded) -> Turn:
        answer = super().take_turn(request)
        if request.results or answer.status != 200:
            self.answers.append(request)
            return answer
        self.works.append(request)
        return self._cut if len(self.works) <= self._cuts else self._whole
