from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.catalog.models import nearest
from cline_cli.errors import (
    ContentFilteredError,
    ContextWindowError,
    KeyRefusedError,
    NoCreditError,
    ProviderError,
    RateLimitedError,
    ServerError,
    UnknownModelError,
)
from cline_cli.providers import Endpoint
from cline_cli.providers._complaints import Complaint, read_answer, read_error, to_error

KEY = "sk-or-canary-5cb1f3a2"
ENDPOINT = Endpoint("openrouter", "https://openrouter.ai/api/v1", KEY, "$OPENROUTER_API_KEY", "s1")
URL = f"{ENDPOINT.base_url}/chat/completions"
TOO_LONG = "This model's maximum context length is 8192 tokens"


def read(body: JsonValue | bytes, status: int = 500, request_id: str = "") -> Complaint:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(status, {"x-request-id": request_id} if request_id else {}, raw, KEY)


def explain(status: int, words: str = "", code: str = "", endpoint: Endpoint = ENDPOINT) -> ProviderError:
    return to_error(Complaint(status, words, code), endpoint, URL, "some/model")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "Not good", "code": 400}}, "Not good"),
        ({"error": "Not good", "success": False}, "Not good"),
        ({"message": "Not good"}, "Not good"),
        ({"detail": [{"loc": ["body"], "msg": "Not good"}]}, "Not good"),
        ({"detail": [{"loc": ["body", "messages", 3, "x"], "msg": "Not good"}]}, "messages.3.x: Not good"),
        ({"message": {"detail": [{"loc": ["x"], "msg": "Not good"}]}}, "x: Not good"),
        ({"detail": [{"loc": [None, {}], "msg": "Not good"}]}, "Not good"),
        ([{"error": {"message": "Not good"}}], "Not good"),
        ({"error": {"message": "Provider returned error", "metadata": {"raw": "x"}}}, "Provider returned error: x"),
        ("Not good", "Not good"),
        (b"Not\r\n  good \n", "Not good"),
        (b"<html><title>502 Bad &amp; Gateway</title><body><h1>nginx</h1></body></html>", "502 Bad & Gateway"),
        (b"<p>Not <b>good</b></p>", "Not good"),
        (b"", ""),
        (b"\0\1\2", "3 bytes that are no text"),
        (b"\xff" * 9, "9 bytes that are no text"),
        ({"error": {"message": None}}, ""),
        ({"error": {}}, ""),
        ([], ""),
        (None, ""),
        (b"[" * 50_000, "[" * 299 + "…"),
        ("\x1b[31mred\x1b[0m\x07 \x9b2J", "red"),
        ("a\u202eb", "a<U+202E>b"),
    ],
)  # fmt: skip
def test_words_are_found_when_a_body_has_some(body: JsonValue | bytes, words: str) -> None:
    assert read(body).words == words


def test_words_are_cut_when_they_are_many() -> None:
    assert len(read({"error": "word " * 1000}).words) == 300


@pytest.mark.parametrize(
    "body",
    [
        f"Incorrect key: {KEY}",
        {"error": {"message": f"bad {KEY}, really {KEY}"}},
        {"error": {"message": "no", "metadata": {"raw": f"Bearer {KEY}"}}},
        f"<title>{KEY}</title>",
        f"bad {KEY[:5]}\x00{KEY[5:]}",
        "x" * 290 + KEY,
        f"cut off in the middle of {KEY[:-2]}",
        "word " * 100 + KEY,
    ],
)
def test_key_is_not_in_the_words_when_the_server_echoes_it(body: JsonValue) -> None:
    complaint = read(body, request_id=f"id-{KEY}")
    assert KEY[:10] not in repr(complaint)
    assert "***" in complaint.request_id


def test_words_are_kept_when_the_key_is_a_mere_word() -> None:
    assert read_error("no x here", "x").words == "no x here"


@given(st.binary() | st.text().map(str.encode), st.text(min_size=4))
def test_complaint_is_one_clean_line_when_bodies_are_random(body: bytes, key: str) -> None:
    words = read_answer(500, {}, body + key.encode("utf-8", "replace"), key).words
    assert len(words) <= 300
    assert words.isprintable()
    assert len(words.splitlines()) <= 1


