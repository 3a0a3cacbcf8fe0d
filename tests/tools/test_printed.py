from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.tools._printed import clean, elide


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"plain\n\ttext\n", "plain\n\ttext\n"),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07x", "red x"),
        (b" 10%\r 50%\r100%\ndone\n", "100%\ndone\n"),
        (b"10%\r100%\r\nnext\r\n", "100%\nnext\n"),
        (b"waiting\r\x1b[Kdone\n", "done\n"),
        (b"N\x08NA\x08AM\x08ME\x08E\n", "NAME\n"),
        (b"|\x08/\x08-\x08 ready\n", " ready\n"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        (b"a\x00b\x07c", "abc"),
        (b"\r\r\n", "\n"),
    ],
)
def test_output_reads_as_a_terminal_would_have_shown_it_in_the_end(printed: bytes, text: str) -> None:
    assert clean(printed) == text


def test_nothing_is_left_out_when_it_fits() -> None:
    assert elide(b"0123", 0, b"456789", 10) == "0123456789"


def test_the_middle_is_left_out_in_whole_lines_when_it_is_too_long() -> None:
    lines = "".join(f"line {number:03}\n" for number in range(100)).encode()
    text = elide(lines[:300], 0, lines[300:], 90)
    first, gap, last = text.partition("\n[... about ")
    assert first == "line 000\nline 001\nline 002"
    assert "left out; to see them, send the output to a file" in gap + last
    assert text.endswith("line 094\nline 095\nline 096\nline 097\nline 098\nline 099\n")


def test_the_count_holds_what_never_arrived_here() -> None:
    text = elide(b"first\nsecond\n", 1_000_000, b"before\nlast\n", 30)
    assert text.startswith("first\n[... about 1,000,0")
    assert text.endswith("]\nlast\n")


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 100), st.binary(max_size=200), st.integers(10, 100))
def test_the_text_is_never_much_longer_than_asked_for(head: bytes, omitted: int, tail: bytes, max_bytes: int) -> None:
    text = elide(head, omitted, tail, max_bytes)
    assert len(text.encode()) <= max_bytes + 120
    assert "\x1b" not in text
