from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.machine.contents import BinaryError, Encoding, decode, detect_encoding, detect_image, encode


@pytest.mark.parametrize(
    ("data", "text", "label"),
    [
        (b"caf\xc3\xa9", "café", ""),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "café", "UTF-8 with a byte order mark"),
        ("café\r\n".encode("utf-16"), "café\r\n", "UTF-16"),
        (b"\xfe\xff" + "🎉".encode("utf-16-be"), "🎉", "UTF-16"),
        (b"caf\xe9 \x80", "café \x80", "Latin-1"),
        (b"", "", ""),
    ],
)
def test_text_is_decoded_as_it_was_written(data: bytes, text: str, label: str) -> None:
    decoded, encoding = decode(data)
    assert (decoded, encoding.label) == (text, label)
    assert encode(decoded, encoding) == data


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x7fELF\x02\x01", "ELF"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "zip"),
        (b"SQLite format 3\0", "SQLite"),
        (b"text\0text", "binary data"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        ("text".encode("utf-32"), "UTF-32"),
        (b"\xff\xfea\0b", "damaged UTF-16"),
        (b"\xff\xfe\x00\xd8a\0", "damaged UTF-16"),
        (b"\xef\xbb\xbf\xff", "damaged UTF-8"),
    ],
)
def test_it_is_said_what_it_is_when_it_is_not_text(data: bytes, kind: str) -> None:
    with pytest.raises(BinaryError, match=kind):
        decode(data)


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", ""),
        (b"<svg>", ""),
    ],
)
def test_images_are_known_by_their_first_bytes(head: bytes, media_type: str) -> None:
    assert detect_image(head) == media_type


def test_a_character_that_the_encoding_lacks_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode("€", Encoding("latin-1"))
    with pytest.raises(UnicodeEncodeError):
        encode("\ud800", detect_encoding(b""))


@settings(deadline=None)
@given(st.binary(), st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"]))
def test_every_text_is_encoded_to_the_bytes_it_came_from(body: bytes, bom: bytes) -> None:
    try:
        text, encoding = decode(bom + body)
    except BinaryError:
        return
    assert encode(text, encoding) == bom + body
