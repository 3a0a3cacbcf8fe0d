from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.providers._local_action import Action, ActionReader, Offer, to_grammar


def read(*pieces: str) -> tuple[str, Action]:
    reader = ActionReader()
    return "".join(reader.feed(piece) for piece in pieces), reader.finish()


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("run_command\npython3 -m pytest -q", Action("run_command", {"command": "python3 -m pytest -q"})),
        ("read_file\nsrc/a.py", Action("read_file", {"path": "src/a.py"})),
        ("list_files\n.", Action("list_files", {"path": "."})),
        ("edit_file\na.py", Action("edit_file", {"path": "a.py"})),
        ("answer\nDone.\nReally.", Action("answer", {"text": "Done.\nReally."})),
        (
            "write_file\na.py\n```python\nx = 1\n\ny = 2\n```\nbye",
            Action("write_file", {"path": "a.py", "content": "x = 1\n\ny = 2\n"}),
        ),
        ("write_file\na.py\n```\nx = 1", Action("write_file", {"path": "a.py", "content": "x = 1\n"})),
    ],
)
def test_an_action_is_read_when_the_reply_is_whole(text: str, action: Action) -> None:
    assert read(text)[1] == action


@given(st.text(min_size=1), st.lists(st.integers(0, 60), max_size=6))
def test_an_answer_streams_the_same_when_it_comes_in_any_pieces(answer: str, cuts: list[int]) -> None:
    text = f"answer\n{answer}"
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    streamed, action = read(*(text[start:end] for start, end in pairwise(edges)))
    assert streamed == answer.lstrip()
    assert action.arguments["text"] == answer.strip()


def test_nothing_is_shown_when_the_reply_is_no_answer() -> None:
    assert read("run_", "command\n", "ls")[0] == ""
    assert read("answ")[0] == ""


def test_a_file_is_whole_when_its_fence_is_closed() -> None:
    reader = ActionReader()
    reader.feed("write_file\na.py\n```python\nx = 1")
    assert not reader.is_whole()
    reader.feed("\n```")
    assert reader.is_whole()


def test_the_grammar_names_paths_when_only_these_may_be_chosen() -> None:
    grammar = to_grammar(Offer(("read_file", "edit_file"), editable=('a"b.py',), readable=("c.py",), may_answer=False))
    assert 'start: "read_file\\n" ("c.py") | "edit_file\\n" ("a\\"b.py")' in grammar
    assert "answer" not in grammar


def test_editing_is_left_out_when_nothing_can_be_edited() -> None:
    assert "edit_file" not in to_grammar(Offer(("edit_file", "run_command")))


def test_the_answer_stays_when_nothing_else_is_left() -> None:
    assert '"answer\\n" TEXT' in to_grammar(Offer((), may_answer=False))
