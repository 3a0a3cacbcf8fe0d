"""Makes the pictures of docs/console.md: a real run of the command on a pty, its screen drawn as SVG.

    story: turns of a scripted server, keys ──> the command on a pty ──> pyte's screen ──> cells ──> SVG

What differs from run to run (durations) is written as one that could have been, so that the same code makes the same
pictures. `make pictures` writes them all; with names, those.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyte

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from docs.pictures.drawing import DARK, LIGHT, Cell, Palette, draw  # noqa: E402  # the checkout is no package
from tests.fake_server import FakeServer, Turn, calls, slow, text  # noqa: E402
from tests.sitting import Sitting, Terminal  # noqa: E402

HERE = Path(__file__).resolve().parent
DURATION = re.compile(r"\d+(?:\.\d)? s\b")
FIXED = {3: "2 s", 4: "12 s", 5: "1.4 s", 6: "11.4 s"}
"""What stands for a duration, by how long it is."""
_STYLE = re.compile(rb"\x1b\[([0-9;]*)m")
WORKING = ("-y", "--sandbox=off")
ANSWER = """\
A REST API lets programs talk over **HTTP**. Each thing has an address, and the method says what to do with it:

| method | address | does |
|---|---|---|
| `GET` | `/books/7` | read |
| `POST` | `/books` | make |
| `DELETE` | `/books/7` | remove |

- *Stateless*: each request says all that is needed.
- Answers are most often JSON.

```python
book = httpx.get("https://api.example.com/books/7").json()
print(book["title"])  # one request, one answer
```
"""
CODE = """def total(prices):
    result = 0
    for price in prices:
        result = result + price
    return result
"""
EDIT = calls(
    (
        "editor",
        {
            "path": "shop.py",
            "old_text": CODE.partition("\n")[2],
            "new_text": "    return sum(prices)\n",
        },
    )
)
TESTS = "./run-tests"
SCRIPT = """#!/bin/sh
for name in basket prices totals; do echo "tests/test_$name.py ... ok"; done
sleep 30
"""
RUN = calls(("run_commands", {"commands": [TESTS]}))


class Story(NamedTuple):
    turns: tuple[Turn, ...]
    argv: tuple[str, ...]
    play: Callable[[Sitting], None]
    """Types what is typed, and returns when the picture is there."""
    columns: int = 80
    rows: int = 24
    palette: Palette = DARK
    variables: Mapping[str, str] = {}


def _pieces(answer: str) -> Turn:
    return slow([answer[start : start + 12] for start in range(0, len(answer), 12)], 0.005)


def _see_answer(sitting: Sitting) -> None:
    sitting.wait()


def _see_question(sitting: Sitting) -> None:
    sitting.wait_for("/help")
    sitting.type("make total shorter\r")
    sitting.wait_for("or say why not:")
    sitting.type("y")
    sitting.wait_for("takes it back")
    sitting.type("run the tests\r")
    sitting.wait_until(lambda: sum("or say why not:" in line for line in sitting.screen) > 0)


def _see_completion(sitting: Sitting) -> None:
    sitting.wait_for("/help")
    sitting.type("what does @sho")
    sitting.wait_for("  tests/test_shop.py")


def _see_work(sitting: Sitting) -> None:
    sitting.wait_for("/help")
    sitting.type("run the tests\r")
    sitting.wait_for("test_totals.py")
    sitting.type("then write a changelog entry\r")
    sitting.wait_for("waits: then")
    sitting.wait_until(lambda: any(line.endswith("  2 s") for line in sitting.screen))


STORIES: Mapping[str, Story] = {
    "answer": Story((_pieces(ANSWER),), ("Explain what a REST API is.",), _see_answer),
    "light": Story(
        (_pieces(ANSWER),),
        ("Explain what a REST API is.",),
        _see_answer,
        palette=LIGHT,
        variables={"COLORFGBG": "0;15"},
    ),
    "narrow": Story((_pieces(ANSWER),), ("Explain what a REST API is.",), _see_answer, columns=40, rows=30),
    "session": Story((EDIT, text("`total` is one line now."), RUN), (), _see_question, rows=32),
    "completion": Story((), (), _see_completion, rows=10),
    "working": Story((RUN,), WORKING, _see_work, rows=16),
}


def main(names: list[str]) -> None:
    """Write the pictures of those names, or all."""
    for name in names or STORIES:
        path = HERE / f"{name}.svg"
        path.write_text(_record(STORIES[name]), "utf-8")
        print(path.relative_to(ROOT))


def _record(story: Story) -> str:
    with tempfile.TemporaryDirectory(prefix="cline-pictures-") as folder, FakeServer(*story.turns) as server:
        shop = _set_up(Path(folder))
        variables = {
            "HOME": folder,
            "CLINE_API_KEY": "sk-0000000000000000",
            "CLINE_API_BASE_URL": server.origin,
            **story.variables,
        }
        before = Path.cwd()
        os.chdir(shop)
        try:
            sitting = Sitting(story.argv, variables, columns=story.columns, rows=story.rows)
        finally:
            os.chdir(before)
        try:
            story.play(sitting)
            while sitting.look(0.3) and story.argv != WORKING:
                pass
            is_over = sitting.process.poll() is not None
            cells = _to_cells(sitting.raw, story)
            return draw(cells, None if is_over else sitting.cursor, story.palette)
        finally:
            sitting.close()


def _to_cells(raw: bytes, story: Story) -> list[list[Cell]]:
    """Return the screen that those bytes make; pyte knows no dim text, so that goes through it as blinking."""
    terminal = Terminal(story.columns, story.rows)
    seen = _STYLE.sub(lambda match: b"\x1b[" + re.sub(rb"(?<!\d)2(?!\d)", b"5", match[1]) + b"m", raw)
    pyte.ByteStream(terminal).feed(seen)
    rows: list[list[Cell]] = []
    for number in range(story.rows):
        row = [terminal.buffer[number][column] for column in range(story.columns)]
        cells = [Cell(one.data, one.fg, one.bold, one.blink, one.underscore, one.italics) for one in row]
        rows.append(_settle(cells))
    return rows


def _settle(cells: list[Cell]) -> list[Cell]:
    """Return a row with durations that are the same in every run."""
    text = "".join(cell.text or " " for cell in cells)
    for match in DURATION.finditer(text):
        for place, character in zip(range(*match.span()), FIXED[len(match[0])], strict=True):
            cells[place] = cells[place]._replace(text=character)
    return cells


def _set_up(home: Path) -> Path:
    shop = home / "shop"
    (shop / "tests").mkdir(parents=True)
    (shop / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (shop / "AGENTS.md").write_text("Keep it short.\n")
    (shop / "shop.py").write_text(CODE)
    (shop / "run-tests").write_text(SCRIPT)
    (shop / "run-tests").chmod(0o755)
    (shop / "tests" / "test_shop.py").write_text("")
    git = shutil.which("git")
    if git:
        subprocess.run([git, "init", "-q", "-b", "main", str(shop)], check=True)
    return shop


if __name__ == "__main__":
    main(sys.argv[1:])
