"""When a failed request is worth another try, and after how long. Pure: failures so far in, seconds or None out.

The rules for Retry-After are those the OpenAI and Anthropic clients follow (read 2026-11), but for the cap: a wait of
more than MAX_WAIT_S is not begun, and the person is told when to come back. Headers that tell of limits in general,
such as x-ratelimit-reset, are not read: they are there when nothing is wrong, and each vendor counts in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from typing import Literal

Failure = int | Literal["no connection", "cut off"]
"""An HTTP status, or what else went wrong."""

RETRIED_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
MAX_FAILURES = 4
"""So many failures are borne; the next one is final."""
MAX_CONNECTION_FAILURES = 2
FIRST_DELAY_S = 0.5
MAX_WAIT_S = 120.0
MAX_RETRIES_OF_RUN = 50
MAX_WAIT_OF_RUN_S = 1800.0
_LONGEST_S = 366 * 86400.0


@dataclass(slots=True)
class RetryBudget:
    """What is left of one run's retries: a server that fails again and again is not asked for ever."""

    retries: int = MAX_RETRIES_OF_RUN
    wait_s: float = MAX_WAIT_OF_RUN_S
    _spent: int = 0
    _waited_s: float = 0

    def spend(self, delay_s: float) -> bool:
        """Take one more retry after this pause; return False, and take none, where it is too much."""
        if self._spent >= self.retries or self._waited_s + delay_s > self.wait_s:
            return False
        self._spent += 1
        self._waited_s += delay_s
        return True

    def describe(self) -> str:
        """Return what was spent, for people: "50 retries"."""
        return f"{self._spent} retries and {say_duration(self._waited_s)} of waiting"


def choose_delay_s(failure: Failure, failures: int, asked_s: float | None, jitter: float) -> float | None:
    """Return how long to wait before the next try, or None for none.

    `failures` counts those of this request, with the present one; `asked_s` is what the server asked for, if anything;
    `jitter`, from 0 to 1, shortens our own delays by up to a quarter, so that many clients do not come back at once.
    """
    is_status = isinstance(failure, int)
    if is_status and failure not in RETRIED_STATUSES:
        return None
    if failures > (MAX_CONNECTION_FAILURES if failure == "no connection" else MAX_FAILURES):
        return None
    if is_too_long(failure, asked_s):
        return None
    if asked_s is not None and is_status:
        return asked_s
    return FIRST_DELAY_S * 2.0 ** (failures - 1) * (1 - jitter / 4)


def read_asked_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return the wait that an answer asks for, or None where it asks for none or for nonsense.

    Reads retry-after-ms, then Retry-After in seconds or as a date of HTTP; names are in lower case, `now_s` is the time
    since the epoch. Nonsense is what is no number, not above zero, or more than a year.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _sane(milliseconds / 1000)
    text = headers.get("retry-after", "")
    seconds = _number(text)
    return _sane(_seconds_until(text, now_s) if seconds is None else seconds)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _seconds_until(date: str, now_s: float) -> float:
    try:
        moment = parsedate_to_datetime(date)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now_s
    except (ValueError, OverflowError):
        return math.nan


def _sane(seconds: float) -> float | None:
    return seconds if 0 < seconds <= _LONGEST_S else None


def is_too_long(failure: Failure, asked_s: float | None) -> bool:
    """Tell whether a server that may be asked again wants that later than anybody is kept waiting."""
    return failure in RETRIED_STATUSES and asked_s is not None and asked_s > MAX_WAIT_S


def say_return(asked_s: float, now_s: float, zone: tzinfo | None = None) -> str:
    """Return when to come back, for people: "in 7 min, at 14:32"; with the date where that is another day.

    `now_s` is the time since the epoch; None is the zone of this machine.
    """
    now = datetime.fromtimestamp(now_s, UTC).astimezone(zone)
    # To the next whole minute, so that whoever comes at that time does not come too early.
    then = (now + timedelta(seconds=asked_s + 59)).astimezone(zone)
    moment = f"{then:%H:%M}" if then.date() == now.date() else f"{then:%H:%M on %Y-%m-%d}"
    return f"in {say_duration(asked_s)}, at {moment}"


def say_duration(seconds: float) -> str:
    """Return a wait in words for people: "45 s", "7 min", "3 h"."""
    if seconds < 100:
        return f"{math.ceil(seconds)} s"
    if seconds < 100 * 60:
        return f"{math.ceil(seconds / 60)} min"
    return f"{math.ceil(seconds / 3600)} h" if seconds < 100 * 3600 else f"{math.ceil(seconds / 86400)} days"
