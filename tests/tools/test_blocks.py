from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.tools._blocks import Block, BlockError, read_blocks


@pytest.mark.parametrize(
    ("search", "replace"),
    [
        ("<<<<<<< SEARCH", ">>>>>>> REPLACE"),
        ("------- SEARCH", "+++++++ REPLACE"),
        ("<<<<<<<SEARCH", ">>>>>>>REPLACE "),
        ("------- SEARCH>", "+++++++ REPLACE>"),
    ],
)
def test_both_forms_are_read(search: str, replace: str) -> None:
    assert read_blocks(f"{search}\nold\n=======\nnew\n{replace}") == [Block("old\n", "new\n")]


def test_several_blocks_are_read_in_order_and_text_between_them_is_not() -> None:
    text = (
        "Here it is:\n<<<<<<< SEARCH\na\nb\n=======\n>>>>>>> REPLACE\nand\n"
        "<<<<<<< SEARCH\r\nc\r\n=======\r\nd\r\n\r\n>>>>>>> REPLACE\r\n"
    )
    assert read_blocks(text) == [Block("a\nb\n", ""), Block("c\n", "d\n\n")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no block"),
        ("old\n=======\nnew", "has no block"),
        ("<<<<<<< SEARCH\nold\n", "block 1 of the diff has no ======= line"),
        ("<<<<<<< SEARCH\nold\n=======\nnew\n", "block 1 of the diff has no REPLACE line"),
        ("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n<<<<<<< SEARCH\n", "block 2"),
    ],
)
def test_it_is_refused_when_a_block_is_not_whole(text: str, message: str) -> None:
    with pytest.raises(BlockError, match=message):
        read_blocks(text)


PART = st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=8), max_size=4)


@settings(deadline=None)
@given(st.lists(st.tuples(PART, PART), min_size=1, max_size=4))
def test_what_was_written_is_read_again(blocks: list[tuple[list[str], list[str]]]) -> None:
    parts = [Block("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new)) for old, new in blocks]
    text = "".join(f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n" for old, new in parts)
    assert read_blocks(text) == parts


@settings(deadline=None)
@given(st.text("<>=-+SEARCHREPLACE \nab"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BlockError):
        assert read_blocks(text)
