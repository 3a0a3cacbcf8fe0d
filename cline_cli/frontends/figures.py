"""Times, tokens, money and outcomes as people read them: `12 s`, `18.2k in (14k cached)`, `$0.034`. Pure."""

from __future__ import annotations

from cline_cli.agent.events import Compacted, RunFinished, ToolFinished
from cline_cli.agent.messages import Usage
from cline_cli.text import one_line

OUTCOME_CELLS = 200


def format_duration(duration_s: float) -> str:
    if duration_s < 9.95:
        return f"{duration_s:.1f}".removesuffix(".0") + " s"
    whole_s = round(duration_s)
    if whole_s < 60:
        return f"{whole_s} s"
    minutes, seconds = divmod(whole_s, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def format_tokens(tokens: int) -> str:
    if tokens < 1000:
        return str(tokens)
    size, unit = (tokens / 1000, "k") if tokens < 999_500 else (tokens / 1_000_000, "M")
    return f"{size:.1f}".removesuffix(".0") + unit if size < 99.95 else f"{size:.0f}{unit}"


def format_cost(cost_usd: float | None, *, is_estimate: bool = False) -> str:
    """Return `$?` for a cost that is not known; one that is too small to be written is never a zero."""
    if cost_usd is None:
        return "$?"
    if cost_usd <= 0:
        return "$0"
    if cost_usd < 0.0001:
        return "<$0.0001"
    digits = 4 if cost_usd < 0.01 else 3 if cost_usd < 1 else 2
    return f"{'~' if is_estimate else ''}${cost_usd:.{digits}f}"


def describe_usage(usage: Usage) -> str:
    cached = f" ({format_tokens(usage.cache_read_tokens)} cached)" if usage.cache_read_tokens else ""
    tokens = f"{format_tokens(usage.input_tokens)} in{cached}, {format_tokens(usage.output_tokens)} out"
    return f"{tokens}, {format_cost(usage.cost_usd, is_estimate=usage.is_estimate)}"


def is_command(summary: str) -> bool:
    """Return whether a call's summary is that of a command line."""
    return summary.startswith("$ ")


def describe_outcome(event: ToolFinished) -> str:
    """Return how a call ended: `exit 1, 3.2 s`, `+3 -1`. A command says itself how long it took."""
    text = one_line(event.output.display, OUTCOME_CELLS) or ("failed" if event.output.is_error else "ok")
    if event.denied:
        return f"denied: {text}"
    is_slow = event.duration_s >= 1 and not is_command(event.summary)
    return f"{text}, {format_duration(event.duration_s)}" if is_slow else text


def describe_run(run: RunFinished) -> str:
    """Return the closing line of a run: `4 calls, 12 s, 18.2k in (14k cached), 1.1k out, $0.034`."""
    calls = "" if not run.tool_calls else "1 call, " if run.tool_calls == 1 else f"{run.tool_calls} calls, "
    return f"{calls}{format_duration(run.duration_s)}, {describe_usage(run.usage)}"


def describe_changes(run: RunFinished, undo: str) -> str:
    """Return `2 files changed (cline undo takes them back)` for that way of undoing; empty where none was changed."""
    if not run.changed_files:
        return ""
    files, them = ("1 file", "it") if len(run.changed_files) == 1 else (f"{len(run.changed_files)} files", "them")
    return f"{files} changed ({undo} takes {them} back)"


def describe_compaction(event: Compacted) -> str:
    """Return `conversation shortened: about 118k -> 24k tokens, its older part summarized`."""
    how = "summarized" if event.manner == "agentic" else "cut"
    why = " (it was refused as too long)" if event.is_forced else ""
    sizes = f"about {format_tokens(event.before_tokens)} -> {format_tokens(event.after_tokens)} tokens"
    no_summary = f"; no summary: {one_line(event.fallback, OUTCOME_CELLS)}" if event.fallback else ""
    return f"conversation shortened{why}: {sizes}, its older part {how}{no_summary}"
