"""The commands of an interactive session: one row each, from which /help, completion and docs/console.md are made."""

from __future__ import annotations

from collections.abc import Mapping

from cline_cli.commands import _slash_files as files
from cline_cli.commands import _slash_models as models
from cline_cli.commands import _slash_sessions as sessions
from cline_cli.commands._chat import Chat, Slash
from cline_cli.commands._verb import run_verb
from cline_cli.text import display_width

KEYS = (
    ("Enter", "send; while a run goes on, it waits for its end"),
    ("Alt-Enter, \\ Enter", "a new line"),
    ("Tab", "complete; on an empty line, plan or act"),
    ("@path", "attach a file, a folder or an image"),
    ("!command", "run a shell command, and offer its output to the model"),
    ("Esc", "stop the run, and keep what it did"),
    ("Up, Ctrl-R", "the history; Up takes back what waits"),
    ("Ctrl-X Ctrl-E", "write it in $EDITOR"),
    ("Ctrl-Z", "suspend"),
    ("Ctrl-C twice, Ctrl-D", "leave"),
)


async def _help(chat: Chat, _rest: str) -> bool:
    rows = [(f"/{name} {row.argument}".strip(), row.help) for name, row in chat.slash.items()]
    rows = [*rows, ("", ""), *KEYS]
    width = max(display_width(name) for name, _ in rows)
    await chat.console.tell("\n".join(f"{name.ljust(width)}  {about}".rstrip() for name, about in rows), "")
    return True


async def _quit(_chat: Chat, _rest: str) -> bool:
    return False


async def _show_history(chat: Chat, rest: str) -> bool:
    await run_verb(chat, "history", "--here", *(("search", rest) if rest else ()))
    return True


async def _show_settings(chat: Chat, rest: str) -> bool:
    name, _, value = rest.partition(" ")
    await run_verb(chat, "config", *(("set", name, value.strip()) if value.strip() else ("get", name) if name else ()))
    chat.reload_settings()
    return True


SLASH: Mapping[str, Slash] = {
    "help": Slash("Show these commands, and the keys", _help),
    "model": Slash("Ask another model from now on", models.choose_model, "[MODEL]", models.complete_model),
    "provider": Slash("Ask another provider from now on", models.choose_provider, "[NAME]", models.complete_provider),
    "mode": Slash("Say or set what may be done", models.set_mode, "[act|plan]", models.complete_mode),
    "plan": Slash("Plan only: nothing is changed", models.plan, "[PROMPT]"),
    "act": Slash("Act again", models.act, "[PROMPT]"),
    "compact": Slash("Make the conversation shorter", sessions.compact),
    "clear": Slash("Begin anew, on an empty screen", sessions.clear),
    "new": Slash("Begin a new conversation; this one is kept", sessions.begin_anew),
    "resume": Slash("Go on with another one of this folder", sessions.resume_one, "[ID]"),
    "history": Slash("List the conversations of this folder", _show_history, "[WORDS]"),
    "undo": Slash("Put the files back as before the last run", files.undo),
    "diff": Slash("Show what the last run changed", files.show_diff),
    "cost": Slash("Say what this session has taken", models.show_cost),
    "export": Slash("Write the conversation to a file", files.export_session, "[FILE.md|html|json]"),
    "settings": Slash("Show the settings, or set one", _show_settings, "[NAME [VALUE]]"),
    "login": Slash("Save a key, and ask with it", models.sign_in, "[PROVIDER]"),
    "quit": Slash("Leave", _quit),
}
