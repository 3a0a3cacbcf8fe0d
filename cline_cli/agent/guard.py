"""What tells a run that gets nowhere: the same call again and again, turns that fail, answers that do not fit. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cline_cli.agent.events import ToolFinished
from cline_cli.agent.messages import ToolCall
from cline_cli.errors import AnswerError, MistakesError

REPEATS_TOLD = 3
"""From this many identical calls in a row on, the model is told that it repeats itself."""
REPEATS_STOPPED = 5
"""The call that would be this many in a row is not run, and ends the run."""
MAX_CUTS = 2
"""How often a reply that was cut at its output limit is asked for again."""


@dataclass(slots=True)
class Guard:
    max_mistakes: int
    """Consecutive turns in which every call failed; answers, in all, that may be refused."""
    _mistakes: int = 0
    _denials: int = 0
    """Of the mistakes, those turns in which every call was denied."""
    _last_failure: str = ""
    _cuts: int = 0
    _refusals: int = 0
    _repeats: int = 0
    _last_call: tuple[str, str] = ("", "")

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
        return self._repeats

    def count_turn(self, results: Sequence[ToolFinished]) -> None:
        """Count what became of the calls of one turn."""
        failed = bool(results) and all(result.output.is_error for result in results)
        self._mistakes = self._mistakes + 1 if failed else 0
        self._denials = self._denials + 1 if failed and all(result.denied for result in results) else 0
        self._last_failure = results[-1].output.display if failed else ""

    @property
    def is_only_denied(self) -> bool:
        """Whether too many turns in a row failed, and in all of them every call was denied."""
        return self._denials >= self.max_mistakes

    def check_mistakes(self) -> None:
        """Raise MistakesError after too many turns in a row in which every call failed."""
        if self._mistakes >= self.max_mistakes:
            raise MistakesError(
                f"{self._mistakes} turns in a row failed; the last one: {self._last_failure or 'see above'}",
                "--retries N allows more",
            )

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
        if self._refusals > self.max_mistakes:
            raise AnswerError(f"the answer never satisfied the schema: {reason}", "--retries N asks more often")
