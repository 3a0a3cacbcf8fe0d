from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import ToolSpec
from cline_cli.providers._text_calls import MAX_CHARACTERS, TextCalls

PROPERTIES: JsonObject = {
    "paths": {"type": "array"},
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "any": {"type": ["string", "null"]},
    "free": {},
}
TOOLS = (
    ToolSpec("read", "", {"type": "object", "properties": PROPERTIES}, "reads"),
    ToolSpec("run", "", {"type": "object"}, "changes"),
    ToolSpec("read_more", "", {}, "reads"),
)
Calls = list[tuple[str, str]]


def read(text: str, *, step: int = 0) -> tuple[Calls, str]:
    """Return the calls that a text is, and what of it was given out as text."""
    reader = TextCalls(TOOLS)
    step = step or max(1, len(text))
    given = "".join(reader.feed(text[start : start + step]) for start in range(0, len(text), step))
    calls = list(reader.finish())
    return calls, given if calls else given + reader.release()


def call(name: str = "read", arguments: str = '{"text": "x"}', key: str = "arguments") -> str:
    return f'{{"name": "{name}", "{key}": {arguments}}}'


READ, RUN = ("read", '{"text": "x"}'), ("run", "{}")
SECOND = call("run", "{}")
QWEN = (
    '<function=read><parameter=paths>\n["a", 1]\n</parameter><parameter=count>3</parameter>'
    '<parameter=any>null</parameter><parameter=free>7</parameter><parameter=text>{"a": </x>}\n\n</parameter>'
    "<parameter=no_such>true</parameter></function>"
)
QWEN_ARGUMENTS = (
    '{"paths": ["a", 1], "count": 3, "any": "null", "free": "7", "text": "{\\"a\\": </x>}\\n", "no_such": "true"}'
)
CALLS: dict[str, tuple[str, Calls]] = {
    "bare": (call(), [READ]),
    "with space around": (f" \n\t{call()}\n\n", [READ]),
    "spread over lines": (json.dumps(json.loads(call()), indent=2), [("read", '{\n    "text": "x"\n  }')]),
    "several in a row": (f"{call()}\n{SECOND}", [READ, RUN]),
    "several without space": (f"{call()}{SECOND}", [READ, RUN]),
    "a list": (f"[{call()}, {SECOND}]", [READ, RUN]),
    "parameters": (call(key="parameters"), [READ]),
    "arguments first": ('{"arguments": {"text": "x"}, "name": "read"}', [READ]),
    "with a type": ('{"type": "function", "name": "read", "parameters": {"text": "x"}}', [READ]),
    "with an id": ('{"name": "read", "arguments": {"text": "x"}, "id": "Ab3dE6gH9"}', [READ]),
    "in a fence": (f"```json\n{call()}\n```", [READ]),
    "in a fence without a word": (f"```\n{call()}\n```\n", [READ]),
    "in a fence, several": (f"```json\n{call()}\n{SECOND}\n```", [READ, RUN]),
    "in two fences": (f"```json\n{call()}\n```\n```json\n{SECOND}\n```", [READ, RUN]),
    "in an element": (f"<tool_call>\n{call()}\n</tool_call>", [READ]),
    "in elements": (f"<tool_call>{call()}</tool_call>\n<tool_call>{SECOND}</tool_call>", [READ, RUN]),
    "two in an element": (f"<tool_call>{call()}\n{SECOND}</tool_call>", [READ, RUN]),
    "in an element, in a fence": (f"```xml\n<tool_call>{call()}</tool_call>\n```", [READ]),
    "tools": (f"<tools>\n{call()}\n{SECOND}\n</tools>", [READ, RUN]),
    "a list of tools": (f"<tools>[{call()}, {SECOND}]</tools>", [READ, RUN]),
    "brackets in texts": (call(arguments=r'{"text": "}]{\"\\"}'), [("read", r'{"text": "}]{\"\\"}')]),
    "nested": (call(arguments='{"a": {"b": [{}, []]}}'), [("read", '{"a": {"b": [{}, []]}}')]),
    "a name that begins another": (call("read_more", "{}"), [("read_more", "{}")]),
    "mistral, a list": (f"[TOOL_CALLS] [{call()}, {SECOND}]", [READ, RUN]),
    "mistral, names": ('[TOOL_CALLS]read[ARGS]{"text": "x"}[TOOL_CALLS]run[ARGS]{}', [READ, RUN]),
    "mistral, ids": ('[TOOL_CALLS]read[CALL_ID]Ab3dE6gH9[ARGS]{"text": "x"}', [READ]),
    "llama": ('<function=read>{"text": "x"}</function>', [READ]),
    "qwen": (
        "<tool_call>\n<function=read>\n<parameter=text>\nx\n</parameter>\n</function>\n</tool_call>",
        [READ],
    ),
    "qwen without its element": ("<function=read><parameter=text>x</parameter></function>", [READ]),
    "qwen, the beginning taken away": ("<function=read><parameter=text>x</parameter></function>\n</tool_call>", [READ]),
    "qwen, none": ("<tool_call><function=run></function></tool_call>", [RUN]),
    "qwen, several": (
        "<tool_call><function=run></function></tool_call><tool_call><function=run></function></tool_call>",
        [RUN, RUN],
    ),
    "qwen, values of all kinds": (QWEN, [("read", QWEN_ARGUMENTS)]),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_read_when_the_text_is_nothing_else(case: str) -> None:
    text, calls = CALLS[case]
    assert read(text) == (calls, "")


@pytest.mark.parametrize("case", CALLS)
def test_calls_are_the_same_when_the_text_comes_in_pieces(case: str) -> None:
    text, calls = CALLS[case]
    assert all(read(text, step=step) == (calls, "") for step in (1, 2, 3, 7))


@pytest.mark.parametrize("case", CALLS)
def test_text_stays_text_when_a_call_is_not_whole(case: str) -> None:
    text = CALLS[case][0].rstrip()
    whole = {text[:end] for end in range(len(text)) if read(text[:end])[0]}
    # What is a whole call may be followed by another one, or by the end of an element that never began.
    assert all(len(read(part)[0]) < len(CALLS[case][1]) or "</tool_call>" in text for part in whole)
    for end in range(len(text)):
        if text[:end] not in whole:
            assert read(text[:end]) == ([], text[:end])


@pytest.mark.parametrize("case", CALLS)
def test_text_stays_text_when_something_stands_beside_a_call(case: str) -> None:
    text = CALLS[case][0]
    for beside in (f"Sure: {text}", f"{text} There.", f"{text}\n.", f"- {text}", f"{text}}}", f"\ufeff{text}"):
        assert read(beside) == ([], beside)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Hello!",
        "{}",
        "[]",
        "``````",
        "```json\n```",
        "<tool_call></tool_call>",
        "<tools></tools>",
        "[TOOL_CALLS]",
        "[TOOL_CALLS][]",
        '{"name": "read"}',
        '{"arguments": {}}',
        '{"name": "delete", "arguments": {}}',
        '{"name": "rea", "arguments": {}}',
        '{"name": "Read", "arguments": {}}',
        '{"name": "read", "arguments": []}',
        '{"name": "read", "arguments": "{}"}',
        '{"name": "read", "arguments": null}',
        '{"name": "read", "arguments": {"a": NaN}}',
        '{"name": "read", "arguments": {"a": 1,}}',
        "{'name': 'read', 'arguments': {}}",
        '{"name": "read", "arguments": {}, "why": "x"}',
        '{"name": "read", "arguments": {}, "parameters": {}}',
        '{"name": "read", "name": "run", "arguments": {}}',
        '{"name": "read", "arguments": {},}',
        '{"type": "object", "name": "read", "arguments": {}}',
        '{"name": "read", "arguments": {}, "id": 7}',
        '{"tool_calls": [{"name": "read", "arguments": {}}]}',
        '"read"',
        f"[{call()},]",
        f"[{call()}",
        f"[{call()}] [",
        f"```python\n{call()}\n```",
        f"```json\n{call()}",
        f"<tool_call>{call()}",
        f"<tool_call>{call()}</tool>",
        f"<answer>{call()}</answer>",
        "[TOOL_CALLS]delete[ARGS]{}",
        "[TOOL_CALLS]read[ARGS]",
        "[TOOL_CALLS]read{}",
        "<function=delete></function>",
        "<function=read><parameter=text>x</function>",
        "<function=read><parameter=count>three</parameter></function>",
        '<function=read><parameter=count>1, "b": 2</parameter></function>',
        "<function=read><parameter=text>x</parameter><parameter=text>y</parameter></function>",
        "<function=read><parameter=>x</parameter></function>",
        "<function=read>[]</function>",
        "</tool_call>",
        f"{call()}</tool_call>",
        f"<tool_call>{call()}</tool_call></tool_call>",
    ],
)
def test_text_stays_text_when_it_is_no_call(text: str) -> None:
    for step in (1, 0):
        assert read(text, step=step) == ([], text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Hello", ""),
        ("  Hello", "  "),
        ('{"na', '{"na'),
        ('{"title": "a"}', '{"t'),
        ('{"Title": "a"}', '{"'),
        ('{"name": "reading room"}', '{"name": "read'),
        ("```python\nx = 1", "```"),
        ("```js", "```js"),
        ("```javascript", "```j"),
        ("<p>hi</p>", "<p>"),
        ("<div>hi</div>", "<"),
        ("<to-do>", "<to"),
        ("[x](y)", "["),
        ("[TODO]", "[TO"),
        (f"{call()} And", f"{call()} "),
        ("<function=remove", "<function=remove"),
    ],
)
def test_text_is_given_out_as_soon_as_it_cannot_be_a_call(text: str, kept: str) -> None:
    reader = TextCalls(TOOLS)
    given = [reader.feed(character) for character in text]
    assert "".join(given) + reader.release() == text
    held = next((text[:place] for place, piece in enumerate(given) if piece), text)
    assert held == kept


