"""What can go wrong, as a tree; each class carries its exit code, its error class and what to do about it.

    ClineError                    1   unknown
    ├── UsageError                2   usage       a bad option or value, no prompt, an unknown provider
    │   └── SettingsError         2   usage       a settings file that cannot be used
    ├── NotSignedInError          3   auth        no key, an empty key, a credential store that does not answer
    ├── LimitReachedError         4   limit       turns, tokens, cost
    ├── DeniedError               5   policy      a changing call was denied, and that tool never succeeded later
    ├── AnswerError               6   schema      the answer never satisfied --schema
    ├── LateInputError            1   unknown       standard input came after the run had gone on without it
    ├── DeliveryError             1   unknown     the answer is there, but not in the file of --output
    ├── InternalError             1   unknown     a fault of our own
    ├── ApplyError            8   unknown     the command of --apply-if failed, and the changes were taken back
    ├── SandboxError         78   policy      what --sandbox requires is not to be had
    ├── MistakesError             7   mistakes    too many failed turns in a row, or the same call again and again
    ├── TimedOutError           124   timeout     --timeout
    ├── InterruptedRunError   128+n   cancelled   SIGHUP, SIGINT, SIGTERM
    └── ProviderError             1   unknown     everything Provider.stream may raise
        ├── EmptyReplyError       1   unknown     nothing but empty replies
        ├── KeyRefusedError       3   auth        401, 403
        ├── NoCreditError         3   billing     402
        ├── UnknownModelError     2   usage       the provider does not serve that model
        ├── ContextWindowError    1   context_window_exceeded
        ├── ContentFilteredError  1   content_filter
        ├── UnreachableError     69   network     no connection after retries
        ├── RateLimitedError     75   rate_limit  429 after retries
        └── ServerError          75   server      408, 5xx, overloaded, cut replies, after retries

Exit codes are a promise to scripts: `cline help exit-codes` lists them.
"""

from __future__ import annotations

from typing import ClassVar, Literal

ErrorClass = Literal[
    "auth",
    "billing",
    "rate_limit",
    "context_window_exceeded",
    "network",
    "server",
    "content_filter",
    "timeout",
    "limit",
    "policy",
    "schema",
    "mistakes",
    "cancelled",
    "usage",
    "unknown",
]


class ClineError(Exception):
    """A failure with one sentence for a person.

    `message` says what failed and with what value ("cannot read notes.txt: permission denied"), without a final full
    stop; `hint` says what to do ("Give a file that you can read"), or is empty.
    """

    exit_code: int = 1
    error_class: ClassVar[ErrorClass] = "unknown"
    is_shown: bool = False
    """Whoever reads a run's stdout has been told."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        sentence = self.message.rstrip(".")
        return f"{sentence}. {self.hint}" if self.hint else sentence


class UsageError(ClineError):
    exit_code = 2
    error_class = "usage"


class SettingsError(UsageError):
    pass


class NotSignedInError(ClineError):
    exit_code = 3
    error_class = "auth"


class LimitReachedError(ClineError):
    exit_code = 4
    error_class = "limit"


class DeniedError(ClineError):
    exit_code = 5
    error_class = "policy"


class AnswerError(ClineError):
    exit_code = 6
    error_class = "schema"


class LateInputError(ClineError):
    pass


class DeliveryError(ClineError):
    pass


class InternalError(ClineError):
    """A fault of our own. Its words are the kind and the place: what the exception says may hold anything."""

    def __init__(self, failure: BaseException, secrets: tuple[str, ...] = ()) -> None:
        """`secrets` are what a traceback must not show."""
        trace = failure.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f" in {trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno}" if trace else ""
        super().__init__(f"internal error: {type(failure).__name__}{place}", "CLINE_DEBUG=1 shows more")
        self.__cause__ = failure
        self.secrets = secrets


class ApplyError(ClineError):
    exit_code = 8


class SandboxError(ClineError):
    exit_code = 78
    error_class = "policy"


class MistakesError(ClineError):
    exit_code = 7
    error_class = "mistakes"


class TimedOutError(ClineError):
    exit_code = 124
    error_class = "timeout"


class InterruptedRunError(ClineError):
    """A signal ended the run; `exit_code` is 128 plus its number."""

    error_class = "cancelled"

    def __init__(self, signal_number: int, signal_name: str) -> None:
        super().__init__(f"interrupted by {signal_name}")
        self.exit_code = 128 + signal_number


class StoppedError(ClineError):
    """The person stopped the run, and the session goes on."""

    error_class = "cancelled"

    def __init__(self) -> None:
        super().__init__("stopped")


class ProviderError(ClineError):
    """What a provider's stream raises; `request_id` is the server's own, for its support, or empty."""

    def __init__(self, message: str, hint: str = "", *, request_id: str = "") -> None:
        super().__init__(message, hint)
        self.request_id = request_id


class EmptyReplyError(ProviderError):
    pass


class KeyRefusedError(ProviderError):
    exit_code = 3
    error_class = "auth"


class NoCreditError(ProviderError):
    exit_code = 3
    error_class = "billing"


class UnknownModelError(ProviderError):
    exit_code = 2
    error_class = "usage"


class ContextWindowError(ProviderError):
    error_class = "context_window_exceeded"


class ContentFilteredError(ProviderError):
    error_class = "content_filter"


class UnreachableError(ProviderError):
    exit_code = 69
    error_class = "network"


class RateLimitedError(ProviderError):
    exit_code = 75
    error_class = "rate_limit"


class ServerError(ProviderError):
    exit_code = 75
    error_class = "server"
