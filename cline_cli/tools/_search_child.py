"""Searches files for a regular expression; run as a program of its own, because Python's `re` cannot be stopped.

    python -I -S _search_child.py REGEX FILES_DESCRIPTOR MAX_MATCHES MAX_FILE_BYTES       in the folder to search

The descriptor holds file names, each ended by a NUL. Prints a JSON array a line: `["path", line, "text"]` for a match,
`["error", "why"]` for a bad regular expression. Imports nothing of ours, so that it starts in 15 ms.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from functools import cache

MAX_TEXT_CHARACTERS = 400
_SNIFFED_BYTES = 8192


def find_matches(regex: re.Pattern[str], data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the 1-based number and the text of each line that matches; none for what is not text."""
    text = _decode(data)
    if text is None:
        return
    search = regex.search
    for number, line in enumerate(text.split("\n"), 1):
        if search(line):
            yield number, shorten(line)


def shorten(line: str) -> str:
    """Return a line, of a long one its beginning and how much is missing."""
    hidden = len(line) - MAX_TEXT_CHARACTERS
    return f"{line[:MAX_TEXT_CHARACTERS]} … [{hidden:,} more characters]" if hidden > 0 else line


def _decode(data: bytes) -> str | None:
    for bom, name in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(bom):
            return _to_lines(data[2:].decode(name, "replace"))
    if b"\0" in data[:_SNIFFED_BYTES]:
        return None
    return _to_lines(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")) if data else None


def _to_lines(text: str) -> str:
    return text.replace("\r\n", "\n").removesuffix("\n")


@cache
def is_real(folder: str) -> bool:
    """Return whether a relative path has no symbolic link in it, which could lead anywhere."""
    return os.path.realpath(folder) == os.path.normpath(os.path.join(os.getcwd(), folder))  # noqa: PTH109, PTH118


def read_regular(name: str, max_bytes: int) -> bytes | None:
    """Return the content of a file; None where it is none, or a large one, or behind a symbolic link."""
    if not is_real(os.path.dirname(name)):  # noqa: PTH120
        return None
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        is_wanted = stat.S_ISREG(status.st_mode) and status.st_size <= max_bytes
        return os.read(descriptor, status.st_size) if is_wanted else None  # a file object would take twice the time
    except OSError:
        return None
    finally:
        os.close(descriptor)


def main(pattern: str, descriptor: int, max_matches: int, max_file_bytes: int) -> None:
    try:
        regex = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        _print(["error", str(error)])
        return
    with os.fdopen(descriptor, "rb") as file:
        names = os.fsdecode(file.read()).split("\0")[:-1]
    left = max_matches
    for name in names:
        data = read_regular(name, max_file_bytes)
        for number, text in find_matches(regex, data) if data else ():
            _print([name, number, text])
            left -= 1
            if not left:
                return


def _print(row: list[str | int]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()  # what was found counts, even if this process is ended in the next file


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
