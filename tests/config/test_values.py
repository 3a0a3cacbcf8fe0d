from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.config.definitions import DEFINITIONS, Definition, Value
from cline_cli.config.values import from_text, from_toml, measure, read_time, to_text, to_toml

ROWS = {one.key: one for one in DEFINITIONS}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("auto_approve", "true", True),
        ("auto_approve", "0", False),
        ("max_turns", " 50 ", 50),
        ("sessions.max_bytes", "2_000_000", 2_000_000),
        ("sessions.keep_days", "0", 0),
        ("max_cost", "$2.50", 2.5),
        ("max_cost", ".5", 0.5),
        ("timeout", "1.5m", "1.5m"),
        ("thinking", "2048", "2048"),
        ("thinking", "xhigh", "xhigh"),
        ("mode", "plan", "plan"),
        ("providers.*.base_url", "https://example.com/v1/", "https://example.com/v1"),
        ("providers.*.model", "a/b: c", "a/b: c"),
    ],
)
def test_words_of_a_command_line_become_values(key: str, text: str, value: Value) -> None:
    read = from_text(ROWS[key], text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("auto_approve", "yes", "must be true or false, not 'yes'"),
        ("max_turns", "0", "must be at least 1, not 0"),
        ("max_turns", "1.5", "must be a whole number, not '1.5'"),
        ("max_turns", "9" * 17, "must be at most 999,999,999,999,999"),
        ("max_turns", "\u0664", "must be a whole number"),
        ("max_cost", "0", "must be more than 0"),
        ("max_cost", "$", "must be a number of US dollars, not '$'"),
        ("max_cost", "1e3", "must be a number of US dollars"),
        ("timeout", "0s", "must be a time such as 90, 90s or 10m, not '0s'"),
        ("timeout", "-5", "must be a time"),
        ("thinking", "0", "must be none, low"),
        ("mode", "Plan", "must be one of act, plan, not 'Plan'"),
        ("providers.*.base_url", "example.com", "is no address of a server: it is not of the form https://host/path"),
        ("providers.*.model", "a\x1b[2J", "has control characters in it"),
        ("providers.*.model", "m" * 1001, "is longer than 1,000 characters"),
        ("mode", "m" * 1001, "is longer than 1,000 characters"),
        ("provider", "  ", "needs a value"),
    ],
)
def test_words_are_refused_when_they_are_no_value(key: str, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^[a-z]") as caught:
        from_text(ROWS[key], text)
    assert told in str(caught.value)


def test_no_word_of_an_address_is_told_when_it_is_none() -> None:
    with pytest.raises(ValueError, match="user name or password") as caught:
        from_text(ROWS["providers.*.base_url"], "https://ada:the-secret@example.com")
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("timeout", 90, "90"),
        ("timeout", 1.5, "1.5"),
        ("timeout", "10m", "10m"),
        ("thinking", 2048, "2048"),
        ("max_cost", 2, 2.0),
        ("provider", "", None),
        ("mode", "", None),
        ("timeout", "", None),
    ],
)
def test_toml_says_the_same_in_several_ways(key: str, value: object, read: Value | None) -> None:
    found = from_toml(ROWS[key], value)
    assert (found, type(found)) == (read, type(read))


@given(st.sampled_from(DEFINITIONS), st.text(max_size=8) | st.integers().map(str) | st.floats().map(str))
def test_what_was_typed_reads_the_same_from_the_file(definition: Definition, text: str) -> None:
    try:
        value = from_text(definition, text)
    except ValueError:
        return
    assert from_toml(definition, tomllib.loads(f"x = {to_toml(value)}")["x"]) == value
    assert from_text(definition, to_text(value)) == value


@given(st.floats(min_value=1e-9, max_value=1e9, exclude_max=True))
def test_an_amount_is_written_without_an_exponent(amount: float) -> None:
    assert "e" not in to_text(amount)
    assert float(to_text(amount)) == pytest.approx(amount, abs=1e-9)


def test_limits_are_compared_by_what_they_allow() -> None:
    assert measure(ROWS["timeout"], "2m") == 120
    assert measure(ROWS["timeout"], "90") == 90
    assert measure(ROWS["max_cost"], 0.5) == 0.5


@pytest.mark.parametrize("text", ["", "s", "1d", "-1", "1e3", "1.s", "\u0661s", "1 m", "9" * 10])
def test_a_time_is_refused_when_it_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time"):
        read_time(text)