NAMES = st.sampled_from("error message code type details metadata raw detail current_balance".split())
ANYTHING = st.recursive(
    st.none() | st.text() | st.integers() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(ANYTHING)
def test_error_is_made_when_its_json_is_random(said: JsonValue) -> None:
    assert isinstance(to_error(read_error(said, KEY), ENDPOINT, URL, "m"), ProviderError)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"code": 429, "message": "x"}, 429),
        ({"code": "502"}, 502),
        ({"code": "rate_limit"}, 429),
        ({"code": "server_error"}, 500),
        ({"code": "overloaded"}, 529),
        ({"type": "overloaded_error"}, 529),
        ({"code": None, "type": "rate_limit_error"}, 429),
        ({"code": "context_length_exceeded"}, 0),
        ({"code": 7}, 0),
        ({"code": ["x"]}, 0),
        ("text", 0),
        (None, 0),
        ({"error": {"code": 503}}, 503),
    ],
)
def test_status_is_found_when_an_error_has_only_a_code(said: JsonValue, status: int) -> None:
    assert read_error(said, KEY).status == status


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, 429),
        ({"status": "RESOURCE_EXHAUSTED"}, 429),
        ({"status": "UNAVAILABLE"}, 503),
        ({"status": "INTERNAL"}, 500),
        ({"status": "DEADLINE_EXCEEDED"}, 504),
        ({"status": "PERMISSION_DENIED"}, 403),
        ({"status": "UNAUTHENTICATED"}, 401),
        ({"status": "INVALID_ARGUMENT"}, 0),
        ({"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}, 401),
        ({"code": 400, "status": "INVALID_ARGUMENT", "details": [{"reason": "SOMETHING_ELSE"}]}, 400),
        ({"code": 429, "message": "Your prepayment credits are depleted."}, 402),
    ],
)
def test_status_is_found_when_google_complains(error: JsonObject, status: int) -> None:
    for said in ({"error": error}, [{"error": error}], error):
        assert read_error(said, KEY).status == status


def test_reason_counts_for_more_than_the_status_when_google_refuses_a_key() -> None:
    details: JsonValue = [{"@type": "Help"}, {"@type": "ErrorInfo", "reason": "API_KEY_INVALID"}]
    complaint = read({"error": {"code": 400, "message": "API key not valid.", "details": details}}, 400)
    assert isinstance(to_error(complaint, ENDPOINT, URL, "m"), KeyRefusedError)


@pytest.mark.parametrize(
    ("delay", "asked_s"),
    [
        ("17s", 17),
        ("34.4s", 34.4),
        ("3600s", 3600),
        ("0s", None),
        ("0.000s", None),
        ("-5s", None),
        ("17", None),
        ("17m", None),
        ("9" * 400 + "s", None),
        ("nans", None),
        (17, None),
        (None, None),
    ],
)
def test_delay_is_read_when_google_says_one(delay: JsonValue, asked_s: float | None) -> None:
    details: JsonValue = ["x", None, {"@type": "Help", "links": []}, {"@type": "RetryInfo", "retryDelay": delay}]
    error: JsonObject = {"code": 429, "message": "Quota exceeded.", "details": details}
    for said in ({"error": error}, [{"error": error}], error):
        assert read_error(said, KEY).asked_s == asked_s
        assert read(said, 429).asked_s == asked_s


def test_status_of_the_answer_counts_when_the_code_is_another() -> None:
    assert read({"error": {"code": 429}}, 500).status == 500


def test_credit_is_used_up_when_that_is_why_requests_are_refused() -> None:
    assert read({"error": {"code": "insufficient_quota", "message": "x"}}, 429).status == 402


@pytest.mark.parametrize("where", ["inner", "outer"])
def test_balance_is_told_when_credit_is_used_up(where: str) -> None:
    details: JsonObject = {"details": {"current_balance": -0.25}}
    error: JsonObject = {"code": "insufficient_credits", "message": "Out of credits"}
    said: JsonObject = {"error": {**error, **details}} if where == "inner" else {"error": error, **details}
    failure = to_error(read(said, 402), replace(ENDPOINT, provider="cline"), URL, "m")
    assert isinstance(failure, NoCreditError)
    assert failure.message == 'cline has no credit left for this (402): "Out of credits"; the balance is -0.25'
    assert failure.hint == "Add credits at https://app.cline.bot"


def test_source_and_end_of_the_key_are_told_when_it_is_refused() -> None:
    failure = explain(401, "No auth credentials found")
    assert isinstance(failure, KeyRefusedError)
    assert failure.message == (
        'openrouter refused the key: unauthorized (401): "No auth credentials found"'
        " (key from $OPENROUTER_API_KEY, ...f3a2)"
    )
    assert failure.hint == "Give another one with `cline auth openrouter`"
    assert failure.exit_code == 3


