from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.workspace.mentions import Mentions, find_mentions, list_names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.py", "src/b.py", "with space.txt", "home/notes.md", "README"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("prompt", "paths", "missing"),
    [
        ("look at @a.py", ("a.py",), ()),
        ("@a.py, @src/b.py. (@README)", ("a.py", "src/b.py", "README"), ()),
        ("@./a.py and @a.py and @./a.py", ("./a.py", "a.py"), ()),
        ('read @"with space.txt" now', ("with space.txt",), ()),
        ("the folder @src", ("src",), ()),
        ("@~/notes.md", ("HOME/notes.md",), ()),
        ("@./none.py and @/no/where and @../x", (), ("./none.py", "/no/where", "../x")),
        ('@"no such"', (), ("no such",)),
        ("@src/none.py?", (), ("src/none.py",)),
        ("mail a@b.py or @user, @babel/core and @dataclass", (), ()),
        ("x@a.py", (), ()),
        ("@", (), ()),
        ("@a.py\0", (), ()),
    ],
)
def test_what_is_mentioned_is_found(
    folder: Path, prompt: str, paths: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    home = folder / "home"
    expected = tuple(path.replace("HOME", str(home)) for path in paths)
    assert find_mentions(prompt, folder, home) == Mentions(expected, missing)


def test_names_of_a_folder_come_in_order(folder: Path) -> None:
    names = [name for name in list_names(folder) if name != "work/"]
    assert names == ["README", "a.py", "home/", "src/", "with space.txt"]


@given(st.text(alphabet='@./~"ab ,\n\0', max_size=30))
def test_any_prompt_is_read(prompt: str) -> None:
    find_mentions(prompt, Path("/nowhere"), None)
