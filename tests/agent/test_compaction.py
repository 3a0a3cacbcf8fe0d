from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.compaction import (
    NOTES,
    compose,
    cut,
    cut_by_rule,
    cut_results,
    cut_task,
    divide,
    to_asked,
    to_summary,
    write_transcript,
)
from cline_cli.agent.gauge import estimate_tokens
from cline_cli.agent.messages import (
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    UserMessage,
    user_text,
)
from cline_cli.agent.repair import repair
from tests.fakes import reply

IMAGE = ImagePart("image/png", b"png")


def turn(number: int, result: str = "fine", calls: int = 1) -> list[Message]:
    """Return a reply with calls and their results."""
    ids = [f"{number}_{place}" for place in range(calls)]
    made = (ToolCall(call_id, "look", json.dumps({"n": call_id})) for call_id in ids)
    return [reply(f"step {number}", *made), *(ToolResult(call_id, (TextPart(result),)) for call_id in ids)]


def history(turns: int, result: str = "fine") -> list[Message]:
    return [user_text("the task"), *(message for number in range(turns) for message in turn(number, result))]


def texts(messages: Sequence[Message]) -> str:
    return "\n".join(part.text for message in messages for part in message.parts if isinstance(part, TextPart))


def test_the_tail_begins_with_a_reply_when_it_would_begin_with_a_result() -> None:
    messages = [user_text("the task"), *turn(1, calls=3), *turn(2, calls=3)]
    divided = divide(messages, estimate_tokens(messages[-2:]), 3)
    assert divided is not None
    assert list(divided.tail) == messages[5:]
    assert list(divided.older) == messages[1:5]


def test_the_tail_is_as_long_as_it_may_be() -> None:
    messages = history(10)
    divided = divide(messages, estimate_tokens(messages[-6:]), 3)
    assert divided is not None
    assert list(divided.tail) == messages[-6:]


@given(
    st.lists(
        st.tuples(st.sampled_from(["turn", "user", "answer"]), st.integers(0, 4), st.integers(0, 400)), max_size=9
    ),
    st.integers(0, 300),
)
def test_what_is_left_is_a_sound_history_wherever_it_is_cut(kinds: list[tuple[str, int, int]], tail: int) -> None:
    messages: list[Message] = [user_text("the task")]
    for number, (kind, calls, size) in enumerate(kinds):
        if kind == "user":
            messages.append(user_text("u" * size))
        else:
            messages += turn(number, "r" * size, calls if kind == "turn" else 0)
    divided = divide(messages, tail, 3)
    assert divided is not None
    shorter = compose(divided.task, ["what came before"], cut_results(divided.tail, tail, 3))
    assert repair(shorter) == shorter
    assert [*messages[:1], *divided.older, *divided.tail] == messages
    assert divided.tail == () or not isinstance(divided.tail[0], ToolResult)


def test_the_task_and_the_entries_are_found_again_when_a_history_is_shortened_once_more() -> None:
    task = (TextPart("look at this"), IMAGE)
    once = compose(task, ["first", "second"], turn(7))
    divided = divide([*once, *turn(8)], 1, 3)
    assert divided is not None
    assert divided.task == task
    assert divided.entries == ("first", "second")
    assert list(divided.tail) == turn(8)


def test_a_prompt_that_only_quotes_the_notes_stays_whole() -> None:
    divided = divide([user_text(f"what does this mean: {NOTES}"), *turn(1)], 100, 3)
    assert divided is not None
    assert divided.entries == ()
    assert NOTES in texts([UserMessage(divided.task)])


def test_there_is_nothing_to_divide_when_nobody_asked_anything() -> None:
    assert divide([reply("hello")], 100, 3) is None


def test_a_cut_names_what_is_missing() -> None:
    text = "".join(f"line {number}\n" for number in range(1000))
    short = cut(text, 300)
    assert short.startswith("line 0\n")
    assert short.endswith("line 999\n")
    lines = 1000 - (short.count("\n") - 2)
    assert f"[... {len(text) - 300:,} characters, {lines} lines, left out here ...]" in short
    assert cut("abc" * 100, 299).count("1 characters, left out") == 1
    assert cut("short", 5) == "short"


@given(st.text(max_size=300), st.integers(1, 200))
def test_a_cut_keeps_both_ends_and_counts_what_it_takes(text: str, most: int) -> None:
    short = cut(text, most)
    if len(text) <= most:
        assert short == text
        return
    head, _, rest = short.partition("\n[... ")
    told, _, tail = rest.rpartition(" left out here ...]\n")
    assert text.startswith(head) or "\n[... " in text
    assert len(short) <= most + 80
    assert f"{len(text) - most:,} characters" in told or "\n[... " in text
    assert text.endswith(tail)


