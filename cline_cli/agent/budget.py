"""What a run's tokens cost, and how much of its money a request may still use. Pure.

A run with a limit on its cost keeps back what its closing request takes: reading the whole context once more, and a
short answer. What is left buys the output of the next request; where that is too little to be of use, it is closed.

    spent │ next request: context + output │ closing request: context + CLOSING_TOKENS │ <= max_cost_usd
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from cline_cli.agent.gauge import Gauge, estimate_tokens
from cline_cli.agent.messages import AssistantMessage, Message, Usage

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
    gauge: Gauge

    @property
    def context_tokens(self) -> int:
        """About how many tokens the next request takes to read."""
        return self.gauge.tokens

    def measure(self, messages: Sequence[Message]) -> None:
        """Take notice of what was added to the history."""
        self.gauge.measure(messages)

    def complete(self, reply: AssistantMessage) -> AssistantMessage:
        """Return a reply with what its provider did not say of its usage, and learn from what it said."""
        usage = complete_usage(reply, self.context_tokens, self.price)
        self.gauge.learn(reply.usage.input_tokens)
        return replace(reply, usage=usage)

    def can_spare(self, spent_usd: float, usage: Usage, next_tokens: int) -> bool:
        """Return whether a request of that usage leaves enough for one that reads `next_tokens`, and a closing one."""
        if self.max_cost_usd is None or self.price is None:
            return True
        dearest = max(self.price.input_usd, self.price.cache_write_usd or 0)
        cost_usd = (usage.input_tokens * dearest + usage.output_tokens * self.price.output_usd) / 1e6
        return allow(self.max_cost_usd - spent_usd - cost_usd, self.price, next_tokens).next_tokens >= LEAST_TOKENS

    def allowance(self, spent_usd: float) -> Allowance | None:
        """Return what the next request may write; None where money is no object."""
        if self.max_cost_usd is None or self.price is None:
            return None
        return allow(self.max_cost_usd - spent_usd, self.price, self.context_tokens)


def _tokens(usd: float, token_usd: float) -> int:
    return MOST_TOKENS if token_usd <= 0 else max(0, min(MOST_TOKENS, int(usd / token_usd)))
