from __future__ import annotations

import pytest

from cline_cli.commands._given import Given, read_manner, read_mode, read_stdin_mode
from cline_cli.commands._values import read_amount, read_count, read_effort, read_timeout
from cline_cli.commands.options import BUILT
from cline_cli.errors import UsageError


def given(**values: bool | str | list[str]) -> Given:
    defaults = {option.name: False if option.takes == "nothing" else None for option in BUILT}
    return Given({**defaults, **values})


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ({}, "act"),
        ({"plan": True}, "plan"),
        ({"act": True}, "act"),
        ({"mode": "plan"}, "plan"),
        ({"mode": "act"}, "act"),
    ],
)
def test_the_mode_is_read(values: dict[str, bool | str], mode: str) -> None:
    assert read_mode(given(**values)) == mode


@pytest.mark.parametrize("values", [{"plan": True, "act": True}, {"plan": True, "mode": "act"}, {"mode": "think"}])
def test_a_mode_is_refused_when_it_contradicts_another(values: dict[str, bool | str]) -> None:
    with pytest.raises(UsageError) as caught:
        read_mode(given(**values))
    assert [name for name in values if f"--{name}" not in caught.value.message] == []


@pytest.mark.parametrize(
    ("values", "output_format"),
    [
        ({}, None),
        ({"json": True}, "json"),
        ({"output_format": "json"}, "say"),
        ({"output_format": "plain"}, "plain"),
        ({"output_format": "json", "json": True}, "json"),
    ],
)
def test_the_format_is_read(values: dict[str, bool | str], output_format: str | None) -> None:
    assert read_manner(given(**values), has_schema=False).output_format == output_format


def test_a_run_with_a_schema_holds_its_text() -> None:
    assert read_manner(given(), has_schema=True).holds
    assert not read_manner(given(), has_schema=False).holds


@pytest.mark.parametrize(
    "values",
    [
        {"json": True, "output_format": "plain"},
        {"output_format": "xml"},
        {"quiet": True, "verbose": True},
    ],
)
def test_a_manner_is_refused_when_it_contradicts_itself(values: dict[str, bool | str]) -> None:
    with pytest.raises(UsageError):
        read_manner(given(**values), has_schema=False)


def test_streaming_and_a_schema_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="--stream and --schema"):
        read_manner(given(stream=True), has_schema=True)


def test_what_is_done_about_stdin_is_read() -> None:
    assert read_stdin_mode(given()) == "auto"
    assert read_stdin_mode(given(stdin="wait")) == "wait"
    for values in ({"stdin": "now"}, {"stdin": "ignore", "require_stdin": True}):
        with pytest.raises(UsageError):
            read_stdin_mode(given(**values))


@pytest.mark.parametrize(("text", "amount"), [("0.5", 0.5), ("2", 2), ("$1.25", 1.25), (".1", 0.1), (None, None)])
def test_an_amount_is_read(text: str | None, amount: float | None) -> None:
    assert read_amount("max_cost", text) == amount


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1e9", "$", "ten", "1.2.3", "\u0661"])
def test_an_amount_is_refused_when_it_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="--max-cost"):
        read_amount("max_cost", text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", "1e3", "9" * 16])
def test_a_count_is_refused_when_it_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="--max-total-tokens"):
        read_count("max_total_tokens", text)


def test_values_that_are_right_are_read() -> None:
    assert read_count("max_turns", " 7 ") == 7
    assert read_count("max_turns", None) is None
    assert [read_timeout(text) for text in ("90", "90s", "1.5m", "2h")] == [90, 90, 90, 7200]
    assert [read_effort(text) for text in (None, "high", "2048")] == [None, "high", 2048]
