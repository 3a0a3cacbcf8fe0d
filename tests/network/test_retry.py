from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.network.retry import (
    MAX_WAIT_S,
    Failure,
    RetryBudget,
    choose_delay_s,
    is_too_long,
    read_asked_s,
    say_duration,
    say_return,
)

NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
RETRIED = [408, 409, 429, 500, 502, 503, 504, 529]


def delays(failure: Failure, *, asked_s: float | None = None, jitter: float = 0) -> list[float | None]:
    return [choose_delay_s(failure, failures, asked_s, jitter) for failures in range(1, 7)]


@pytest.mark.parametrize("failure", [*RETRIED, "cut off"])
def test_delay_doubles_up_to_four_tries_when_the_server_fails(failure: Failure) -> None:
    assert delays(failure) == [0.5, 1, 2, 4, None, None]


def test_three_tries_are_made_in_all_when_there_is_no_connection() -> None:
    assert delays("no connection") == [0.5, 1, None, None, None, None]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422, 451, 501, 505, 302, 200, 0])
def test_no_other_try_is_made_when_the_status_is_final(status: int) -> None:
    assert delays(status, asked_s=1) == [None] * 6


def test_delay_is_shortened_by_a_quarter_at_most_when_there_is_jitter() -> None:
    assert delays(503, jitter=1)[:4] == [0.375, 0.75, 1.5, 3]


def test_asked_delay_is_kept_exactly_when_it_is_bearable() -> None:
    assert delays(429, asked_s=7.5, jitter=1) == [7.5] * 4 + [None] * 2
    assert delays(429, asked_s=MAX_WAIT_S)[0] == MAX_WAIT_S


def test_no_other_try_is_made_when_the_asked_delay_is_too_long() -> None:
    assert delays(429, asked_s=MAX_WAIT_S + 1) == [None] * 6


def test_own_delay_is_used_when_a_reply_broke_off_after_a_header_asked_for_more() -> None:
    assert delays("cut off", asked_s=300)[0] == 0.5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.25", 0.25),
        ("400", 400),
        (" 3 ", 3),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), None),
        ("Tue, 03 Nov 2026 12:00:30 -0000", 30),
        ("0", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1e400", None),
        ("1e300", None),
        ("Fri, 01 Jan 9999 00:00:00 GMT", None),
        ("Fri, 01 Jan 100000 00:00:00 GMT", None),
        ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Fri, 32 Jan 2026 00:00:00 GMT", None),
        ("", None),
        ("soon", None),
        ("7 s", None),
    ],
)
def test_asked_delay_is_read_when_it_makes_sense(value: str, seconds: float | None) -> None:
    assert read_asked_s({"retry-after": value}, NOW.timestamp()) == seconds


@pytest.mark.parametrize(("value", "seconds"), [("1500", 1.5), ("0", None), ("-5", None), ("nan", None), ("x", 9)])
def test_milliseconds_come_first_when_they_are_given_too(value: str, seconds: float | None) -> None:
    assert read_asked_s({"retry-after-ms": value, "retry-after": "9"}, NOW.timestamp()) == seconds


def test_nothing_is_asked_when_there_is_no_header() -> None:
    assert read_asked_s({}, NOW.timestamp()) is None


@given(st.text(), st.floats(0, 4e9))
def test_reading_never_fails_when_headers_are_random(value: str, now_s: float) -> None:
    for name in ("retry-after", "retry-after-ms"):
        seconds = read_asked_s({name: value}, now_s)
        assert seconds is None or 0 < seconds < 1e9


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (99, "99 s"), (121, "3 min"), (400, "7 min"), (6001, "2 h"), (90000, "25 h")]
)
def test_duration_is_said_in_a_fitting_unit_when_it_grows(seconds: float, words: str) -> None:
    assert say_duration(seconds) == words


@pytest.mark.parametrize(
    ("asked_s", "words"),
    [
        (400, "in 7 min, at 12:07"),
        (121, "in 3 min, at 12:03"),
        (7200, "in 2 h, at 14:00"),
        (7201, "in 3 h, at 14:01"),
        (43_200, "in 12 h, at 00:00 on 2026-11-04"),
        (366 * 86_400, "in 366 days, at 12:00 on 2027-11-04"),
    ],
)
def test_time_of_return_is_told_when_nobody_is_kept_waiting(asked_s: float, words: str) -> None:
    assert say_return(asked_s, NOW.timestamp(), UTC) == words


def test_time_of_return_is_that_of_the_place_when_it_has_a_zone() -> None:
    assert say_return(400, NOW.timestamp(), timezone(timedelta(hours=5, minutes=30))) == "in 7 min, at 17:37"
    assert say_return(400, NOW.timestamp()).startswith("in 7 min, at ")


@pytest.mark.parametrize(
    ("failure", "asked_s", "is_long"),
    [
        (429, 121, True),
        (503, 121, True),
        (429, 120, False),
        (429, None, False),
        (401, 999, False),
        ("cut off", 9e9, False),
    ],
)
def test_wait_is_too_long_when_a_server_asks_for_more_than_anybody_waits(
    failure: Failure, asked_s: float | None, is_long: bool
) -> None:
    assert is_too_long(failure, asked_s) == is_long


def test_budget_lets_no_more_through_when_its_retries_are_spent() -> None:
    budget = RetryBudget(retries=2, wait_s=100)
    assert [budget.spend(1) for _ in range(4)] == [True, True, False, False]
    assert budget.describe() == "2 retries and 2 s of waiting"


def test_budget_lets_a_short_wait_through_when_a_long_one_is_too_much() -> None:
    budget = RetryBudget(retries=9, wait_s=10)
    assert [budget.spend(delay_s) for delay_s in (6, 5, 4, 0.1)] == [True, False, True, False]
    assert budget.describe() == "2 retries and 10 s of waiting"
