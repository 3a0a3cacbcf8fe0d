"""What a person wrote in interactive sessions, for the arrow keys and the search of later ones: a line of JSON each.

Several sessions may add at once: each line is one write at the end. The file is private; what cannot be kept is not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cline_cli.machine.files import make_private_folder, write_atomic

KEPT = 2000
MAX_CHARACTERS = 100_000
"""Of one text; a longer one is not kept."""
MAX_BYTES = 4_000_000


class PromptHistory:
    def __init__(self, path: Path | None, redact: Callable[[str], str] = lambda text: text) -> None:
        """Take the file, or None to keep nothing beyond this process."""
        self._path = path
        self._redact = redact

    def load(self) -> list[str]:
        """Return what was written, oldest first, without repeats that follow one another; nothing where it is lost."""
        if self._path is None:
            return []
        try:
            data = self._read(self._path)
        except OSError:
            return []
        lines = data.split(b"\n")
        texts: list[str] = []
        for line in lines:
            text = _parse(line)
            if text is not None and texts[-1:] != [text]:
                texts.append(text)
        kept = texts[-KEPT:]
        if len(lines) > 2 * KEPT or len(data) > MAX_BYTES:
            with suppress(OSError):
                write_atomic(self._path, b"".join(map(_to_line, kept)), mode=0o600)
        return kept

    def add(self, text: str) -> None:
        """Keep a text, if that can be done."""
        if self._path is None or not text.strip() or len(text) > MAX_CHARACTERS:
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(OSError):
            make_private_folder(self._path.parent)
            descriptor = os.open(self._path, flags, 0o600)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    os.write(descriptor, _to_line(self._redact(text)))
            finally:
                os.close(descriptor)

    def _read(self, path: Path) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid():
                return b""
            start = max(0, status.st_size - 4 * MAX_BYTES)
            return os.pread(descriptor, status.st_size - start, start)
        finally:
            os.close(descriptor)


def _to_line(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _parse(line: bytes) -> str | None:
    try:
        text = json.loads(line)
    except ValueError:
        return None
    return text if isinstance(text, str) and text.strip() else None
