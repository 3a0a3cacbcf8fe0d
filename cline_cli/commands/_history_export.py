"""`cline history export`: where the document of a session goes, and in which form."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cline_cli.commands._streams import say
from cline_cli.commands._values import read_word
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.machine.files import write_atomic
from cline_cli.session.export import FORMATS, Format, export
from cline_cli.session.reading import Transcript
from cline_cli.text import one_line, visible

STDOUT = "-"
FORMS: Mapping[str, Format] = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".json": "json"}
"""What a file's suffix says."""
ANOTHER = "Give another file with -o, or - for standard output"


class Target(NamedTuple):
    path: Path | None
    """None is standard output."""
    form: Format


def choose_target(session_id: str, output: str | None, form: str | None, cwd: Path | None) -> Target:
    """Return where the document goes: the file's suffix says the form, else `--format`, else it is HTML.

    Raises:
        UsageError: there is no such form, or the file's suffix says another one; the file has no name or folder.
    """
    asked = read_word("format", form, FORMATS) if form is not None else None
    if output == STDOUT:
        return Target(None, asked or "html")
    if output is not None and (output.endswith("/") or not Path(output).name):
        raise UsageError(f"--output {output!r} is not the name of a file", ANOTHER)
    told = FORMS.get(Path(output).suffix.lower()) if output else None
    if asked and told and asked != told:
        raise UsageError(f"--format {asked} contradicts the name {output}", "Give one of the two")
    chosen = asked or told or "html"
    path = Path(output or f"{session_id}.{chosen}")
    if cwd is None and not path.is_absolute():
        raise UsageError("the working directory does not exist any more", "Give a whole path with -o")
    return Target((cwd or Path("/")) / path, chosen)


def deliver(transcript: Transcript, target: Target, environment: Environment, *, is_json: bool) -> None:
    """Write the document, and say where it is if it is in a file.

    Raises:
        UsageError: something else than a file is there, or a file that may not be written.
        ClineError: it cannot be written.
        BrokenPipeError: the reader of stdout has gone.
    """
    if target.path is None:
        say(environment, export(transcript, target.form))
        return
    is_new = _check(target.path)
    try:
        write_atomic(target.path, export(transcript, target.form).encode(), mode=0o600 if is_new else None)
    except OSError as error:
        raise ClineError(f"cannot write {one_line(str(target.path))}: {error.strerror}", ANOTHER) from None
    if is_json:
        answer = {"sessionId": transcript.row.session_id, "outputPath": str(target.path)}
        say(environment, f"{json.dumps(answer)}\n")
    else:
        say(environment, f"Exported to {visible(str(target.path))}\n")


def _check(path: Path) -> bool:
    """Return whether there is no file yet.

    Raises:
        UsageError: what is there is not to be replaced.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return True
    except OSError as error:
        raise UsageError(f"cannot write {one_line(str(path))}: {error.strerror}", ANOTHER) from None
    fault = ""
    if stat.S_ISLNK(mode):
        fault = "it is a symbolic link"
    elif not stat.S_ISREG(mode):
        fault = "it is a folder" if stat.S_ISDIR(mode) else "it is not a file"
    elif not os.access(path, os.W_OK):
        fault = "it may not be written to"
    if fault:
        raise UsageError(f"cannot write {one_line(str(path))}: {fault}", ANOTHER)
    return False
