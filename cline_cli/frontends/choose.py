"""Which front end a run gets, from what surrounds the process and what was asked for."""

from __future__ import annotations

from dataclasses import replace

from cline_cli.environment import Environment
from cline_cli.frontends import FrontEnd
from cline_cli.frontends.manner import Manner
from cline_cli.frontends.text import TextFrontEnd
from cline_cli.machine.output import Output


def choose_front_end(environment: Environment, manner: Manner) -> FrontEnd:
    """Return the front end for this run."""
    stdout, stderr = Output(environment.stdout), Output(environment.stderr)
    if environment.is_stdout_terminal:
        manner = replace(manner, streams=True)
    return TextFrontEnd(stdout, stderr, manner, is_terminal=environment.is_stdout_terminal)
