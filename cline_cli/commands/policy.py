"""`cline policy`: which rules are in force, and what becomes of a command under them."""

from __future__ import annotations

import json as json_text
import shlex
from typing import Annotated

import typer

from cline_cli.agent.messages import JsonValue
from cline_cli.commands._config_opening import open_and_tell
from cline_cli.commands._given import Given
from cline_cli.commands._rules import read_rules
from cline_cli.commands._streams import move, say
from cline_cli.commands.run import find_workspace
from cline_cli.config.paths import find_paths
from cline_cli.environment import Environment
from cline_cli.errors import DeniedError, UsageError
from cline_cli.policy.decide import Action, Policy, Verdict
from cline_cli.policy.judging import shorten
from cline_cli.policy.programs import read_line
from cline_cli.policy.reading import only_reads
from cline_cli.policy.rules import Rules
from cline_cli.policy.shell import UnreadableError
from cline_cli.text import visible
from cline_cli.workspace.confinement import confine

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
cline policy check -- git push origin main says whether it would run, by which rule, and what would let it pass;
quote what the shell should not read itself: cline policy check -- 'make && rm -r out'. The exit code is 5 where it
would be denied. Rules come from CLINE_COMMAND_PERMISSIONS, the settings, --allow and --deny."""
SAID = {"allow": "runs", "ask": "is asked for", "deny": "is denied"}


@app.command(epilog=EPILOG)
def policy(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="show | check -- CMD...", help="What to do.", show_default=False)
    ] = None,
    *,
    yolo: Annotated[bool, typer.Option("--yolo", "-y", help="As in a run with -y.")] = False,
    plan: Annotated[bool, typer.Option("--plan", "-p", help="As in a run with -p.")] = False,
    allow: Annotated[list[str] | None, typer.Option("--allow", help="One more pattern that is allowed.")] = None,
    deny: Annotated[list[str] | None, typer.Option("--deny", help="One more pattern that is denied.")] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs: one line of JSON.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder to work in.")] = None,
) -> None:
    """Show the rules in force, or check what becomes of a command under them."""
    environment = move(context.ensure_object(Environment), cwd)
    action, *command = words or ["show"]
    if action not in {"show", "check"} or bool(command) is not (action == "check"):
        raise UsageError("cline policy needs one of: show, check -- CMD...", "cline policy --help")
    workspace = find_workspace(environment, None)
    opened = open_and_tell(environment, find_paths(environment, config=config, data_dir=data_dir), workspace=workspace)
    given = Given({"allow": allow or [], "deny": deny or []})
    rules = read_rules(given, opened.settings, environment.variables)
    if action == "show":
        say(environment, _to_json(rules) if json else _to_lines(rules))
        return
    saved = opened.found.get(("auto_approve",))
    is_approved = yolo or (saved is not None and saved.value is True)
    judge = Policy(
        "plan" if plan else "act",
        is_approved,
        environment.is_interactive,
        rules,
        confine(workspace, home=environment.home).leads_outside,
    )
    # A single word is a line of the shell's; several are the words of one command.
    line = command[0] if len(command) == 1 else shlex.join(command)
    verdict = judge.judge((Action("command", line),))
    say(environment, _verdict_to_json(line, verdict) if json else _explain(line, verdict, judge))
    if verdict.kind == "deny":
        raise DeniedError(f"it would be denied: {verdict.told}")


def _explain(line: str, verdict: Verdict, judge: Policy) -> str:
    """Return what is read of a line, and what each rule says of it."""
    told = [f"{visible(line)}", f"  {SAID[verdict.kind]}" + (f": {verdict.told}" if verdict.told else "")]
    try:
        for program in read_line(line).all():
            behind = f", which starts {', '.join(one.name for one in program.inner)}" if program.inner else ""
            told.append(f"  it runs {visible(shorten(program))}{behind}")
    except UnreadableError as error:
        told.append(f"  it cannot be read: {error}")
    finding = only_reads(line, judge.leads_outside)
    told.append(
        "  it only reads the workspace" if finding.only_reads else f"  it may do more than read: {finding.reason}"
    )
    for rules in judge.rules:
        judgement = rules.judge_command(line)
        says = {True: "allowed", False: "denied", None: "says nothing of it"}[judgement.is_allowed]
        because = judgement.reason + (f" ({judgement.rule})" if judgement.rule else "")
        told.append(f"  {rules.name}: {says}" + (f": {visible(because)}" if because else ""))
    return "\n".join(told) + "\n"


def _verdict_to_json(line: str, verdict: Verdict) -> str:
    told = {"command": line, "verdict": verdict.kind, "reason": verdict.told or None}
    return json_text.dumps(told, ensure_ascii=False) + "\n"


def _to_lines(rules: tuple[Rules, ...]) -> str:
    if not rules:
        return "no rules: -y runs everything, and without it only what reads the workspace runs unasked\n"
    lines = []
    for one in rules:
        lines.append(f"{one.name}{' (nothing else runs)' if one.is_limit and one.allow else ''}:")
        lines += [f"  deny   {rule.source}" for rule in one.deny]
        lines += [f"  allow  {rule.source}" for rule in one.allow]
        if one.allows_redirects is not None:
            lines.append(f"  redirects into files are {'allowed' if one.allows_redirects else 'denied'}")
    return "\n".join(lines) + "\n"


def _to_json(rules: tuple[Rules, ...]) -> str:
    told: list[JsonValue] = [
        {
            "source": one.name,
            "allow": [rule.source for rule in one.allow],
            "deny": [rule.source for rule in one.deny],
            "allowRedirects": one.allows_redirects,
        }
        for one in rules
    ]
    return json_text.dumps(told, ensure_ascii=False) + "\n"
