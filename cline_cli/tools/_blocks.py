"""Reads SEARCH/REPLACE blocks, the form in which the original command's 1.x and 2.x models write edits. Pure.

<<<<<<< SEARCH        or    ------- SEARCH
old lines
=======
new lines
>>>>>>> REPLACE       or    +++++++ REPLACE
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SEARCH = re.compile(r"(<{5,}|-{5,}) ?SEARCH>?\s*")
_DIVIDER = re.compile(r"={5,}\s*")
_REPLACE = re.compile(r"(>{5,}|\+{5,}) ?REPLACE>?\s*")


class BlockError(Exception):
    """The text is not made of such blocks; the message says where it is not."""


class Block(NamedTuple):
    old: str
    new: str


def read_blocks(text: str) -> list[Block]:
    """Return the blocks in order; text around them is ignored.

    Raises:
        BlockError: there is none, or one that is not whole.
    """
    blocks: list[Block] = []
    old: list[str] | None = None
    new: list[str] | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        if old is None:
            old = [] if _SEARCH.fullmatch(line) else None
        elif new is None:
            if _DIVIDER.fullmatch(line):
                new = []
            else:
                old.append(line)
        elif _REPLACE.fullmatch(line):
            blocks.append(Block(_join(old), _join(new)))
            old = new = None
        else:
            new.append(line)
    if old is not None:
        raise BlockError(f"block {len(blocks) + 1} of the diff has no {'=======' if new is None else 'REPLACE'} line")
    if not blocks:
        raise BlockError("the diff has no block: <<<<<<< SEARCH, old lines, =======, new lines, >>>>>>> REPLACE")
    return blocks


def _join(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
