"""What the bytes of a file are: text in which encoding, an image, or something that is not to be read as text. Pure."""

from __future__ import annotations

import codecs
from typing import NamedTuple

SNIFFED_BYTES = 8192
"""How much of a file tells what it is."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BINARIES = (
    (b"\x7fELF", "an ELF program or library"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program or library"),
    (b"MZ\x90\0", "a Windows program"),
    (b"\0asm", "WebAssembly"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"SQLite format 3\0", "an SQLite database"),
    (codecs.BOM_UTF32_LE, "UTF-32 text"),
)


class BinaryError(Exception):
    """The bytes are not text; the message says what they are: "a zip archive"."""


class Encoding(NamedTuple):
    name: str
    bom: bytes = b""
    """What the file begins with, and goes on to."""

    @property
    def label(self) -> str:
        """For people and models: "UTF-16"; empty for plain UTF-8."""
        if self.name == "latin-1":
            return "Latin-1"
        return "UTF-16" if self.name.startswith("utf-16") else "UTF-8 with a byte order mark" if self.bom else ""


UTF_8 = Encoding("utf-8")
LATIN_1 = Encoding("latin-1")


def detect_image(head: bytes) -> str:
    """Return the media type of an image a model may see, from its first bytes; empty for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for magic, media_type in _IMAGES if head.startswith(magic)), "")


def detect_encoding(head: bytes) -> Encoding:
    """Return the encoding that the first bytes of a file announce; UTF-8 where they announce none.

    Raises:
        BinaryError: they are not text.
    """
    kind = detect_image(head) or next((kind for magic, kind in _BINARIES if head.startswith(magic)), "")
    if kind:
        raise BinaryError(kind)
    for bom, name in _BOMS:
        if head.startswith(bom):
            return Encoding(name, bom)
    if b"\0" in head[:SNIFFED_BYTES]:
        raise BinaryError("binary data")
    return UTF_8


def decode(data: bytes) -> tuple[str, Encoding]:
    """Return the text of a whole file and how it was encoded; what is not valid UTF-8 counts as Latin-1.

    Raises:
        BinaryError: it is not text.
    """
    encoding = detect_encoding(data[:SNIFFED_BYTES])
    try:
        return data[len(encoding.bom) :].decode(encoding.name), encoding
    except UnicodeDecodeError:
        if encoding.bom:
            raise BinaryError(f"damaged {encoding.label} text") from None
    return data.decode("latin-1"), LATIN_1


def encode(text: str, encoding: Encoding) -> bytes:
    """Return the bytes of a file; `encode(*decode(data))` is `data`.

    Raises:
        UnicodeEncodeError: a character does not exist in that encoding.
    """
    return encoding.bom + text.encode(encoding.name)
