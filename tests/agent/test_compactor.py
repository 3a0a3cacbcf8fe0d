from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise

import pytest

from cline_cli.agent.budget import Price
from cline_cli.agent.compaction import NOTES
from cline_cli.agent.compactor import SUMMARY_TOKENS, Window
from cline_cli.agent.events import Compacted, Event, IterationStarted, RunFinished, UsageUpdated
from cline_cli.agent.gauge import estimate_tokens
from cline_cli.agent.limits import Limits
from cline_cli.agent.loop import EMPTY_REPLIES, Agent
from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
    user_text,
)
from cline_cli.agent.provider import Delta, ReplyDiscarded, Request, TextDelta, Waiting
from cline_cli.agent.repair import repair
from cline_cli.errors import ContentFilteredError, ContextWindowError, LimitReachedError, ServerError
from tests.fakes import FakeClock, FakeProvider, FakeTool, approve_all, collect, reply, tools

SMALL = Window("agentic", 3700)
TOO_LONG = "the conversation is too long for m (400)"


def said(text: str, *calls: ToolCall) -> AssistantMessage:
    """Return a reply whose provider says nothing of usage, so that our own estimate stands."""
    return AssistantMessage(reply(text, *calls).parts, "tool_calls" if calls else "stop", Usage())


def call(number: int) -> ToolCall:
    return ToolCall(f"call_{number}", "look", json.dumps({"n": number}))


def make_agent(
    *turns: Sequence[Delta | Exception | float] | AssistantMessage,
    window: Window = SMALL,
    result: str = "seen " * 400,
    limits: Limits | None = None,
) -> Agent:
    fake = FakeTool(result=result)
    provider = FakeProvider([[turn] if isinstance(turn, AssistantMessage) else turn for turn in turns])
    return Agent(
        provider,
        "m",
        "system",
        tools(fake),
        (fake.spec,),
        approve_all,
        limits or Limits(),
        window=window,
        clock=FakeClock(),
    )


def run(agent: Agent, prompt: str = "the task") -> list[Event]:
    return asyncio.run(collect(agent, prompt))


def last(events: Sequence[Event]) -> RunFinished:
    assert isinstance(events[-1], RunFinished)
    return events[-1]


def asked(agent: Agent) -> list[Request]:
    assert isinstance(agent.provider, FakeProvider)
    return agent.provider.requests


def compactions(events: Sequence[Event]) -> list[Compacted]:
    return [event for event in events if isinstance(event, Compacted)]


def text_of(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def before(turns: int, result: str = "seen " * 400) -> list[Message]:
    """Return a history of an earlier run."""
    messages: list[Message] = [user_text("an older task")]
    for number in range(turns):
        messages += [said(f"step {number}", call(number)), ToolResult(f"call_{number}", (TextPart(result),))]
    return [*messages, said("done with that")]


def test_nothing_is_shortened_while_there_is_room() -> None:
    agent = make_agent(*(said("", call(number)) for number in range(4)), said("done"))
    assert compactions(run(agent)) == []
    assert len(asked(agent)) == 5


def test_a_model_sums_up_the_older_part_when_the_next_request_would_nearly_fill_the_window() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(5)]
    agent = make_agent(*turns, said("the notes"), said("done"))
    events = run(agent)
    (told,) = compactions(events)
    assert (told.manner, told.is_forced, told.fallback) == ("agentic", False, "")
    assert told.before_tokens >= 0.9 * 3700
    assert told.after_tokens < told.before_tokens / 2
    assert last(events).text == "done"
    request = asked(agent)[-1].messages
    first = text_of(request[0])
    assert first.startswith("the task\n\n" + NOTES)
    assert first.endswith("the notes")
    assert list(request) == repair(request)


def test_the_newest_part_stays_as_it_was() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(5)]
    agent = make_agent(*turns, said("the notes"), said("done"))
    run(agent)
    refused, after = asked(agent)[4], asked(agent)[6]
    assert after.messages[-2].parts == turns[4].parts
    assert all(any(kept is one for one in agent.messages) for kept in after.messages[1:])
    assert refused.messages[0] == user_text("the task")


def test_the_request_for_notes_has_no_tools_and_tells_how_much_of_a_result_is_missing() -> None:
    agent = make_agent(said("step 0", call(0)), said("the notes"), said("done"), result="x" * 5000 + "y" * 6500)
    agent.messages = before(1)
    run(agent)
    request = next(request for request in asked(agent) if not request.tools)
    assert (len(request.messages), request.schema, request.effort) == (1, None, None)
    assert request.max_tokens is not None
    assert request.max_tokens <= 2 * SUMMARY_TOKENS
    assert "look gave: seen" in text_of(request.messages[0])
    assert request.system != agent.system


