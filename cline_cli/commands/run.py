"""`cline PROMPT`: what may be asked of a run, read from the command line. How it runs stands in `_conversation.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cline_cli.agent.limits import Limits
from cline_cli.agent.messages import JsonObject
from cline_cli.app import Chosen, Options, choose, find_facts, new_session_id
from cline_cli.commands import VERBS
from cline_cli.commands._asked import Asked, Fate, check_prompt
from cline_cli.commands._async import run_to_end, signals_let_through
from cline_cli.commands._config_given import blame, fill
from cline_cli.commands._config_opening import open_and_tell
from cline_cli.commands._conversation import converse
from cline_cli.commands._deadline import Deadline
from cline_cli.commands._first_run import set_up
from cline_cli.commands._given import Given, is_light, read_compaction, read_manner, read_mode, read_stdin_mode
from cline_cli.commands._rules import read_rules
from cline_cli.commands._sandbox import read_sandbox
from cline_cli.commands._sessions import keep_on, open_session
from cline_cli.commands._streams import move
from cline_cli.commands._typer import takes
from cline_cli.commands._values import read_amount, read_bool, read_count, read_effort, read_timeout
from cline_cli.commands.options import BUILT, BY_NAME, SINGLE
from cline_cli.config.credentials import FLAG_VARIABLE, read_key_line
from cline_cli.config.definitions import MAX_TURNS
from cline_cli.config.opening import Opened
from cline_cli.config.paths import Paths, find_paths
from cline_cli.config.settings import Settings, load_settings
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, NotSignedInError, UsageError
from cline_cli.frontends.manner import RunFacts
from cline_cli.network.http import IDLE_S, REQUEST_S
from cline_cli.session.changing import Limits as Kept
from cline_cli.session.changing import prune_when_due

if TYPE_CHECKING:  # lazy: as below
    from cline_cli.machine.output_file import OutputFile

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = "\n".join(
    ("\b", "Commands:", *(f"  cline {verb:<8} {row.help}" for verb, row in VERBS.items() if verb != "run"))
)


@app.command(epilog=EPILOG)
@takes(BUILT)
def run(
    context: typer.Context,
    prompt: Annotated[list[str] | None, typer.Argument(help="What to ask or to do; - reads it from stdin.")] = None,
    **given: bool | str | list[str] | None,
) -> int:
    """Ask a model, or let it work: cline "Explain what a REST API is."

    What is piped in goes along: git diff | cline "Review this."
    """
    return start(" ".join(prompt or ()).strip(), Given(given), context.ensure_object(Environment))


def start(words: str, given: Given, environment: Environment) -> int:
    """Run one prompt as it was asked for, and return 0.

    Raises:
        ClineError: why it did not complete.
        OSError: standard output cannot be written.
    """
    paths = find_paths(environment, config=given.text("config"), data_dir=given.text("data_dir"))
    opened = _open_settings(given, environment, paths)
    filled = fill(given, opened, environment.variables)
    try:
        return _start(words, filled.given, opened.settings, environment, paths)
    except UsageError as error:
        blame(error, filled, opened)
        raise


def _open_settings(given: Given, environment: Environment, paths: Paths) -> Opened:
    if given.flag("bare"):
        return Opened()
    workspace = find_workspace(environment, given.text("cwd"))
    is_quiet, is_dry = given.flag("quiet"), given.flag("dry_run")
    return open_and_tell(
        environment, paths, workspace=workspace, is_quiet=is_quiet, may_write=not is_dry and not is_quiet
    )


def _start(words: str, given: Given, settings: Settings, environment: Environment, paths: Paths) -> int:
    timeout = given.text("timeout")
    deadline = Deadline(read_timeout(timeout) if timeout is not None else None)
    key = given.text("key")
    # Before the event loop: a keyring may take its time, and a signal then ends the process as it ends any other.
    with deadline.enforced(), signals_let_through():
        asked = read_asked(words, given, settings, environment, deadline)
        if given.flag("worktree") and not asked.is_dry:
            from cline_cli.commands._worktree import make_worktree  # lazy: few runs have one

            asked = replace(asked, workspace=make_worktree(asked.workspace, environment, paths))
        session = open_session(given, paths, asked.workspace)
        options = keep_on(asked.options, session, environment.variables) if session else asked.options
        secret = read_key_line(environment.stdin) if key == "-" else key
        session_id = session.id if session else new_session_id()
        try:
            choice = choose(options, secret, settings, environment, paths, session_id)
        except NotSignedInError:
            if secret is not None or given.flag("bare") or not set_up(asked, options, settings, environment, paths):
                raise
            saved = load_settings(paths.settings_file)
            settings = replace(settings, provider=saved.provider, providers=saved.providers)
            choice = choose(options, secret, settings, environment, paths, session_id)
        if secret is not None and secret == environment.variables.get(FLAG_VARIABLE):
            choice = choice._replace(endpoint=replace(choice.endpoint, key_source=f"${FLAG_VARIABLE}"))
    asked = replace(asked, options=options, manner=replace(asked.manner, facts=_facts(asked, given, choice)))
    if asked.is_session:
        from cline_cli.commands._chat import Place  # lazy: 150 ms with prompt_toolkit
        from cline_cli.commands.chat import chat  # lazy: as above

        code = run_to_end(chat(asked, choice, session, Place(settings, environment, paths, secret)))
    else:
        code = run_to_end(converse(asked, choice, session, environment, paths))
    if asked.is_kept and not paths.is_homeless:
        limits = Kept(settings.sessions.keep_days, settings.sessions.max_bytes)
        prune_when_due(paths.state / "sessions", limits)
    return code


def read_asked(words: str, given: Given, settings: Settings, environment: Environment, deadline: Deadline) -> Asked:
    """Return the run that was asked for. Reads no input, and makes nothing.

    Raises:
        ClineError: mostly a UsageError: a value is none, two contradict each other, or there is nothing to do.
    """
    is_session = wants_session(words, given, environment)
    if not is_session:
        has_person = environment.is_stdin_terminal and environment.is_stdout_terminal
        check_prompt(words, environment, why_no_session(environment) if has_person else "")
    if environment.stdout is None:
        raise ClineError("standard output is closed, so no answer can be given", "> /dev/null does without one")
    workspace = find_workspace(environment, given.text("cwd"))
    has_tools = not given.flag("no_tools")
    schema = _read_schema(given.text("schema"), workspace)
    options = Options(
        provider=given.text("provider"),
        model=given.text("model"),
        system=given.text("system"),
        mode=read_mode(given),
        auto_approve=_is_auto_approved(given),
        rules=read_rules(given, settings, environment.variables),
        sandbox=read_sandbox(given, is_approved=_is_auto_approved(given)),
        has_tools=has_tools,
        limits=_read_limits(given),
        compaction=read_compaction(given),
        idle_s=_read_time(given, "idle_timeout", IDLE_S),
        request_s=_read_time(given, "request_timeout", REQUEST_S),
        effort=read_effort(given.text("thinking")),
        schema=schema,
    )
    manner = read_manner(given, has_schema=schema is not None)
    manner = replace(manner, is_light=is_light(settings.console.theme, environment.variables))
    if given.flag("dry_run"):
        manner = replace(manner, holds=True)
    if given.flag("patch"):  # stdout is for the diff
        manner = replace(manner, holds=True, output_format=manner.output_format or "plain")
    output = _check_output(given.text("output"), workspace, environment)
    if output and output.leads_to(environment.stdout) and manner.is_for_programs:
        raise UsageError("--output leads to standard output, where JSON lines go", "Give another file")
    return Asked(
        options=options,
        prompt=words,
        files=given.texts("file"),
        stdin_mode=read_stdin_mode(given),
        requires_stdin=given.flag("require_stdin"),
        max_stdin_bytes=settings.max_stdin_bytes,
        workspace=workspace,
        deadline=deadline,
        manner=manner,
        output=output,
        fate=Fate(given.flag("patch"), given.text("apply_if") or ""),
        leaves_running=given.flag("leave_running"),
        is_kept=has_tools and not given.flag("no_session") and not given.flag("dry_run"),
        is_bare=given.flag("bare"),
        is_dry=given.flag("dry_run"),
        is_session=is_session,
    )


def wants_session(words: str, given: Given, environment: Environment) -> bool:
    """Tell whether it is an interactive session that was asked for: by its option, or by no prompt at a terminal.

    Raises:
        UsageError: it was asked for by name, and there can be none, or another option is for single runs.
    """
    is_named = given.flag("tui")
    single = next((name for name in SINGLE if _is_given(given, name)), "")
    if is_named and single:
        raise UsageError(f"--tui and {single} contradict each other: the one is for a session, the other for one run")
    if not is_named and (words or single):
        return False
    why = why_no_session(environment)
    if is_named and why:
        raise UsageError(f"there can be no interactive session: {why}", 'For a single run: cline "PROMPT"')
    return not why


def _is_given(given: Given, name: str) -> bool:
    return bool(given.value(BY_NAME[name].name))


def why_no_session(environment: Environment) -> str:
    """Return in few words why there can be no interactive session; empty where there can."""
    if not environment.is_stdin_terminal or not environment.is_stdout_terminal:
        return "standard input and standard output are not both a terminal"
    if environment.variables.get("TERM", "") in {"", "dumb"}:
        return "TERM names no terminal that can be steered"
    return environment.why_not_interactive()


def _read_schema(text: str | None, workspace: Path) -> JsonObject | None:
    if text is None:
        return None
    from cline_cli.schema import read_schema  # lazy: few runs have a schema

    return read_schema(text, workspace)


def _check_output(text: str | None, workspace: Path, environment: Environment) -> OutputFile | None:
    if text is None:
        return None
    from cline_cli.machine.output_file import check_output  # lazy: few runs write one

    return check_output(text, workspace, environment.variables)


def _read_time(given: Given, name: str, default_s: float) -> float:
    text = given.text(name)
    return default_s if text is None else read_timeout(text, name)


def _read_limits(given: Given) -> Limits:
    return Limits(
        max_turns=read_count("max_turns", given.text("max_turns")) or MAX_TURNS,
        max_mistakes=read_count("retries", given.text("retries")) or Limits().max_mistakes,
        max_total_tokens=read_count("max_total_tokens", given.text("max_total_tokens")),
        max_cost_usd=read_amount("max_cost", given.text("max_cost")),
    )


def _facts(asked: Asked, given: Given, choice: Chosen) -> RunFacts:
    known = find_facts(choice.endpoint.provider, choice.row, choice.model)
    return RunFacts(
        session_id=choice.endpoint.session_id,
        provider=choice.endpoint.provider,
        model=choice.model,
        mode=asked.options.mode,
        context_window=known.context_window if known else None,
        thinking=given.text("thinking") or "",
        cwd=str(asked.workspace),
        has_schema=asked.options.schema is not None,
    )


def _is_auto_approved(given: Given) -> bool:
    auto_approve = given.text("auto_approve")
    if auto_approve is None:
        return given.flag("yolo")
    approved = read_bool("auto_approve", auto_approve)
    if given.flag("yolo") and not approved:
        raise UsageError("--yolo and --auto-approve=false contradict each other")
    return approved


def find_workspace(environment: Environment, cwd: str | None) -> Path:
    """Return the folder to work in, as a real path.

    Raises:
        UsageError: there is no such folder.
    """
    folder = move(environment, cwd).cwd
    if folder is None:
        raise UsageError("the working directory does not exist any more", "Go to one that does, or name one with --cwd")
    return folder.resolve()
