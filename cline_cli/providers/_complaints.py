"""What a server says when it refuses, as our errors: one reading for every wire format. Pure.

The forms are those of the Cline API's documentation and of its 3.x command (observed 2026-11), of OpenAI and of
OpenRouter: `{"error": {"code", "message", "metadata"}}`, `{"error": "text"}`, and what proxies put in their place;
of Anthropic (`{"type": "error", "error": {"type", "message"}, "request_id"}`) and of Google (`[{"error": {"code",
"message", "status", "details"}}]`), documentation read 2026-11.
What a server says is untrusted, and may echo the key: it becomes one clean line without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from cline_cli.agent.messages import JsonValue
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
from cline_cli.redaction import MASK, Redactor
from cline_cli.text import one_line

MAX_ERROR_BYTES = 64 * 1024
"""More of an error's body is not read."""
MAX_WORDS = 300
_SHORTEST_SHOWN_KEY = 12
_SHORTEST_SECRET = 4
"""What is shorter is no key but a word that a local server asked for, and may stand in any sentence."""
_SHORTEST_PART = 8

_STATUS_OF_CODE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "API_KEY_INVALID": 401,
    "UNAUTHENTICATED": 401,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "insufficient_credits": 402,
    "insufficient_quota": 402,
    "PERMISSION_DENIED": 403,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "RESOURCE_EXHAUSTED": 429,
    "rate_limit": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "INTERNAL": 500,
    "api_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "server_error": 500,
    "UNAVAILABLE": 503,
    "server_is_overloaded": 503,
    "service_unavailable": 503,
    "slow_down": 503,
    "DEADLINE_EXCEEDED": 504,
    "timeout": 504,
    "timeout_error": 504,
    "overloaded": 529,
    "overloaded_error": 529,
}
# Texts, compiled when they are first needed: most runs are never refused.
_TOO_LONG = (
    r"(?i)context[ _](length|window|size|limit)|maximum (context|prompt)|(prompt|input|request) is too (long|large)"
    r"|too many (input )?tokens|reduce the length|input token count"
)
_NO_SUCH_MODEL = (
    r"(?i)not a valid model|model_not_found|(invalid|unknown|unsupported) model|no such model"
    r"|model \S{1,100} (is not|was not|not|does not) (found|exist|available|supported)"
)
_FILTERED = r"(?i)content[_ ](filter|policy)|(bio|cyber)_policy|policy_violation|invalid_prompt|moderation|flagged"
_TITLE = r"(?i)<title[^<>]*>([^<]+)"
_TAG = r"<[^<>]*>"
_BLOCKED = r"(?i)blocked by content filter"
_NO_CREDIT = r"(?i)credits are depleted"
_LOW_BALANCE = r"(?i)credit balance is too low"
_OPENAIS_DELAY = r"(?i)try again in (?:(\d{1,4})m)?(\d{1,7}(?:\.\d{1,9})?)(m?s)\b"
_GOOGLES_DELAY = r"(\d{1,7}(?:\.\d{1,9})?)s"
_SAYS_MORE_THAN_STATUS = {"insufficient_quota", "API_KEY_INVALID"}
"""Codes that count for more than the status of the answer that they come with."""


class Complaint(NamedTuple):
    """An error as a server put it."""

    status: int
    """Of the answer, or what its code amounts to; 0 for neither."""
    words: str
    """One clean line, or empty."""
    code: str = ""
    request_id: str = ""
    balance: str = ""
    """What is left of the credit, as the server writes it."""
    asked_s: float | None = None
    """After how long the server wants to be asked again; None where it does not say."""


def read_answer(status: int, headers: Mapping[str, str], body: bytes, key: str) -> Complaint:
    """Return what the answer to a request complains of; `headers` have names in lower case."""
    request_id = _clean(headers.get("x-request-id") or headers.get("request-id", ""), key)
    try:
        said: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        return Complaint(status, _clean(_to_text(body), key), request_id=request_id)
    complaint = read_error(said, key)
    status = complaint.status if complaint.code in _SAYS_MORE_THAN_STATUS else status
    return complaint._replace(status=status, request_id=request_id or complaint.request_id)


