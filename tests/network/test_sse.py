from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.network.sse import MAX_EVENT_BYTES, Decoder, EventTooLargeError

STREAMS = [
    pytest.param(b"data: one\n\ndata: two\n\n", ["one", "two"], id="newlines"),
    pytest.param(b"data: one\r\n\r\ndata: two\r\n\r\n", ["one", "two"], id="carriage returns and newlines"),
    pytest.param(b"data: one\r\rdata: two\r\r", ["one", "two"], id="carriage returns"),
    pytest.param(b"data: one\r\n\ndata: two\n\r\n", ["one", "two"], id="mixed line ends"),
    pytest.param(b"\xef\xbb\xbfdata: one\n\n", ["one"], id="byte order mark"),
    pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: one\n\n", [], id="second byte order mark"),
    pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", ["a"], id="late byte order mark"),
    pytest.param(b": hello\ndata: one\n: there\n\n:\n\n", ["one"], id="comments"),
    pytest.param(b"data: one\ndata: two\n\n", ["one\ntwo"], id="two lines of data"),
    pytest.param(b"data: one\r\ndata: two\r\n\r\n", ["one\ntwo"], id="two lines of data, carriage returns"),
    pytest.param(b"data\ndata\n\ndata:\n\n", ["\n", ""], id="no colon and no value"),
    pytest.param(b"data:one\n\ndata:  two\n\n", ["one", " two"], id="one space is taken away"),
    pytest.param(b"event: x\nid: 7\nretry: 5\nodd\nDATA: no\n data: no\ndata: one\n\n", ["one"], id="other fields"),
    pytest.param(b"event: x\n\n\n\n\n", [], id="no data"),
    pytest.param(b"data: a:b\n\n", ["a:b"], id="colon in the value"),
    pytest.param(b"data: one\n\ndata: lost\n", ["one"], id="no empty line at the end"),
    pytest.param("data: né 漢 🙂\n\n".encode(), ["né 漢 🙂"], id="characters of several bytes"),
    pytest.param("data: a\u2028b\x0bc\x85\x1cd\n\n".encode(), ["a\u2028b\x0bc\x85\x1cd"], id="other separators"),
    pytest.param(b"data: \xff\xe2\x82\n\n", ["\ufffd\ufffd"], id="not UTF-8"),
    pytest.param(b"data: a\0b\n\n", ["a\0b"], id="null byte"),
]


def decode(*pieces: bytes, max_event_bytes: int = MAX_EVENT_BYTES) -> list[str]:
    decoder = Decoder(max_event_bytes)
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize(("raw", "events"), STREAMS)
def test_events_come_out_when_the_stream_is_whole(raw: bytes, events: list[str]) -> None:
    assert decode(raw) == events


@pytest.mark.parametrize(("raw", "events"), STREAMS)
def test_events_are_the_same_when_every_byte_comes_alone(raw: bytes, events: list[str]) -> None:
    assert decode(*(raw[place : place + 1] for place in range(len(raw)))) == events


@pytest.mark.parametrize(("raw", "events"), STREAMS)
def test_events_are_the_same_when_the_stream_is_cut_in_two(raw: bytes, events: list[str]) -> None:
    for place in range(len(raw) + 1):
        assert decode(raw[:place], b"", raw[place:]) == events


def test_event_comes_out_at_once_when_its_last_line_ends_with_a_carriage_return() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: one\r\n\r") == ["one"]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: two\n\n") == ["two"]


# What an event stream is made of, so that random ones are not all noise.
SHREDS = st.sampled_from(
    [b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"data: x\n\n", b"id", b"\xef\xbb\xbf", b"\xf0\x9f\x99\x82"]
)
STREAM = st.lists(st.one_of(SHREDS, st.binary(max_size=3))).map(b"".join)


@given(st.lists(STREAM))
def test_cuts_change_nothing_when_streams_are_random(pieces: list[bytes]) -> None:
    assert decode(*pieces) == decode(b"".join(pieces))


def reference(raw: bytes) -> list[str]:
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events, data = [], ""
    for line in text.split("\n")[:-1]:
        name, _, value = line.partition(":")
        if not line:
            events += [data[:-1]] if data else []
            data = ""
        elif name == "data":
            data += value.removeprefix(" ") + "\n"
    return events


@given(STREAM)
def test_events_are_those_of_the_standard_when_streams_are_random(raw: bytes) -> None:
    assert decode(raw) == reference(raw)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))))
def test_data_comes_back_when_it_was_written_as_events(texts: list[str]) -> None:
    assert decode(*(f"data: {text}\n\n".encode() for text in texts)) == texts


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: " + b"x" * 200],
        [b": comment"] + [b"x"] * 200,
        [b"data: x\n"] * 200,
        [b"data\n"] * 200,
        [b"data: " + b"x" * 60 + b"\n", b"data: " + b"x" * 60],
        [b"data: " + b"x" * 120 + b"\n\n"],
    ],
)
def test_decoder_gives_up_when_an_event_is_too_large(pieces: list[bytes]) -> None:
    with pytest.raises(EventTooLargeError):
        decode(*pieces, max_event_bytes=100)


def test_many_events_pass_when_each_is_within_the_limit() -> None:
    assert len(decode(*[b"data: " + b"x" * 80 + b"\n\n"] * 50, max_event_bytes=100)) == 50