@pytest.mark.parametrize(
    ("key", "description"),
    [
        ("", "(no key was sent)"),
        ("shortsecret", "(key from the keyring)"),
        ("x" * 8 + "1234", "(key from the keyring, ...1234)"),
    ],
)
def test_key_is_described_without_telling_it_when_it_is_refused(key: str, description: str) -> None:
    failure = explain(403, endpoint=replace(ENDPOINT, key=key, key_source="the keyring"))
    assert failure.message == f"openrouter refused the key: unauthorized (403) {description}"


@pytest.mark.parametrize(
    ("complaint", "kind", "message"),
    [
        (Complaint(401, ""), KeyRefusedError, "unauthorized (401)"),
        (Complaint(403, "no"), KeyRefusedError, 'unauthorized (403): "no"'),
        (Complaint(403, "Your input was flagged"), ContentFilteredError, "content filter"),
        (Complaint(402, ""), NoCreditError, "has no credit left for this (402)"),
        (Complaint(404, "No such model"), UnknownModelError, "openrouter does not serve some/model (404)"),
        (Complaint(404, "x", "model_not_found"), UnknownModelError, "does not serve"),
        (Complaint(404, ""), ProviderError, "nothing at https://openrouter.ai/api/v1/chat/completions (404)"),
        (Complaint(400, "foo/bar is not a valid model ID"), UnknownModelError, 'some/model (400): "foo/bar is not'),
        (Complaint(400, "The model `x` does not exist"), UnknownModelError, "does not serve"),
        (Complaint(400, "this model does not take images"), ProviderError, 'refused the request (400): "this model'),
        (Complaint(400, "bad"), ProviderError, 'openrouter refused the request (400): "bad"'),
        (Complaint(422, "bad"), ProviderError, 'refused the request (422): "bad"'),
        (Complaint(418, ""), ProviderError, "refused the request (418)"),
        (Complaint(302, ""), ProviderError, "refused the request (302)"),
        (Complaint(413, ""), ContextWindowError, "the conversation is too long for some/model (413)"),
        (Complaint(400, TOO_LONG), ContextWindowError, "too long for some/model (400)"),
        (Complaint(400, "prompt is too long: 9 tokens"), ContextWindowError, "too long for"),
        (Complaint(400, "The input token count (9) exceeds the maximum"), ContextWindowError, "too long for"),
        (Complaint(422, "", "context_length_exceeded"), ContextWindowError, "too long for"),
        (Complaint(0, "", "context_length_exceeded"), ContextWindowError, "too long for"),
        (Complaint(400, "", "content_filter"), ContentFilteredError, "content filter"),
        (Complaint(0, "", "content_filter"), ContentFilteredError, "content filter"),
        (Complaint(429, "slow down"), RateLimitedError, 'openrouter is at its rate limit (429): "slow down"'),
        (Complaint(408, ""), ServerError, "openrouter failed (408)"),
        (Complaint(409, ""), ServerError, "openrouter failed (409)"),
        (Complaint(503, "down"), ServerError, 'openrouter failed (503): "down"'),
        (Complaint(529, ""), ServerError, "openrouter failed (529)"),
        (Complaint(0, "broken"), ProviderError, 'openrouter sent an error: "broken"'),
        (Complaint(500, "x", request_id="r7"), ServerError, 'openrouter failed (500): "x" [request r7]'),
    ],
)
def test_kind_fits_when_a_server_complains(complaint: Complaint, kind: type[ProviderError], message: str) -> None:
    failure = to_error(complaint, ENDPOINT, URL, "some/model")
    assert type(failure) is kind
    assert message in failure.message
    assert not failure.message.endswith(".")
    assert failure.request_id == complaint.request_id


def test_the_nearest_models_are_named_when_one_is_not_served() -> None:
    failure = to_error(Complaint(404, "no such model"), ENDPOINT, URL, "anthropic/claude-sonet-4.6")
    assert "are anthropic/claude-sonnet-4.6, anthropic/claude-sonnet-4.5, " in failure.hint


def test_remedy_is_told_when_there_is_one() -> None:
    assert [explain(status, "model").hint for status in (401, 402, 404, 413, 429, 500)] == [
        "Give another one with `cline auth openrouter`",
        "Add credits to that account",
        f"Give another model with -m; the nearest that are known are {', '.join(nearest('some/model'))}",
        "Begin a new one, or send less",
        "Try again later",
        "Try again later",
    ]
    assert "cline auth -b URL" in explain(404).hint