def test_the_request_for_notes_fits_the_window_when_the_older_part_does_not() -> None:
    agent = make_agent(said("the notes"), said("done"))
    agent.messages = before(40)
    run(agent)
    request = asked(agent)[0]
    assert estimate_tokens(request.messages) + len(request.system) < 3700
    assert "lines, left out here" in text_of(request.messages[0])


def test_what_the_notes_took_is_counted_and_told() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(5)]
    notes = AssistantMessage((TextPart("the notes"),), "stop", Usage(700, 70, cost_usd=0.25))
    events = run(make_agent(*turns, notes, said("done")))
    usages = [event for event in events if isinstance(event, UsageUpdated)]
    assert usages[5].usage == Usage(700, 70, cost_usd=0.25)
    assert last(events).usage.cost_usd == 0.25
    assert last(events).iterations == 6


@pytest.mark.parametrize(
    ("turn", "why"),
    [
        ([ServerError("the server is down")], "the server is down"),
        ([said(" \n")], "the model wrote nothing"),
        ([TextDelta("half"), ContentFilteredError("filtered")], "filtered"),
        ([AssistantMessage((TextPart("I cannot"),), "content_filter")], "the model wrote nothing"),
        ([ContextWindowError("too long as well")], "too long as well"),
    ],
)
def test_a_rule_cuts_the_older_part_when_there_are_no_notes(turn: Sequence[Delta | Exception], why: str) -> None:
    turns = [said(f"step {number}", call(number)) for number in range(5)]
    agent = make_agent(*turns, turn, said("done"))
    events = run(agent)
    (told,) = compactions(events)
    assert (told.manner, told.fallback) == ("basic", why)
    assert last(events).error is None
    assert "assistant called look" in text_of(asked(agent)[-1].messages[0])
    assert estimate_tokens(asked(agent)[-1].messages) <= 2200


def test_no_model_is_asked_for_notes_when_cutting_is_wanted() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(5)]
    agent = make_agent(*turns, said("done"), window=Window("basic", 3700))
    (told,) = compactions(run(agent))
    assert (told.manner, told.fallback) == ("basic", "")
    assert all(request.tools for request in asked(agent))


def test_the_history_is_left_alone_when_that_is_wanted() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(8)]
    agent = make_agent(*turns, said("done"), window=Window("off", 3700))
    assert compactions(run(agent)) == []
    assert len(agent.messages) == 18


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_total_tokens=14_000),
        Limits(max_cost_usd=0.0165, price=Price(1, 1)),
    ],
)
def test_no_model_is_asked_for_notes_when_a_limit_leaves_no_room(limits: Limits) -> None:
    turns = [said(f"step {number}", call(number)) for number in range(9)]
    agent = make_agent(*turns, said("done"), limits=limits)
    told = compactions(run(agent))
    assert told
    assert {one.manner for one in told} == {"basic"}
    assert told[0].fallback == "a limit of the run leaves no room for it"


def test_no_model_is_asked_for_notes_before_a_closing_request() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(5)]
    agent = make_agent(*turns, said("so far"), limits=Limits(max_turns=5))
    events = run(agent)
    assert [one.manner for one in compactions(events)] == ["basic"]
    assert isinstance(last(events).error, LimitReachedError)
    assert last(events).text == "so far"
    assert asked(agent)[-1].may_call is False


class Endless(FakeProvider):
    """Takes notes where no tools are offered, and calls one where they are."""

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        number = len(self.requests)
        self.turns = [[said("step", call(number)) if request.tools else said(f"notes {number}")]]
        async for delta in super().stream(request):
            yield delta


def test_a_history_is_shortened_again_when_it_has_grown_again() -> None:
    agent = make_agent(limits=Limits(max_turns=30))
    agent.provider = Endless([])
    told = compactions(run(agent))
    assert len(told) >= 4
    requests = [request.messages for request in asked(agent) if request.tools]
    assert all(estimate_tokens(messages) < 3700 for messages in requests)
    assert all(text_of(messages[0]).startswith("the task") for messages in requests)
    assert max(len(text_of(messages[0])) for messages in requests) < 4000


def test_it_is_not_tried_before_every_request_when_it_cannot_get_short_enough() -> None:
    agent = make_agent(
        *(said("", call(number)) for number in range(3)), said("done"), window=Window("basic", 2000), result="ok"
    )
    events = run(agent, "t" * 5500)
    assert compactions(events) == []
    assert len(asked(agent)) == 4


