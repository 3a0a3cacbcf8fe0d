from __future__ import annotations

from itertools import product

import pytest

from cline_cli.policy.decide import Mode, decide

MODES: tuple[Mode, ...] = ("act", "plan")


@pytest.mark.parametrize(("mode", "auto_approve", "is_interactive"), list(product(MODES, (True, False), (True, False))))
def test_a_call_that_only_reads_always_runs(mode: Mode, auto_approve: bool, is_interactive: bool) -> None:
    verdict = decide(changes=False, mode=mode, auto_approve=auto_approve, is_interactive=is_interactive)
    assert verdict.kind == "allow"


@pytest.mark.parametrize(
    ("mode", "auto_approve", "is_interactive", "kind"),
    [
        ("act", True, True, "allow"),
        ("act", True, False, "allow"),
        ("act", False, True, "ask"),
        ("act", False, False, "deny"),
        ("plan", True, True, "deny"),
        ("plan", True, False, "deny"),
        ("plan", False, True, "deny"),
        ("plan", False, False, "deny"),
    ],
)
def test_a_call_that_changes_something_is_judged_by_how_the_run_was_started(
    mode: Mode, auto_approve: bool, is_interactive: bool, kind: str
) -> None:
    verdict = decide(changes=True, mode=mode, auto_approve=auto_approve, is_interactive=is_interactive)
    assert verdict.kind == kind
    assert bool(verdict.reason) == bool(verdict.told) == (kind == "deny")
