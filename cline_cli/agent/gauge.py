"""How many tokens the next request takes to read. Pure.

    what the last request took, as the provider said  +  what was added since: its characters / characters a token

How many characters make a token depends on what they are: four of English, three of code, one of Chinese. So it is
learned from what the provider says, within bounds: a figure that cannot be true is not believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cline_cli.agent.messages import ImagePart, Message, TextPart, ThinkingPart

CHARACTERS_PER_TOKEN = 3.0
"""Fewer than the usual four: where a limit hangs on an estimate, it errs on the safe side."""
IMAGE_TOKENS = 1600
"""What the largest image takes with the usual providers."""

_LEAST_RATIO, _MOST_RATIO = 0.5, 5.0
"""Between these is what can be learned."""
_MARGIN = 0.9
"""Of what is learned this much is used: what is added next may be denser."""
_DENSER = 3
"""So many times denser than all before is what was added last taken to be, at most."""
_SAMPLE_CHARACTERS = 4000
"""Of less nothing is learned: what a server adds on its own would count too much."""
_FEWEST, _MOST = 1 / 16, 2.5
"""Tokens a character that a provider can be believed to have counted."""
_UNSEEN_TOKENS = 20_000
"""What a server may add on its own to what was sent."""
_IMAGE_SHARE = 5
"""So many times IMAGE_TOKENS an image may have taken."""


class Size(NamedTuple):
    """Of messages, before it is known how many tokens that makes."""

    characters: int = 0
    images: int = 0

    def plus(self, other: Size) -> Size:
        return Size(self.characters + other.characters, self.images + other.images)

    def minus(self, other: Size) -> Size:
        return Size(self.characters - other.characters, self.images - other.images)

    def to_tokens(self, ratio: float) -> int:
        """Return about how many tokens this is, at so many characters a token."""
        return math.ceil(self.characters / ratio) + self.images * IMAGE_TOKENS


def size_of(messages: Iterable[Message]) -> Size:
    """Return the size of what these messages add to a request."""
    characters = images = 0
    for message in messages:
        for part in message.parts:
            match part:
                case TextPart(text) | ThinkingPart(text):
                    characters += len(text)
                case ImagePart():
                    images += 1
                case _:
                    characters += len(part.name) + len(part.arguments)
    return Size(characters, images)


def estimate_tokens(messages: Iterable[Message], ratio: float = CHARACTERS_PER_TOKEN) -> int:
    """Return about how many tokens these messages take in a request."""
    return size_of(messages).to_tokens(ratio)


@dataclass(slots=True)
class Gauge:
    """Measures the history of one run."""

    base_characters: int
    """What every request takes besides its messages: the system prompt, the tools."""
    ratio: float = CHARACTERS_PER_TOKEN
    """Characters a token."""
    _size: Size = field(init=False)
    """Of the next request."""
    _measured: int = 0
    """How many messages of the history are in that."""
    _known_tokens: int = 0
    """What the provider said of its last request; 0 before it said anything."""
    _known_size: Size = Size()
    """Of that request."""

    def __post_init__(self) -> None:
        self._size = Size(self.base_characters)

    @property
    def tokens(self) -> int:
        """About how many tokens the next request takes to read."""
        return self._known_tokens + self._size.minus(self._known_size).to_tokens(self.ratio)

    @property
    def base_tokens(self) -> int:
        return Size(self.base_characters).to_tokens(self.ratio)

    def measure(self, messages: Sequence[Message]) -> None:
        """Take notice of what was added to the history."""
        self._size = self._size.plus(size_of(messages[self._measured :]))
        self._measured = len(messages)

    def begin_again(self, messages: Sequence[Message]) -> None:
        """Measure a history that is another one from its beginning."""
        self._known_tokens, self._known_size = 0, Size()
        self._size, self._measured = Size(self.base_characters), 0
        self.measure(messages)

    def learn(self, tokens: int) -> None:
        """Take notice of what the request that is measured now took, as the provider says; 0 where it says nothing."""
        if not self._is_credible(tokens):
            return
        whole = _ratio(self._size, tokens)
        added = _ratio(self._size.minus(self._known_size), tokens - self._known_tokens)
        if whole is not None and added is not None:
            ratio: float | None = min(whole, max(added, whole / _DENSER))
        else:
            ratio = added if whole is None else whole
        if ratio is not None:
            self.ratio = max(_LEAST_RATIO, min(_MOST_RATIO, ratio * _MARGIN))
        self._known_tokens, self._known_size = tokens, self._size

    def _is_credible(self, tokens: int) -> bool:
        characters, images = self._size
        most = characters * _MOST + images * IMAGE_TOKENS * _IMAGE_SHARE + _UNSEEN_TOKENS
        return max(1, characters * _FEWEST) <= tokens <= most


def _ratio(size: Size, tokens: int) -> float | None:
    """Return how many characters made a token, or None where that cannot be told."""
    if size.images or size.characters < _SAMPLE_CHARACTERS or tokens <= 0:
        return None
    return size.characters / tokens
