from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.redaction import MASK, MaskedBytes, RedactedStream, Redactor

KEY = 'sk-canary/7d+1f=4b"x'
PLAIN = "sk-test-canary-7d1f4b"
WAYS: dict[str, Callable[[str], str]] = {
    "as-it-is": lambda key: key,
    "bearer": lambda key: f"Authorization: Bearer {key}",
    "json": lambda key: json.dumps({"a": [key]}),
    "json-in-json": lambda key: json.dumps({"arguments": json.dumps({"key": key})}),
    "url": lambda key: f"https://host/?key={quote(key, safe='')}&a=b",
    "url-path": lambda key: f"https://host/{quote(key)}/x",
    "url-lower": lambda key: quote(key, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64-of-basic": lambda key: base64.b64encode(f"u:{key}".encode()).decode(),
    "base64-in-the-middle": lambda key: base64.b64encode(f"x{key}, and more".encode()).decode(),
    "base64-url": lambda key: base64.urlsafe_b64encode(f"??{key}>>".encode()).decode(),
}


def is_told(text: str, key: str) -> bool:
    """Whether somebody who looks for the key, or for ten characters of its encoded forms, would find it."""
    encoded = {base64.b64encode(b"\0" * before + key.encode()).decode()[4:-4] for before in range(3)}
    return any(form in text for form in (key, quote(key, safe=""), json.dumps(key)[1:-1], *encoded))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("key", [PLAIN, KEY])
def test_a_secret_is_masked_when_it_is_written_in_any_of_these_ways(way: Callable[[str], str], key: str) -> None:
    text = f"before {way(key)} after"
    redacted = Redactor([key]).redact(text)
    assert MASK in redacted
    assert not is_told(redacted, key)
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_text_is_masked_as_the_whole_when_it_comes_in_pieces(way: Callable[[str], str]) -> None:
    text = f"sk-s{way(PLAIN)} sk-test-cana {way(PLAIN)}sk-"
    whole = Redactor([PLAIN]).redact(text)
    for size in range(1, len(text) + 1):
        stream = RedactedStream(Redactor([PLAIN]))
        pieces = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
        assert not any(is_told(piece, PLAIN) for piece in pieces)
        assert "".join(pieces) + stream.close() == whole
        assert stream.close() == ""


@given(st.lists(st.sampled_from(["s", "sk-", "sk-test-", "canary-7d1f4b", "-", "word ", PLAIN, "c2stdGVz"])))
def test_no_piece_tells_a_secret_when_pieces_are_random(pieces: list[str]) -> None:
    stream = RedactedStream(Redactor([PLAIN]))
    shown = "".join(stream.feed(piece) for piece in pieces) + stream.close()
    assert PLAIN not in shown
    assert shown == "".join(pieces).replace(PLAIN, MASK)


@given(st.lists(st.sampled_from([b"s", b"sk-", b"sk-test-canary-", b"7d1f4b", b"\xff\n", PLAIN.encode()])))
def test_bytes_keep_their_number_when_a_secret_is_masked(pieces: list[bytes]) -> None:
    masked = MaskedBytes(Redactor([PLAIN]))
    written = b"".join(masked.feed(piece) for piece in pieces) + masked.close()
    assert written == b"".join(pieces).replace(PLAIN.encode(), b"*" * len(PLAIN))


def test_text_is_the_same_object_when_it_holds_no_secret() -> None:
    text = "nothing to see " * 3
    assert Redactor([PLAIN]).redact(text) is text
    assert RedactedStream(Redactor([])).feed("sk") == "sk"
    assert MaskedBytes(Redactor([])).feed(b"sk") == b"sk"


def test_a_word_is_left_alone_when_it_is_too_short_to_be_a_secret() -> None:
    assert Redactor(["ollama", ""]).redact("install ollama") == "install ollama"
    assert Redactor(["none"], shortest=4).redact("none") == MASK


def test_base64_is_left_alone_when_the_secret_is_short() -> None:
    encoded = base64.b64encode(b"elevenchars").decode()
    assert Redactor(["elevenchars"]).redact(encoded) == encoded


def test_the_longer_secret_is_masked_when_one_begins_like_another() -> None:
    redactor = Redactor(["secret-1", "secret-1-and-more"])
    assert redactor.redact("secret-1-and-more, secret-1") == f"{MASK}, {MASK}"


def test_form_encoding_is_masked_when_the_secret_has_no_spaces() -> None:
    key = KEY.replace(" ", "")
    assert quote_plus(key) not in Redactor([key]).redact(f"key={quote_plus(key)}")
