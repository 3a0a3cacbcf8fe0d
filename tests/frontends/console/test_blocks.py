from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cline_cli.frontends.console._blocks import BlockSplitter

PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("reference")
LINES = (
    *(
        "\n",
        "\n",
        "text\n",
        "more text\n",
        "- a\n",
        "* b\n",
        "1. one\n",
        "2. two\n",
        "10) ten\n",
        "   indented\n",
        "  two\n",
    ),
    *(
        "    code\n",
        "\t tab\n",
        "```\n",
        "```py\n",
        "~~~\n",
        "# h\n",
        "###### h6\n",
        "---\n",
        "***\n",
        "- - -\n",
    ),
    *(
        "> q\n",
        "> - q\n",
        "| a | b |\n",
        "|---|---|\n",
        "-\n",
        "[a]: b\n",
        "<div>\n",
        "      deep\n",
    ),
)
NESTED = "1. run\n\n   ```py\n\n   x\n   ```\n"
MARKDOWN = st.lists(st.sampled_from((*LINES, NESTED)), max_size=12).map("".join)


def split(text: str, sizes: list[int]) -> list[str]:
    splitter = BlockSplitter()
    pieces, position = [], 0
    for size in itertools.cycle(sizes):
        if position >= len(text):
            break
        pieces.append(text[position : position + size])
        position += size
    blocks = [block for piece in pieces for block in splitter.feed(piece)]
    return blocks + splitter.close()


def read(text: str) -> list[tuple[str, str, str, str]]:
    return [(token.type, token.tag, token.info, token.content) for token in PARSER.parse(text)]


@given(st.one_of(MARKDOWN, st.text()), st.lists(st.integers(1, 9), min_size=1))
def test_the_blocks_joined_are_the_text_when_it_comes_in_pieces(text: str, sizes: list[int]) -> None:
    assert "".join(split(text, sizes)) == text


@given(MARKDOWN, st.lists(st.integers(1, 9), min_size=1))
def test_the_blocks_are_the_same_when_the_pieces_are_others(text: str, sizes: list[int]) -> None:
    assert split(text, sizes) == split(text, [1])


@given(MARKDOWN)
def test_a_block_reads_alone_as_it_does_in_the_whole(text: str) -> None:
    assert [token for block in split(text, [7]) for token in read(block)] == read(text)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("one\ntwo\n\nthree", ["one\ntwo\n\n", "three"]),
        ("# head\ntext\n# head\n", ["# head\n", "text\n", "# head\n"]),
        ("text\n```py\n\ncode\n```\ntext", ["text\n", "```py\n\ncode\n```\n", "text"]),
        ("````\n```\n\n````\nx", ["````\n```\n\n````\n", "x"]),
        ("```\n    ```\n\n```\nx", ["```\n    ```\n\n```\n", "x"]),
        ("- a\n\n- b\n\n  para\n\n      code\n\ntext", ["- a\n\n- b\n\n  para\n\n      code\n\n", "text"]),
        ("1. a\n   ```\n\n   x\n   ```\n2. b\n\ntext", ["1. a\n   ```\n\n   x\n   ```\n2. b\n\n", "text"]),
        ("intro:\n- a\n- b\n\ntext", ["intro:\n", "- a\n- b\n\n", "text"]),
        ("- a\n# head\n", ["- a\n", "# head\n"]),
        ("    code\n\n    code\ntext\n", ["    code\n\n    code\n", "text\n"]),
        ("| a |\n|---|\n| 1 |\n\ntext", ["| a |\n|---|\n| 1 |\n\n", "text"]),
        ("head\n===\ntext\n\ntext", ["head\n===\ntext\n\n", "text"]),
        ("head\n---\ntext\n---\n", ["head\n---\n", "text\n---\n"]),
        ("\n\n\ntext", ["\n", "\n", "\n", "text"]),
    ],
)
def test_blocks_are_cut_where_they_end(text: str, blocks: list[str]) -> None:
    assert split(text, [3]) == blocks


def test_the_text_after_a_list_is_no_code_when_its_fence_is_closed_at_the_margin() -> None:
    assert split("1. run:\n   ```\n   x\n```\n\nafter **it**\n", [5])[-1] == "after **it**\n"


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("```py\n1\n2\n3\n4\nrest", "```py\n3\n4\nrest"),
        ("| a |\n|---|\n| 1 |\n| 2 |\n| 3 |\n| 4", "| a |\n|---|\n| 2 |\n| 3 |\n| 4"),
        ("1\n2\n3\nrest", "2\n3\nrest"),
        ("done\n\n0123456789abc", "3456789abc"),
        ("done\n\n", ""),
    ],
)
def test_a_look_is_short_and_keeps_the_form_when_the_open_block_is_long(text: str, tail: str) -> None:
    splitter = BlockSplitter()
    splitter.feed(text)
    assert splitter.tail(2, 10) == tail
