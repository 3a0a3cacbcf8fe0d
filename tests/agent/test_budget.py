from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.budget import CLOSING_TOKENS, MOST_TOKENS, Price, allow, complete_usage
from cline_cli.agent.gauge import estimate_tokens
from cline_cli.agent.messages import ImagePart, TextPart, ThinkingPart, ToolCall, Usage, UserMessage, user_text
from tests.fakes import reply

PRICE = Price(3, 15, 0.3, 3.75)


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=100_000, cache_read_tokens=400_000, cache_write_tokens=200_000)
    assert PRICE.of(usage) == pytest.approx(0.4 * 3 + 0.4 * 0.3 + 0.2 * 3.75 + 0.1 * 15)


def test_cached_tokens_cost_what_others_do_when_their_price_is_not_known() -> None:
    assert Price(3, 15).of(Usage(1_000_000, 0, 400_000, 200_000)) == pytest.approx(3)


def test_every_part_of_a_message_counts() -> None:
    empty = estimate_tokens([])
    parts = (
        TextPart("abc" * 10),
        ThinkingPart("abc" * 10),
        ToolCall("1", "abc", "{}" * 15),
        ImagePart("image/png", b""),
    )
    sizes = [estimate_tokens([UserMessage((part,))]) for part in parts]  # type: ignore[arg-type]  # any part will do
    assert empty == 0
    assert all(size >= 10 for size in sizes)


def test_what_the_provider_said_stays_when_it_said_all() -> None:
    said = reply("hello")
    said = type(said)(said.parts, "stop", Usage(10, 5, cost_usd=0.25))
    assert complete_usage(said, 999, PRICE) == Usage(10, 5, cost_usd=0.25)


def test_the_cost_is_reckoned_and_marked_when_the_provider_did_not_say_it() -> None:
    usage = complete_usage(reply("hello"), 999, PRICE)
    assert usage == Usage(10, 5, cost_usd=PRICE.of(Usage(10, 5)), is_estimate=True)


def test_the_cost_is_unknown_when_the_price_is() -> None:
    assert complete_usage(reply("hello"), 999, None) == Usage(10, 5)


def test_tokens_are_estimated_when_the_provider_says_nothing() -> None:
    said = reply("hello" * 30)
    silent = type(said)(said.parts, "stop", Usage())
    assert complete_usage(silent, 999, None) == Usage(999, 50, is_estimate=True)
    priced = complete_usage(silent, 999, PRICE)
    assert priced.cost_usd == pytest.approx(PRICE.of(Usage(999, 50)))


@given(
    left_usd=st.floats(0, 100),
    context=st.integers(0, 2_000_000),
    written=st.floats(0, 1),
)
def test_the_limit_holds_whatever_is_written(left_usd: float, context: int, written: float) -> None:
    allowance = allow(left_usd, PRICE, context)
    dearest = Price(3.75, 15)
    if allowance.next_tokens:
        output = int(allowance.next_tokens * written)
        spent = (
            dearest.of(Usage(context, output)) + dearest.of(Usage(context, 0)) + PRICE.of(Usage(output, CLOSING_TOKENS))
        )
        assert spent <= left_usd + 1e-9
    if allowance.closing_tokens:
        assert dearest.of(Usage(context, allowance.closing_tokens)) <= left_usd + 1e-9


def test_no_more_is_allowed_than_any_model_writes_when_nothing_costs_anything() -> None:
    assert allow(1, Price(0, 0), 1000) == (MOST_TOKENS, MOST_TOKENS)
    assert estimate_tokens([user_text("")]) == 0


@pytest.mark.parametrize(
    ("one", "other", "cost_usd", "is_estimate"),
    [
        (Usage(cost_usd=0.1), Usage(1, 1, cost_usd=0.2), 0.3, False),
        (Usage(), Usage(1, 1, cost_usd=0.2), 0.2, False),
        (Usage(1, 1), Usage(1, 1, cost_usd=0.2), 0.2, True),
        (Usage(0, 1, cost_usd=0.2), Usage(0, 1), 0.2, True),
        (Usage(1, 1), Usage(1, 1), None, False),
        (Usage(1, 1, cost_usd=0.1, is_estimate=True), Usage(1, 1, cost_usd=0.2), 0.3, True),
    ],
)
def test_a_sum_is_an_estimate_when_the_cost_of_a_part_is_not_known(
    one: Usage, other: Usage, cost_usd: float | None, is_estimate: bool
) -> None:
    total = one + other
    assert total.cost_usd == (None if cost_usd is None else pytest.approx(cost_usd))
    assert total.is_estimate is is_estimate