def test_the_transcript_tells_who_did_what_and_how_much_of_a_result_is_missing() -> None:
    divided = divide([*history(1, "x" * 5000), user_text("go on"), reply("ok")], 1, 3)
    assert divided is not None
    told = write_transcript(divided, 100_000)
    assert (
        told.index("assistant: step 0") < told.index('assistant called look: {"n": "0_0"}') < told.index("look gave: x")
    )
    assert "3,000 characters, left out here" in told
    assert told.endswith("user: go on")


def test_the_transcript_loses_its_middle_when_it_is_too_long() -> None:
    divided = divide(history(200), 1, 3)
    assert divided is not None
    told = write_transcript(divided, 1000)
    assert len(told) < 1100
    assert "step 0" in told
    assert "step 198" in told
    assert "lines, left out here" in told


def test_images_of_the_older_part_are_told_of_and_not_sent() -> None:
    shown = ToolResult("1", (TextPart("a"), IMAGE))
    divided = divide([user_text("the task"), reply("", ToolCall("1", "look", "{}")), shown, *turn(2)], 1, 3)
    assert divided is not None
    assert "look gave: a\n[1 image is left out here]" in write_transcript(divided, 1000)


def test_results_are_shortened_before_a_turn_is_left_out() -> None:
    divided = divide(history(4, "x" * 30_000), 1, 3)
    assert divided is not None
    entries = cut_by_rule(divided, 10_000)
    assert len(entries) == 3
    assert all("characters, left out here" in entry for entry in entries)


def test_the_oldest_turns_go_first_and_are_counted_when_short_results_are_not_enough() -> None:
    divided = divide(history(101), 1, 3)
    assert divided is not None
    entries = cut_by_rule(divided, 1000)
    assert entries[0] == f"[{101 - len(entries)} older turns are left out here]"
    assert entries[-1].startswith("assistant: step 99")
    assert "step 0" not in "".join(entries)
    assert sum(map(len, entries)) <= 1000 + len(entries[0])


def test_notes_of_a_model_are_the_last_to_be_left_out() -> None:
    first = compose((TextPart("the task"),), [to_summary("the plan"), "an old turn"], [])
    divided = divide([*first, *history(50)[1:]], 1, 3)
    assert divided is not None
    entries = cut_by_rule(divided, 500)
    assert entries[1] == to_summary("the plan")
    assert "an old turn" not in entries


def test_the_same_is_cut_in_the_same_way_every_time() -> None:
    divided = divide(history(60, "y" * 900), 50, 3)
    assert divided is not None
    assert cut_by_rule(divided, 5000) == cut_by_rule(divided, 5000)


def test_only_the_longest_results_of_the_tail_are_cut() -> None:
    tail: list[Message] = [reply("", ToolCall("1", "a", "{}"), ToolCall("2", "b", "{}"))]
    results = [ToolResult("1", (TextPart("short"),)), ToolResult("2", (TextPart("x" * 90_000),), is_error=True)]
    shorter = cut_results([*tail, *results], 10_000, 3)
    assert shorter[:2] == (*tail, results[0])
    assert isinstance(shorter[2], ToolResult)
    assert (shorter[2].call_id, shorter[2].is_error) == ("2", True)
    assert "characters, left out here" in shorter[2].text
    assert 9000 < estimate_tokens(shorter) <= 10_050


def test_the_tail_is_as_it_was_when_it_fits() -> None:
    tail = turn(1)
    assert all(one is other for one, other in zip(cut_results(tail, 1000, 3), tail, strict=True))


def test_images_of_the_tail_go_when_they_take_most_of_the_room() -> None:
    result = ToolResult("1", (TextPart("screenshots"), IMAGE, IMAGE, IMAGE))
    shorter = cut_results([reply("", ToolCall("1", "a", "{}")), result], 2000, 3)
    assert shorter[1] == ToolResult("1", (TextPart("screenshots\n[3 images are left out here]"),))


def test_the_task_keeps_its_two_ends_when_it_is_too_long() -> None:
    task = (TextPart("begin " + "x" * 90_000 + " end"), IMAGE)
    (part,) = cut_task(task, 1000, 3)
    assert isinstance(part, TextPart)
    assert part.text.startswith("begin x")
    assert "x end" in part.text
    assert "characters, left out here" in part.text
    assert part.text.endswith("[1 image is left out here]")
    assert cut_task(task, 50_000, 3) == task


def test_a_prompt_is_quoted_word_for_word() -> None:
    assert to_asked(user_text("and now the tests"), 1000).endswith(":\nand now the tests")
