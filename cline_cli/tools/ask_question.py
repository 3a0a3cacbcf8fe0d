"""`ask_question`: a question of the model's to the person at the terminal. Offered only where there is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._results import Item, one_line, to_single_output
from cline_cli.tools._workplace import Workplace

MAX_OPTIONS = 9

Question = Callable[[str, tuple[str, ...]], Awaitable[str]]
"""Puts a question with the answers to choose from, and returns the answer; empty for none."""

SPEC = ToolSpec(
    name="ask_question",
    description="Ask the user what only they can know or decide. Not for leave to work.",
    parameters={
        "type": "object",
        "properties": {
            "question": {"type": "string"},
            "options": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["question"],
        "additionalProperties": False,
    },
    effect="reads",
)


class AskQuestion:
    spec = SPEC

    def __init__(self, workplace: Workplace) -> None:
        self._question = workplace.question

    def normalize(self, arguments: JsonObject) -> JsonObject:
        question = inputs.text(inputs.first(arguments, "question", "text") or "", "question").strip()
        if not question:
            raise ToolError('ask_question needs {"question": "..."}')
        options = [inputs.text(option, "an option") for option in inputs.items(arguments.get("options"))]
        return {"question": question, "options": options[:MAX_OPTIONS]}

    def summary(self, arguments: JsonObject) -> str:
        try:
            return one_line(f"ask: {self.normalize(arguments)['question']}")
        except ToolError:
            return "ask a question"

    def scope(self, arguments: JsonObject) -> Scope:  # noqa: ARG002  # the protocol's
        return Scope()

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        if self._question is None:
            raise ToolError("nobody can be asked in this run: decide yourself, and say what you assumed")
        wanted = self.normalize(arguments)
        options = tuple(map(str, inputs.items(wanted["options"])))
        answer = await self._question(str(wanted["question"]), options)
        if not answer:
            return to_single_output(Item("answer", "(no answer: decide yourself, and say what you assumed)"))
        return to_single_output(Item("answer", answer, display="answered"))


def build(workplace: Workplace) -> AskQuestion:
    return AskQuestion(workplace)
