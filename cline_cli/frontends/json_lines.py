"""`--json`: one JSON object a line on stdout, in the envelope and with the names of the original command's 3.x.

docs/json.md tells the lines, docs/json.schema.json checks them, and whoever changes one changes all three.

    run_start
    hook_event agent_start
      iteration_start
        content_start*  content_end   reasoning, text, tools; content_update* while a tool runs
        usage, notice*
      iteration_end                   and so on, for every request to the model
      error                           only where the run failed
      done
    hook_event agent_end, or agent_error
    run_result                        always last

A line is made before any of it is written, and the writer keeps what is not out, so that a run that is stopped in the
middle of a line still ends with one that can be parsed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, assert_never

from cline_cli import __version__
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
from cline_cli.agent.messages import AssistantMessage, JsonObject, JsonValue, TextPart, ThinkingPart, ToolCall, Usage
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta, ToolCallDelta, Waiting
from cline_cli.agent.tool import ToolOutput
from cline_cli.errors import ClineError, ErrorClass
from cline_cli.frontends._lines import LinesFrontEnd, parse_if_json, parse_json, to_cost, to_json, to_milliseconds
from cline_cli.frontends.figures import describe_compaction, format_duration
from cline_cli.frontends.manner import Manner
from cline_cli.frontends.text import Question, ask_on_terminal
from cline_cli.machine.output import Output

SCHEMA_VERSION = 1
CATALOG = "bundled"
"""Where the model facts come from, in the original's field; there it is "live"."""

FinishReason = Literal["completed", "error", "aborted", "mistake_limit", "max_iterations"]
FINISH_REASONS: dict[ErrorClass, FinishReason] = {
    "mistakes": "mistake_limit",
    "limit": "max_iterations",
    "timeout": "aborted",
    "cancelled": "aborted",
}
"""All other classes are "error"."""

HookName = Literal["agent_start", "tool_call", "tool_result", "agent_end", "agent_error"]