def read_error(said: JsonValue, key: str) -> Complaint:
    """Return the complaint in the JSON of an error, whole or without its outer `{"error": ...}`."""
    if isinstance(said, list):
        said = next(iter(said), None)
    outer = said if isinstance(said, Mapping) else {}
    error = outer.get("error")
    inner = error if isinstance(error, Mapping) else outer
    details = inner.get("details") or outer.get("details")
    reason = _in_googles_details(details, "reason")
    code = reason if reason in _SAYS_MORE_THAN_STATUS else _name(inner.get("code"))
    kind = _name(inner.get("type")) or _name(inner.get("status"))
    status = int(code) if re.fullmatch(r"[1-5]\d\d", code) else _STATUS_OF_CODE.get(code) or _STATUS_OF_CODE.get(kind)
    delay = re.fullmatch(_GOOGLES_DELAY, _in_googles_details(details, "retryDelay"))
    balance = details.get("current_balance") if isinstance(details, Mapping) else None
    words = _clean(_words_in(said), key)
    prepaid = {400: _LOW_BALANCE, 429: _NO_CREDIT}.get(status or 0)  # accounts at Anthropic, and at Google
    if prepaid and re.search(prepaid, words):
        status, code = 402, "insufficient_quota"
    return Complaint(
        status or 0,
        words,
        code or kind,
        _clean(_name(outer.get("request_id")), key),
        balance=_clean(_name(balance), key),
        asked_s=(float(delay[1]) or None) if delay else _asked_in_words(words) if status == 429 else None,
    )


def _asked_in_words(words: str) -> float | None:
    """Return after how long OpenAI wants to be asked again ("1.5s", "20ms", "6m0s"); in a stream it has no header."""
    asked = re.search(_OPENAIS_DELAY, words)
    return (60 * int(asked[1] or 0) + float(asked[2]) / (1000 if asked[3] == "ms" else 1) or None) if asked else None


def _in_googles_details(details: JsonValue, name: str) -> str:
    """Return a field of the first detail that has it, of those that Google's APIs list: `{"@type", ...}` each."""
    items = details if isinstance(details, list) else []
    return next((found for item in items if isinstance(item, Mapping) and (found := _name(item.get(name)))), "")


def _name(value: JsonValue) -> str:
    return str(value) if isinstance(value, str | int | float) else ""


def to_error(complaint: Complaint, endpoint: Endpoint, url: str, model: str) -> ProviderError:
    """Return our error for a complaint of the server at `url`, with what to do about it."""
    who, status, code = endpoint.provider, complaint.status, complaint.code
    says = f" ({status})" if status else ""
    says += f': "{complaint.words}"' if complaint.words else ""
    says += f" [request {complaint.request_id}]" if complaint.request_id else ""
    error: ProviderError
    if _is_filtered(complaint):
        error = ContentFilteredError(f"the content filter of {who} stopped the request{says}")
    elif status in {401, 403}:
        error = KeyRefusedError(
            f"{who} refused the key: unauthorized{says} ({_describe_key(endpoint)})",
            f"Give another one with `cline auth {who}`",
        )
    elif status == 402:
        left = f"; the balance is {complaint.balance}" if complaint.balance else ""
        where = "at https://app.cline.bot" if who == "cline" else "to that account"
        error = NoCreditError(f"{who} has no credit left for this{says}{left}", f"Add credits {where}")
    elif status == 413 or (status in {0, 400, 422} and re.search(_TOO_LONG, f"{code} {complaint.words}")):
        error = ContextWindowError(f"the conversation is too long for {model}{says}", "Begin a new one, or send less")
    elif _is_about_model(complaint):
        hint = f"Give another model with -m; the nearest that are known are {', '.join(nearest(model))}"
        error = UnknownModelError(f"{who} does not serve {one_line(model, 100)}{says}", hint)
    elif status == 404:
        other = ", or use `-P openai-compatible`, for servers without /responses" if url.endswith("/responses") else ""
        error = ProviderError(
            f"{who} has nothing at {url}{says}",
            f"Check the base URL: `cline auth -b URL`{other}",
        )
    elif status == 429:
        error = RateLimitedError(f"{who} is at its rate limit{says}", "Try again later")
    elif status in {408, 409} or status >= 500:
        error = ServerError(f"{who} failed{says}", "Try again later")
    else:
        error = ProviderError(f"{who} {'refused the request' if status else 'sent an error'}{says}")
    error.request_id = complaint.request_id
    return error


