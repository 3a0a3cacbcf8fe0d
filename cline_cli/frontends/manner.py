"""How a run is to be shown, and what is known of it before it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cline_cli.agent.messages import JsonObject

OutputFormat = Literal["rich", "plain", "json", "say"]
"""The live screen, plain text, JSON lines, or the JSON lines of the original's second generation (`-F json`)."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    session_id: str = ""
    provider: str = ""
    model: str = ""
    mode: Literal["act", "plan"] = "act"
    thinking: str = ""
    """As it was asked for: "high", "2048"; empty for the model's own default."""
    cwd: str = ""
    context_window: int | None = None
    """How many tokens the model can read in all; None where that is not known."""
    has_schema: bool = False
    """The answer is a JSON document."""
    is_session_kept: bool = False
    """The run can be resumed by its id."""
    sandbox: JsonObject = field(default_factory=dict)
    """What confines commands, for programs."""
    sandbox_line: str = ""
    """The same for people; empty where none was asked for."""


@dataclass(frozen=True, slots=True)
class Manner:
    output_format: OutputFormat | None = None
    """None lets the terminal decide between the live screen and plain text."""
    streams: bool = False
    """All text is printed as it comes, not only the answer."""
    holds: bool = False
    """No text is printed before it is known to be the answer, even where no tools are offered."""
    is_watched: bool = False
    """A person sees stdout come, so that a word can take back what was streamed. `choose_front_end` sets it."""
    is_quiet: bool = False
    """Nothing but the answer; errors are told elsewhere."""
    is_verbose: bool = False
    is_light: bool = False
    """The terminal has dark text on a light background."""
    facts: RunFacts = RunFacts()

    @property
    def is_for_programs(self) -> bool:
        """Whether stdout gets lines of JSON and nothing else."""
        return self.output_format in {"json", "say"}
