"""`cline help [TOPIC]`, and every `--help`: packaged texts, printed without importing what they describe.

`make docs` writes them from the Typer apps; a test compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cline_cli.errors import UsageError

TEXTS = Path(__file__).parent / "help"


def answer(arguments: Sequence[str]) -> str:
    """Return the text on a verb or a topic; without one, the command's own.

    Raises:
        UsageError: there is no such topic.
    """
    topic = arguments[0] if arguments else "run"
    topics = sorted(file.stem for file in TEXTS.glob("*.txt"))
    if topic not in topics:
        raise UsageError(f"no help on {topic!r}", f"There is help on: {', '.join(topics)}")
    return (TEXTS / f"{topic}.txt").read_text("utf-8")
