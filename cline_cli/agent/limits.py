"""What stops a run that would not stop by itself, and the count of what a run has done so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cline_cli.agent.events import RunFinished, ToolFinished
from cline_cli.agent.messages import AssistantMessage, ToolCall, Usage
from cline_cli.errors import ClineError, DeniedError, LimitReachedError, MistakesError

REPEATS_TOLD = 3
"""From this many identical calls in a row on, the model is told that it repeats itself."""
REPEATS_STOPPED = 5
"""The call that would be this many in a row is not run, and ends the run."""


@dataclass(frozen=True, slots=True)
class Limits:
    max_turns: int | None = None
    """Model requests of a run; when they are used up, one closing request without tools is made."""
    max_mistakes: int = 6
    """Consecutive turns in which every tool call failed."""


@dataclass(slots=True)
class Tally:
    """What a run has done. Reading it tells whether to go on; `finish` turns it into the run's last event."""

    limits: Limits
    clock: Callable[[], float]
    started: float = field(init=False)
    iterations: int = 0
    usage: Usage = Usage()
    tool_calls: int = 0
    answer: str = ""
    denied: list[str] = field(default_factory=list)
    _mistakes: int = 0
    _last_failure: str = ""
    _repeats: int = 0
    _last_call: tuple[str, str] = ("", "")
    _unmet: dict[str, str] = field(default_factory=dict)
    """Tool -> summary of the last denied call, until a call of that tool succeeds."""

    def __post_init__(self) -> None:
        self.started = self.clock()

    def limit_reached(self) -> LimitReachedError | None:
        limit = self.limits.max_turns
        if limit is None or self.iterations < limit:
            return None
        turns = "1 turn" if limit == 1 else f"{limit} turns"
        return LimitReachedError(f"the limit of {turns} was reached", "Raise it with --max-turns")

    def count_reply(self, reply: AssistantMessage) -> None:
        self.usage += reply.usage

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
        self._last_failure = results[-1].output.display if failed else ""

    def check_mistakes(self) -> None:
        """Raise MistakesError after too many turns in a row in which every call failed."""
        if self._mistakes >= self.limits.max_mistakes:
            raise MistakesError(
                f"{self._mistakes} turns in a row failed; the last one: {self._last_failure or 'see above'}",
                "--retries N allows more",
            )

    def finish(self, error: ClineError | None) -> RunFinished:
        if error is None and self._unmet:
            denied = "; ".join(self._unmet.values())
            error = DeniedError(f"not allowed without approval: {denied}", "-y lets such calls run")
        return RunFinished(
            text=self.answer,
            usage=self.usage,
            iterations=self.iterations,
            tool_calls=self.tool_calls,
            duration_s=self.clock() - self.started,
            error=error,
            denied=tuple(self.denied),
        )
