"""The two ways to search: ripgrep, and a child of our own. Both give the same matches in the same order.

What git ignores is left out, and outside a repository the folders that nobody writes by hand. Hidden files are
searched; links, binary files and large ones are not.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cline_cli.agent.messages import JsonValue
from cline_cli.machine.files import scratch_file
from cline_cli.machine.process import Command, Completed, run_process
from cline_cli.tools import _search_child as child
from cline_cli.tools._results import ItemError
from cline_cli.workspace.walk import SKIPPED_FOLDERS, is_in_repository

MAX_MATCHES = 100
MAX_FILE_BYTES = 5_000_000
OWN_PROGRAM = (sys.executable, "-I", "-S", child.__file__)
_MAX_OUTPUT_BYTES = 4_000_000


class Where(NamedTuple):
    folder: Path
    variables: Mapping[str, str]
    """The environment of the program that searches."""
    timeout_s: float


class Match(NamedTuple):
    path: str
    """Relative to the folder that was searched. Untrusted, like the text."""
    line: int
    text: str


class Found(NamedTuple):
    matches: tuple[Match, ...]
    """At most MAX_MATCHES."""
    has_more: bool
    is_timed_out: bool


def find_ripgrep(variables: Mapping[str, str]) -> str | None:
    """Return the path of the program as PATH gives it; a relative folder in PATH does not count."""
    for folder in variables.get("PATH", "").split(os.pathsep):
        program = Path(folder, "rg")
        if program.is_absolute() and os.path.isfile(program) and os.access(program, os.X_OK):
            return str(program)
    return None


async def search_with_ripgrep(program: str, regex: str, where: Where) -> Found | None:
    """Search all of a folder; None where ripgrep refuses, most likely because the expression is none to it.

    Raises:
        OSError: it cannot be started.
        ValueError: the expression cannot be given to a program.
    """
    skipped = (".git",) if is_in_repository(where.folder) else sorted(SKIPPED_FOLDERS)
    argv = (
        *(program, "--json", "--no-config", "--hidden", "--no-ignore-dot", "--crlf", "--engine=auto", "--sort=path"),
        *(f"--glob=!{name}" for name in skipped),
        *(f"--max-count={MAX_MATCHES + 1}", f"--max-filesize={MAX_FILE_BYTES}", f"--regexp={regex}", "--", "./"),
    )
    completed = await run_process(Command(argv, *where, _MAX_OUTPUT_BYTES, stops_when_full=True, drops_errors=True))
    if completed.exit_code == 2 and not completed.head:
        return None
    rows = [_read_event(line) for line in _whole_lines(completed)]
    return _to_found([row for row in rows if row], completed)


async def search_with_child(
    regex: str, names: Sequence[str], where: Where, program: tuple[str, ...] = OWN_PROGRAM
) -> Found:
    """Search these files of a folder.

    Raises:
        ItemError: it is no regular expression, or the child failed.
        OSError: the child cannot be started.
        ValueError: the expression cannot be given to a program.
    """
    with scratch_file(b"".join(os.fsencode(name) + b"\0" for name in names)) as listed:
        limits = (str(MAX_MATCHES + 1), str(MAX_FILE_BYTES))
        argv = (*program, regex, str(listed), *limits)
        command = Command(argv, *where, _MAX_OUTPUT_BYTES, stops_when_full=True, descriptors=(listed,))
        completed = await run_process(command)
    rows = [row for row in map(_parse, _whole_lines(completed)) if isinstance(row, list)]
    error = next((row[1] for row in rows if len(row) == 2), None)
    if error is not None:
        raise ItemError(f"not a regular expression: {error}")
    found = _to_found([Match(*row) for row in rows if len(row) == 3], completed)
    if completed.exit_code != 0 and not found.is_timed_out and not found.has_more:
        last = completed.head.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ItemError(f"the search failed: {last or completed.signal_name}")
    return found


def _whole_lines(completed: Completed) -> list[bytes]:
    """Return the lines of the output; where it was cut, without the one that was torn."""
    return completed.head.split(b"\n")[:-1]


def _to_found(matches: list[Match], completed: Completed) -> Found:
    is_cut = len(completed.head) >= _MAX_OUTPUT_BYTES
    return Found(tuple(matches[:MAX_MATCHES]), is_cut or len(matches) > MAX_MATCHES, completed.is_timed_out)


def _parse(line: bytes) -> JsonValue:
    try:
        value: JsonValue = json.loads(line)
    except ValueError:
        return None
    return value


def _read_event(line: bytes) -> Match | None:
    """Read one of ripgrep's events (`--json`, as documented for version 13); None for all but matches."""
    event = _parse(line)
    data = event.get("data") if isinstance(event, Mapping) and event.get("type") == "match" else None
    if not isinstance(data, Mapping):
        return None
    number = data.get("line_number")
    text = _read_text(data.get("lines")).rstrip("\r\n")
    path = _read_text(data.get("path")).removeprefix("./")
    return Match(path, number if isinstance(number, int) else 0, child.shorten(text))


def _read_text(value: JsonValue) -> str:
    """Read ripgrep's {"text"}, or {"bytes"} in base64 for what is not UTF-8."""
    if not isinstance(value, Mapping):
        return ""
    text, encoded = value.get("text"), value.get("bytes")
    if isinstance(text, str):
        return text
    try:
        return base64.b64decode(encoded).decode("utf-8", "replace") if isinstance(encoded, str) else ""
    except binascii.Error:
        return ""
