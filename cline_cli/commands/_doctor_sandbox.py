"""The sandbox that a run with -y would have: it is opened, tried, and closed again."""

from __future__ import annotations

from typing import NamedTuple

from cline_cli.commands._async import run_to_end
from cline_cli.commands._doctor_reading import Reading
from cline_cli.commands._doctor_report import Check, from_error
from cline_cli.commands._sandbox import open_for, place
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.errors import SandboxError
from cline_cli.machine.sandbox import Report, Wanted


class View(NamedTuple):
    check: Check
    report: Report


def look_at_sandbox(reading: Reading, environment: Environment, paths: Paths) -> View:
    """Say what confines the commands of a run with -y here, as its probe finds it."""
    wanted = reading.asked.options.sandbox
    if wanted.mode == "off" and reading.given.text("sandbox") != "off":  # nobody said so: it is what is without -y
        wanted = Wanted("auto", wanted.has_network)
    try:
        report = run_to_end(_open(wanted, reading, environment, paths))
    except SandboxError as error:
        return View(from_error("sandbox", error), Report(detail="what is asked for is not to be had"))
    if "write" in report.enforced:
        return View(Check("sandbox", "ok", report.describe()), report)
    return View(Check("sandbox", "note", f"{report.describe()}; commands write with your rights"), report)


async def _open(wanted: Wanted, reading: Reading, environment: Environment, paths: Paths) -> Report:
    sandbox = await open_for(wanted, place(reading.asked.workspace, environment, paths), environment)
    sandbox.close()
    return sandbox.report
