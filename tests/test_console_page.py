"""docs/console.md and what it tells of: the same keys, the same commands, and pictures that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cline_cli.commands.slash import KEYS, SLASH
from docs.pictures.drawing import DARK, Cell, draw
from docs.pictures.make import STORIES

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "console.md").read_text("utf-8")


def rows_below(title: str) -> list[tuple[str, ...]]:
    section = PAGE.partition(f"### {title}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in lines]


def test_the_page_has_the_keys_of_the_session() -> None:
    assert rows_below("Keys") == list(KEYS)


def test_the_page_has_the_commands_of_the_session() -> None:
    assert rows_below("Commands") == [(f"/{name} {row.argument}".strip(), row.help) for name, row in SLASH.items()]


@pytest.mark.parametrize("page", ["docs/console.md", "README.md"])
def test_every_picture_is_there_and_can_be_made(page: str) -> None:
    text = (DOCS.parent / page).read_text("utf-8")
    names = re.findall(r"pictures/([a-z]+)\.svg", text)
    assert names
    assert set(names) <= set(STORIES)
    assert all((DOCS / "pictures" / f"{name}.svg").is_file() for name in names)


def test_a_screen_is_drawn_with_its_styles_and_nothing_of_it_is_markup() -> None:
    cells = [Cell("<", "red", is_bold=True), Cell("&", "red", is_bold=True), Cell("中"), Cell(""), Cell(" ")]
    picture = draw([cells, [Cell(" ")] * 5], (0, 4), DARK)
    assert "&lt;&amp;</text>" in picture
    assert f'fill="{DARK.colours["red"]}" font-weight="bold"' in picture
    assert ">中</text>" in picture
    assert picture.count("<rect") == 2
