"""How a run is to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Manner:
    output_format: Literal["rich", "plain"] | None = None
    """The live screen or plain text, where both are possible; None lets the terminal decide."""
    streams: bool = False
    """All text is printed as it comes, not only the answer."""
    is_watched: bool = False
    """A person sees stdout come, so that a word can take back what was streamed. `choose_front_end` sets it."""
    is_quiet: bool = False
    """Nothing but the answer; errors are told elsewhere."""
    is_verbose: bool = False
    provider: str = ""
    """For `is_verbose`: who serves the model."""