@pytest.mark.parametrize(
    ("headers", "body", "request_id"),
    [
        ({"request-id": "r1"}, {}, "r1"),
        ({"x-request-id": "r1", "request-id": "r2"}, {"request_id": "r3"}, "r1"),
        ({}, {"type": "error", "error": {"message": "x"}, "request_id": "r3"}, "r3"),
        ({}, {"request_id": {"a": 1}}, ""),
        ({}, {"request_id": KEY}, "***"),
    ],
)
def test_request_id_is_found_when_it_stands_where_anthropic_puts_it(
    headers: dict[str, str], body: JsonValue, request_id: str
) -> None:
    assert read_answer(400, headers, json.dumps(body).encode(), KEY).request_id == request_id


@pytest.mark.parametrize(
    ("kind", "words", "status"),
    [
        ("invalid_request_error", "tools.0: bad", 400),
        ("invalid_request_error", "Your credit balance is too low to access the API.", 402),
        ("authentication_error", "invalid x-api-key", 401),
        ("billing_error", "Check your payment details", 402),
        ("permission_error", "not allowed", 403),
        ("not_found_error", "model: x", 404),
        ("conflict_error", "busy", 409),
        ("request_too_large", "too large", 413),
        ("rate_limit_error", "slow down", 429),
        ("api_error", "oh", 500),
        ("timeout_error", "late", 504),
        ("overloaded_error", "Overloaded", 529),
    ],
)
def test_status_is_told_by_the_type_when_anthropic_sends_an_error_in_a_stream(
    kind: str, words: str, status: int
) -> None:
    said: JsonObject = {"type": "error", "error": {"type": kind, "message": words}}
    assert read_error(said, KEY)[:2] == (status, words)


def test_missing_credit_counts_for_more_than_the_status_when_anthropic_says_so() -> None:
    said: JsonObject = {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}}
    assert read(said, 400).status == 402


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000", ContextWindowError),
        ("prompt is too long: 210000 tokens > 200000 maximum", ContextWindowError),
        ("Output blocked by content filtering policy", ContentFilteredError),
        ("the content filter is no parameter", ProviderError),
    ],
)
def test_kind_is_told_by_the_words_when_the_type_does_not(words: str, kind: type[ProviderError]) -> None:
    assert type(explain(400, words, "invalid_request_error")) is kind


OPENAIS: list[tuple[JsonObject, type[ProviderError]]] = [
    ({"code": "rate_limit_exceeded", "message": "Rate limit reached"}, RateLimitedError),
    ({"code": "server_error", "message": "x"}, ServerError),
    ({"type": "server_error", "code": None, "message": "Sorry"}, ServerError),
    ({"code": "server_is_overloaded", "message": "x"}, ServerError),
    ({"code": "slow_down", "message": "x"}, ServerError),
    ({"type": "insufficient_quota", "code": "insufficient_quota", "message": "x"}, NoCreditError),
    ({"code": "invalid_prompt", "message": "Invalid prompt"}, ContentFilteredError),
    ({"code": "bio_policy", "message": "x"}, ContentFilteredError),
    ({"code": "misalignment_policy_violation", "message": "x"}, ContentFilteredError),
    ({"code": "image_content_policy_violation", "message": "x"}, ContentFilteredError),
    ({"type": "invalid_request_error", "code": "context_length_exceeded", "message": "x"}, ContextWindowError),
    ({"code": "invalid_image", "message": "The image is broken"}, ProviderError),
]
"""What a stream of responses goes on with, or its last event has."""


@pytest.mark.parametrize(("said", "kind"), OPENAIS)
def test_kind_fits_when_a_stream_of_responses_fails(said: JsonObject, kind: type[ProviderError]) -> None:
    assert type(to_error(read_error(said, KEY), ENDPOINT, URL, "m")) is kind


@pytest.mark.parametrize(
    ("words", "asked_s"),
    [
        ("Limit 3, Used 3. Please try again in 1.5s. Visit x", 1.5),
        ("Please try again in 20ms.", 0.02),
        ("Please try again in 6m0s.", 360),
        ("Please try again in 0s.", None),
        ("Please try again in 5 days.", None),
        ("Please try again in 99999999999s.", None),
        ("Please try again later.", None),
    ],
)
def test_wait_is_read_in_the_words_when_a_limit_of_requests_is_reached(words: str, asked_s: float | None) -> None:
    assert read_error({"code": "rate_limit_exceeded", "message": words}, KEY).asked_s == asked_s
    assert read_error({"code": "server_error", "message": words}, KEY).asked_s is None


def test_other_provider_is_named_when_there_are_no_responses_at_the_base_url() -> None:
    hint = to_error(Complaint(404, ""), ENDPOINT, f"{ENDPOINT.base_url}/responses", "m").hint
    assert hint.startswith("Check the base URL: `cline auth -b URL`, or use `-P openai-compatible`")
    assert "-P" not in explain(404).hint
