from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.frontends.console._markdown import MAX_BLOCK, render
from cline_cli.text import display_width, sanitize

STYLE = re.compile(r"\x1b\[[0-9;]*m")
PIECES = (
    *(
        "# ",
        "\n",
        "\n\n",
        "- ",
        "1. ",
        "> ",
        "```",
        "```py\n",
        "    ",
        "|",
        "|---|",
        "**",
        "*",
        "`",
        "~~",
        "[",
        "](",
        ")",
        "<",
        ">",
    ),
    *(
        "&#27;",
        "&#13;",
        "&lt;",
        "\\",
        "!",
        "http://x.de",
        "<div>",
        "word",
        "日本",
        "👩\u200d💻",
        "\t",
        "[red]",
        "---\n",
        "---",
    ),
)
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=25).map("".join)


def plain(text: str, columns: int = 60) -> list[str]:
    return [STYLE.sub("", line.text) for line in render(text, columns)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# Head\n\ntext", ["Head", "", "text"]),
        ("one\ntwo  \nthree", ["one two", "three"]),
        ("**bold** *it* `code` ~~gone~~", ["bold it code gone"]),
        ("a List<String> and <div>x</div>", ["a List<String> and <div>x</div>"]),
        ("<div>\nblock\n</div>", ["<div> block </div>"]),
        ("[red]text[/red] :smile: 10", ["[red]text[/red] :smile: 10"]),
        ("[here](http://x.de/a b)", ["[here](http://x.de/a b)"]),
        ("[here](http://x.de)", ["here (http://x.de)"]),
        ("<http://x.de>", ["http://x.de"]),
        ("<me@x.de>", ["me@x.de"]),
        ("[http://good.de](http://evil.de)", ["http://good.de (http://evil.de)"]),
        ("![alt](a.png)", ["[alt] (a.png)"]),
        ("[![badge](b.svg)](http://x.de)", ["[badge] (b.svg) (http://x.de)"]),
        ("[**bold** word](http://x.de)", ["bold word (http://x.de)"]),
        ("[a]: http://x.de\n\n[b][a]", ["[a]: http://x.de", "", "[b][a]"]),
        ("- a\n  - b\n- c", [" • a", "    • b", " • c"]),
        ("3. a\n4. b", [" 3 a", " 4 b"]),
        ("> quote", ["▌ quote"]),
        ("a\n\n---\n\nb", ["a", "", "─" * 60, "", "b"]),
        ("```\ncode  \n\tx\n```", ["code", "    x"]),
        ("| a | b |\n|---|--:|\n| 1 | 2 |", ["a   b", "─────", "1   2"]),
        ("&lt;b&gt; &amp; &#13;x&#27;", ["<b> & x\ufffd"]),
    ],
)
def test_markdown_reads_well_and_loses_nothing(text: str, lines: list[str]) -> None:
    assert plain(text) == lines


@pytest.mark.parametrize("name", ["py", "nosuchlanguage", "", "a b"])
def test_code_is_shown_when_its_language_is_anything(name: str) -> None:
    assert plain(f"```{name}\nx = 1\n```") == ["x = 1"]


def test_code_is_coloured_and_prose_has_no_background() -> None:
    text = "".join(line.text for line in render("# h\n\n`x`\n\n```python\nreturn 1\n```\n> q", 60))
    assert "\x1b[94mreturn" in text
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?(?:4[0-9]|10[0-7])m", text.replace("\x1b[1;4m", ""))


def test_a_line_of_code_stays_whole_so_that_it_can_be_copied() -> None:
    code = "x" * 100
    assert plain(f"```\n{code}\n```") == [code]
    assert plain(f"- a\n  ```\n  {code}\n  ```") == [" • a", "   " + "x" * 57, "   " + "x" * 43]
    assert [line.cells for line in render(f"```\n{code}\n```", 60, is_live=True)] == [60, 40]


def test_a_cell_is_folded_when_its_word_is_wider_than_the_table() -> None:
    word = "abcdefghij" * 8
    lines = plain(f"| a | b |\n|---|---|\n| {word} | x |", 40)
    assert "".join(line.split()[0] for line in lines[2:]) == word


@settings(deadline=None)
@given(HOSTILE, st.integers(1, 100), st.booleans())
def test_nothing_steers_the_terminal_when_markdown_is_anything(text: str, columns: int, is_live: bool) -> None:
    for line in render(sanitize(text), columns, is_live=is_live):
        shown = STYLE.sub("", line.text)
        assert not re.search("[\x00-\x1f\x7f-\x9f]", shown)
        if is_live:
            assert line.cells <= max(columns, 20)


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("abcdefgh"), min_size=1), min_size=1),
    st.sampled_from(["", "- ", "1. ", "> ", "# "]),
)
def test_every_word_is_there_when_text_is_wrapped(words: list[str], mark: str) -> None:
    shown = "".join(plain(mark + " ".join(words), 30))
    assert re.sub("[^a-h]", "", shown) == "".join(words)


def test_a_block_is_shown_as_written_when_it_is_very_large() -> None:
    lines = render("**word** " * (MAX_BLOCK // 8), 60)
    assert len(lines) == 1
    assert lines[0].text.startswith("**word** ")


def test_the_cells_are_those_of_the_text() -> None:
    for line in render("# 日本語\n\n- *é* `x`\n\n```py\ndef f(): pass\n```", 60):
        assert line.cells == display_width(STYLE.sub("", line.text))
