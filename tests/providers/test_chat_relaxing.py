from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.errors import ContentFilteredError, ContextWindowError, ProviderError
from cline_cli.providers import Endpoint
from cline_cli.providers._chat_dialects import DIALECTS, Dialect, find_dialect
from cline_cli.providers._chat_relaxing import Relaxed, relax
from cline_cli.providers._complaints import Complaint, to_error

PLAIN = find_dialect("openai-compatible")
LOCAL = find_dialect("ollama")
CLINE = find_dialect("cline")
ENDPOINT = Endpoint("openai-compatible", "http://h", "", "", "s")
MISSES = "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2"
BOTH = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
WINDOW = (
    "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens (1600 in the messages,"
    " 38400 in the completion)."
)
TOO_LARGE = (
    "'max_tokens' or 'max_completion_tokens' is too large: 38400. This model's maximum context length is 32768 tokens"
    " and your request has 1600 input tokens"
)


def hear(dialect: Dialect, words: str, status: int = 400, code: str = "") -> Relaxed | None:
    complaint = Complaint(status, words, code)
    return relax(dialect, complaint, to_error(complaint, ENDPOINT, "http://h/x", "m"))


@pytest.mark.parametrize(
    ("dialect", "words", "after"),
    [
        (PLAIN, "stream_options: Extra inputs are not permitted", PLAIN._replace(asks_for_usage=False)),
        (PLAIN, "Unrecognized request argument supplied: stream_options", PLAIN._replace(asks_for_usage=False)),
        (PLAIN, "tool_choice is not supported", PLAIN._replace(chooses_tools=False)),
        (
            PLAIN,
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            PLAIN._replace(chooses_tools=False),
        ),
        (CLINE, "cache_control: unknown field", CLINE._replace(marks_cache=False)),
        (PLAIN, BOTH, PLAIN._replace(limit="max_completion_tokens")),
        (PLAIN, "max_completion_tokens: Extra inputs are not permitted", PLAIN._replace(limit="max_tokens")),
        (LOCAL, "max_tokens: Extra inputs are not permitted", LOCAL._replace(limit="")),
        (PLAIN, "max_tokens is too large: 38400. It has to be at most 16384", PLAIN._replace(limit="")),
        (PLAIN, "Range of max_tokens should be [1, 8192]", PLAIN._replace(limit="")),
        (PLAIN, WINDOW, PLAIN._replace(limit="")),
        (PLAIN, TOO_LARGE, PLAIN._replace(limit="")),
        (LOCAL, '"qwen2.5-coder:7b" does not support thinking', LOCAL._replace(effort="")),
        (PLAIN, "Unrecognized request argument supplied: reasoning_effort", PLAIN._replace(effort="")),
        (PLAIN, "reasoning_effort must be one of low, medium, high", PLAIN._replace(effort="")),
        (CLINE, "reasoning: unknown field", CLINE._replace(effort="")),
        (
            PLAIN,
            "'messages.2' : for 'role:assistant' property 'reasoning_content' is unsupported",
            PLAIN._replace(thinking=""),
        ),
        (
            PLAIN,
            "messages.3.assistant.reasoning_content: Extra inputs are not permitted",
            PLAIN._replace(thinking=""),
        ),
        (PLAIN, MISSES, PLAIN._replace(thinking="required")),
        (
            PLAIN,
            "The reasoning_content in the thinking mode must be passed back to the API.",
            PLAIN._replace(thinking="required"),
        ),
        (PLAIN, "Missing reasoning_content field in the assistant message", PLAIN._replace(thinking="required")),
        (
            PLAIN,
            "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
            PLAIN._replace(has_short_ids=True),
        ),
    ],
)
def test_request_does_without_when_the_server_refuses_something_by_name(
    dialect: Dialect, words: str, after: Dialect
) -> None:
    for status in (400, 422):
        relaxed = hear(dialect, words, status)
        assert relaxed is not None
        assert relaxed.dialect == after
        assert relaxed.why.startswith("the server ")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "messages: expected at least one"),
        (400, ""),
        (401, "stream_options needs another key"),
        (404, "no model takes reasoning_effort"),
        (429, "tool_choice"),
        (500, "stream_options broke us"),
        (0, "max_tokens"),
        (400, "the conversation is longer than the context window of 4096 tokens"),
        (413, "request entity too large"),
    ],
)
def test_refusal_stays_when_nothing_could_be_left_out(status: int, words: str) -> None:
    assert hear(PLAIN, words, status) is None


def test_refusal_stays_when_a_filter_stopped_the_request() -> None:
    complaint = Complaint(400, "stream_options", "content_filter")
    assert relax(PLAIN, complaint, ContentFilteredError("no")) is None


def test_limit_is_given_up_when_both_of_its_names_are_refused() -> None:
    one = hear(PLAIN, BOTH)
    assert one is not None
    other = hear(one.dialect, "max_completion_tokens: Extra inputs are not permitted")
    assert other is not None
    assert other.dialect.limit == ""
    assert hear(other.dialect, BOTH) is None
    assert hear(other.dialect, WINDOW) is None


WORDS = st.sampled_from(
    f"stream_options|tool_choice|cache_control|{BOTH}|max_completion_tokens is unknown|max_tokens too large|{WINDOW}"
    f"|{MISSES}|does not support thinking|assistant property reasoning is unsupported|length of 9|tool call id was x"
    " with a length of 9|reasoning_effort|nonsense".split("|")
)


@given(st.sampled_from(sorted(DIALECTS)), st.lists(WORDS, max_size=40))
def test_no_server_makes_it_go_round_when_it_complains_again_and_again(provider: str, complaints: list[str]) -> None:
    dialect = find_dialect(provider)
    seen = [dialect]
    for words in complaints:
        if relaxed := hear(dialect, words):
            dialect = relaxed.dialect
            assert dialect not in seen
            seen.append(dialect)
    assert len(seen) <= 10


@given(st.text(), st.text(), st.sampled_from([0, 400, 413, 422, 500]))
def test_relaxing_never_fails_when_words_are_random(words: str, code: str, status: int) -> None:
    for error in (ProviderError("x"), ContextWindowError("x")):
        relax(CLINE, Complaint(status, words, code), error)
