from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from cline_cli.agent.answer import AnswerRefusedError
from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.budget import Price
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
from cline_cli.agent.limits import Limits
from cline_cli.agent.loop import EMPTY_REPLIES, Agent
from cline_cli.agent.messages import AssistantMessage, JsonObject, ToolCall, ToolResult, Usage, UserMessage, user_text
from cline_cli.agent.provider import ReplyDiscarded, TextDelta
from cline_cli.agent.tool import Tool, ToolError
from cline_cli.errors import (
    AnswerError,
    ContentFilteredError,
    DeniedError,
    LimitReachedError,
    MistakesError,
    ProviderError,
    RateLimitedError,
)
from tests.fakes import FakeClock, FakeProvider, FakeTool, approve_all, collect, deny_all, reply, tools


def call(name: str = "look", call_id: str = "1", arguments: str = "{}") -> ToolCall:
    return ToolCall(call_id, name, arguments)


def make_agent(*turns: AssistantMessage, fakes: Sequence[FakeTool] = (), limits: Limits | None = None) -> Agent:
    provider = FakeProvider([[turn] for turn in turns])
    offered = tuple(fake.spec for fake in fakes)
    return Agent(provider, "m", "system", tools(*fakes), offered, approve_all, limits or Limits(), clock=FakeClock())


def run(agent: Agent, prompt: str = "go") -> list[Event]:
    return asyncio.run(collect(agent, prompt))


def last(events: list[Event]) -> RunFinished:
    assert isinstance(events[-1], RunFinished)
    assert sum(isinstance(event, RunFinished) for event in events) == 1
    return events[-1]


def requests(agent: Agent) -> list[bool]:
    """Return for each request whether tools could be called."""
    assert isinstance(agent.provider, FakeProvider)
    return [bool(request.tools) and request.may_call for request in agent.provider.requests]


def results(agent: Agent) -> list[ToolResult]:
    return [message for message in agent.messages if isinstance(message, ToolResult)]


def test_one_request_is_made_when_the_model_answers_at_once() -> None:
    agent = make_agent(reply("hello"), fakes=[FakeTool()])
    events = run(agent)
    assert [type(event) for event in events] == [
        RunStarted,
        IterationStarted,
        TextDelta,
        UsageUpdated,
        MessageFinished,
        RunFinished,
    ]
    assert last(events) == RunFinished("hello", Usage(10, 5), 1, 0, 0.0, None)


def test_results_go_back_in_the_order_of_the_calls_when_the_first_is_the_slowest() -> None:
    slow, quick = FakeTool("slow", "late", pause_s=0.02), FakeTool("quick", "soon")
    agent = make_agent(reply("both", call("slow", "a"), call("quick", "b")), reply("done"), fakes=[slow, quick])
    events = run(agent)
    assert [event.call.id for event in events if isinstance(event, ToolFinished)] == ["a", "b"]
    assert [(result.call_id, result.text) for result in results(agent)] == [("a", "late"), ("b", "soon")]
    assert last(events).text == "done"
    assert last(events).tool_calls == 2


def test_a_call_is_told_to_be_over_when_it_has_to_wait_for_those_before_it() -> None:
    slow, quick = FakeTool("slow", "late", pause_s=0.02), FakeTool("quick", "soon")
    agent = make_agent(reply("both", call("slow", "a"), call("quick", "b")), reply("done"), fakes=[slow, quick])
    told = [event for event in run(agent) if isinstance(event, ToolSettled | ToolFinished)]
    assert [(type(event), event.call.id) for event in told] == [
        (ToolSettled, "b"),
        (ToolFinished, "a"),
        (ToolFinished, "b"),
    ]
    assert told[0].output == told[2].output


