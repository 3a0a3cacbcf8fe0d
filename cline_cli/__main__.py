"""From argv to an exit code. The one desk where an error becomes a line on stderr and a number."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # lazy: --version is answered without any of this
    from cline_cli.argv import Call
    from cline_cli.environment import Environment
    from cline_cli.errors import ClineError

STDOUT, STDERR = 1, 2
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LAST_WORDS_MS = 500
"""How long a reader of stderr may take to have room for a line."""


def run() -> None:
    """Be the `cline` command: never returns."""
    argv = sys.argv[1:]
    if argv in (["--version"], ["-V"], ["version"]):
        from cline_cli import __version__  # lazy: scripts ask for it all the time, so nothing else is imported

        sys.exit(_write(STDOUT, f"{__version__}\n"))
    # An exception in the middle of an import leaves half a package behind, with which nobody can tell of it any more.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    from cline_cli.environment import read_environment  # lazy: 15 ms that --version does not need

    environment = read_environment()
    _hold_standard_descriptors()
    code = main(argv, environment)
    _ignore_signals()
    if "threading" in sys.modules and sys.modules["threading"].active_count() > 1:
        # A thread still asks a name server or a keyring that does not answer; nothing of ours waits for it any more.
        os._exit(code)
    sys.exit(code)


class _SignalledError(BaseException):
    """SIGTERM or SIGHUP came outside of an event loop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(argv: Sequence[str], environment: Environment) -> int:
    """Run one command line and return its exit code; every failure has been told on stderr."""
    try:
        return _run_verb(argv, environment)
    except BrokenPipeError:
        return _die_of_sigpipe()
    # The last desk: no traceback reaches a person who did not ask for it.
    except (Exception, KeyboardInterrupt, _SignalledError) as failure:  # noqa: BLE001
        return _fail(_to_error(failure), argv, environment)


def _run_verb(argv: Sequence[str], environment: Environment) -> int:
    from cline_cli.argv import FromVariables, blame, read_variables, split  # lazy: see run
    from cline_cli.errors import UsageError  # lazy: see run

    call = split(argv, is_interactive=environment.is_interactive)
    found = FromVariables()
    if call.verb == "run":
        found = read_variables(environment.variables, call.arguments)
        call = call._replace(arguments=(*found.arguments, *call.arguments), notes=(*found.notes, *call.notes))
        _listen()
    if "--quiet" not in call.arguments:
        for note in call.notes:
            _tell(note)
    try:
        return _dispatch(call, environment)
    except UsageError as error:
        blame(error, found.names)
        raise


def _to_error(failure: BaseException) -> ClineError:
    from cline_cli.errors import ClineError, InternalError, InterruptedRunError  # lazy: see run

    match failure:
        case ClineError():
            return failure
        case KeyboardInterrupt():
            return InterruptedRunError(signal.SIGINT, "SIGINT")
        case _SignalledError(number=number):
            return InterruptedRunError(number, signal.Signals(number).name)
        case OSError():
            error = ClineError(f"{failure.strerror or failure}{f': {failure.filename}' if failure.filename else ''}")
            error.__cause__ = failure
            return error
    return InternalError(failure)


def _listen() -> None:
    """Make the signals that end a run exceptions, until its event loop takes them over."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise _SignalledError(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def _ignore_signals() -> None:
    """Let what has been decided stand: it is told once, in bounded time, and is what the process ends with."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _fail(error: ClineError, argv: Sequence[str], environment: Environment) -> int:
    """Tell why it failed wherever somebody listens, and return the exit code."""
    _ignore_signals()
    from cline_cli.argv import asked_for_lines  # lazy: see run

    lines = None if error.is_shown else asked_for_lines(argv, environment.variables)
    if lines:
        from cline_cli.commands._failure import tell_failure  # lazy: only for whoever reads JSON lines

        tell_failure(lines, error, environment)
    if error.__cause__ and environment.variables.get("CLINE_DEBUG"):
        _show_traceback(error, argv, environment)
    _tell(str(error))
    return error.exit_code


def _show_traceback(error: BaseException, argv: Sequence[str], environment: Environment) -> None:
    """Write where it came from to stderr, without what may be a key."""
    import re  # lazy: only for whoever debugs
    import traceback  # lazy: as above

    from cline_cli.errors import InternalError  # lazy: as above
    from cline_cli.redaction import Redactor  # lazy: as above

    text = "".join(traceback.format_exception(error))
    named = {name: value for name, value in environment.variables.items() if re.search("KEY|TOKEN|SECRET", name)}
    known = error.secrets if isinstance(error, InternalError) else ()
    secrets = {*named.values(), *known, *(word.partition("=")[2] or word for word in argv)}
    _write(STDERR, Redactor(secrets).redact(text))


def _hold_standard_descriptors() -> None:
    """Put /dev/null where a standard descriptor is closed, so that no socket or file of ours gets its number."""
    for number in (0, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _dispatch(call: Call, environment: Environment) -> int:
    from cline_cli.commands import VERBS  # lazy: see run
    from cline_cli.errors import ClineError  # lazy: see run

    verb = VERBS[call.verb]
    module = import_module(f"cline_cli.commands.{verb.module}")
    if not verb.has_app:
        if environment.stdout is None:
            raise ClineError("cannot write to standard output: it is closed")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
        return _write(STDOUT, module.answer(call.arguments))
    from cline_cli.commands._typer import invoke  # lazy: Typer takes 40 ms, and help and version do without

    if call.verb != "run":  # which lets them through where it waits for something, and from its event loop on
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    return invoke(module.app, call, environment)


def _tell(message: str) -> None:
    """Write one line to stderr, safe for a terminal; a reader that takes nothing is not waited for."""
    from cline_cli.text import one_line  # lazy: only when there is something to tell

    poll = select.poll()
    poll.register(STDERR, select.POLLOUT)
    if poll.poll(LAST_WORDS_MS):
        _write(STDERR, f"cline: {one_line(message)}\n")


def _write(descriptor: int, text: str) -> int:
    """Write all of it, and return the exit code that follows."""
    data = text.encode("utf-8", "replace")
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError as error:
        if descriptor == STDERR:  # the exit code says it, where the line cannot
            return 1
        if isinstance(error, BrokenPipeError):
            return _die_of_sigpipe()
        _tell(f"cannot write to standard output: {error.strerror}")
        return 1
    return 0


def _die_of_sigpipe() -> int:
    """End as any Unix program does whose reader has gone."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    return 128 + signal.SIGPIPE


if __name__ == "__main__":
    run()
