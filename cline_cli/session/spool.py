"""What may be too large for a message: kept in memory up to a size, else whole in a file, and shown by its two ends.

    pieces ──> Spool ──┬── up to max_bytes ─────────> data
                       └── more: stdin.txt, as it came, and in memory only its head and its tail

However much comes, the memory stays the same.
"""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from cline_cli.errors import ClineError
from cline_cli.machine.files import open_folder
from cline_cli.redaction import MaskedBytes, Redactor

SNIFFED_BYTES = 8192
"""How much is collected before it is asked what it is."""
EXTRACT_BYTES = 20_000
"""Of the beginning, and of the end, that are shown of what is too large."""


class Keeping(NamedTuple):
    """How something is to be kept."""

    max_bytes: int
    """In memory; with 0 all of it goes to the file."""
    name: str
    """Of the file: stdin.txt."""
    too_large: ClineError | None = None
    """Raised instead of making a file."""


class Spool:
    """Takes bytes as they come. After a `with` that failed or was cancelled no file is left."""

    def __init__(
        self, plan: Callable[[bytes], Keeping], open_place: Callable[[], Path], mask: MaskedBytes | None = None
    ) -> None:
        """`plan` is asked once, with the first bytes; `open_place`, once at most, for a folder that exists.

        `mask` takes out what a file must not hold; in memory everything stays as it came.
        """
        self._plan, self._open_place = plan, open_place
        self._mask = mask or MaskedBytes(Redactor(()))
        self._keeping: Keeping | None = None
        self._descriptor: int | None = None
        self._extract_bytes = EXTRACT_BYTES
        self._data, self._head, self._tail = bytearray(), b"", bytearray()
        self._newlines = 0
        self._ends_open = False
        self.size = 0
        """In bytes."""
        self.first = b""
        """What the plan was asked with."""
        self.path: Path | None = None
        """A real path; None where all of it is in memory."""

    @property
    def data(self) -> bytes:
        """All of it; of what went to a file, nothing."""
        return bytes(self._data)

    @property
    def head(self) -> bytes:
        """The beginning of what went to a file."""
        return self._head

    @property
    def tail(self) -> bytes:
        """The end of what went to a file; it does not overlap the head."""
        return bytes(self._tail[-self._extract_bytes :])

    @property
    def lines(self) -> int:
        """How many lines \\n makes of it."""
        return self._newlines + self._ends_open

    def take(self, piece: bytes) -> None:
        """Add what comes next.

        Raises:
            ClineError: the plan's, for what cannot be kept; or the file cannot be written.
        """
        self.size += len(piece)
        self._newlines += piece.count(b"\n")
        self._ends_open = not piece.endswith(b"\n") if piece else self._ends_open
        if self._descriptor is not None:
            self._write(piece)
            return
        self._data += piece
        if self._keeping is None and self.size >= SNIFFED_BYTES:
            self._ask()
        self._overflow()

    def finish(self) -> None:
        """Take what came as all there is.

        Raises:
            ClineError: as `take`.
        """
        if self._keeping is None and self.size:
            self._ask()
        self._overflow()
        self._close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._close()
            return
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None
        if self.path:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _ask(self) -> None:
        self.first = bytes(self._data[:SNIFFED_BYTES])
        self._keeping = self._plan(self.first)

    def _overflow(self) -> None:
        """Go on with a file where the memory was for less."""
        if self._keeping is None or self._descriptor is not None or self.size <= self._keeping.max_bytes:
            return
        if self._keeping.too_large:
            raise self._keeping.too_large
        self._extract_bytes = max(1, min(EXTRACT_BYTES, self.size // 2))
        with _in_words(self.path):
            folder = Path(os.path.realpath(self._open_place()))
        with _in_words(folder):
            self._descriptor, self.path = _create(folder, self._keeping.name)
        data, self._data = bytes(self._data), bytearray()
        self._head = data[: self._extract_bytes]
        self._write(data, shown_from=self._extract_bytes)

    def _write(self, piece: bytes, shown_from: int = 0) -> None:
        self._tail += piece[max(shown_from, len(piece) - self._extract_bytes) :]
        if len(self._tail) > 4 * self._extract_bytes:
            del self._tail[: -self._extract_bytes]
        self._put(self._mask.feed(piece))

    def _put(self, data: bytes) -> None:
        assert self._descriptor is not None, "a file is made before it is written to"
        rest = memoryview(data)
        with _in_words(self.path):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def _close(self) -> None:
        if self._descriptor is not None:
            self._put(self._mask.close())
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with _in_words(self.path):
                os.close(descriptor)


class Extract(NamedTuple):
    text: str
    replaced: int
    """How many U+FFFD stand in it for bytes that are not in the encoding."""


def decode(data: bytes, encoding: str) -> Extract:
    """Return text with what is not in the encoding replaced. Pure, as are the next two."""
    try:
        return Extract(data.decode(encoding), 0)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        return Extract(text, text.count("\ufffd") - data.decode(encoding, "ignore").count("\ufffd"))


def to_head(data: bytes, encoding: str) -> Extract:
    """Return the beginning of a longer text, cut after a line; where half of it is no whole line, after a character."""
    data, replaced = _to_utf8(_without_unfinished(data, encoding), encoding)
    end = data.rfind(b"\n", len(data) // 2) + 1
    text, more = decode(data[: end or None], "utf-8")
    return Extract(text, replaced + more)


def to_tail(data: bytes, encoding: str, offset: int) -> Extract:
    """Return the end of a longer text, cut before a line or a character; `offset` is where in it `data` begins."""
    data, replaced = _to_utf8(data[_first_character(data, encoding, offset) :], encoding)
    start = data.find(b"\n", 0, len(data) // 2) + 1
    text, more = decode(data[start:], "utf-8")
    return Extract(text, replaced + more)


def describe_extract(what: str, path: str, head: str, tail: str, missing_bytes: int) -> str:
    """Return what a message carries of a longer text; `what` says what it is and how large. Pure."""
    return (
        f"[{what}. All of it is in {path}, and read_files reads it there. Here are its beginning and its end.]\n"
        f"{_line(head)}[... about {missing_bytes:,} bytes are left out here ...]\n{_line(tail)}[end]"
    )


def _line(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _to_utf8(data: bytes, encoding: str) -> tuple[bytes, int]:
    if encoding == "utf-8":
        return data, 0
    text, replaced = decode(data, encoding)
    return text.encode(), replaced


def _without_unfinished(data: bytes, encoding: str) -> bytes:
    """Return it without the character at its end that was cut."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    decoder.decode(data)
    return data[: len(data) - len(decoder.getstate()[0])]


def _first_character(data: bytes, encoding: str, offset: int) -> int:
    """Return where the first character begins that was not cut."""
    if encoding == "utf-8":
        # At most three bytes come after the first of a character, and those are 10xxxxxx.
        return next((index for index in range(min(4, len(data))) if data[index] & 0xC0 != 0x80), 0)
    start = offset % 2
    high = data[start + 1 : start + 2] if encoding == "utf-16-le" else data[start : start + 1]
    return start + 2 if high and 0xDC <= high[0] < 0xE0 else start  # the second half of a pair


def _create(folder: Path, name: str) -> tuple[int, Path]:
    """Make a file of its own in the folder: stdin.txt, stdin-2.txt, ... Raises OSError."""
    stem, dot, suffix = name.partition(".")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open_folder(folder) as descriptor:
        for number in count(1):
            unique = name if number == 1 else f"{stem}-{number}{dot}{suffix}"
            with contextlib.suppress(FileExistsError):
                return os.open(unique, flags, 0o600, dir_fd=descriptor), folder / unique
    raise AssertionError("counting does not end")


@contextlib.contextmanager
def _in_words(path: Path | None) -> Iterator[None]:
    """Turn what the disk says into a sentence."""
    try:
        yield
    except OSError as error:
        place = f" to {path}" if path else ""
        raise ClineError(
            f"cannot write standard input{place}: {error.strerror}",
            "So much goes through a file: make room for it, or pass less.",
        ) from error