def test_it_is_not_tried_before_every_request_when_the_tools_alone_nearly_fill_the_window() -> None:
    turns = [said("", call(number)) for number in range(12)]
    agent = make_agent(*turns, said("done"), window=Window("basic", 3700), result="r" * 600)
    agent.system = "s" * 9600
    told = compactions(run(agent))
    assert 2 <= len(told) <= 5
    assert all(one.after_tokens < one.before_tokens for one in told)


def test_no_notes_are_asked_for_of_a_part_that_is_no_longer_than_they_may_be() -> None:
    agent = make_agent(said("", call(1)), said("done"), result="r" * 10_500)
    agent.messages = [user_text("an older task"), said("a short answer")]
    told = compactions(run(agent))
    assert [(one.manner, one.fallback) for one in told] == [("basic", "")]
    assert all(request.tools for request in asked(agent))


def test_a_result_that_fills_the_window_by_itself_loses_its_middle() -> None:
    agent = make_agent(said("", call(1)), said("done"), result="".join(f"line {n}\n" for n in range(4000)))
    events = run(agent)
    (told,) = compactions(events)
    assert told.manner == "basic"
    result = asked(agent)[-1].messages[-1]
    assert isinstance(result, ToolResult)
    assert "lines, left out here" in result.text
    assert asked(agent)[-1].messages[0] == user_text("the task")
    assert last(events).error is None


def test_the_prompt_of_this_run_stays_word_for_word_when_an_older_run_began_the_history() -> None:
    turns = [said(f"step {number}", call(10 + number)) for number in range(5)]
    agent = make_agent(*turns, said("the notes"), said("done"))
    agent.messages = before(1)
    run(agent, "now rename everything to fnord_17")
    first = text_of(asked(agent)[-1].messages[0])
    assert first.startswith("an older task")
    assert "now rename everything to fnord_17" in first


def test_a_request_that_is_refused_as_too_long_is_made_again_with_a_shorter_history() -> None:
    refusal = ContextWindowError(TOO_LONG, "Begin a new one")
    agent = make_agent([refusal], said("the notes"), said("done"), window=Window("agentic", 128_000))
    agent.messages = before(6)
    events = run(agent)
    (told,) = compactions(events)
    assert told.is_forced
    assert last(events).error is None
    assert [bool(request.tools) for request in asked(agent)] == [True, False, True]
    assert estimate_tokens(asked(agent)[2].messages) < estimate_tokens(asked(agent)[0].messages) / 2


def test_less_is_sent_from_then_on_when_a_request_was_refused_as_too_long() -> None:
    turns = [said(f"step {number}", call(10 + number)) for number in range(6)]
    refusal = ContextWindowError(TOO_LONG)
    agent = make_agent([refusal], *turns, said("done"), window=Window("basic", 128_000))
    agent.messages = before(6)
    events = run(agent)
    assert [one.is_forced for one in compactions(events)] == [True, False]
    refused, *others = asked(agent)
    assert max(estimate_tokens(request.messages) for request in others) < estimate_tokens(refused.messages) * 0.9


def test_text_is_void_when_its_reply_ended_in_a_refusal() -> None:
    agent = make_agent([TextDelta("half an"), ContextWindowError(TOO_LONG)], said("notes"), said("done"))
    agent.messages = before(4)
    events = run(agent)
    kinds = [type(event) for event in events]
    assert kinds.index(TextDelta) < kinds.index(ReplyDiscarded) < kinds.index(Compacted)
    assert last(events).text == "done"


@pytest.mark.parametrize("is_second", [True, False])
def test_a_refusal_stands_when_it_comes_again_or_nothing_can_be_left_out(*, is_second: bool) -> None:
    refusal = ContextWindowError(TOO_LONG, "Begin a new one")
    agent = make_agent([ContextWindowError("the first")], [refusal]) if is_second else make_agent([refusal])
    agent.window = Window("basic", 128_000)
    agent.messages = before(6) if is_second else []
    events = run(agent)
    assert last(events).error is refusal
    assert "--compaction" in refusal.hint
    assert len(asked(agent)) == (2 if is_second else 1)
    assert len(compactions(events)) == (1 if is_second else 0)


def test_a_refusal_stands_and_names_the_option_when_it_is_off() -> None:
    refusal = ContextWindowError(TOO_LONG, "Begin a new one")
    agent = make_agent([refusal], window=Window("off", 128_000))
    agent.messages = before(6)
    assert last(run(agent)).error is refusal
    assert "--compaction agentic" in refusal.hint
    assert len(agent.messages) == len(before(6)) + 1