def test_calls_of_one_reply_run_together() -> None:
    order: list[str] = []

    class Meeting(FakeTool):
        async def run(self, arguments: JsonObject, report: object) -> object:  # type: ignore[override]
            order.append(f"{self.name} begins")
            await asyncio.sleep(0.01)
            order.append(f"{self.name} ends")
            return await super().run(arguments, lambda _: None)

    fakes = [Meeting("left"), Meeting("right")]
    run(make_agent(reply("", call("left", "a"), call("right", "b")), reply("done"), fakes=fakes))
    assert order == ["left begins", "right begins", "left ends", "right ends"]


def test_progress_is_reported_between_start_and_finish() -> None:
    events = run(make_agent(reply("", call()), reply("done"), fakes=[FakeTool()]))
    kinds = [type(event) for event in events if isinstance(event, ToolStarted | ToolProgress | ToolFinished)]
    assert kinds == [ToolStarted, ToolProgress, ToolFinished]


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"', "null", '{"a":', "[" * 100_000])
def test_a_call_is_not_run_when_its_arguments_are_not_a_json_object(arguments: str) -> None:
    fake = FakeTool()
    agent = make_agent(reply("", call(arguments=arguments)), reply("sorry"), fakes=[fake])
    assert last(run(agent)).error is None
    assert fake.runs == []
    assert "not a JSON object" in json.loads(results(agent)[0].text)["error"]


def test_a_call_is_not_run_when_it_cannot_be_told_what_is_meant() -> None:
    fake = FakeTool()
    agent = make_agent(reply("", call(arguments='{"strange": 1}')), reply("sorry"), fakes=[fake])
    agent.approve = deny_all
    assert last(run(agent)).denied == ()
    assert fake.runs == []
    assert json.loads(results(agent)[0].text) == {"error": "what is meant?"}


@pytest.mark.parametrize("arguments", ["", "  ", "{}"])
def test_a_call_runs_without_arguments_when_it_has_none(arguments: str) -> None:
    fake = FakeTool()
    run(make_agent(reply("", call(arguments=arguments)), reply("done"), fakes=[fake]))
    assert fake.runs == [{}]


def test_the_model_is_told_which_tools_there_are_when_it_calls_an_unknown_one() -> None:
    agent = make_agent(reply("", call("nope")), reply("done"), fakes=[FakeTool("look"), FakeTool("edit")])
    run(agent)
    assert json.loads(results(agent)[0].text) == {"error": "There is no tool nope. The tools are: look, edit."}


@pytest.mark.parametrize("failure", [ToolError("no such file"), RuntimeError("a bug")])
def test_the_run_goes_on_when_a_tool_fails(failure: Exception) -> None:
    agent = make_agent(reply("", call()), reply("done"), fakes=[FakeTool(result=failure)])
    assert last(run(agent)).error is None
    assert results(agent)[0].is_error
    assert str(failure) in results(agent)[0].text


def test_the_answer_is_handed_in_by_a_tool_when_it_can() -> None:
    agent = make_agent(reply("working", call("submit")), fakes=[FakeTool("submit", answer="the summary")])
    assert last(run(agent)).text == "the summary"
    assert requests(agent) == [True]


def test_a_denied_call_counts_when_the_answer_is_handed_in_beside_it() -> None:
    async def approve(tool: Tool, arguments: JsonObject) -> Allow | Deny:
        return Deny("no") if tool.spec.name == "edit" else Allow(arguments)

    fakes = [FakeTool("edit"), FakeTool("submit", answer="done")]
    agent = make_agent(reply("", call("edit", "a"), call("submit", "b")), fakes=fakes)
    agent.approve = approve
    finished = last(run(agent))
    assert isinstance(finished.error, DeniedError)
    assert finished.text == "done"


def test_the_limit_is_the_reason_when_the_closing_reply_is_empty() -> None:
    agent = make_agent(reply("", call()), *[reply("")] * EMPTY_REPLIES, fakes=[FakeTool()], limits=Limits(max_turns=1))
    error = last(run(agent)).error
    assert isinstance(error, LimitReachedError)
    assert "1 turn was" in error.message


def test_a_provider_failure_ends_the_run_with_itself() -> None:
    failure = RateLimitedError("rate limit")
    agent = make_agent(fakes=[FakeTool()])
    agent.provider = FakeProvider([[failure]])
    assert last(run(agent)).error is failure


def test_an_empty_reply_is_asked_for_again_and_voided() -> None:
    agent = make_agent(reply(" \n"), reply("here"))
    events = run(agent)
    assert last(events).text == "here"
    assert sum(isinstance(event, ReplyDiscarded) for event in events) == 1
    assert last(events).usage == Usage(20, 10)
    assert len(agent.messages) == 2


def test_the_run_fails_when_every_reply_is_empty() -> None:
    agent = make_agent(*[reply("")] * EMPTY_REPLIES)
    error = last(run(agent)).error
    assert isinstance(error, ProviderError)
    assert error.exit_code == 1


def test_the_run_fails_when_the_answer_was_cut() -> None:
    error = last(run(make_agent(reply("half of", stop_reason="length")))).error
    assert error is not None
    assert "output limit" in str(error)


def test_no_call_of_a_cut_reply_runs() -> None:
    fake = FakeTool()
    agent = make_agent(reply("", call(), stop_reason="length"), reply("done"), fakes=[fake])
    run(agent)
    assert fake.runs == []
    assert "cut off" in results(agent)[0].text


@pytest.mark.parametrize("text", ["", "I cannot"])
def test_the_run_fails_when_the_content_filter_stopped_the_answer(text: str) -> None:
    agent = make_agent(reply(text, stop_reason="content_filter"))
    assert isinstance(last(run(agent)).error, ContentFilteredError)


def test_a_denied_call_is_told_to_the_model_and_fails_the_run_with_the_answer() -> None:
    fake = FakeTool()
    agent = make_agent(reply("", call()), reply("I may not"), fakes=[fake])
    agent.approve = deny_all
    finished = last(run(agent))
    assert fake.runs == []
    assert isinstance(finished.error, DeniedError)
    assert finished.text == "I may not"
    assert finished.denied == ("look {}",)
    assert "look is not allowed" in results(agent)[0].text


def test_a_denied_call_is_forgiven_when_the_tool_succeeds_later() -> None:
    verdicts = iter([Deny("not that one"), None])

    async def approve(tool: Tool, arguments: JsonObject) -> Allow | Deny:
        return next(verdicts) or Allow(arguments)

    agent = make_agent(reply("", call()), reply("", call(arguments='{"a": 1}')), reply("done"), fakes=[FakeTool()])
    agent.approve = approve
    finished = last(run(agent))
    assert finished.error is None
    assert len(finished.denied) == 1


def test_a_denied_call_is_forgiven_when_the_same_tool_succeeds_under_another_name() -> None:
    verdicts = iter([Deny("not that one"), None])

    async def approve(tool: Tool, arguments: JsonObject) -> Allow | Deny:
        return next(verdicts) or Allow(arguments)

    fake = FakeTool()
    agent = make_agent(reply("", call("old_look")), reply("", call()), reply("done"), fakes=[fake])
    agent.tools = {"look": fake, "old_look": fake}
    agent.approve = approve
    assert last(run(agent)).error is None


def test_the_approved_arguments_are_the_ones_that_run() -> None:
    async def approve(tool: Tool, arguments: JsonObject) -> Allow | Deny:
        return Allow({"command": "harmless"})

    fake = FakeTool()
    agent = make_agent(reply("", call(arguments='{"command": "other"}')), reply("done"), fakes=[fake])
    agent.approve = approve
    run(agent)
    assert fake.runs == [{"command": "harmless"}]


def test_the_model_gets_one_last_request_without_tools_when_its_turns_are_used_up() -> None:
    turns = [reply("", call(arguments=f'{{"n": {number}}}')) for number in range(2)]
    agent = make_agent(*turns, reply("as far as I got"), fakes=[FakeTool()], limits=Limits(max_turns=2))
    finished = last(run(agent))
    assert requests(agent) == [True, True, False]
    assert isinstance(finished.error, LimitReachedError)
    assert finished.text == "as far as I got"


def test_the_closing_request_declares_the_same_tools_when_none_may_be_called() -> None:
    agent = make_agent(reply("", call()), reply("so far"), fakes=[FakeTool()], limits=Limits(max_turns=1))
    events = run(agent)
    assert isinstance(agent.provider, FakeProvider)
    first, closing = agent.provider.requests
    assert (first.may_call, closing.may_call) == (True, False)
    assert closing.tools == first.tools == agent.offered
    assert [event.has_tools for event in events if isinstance(event, IterationStarted)] == [True, False]


def test_nothing_runs_when_the_model_calls_a_tool_in_its_closing_reply() -> None:
    fake = FakeTool()
    agent = make_agent(reply("", call()), reply("text", call(call_id="2")), fakes=[fake], limits=Limits(max_turns=1))
    assert isinstance(last(run(agent)).error, LimitReachedError)
    assert len(fake.runs) == 1
    assert [result.call_id for result in results(agent)] == ["1", "2"]


def test_the_model_is_told_and_then_stopped_when_it_repeats_a_call() -> None:
    fake = FakeTool()
    turns = [reply("", call(call_id=str(number))) for number in range(9)]
    agent = make_agent(*turns, fakes=[fake])
    error = last(run(agent)).error
    assert isinstance(error, MistakesError)
    assert len(fake.runs) == 4
    told = ["times in a row" in result.text for result in results(agent)]
    assert told == [False, False, True, True, False]
    assert results(agent)[-1].is_error


def test_the_run_stops_when_every_call_of_many_turns_failed() -> None:
    turns = [reply("", call(arguments=f'{{"n": {number}}}')) for number in range(9)]
    agent = make_agent(*turns, fakes=[FakeTool(result=ToolError("no"))], limits=Limits(max_mistakes=3))
    finished = last(run(agent))
    assert isinstance(finished.error, MistakesError)
    assert finished.iterations == 3


def test_mistakes_are_forgotten_when_a_call_succeeds() -> None:
    bad = [reply("", call("bad", arguments=f'{{"n": {number}}}')) for number in range(4)]
    good = reply("", call("good"))
    agent = make_agent(
        *bad[:2],
        good,
        *bad[2:],
        reply("done"),
        fakes=[FakeTool("bad", ToolError("no")), FakeTool("good")],
        limits=Limits(max_mistakes=3),
    )
    assert last(run(agent)).error is None


def test_every_call_has_its_result_when_the_run_is_cancelled() -> None:
    fake = FakeTool(pause_s=30)
    agent = make_agent(reply("", call(call_id="a"), call(call_id="b", arguments='{"n": 1}')), fakes=[fake])

    async def cancel_soon() -> None:
        task = asyncio.create_task(collect(agent))
        while len(fake.runs) < 2:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_soon())
    assert fake.was_cancelled
    assert [(result.call_id, result.is_error) for result in results(agent)] == [("a", True), ("b", True)]
    assert agent.finish(None).tool_calls == 2