def test_everything_passes_when_text_was_given_out_before() -> None:
    reader = TextCalls(TOOLS)
    assert reader.feed("So: ") == "So: "
    assert reader.feed(call()) == call()
    assert reader.finish() == ()


def test_text_is_given_out_when_it_is_longer_than_any_call() -> None:
    reader = TextCalls(TOOLS)
    text = '{"name": "read", "arguments": {"text": "' + "x" * MAX_CHARACTERS
    assert reader.feed(text) == text
    assert reader.finish() == ()


def test_nothing_is_a_call_when_no_tool_was_offered() -> None:
    reader = TextCalls(())
    assert reader.feed(call()) == call()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)
ARGUMENTS = st.dictionaries(st.text(), JSON)


@given(st.lists(ARGUMENTS, min_size=1, max_size=3), st.integers(0, 3), st.integers(1, 9), st.booleans())
def test_arguments_are_those_that_were_written_when_calls_are_any(
    arguments: list[JsonObject], indent: int, step: int, is_ascii: bool
) -> None:
    written = [json.dumps(one, indent=indent or None, ensure_ascii=is_ascii) for one in arguments]
    bare = "\n".join(call("run", one) for one in written)
    for text in (
        bare,
        f"```json\n{bare}\n```",
        f"<tool_call>{bare}</tool_call>",
        f"[{', '.join(call('run', one) for one in written)}]",
        "".join(f"[TOOL_CALLS]run[ARGS]{one}" for one in written),
    ):
        assert read(text, step=step) == ([("run", one) for one in written], "")


PIECES = st.sampled_from(
    (
        '{ } [ ] " name arguments read : , \\ ``` json x <tool_call> </tool_call> <function=read> </function>'
        " <parameter=text> </parameter> [TOOL_CALLS] [ARGS] 🙂 \ud800"
    ).split(" ")
) | st.sampled_from([" ", "\n", '{"name": "read", "arguments": {}}'])


@given(st.lists(PIECES | st.text(max_size=3), max_size=12), st.integers(1, 5))
def test_no_character_is_lost_when_a_text_is_any(pieces: list[str], step: int) -> None:
    text = "".join(pieces)
    calls, given_out = read(text, step=step)
    assert (calls, given_out) == read(text)
    assert given_out == ("" if calls else text)
    assert all(name == "read" and isinstance(json.loads(arguments), dict) for name, arguments in calls)


@given(JSON)
def test_value_of_json_stays_text_when_it_is_no_call(value: JsonValue) -> None:
    text = json.dumps(value)
    assert read(text) == ([], text)
