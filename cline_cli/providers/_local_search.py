"""The search for a changed text of one file: the model's own rewriting first, then the places that it doubted.

Lazy, because every candidate costs seconds: the next one is made when the one before has failed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import cast

from cline_cli.agent.messages import JsonObject
from cline_cli.providers._local_edit import (
    ALTERNATIVES,
    Place,
    Token,
    complete,
    find_doubts,
    is_complete,
    keep_effective,
    meaning,
    select,
)

Ask = Callable[[JsonObject], AsyncGenerator[JsonObject, None]]
"""Sends a request to the child; yields its events."""
_FENCE_END = "\n```"
_MAX_LINE_TOKENS = 60
_MAX_FILE_TOKENS = 1200
_MAX_REWRITINGS = 3


@dataclass(slots=True)
class Search:
    """Candidates for one file, made one at a time."""

    path: str
    original: str
    prompt: str
    """Up to where the text of the file begins."""
    _seen: set[str | None] = field(default_factory=set)
    _ready: list[str] = field(default_factory=list)
    _places: list[Place] = field(default_factory=list)
    _starts: list[int] = field(default_factory=lambda: [0])
    """Where the next rewriting begins: at the beginning, then after the line where the last one left the original."""
    _rewritings: int = 0

    async def find_next(self, ask: Ask) -> str | None:
        """Return the next candidate, or None when there is none left.

        Raises:
            ProviderError: the model cannot be asked.
        """
        self._seen.add(meaning(self.path, self.original))
        while not self._ready:
            if self._places:
                await self._complete(self._places.pop(0), ask)
            elif self._starts and self._rewritings < _MAX_REWRITINGS:
                await self._rewrite(self._starts.pop(), ask)
            else:
                return None
        return self._ready.pop(0)

    async def _complete(self, place: Place, ask: Ask) -> None:
        prompt = f"{self.prompt}{self.original[: place.offset]}{place.word}"
        body: JsonObject = {"prompt": prompt, "max_tokens": _MAX_LINE_TOKENS, "stop": "\n"}
        rest, _ = await _collect(ask, {**body, "is_aside": True})
        self._add(complete(self.original, place, rest))

    async def _rewrite(self, start: int, ask: Ask) -> None:
        self._rewritings += 1
        limit = min((len(self.original) - start) // 2 + 200, _MAX_FILE_TOKENS)
        prompt = f"{self.prompt}{self.original[:start]}"
        body: JsonObject = {"prompt": prompt, "max_tokens": limit, "stop": _FENCE_END}
        text, tokens = await _collect(ask, {**body, "alternatives": ALTERNATIVES, "is_aside": True})
        doubts = find_doubts(self.original, tokens, start)
        self._places = list(doubts.places)
        line_end = self.original.find("\n", doubts.left) + 1 if doubts.left is not None else 0
        if 0 < line_end < len(self.original):
            self._starts.append(line_end)
        rewritten = f"{self.original[:start]}{text.partition(_FENCE_END)[0]}\n"
        if _FENCE_END in text and is_complete(self.original, rewritten):
            self._add((keep_effective(self.path, self.original, rewritten),))

    def _add(self, candidates: Sequence[str]) -> None:
        for candidate in select(self.path, self.original, candidates):
            what = meaning(self.path, candidate)
            if what not in self._seen:
                self._seen.add(what)
                self._ready.append(candidate)


async def _collect(ask: Ask, request: JsonObject) -> tuple[str, tuple[Token, ...]]:
    """Return the whole of a reply, with its tokens where they were asked for."""
    texts: list[str] = []
    tokens: list[Token] = []
    async with aclosing(ask(request)) as events:
        async for event in events:
            texts.append(str(event.get("text", "")))
            pieces = cast("Sequence[tuple[str, Sequence[tuple[str, float]]]]", event.get("tokens", ()))
            tokens.extend(Token(text, tuple((other, score) for other, score in others)) for text, others in pieces)
    return "".join(texts), tuple(tokens)