class JsonLinesFrontEnd(LinesFrontEnd):
    def __init__(
        self,
        stdout: Output,
        manner: Manner,
        *,
        now: Callable[[], float] = time.time,
        question: Question = ask_on_terminal,
    ) -> None:
        super().__init__(stdout, manner, now=now, question=question)
        self._has_started = False
        self._iteration = 0
        self._calls: int | None = None
        """How many calls the message of the iteration that is open has; None where no iteration is open."""
        self._names: dict[str, str] = {}
        """Call id -> name of the tools that run."""

    async def show(self, event: Event) -> None:
        """Show one event; returns when its lines are written.

        Raises:
            OSError: stdout cannot be written; BrokenPipeError where its reader is gone.
        """
        if isinstance(event, RunStarted):
            self._model = event.model
        if self._manner.is_quiet:
            lines = [self._result_line(event)] if isinstance(event, RunFinished) else []
        else:
            lines = self._to_lines(event)
            if not self._has_started:
                self._has_started = True
                lines = [self._start_line(), self._hook("agent_start"), *lines]
        await self._writer.write(lines)

    def _to_lines(self, event: Event) -> list[str]:
        match event:
            case TextDelta() | ThinkingDelta():
                return [self._delta_line(event)]
            case RunStarted() | ToolCallDelta() | ToolSettled():
                return []
            case IterationStarted() | MessageFinished():
                return self._show_request(event)
            case UsageUpdated() | Waiting() | ReplyDiscarded() | Notice() | Compacted():
                kind = "usage" if isinstance(event, UsageUpdated) else "notice"
                return [self._event(kind, _describe_news(event))]
            case ToolStarted() | ToolProgress() | ToolFinished():
                return self._show_tool(event)
            case RunFinished():
                return [*self._end_iteration(), *self._finish(event)]
            case _:
                assert_never(event)

    def _show_request(self, event: IterationStarted | MessageFinished) -> list[str]:
        if isinstance(event, MessageFinished):
            self._calls = len(event.message.tool_calls)
            return [self._event("content_end", content) for content in _describe_message(event.message)]
        ended = self._end_iteration()
        self._iteration, self._calls = event.iteration, 0
        return [*ended, self._event("iteration_start", {"iteration": event.iteration})]

    def _show_tool(self, event: ToolStarted | ToolProgress | ToolFinished) -> list[str]:
        match event:
            case ToolStarted(call):
                self._names[call.id] = call.name
                content = {**_identify(call.id, call.name), "input": _parse_arguments(call)}
                return [self._event("content_start", content), self._hook("tool_call")]
            case ToolProgress(call_id, text):
                update = {"stream": "stdout", "chunk": text}
                content = {**_identify(call_id, self._names.get(call_id, "")), "update": update}
                return [self._event("content_update", content)]
            case ToolFinished(call):
                self._names.pop(call.id, None)
                content = {**_identify(call.id, call.name), **_describe_output(event.output)}
                content["durationMs"] = to_milliseconds(event.duration_s)
                return [self._hook("tool_result"), self._event("content_end", content)]

    def _end_iteration(self) -> list[str]:
        if self._calls is None:
            return []
        calls, self._calls = self._calls, None
        body = {"iteration": self._iteration, "hadToolCalls": calls > 0, "toolCallCount": calls}
        return [self._event("iteration_end", body)]

    def _finish(self, run: RunFinished) -> list[str]:
        error, reason = run.error, _finish_reason(run.error)
        done: JsonObject = {
            "reason": reason if reason in ("completed", "aborted") else "error",
            "text": run.text,
            "iterations": run.iterations,
            "usage": _describe_usage(run.usage),
        }
        return [
            *([self._event("error", _describe_failure(error, run.iterations))] if error else ()),
            self._event("done", done),
            self._hook("agent_error" if error else "agent_end"),
            self._result_line(run),
        ]

    def _start_line(self) -> str:
        facts = self._manner.facts
        body: JsonObject = {
            "schemaVersion": SCHEMA_VERSION,
            "session_id": facts.session_id,
            "sessionId": facts.session_id,
            "providerId": facts.provider,
            "modelId": self._model,
            "catalog": CATALOG,
            "thinking": facts.thinking or "default",
            "mode": facts.mode,
            "cwd": facts.cwd,
            **({"sandbox": facts.sandbox} if facts.sandbox else {}),
            "version": __version__,
        }
        return _line(self._now(), "run_start", body)

    def _result_line(self, run: RunFinished) -> str:
        return _line(self._now(), "run_result", _describe_result(run, self._manner, self._model))

    def _hook(self, name: HookName) -> str:
        session_id = self._manner.facts.session_id
        body: JsonObject = {
            "hookEventName": name,
            "agentId": f"agent_{session_id}",
            "taskId": session_id,
            "parentAgentId": None,
        }
        return _line(self._now(), "hook_event", body)

    def _event(self, kind: str, body: JsonObject) -> str:
        return _line(self._now(), "agent_event", {"event": {"type": kind, **body}})

    def _delta_line(self, event: TextDelta | ThinkingDelta) -> str:
        """Return a `content_start` line; of these there are thousands, so nothing but the text is encoded."""
        start = '"text","text":' if isinstance(event, TextDelta) else '"reasoning","redacted":false,"reasoning":'
        head = f'{{"ts":"{to_timestamp(self._now())}","type":"agent_event"'
        return f'{head},"event":{{"type":"content_start","contentType":{start}{to_json(event.text)}}}}}\n'


def failure_lines(
    error: ClineError, manner: Manner, duration_s: float, *, now: Callable[[], float] = time.time
) -> bytes:
    """Return what `--json` prints for a run that never started: an `error` event, and the `run_result`."""
    run = RunFinished("", Usage(cost_usd=0.0), 0, 0, duration_s, error)
    told = _line(now(), "agent_event", {"event": {"type": "error", **_describe_failure(error, 0)}})
    result = _line(now(), "run_result", _describe_result(run, manner, manner.facts.model))
    return (result if manner.is_quiet else told + result).encode()


def to_timestamp(now_s: float) -> str:
    """Return seconds since 1970 as `2026-11-25T22:15:32.041Z`."""
    whole_s, milliseconds = divmod(to_milliseconds(now_s), 1000)
    return f"{_format_second(whole_s)}.{milliseconds:03d}Z"


@lru_cache(maxsize=1)
def _format_second(whole_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole_s))


def _line(now_s: float, kind: str, body: JsonObject) -> str:
    return to_json({"ts": to_timestamp(now_s), "type": kind, **body}) + "\n"


def _identify(call_id: str, name: str) -> dict[str, JsonValue]:
    return {"contentType": "tool", "toolCallId": call_id, "toolName": name}


def _parse_arguments(call: ToolCall) -> JsonValue:
    """Return the arguments as the model gave them; as text where they are no JSON object."""
    return parse_if_json(call.arguments) if call.arguments.strip() else {}


def _describe_output(output: ToolOutput) -> dict[str, JsonValue]:
    """Return `output`, and for a call that failed `error`; a call that was not carried out has no output."""
    texts = [part.text for part in output.parts if isinstance(part, TextPart)]
    value = parse_if_json(texts[0]) if texts else ""
    if isinstance(value, str):
        value = "\n".join(texts)
    if not output.is_error:
        return {"output": value}
    is_refusal = isinstance(value, dict) and set(value) == {"error"}
    error = output.display or "failed"
    return {"error": error} if is_refusal else {"error": error, "output": value}


