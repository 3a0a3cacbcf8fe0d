"""What a person typed, over sessions: one JSON line each, in a file of this user's own that several processes add to.

It is a convenience: what cannot be read or kept is passed over, and nobody is told.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from cline_cli.machine.files import make_private_folder, write_confined
from cline_cli.session._file import lock, open_own
from cline_cli.session.records import parse_line

MAX_PROMPTS = 2_000
MAX_BYTES = 4_000_000
"""Of the file, or twice MAX_PROMPTS lines: the next `load` writes a larger one anew."""
KEPT_BYTES = MAX_BYTES // 2
MAX_CHARACTERS = 100_000
"""Of a prompt; a longer one is not kept."""
_MAX_READ_BYTES = 16_000_000
_MAX_READ_LINES = 32 * MAX_PROMPTS
_ATTEMPTS = 5
"""To add to a file that other processes replace."""


class PromptHistory:
    def __init__(self, path: Path | None, redact: Callable[[str], str] = lambda text: text) -> None:
        """Keep what is typed in a file, without what `redact` takes out; with None, in memory only."""
        self._path = path
        self._redact = redact
        self._typed: list[str] = []
        """In memory, where there is no file."""
        self._last = ""

    def load(self) -> list[str]:
        """Return what was typed, oldest first, without repeats in a row: the newest MAX_PROMPTS at most.

        Of a file that is damaged it is what can be read.
        """
        if self._path is None:
            return list(self._typed)
        try:
            file = open_own(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return []
        try:
            data, end = _read(file)
            lines = [line for line in data.split(b"\n") if line][-_MAX_READ_LINES:]
            prompts = _keep_newest(_to_prompts(lines))
            if len(lines) > 2 * MAX_PROMPTS or end > MAX_BYTES:
                _replace(self._path, file, end, b"".join(_to_line(self._redact(text)) for text in prompts))
        except OSError:
            return []
        finally:
            os.close(file)
        return prompts

    def add(self, text: str) -> None:
        """Keep what was typed; blank and overlong text is not kept, and neither is anything where it cannot be."""
        if not text.strip() or len(text) > MAX_CHARACTERS:
            return
        text = _to_unicode(self._redact(text))
        if text == self._last:
            return
        self._last = text
        if self._path is None:
            self._typed = [*self._typed, text][-MAX_PROMPTS:]
            return
        with suppress(OSError):
            make_private_folder(self._path.parent)
            _append(self._path, _to_line(text))


def _append(path: Path, line: bytes) -> None:
    """Add a line without waiting for anybody.

    Raises:
        OSError: there can be no file of this user, or no more can be written.
    """
    for _ in range(_ATTEMPTS):
        file = open_own(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK)
        try:
            if stat.S_IMODE(os.fstat(file).st_mode) != 0o600:
                os.fchmod(file, 0o600)
            # What a full disk tore off, of another process perhaps, must not take this line with it.
            os.write(file, line if _ends_a_line(file) else b"\n" + line)
            if os.fstat(file).st_nlink:
                return  # else it was replaced just then, perhaps without this line
        finally:
            os.close(file)


def _replace(path: Path, file: int, end: int, data: bytes) -> None:
    """Replace the file, which is open and was read up to an end, unless somebody else does; one that cannot be stays.

    Nobody waits for this to add to it: what came meanwhile to the old one is taken along.
    """
    place = Path(os.path.realpath(path.parent), path.name)
    with suppress(OSError):
        lock(file)
        write_confined(place, data, expected=os.fstat(file), mode=0o600)
        added = os.pread(file, _MAX_READ_BYTES, end)
        if added:
            _append(path, added)


def _read(file: int) -> tuple[bytes, int]:
    """Return the end of a file, and where in the file its last whole line ends. Raises OSError."""
    start = max(0, os.fstat(file).st_size - _MAX_READ_BYTES)
    data = os.pread(file, _MAX_READ_BYTES, start)
    return data, start + data.rfind(b"\n") + 1


def _to_prompts(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        try:
            value = parse_line(line)
        except ValueError:
            continue
        match value:
            case {"text": str(text)} if text.strip() and len(text) <= MAX_CHARACTERS:
                yield _to_unicode(text)


def _keep_newest(prompts: Iterable[str]) -> list[str]:
    """Return those without repeats in a row, the newest MAX_PROMPTS that fit into KEPT_BYTES."""
    different: list[str] = []
    for text in prompts:
        if not different or different[-1] != text:
            different.append(text)
    kept: list[str] = []
    room = KEPT_BYTES
    for text in islice(reversed(different), MAX_PROMPTS):
        room -= len(_to_line(text))
        if room < 0:
            break
        kept.append(text)
    return kept[::-1]


def _to_line(text: str) -> bytes:
    return json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n"


def _to_unicode(text: str) -> str:
    """Return the text with a `?` for each half of a character, which nothing else could be told of."""
    return text.encode("utf-8", "replace").decode()


def _ends_a_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return size == 0 or os.pread(file, 1, size - 1) == b"\n"
