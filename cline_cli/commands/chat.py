"""`cline` without a prompt: the interactive session, from its terminal to its end.

SIGINT, SIGTSTP ──> what the keys Ctrl-C and Ctrl-Z do
SIGTERM, SIGHUP, --timeout ──> the run is stopped, the terminal is as it was, the session is kept
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from cline_cli import __version__
from cline_cli.app import Chosen
from cline_cli.commands._aside import run_aside
from cline_cli.commands._asked import Asked
from cline_cli.commands._chat import Chat, Commands, Place
from cline_cli.commands._folder import describe_folder
from cline_cli.commands._prose import describe_rules
from cline_cli.commands._redacting import make_redactor
from cline_cli.commands.slash import SLASH
from cline_cli.errors import ClineError, InterruptedRunError
from cline_cli.frontends.choose import open_screen
from cline_cli.frontends.console.interactive import Comforts, Interactive
from cline_cli.machine.output import Output
from cline_cli.machine.process import kill_all
from cline_cli.session.prompt_history import PromptHistory
from cline_cli.session.store import Session
from cline_cli.text import one_line

HISTORY_FILE = "prompts.jsonl"
ENDING = (signal.SIGTERM, signal.SIGHUP)


async def chat(asked: Asked, choice: Chosen, session: Session | None, place: Place) -> int:
    """Hold an interactive session to its end and return 0; with a prompt in `asked`, that is answered first.

    Raises:
        ClineError: a signal or a limit ended it, or it could not begin.
        OSError: the terminal is gone.
    """
    environment, paths = place.environment, place.paths
    terminal = environment.stdin
    assert terminal is not None, "stdin is a terminal"
    screen = open_screen(environment, Output(environment.stdout), has_colour=not environment.variables.get("NO_COLOR"))
    is_kept = asked.is_kept and not paths.is_homeless
    redactor = make_redactor(choice, environment.variables)
    history = PromptHistory(paths.state / HISTORY_FILE if is_kept else None, redactor.redact)
    wanted = place.settings.console
    comforts = Comforts(wanted.has_title, wanted.bell_s)
    console = Interactive(screen, asked.manner, terminal, history.load(), comforts)
    host = Chat(asked, choice, place, console, history, Commands(SLASH, run_aside))
    ended: list[ClineError] = []
    failure: OSError | None = None
    await host.open(session)
    try:
        _listen(console, ended)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*ENDING, signal.SIGINT))
        if asked.deadline.left_s is not None:
            asyncio.get_running_loop().call_later(asked.deadline.left_s, _end, console, ended, asked.deadline.reason)
        rules = host.conversation.run.rules
        notices = (*choice.notices, *describe_rules(rules, is_verbose=asked.manner.is_verbose))
        told = (f"cline: {one_line(redactor.redact(notice))}" for notice in notices)
        host.greeting = "\n".join((describe_folder(asked, rules, session, __version__), *told))
        await console.run(host, asked.prompt)
    except OSError as error:  # of a terminal that hung up, which a signal tells of as well, in a moment
        failure = error
    finally:
        await host.close()
        if host.keeping.is_kept:
            with suppress(OSError):
                await Output(environment.stdout).write_text(f"cline --id {host.keeping.session_id} goes on with this\n")
    if ended:
        raise ended[0]
    if failure:
        raise failure
    return 0


def _listen(console: Interactive, ended: list[ClineError]) -> None:
    """Take over the signals, which are the session's from now on."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, console.interrupt)
    loop.add_signal_handler(signal.SIGTSTP, console.suspend)
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup asks to live on
            reason = InterruptedRunError(number, signal.Signals(number).name)
            loop.add_signal_handler(number, _end, console, ended, reason)


def _end(console: Interactive, ended: list[ClineError], reason: ClineError) -> None:
    """Let the session end; a second signal does not let."""
    if ended:
        kill_all()
        console.restore()
        os._exit(reason.exit_code)
    ended.append(reason)
    console.leave()