def test_what_was_over_has_its_own_result_when_the_run_is_cancelled() -> None:
    slow, quick = FakeTool("slow", pause_s=30), FakeTool("quick", "soon")
    agent = make_agent(reply("both", call("slow", "a"), call("quick", "b")), fakes=[slow, quick])

    async def stop_when_one_is_over() -> None:
        async with aclosing(agent.run(user_text("go"))) as events:
            async for event in events:
                if isinstance(event, ToolSettled):
                    return

    asyncio.run(stop_when_one_is_over())
    assert [(result.call_id, result.is_error) for result in results(agent)] == [("a", True), ("b", False)]
    assert results(agent)[1].text == "soon"


def test_the_history_holds_prompt_and_replies_in_order() -> None:
    agent = make_agent(reply("one", call()), reply("two"), fakes=[FakeTool()])
    run(agent)
    assert agent.messages[0] == user_text("go")
    assert [type(message) for message in agent.messages] == [
        UserMessage,
        AssistantMessage,
        ToolResult,
        AssistantMessage,
    ]


def test_a_second_run_counts_from_nothing_and_keeps_the_history() -> None:
    agent = make_agent(reply("one"), reply("two"))
    run(agent)
    finished = last(run(agent, "and?"))
    assert finished.iterations == 1
    assert len(agent.messages) == 4


