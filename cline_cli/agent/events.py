"""What a run tells its listeners: a closed union, read with `match` and `assert_never`. RunFinished is always last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cline_cli.agent.messages import AssistantMessage, JsonObject, ToolCall, Usage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import ToolOutput
from cline_cli.errors import ClineError, DeliveryError, DeniedError, LimitReachedError


@dataclass(frozen=True, slots=True)
class RunStarted:
    model: str


@dataclass(frozen=True, slots=True)
class IterationStarted:
    iteration: int
    """1-based."""
    has_tools: bool
    """Whether tools are offered: where none are, the reply that comes is the answer."""


@dataclass(frozen=True, slots=True)
class MessageFinished:
    """An assistant message is whole, and stands in the history."""

    message: AssistantMessage


@dataclass(frozen=True, slots=True)
class ToolStarted:
    call: ToolCall
    summary: str
    """One line for people: `$ pytest -q`."""


@dataclass(frozen=True, slots=True)
class ToolProgress:
    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolSettled:
    """A call is over whose ToolFinished waits for those before it: for whoever keeps results, not for people."""

    call: ToolCall
    output: ToolOutput


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """One for every ToolStarted, in the order of the calls."""

    call: ToolCall
    summary: str
    output: ToolOutput
    duration_s: float
    denied: bool = False
    """The policy, or the person, said no; nothing was run."""
    tool: str = ""
    """The tool's own name, whichever of its names was called; empty where there is none of that name."""


@dataclass(frozen=True, slots=True)
class UsageUpdated:
    """A reply was paid for."""

    usage: Usage
    """Of that reply."""
    total: Usage
    """Of the run so far."""


NoticeReason = Literal["answer_refused", "reply_cut", "limit_reached", "dry_run"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the person should know, and that is no failure yet."""

    reason: NoticeReason
    text: str
    """One line."""
    details: JsonObject = field(default_factory=dict)
    """For programs."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """The older part of the history has been replaced by something shorter, so that the next request fits."""

    before_tokens: int
    """About what the next request would have taken."""
    after_tokens: int
    """About what it takes now."""
    manner: Literal["agentic", "basic"]
    """Whether a model wrote down what came before, or it was cut by rule."""
    is_forced: bool = False
    """The provider had refused the request as too long; else it was seen coming."""
    fallback: str = ""
    """Why no model wrote it although one was to; one line, which may hold words of a server."""


@dataclass(frozen=True, slots=True)
class LeftoverProcess:
    """A process that a command left running, and what became of it with the run."""

    pid: int
    command: str
    """Untrusted text."""
    is_ended: bool
    is_wanted: bool = False
    """It was asked to live on."""


@dataclass(frozen=True, slots=True)
class RunFinished:
    text: str
    """The answer; after a failure what there was of it, or empty."""
    usage: Usage
    iterations: int
    tool_calls: int
    duration_s: float
    error: ClineError | None
    """Why the run did not complete: the only source of the exit code."""
    denied: tuple[str, ...] = ()
    """A line for every call that was denied."""
    leftover_processes: tuple[LeftoverProcess, ...] = ()
    patch: bytes | None = None
    """What the run changed as a unified diff, where that was asked for in place of the changes."""
    changed_files: tuple[str, ...] = ()
    """What the run changed and left so, where that is known: by paths in the repository, or else in the workspace."""
    stdin: JsonObject = field(default_factory=dict)
    """What became of standard input, as `run_result` tells it; empty where it was not looked at."""

    @property
    def has_answer(self) -> bool:
        """Whether the text is an answer to be given out: after most failures it is a fragment, or empty."""
        is_spared = isinstance(self.error, DeniedError | LimitReachedError | DeliveryError)
        return self.error is None or (bool(self.text) and is_spared)


Event = (
    RunStarted
    | IterationStarted
    | TextDelta
    | ThinkingDelta
    | ToolCallDelta
    | Waiting
    | ReplyDiscarded
    | MessageFinished
    | ToolStarted
    | ToolProgress
    | ToolSettled
    | ToolFinished
    | UsageUpdated
    | Notice
    | Compacted
    | RunFinished
)
