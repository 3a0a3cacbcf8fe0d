"""What `cline history` changes: delete, update, prune."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cline_cli.agent.messages import JsonObject
from cline_cli.commands._streams import say, tell
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.session.changing import Limits, Pruned, delete, describe, prune

UNITS: Mapping[str, int] = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate(("k", "m", "g", "t"), start=1)},
    **{f"{unit}i": 1024**power for power, unit in enumerate(("k", "m", "g", "t"), start=1)},
}
MAX_COUNT = 10**15


def delete_sessions(
    sessions: Path, ids: Sequence[str], environment: Environment, *, is_json: bool, is_named: bool
) -> None:
    """Take sessions away, and say so of each; one that cannot be does not keep the others.

    `is_named` tells in JSON which session an object is of.

    Raises:
        ClineError: of the last one that could not be taken away; the others have been told.
    """
    failure: ClineError | None = None
    for session_id in ids:
        try:
            delete(sessions, session_id)
        except ClineError as error:
            if failure:
                tell(environment, str(failure))
            failure = error
            is_gone = False
        else:
            is_gone = True
        if is_json:
            answer: JsonObject = {"deleted": is_gone, **({"sessionId": session_id} if is_named else {})}
            say(environment, f"{json.dumps(answer, separators=(',', ':'))}\n")
        elif is_gone:
            say(environment, f"Deleted session {session_id}\n")
    if failure:
        raise failure


def update_session(
    sessions: Path,
    session_id: str,
    environment: Environment,
    described: tuple[str | None, str | None, str | None],
    *,
    is_json: bool,
) -> None:
    """Give a session the title, the prompt and the metadata that are `described`, None leaving each as it is.

    Raises:
        UsageError: none is given, or one of them is not what it should be; there is no such session.
        ClineError: it cannot be written.
    """
    title, prompt, metadata = described
    if described == (None, None, None):
        raise UsageError("there is nothing to change", "Give --title, --prompt or --metadata")
    if title is not None:
        title = " ".join(title.split())
        if not title:
            raise UsageError("--title is empty")
    extra = _read_object(metadata) if metadata is not None else None
    describe(sessions, session_id, title=title, prompt=prompt, metadata=extra)
    say(environment, '{"updated":true}\n' if is_json else f"Updated session {session_id}\n")


def prune_sessions(sessions: Path, limits: Limits, environment: Environment, *, is_dry: bool, is_json: bool) -> None:
    """Take away what is older or more than the limits say, and say how many went.

    Raises:
        UsageError: the sessions cannot be read.
        ClineError: some should have gone, and could not be taken away.
    """
    pruned = prune(sessions, limits, is_dry=is_dry)
    say(
        environment,
        f"{json.dumps(_to_object(pruned, is_dry=is_dry))}\n" if is_json else _to_text(pruned, is_dry=is_dry),
    )
    for failure in pruned.failures:
        tell(environment, failure)
    if pruned.failures:
        raise ClineError(f"{_count(len(pruned.failures))} should have gone and could not be taken away")


def read_days(text: str) -> int:
    """Return a number of days.

    Raises:
        UsageError: it is none.
    """
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        raise UsageError(f"--days {text!r} is not a whole number", "0 keeps sessions however old they are")
    return int(text)


def read_size(text: str) -> int:
    """Return bytes, from `1000000`, `500MB`, `1.5 GB`, `1GiB`.

    Raises:
        UsageError: it is none of these.
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?) ?([kmgt]i?|)b?", text.strip().lower().replace("_", ""), re.ASCII)
    size = float(match[1]) * UNITS[match[2]] if match else -1
    if not 0 <= size <= MAX_COUNT:
        raise UsageError(f"--max-bytes {text!r} is no size", "Give bytes or a unit, such as 500MB; 0 is without end")
    return int(size)


def format_size(size_bytes: int) -> str:
    """Return a size in the unit that suits it: `34.5 MB`."""
    size, unit = float(size_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.95:
            break
        size, unit = size / 1000, larger
    return f"{size:.1f}".removesuffix(".0") + f" {unit}"


def _to_text(pruned: Pruned, *, is_dry: bool) -> str:
    left = f"{_count(pruned.kept)} with {format_size(pruned.kept_bytes)} {'would be' if is_dry else 'are'} left."
    if not pruned.removed:
        return f"Nothing to remove; {left}\n"
    done = "Would remove" if is_dry else "Removed"
    return f"{done} {_count(len(pruned.removed))} with {format_size(pruned.freed_bytes)}; {left}\n"


def _to_object(pruned: Pruned, *, is_dry: bool) -> JsonObject:
    return {
        "removed": pruned.removed,
        "freedBytes": pruned.freed_bytes,
        "kept": pruned.kept,
        "keptBytes": pruned.kept_bytes,
        "failures": pruned.failures,
        "dryRun": is_dry,
    }


def _count(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"


def _read_object(text: str) -> JsonObject:
    """Raises UsageError where the text is no JSON object."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"--metadata is not JSON: {reason}", """Give an object: '{"ticket": "A-1"}'""") from None
    if not isinstance(value, dict):
        raise UsageError("--metadata is not a JSON object", """Give one such as '{"ticket": "A-1"}'""")
    return value
