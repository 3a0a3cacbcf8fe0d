"""Who serves models: a row a provider, naming the module of its wire format.

A module has one function, `connect(endpoint, network, paths) -> Provider`, and is imported when its provider is used.
Names, key variables and base URLs are the original command's (provider ids of its 3.x generation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cline_cli.errors import UsageError


class Row(NamedTuple):
    module: str
    """In this package."""
    base_url: str
    """Where the wire format's paths are appended; empty for one that has to be given (`-b` at auth)."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the key, the first that is set wins; none means no key is needed."""
    default_model: str = ""
    """Empty where there is no sensible one: the model must be given."""
    aliases: tuple[str, ...] = ()
    is_compact: bool = False
    """A small model: it gets the compact system prompt, and does best with few words."""


PROVIDERS: Mapping[str, Row] = {
    "cline": Row("openai_chat", "https://api.cline.bot/api/v1", ("CLINE_API_KEY",), "anthropic/claude-sonnet-4.6"),
    "openrouter": Row(
        "openai_chat", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",), "anthropic/claude-sonnet-4.6"
    ),
    "openai-compatible": Row(
        "openai_chat", "https://api.openai.com/v1", ("OPENAI_API_KEY",), aliases=("openai", "openai-native")
    ),
    # The vendor's own format comes with a module of its own; this is the address where it speaks OpenAI's.
    "anthropic": Row("openai_chat", "https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",), "claude-sonnet-4-6"),
    "local": Row("local", "", (), "qwen2.5-coder-1.5b", is_compact=True),
}
ALIASES: Mapping[str, str] = {alias: name for name, row in PROVIDERS.items() for alias in row.aliases}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One provider as it is used in one run."""

    provider: str
    base_url: str
    """Without a final slash."""
    key: str = field(repr=False)
    """Empty where none is needed."""
    key_source: str
    """Where the key came from, for messages: "$CLINE_API_KEY", "the keyring"."""
    session_id: str
    has_other_key: bool = False
    """Another key is saved, which this one goes before."""
    is_tried_once: bool = False
    """No failure is worth another try: whoever asks wants to know of the first."""


def require(name: str) -> tuple[str, Row]:
    """Return the provider's own name and its row, whichever of its names was given.

    Raises:
        UsageError: nothing is called that; the nearest names are told.
    """
    own = ALIASES.get(name, name)
    row = PROVIDERS.get(own)
    if row is None:
        from difflib import get_close_matches  # lazy: only for this complaint

        near = get_close_matches(name, (*PROVIDERS, *ALIASES), n=3, cutoff=0)
        raise UsageError(f"there is no provider {name!r}", f"The nearest are {', '.join(near)}")
    return own, row
