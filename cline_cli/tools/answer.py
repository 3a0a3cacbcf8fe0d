"""The tools with which older models hand in their answer: honoured when called, never offered. A reply is enough."""

from __future__ import annotations

from dataclasses import dataclass

from cline_cli.agent.messages import JsonObject, TextPart
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._workplace import Workplace

_NAMES = ("result", "summary", "answer", "text")


@dataclass(frozen=True, slots=True)
class Answer:
    spec: ToolSpec

    def normalize(self, arguments: JsonObject) -> JsonObject:
        text = inputs.text(inputs.first(arguments, *_NAMES) or "", "the answer").strip()
        if not text:
            raise ToolError(f"{self.spec.name} needs the answer as text; or reply with it, without any tool call")
        return {"result": text}

    def summary(self, arguments: JsonObject) -> str:  # noqa: ARG002  # the protocol's
        return "answer"

    def scope(self, arguments: JsonObject) -> Scope:  # noqa: ARG002  # the protocol's
        return Scope()

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        text = str(self.normalize(arguments)["result"])
        return ToolOutput((TextPart("Received."),), display="answered", answer=text)


def build(workplace: Workplace) -> Answer:  # noqa: ARG001  # every tool is built alike
    parameters: JsonObject = {"type": "object", "properties": {"result": {"type": "string"}}, "required": ["result"]}
    return Answer(ToolSpec("answer", "Hand in the final answer.", parameters, "answers"))
