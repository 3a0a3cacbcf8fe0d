"""`cline version`: the bare version, as scripts expect it."""

from __future__ import annotations

from collections.abc import Sequence

from cline_cli import __version__


def answer(_arguments: Sequence[str]) -> str:
    """Return the version and a newline; arguments (`--short` of the first generation) change nothing."""
    return f"{__version__}\n"
