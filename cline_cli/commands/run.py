"""`cline PROMPT`: what may be asked of a run, read from the command line. How it runs stands in `_conversation.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from cline_cli.agent.limits import Limits
from cline_cli.app import Options, choose
from cline_cli.commands import VERBS
from cline_cli.commands._async import run_to_end
from cline_cli.commands._conversation import Asked, check_prompt, converse
from cline_cli.commands._deadline import Deadline
from cline_cli.commands._streams import move
from cline_cli.commands._values import read_bool, read_count, read_effort, read_mode, read_timeout
from cline_cli.config.credentials import read_key_line
from cline_cli.config.paths import find_paths
from cline_cli.config.settings import Settings, load_settings
from cline_cli.environment import Environment
from cline_cli.errors import UsageError
from cline_cli.frontends.manner import Manner, RunFacts
from cline_cli.policy.decide import Mode

YOLO_MAX_TURNS = 200

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = "\n".join(
    ("\b", "Commands:", *(f"  cline {verb:<8} {row.help}" for verb, row in VERBS.items() if verb != "run"))
)


@app.command(epilog=EPILOG)
def run(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    prompt: Annotated[list[str] | None, typer.Argument(help="What to ask or to do; - reads it from stdin.")] = None,
    *,
    yolo: Annotated[bool, typer.Option("--yolo", "-y", help="Run commands and edits without asking.")] = False,
    plan: Annotated[bool, typer.Option("--plan", "-p", help="Change nothing; answer with a plan.")] = False,
    no_tools: Annotated[bool, typer.Option("--no-tools", "-n", help="Be a filter: no tools, no context.")] = False,
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help="The model for this run.")] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", "-P", metavar="NAME", help="Who serves it, for this run.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", "-k", metavar="KEY", help="A key for this run; - reads it from stdin.")
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", metavar="TEXT", help="Your own system prompt.")
    ] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", metavar="DIR", help="The folder to work in.")] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", "-t", metavar="TIME", help="End the run after: 90, 90s, 10m.")
    ] = None,
    thinking: Annotated[
        str | None,
        typer.Option("--thinking", metavar="LEVEL", help="none, low, medium, high, xhigh, or a number of tokens."),
    ] = None,
    max_turns: Annotated[
        str | None, typer.Option("--max-turns", metavar="N", help="End after this many model requests.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors on stderr.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say which model, and how long it took.")] = False,
    act: Annotated[bool, typer.Option("--act", "-a", hidden=True, help="The default mode.")] = False,
    mode: Annotated[str | None, typer.Option("--mode", metavar="MODE", hidden=True, help="act or plan.")] = None,
    auto_approve: Annotated[
        str | None,
        typer.Option(
            "--auto-approve", metavar="BOOL", hidden=True, help="true or false: as -y, without its turn limit."
        ),
    ] = None,
    retries: Annotated[
        str | None,
        typer.Option("--retries", metavar="N", hidden=True, help="End after so many failed turns in a row (6)."),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option("--output-format", "-F", metavar="FORMAT", hidden=True, help="rich or plain, whatever stdout is."),
    ] = None,
    no_session: Annotated[  # noqa: ARG001  # nothing is kept yet, so nothing is left to do
        bool, typer.Option("--no-session", hidden=True, help="Keep nothing of the run.")
    ] = False,
    config: Annotated[
        str | None, typer.Option("--config", metavar="DIR", hidden=True, help="Folder of the settings.")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option("--data-dir", metavar="DIR", hidden=True, help="Folder of the state.")
    ] = None,
) -> int:
    """Ask a model, or let it work: cline "Explain what a REST API is."

    What is piped in goes along: git diff | cline "Review this."
    """
    environment = context.ensure_object(Environment)
    deadline = Deadline(read_timeout(timeout) if timeout is not None else None)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    settings = load_settings(paths.settings_file)
    turns = read_count("--max-turns", max_turns) if max_turns is not None else YOLO_MAX_TURNS if yolo else None
    mistakes = read_count("--retries", retries) if retries is not None else 6
    options = Options(
        provider=provider,
        model=model,
        system=system,
        mode=_choose_mode(plan=plan, act=act, mode=mode),
        auto_approve=_is_auto_approved(yolo, auto_approve, settings),
        has_tools=not no_tools,
        limits=Limits(turns, mistakes),
        effort=read_effort(thinking) if thinking is not None else None,
    )
    workspace = _find_workspace(environment, cwd)
    manner = Manner(_read_output_format(output_format), is_quiet=quiet, is_verbose=verbose)
    words = " ".join(prompt or ()).strip()
    check_prompt(words, environment)
    # Before the event loop: a keyring may take its time, and a signal then ends the process as it ends any other.
    with deadline.enforced():
        secret = read_key_line(environment.stdin) if key == "-" else key
        choice = choose(options, secret, settings, environment, paths)
    asked = Asked(
        options, words, workspace, deadline, replace(manner, facts=RunFacts(provider=choice.endpoint.provider))
    )
    return run_to_end(converse(asked, choice, environment, paths))


def _choose_mode(*, plan: bool, act: bool, mode: str | None) -> Mode:
    asked = {"plan"} if plan else set()
    asked |= {"act"} if act else set()
    asked |= {read_mode(mode)} if mode is not None else set()
    if len(asked) > 1:
        raise UsageError("a run is either --plan or --act")
    return "plan" if asked == {"plan"} else "act"


def _is_auto_approved(yolo: bool, auto_approve: str | None, settings: Settings) -> bool:
    if auto_approve is None:
        return yolo or settings.auto_approve
    approved = read_bool("--auto-approve", auto_approve)
    if yolo and not approved:
        raise UsageError("--yolo and --auto-approve=false contradict each other")
    return approved


def _read_output_format(text: str | None) -> Literal["rich", "plain"] | None:
    match text:
        case None | "rich" | "plain":
            return text
        case "json":
            raise UsageError("--output-format json is not supported yet")
    raise UsageError(f"--output-format {text!r} is not one", "Give rich or plain")


def _find_workspace(environment: Environment, cwd: str | None) -> Path:
    """Return the folder to work in, as a real path.

    Raises:
        UsageError: there is no such folder.
    """
    folder = move(environment, cwd).cwd
    if folder is None:
        raise UsageError("the working directory does not exist any more", "Go to one that does, or name one with --cwd")
    return folder.resolve()
