"""Compressed bodies, decompressed in small pieces: a few bytes can say that a gigabyte follows.

We ask for gzip and deflate, which Python can do; RFC 9110 lets a server send no other then. `deflate` is meant with the
frame of zlib, and some servers leave that out (RFC 9110, section 8.4.1.2, read 2026-11). Pure.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

ACCEPTED = "gzip, deflate"
PIECE_BYTES = 64 * 1024
_GZIP = zlib.MAX_WBITS | 16
_WINDOW_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class UndecodableError(ValueError):
    """It is not compressed as it says."""


class Decoder:
    """Feed it a body in pieces of any size; `encoding` is that of its header."""

    def __init__(self, encoding: str) -> None:
        """Raises UndecodableError: that is none that was asked for."""
        name = encoding.strip().lower()
        self._is_plain = name in {"", "identity"}
        if not self._is_plain and name not in _WINDOW_BITS:
            raise UndecodableError("it is compressed in a way that was not asked for")
        self._window_bits = _WINDOW_BITS.get(name, zlib.MAX_WBITS)
        self._inflater = zlib.decompressobj(self._window_bits)
        self._is_known = name != "deflate"
        """Whether there is a frame of zlib."""
        self._start = b""
        """What came while that was not known."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the piece says, in pieces of at most PIECE_BYTES where it is compressed.

        Raises:
            UndecodableError: it is damaged.
        """
        if self._is_plain:
            yield data
            return
        if not self._is_known:
            data = self._start = self._start + data
            if len(data) < 2:
                return
            self._find_frame(data)
        while True:
            try:
                piece = self._inflater.decompress(data, PIECE_BYTES)
            except zlib.error:
                raise UndecodableError("it is damaged") from None
            if piece:
                yield piece
            data = self._inflater.unconsumed_tail
            if self._inflater.eof:  # one that is put together of several goes on
                data = self._inflater.unused_data
                self._inflater = zlib.decompressobj(self._window_bits)
                if not data:
                    return
            elif not data and len(piece) < PIECE_BYTES:
                return

    def _find_frame(self, start: bytes) -> None:
        """Look for the two bytes that begin a frame of zlib (RFC 1950)."""
        self._is_known = True
        if start[0] & 0x0F != zlib.DEFLATED or (start[0] << 8 | start[1]) % 31:
            self._window_bits = -zlib.MAX_WBITS
            self._inflater = zlib.decompressobj(self._window_bits)
