"""The environment of commands: nobody sits before them, and no key of ours is theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_UNATTENDED: Mapping[str, str] = {
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    # Vim does not end at the end of its input (measured with 9.0). This editor leaves everything as it is, so that git
    # takes a message that it has, and says that one is missing where it has none.
    "EDITOR": "true",
    "VISUAL": "true",
    "GIT_EDITOR": "true",
}
"""Nobody is there to turn pages, to answer or to type."""


def child_variables(variables: Mapping[str, str], dropped: Collection[str]) -> dict[str, str]:
    """Return the environment of a command: ours without the variables to drop, and no pager or question in it."""
    return {**{name: value for name, value in variables.items() if name not in dropped}, **_UNATTENDED}
