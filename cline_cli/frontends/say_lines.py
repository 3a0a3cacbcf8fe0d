"""`-F json`: the say and ask lines of the original command's 2.x, for parsers that were written for them.

Only what the events tell is told; everything else about the format is history. As there, the lines of one text share
their `ts`, and each holds all of the text so far: `partial` until the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, assert_never

from cline_cli.agent.events import (
    Compacted,
    Event,
    IterationStarted,
    MessageFinished,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
    ToolProgress,
    ToolSettled,
    ToolStarted,
    UsageUpdated,
)
from cline_cli.agent.messages import AssistantMessage, JsonObject, JsonValue, ThinkingPart, Usage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.errors import ClineError
from cline_cli.frontends._lines import LinesFrontEnd, parse_if_json, to_cost, to_json, to_milliseconds
from cline_cli.frontends.figures import is_command
from cline_cli.frontends.manner import Manner
from cline_cli.frontends.text import Question, ask_on_terminal
from cline_cli.machine.output import Output

PARTIAL_S = 0.25
"""How often a text that grows is told: each time it is told from its beginning."""

Say = Literal["task", "api_req_started", "reasoning", "text", "command", "tool", "completion_result", "error"]


class SayLinesFrontEnd(LinesFrontEnd):
    def __init__(
        self,
        stdout: Output,
        manner: Manner,
        *,
        now: Callable[[], float] = time.time,
        question: Question = ask_on_terminal,
    ) -> None:
        super().__init__(stdout, manner, now=now, question=question)
        self._history_index = -1
        self._text: list[str] = []
        """The pieces of the text that is streaming."""
        self._text_began_s = 0.0
        self._told_s = 0.0

    async def show(self, event: Event) -> None:
        """Show one event; returns when its lines are written.

        Raises:
            OSError: stdout cannot be written; BrokenPipeError where its reader is gone.
        """
        lines = self.to_lines(event)
        if not self._manner.is_quiet or isinstance(event, RunFinished):
            await self._writer.write(lines)

    def to_lines(self, event: Event) -> list[str]:
        """Return the lines of one event; nothing is written."""
        match event:
            case TextDelta(text):
                return self._grow(text)
            case RunStarted() | IterationStarted() | UsageUpdated() | MessageFinished():
                return self._show_request(event)
            case ReplyDiscarded():
                self._text = []
                return []
            case ToolStarted():
                return [self._show_call(event)]
            case RunFinished():
                return self._finish(event)
            case (
                ThinkingDelta()
                | ToolCallDelta()
                | Waiting()
                | ToolProgress()
                | ToolSettled()
                | ToolFinished()
                | Notice()
                | Compacted()
            ):
                return []
            case _:
                assert_never(event)

    def _show_request(self, event: RunStarted | IterationStarted | UsageUpdated | MessageFinished) -> list[str]:
        match event:
            case RunStarted(model):
                self._model = model
                started = to_json({"type": "task_started", "taskId": self._manner.facts.session_id})
                return [f"{started}\n", self._say("task", "")]
            case IterationStarted(iteration):
                self._text = []
                self._history_index = 2 * (iteration - 1)
                return [self._say("api_req_started", to_json({"request": ""}))]
            case UsageUpdated(usage):
                return [self._say("api_req_started", to_json(_describe_usage(usage)))]
            case MessageFinished(message):
                return self._end_message(message)

    def _grow(self, text: str) -> list[str]:
        now_s = self._now()
        if not self._text:
            self._text_began_s, self._told_s = now_s, now_s - PARTIAL_S
        self._text.append(text)
        if now_s - self._told_s < PARTIAL_S:
            return []
        self._told_s = now_s
        return [self._say("text", "".join(self._text), now_s=self._text_began_s, is_partial=True)]

    def _end_message(self, message: AssistantMessage) -> list[str]:
        reasoning = "".join(part.text for part in message.parts if isinstance(part, ThinkingPart))
        began_s = self._text_began_s if self._text else None
        self._text = []
        return [
            *([self._say("reasoning", reasoning)] if reasoning else ()),
            *([self._say("text", message.text, now_s=began_s, is_partial=False)] if message.text else ()),
        ]

    def _show_call(self, event: ToolStarted) -> str:
        parsed = parse_if_json(event.call.arguments)
        arguments = parsed if isinstance(parsed, dict) else {}
        if not is_command(event.summary):
            return self._say("tool", to_json({**arguments, "tool": event.call.name}))
        given = arguments.get("commands")
        commands = [command for command in given if isinstance(command, str)] if isinstance(given, list) else []
        return self._say("command", "\n".join(commands) or event.summary.removeprefix("$ "))

    def _finish(self, run: RunFinished) -> list[str]:
        return [
            *([self._say("completion_result", run.text, is_partial=False)] if run.has_answer else ()),
            *([self._say("error", str(run.error))] if run.error else ()),
        ]

    def _say(self, kind: Say, text: str, *, now_s: float | None = None, is_partial: bool | None = None) -> str:
        facts = self._manner.facts
        line: dict[str, JsonValue] = {
            "ts": to_milliseconds(self._now() if now_s is None else now_s),
            "type": "say",
            "say": kind,
            "text": text,
            **({} if is_partial is None else {"partial": is_partial}),
            "modelInfo": {"providerId": facts.provider, "modelId": self._model, "mode": facts.mode},
            "conversationHistoryIndex": self._history_index,
        }
        return to_json(line) + "\n"


def failure_lines(
    error: ClineError, manner: Manner, duration_s: float, *, now: Callable[[], float] = time.time
) -> bytes:
    """Return what is printed for a run that never started: the error."""
    front_end = SayLinesFrontEnd(Output(None), manner, now=now)
    return "".join(front_end.to_lines(RunFinished("", Usage(), 0, 0, duration_s, error))).encode()


def _describe_usage(usage: Usage) -> JsonObject:
    cost = to_cost(usage.cost_usd)
    return {
        "request": "",
        "tokensIn": usage.input_tokens,
        "tokensOut": usage.output_tokens,
        "cacheReads": usage.cache_read_tokens,
        "cacheWrites": usage.cache_write_tokens,
        **({} if cost is None else {"cost": cost}),
    }
