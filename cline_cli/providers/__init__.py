"""Who serves models: a row a provider, naming the module of its wire format.

A module has `connect(endpoint, network, paths) -> Provider`, and is imported when its provider is used; one that speaks
over a line has `make_headers(endpoint)` as well, which are those of every request to it. The rows are in `_rows.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cline_cli.errors import UsageError
from cline_cli.providers._rows import ROWS
from cline_cli.providers._rows import Row as Row  # whoever reads the table needs no other module

PROVIDERS: Mapping[str, Row] = ROWS
KEY_VARIABLES: Mapping[str, tuple[str, ...]] = {
    name: row.key_variables for name, row in PROVIDERS.items() if row.is_chosen_by_key
}
"""What `choose_provider` looks for."""
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
