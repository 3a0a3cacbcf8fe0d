"""A text in the editor of the person's own: $VISUAL, $EDITOR, or vi."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from contextlib import suppress
from pathlib import Path


async def edit(text: str) -> tuple[str, str]:
    """Return the text as it was edited, and why it could not be; empty where it could.

    The terminal has to be the editor's meanwhile.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    descriptor, name = tempfile.mkstemp(prefix="cline-", suffix=".md")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        process = await asyncio.create_subprocess_exec(*shlex.split(command), name)
        code = await process.wait()
        if code:
            return text, f"{command} ended with {code}; the line is as it was"
        with open(name, encoding="utf-8", errors="replace") as file:  # noqa: ASYNC230, PTH123  # one small file
            return file.read().removesuffix("\n"), ""
    except (OSError, ValueError) as error:
        return text, f"{command} cannot be started: {error}"
    finally:
        with suppress(OSError):
            Path(name).unlink()  # noqa: ASYNC240  # as above