def limited(limits: Limits, *turns: AssistantMessage, text: str = "so far") -> tuple[Agent, RunFinished, list[Event]]:
    agent = make_agent(*turns, reply(text), fakes=[FakeTool()], limits=limits)
    events = run(agent)
    return agent, last(events), events


def test_the_tokens_of_a_run_are_limited() -> None:
    turns = [reply("", call(call_id=str(number), arguments=json.dumps({"n": number}))) for number in range(2)]
    agent, finished, events = limited(Limits(max_total_tokens=30), *turns)
    assert isinstance(finished.error, LimitReachedError)
    assert "30 tokens" in str(finished.error)
    assert finished.text == "so far"
    assert requests(agent) == [True, True, False]
    assert [event.reason for event in events if isinstance(event, Notice)] == ["limit_reached"]


def test_the_cost_of_a_run_is_limited_and_its_closing_request_paid_for() -> None:
    price = Price(input_usd=1000, output_usd=1000)
    turns = [reply("", call(call_id=str(number), arguments=json.dumps({"n": number}))) for number in range(2)]
    agent, finished, _ = limited(Limits(max_cost_usd=1.57, price=price), *turns)
    assert isinstance(finished.error, LimitReachedError)
    assert "$1.57" in str(finished.error)
    assert isinstance(agent.provider, FakeProvider)
    allowed = [request.max_tokens for request in agent.provider.requests]
    assert allowed[-1] is not None
    assert all(tokens is not None and 256 <= tokens <= 1600 for tokens in allowed)
    assert finished.usage.cost_usd == pytest.approx(len(allowed) * 0.015)
    assert finished.usage.is_estimate


