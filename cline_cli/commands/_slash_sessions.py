"""Which conversation a session is in: /compact, /clear, /new, /resume."""

from __future__ import annotations

import asyncio
from itertools import islice

from cline_cli import app as composition
from cline_cli.agent.messages import AssistantMessage, Message, TextPart, UserMessage
from cline_cli.commands._chat import Chat
from cline_cli.commands._history_ids import find_id
from cline_cli.commands._history_list import of_folder
from cline_cli.commands._sessions import keep_on
from cline_cli.errors import UsageError
from cline_cli.frontends.console._picker import Item
from cline_cli.session.reading import Row, list_rows
from cline_cli.session.store import resume
from cline_cli.text import one_line, sanitize

OFFERED = 100
SHOWN_CHARACTERS = 4000
"""Of the last prompt and the last answer of a conversation that is gone on with."""


async def compact(chat: Chat, _rest: str) -> bool:
    """Make the conversation shorter now."""
    if not await chat.compact():
        await chat.console.tell("there is nothing that could be left out")
    return True


async def clear(chat: Chat, rest: str) -> bool:
    """Begin anew, on an empty screen; what stood there is in the terminal's history."""
    await chat.console.clear()
    return await begin_anew(chat, rest)


async def begin_anew(chat: Chat, _rest: str) -> bool:
    """Begin a new conversation; the one that was is kept."""
    kept = chat.keeping.session_id if chat.keeping.is_kept else ""
    await chat.go_on_with(None)
    other = f"; /resume {kept} goes on with the other" if kept else ""
    await chat.console.tell(f"a new conversation{other}")
    return True


async def resume_one(chat: Chat, rest: str) -> bool:
    """Go on with another conversation: the named one, or one that the person chooses.

    Raises:
        UsageError: there is none of that id, or another run has it.
    """
    folder = chat.place.paths.state / "sessions"
    session_id = rest
    if not session_id:
        rows = await asyncio.to_thread(_list, chat)
        if not rows:
            raise UsageError("there is no other conversation of this folder", "cline history lists all")
        items = [Item(one_line(row.title or row.session_id, 60), _describe(row)) for row in rows]
        number = await chat.console.questions.choose("Which conversation?", items)
        if number is None:
            return True
        session_id = rows[number].session_id
    session_id = find_id(folder, session_id, chat.asked.workspace)
    if chat.keeping.is_kept and session_id == chat.keeping.session_id:
        raise UsageError("this is that conversation", "/new begins another one")
    session = resume(folder, session_id)
    options = keep_on(chat.asked.options, session, {})
    try:
        choice = await asyncio.to_thread(
            composition.choose,
            options,
            None,
            chat.place.settings,
            chat.place.environment,
            chat.place.paths,
            session.id,
        )
    except BaseException:
        session.close()
        raise
    await chat.go_on_with(session)
    await chat.change(choice=choice)
    await show_last(chat, session.messages)
    return True


def _list(chat: Chat) -> list[Row]:
    rows = of_folder(list_rows(chat.place.paths.state / "sessions"), chat.asked.workspace)
    mine = chat.keeping.session_id if chat.keeping.is_kept else ""
    return [row for row in islice(rows, OFFERED) if row.session_id != mine]


def _describe(row: Row) -> str:
    return f"{row.updated_at[:16].replace('T', ' ')}  {row.model}"


async def show_last(chat: Chat, messages: tuple[Message, ...]) -> None:
    """Show the last prompt and the last answer of a conversation that is gone on with."""
    prompt = next((text for one in reversed(messages) if isinstance(one, UserMessage) and (text := _text(one))), "")
    answer = next((one.text for one in reversed(messages) if isinstance(one, AssistantMessage) and one.text), "")
    if prompt:
        await chat.console.tell(f"> {one_line(prompt, 300)}")
    if answer:
        shown = answer if len(answer) <= SHOWN_CHARACTERS else f"… {answer[-SHOWN_CHARACTERS:]}"
        await chat.console.show_markdown(sanitize(shown))
    count = sum(isinstance(one, UserMessage) for one in messages)
    await chat.console.tell(f"goes on with {chat.keeping.session_id}, {count} prompts so far, {chat.choice.model}")


def _text(message: UserMessage) -> str:
    return "\n".join(part.text for part in message.parts if isinstance(part, TextPart))
