"""The values of a run's options, read and checked; each complaint names the option and what it takes."""

from __future__ import annotations

import re
from typing import get_args

from cline_cli.agent.provider import Effort
from cline_cli.errors import UsageError
from cline_cli.policy.decide import Mode

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
LEVELS: tuple[Effort, ...] = get_args(Effort)
MODES: tuple[Mode, ...] = get_args(Mode)


def read_timeout(text: str) -> float:
    """Return seconds from `90`, `90s`, `1.5m`, `2h`.

    Raises:
        UsageError: it is none of these, or not more than nothing.
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smh]?)", text.strip(), re.ASCII)
    seconds = float(match[1]) * UNITS[match[2]] if match else 0.0
    if not seconds:
        raise UsageError(f"--timeout {text!r} is no time", "Give seconds or a unit: 90, 90s, 10m")
    return seconds


def read_count(option: str, text: str) -> int:
    """Return a whole number of at least 1.

    Raises:
        UsageError: it is something else.
    """
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) or int(text) < 1:
        raise UsageError(f"{option} {text!r} is not a whole number of at least 1")
    return int(text)


def read_effort(text: str) -> Effort | int:
    """Return a level of thinking, or a budget in tokens.

    Raises:
        UsageError: it is neither.
    """
    for level in LEVELS:
        if text == level:
            return level
    if re.fullmatch(r"\d{1,9}", text, re.ASCII) and int(text) > 0:
        return int(text)
    raise UsageError(f"--thinking {text!r} is no level", f"Give one of {', '.join(LEVELS)}, or a number of tokens")


def read_mode(text: str) -> Mode:
    """Return what a run may do.

    Raises:
        UsageError: it is not a mode.
    """
    for mode in MODES:
        if text == mode:
            return mode
    raise UsageError(f"--mode {text!r} is not a mode", f"Give one of {', '.join(MODES)}")


def read_bool(option: str, text: str) -> bool:
    """Return what `true` or `false` says.

    Raises:
        UsageError: it says neither.
    """
    if text not in {"true", "false"}:
        raise UsageError(f"{option} {text!r} is neither true nor false")
    return text == "true"
