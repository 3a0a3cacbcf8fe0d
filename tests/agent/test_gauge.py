from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.gauge import CHARACTERS_PER_TOKEN, IMAGE_TOKENS, Gauge, estimate_tokens
from cline_cli.agent.messages import ImagePart, Message, TextPart, ToolResult, UserMessage, user_text

ENGLISH = user_text("The quick brown fox jumps. " * 400)
IMAGE = UserMessage((ImagePart("image/png", b""),))


def length(*messages: Message) -> int:
    return sum(len(part.text) for message in messages for part in message.parts if isinstance(part, TextPart))


def measured(*messages: Message, base: int = 0) -> Gauge:
    gauge = Gauge(base)
    gauge.measure(messages)
    return gauge


def test_the_first_request_is_estimated_on_the_safe_side_when_nothing_is_known() -> None:
    gauge = measured(ENGLISH, base=6000)
    assert gauge.tokens == pytest.approx((6000 + length(ENGLISH)) / CHARACTERS_PER_TOKEN, abs=1)


def test_what_the_provider_says_counts_when_it_says_it() -> None:
    gauge = measured(ENGLISH)
    gauge.learn(2500)
    assert gauge.tokens == 2500


def test_only_what_was_added_is_estimated_when_the_rest_is_known() -> None:
    history: list[Message] = [ENGLISH]
    gauge = measured(*history)
    gauge.learn(2700)
    history.append(user_text("x" * 4000))
    gauge.measure(history)
    assert gauge.ratio == pytest.approx(4 * 0.9)
    assert gauge.tokens == pytest.approx(2700 + 4000 / 3.6, abs=1)


@pytest.mark.parametrize("characters_a_token", [1.0, 1.5, 2.6, 3.3, 4.2])
def test_the_next_estimate_is_near_when_the_text_has_one_density(characters_a_token: float) -> None:
    history: list[Message] = []
    gauge = Gauge(12_000)
    for turn in range(1, 6):
        history.append(user_text("語" * 9000))
        gauge.measure(history)
        truth = round((12_000 + 9000 * turn) / characters_a_token)
        if turn > 1:
            assert truth <= gauge.tokens <= truth * 1.12
        gauge.learn(truth)


def test_an_estimate_is_not_far_too_low_when_chinese_follows_english() -> None:
    history: list[Message] = [ENGLISH]
    gauge = measured(*history)
    gauge.learn(2700)
    for turn in (1, 2):
        history.append(user_text("汉" * 8000))
        gauge.measure(history)
        gauge.learn(2700 + 8000 * turn)
    history.append(user_text("汉" * 8000))
    gauge.measure(history)
    assert 8000 <= gauge.tokens - (2700 + 16_000) <= 8000 * 1.5


@pytest.mark.parametrize("nonsense", [0, 1, -5, 10**9])
def test_a_figure_is_not_believed_when_it_cannot_be_true(nonsense: int) -> None:
    gauge = measured(ENGLISH, base=6000)
    before = gauge.tokens
    gauge.learn(nonsense)
    assert (gauge.tokens, gauge.ratio) == (before, CHARACTERS_PER_TOKEN)


def test_a_figure_is_not_believed_when_it_leaves_out_what_came_from_a_cache() -> None:
    history: list[Message] = [user_text("a" * 300_000)]
    gauge = measured(*history)
    gauge.learn(80_000)
    history.append(user_text("and?"))
    gauge.measure(history)
    gauge.learn(12)
    assert gauge.tokens >= 80_000


def test_nothing_is_learned_of_density_when_the_request_is_small() -> None:
    gauge = measured(user_text("hi"))
    gauge.learn(600)
    assert gauge.ratio == CHARACTERS_PER_TOKEN
    assert gauge.tokens == 600


def test_nothing_is_learned_of_density_when_there_are_images() -> None:
    gauge = measured(ENGLISH, IMAGE)
    gauge.learn(9000)
    assert gauge.ratio == CHARACTERS_PER_TOKEN


def test_density_is_learned_of_what_follows_when_an_image_came_early() -> None:
    history: list[Message] = [IMAGE]
    gauge = measured(*history)
    gauge.learn(1000)
    history.append(ENGLISH)
    gauge.measure(history)
    gauge.learn(1000 + length(ENGLISH) // 2)
    assert gauge.ratio == pytest.approx(2 * 0.9)


def test_a_history_is_measured_anew_when_it_begins_differently() -> None:
    gauge = measured(ENGLISH, ENGLISH, base=3000)
    gauge.learn(6000)
    ratio = gauge.ratio
    gauge.begin_again([user_text("x" * 3000)])
    assert gauge.tokens == pytest.approx(6000 / ratio, abs=1)
    assert gauge.base_tokens == pytest.approx(3000 / ratio, abs=1)


def test_an_image_counts_as_a_large_one() -> None:
    assert estimate_tokens([ToolResult("1", (TextPart("abc"), ImagePart("image/png", b"x" * 9)))]) == 1 + IMAGE_TOKENS


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(-10, 10**10)), max_size=12))
def test_the_estimate_stays_within_reason_whatever_a_provider_says(turns: list[tuple[int, int]]) -> None:
    history: list[Message] = []
    gauge = Gauge(8000)
    for characters, said in turns:
        history.append(user_text("x" * characters))
        gauge.measure(history)
        gauge.learn(said)
        total = 8000 + length(*history)
        assert 0.5 <= gauge.ratio <= 5
        assert total / 16 <= gauge.tokens <= total * 2.5 + 20_000