def _describe_message(message: AssistantMessage) -> list[JsonObject]:
    """Return the contents that a message ends: reasoning and text, each whole."""
    reasoning = "".join(part.text for part in message.parts if isinstance(part, ThinkingPart))
    contents: list[JsonObject] = []
    if reasoning:
        contents.append({"contentType": "reasoning", "reasoning": reasoning})
    if message.text:
        contents.append({"contentType": "text", "text": message.text})
    return contents


def _describe_usage(usage: Usage) -> JsonObject:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cacheReadTokens": usage.cache_read_tokens,
        "cacheWriteTokens": usage.cache_write_tokens,
        "totalCost": to_cost(usage.cost_usd),
        "isEstimate": usage.is_estimate,
    }


def _describe_news(event: UsageUpdated | Waiting | ReplyDiscarded | Notice | Compacted) -> JsonObject:
    match event:
        case UsageUpdated(usage, total):
            return {
                "inputTokens": usage.input_tokens,
                "outputTokens": usage.output_tokens,
                "cacheReadTokens": usage.cache_read_tokens,
                "cacheWriteTokens": usage.cache_write_tokens,
                "cost": to_cost(usage.cost_usd),
                "isEstimate": usage.is_estimate,
                "totalInputTokens": total.input_tokens,
                "totalOutputTokens": total.output_tokens,
                "totalCacheReadTokens": total.cache_read_tokens,
                "totalCacheWriteTokens": total.cache_write_tokens,
                "totalCost": to_cost(total.cost_usd),
            }
        case Waiting(delay_s, cause) if delay_s > 0:
            delay: JsonObject = {"delayMs": to_milliseconds(delay_s)}
            return _status("retry", f"waiting {format_duration(delay_s)}: {cause}", delay)
        case Waiting(_, cause):
            return _status("waiting", cause)
        case ReplyDiscarded(cause):
            return _status("reply_discarded", f"the reply so far is void: {cause}")
        case Notice(reason, text, details):
            return _status(reason, text, details)
        case Compacted():
            sizes: JsonObject = {
                "beforeTokens": event.before_tokens,
                "afterTokens": event.after_tokens,
                "manner": event.manner,
                "isForced": event.is_forced,
                "fallback": event.fallback,
            }
            return _status("auto_compaction", describe_compaction(event), sizes)


def _status(reason: str, message: str, metadata: JsonObject | None = None) -> JsonObject:
    return {"displayRole": "status", "reason": reason, "message": message, "metadata": metadata or {}}


def _describe_error(error: ClineError) -> JsonObject:
    return {"name": type(error).__name__, "message": error.message, "hint": error.hint}


def _describe_failure(error: ClineError, iteration: int) -> JsonObject:
    return {
        "error": _describe_error(error),
        "errorClass": error.error_class,
        "recoverable": False,
        "iteration": iteration,
    }


def _finish_reason(error: ClineError | None) -> FinishReason:
    return FINISH_REASONS.get(error.error_class, "error") if error else "completed"


def _describe_result(run: RunFinished, manner: Manner, model: str) -> JsonObject:
    facts, error, usage = manner.facts, run.error, _describe_usage(run.usage)
    failure: JsonObject = {"errorClass": error.error_class, "error": _describe_error(error)} if error else {}
    return {
        "finishReason": _finish_reason(error),
        "exitCode": error.exit_code if error else 0,
        **failure,
        "text": run.text,
        **(_parse_document(run.text) if facts.has_schema and run.has_answer else {}),
        **({} if run.patch is None else {"patch": run.patch.decode("utf-8", "replace")}),
        "iterations": run.iterations,
        "toolCalls": run.tool_calls,
        "usage": usage,
        "aggregateUsage": usage,
        "durationMs": to_milliseconds(run.duration_s),
        "model": {"id": model, "provider": facts.provider},
        "session_id": facts.session_id,
        "sessionId": facts.session_id,
        "denied": run.denied,
        "stdin": dict(run.stdin),
        "leftoverProcesses": [
            {"pid": process.pid, "command": process.command, "ended": process.is_ended}
            for process in run.leftover_processes
        ],
    }


def _parse_document(text: str) -> JsonObject:
    """Return `output`, or nothing where the answer cannot be told in a line that every parser reads."""
    try:
        return {"output": parse_json(text)}
    except ValueError:
        return {}
