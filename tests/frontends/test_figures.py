from __future__ import annotations

import pytest

from cline_cli.agent.events import Compacted, RunFinished
from cline_cli.agent.messages import Usage
from cline_cli.frontends.figures import (
    describe_changes,
    describe_compaction,
    describe_run,
    format_cost,
    format_duration,
    format_tokens,
)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.04, "0 s"),
        (3.24, "3.2 s"),
        (2.0, "2 s"),
        (9.949, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
    ],
)
def test_a_duration_is_short_when_it_is_written(duration_s: float, text: str) -> None:
    assert format_duration(duration_s) == text


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1100, "1.1k"),
        (14_000, "14k"),
        (18_240, "18.2k"),
        (99_960, "100k"),
        (999_600, "1M"),
        (1_250_000, "1.2M"),
    ],
)
def test_tokens_are_rounded_when_they_are_many(tokens: int, text: str) -> None:
    assert format_tokens(tokens) == text


@pytest.mark.parametrize(
    ("cost_usd", "text"),
    [
        (None, "$?"),
        (0.0, "$0"),
        (0.00003, "<$0.0001"),
        (0.00068, "$0.0007"),
        (0.034, "$0.034"),
        (0.25, "$0.250"),
        (1.5, "$1.50"),
    ],
)
def test_a_cost_is_never_zero_when_it_is_unknown_or_small(cost_usd: float | None, text: str) -> None:
    assert format_cost(cost_usd) == text


def test_a_run_is_described_in_one_line() -> None:
    run = RunFinished("", Usage(18_200, 1_100, 14_000, 0, 0.034), 3, 4, 12.2, None)
    assert describe_run(run) == "4 calls, 12 s, 18.2k in (14k cached), 1.1k out, $0.034"
    assert describe_run(RunFinished("", Usage(10, 5), 1, 1, 0.5, None)) == "1 call, 0.5 s, 10 in, 5 out, $?"
    assert describe_run(RunFinished("", Usage(10, 5), 1, 0, 0.5, None)) == "0.5 s, 10 in, 5 out, $?"


def test_a_shorter_history_is_described_with_its_cause_and_in_one_line() -> None:
    assert describe_compaction(Compacted(118_000, 24_000, "agentic")) == (
        "conversation shortened: about 118k -> 24k tokens, its older part summarized"
    )
    assert describe_compaction(Compacted(9000, 4200, "basic", is_forced=True, fallback="down\n\x1b[2J(503)")) == (
        "conversation shortened (it was refused as too long): about 9k -> 4.2k tokens, its older part cut;"
        " no summary: down (503)"
    )


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ((), ""),
        (("a",), "1 file changed (cline undo takes it back)"),
        (("a", "b"), "2 files changed (cline undo takes them back)"),
    ],
)
def test_changed_files_are_counted_and_how_they_go_back_is_said(files: tuple[str, ...], line: str) -> None:
    run = RunFinished("", Usage(), 1, 1, 0.5, None, changed_files=files)
    assert describe_changes(run, "cline undo") == line
