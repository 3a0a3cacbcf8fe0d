"""Completes `@path` in a prompt, from an index of the files that is made in the background and kept fresh."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cline_cli.frontends.conversation import Completion
from cline_cli.workspace.file_index import FileIndex, to_mention

FRESH_S = 10.0
"""After so long the files are listed anew, when somebody asks for one; until that is done, the former list answers."""
_BEGUN = re.compile(r"""(?<![^\s(\[{<"'`,;])@(?:"([^"\n]*)|([^\s"'`<>]*))\Z""")


class Mentioning:
    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = FileIndex(folder, variables)
        self._clock = clock
        self._listed_s = 0.0
        self._listing: asyncio.Task[None] | None = None

    async def complete(self, before: str) -> Sequence[Completion]:
        """Return the files that could be meant by the `@...` that a text ends with."""
        begun = _BEGUN.search(before)
        if begun is None:
            return ()
        if self._clock() - self._listed_s > FRESH_S:
            self.refresh()
        if not self._index.is_ready and self._listing:
            await asyncio.wait({self._listing})
        typed = begun[1] if begun[1] is not None else begun[2]
        found = await asyncio.to_thread(self._index.match, typed)
        return [Completion(_end(to_mention(path)), len(begun[0]), path) for path in found]

    def refresh(self) -> None:
        """List the files in the background, unless that is being done."""
        if self._listing is None or self._listing.done():
            self._listed_s = self._clock()
            self._listing = asyncio.create_task(asyncio.to_thread(self._index.refresh))

    async def close(self) -> None:
        """Give up what is done in the background."""
        if self._listing:
            self._listing.cancel()
            await asyncio.wait({self._listing})


def _end(mention: str) -> str:
    """Leave room to go on: a file is whole with a space, a folder may be looked into."""
    return mention if mention.rstrip('"').endswith("/") else f"{mention} "