def test_nothing_is_asked_when_the_money_is_not_even_enough_for_an_answer() -> None:
    agent, finished, _ = limited(Limits(max_cost_usd=0.001, price=Price(1000, 1000)))
    assert isinstance(finished.error, LimitReachedError)
    assert requests(agent) == []


def test_what_a_request_may_write_is_the_smaller_of_money_and_model() -> None:
    agent, _, _ = limited(Limits(max_cost_usd=100, price=Price(1, 1)))
    agent.max_tokens = 700
    assert isinstance(agent.provider, FakeProvider)
    agent.provider.turns = [[reply("hello")]]
    run(agent)
    assert agent.provider.requests[-1].max_tokens == 700


def test_usage_is_told_for_every_reply_with_the_sum_so_far() -> None:
    agent = make_agent(reply("", call()), reply("done"), fakes=[FakeTool()])
    told = [(event.usage, event.total) for event in run(agent) if isinstance(event, UsageUpdated)]
    assert told == [(Usage(10, 5), Usage(10, 5)), (Usage(10, 5), Usage(20, 10))]


def test_a_cut_answer_is_asked_for_again_when_tools_are_offered() -> None:
    agent = make_agent(reply("half an an", stop_reason="length"), reply("whole"), fakes=[FakeTool()])
    events = run(agent)
    assert last(events).text == "whole"
    assert last(events).error is None
    assert [event.reason for event in events if isinstance(event, Notice)] == ["reply_cut"]


def test_a_run_fails_when_its_answer_is_cut_for_good() -> None:
    agent = make_agent(*[reply("half", stop_reason="length")] * 3, fakes=[FakeTool()])
    finished = last(run(agent))
    assert isinstance(finished.error, ProviderError)
    assert finished.error.exit_code == 1
    assert "output limit" in str(finished.error)


def test_a_cut_answer_is_final_when_it_has_been_printed_already() -> None:
    agent = make_agent(reply("half", stop_reason="length"))
    finished = last(run(agent))
    assert isinstance(finished.error, ProviderError)
    assert finished.text == "half"


