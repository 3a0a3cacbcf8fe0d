"""What a run may use, and the count of what it has done so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cline_cli.agent.budget import LEAST_TOKENS, Budget, Price, complete_usage
from cline_cli.agent.events import RunFinished, ToolFinished
from cline_cli.agent.guard import Guard
from cline_cli.agent.messages import AssistantMessage, ToolCall, Usage
from cline_cli.errors import ClineError, DeniedError, LimitReachedError


@dataclass(frozen=True, slots=True)
class Limits:
    max_turns: int | None = None
    """Model requests of a run; when they are used up, one closing request is made that may call no tool."""
    max_mistakes: int = 6
    """Consecutive turns in which every tool call failed; answers, in all, that may be refused."""
    max_total_tokens: int | None = None
    """Input and output of all requests together, checked before each request."""
    max_cost_usd: float | None = None
    """With it the price has to be known."""
    price: Price | None = None
    """None where it is not known: then the cost is what the provider says, if it says it."""


@dataclass(slots=True)
class Tally:
    """What a run has done. Reading it tells whether to go on; `finish` turns it into the run's last event."""

    limits: Limits
    clock: Callable[[], float]
    budget: Budget
    guard: Guard
    started: float = field(init=False)
    iterations: int = 0
    usage: Usage = Usage()
    has_received: bool = False
    """A provider has sent something that it may bill."""
    tool_calls: int = 0
    answer: str = ""
    is_answered: bool = False
    _denied: list[str] = field(default_factory=list)
    """A line for every call that was denied."""
    _unmet: dict[str, str] = field(default_factory=dict)
    """Tool -> summary of the last denied call, until a call of that tool succeeds."""

    def __post_init__(self) -> None:
        self.started = self.clock()

    def limit_reached(self) -> LimitReachedError | None:
        """Return the limit that stands before the next request; a closing one may still be made."""
        limits = self.limits
        if limits.max_turns is not None and self.iterations >= limits.max_turns:
            turns = "1 turn" if limits.max_turns == 1 else f"{limits.max_turns} turns"
            return LimitReachedError(f"the limit of {turns} was reached", "Raise it with --max-turns")
        tokens = self.usage.input_tokens + self.usage.output_tokens
        if limits.max_total_tokens is not None and tokens >= limits.max_total_tokens:
            message = f"the limit of {limits.max_total_tokens} tokens was reached ({tokens} used)"
            return LimitReachedError(message, "Raise it with --max-total-tokens")
        allowance = self.budget.allowance(self.usage.cost_usd or 0)
        if allowance and allowance.next_tokens < LEAST_TOKENS:
            return self._too_costly("too little for another request")
        return None

    def output_tokens(self, *, is_closing: bool) -> int | None:
        """Return how many output tokens the money is enough for; None where money is no object.

        Raises:
            LimitReachedError: for too few.
        """
        allowance = self.budget.allowance(self.usage.cost_usd or 0)
        if allowance is None:
            return None
        tokens = allowance.closing_tokens if is_closing else allowance.next_tokens
        if tokens < LEAST_TOKENS:
            raise self._too_costly("nothing for an answer" if is_closing else "too little for another request")
        return tokens

    def can_spare(self, usage: Usage, next_tokens: int) -> bool:
        """Return whether the limits leave room for a request besides those of the run.

        `usage` is the most that it may take, and `next_tokens` what the request after it reads.
        """
        limit = self.limits.max_total_tokens
        tokens = sum((self.usage.input_tokens, self.usage.output_tokens, usage.input_tokens, usage.output_tokens))
        if limit is not None and tokens + next_tokens >= limit:
            return False
        return self.budget.can_spare(self.usage.cost_usd or 0, usage, next_tokens)

    def _too_costly(self, what: str) -> LimitReachedError:
        message = f"the limit of ${self.limits.max_cost_usd:g} leaves {what} (${self.usage.cost_usd or 0:.4f} used)"
        return LimitReachedError(message, "Raise it with --max-cost")

    def count_reply(self, reply: AssistantMessage) -> AssistantMessage:
        """Count what a reply took, and return it with what its provider did not say of that."""
        self.has_received = True
        reply = self.budget.complete(reply)
        self.usage += reply.usage
        return reply

    def count_note(self, reply: AssistantMessage, context_tokens: int) -> Usage:
        """Count and return what a reply took that is no part of the history.

        `context_tokens` is about how large its request was.
        """
        self.has_received = True
        usage = complete_usage(reply, context_tokens, self.limits.price)
        self.usage += usage
        return usage

    def take_answer(self, text: str) -> None:
        self.answer, self.is_answered = text, True

    def count_call(self, call: ToolCall) -> int:
        """Return how many times in a row this very call has been made now.

        Raises:
            MistakesError: that is too often; the call must not be run.
        """
        repeats = self.guard.count_call(call)
        self.tool_calls += 1
        return repeats

    def count_results(self, results: Sequence[ToolFinished]) -> None:
        """Count what became of the calls of one turn."""
        for result in results:
            if result.denied:
                self._denied.append(result.summary)
                self._unmet[result.tool] = f"{result.summary} ({result.output.display})"
            elif not result.output.is_error:
                self._unmet.pop(result.tool, None)
        self.guard.count_turn(results)

    def check_mistakes(self) -> None:
        """See whether too many turns in a row failed.

        Raises:
            MistakesError, DeniedError: that is so; the second where nothing else happened than that calls were denied.
        """
        if self.guard.is_only_denied:
            raise self._to_denied_error()
        self.guard.check_mistakes()

    def finish(self, error: ClineError | None) -> RunFinished:
        if error is None and self._unmet:
            error = self._to_denied_error()
        return RunFinished(
            text=self.answer,
            usage=self.usage if self.has_received else Usage(cost_usd=0.0),
            iterations=self.iterations,
            tool_calls=self.tool_calls,
            duration_s=self.clock() - self.started,
            error=error,
            denied=tuple(self._denied),
        )

    def _to_denied_error(self) -> DeniedError:
        denied = "; ".join(self._unmet.values())
        return DeniedError(f"not allowed: {denied}")
