"""What a run's tokens cost, and how much of its money a request may still use. Pure.

A run with a limit on its cost keeps back what its closing request takes: reading the whole context once more, and a
short answer. What is left buys the output of the next request; where that is too little to be of use, it is closed.

    spent │ next request: context + output │ closing request: context + CLOSING_TOKENS │ <= max_cost_usd
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from cline_cli.agent.messages import AssistantMessage, ImagePart, Message, TextPart, ThinkingPart, Usage

CHARACTERS_PER_TOKEN = 3
"""Fewer than the usual four: where a limit hangs on an estimate, it errs on the safe side."""
IMAGE_TOKENS = 1600
"""What the largest image takes with the usual providers."""
LEAST_TOKENS = 256
"""Output that is worth a request."""
CLOSING_TOKENS = 1000
"""Output that an answer of what is there may take."""
MOST_TOKENS = 32_000
"""Output to ask a model for whose own limit is not known."""


class Price(NamedTuple):
    """USD per million tokens."""

    input_usd: float
    output_usd: float
    cache_read_usd: float | None = None
    """As other input where it is not known, likewise the next."""
    cache_write_usd: float | None = None

    def of(self, usage: Usage) -> float:
        """Return what these tokens cost, in USD."""
        read_usd = self.input_usd if self.cache_read_usd is None else self.cache_read_usd
        write_usd = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        plain = max(0, usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens)
        return (
            plain * self.input_usd
            + usage.cache_read_tokens * read_usd
            + usage.cache_write_tokens * write_usd
            + usage.output_tokens * self.output_usd
        ) / 1e6


def estimate_tokens(messages: Sequence[Message]) -> int:
    """Return about how many tokens these messages take in a request."""
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
    return math.ceil(characters / CHARACTERS_PER_TOKEN) + images * IMAGE_TOKENS


def complete_usage(reply: AssistantMessage, context_tokens: int, price: Price | None) -> Usage:
    """Return the usage of a reply with what its provider did not say estimated: its tokens, and what they cost.

    `context_tokens` is about how large the request was.
    """
    usage = reply.usage
    if not usage.input_tokens and not usage.output_tokens:
        usage = Usage(context_tokens, estimate_tokens([reply]), cost_usd=usage.cost_usd, is_estimate=True)
    if usage.cost_usd is not None or price is None:
        return usage
    return Usage(
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        price.of(usage),
        is_estimate=True,
    )


class Allowance(NamedTuple):
    """Output tokens that the money is enough for."""

    next_tokens: int
    """Of a request after which a closing one can still be made; less than LEAST_TOKENS is too little."""
    closing_tokens: int
    """Of a closing request now."""


def allow(left_usd: float, price: Price, context_tokens: int) -> Allowance:
    """Return what may be asked for with `left_usd`; `context_tokens` is about how large the next request is."""
    token_usd = price.output_usd / 1e6
    reading_usd = context_tokens * max(price.input_usd, price.cache_write_usd or 0) / 1e6
    closing_usd = left_usd - reading_usd
    # The closing request reads what the next one writes as well.
    next_usd = closing_usd - reading_usd - CLOSING_TOKENS * token_usd
    written_usd = token_usd + price.input_usd / 1e6
    return Allowance(_tokens(next_usd, written_usd), _tokens(closing_usd, token_usd))


@dataclass(slots=True)
class Budget:
    """The money of one run, and how large its next request is."""

    max_cost_usd: float | None
    price: Price | None
    """Known where there is a limit."""
    context_tokens: int
    """About how many tokens the next request takes to read."""
    _measured: int = 0
    """How many messages of the history are in that number."""

    def measure(self, messages: Sequence[Message]) -> None:
        """Take notice of what was added to the history."""
        self.context_tokens += estimate_tokens(messages[self._measured :])
        self._measured = len(messages)

    def complete(self, reply: AssistantMessage) -> AssistantMessage:
        """Return a reply with what its provider did not say of its usage; what it said of the request is believed."""
        usage = complete_usage(reply, self.context_tokens, self.price)
        self.context_tokens = reply.usage.input_tokens or self.context_tokens
        return replace(reply, usage=usage)

    def allowance(self, spent_usd: float) -> Allowance | None:
        """Return what the next request may write; None where money is no object."""
        if self.max_cost_usd is None or self.price is None:
            return None
        return allow(self.max_cost_usd - spent_usd, self.price, self.context_tokens)


def _tokens(usd: float, token_usd: float) -> int:
    return MOST_TOKENS if token_usd <= 0 else max(0, min(MOST_TOKENS, int(usd / token_usd)))
