from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.network.decoding import PIECE_BYTES, Decoder, UndecodableError

BODY = b"data: one\n\n" * 50


def deflate_raw(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "identity": lambda body: body,
    "gzip": gzip.compress,
    "GZip ": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": deflate_raw,
}


def decode(encoding: str, *pieces: bytes) -> bytes:
    decoder = Decoder(encoding)
    return b"".join(part for piece in pieces for part in decoder.feed(piece))


@pytest.mark.parametrize("encoding", WAYS)
def test_body_comes_out_when_it_is_cut_anywhere(encoding: str) -> None:
    raw = WAYS[encoding](BODY)
    assert decode(encoding, raw) == BODY
    assert decode(encoding, *(raw[place : place + 1] for place in range(len(raw)))) == BODY
    for place in range(len(raw) + 1):
        assert decode(encoding, raw[:place], raw[place:]) == BODY


@given(st.lists(st.binary(max_size=200)))
def test_pieces_come_out_at_once_when_the_server_flushes_each(pieces: list[bytes]) -> None:
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    decoder = Decoder("gzip")
    for piece in pieces:
        raw = compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
        assert b"".join(decoder.feed(raw)) == piece


def test_pieces_stay_small_when_little_stands_for_much() -> None:
    bomb = gzip.compress(b"\n" * (64 << 20))
    sizes = [len(piece) for piece in Decoder("gzip").feed(bomb)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= PIECE_BYTES


def test_all_of_it_comes_out_when_it_is_put_together_of_several() -> None:
    assert decode("gzip", gzip.compress(b"one") + gzip.compress(b"two")) == b"onetwo"
    assert decode("gzip", gzip.compress(b"one"), gzip.compress(b"two")) == b"onetwo"


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip"])
def test_body_is_refused_when_it_is_compressed_as_nobody_asked(encoding: str) -> None:
    with pytest.raises(UndecodableError, match="not asked for"):
        Decoder(encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_damage_is_noticed_when_a_body_is_not_what_it_says(encoding: str) -> None:
    with pytest.raises(UndecodableError, match="damaged"):
        decode(encoding, b"plain text, and quite some of it")


def test_damage_is_noticed_when_it_comes_late() -> None:
    raw = bytearray(zlib.compress(BODY))
    raw[-1] ^= 1
    with pytest.raises(UndecodableError):
        decode("deflate", bytes(raw))


@given(st.sampled_from(["gzip", "deflate"]), st.binary())
def test_nothing_else_is_raised_when_bytes_are_random(encoding: str, raw: bytes) -> None:
    with contextlib.suppress(UndecodableError):
        decode(encoding, raw)
