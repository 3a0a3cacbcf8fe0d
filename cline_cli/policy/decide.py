"""Whether a tool call runs, is asked for, or is denied. The table of approvals:

                    reads the workspace    changes something
--plan              runs                   is denied
-y, --auto-approve  runs                   runs
interactive         runs                   is asked for
otherwise           runs                   is denied
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Mode = Literal["act", "plan"]


class Verdict(NamedTuple):
    kind: Literal["allow", "ask", "deny"]
    reason: str = ""
    """Why it is denied, for the model."""
    told: str = ""
    """The same for people."""


PLAN_ONLY = (
    "Denied: this is plan mode, where nothing is changed and no command is run. Do not look for another way;"
    " describe the change in your plan."
)
NOBODY_TO_ASK = (
    "Denied: this run may only read, and nobody is there to approve more. Do not look for another way;"
    " finish with what you can read, and say what you would have done."
)


def decide(*, changes: bool, mode: Mode, auto_approve: bool, is_interactive: bool) -> Verdict:
    """Judge one call by what it may do and how the run was started."""
    if not changes:
        return Verdict("allow")
    if mode == "plan":
        return Verdict("deny", PLAN_ONLY, "plan mode changes nothing")
    if auto_approve:
        return Verdict("allow")
    return (
        Verdict("ask")
        if is_interactive
        else Verdict("deny", NOBODY_TO_ASK, "nobody is there to approve it; -y lets it run")
    )
