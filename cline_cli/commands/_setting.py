"""Where a run works: its folder, what confines its commands there, and the rules that hold."""

from __future__ import annotations

from cline_cli.app import Chosen, Setting
from cline_cli.commands._asked import Asked
from cline_cli.commands._prose import find_rules_for
from cline_cli.commands._sandbox import list_protected, open_for, place
from cline_cli.config.paths import Paths
from cline_cli.environment import Environment
from cline_cli.machine.sandbox import Report, Sandbox


async def open_sandbox(asked: Asked, environment: Environment, paths: Paths) -> Sandbox:
    """Return what confines the commands of a run; where nothing does, it says why.

    Raises:
        SandboxError: what is required is not to be had here.
    """
    options = asked.options
    if not options.has_tools or options.sandbox.mode == "off" or asked.is_dry:
        is_off = options.auto_approve and options.sandbox.mode == "off"
        return Sandbox(Report(detail="it is off" if is_off else "commands are approved one by one"))
    wanted = options.sandbox._replace(leaves=asked.leaves_running)
    return await open_for(wanted, place(asked.workspace, environment, paths), environment)


def settle(asked: Asked, choice: Chosen, environment: Environment, paths: Paths, sandbox: Sandbox) -> Setting:
    """Return where the run works, with that sandbox and nothing said yet."""
    is_confined = "write" in sandbox.report.enforced
    return Setting(
        asked.workspace,
        rules=find_rules_for(asked, choice, environment.home),
        protected=list_protected(paths),
        sandbox=sandbox,
        write_roots=place(asked.workspace, environment, paths).writable if is_confined else None,
    )
