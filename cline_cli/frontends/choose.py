"""Which front end a run gets, from what surrounds the process and what was asked for.

    stdout is            no terminal             a terminal
    --json               JSON lines              JSON lines
    -F json              say lines               say lines
    -F plain             text                    text, streaming
    -F rich              text                    live screen
    none of these        text                    live screen, but text, streaming, with NO_COLOR, TERM=dumb or no TERM

Stdout that is no terminal never gets an escape byte, whatever is asked for. The live screen shows progress where the
answer stands, so a stderr that goes elsewhere gets errors only. Where stdout goes elsewhere, stderr gets plain lines,
even on a terminal: it may share that with a pager or another program of the pipeline.

Text is held, and then written at once, where several runs may append to one file. The live screen cannot hold, so a
run that is to hold gets text.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cline_cli.environment import Environment
from cline_cli.frontends import FrontEnd
from cline_cli.frontends.manner import Manner
from cline_cli.frontends.text import TextFrontEnd
from cline_cli.machine.output import Output

if TYPE_CHECKING:  # lazy: pipes do without it
    from cline_cli.frontends.console.screen import Screen


def choose_front_end(environment: Environment, manner: Manner) -> FrontEnd:
    """Return the front end for this run."""
    stdout, stderr = Output(environment.stdout), Output(environment.stderr)
    if manner.output_format == "json":
        from cline_cli.frontends.json_lines import JsonLinesFrontEnd  # lazy: 3 ms that most runs do without

        return JsonLinesFrontEnd(stdout, manner)
    if manner.output_format == "say":
        from cline_cli.frontends.say_lines import SayLinesFrontEnd  # lazy: as above

        return SayLinesFrontEnd(stdout, manner)
    if not environment.is_stdout_terminal:
        holds = manner.holds or _is_appended_to(environment.stdout)
        return TextFrontEnd(stdout, stderr, replace(manner, holds=holds))
    is_live = not why_plain(environment.variables) if manner.output_format is None else manner.output_format == "rich"
    if manner.holds or not is_live:
        return TextFrontEnd(stdout, stderr, replace(manner, streams=True, is_watched=True))
    from cline_cli.frontends.console.front_end import ConsoleFrontEnd  # lazy: 10 ms that pipes do without

    return ConsoleFrontEnd(open_screen(environment, stdout), manner, stops=True)


def open_screen(environment: Environment, stdout: Output, *, has_colour: bool = True) -> Screen:
    """Return the screen of the terminal that stdout is."""
    from cline_cli.frontends.console.screen import Screen, measure, rewraps  # lazy: as above

    variables = environment.variables
    return Screen(
        stdout,
        lambda: measure(environment.stdout, variables),
        is_rewrapping=rewraps(variables),
        has_colour=has_colour,
    )


def why_plain(variables: Mapping[str, str]) -> str:
    """Return in few words why a terminal is not to be steered and coloured; empty where it is.

    FORCE_COLOR vouches for a terminal without a name.
    """
    name = variables.get("TERM", "")
    if variables.get("NO_COLOR"):
        return "NO_COLOR is set"
    if name == "dumb":
        return "TERM is dumb"
    return "" if name or variables.get("FORCE_COLOR", "0") not in {"", "0"} else "TERM is not set"


def _is_appended_to(stdout: int | None) -> bool:
    """Return whether stdout is a file opened as `>>` does: others may append to it in the meantime."""
    if stdout is None or not stat.S_ISREG(os.fstat(stdout).st_mode):
        return False
    return bool(fcntl.fcntl(stdout, fcntl.F_GETFL) & os.O_APPEND)