def test_a_provider_keeps_its_own_advice_when_it_makes_the_history_fit_itself() -> None:
    refusal = ContextWindowError(TOO_LONG, "Use a larger model")
    run(make_agent([refusal], window=Window("off", 0)))
    assert refusal.hint == "Use a larger model"


def test_each_request_may_be_refused_once() -> None:
    refusals = [[ContextWindowError(TOO_LONG)] for _ in range(2)]
    agent = make_agent(
        refusals[0], said("", call(20)), refusals[1], said("done"), window=Window("basic", 128_000), result="r" * 1500
    )
    agent.messages = before(8)
    events = run(agent)
    assert last(events).error is None
    assert [one.is_forced for one in compactions(events)] == [True, True]


def test_an_empty_reply_is_asked_for_as_often_when_a_refusal_came_first() -> None:
    agent = make_agent([ContextWindowError(TOO_LONG)], *[said("")] * EMPTY_REPLIES, window=Window("basic", 128_000))
    agent.messages = before(6)
    events = run(agent)
    assert len(asked(agent)) == 1 + EMPTY_REPLIES
    assert "empty reply" in str(last(events).error)


def test_a_pause_before_a_retry_is_told_while_notes_are_written() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(5)]
    pause = Waiting(2, "rate limit (429)")
    events = run(make_agent(*turns, [pause, TextDelta("not for people"), said("the notes")], said("done")))
    assert pause in events
    assert TextDelta("not for people") not in events


def test_the_history_is_whole_when_a_run_is_stopped_while_notes_are_written() -> None:
    turns = [said("", call(number)) for number in range(5)]
    agent = make_agent(*turns, [30.0])

    async def stop_in_the_notes() -> None:
        task = asyncio.create_task(collect(agent))
        while len(asked(agent)) < 6:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_in_the_notes())
    assert len(agent.messages) == 11
    assert repair(agent.messages) == agent.messages


def test_images_of_the_older_part_are_gone_and_those_of_the_task_stay() -> None:
    image = ImagePart("image/png", b"png")
    agent = make_agent(said("the notes"), said("done"), window=Window("agentic", 20_000))
    task = UserMessage((TextPart("like this picture"), image))
    shown = ToolResult("call_0", (TextPart("seen " * 9000), image))
    agent.messages = [task, said("", call(0)), shown, said("ok"), user_text("x" * 9000), said("ok")]
    run(agent)
    sent = asked(agent)[-1].messages
    assert [image for message in sent for image in message.parts if isinstance(image, ImagePart)] == [image]
    assert sent[0].parts[:2] == task.parts
    assert "[1 image is left out here]" in text_of(asked(agent)[0].messages[0])


def test_a_history_only_grows_when_nothing_is_shortened() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(39)]
    agent = make_agent(*turns, said("done"), window=Window("agentic", 128_000))
    events = run(agent)
    assert sum(isinstance(event, IterationStarted) for event in events) == 40
    for one, following in pairwise(asked(agent)):
        assert following.messages[: len(one.messages)] == one.messages
        assert all(a is b for a, b in zip(one.messages, following.messages, strict=False))
        assert (one.system, one.tools, one.model) == (following.system, following.tools, following.model)


def test_a_history_only_grows_between_two_compactions() -> None:
    turns = [said(f"step {number}", call(number)) for number in range(25)]
    agent = make_agent(*turns, said("done"), window=Window("basic", 3700))
    events = run(agent)
    breaks = sum(following.messages[: len(one.messages)] != one.messages for one, following in pairwise(asked(agent)))
    assert breaks == len(compactions(events)) > 2


def compact(agent: Agent) -> list[Event]:
    async def gather() -> list[Event]:
        return [event async for event in agent.compact()]

    return asyncio.run(gather())


@pytest.mark.parametrize("window", [Window(), Window("off", 0)], ids=["far from full", "switched off"])
def test_the_history_is_made_shorter_when_somebody_asks_for_it(window: Window) -> None:
    agent = make_agent(said("the notes"), window=window)
    agent.messages = before(12)
    length = len(agent.messages)
    (told,) = compactions(compact(agent))
    assert told.after_tokens < told.before_tokens
    assert len(agent.messages) < length
    assert any("the notes" in text_of(message) for message in agent.messages)


def test_a_short_history_stays_when_somebody_asks_for_less() -> None:
    agent = make_agent()
    agent.messages = [user_text("hi"), said("hello")]
    assert compact(agent) == []
    assert agent.messages == [user_text("hi"), said("hello")]
