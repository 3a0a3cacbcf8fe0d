"""What stops a run that would not stop by itself, and the count of what a run has done so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cline_cli.agent.budget import LEAST_TOKENS, Allowance, Price, allow, complete_usage, estimate_tokens
from cline_cli.agent.events import RunFinished, ToolFinished
from cline_cli.agent.messages import AssistantMessage, Message, ToolCall, Usage
from cline_cli.errors import AnswerError, ClineError, DeniedError, LimitReachedError, MistakesError

REPEATS_TOLD = 3
"""From this many identical calls in a row on, the model is told that it repeats itself."""
REPEATS_STOPPED = 5
"""The call that would be this many in a row is not run, and ends the run."""
MAX_CUTS = 2
"""How often a reply that was cut at its output limit is asked for again."""


@dataclass(frozen=True, slots=True)
class Limits:
    max_turns: int | None = None
    """Model requests of a run; when they are used up, one closing request without tools is made."""
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
    started: float = field(init=False)
    iterations: int = 0
    usage: Usage = Usage()
    has_received: bool = False
    """A provider has sent something that it may bill."""
    tool_calls: int = 0
    answer: str = ""
    is_answered: bool = False
    denied: list[str] = field(default_factory=list)
    context_tokens: int = 0
    """About how many tokens the next request takes to read."""
    _measured: int = 0
    """How many messages of the history are in that number."""
    _mistakes: int = 0
    _denials: int = 0
    """Of the mistakes, those turns in which every call was denied."""
    _cuts: int = 0
    _refusals: int = 0
    _last_failure: str = ""
    _repeats: int = 0
    _last_call: tuple[str, str] = ("", "")
    _unmet: dict[str, str] = field(default_factory=dict)
    """Tool -> summary of the last denied call, until a call of that tool succeeds."""

    def __post_init__(self) -> None:
        self.started = self.clock()

    def measure(self, messages: Sequence[Message]) -> None:
        """Take notice of what was added to the history."""
        self.context_tokens += estimate_tokens(messages[self._measured :])
        self._measured = len(messages)

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
        allowance = self._allowance()
        if allowance and allowance.next_tokens < LEAST_TOKENS:
            spent = f"${self.usage.cost_usd or 0:.4f} used"
            message = f"the limit of ${limits.max_cost_usd:g} leaves too little for another request ({spent})"
            return LimitReachedError(message, "Raise it with --max-cost")
        return None

    def output_tokens(self, *, is_closing: bool) -> int | None:
        """Return how many output tokens the money is enough for; None where money is no object.

        Raises:
            LimitReachedError: not even for a closing request.
        """
        allowance = self._allowance()
        if allowance is None:
            return None
        if not is_closing:
            return allowance.next_tokens
        if allowance.closing_tokens < LEAST_TOKENS:
            message = f"the limit of ${self.limits.max_cost_usd:g} leaves nothing for an answer"
            raise LimitReachedError(f"{message} (${self.usage.cost_usd or 0:.4f} used)", "Raise it with --max-cost")
        return allowance.closing_tokens

    def _allowance(self) -> Allowance | None:
        limits = self.limits
        if limits.max_cost_usd is None or limits.price is None:
            return None
        return allow(limits.max_cost_usd - (self.usage.cost_usd or 0), limits.price, self.context_tokens)

    def count_reply(self, reply: AssistantMessage) -> AssistantMessage:
        """Count what a reply took, and return it with what its provider did not say of that."""
        self.has_received = True
        usage = complete_usage(reply, self.context_tokens, self.limits.price)
        self.usage += usage
        if not usage.is_estimate or reply.usage.input_tokens:
            self.context_tokens = usage.input_tokens
        return replace(reply, usage=usage)

    def take_answer(self, text: str) -> None:
        self.answer, self.is_answered = text, True

    def can_be_cut_again(self) -> bool:
        """Count a reply that was cut at its output limit; return whether it is worth asking once more."""
        self._cuts += 1
        return self._cuts <= MAX_CUTS

    def count_refusal(self, reason: str) -> None:
        """Count an answer that was refused.

        Raises:
            AnswerError: there were too many.
        """
        self._refusals += 1
        if self._refusals > self.limits.max_mistakes:
            raise AnswerError(f"the answer never satisfied the schema: {reason}", "--retries N asks more often")

    def count_call(self, call: ToolCall) -> int:
        """Return how many times in a row this very call has been made now.

        Raises:
            MistakesError: that is too often; the call must not be run.
        """
        key = (call.name, call.arguments)
        self._repeats = self._repeats + 1 if key == self._last_call else 1
        self._last_call = key
        if self._repeats >= REPEATS_STOPPED:
            raise MistakesError(f"the model called {call.name} {self._repeats} times in a row with the same arguments")
        self.tool_calls += 1
        return self._repeats

    def count_results(self, results: list[ToolFinished]) -> None:
        """Count what became of the calls of one turn."""
        for result in results:
            if result.denied:
                self.denied.append(result.summary)
                self._unmet[result.tool] = result.summary
            elif not result.output.is_error:
                self._unmet.pop(result.tool, None)
        failed = bool(results) and all(result.output.is_error for result in results)
        self._mistakes = self._mistakes + 1 if failed else 0
        self._denials = self._denials + 1 if failed and all(result.denied for result in results) else 0
        self._last_failure = results[-1].output.display if failed else ""

    def check_mistakes(self) -> None:
        """See whether too many turns in a row failed, in which every call failed.

        Raises:
            MistakesError, DeniedError: that is so; the second where nothing else happened than that calls were denied.
        """
        if self._mistakes < self.limits.max_mistakes:
            return
        if self._denials < self._mistakes:
            raise MistakesError(
                f"{self._mistakes} turns in a row failed; the last one: {self._last_failure or 'see above'}",
                "--retries N allows more",
            )
        raise self._denied()

    def _denied(self) -> DeniedError:
        denied = "; ".join(self._unmet.values())
        return DeniedError(f"not allowed without approval: {denied}", "-y lets such calls run")

    def finish(self, error: ClineError | None) -> RunFinished:
        if error is None and self._unmet:
            error = self._denied()
        return RunFinished(
            text=self.answer,
            usage=self.usage if self.has_received else Usage(cost_usd=0.0),
            iterations=self.iterations,
            tool_calls=self.tool_calls,
            duration_s=self.clock() - self.started,
            error=error,
            denied=tuple(self.denied),
        )
