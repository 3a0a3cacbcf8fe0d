from __future__ import annotations

import contextlib
import json

from hypothesis import example, given
from hypothesis import strategies as st

from cline_cli.agent.messages import AssistantMessage
from cline_cli.network.http import CutOffError
from cline_cli.providers._codec import ReplyDelta, ServerSaidError
from cline_cli.providers._openai_reply import ReplyReader
from cline_cli.providers._text_shortcut import MAX_LESSONS, TextShortcut

PLAIN = '{"model":"m","choices":[{"index":0,"delta":{"content":%s},"finish_reason":null}]}'
CALLING = '{"choices":[{"delta":{"content":%s,"tool_calls":[{"index":0,"function":{"name":"t","arguments":"1"}}]}}]}'
THINKING = '{"choices":[{"delta":{"content":%s,"reasoning_details":[{"type":"a","text":"b"}]}}]}'
BILLED = '{"choices":[{"delta":{"content":%s}}],"usage":{"prompt_tokens":7}}'
FINISHED = '{"choices":[{"delta":{"content":%s},"finish_reason":"stop"}]}'
RENAMED = '{"model":"other","choices":[{"delta":{"content":%s}}]}'
RECOUNTED = '{"usage":{"prompt_tokens":9},"other":%s}'
SHAPES = [
    PLAIN,
    PLAIN,
    '{ "choices" : [ { "delta" : { "content" : %s } } ] , "usage" : null }',
    '{"model":"other","choices":[{"delta":{"role":"assistant","content":%s}}],"usage":{}}',
    '{"choices":[{"delta":{"content":"x","content":%s}}]}',
    '{"choices":[{"delta":{"content":%s,"content":"x"}}]}',
    '{"choices":[{"delta":{"content":"x","other":%s}}]}',
    '{"choices":[{"delta":{"reasoning":%s}}]}',
    '{"choices":[{"delta":{"content":%s,"reasoning":"r"}}]}',
    CALLING,
    THINKING,
    BILLED,
    FINISHED,
    RENAMED,
    RECOUNTED,
    '{"choices":[{"delta":{"content":%s}}],"error":%s}',
    '{"choices":[{"delta":{"content":%s}}],"padding":%s}',
    '{"choices":[{"delta":{%s:"content"}}]}',
    '{"choices":[{"delta":{"content":[{"text":%s}]}}]}',
    '{"%s":1}',
    "%s",
    "[DONE]",
]
WORDS = st.sampled_from(
    ["a", "b", "content", "m", "null", "", " ", ":", "},{", "\u2402probe\u2403", "é", "\\", '"', "\n"]
)
STRINGS = st.one_of(WORDS, st.text(max_size=4)).flatmap(
    lambda text: st.sampled_from([json.dumps(text), json.dumps(text, ensure_ascii=False), f'"{text}"'])
)
EVENTS = st.lists(st.tuples(st.sampled_from(SHAPES), STRINGS), max_size=12)


class NoShortcut(TextShortcut):
    def __init__(self) -> None:
        super().__init__(lambda event: None)

    def read(self, event: str) -> str | None:
        return None


def read(events: list[str], shortcut: TextShortcut | None = None) -> tuple[list[ReplyDelta], AssistantMessage | str]:
    reader = ReplyReader("cline", shortcut=shortcut)
    deltas: list[ReplyDelta] = []
    try:
        for event in events:
            deltas += reader.feed(f"data: {event}\n\n".encode("utf-8", "replace"))
        return deltas, reader.finish()
    except (CutOffError, ServerSaidError) as error:
        return deltas, repr(error)


@given(EVENTS)
@example([(BILLED, '"a"'), (RECOUNTED, '"b"'), (BILLED, '"c"'), (FINISHED, '"d"')])
@example([(RENAMED, '"a"'), (PLAIN, '"b"'), (RENAMED, '"c"'), (FINISHED, '"d"')])
@example([(PLAIN, '"a"'), (RENAMED, '"\\n"'), (PLAIN, '"c"'), (FINISHED, '"d"')])
@example([(FINISHED, '"a"'), (FINISHED, '"b"')])
@example([(CALLING, '"a"'), (CALLING, '"b"'), (FINISHED, '"c"')])
@example([(THINKING, '"a"'), (THINKING, '"b"'), (FINISHED, '"c"')])
def test_reply_is_the_same_when_no_shortcut_is_taken(pairs: list[tuple[str, str]]) -> None:
    events = [shape.replace("%s", string) for shape, string in pairs]
    events = [line for event in events for line in event.splitlines()]
    assert read(events) == read(events, NoShortcut())


class Parser:
    """The long way, and how often it was taken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, event: str) -> str | None:
        self.count += 1
        with contextlib.suppress(ValueError, KeyError):
            text = json.loads(event)["text"]
            return text if isinstance(text, str) else None
        return None


def test_text_is_read_without_parsing_when_the_shape_is_known() -> None:
    shortcut = TextShortcut(parser := Parser())
    assert shortcut.read('{"text":"one"}') is None
    shortcut.learn('{"text":"one"}', "one")
    assert [shortcut.read(f'{{"text":"{text}"}}') for text in ("two", "", "漢字", "\x7f")] == [
        "two",
        "",
        "漢字",
        "\x7f",
    ]
    assert parser.count == 1


def test_nothing_is_read_when_the_shape_is_another() -> None:
    shortcut = TextShortcut(Parser())
    shortcut.learn('{"text":"one"}', "one")
    for event in (
        "",
        '{"text":"',
        '{"text":"}',
        '{"text":"a"} ',
        '{"text":"a\\n"}',
        '{"text":"a","b":"c"}',
        '{"text":"a\tb"}',
    ):
        assert shortcut.read(event) is None


def test_nothing_is_learnt_when_the_string_is_not_the_text() -> None:
    shortcut = TextShortcut(Parser())
    shortcut.learn('{"other":"one","text":"\\u006fne"}', "one")
    assert shortcut.read('{"other":"two","text":"\\u006fne"}') is None


def test_learning_ends_when_every_event_is_new() -> None:
    shortcut = TextShortcut(parser := Parser())
    for number in range(100):
        shortcut.learn(f'{{"n":{number},"text":"one"}}', "one")
    assert parser.count == MAX_LESSONS


def test_learning_goes_on_when_it_helps() -> None:
    shortcut = TextShortcut(parser := Parser())
    for number in range(100):
        shortcut.learn(f'{{"n":{number},"text":"one"}}', "one")
        assert shortcut.read(f'{{"n":{number},"text":"two"}}') == "two"
    assert parser.count == 100


def test_nothing_is_read_when_the_shape_was_forgotten() -> None:
    shortcut = TextShortcut(Parser())
    shortcut.learn('{"text":"one"}', "one")
    shortcut.forget()
    assert shortcut.read('{"text":"two"}') is None
    shortcut.learn('{"text":"one"}', "one")
    assert shortcut.read('{"text":"two"}') == "two"
