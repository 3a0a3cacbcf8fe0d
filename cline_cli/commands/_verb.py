"""Another verb of the command inside a session: a process of its own, which has the terminal in the meantime."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from cline_cli.commands._chat import Chat
from cline_cli.errors import ClineError


async def run_verb(chat: Chat, verb: str, *words: str) -> int:
    """Run `cline VERB WORDS...` with the folders of the session, and return its exit code; it told what there was.

    Raises:
        ClineError: it cannot be started.
    """
    paths = chat.place.paths
    argv = (sys.executable, "-m", "cline_cli", verb, *words, f"--config={paths.config}", f"--data-dir={paths.state}")
    async with chat.console.released():
        try:
            process = await asyncio.create_subprocess_exec(*argv, cwd=chat.asked.workspace)
        except OSError as error:
            raise ClineError(f"`cline {verb}` cannot be started: {error.strerror}") from error
        try:
            return await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