def _is_filtered(complaint: Complaint) -> bool:
    if complaint.status == 403:
        return bool(re.search(_FILTERED, f"{complaint.code} {complaint.words}"))
    is_filtered = re.search(_FILTERED, complaint.code) or re.search(_BLOCKED, complaint.words)
    return complaint.status in {0, 400, 422} and bool(is_filtered)


def _is_about_model(complaint: Complaint) -> bool:
    if complaint.status == 404:
        words = f"{complaint.code} {complaint.words}".lower()
        return "model" in words or "no endpoints found" in words  # OpenRouter's way to say it
    return complaint.status == 400 and bool(re.search(_NO_SUCH_MODEL, f"{complaint.code} {complaint.words}"))


def _describe_key(endpoint: Endpoint) -> str:
    if not endpoint.key:
        return "no key was sent"
    tail = f", ...{endpoint.key[-4:]}" if len(endpoint.key) >= _SHORTEST_SHOWN_KEY else ""
    other = "; another one is saved" if endpoint.has_other_key else ""
    return f"key from {endpoint.key_source}{tail}{other}"


def _words_in(said: JsonValue, depth: int = 5) -> str:
    """Return the sentence for people in the JSON of an error, wherever its maker has put it."""
    if isinstance(said, str):
        return said
    if depth and isinstance(said, list):
        return next(filter(None, (_words_in(item, depth - 1) for item in said)), "")
    if not depth or not isinstance(said, Mapping):
        return ""
    candidates = (_words_in(said.get(name), depth - 1) for name in ("error", "message", "detail", "msg", "errors"))
    words = next(filter(None, candidates), "")
    where = said.get("loc")
    steps = [_name(step) for step in where if step != "body"] if isinstance(where, list) else []
    field = ".".join(filter(None, steps))
    if words and field:  # FastAPI's form: the field that is meant stands apart
        words = f"{field}: {words}"
    metadata = said.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f"{words}: {raw}" if words and isinstance(raw, str) else words


def _to_text(body: bytes) -> str:
    """Return what can be read in a body that is no JSON: a page's title, or its text."""
    text = body.decode("utf-8", "replace")
    if "\0" in text or text.count("\ufffd") > len(text) // 10:
        return f"{len(body)} bytes that are no text"
    import html  # lazy: 1 ms of entities, and only proxies answer with pages

    title = re.search(_TITLE, text)
    return html.unescape(title[1] if title else re.sub(_TAG, " ", text))


def _clean(text: str, key: str) -> str:
    line = one_line(_without(text, key), len(text) * 10)
    return one_line(_without(line, key), MAX_WORDS)


def _without(text: str, key: str) -> str:
    """Return the text without the key, nor a part of it that an end of the text cuts off."""
    if len(key) < _SHORTEST_SECRET:
        return text
    text = Redactor([key], _SHORTEST_SECRET).redact(text)
    cut = next((size for size in range(len(key) - 1, _SHORTEST_PART - 1, -1) if text.endswith(key[:size])), 0)
    return text[:-cut] + MASK if cut else text
