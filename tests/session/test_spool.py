from __future__ import annotations

import gc
import os
import resource
import stat
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cline_cli.errors import ClineError, UsageError
from cline_cli.session.spool import (
    EXTRACT_BYTES,
    SNIFFED_BYTES,
    Keeping,
    Spool,
    decode,
    describe_extract,
    to_head,
    to_tail,
)

texts = st.text(st.sampled_from("ab\n\né€𝄞\ufffd"), min_size=4, max_size=200)


def keep(max_bytes: int, name: str = "stdin.txt") -> Callable[[bytes], Keeping]:
    return lambda first: Keeping(max_bytes, name)


def never() -> Path:
    pytest.fail("no file is wanted")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir(0o700)
    return folder


def fill(spool: Spool, *pieces: bytes) -> None:
    with spool:
        for piece in pieces:
            spool.take(piece)
        spool.finish()


@contextmanager
def small_files(max_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_everything_stays_in_memory_when_it_is_small_enough() -> None:
    spool = Spool(keep(10), never)
    fill(spool, b"12345", b"67890")
    assert (spool.data, spool.size, spool.path) == (b"1234567890", 10, None)


def test_everything_is_in_a_file_when_it_is_a_byte_too_large(folder: Path) -> None:
    spool = Spool(keep(10), lambda: folder)
    fill(spool, b"12345", b"67890", b"x")
    assert spool.path == folder / "stdin.txt"
    assert spool.path.read_bytes() == b"1234567890x"
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600
    assert (spool.data, spool.size) == (b"", 11)


@given(st.lists(st.binary(max_size=5000), max_size=12), st.integers(0, 20_000))
def test_no_byte_is_lost_wherever_it_is_cut(pieces: list[bytes], max_bytes: int) -> None:
    folder = Path("spooled")
    folder.mkdir(exist_ok=True)
    spool = Spool(keep(max_bytes), lambda: folder)
    fill(spool, *pieces)
    data = b"".join(pieces)
    assert (spool.path.read_bytes() if spool.path else spool.data) == data
    assert (spool.path is None) == (len(data) <= max_bytes)
    assert spool.size == len(data)
    assert spool.lines == len(data.split(b"\n")) - (data.endswith(b"\n") or not data)
    if spool.path:
        assert data.startswith(spool.head)
        assert data.endswith(spool.tail)
        assert len(spool.head) + len(spool.tail) <= len(data)
        assert len(spool.tail) <= EXTRACT_BYTES
        spool.path.unlink()


def test_its_two_ends_are_kept_when_it_is_large(folder: Path) -> None:
    spool = Spool(keep(200_000), lambda: folder)
    pieces = [b"%07d\n" % number for number in range(30_000)]
    fill(spool, *pieces)
    data = b"".join(pieces)
    assert spool.head == data[:EXTRACT_BYTES]
    assert spool.tail == data[-EXTRACT_BYTES:]
    assert spool.lines == 30_000


def test_the_memory_stays_flat_when_much_comes(folder: Path) -> None:
    spool = Spool(keep(200_000), lambda: folder)
    piece = b"a line of text\n" * 4000
    with spool:
        spool.take(piece * 4)
        tracemalloc.start()
        for _ in range(1000):
            spool.take(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        spool.finish()
    assert spool.size == 1004 * len(piece)
    assert peak < 1_000_000


def test_the_plan_is_asked_once_with_the_first_bytes() -> None:
    asked: list[bytes] = []

    def plan(first: bytes) -> Keeping:
        asked.append(first)
        return Keeping(1 << 20, "stdin.txt")

    fill(Spool(plan, never), b"a" * 5000, b"b" * 5000, b"c" * 5000)
    assert asked == [(b"a" * 5000 + b"b" * 5000)[:SNIFFED_BYTES]]


def test_the_plan_is_not_asked_when_nothing_came() -> None:
    spool = Spool(lambda _: pytest.fail("about what?"), never)
    fill(spool)
    assert (spool.size, spool.data, spool.lines) == (0, b"", 0)


def test_a_refusal_of_the_plan_is_raised_and_no_file_made() -> None:
    refusal = UsageError("too large")
    with pytest.raises(UsageError, match="too large"):
        fill(Spool(lambda _: Keeping(3, "", refusal), never), b"1234")


def test_the_name_is_made_unique_when_it_is_taken(folder: Path) -> None:
    spools = [Spool(keep(0), lambda: folder) for _ in range(3)]
    for number, spool in enumerate(spools):
        fill(spool, b"%d" % number)
    assert [spool.path and spool.path.name for spool in spools] == ["stdin.txt", "stdin-2.txt", "stdin-3.txt"]
    assert [file.read_bytes() for file in sorted(folder.iterdir())] == [b"1", b"2", b"0"]


def test_a_link_is_not_followed_when_it_has_the_name(folder: Path, tmp_path: Path) -> None:
    (folder / "stdin.txt").symlink_to(tmp_path / "elsewhere")
    spool = Spool(keep(0), lambda: folder)
    fill(spool, b"x")
    assert spool.path == folder / "stdin-2.txt"
    assert not (tmp_path / "elsewhere").exists()


def test_the_path_is_real_when_the_folder_is_named_by_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    spool = Spool(keep(0), lambda: tmp_path / "link")
    fill(spool, b"x")
    assert spool.path == folder / "stdin.txt"


def test_no_file_and_no_descriptor_are_left_when_it_is_given_up(folder: Path) -> None:
    gc.collect()  # what other tests left to be closed is closed now, and not in between
    before = os.listdir("/dev/fd")  # noqa: PTH208  # names, not paths
    spool = Spool(keep(0), lambda: folder)
    with suppress(KeyboardInterrupt), spool:
        spool.take(b"x" * SNIFFED_BYTES)
        assert [file.name for file in folder.iterdir()] == ["stdin.txt"]
        raise KeyboardInterrupt
    assert list(folder.iterdir()) == []
    assert os.listdir("/dev/fd") == before  # noqa: PTH208


def test_a_sentence_says_so_when_there_is_no_room_for_the_file(folder: Path) -> None:
    with small_files(20_000):
        with pytest.raises(ClineError, match=r"cannot write standard input to .*stdin\.txt: File too large") as caught:
            fill(Spool(keep(0), lambda: folder), b"x" * 10_000, b"y" * 15_000)
    assert caught.value.exit_code == 1
    assert list(folder.iterdir()) == []


def test_a_sentence_says_so_when_the_folder_cannot_be_made() -> None:
    def open_place() -> Path:
        raise OSError(30, "Read-only file system")

    with pytest.raises(ClineError, match="cannot write standard input: Read-only file system") as caught:
        fill(Spool(keep(0), open_place), b"x")
    assert caught.value.exit_code == 1


def test_a_sentence_says_so_when_the_folder_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClineError, match=r"cannot write standard input to .*gone: No such file"):
        fill(Spool(keep(0), lambda: tmp_path / "gone"), b"x")


@pytest.mark.parametrize(
    ("data", "encoding", "text", "replaced"),
    [
        (b"plain", "utf-8", "plain", 0),
        (b"\xff\xfe", "utf-8", "\ufffd\ufffd", 2),
        ("a\ufffdb".encode() + b"\xff", "utf-8", "a\ufffdb\ufffd", 1),
        (b"\xe2\x82", "utf-8", "\ufffd", 1),
        (b"a\0b", "utf-16-le", "a\ufffd", 1),
    ],
)
def test_what_is_not_in_the_encoding_is_replaced_and_counted(
    data: bytes, encoding: str, text: str, replaced: int
) -> None:
    assert decode(data, encoding) == (text, replaced)


@given(texts, st.integers(0, 1000), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
@example("ab𝄞cd", 2, "utf-16-le")
@example("ab𝄞cd", 2, "utf-16-be")
@example("ab𝄞cd", 1, "utf-8")
def test_the_two_ends_are_whole_characters_wherever_they_are_cut(text: str, cut: int, encoding: str) -> None:
    data = text.encode(encoding)
    shown = 4 + cut % len(data)
    head = to_head(data[:shown], encoding)
    tail = to_tail(data[-shown:], encoding, max(0, len(data) - shown))
    assert (head.replaced, tail.replaced) == (0, 0)
    assert text.startswith(head.text)
    assert text.endswith(tail.text)
    for part in (head.text, tail.text):
        assert len(part.encode(encoding)) >= min(shown, len(data)) // 4 - 4, "not more than needed is cut away"


def test_the_two_ends_are_whole_lines_where_there_are_lines() -> None:
    data = b"first\nsecond\nthird\nfourth\n"
    assert to_head(data[:15], "utf-8").text == "first\nsecond\n"
    assert to_tail(data[-15:], "utf-8", 11).text == "third\nfourth\n"
    wide = data.decode().encode("utf-16-le")
    assert to_head(wide[:31], "utf-16-le").text == "first\nsecond\n"
    assert to_tail(wide[-31:], "utf-16-le", len(wide) - 31).text == "third\nfourth\n"


def test_a_long_line_is_cut_rather_than_left_out() -> None:
    data = b"short\n" + b"x" * 1000 + b"\nend"
    assert to_head(data[:100], "utf-8").text == "short\n" + "x" * 94
    assert to_tail(data[-100:], "utf-8", 910).text == "x" * 96 + "\nend"


def test_bytes_that_are_no_text_are_counted_in_both_ends() -> None:
    assert to_head(b"a\xff\nb", "utf-8") == ("a\ufffd\n", 1)
    assert to_tail(b"\x80\x80\x80\x80\x80", "utf-8", 0).replaced == 5


def test_the_frame_says_where_all_of_it_is() -> None:
    assert describe_extract("Standard input: 9 bytes", "/tmp/s/stdin.txt", "ab\n", "yz", 4096) == (
        "[Standard input: 9 bytes. All of it is in /tmp/s/stdin.txt, and read_files reads it there."
        " Here are its beginning and its end.]\nab\n[... about 4,096 bytes are left out here ...]\nyz\n[end]"
    )
