"""What a session has made: /undo, /diff, /export."""

from __future__ import annotations

from cline_cli.commands._chat import Chat
from cline_cli.commands._checkpoints import Found, Work, find_run, look_at
from cline_cli.commands._history_export import choose_target, deliver
from cline_cli.errors import ClineError, UsageError
from cline_cli.frontends._style import CYAN, DIM, GREEN, RED
from cline_cli.session.reading import read_transcript
from cline_cli.text import one_line, visible
from cline_cli.workspace.checkpoint import mark_undone
from cline_cli.workspace.patch import to_patch
from cline_cli.workspace.restoring import restore

STYLES = {"+": GREEN, "-": RED, "@": CYAN, "d": DIM, "i": DIM}
MAX_LINES = 2000


async def undo(chat: Chat, rest: str) -> bool:
    """Put the files back as they were before the last run that changed some, and let the model know of it.

    Raises:
        ClineError: there is none, or some were changed since and are left as they are.
    """
    found = _find(chat, is_undone=False)
    work = await look_at(found, chat.place.environment)
    restored = await restore(work.root, work.changes, work.store, by_force=rest == "--force")
    names = [one_line(path) for path in restored.paths]
    count = f"put back {len(names)} file{'' if len(names) == 1 else 's'}"
    await chat.console.tell("\n".join([count, *(f"  {name}" for name in names)]), "")
    if names:
        chat.asides.append(f"[The user has put these files back as they were before your changes: {', '.join(names)}]")
    if restored.kept:
        kept = "; ".join(f"{one_line(path)}: {why}" for path, why in restored.kept)
        raise ClineError(f"left as they are: {kept}", "/undo --force puts back what was changed since, too")
    try:
        mark_undone(found.folder, found.record)
    except OSError as error:
        raise ClineError(f"cannot write {found.folder}: {error.strerror}") from error
    return True


async def show_diff(chat: Chat, _rest: str) -> bool:
    """Show what the last run changed.

    Raises:
        ClineError: there is none, or its checkpoint is not whole any more.
    """
    work = await look_at(_find(chat, is_undone=None), chat.place.environment)
    text = await _to_text(work)
    lines = visible(text, multiline=True).rstrip("\n").split("\n") if text.strip() else ["nothing has changed"]
    for line in lines[:MAX_LINES]:
        is_name = line.startswith(("+++", "---"))
        await chat.console.tell(line, DIM if is_name else STYLES.get(line[:1], ""))
    if len(lines) > MAX_LINES:
        await chat.console.tell(f"… {len(lines) - MAX_LINES} more lines: cline diff shows all")
    return True


async def export_session(chat: Chat, rest: str) -> bool:
    """Write the conversation to a file.

    Raises:
        ClineError: nothing was said or kept, or the file cannot be written.
    """
    if not chat.keeping.is_kept:
        raise UsageError("there is nothing to export: nothing was said yet, or nothing is kept")
    session_id = chat.keeping.session_id
    target = choose_target(session_id, rest or None, None, chat.asked.workspace)
    if target.path is None:
        raise UsageError("a session is exported to a file", "/export NAME.md")
    transcript = read_transcript(chat.place.paths.state / "sessions", session_id)
    async with chat.console.released():
        deliver(transcript, target, chat.place.environment, is_json=False)
    return True


def _find(chat: Chat, *, is_undone: bool | None) -> Found:
    """Return the last run of this conversation that changed something.

    Raises:
        UsageError: there is none.
    """
    if not chat.keeping.is_kept:
        raise UsageError("nothing was changed in this conversation")
    return find_run(
        chat.keeping.session_id,
        chat.place.environment,
        chat.place.paths,
        lambda record: is_undone is None or record.is_undone == is_undone,
    )


async def _to_text(work: Work) -> str:
    try:
        return (await to_patch(work.changes, work.store)).decode("utf-8", "replace")
    except OSError as error:
        raise ClineError(f"the checkpoint is not whole any more: {error.strerror or error}") from error
