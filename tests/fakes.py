"""Stand-ins that are passed as arguments: a scripted provider, a tool, approvals, a clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.events import Event
from cline_cli.agent.loop import Agent
from cline_cli.agent.messages import AssistantMessage, JsonObject, StopReason, TextPart, ToolCall, Usage, user_text
from cline_cli.agent.provider import Delta, Request, TextDelta
from cline_cli.agent.tool import Report, Scope, Tool, ToolError, ToolOutput, ToolSpec


def reply(text: str = "", *calls: ToolCall, stop_reason: StopReason | None = None) -> AssistantMessage:
    parts = ((TextPart(text),) if text else ()) + calls
    return AssistantMessage(parts, stop_reason or ("tool_calls" if calls else "stop"), Usage(10, 5))


@dataclass(slots=True)
class FakeProvider:
    """Plays one list of deltas a request; an exception in a list is raised, a float is a pause in seconds."""

    turns: list[Sequence[Delta | Exception | float]]
    requests: list[Request] = field(default_factory=list)
    is_closed: bool = False

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        for delta in self.turns.pop(0):
            await asyncio.sleep(delta if isinstance(delta, float) else 0)
            if isinstance(delta, Exception):
                raise delta
            if isinstance(delta, AssistantMessage) and delta.text:
                yield TextDelta(delta.text)
            if not isinstance(delta, float):
                yield delta

    def measure(self, request: Request) -> int:
        return len(request.messages)

    async def close(self) -> None:
        self.is_closed = True


@dataclass(slots=True)
class FakeTool:
    """Answers with `result`, after `pause_s`; an exception is raised instead."""

    name: str = "look"
    result: str | Exception = "seen"
    pause_s: float = 0
    effect: str = "reads"
    answer: str | None = None
    is_error: bool = False
    touches: Scope = Scope()
    runs: list[JsonObject] = field(default_factory=list)
    was_cancelled: bool = False

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, "A tool of the tests.", {"type": "object"}, self.effect)  # type: ignore[arg-type]

    def normalize(self, arguments: JsonObject) -> JsonObject:
        if "strange" in arguments:
            raise ToolError("what is meant?")
        return arguments

    def summary(self, arguments: JsonObject) -> str:
        return f"{self.name} {dict(arguments)}"

    def scope(self, arguments: JsonObject) -> Scope:
        return self.touches

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:
        self.runs.append(arguments)
        report(f"{self.name} runs")
        try:
            await asyncio.sleep(self.pause_s)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if isinstance(self.result, Exception):
            raise self.result
        return ToolOutput((TextPart(self.result),), "done", self.is_error, self.answer)


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def approve_all(tool: Tool, arguments: JsonObject) -> Allow | Deny:
    return Allow(arguments)


async def deny_all(tool: Tool, arguments: JsonObject) -> Allow | Deny:
    return Deny(f"{tool.spec.name} is not allowed")


def tools(*fakes: FakeTool) -> Mapping[str, Tool]:
    return {fake.name: fake for fake in fakes}


async def collect(agent: Agent, prompt: str = "go") -> list[Event]:
    async with aclosing(agent.run(user_text(prompt))) as events:
        return [event async for event in events]
