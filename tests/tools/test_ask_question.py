from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cline_cli.agent.messages import TextPart
from cline_cli.agent.tool import ToolError
from cline_cli.tools import Workplace
from cline_cli.tools.ask_question import AskQuestion, build
from cline_cli.workspace.confinement import confine


def tool(folder: Path, answer: str | None) -> tuple[AskQuestion, list[tuple[str, tuple[str, ...]]]]:
    asked: list[tuple[str, tuple[str, ...]]] = []

    async def question(text: str, options: tuple[str, ...]) -> str:
        asked.append((text, options))
        return answer or ""

    return build(Workplace(confine(folder), {}, question=None if answer is None else question)), asked


@pytest.mark.parametrize(("answer", "told"), [("red", "red"), ("", "decide yourself")])
def test_the_answer_goes_to_the_model(tmp_path: Path, answer: str, told: str) -> None:
    made, asked = tool(tmp_path, answer)
    output = asyncio.run(made.run({"question": "Which?", "options": ["red", "blue"]}, lambda _: None))
    assert asked == [("Which?", ("red", "blue"))]
    assert isinstance(output.parts[0], TextPart)
    assert told in output.parts[0].text


def test_a_run_without_a_person_says_so(tmp_path: Path) -> None:
    made, _ = tool(tmp_path, None)
    with pytest.raises(ToolError, match="nobody can be asked"):
        asyncio.run(made.run({"question": "Which?"}, lambda _: None))


def test_a_question_has_words(tmp_path: Path) -> None:
    made, _ = tool(tmp_path, "x")
    with pytest.raises(ToolError):
        made.normalize({"question": " "})
    assert made.summary({}) == "ask a question"
    assert made.scope({"question": "Which?"}).hosts == ()
