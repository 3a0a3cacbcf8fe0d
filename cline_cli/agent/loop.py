"""The loop: ask the model, run the tools it calls, ask again, until it answers.

    run ──> _ask ───────> provider.stream ──> deltas, then one AssistantMessage in the history
     ├────> _run_tools ──> prepare in order (parse, approve), run together, report in order
     │                     └─> one ToolResult in the history for every call, whatever happens
     └────> _judge ─────> an answer is taken, or the model is told why not and asked again

`_ask` never runs a tool, and `_run_tools` never asks a model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from cline_cli.agent._calls import Outcome, Prepared, Work, not_run, parse_arguments, refusal
from cline_cli.agent.answer import AnswerRefusedError, CheckAnswer
from cline_cli.agent.approval import Approve, Deny
from cline_cli.agent.budget import Budget
from cline_cli.agent.compactor import Compactor, Window
from cline_cli.agent.events import (
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
from cline_cli.agent.gauge import Gauge
from cline_cli.agent.guard import REPEATS_TOLD, Guard
from cline_cli.agent.limits import Limits, Tally
from cline_cli.agent.messages import (
    AssistantMessage,
    JsonObject,
    Message,
    TextPart,
    ToolCall,
    UserMessage,
    user_text,
)
from cline_cli.agent.provider import Effort, Provider, ReplyDiscarded, Request, Waiting
from cline_cli.agent.repair import interrupted, repair
from cline_cli.agent.tool import Tool, ToolError, ToolOutput, ToolSpec
from cline_cli.errors import ClineError, ContentFilteredError, ContextWindowError, EmptyReplyError, ProviderError

EMPTY_REPLIES = 3
"""How often in all an empty reply is asked for before the run fails."""


@dataclass(slots=True)
class Agent:
    provider: Provider
    model: str
    system: str
    tools: Mapping[str, Tool]
    """Every name that is understood, those of older programs among them."""
    offered: tuple[ToolSpec, ...]
    """What the model is told of."""
    approve: Approve
    limits: Limits = Limits()
    max_tokens: int | None = None
    effort: Effort | int | None = None
    schema: JsonObject | None = None
    """What the answer is to satisfy; for the provider, which may hold the model to it."""
    check: CheckAnswer | None = None
    window: Window = Window()
    clock: Callable[[], float] = time.monotonic
    messages: list[Message] = field(default_factory=list)
    tally: Tally = field(init=False)
    _compactor: Compactor = field(init=False)

    def __post_init__(self) -> None:
        self.tally = self._begin()
        self._compactor = self._watch_window(None)

    async def run(self, prompt: UserMessage) -> AsyncGenerator[Event, None]:
        """Yield what happens until the model has answered; the last event is RunFinished.

        Every ClineError of the run ends it, and stands in RunFinished.error. A run that is cancelled or closed yields
        no RunFinished: whoever stops it calls `finish` with the reason. Either way the history stays one that a
        provider accepts: each tool call in it has its result.
        """
        self.tally = tally = self._begin()
        self._compactor = self._watch_window(prompt if self.messages else None)
        self.messages[:] = [*repair(self.messages), prompt]
        yield RunStarted(self.model)
        error: ClineError | None = None
        try:
            while not tally.is_answered:
                async with aclosing(self._iterate(tally)) as events:
                    async for event in events:
                        yield event
        except ClineError as failure:
            error = failure
        yield self.finish(error)

    async def compact(self) -> AsyncGenerator[Event, None]:
        """Make the history shorter now, whether it is long or not; yields Compacted where that was possible."""
        self.tally = self._begin()
        self._compactor = self._watch_window(None)
        self.messages[:] = repair(self.messages)
        self.tally.budget.measure(self.messages)
        async with aclosing(self._compactor.compact(self.messages)) as events:
            async for event in events:
                yield event

    async def _iterate(self, tally: Tally) -> AsyncGenerator[Event, None]:
        """Make one request, and run the tools that its reply calls or take its answer.

        Raises:
            ClineError: the run is over: by a limit after its closing request, by mistakes, by a failure.
        """
        tally.budget.measure(self.messages)
        closing = tally.limit_reached()
        if closing:
            yield Notice("limit_reached", closing.message)
            self.messages.append(user_text(f"{closing.message}. Answer now, from what you have; no tools."))
            tally.budget.measure(self.messages)
        async with aclosing(self._compactor.make_room(self.messages, may_ask=not closing)) as events:
            async for event in events:
                yield event
        tally.output_tokens(is_closing=closing is not None)  # nothing is begun for which there is no money
        tally.iterations += 1
        yield IterationStarted(tally.iterations, has_tools=bool(self.offered) and not closing)
        try:
            async with aclosing(self._ask(is_closing=closing is not None)) as events:
                async for event in events:
                    yield event
        except EmptyReplyError as failure:
            raise closing or failure from None
        reply = self.messages[-1]
        assert isinstance(reply, AssistantMessage), "_ask ends with a reply in the history"
        if reply.tool_calls and not closing:
            async with aclosing(self._act(reply, tally)) as events:
                async for event in events:
                    yield event
            return
        self._leave_unrun(reply.tool_calls, "There are no tools any more.")
        refused = self._judge(reply.text, closing, is_cut=reply.stop_reason == "length")
        if refused:
            yield refused
        elif failed := closing or _cut(reply):
            raise failed

    async def _act(self, reply: AssistantMessage, tally: Tally) -> AsyncGenerator[Event, None]:
        """Carry out the calls of a reply, one of which may hand in the answer.

        Raises:
            MistakesError, AnswerError: the run is over.
        """
        finished: list[ToolFinished] = []
        async with aclosing(self._run_tools(reply)) as events:
            async for event in events:
                yield event
                if isinstance(event, ToolFinished):
                    finished.append(event)
        tally.count_results(finished)
        answers = [result.output.answer for result in finished if result.output.answer is not None]
        if not answers:
            tally.check_mistakes()
        elif refused := self._judge(answers[-1], None):
            yield refused

    def finish(self, error: ClineError | None) -> RunFinished:
        """Return the last event of the current run, with what it has done so far."""
        return self.tally.finish(error)

    def first_request(self, prompt: UserMessage) -> Request:
        """Return what `run` would ask first."""
        return self._to_request((*self.messages, prompt), self.max_tokens)

    def _to_request(self, messages: tuple[Message, ...], max_tokens: int | None, *, may_call: bool = True) -> Request:
        options = (self.effort, self.schema, may_call)
        return Request(self.model, self.system, messages, self.offered, max_tokens, *options)

    def _judge(self, text: str, closing: ClineError | None, *, is_cut: bool = False) -> Notice | None:
        """Take an answer; or append to the history why it is not taken, and return that for the person.

        Raises:
            AnswerError: too many were refused.
        """
        if is_cut and not closing and self.offered and self.tally.guard.can_be_cut_again():
            self.messages.append(
                user_text("Your reply was cut off at its output limit. Give it again, whole and shorter.")
            )
            return Notice("reply_cut", "the reply was cut at the model's output limit, and is asked for again")
        try:
            self.tally.take_answer(self.check(text) if self.check else text)
        except AnswerRefusedError as error:
            if closing:
                return None
            self.tally.guard.count_refusal(str(error))
            self.messages.append(user_text(f"This is not the answer that was asked for: {error}. Give it again."))
            return Notice("answer_refused", f"the answer does not fit the schema, and is asked for again: {error}")
        return None

    def _begin(self) -> Tally:
        """Return the count of a run that has done nothing yet."""
        limits = self.limits
        characters = len(self.system) + sum(len(f"{spec.description}{spec.parameters}") for spec in self.offered)
        budget = Budget(limits.max_cost_usd, limits.price, Gauge(characters))
        return Tally(limits, self.clock, budget, Guard(limits.max_mistakes))

    def _watch_window(self, prompt: UserMessage | None) -> Compactor:
        return Compactor(self.provider, self.model, self.effort, self.window, self.tally, prompt)

    async def _ask(self, *, is_closing: bool) -> AsyncGenerator[Event, None]:
        """Stream one reply and append it to the history; an empty one is asked for again.

        Of a reply that is refused as too long nothing counts, and the history is made shorter once.
        """
        empty_replies = 0
        while empty_replies < EMPTY_REPLIES:
            reply: AssistantMessage | None = None
            is_shown = False
            max_tokens = self.tally.output_tokens(is_closing=is_closing)
            limits = [limit for limit in (self.max_tokens, max_tokens) if limit is not None]
            request = self._to_request(tuple(self.messages), min(limits, default=None), may_call=not is_closing)
            try:
                async with aclosing(self.provider.stream(request)) as deltas:
                    async for delta in deltas:
                        if isinstance(delta, AssistantMessage):
                            reply = delta
                        else:
                            self.tally.has_received = self.tally.has_received or not isinstance(delta, Waiting)
                            is_shown = True
                            yield delta
            except ContextWindowError as error:
                if is_shown:
                    yield ReplyDiscarded("the conversation is too long for the model")
                async with aclosing(self._compactor.answer(error, self.messages, may_ask=not is_closing)) as events:
                    async for event in events:
                        yield event
                continue
            assert reply is not None, "a provider's stream ends with an AssistantMessage"
            reply = self.tally.count_reply(reply)
            yield UsageUpdated(reply.usage, self.tally.usage)
            if reply.text.strip() or reply.tool_calls:
                self.messages.append(reply)
                yield MessageFinished(reply)
                if reply.stop_reason == "content_filter":
                    self._leave_unrun(reply.tool_calls, "The reply was stopped by a content filter.")
                    raise ContentFilteredError("the provider's content filter stopped the answer")
                return
            if reply.stop_reason == "content_filter":
                raise ContentFilteredError("the provider's content filter stopped the answer")
            yield ReplyDiscarded("the reply was empty")
            empty_replies += 1
        raise EmptyReplyError(f"the model returned an empty reply {EMPTY_REPLIES} times", "Try again or another model")

    async def _run_tools(self, reply: AssistantMessage) -> AsyncGenerator[Event, None]:
        """Carry out the calls of a reply, and append a result for each to the history, in the order of the calls."""
        events: asyncio.Queue[ToolProgress | Outcome] = asyncio.Queue()
        tasks: list[asyncio.Task[None]] = []
        outcomes: dict[str, Outcome] = {}
        try:
            prepared: list[Prepared] = []
            for call in reply.tool_calls:
                prepared.append(await self._prepare(call, is_cut=reply.stop_reason == "length"))
                yield ToolStarted(call, prepared[-1].summary)
            tasks = [asyncio.create_task(self._carry_out(item, events)) for item in prepared]
            for item in prepared:
                while item.call.id not in outcomes:
                    event = await events.get()
                    if isinstance(event, ToolProgress):
                        yield event
                    else:
                        outcomes[event.call.id] = event
                        if event.call is not item.call:
                            yield ToolSettled(event.call, event.output)
                outcome = outcomes[item.call.id]
                yield ToolFinished(
                    item.call, item.summary, outcome.output, outcome.duration_s, item.denied, self._own_name(item.call)
                )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for call in reply.tool_calls:
                self.messages.append(outcomes[call.id].to_result() if call.id in outcomes else interrupted(call))

    async def _prepare(self, call: ToolCall, *, is_cut: bool) -> Prepared:
        """Parse and approve a call, so that what is left is to run it.

        Raises:
            MistakesError: the same call came too often in a row.
        """
        repeats = self.tally.count_call(call)
        tool = self.tools.get(call.name)
        if tool is None:
            names = ", ".join(spec.name for spec in self.offered) or "none"
            return Prepared(call, call.name, refusal(f"There is no tool {call.name}. The tools are: {names}."))
        if is_cut:
            text = "Your reply was cut off at its output limit, so nothing of it was run. Make smaller calls."
            return Prepared(call, call.name, refusal(text))
        try:
            arguments = tool.normalize(parse_arguments(call.arguments))
        except ValueError as error:
            return Prepared(call, call.name, refusal(f"The arguments are not a JSON object: {error}."))
        except ToolError as error:
            return Prepared(call, call.name, refusal(str(error)))
        summary = tool.summary(arguments)
        verdict = await self.approve(tool, arguments)
        if isinstance(verdict, Deny):
            return Prepared(call, summary, refusal(verdict.reason, verdict.told), denied=True)
        note = f"(This very call has now been made {repeats} times in a row.)" if repeats >= REPEATS_TOLD else ""
        note = f"(The user edited this call before it ran.) {note}".strip() if verdict.arguments != arguments else note
        return Prepared(call, tool.summary(verdict.arguments), Work(tool, verdict.arguments, note))

    async def _carry_out(self, item: Prepared, events: asyncio.Queue[ToolProgress | Outcome]) -> None:
        """Run one prepared call; whatever happens, its outcome is put into the queue."""
        started = self.clock()
        work = item.work
        if isinstance(work, ToolOutput):
            events.put_nowait(Outcome(item.call, work, 0.0))
            return
        try:
            output = await work.tool.run(
                work.arguments, lambda text: events.put_nowait(ToolProgress(item.call.id, text))
            )
        except ToolError as error:
            output = refusal(str(error))
        except Exception as error:  # noqa: BLE001  # a fault in one tool is that call's result, never the run's end
            output = refusal(f"{item.call.name} failed unexpectedly: {type(error).__name__}: {error}")
        if work.note:
            output = replace(output, parts=(*output.parts, TextPart(work.note)))
        events.put_nowait(Outcome(item.call, output, self.clock() - started))

    def _own_name(self, call: ToolCall) -> str:
        tool = self.tools.get(call.name)
        return tool.spec.name if tool else ""

    def _leave_unrun(self, calls: tuple[ToolCall, ...], reason: str) -> None:
        self.messages.extend(not_run(call, reason) for call in calls)


def _cut(reply: AssistantMessage) -> ClineError | None:
    if reply.stop_reason != "length":
        return None
    return ProviderError("the answer was cut at the model's output limit", "Ask for less at once")