def only_digits(text: str) -> str:
    if not text.strip().isdigit():
        raise AnswerRefusedError("only digits")
    return text.strip()


def test_a_run_in_which_everything_is_denied_ends_as_denied_and_not_as_mistaken() -> None:
    turns = [reply("", call(call_id=str(number), arguments=json.dumps({"n": number}))) for number in range(9)]
    agent = make_agent(*turns, fakes=[FakeTool()], limits=Limits(max_mistakes=3))
    agent.approve = deny_all
    finished = last(run(agent))
    assert isinstance(finished.error, DeniedError)
    assert len(requests(agent)) == 3
    assert len(finished.denied) == 3


def test_a_run_that_fails_and_is_denied_by_turns_ends_as_mistaken() -> None:
    turns = [
        reply("", call("look" if number % 2 else "no such tool", str(number), json.dumps({"n": number})))
        for number in range(9)
    ]
    agent = make_agent(*turns, fakes=[FakeTool()], limits=Limits(max_mistakes=4))
    agent.approve = deny_all
    assert isinstance(last(run(agent)).error, MistakesError)


def test_people_are_told_of_a_denial_in_words_of_their_own() -> None:
    async def deny(tool: Tool, arguments: JsonObject) -> Allow | Deny:
        return Deny("Denied. Do not look for another way.", "-y lets it run")

    agent = make_agent(reply("", call()), reply("done"), fakes=[FakeTool()])
    agent.approve = deny
    shown = [event.output.display for event in run(agent) if isinstance(event, ToolFinished)]
    assert shown == ["-y lets it run"]
    assert "another way" in results(agent)[0].text


def test_an_answer_is_taken_in_its_final_form() -> None:
    agent = make_agent(reply(" 7 "))
    agent.check = only_digits
    assert last(run(agent)).text == "7"


def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_reason() -> None:
    agent = make_agent(reply("seven"), reply("7"))
    agent.check = only_digits
    events = run(agent)
    assert last(events).text == "7"
    assert last(events).error is None
    told = [message for message in agent.messages if isinstance(message, UserMessage)][-1]
    assert "only digits" in str(told)
    assert [event.reason for event in events if isinstance(event, Notice)] == ["answer_refused"]


def test_a_run_fails_when_no_answer_fits() -> None:
    agent = make_agent(*[reply("seven")] * 9, limits=Limits(max_mistakes=2))
    agent.check = only_digits
    finished = last(run(agent))
    assert isinstance(finished.error, AnswerError)
    assert finished.error.exit_code == 6
    assert finished.text == ""
    assert len(requests(agent)) == 3


def test_an_answer_that_a_tool_hands_in_has_to_fit_as_well() -> None:
    submit = FakeTool("submit", effect="answers", answer="seven")
    agent = make_agent(reply("", call("submit", "1")), reply("7"), fakes=[submit])
    agent.check = only_digits
    assert last(run(agent)).text == "7"


def test_a_closing_answer_that_does_not_fit_is_no_answer() -> None:
    agent = make_agent(reply("", call()), reply("seven"), fakes=[FakeTool()], limits=Limits(max_turns=1))
    agent.check = only_digits
    finished = last(run(agent))
    assert isinstance(finished.error, LimitReachedError)
    assert finished.text == ""


def test_the_schema_goes_with_every_request() -> None:
    agent = make_agent(reply("", call()), reply("done"), fakes=[FakeTool()])
    agent.schema = {"type": "object"}
    run(agent)
    assert isinstance(agent.provider, FakeProvider)
    assert [request.schema for request in agent.provider.requests] == [{"type": "object"}] * 2


def test_a_run_goes_on_from_the_messages_it_is_given() -> None:
    agent = make_agent(reply("done"))
    agent.messages = [user_text("before"), reply("then")]
    run(agent, "now")
    assert requests(agent) == [False]
    assert isinstance(agent.provider, FakeProvider)
    assert agent.provider.requests[0].messages == (user_text("before"), reply("then"), user_text("now"))
