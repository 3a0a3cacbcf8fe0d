"""A history that has become too long, made into a shorter one that every provider accepts. Pure.

    first user message │ older ............................... │ the newest part
            │          │   └─ transcript ──> a model's notes   │        │
            v          v   └─ or cut, turn by turn             v        v
    [ the task, and in short what came before ]                [ as it was ]

The first of the new messages is a user message of several parts: those of the task, a line that says what follows, and
an entry a part. So it can be taken apart when the history has become too long again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from cline_cli.agent.gauge import Size, estimate_tokens, size_of
from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    ToolResult,
    UserMessage,
)

Mode = Literal["agentic", "basic", "off"]

RESULT_CHARACTERS = 2000
"""Of a tool's result, or of a call's arguments, that are told of the older part."""
TEXT_CHARACTERS = 8000
"""Of what was said."""
_LEAST_CHARACTERS = 200
_TERSE = 4
"""By how much less is told where that is still too much."""
NOTES = "[The conversation became too long to be sent whole. What came before is told here in short.]"
_SUMMARY = "Notes on what was asked, done and found:"
_ASKED = "What was asked last, word for word:"
_GAP = "\n\n"

_Parts = tuple[TextPart | ImagePart, ...]


class Divided(NamedTuple):
    """A history in its parts."""

    task: _Parts
    """The first user message."""
    entries: tuple[str, ...]
    """What earlier compactions told, oldest first."""
    older: tuple[Message, ...]
    tail: tuple[Message, ...]
    """The newest part; valid by itself after a user message."""


def divide(messages: Sequence[Message], tail_tokens: int, ratio: float) -> Divided | None:
    """Return the parts of a sound history; None where there is no user message.

    The tail is as long as `tail_tokens` allow, at `ratio` characters a token, and at least one message with what
    belongs to it: it never begins with a result, whose call would be missing.
    """
    first = next((place for place, message in enumerate(messages) if isinstance(message, UserMessage)), None)
    if first is None:
        return None
    beginning = messages[first]
    assert isinstance(beginning, UserMessage), "it was looked for"
    start, size = len(messages), Size()
    for place in range(len(messages) - 1, first, -1):
        size = size.plus(size_of([messages[place]]))
        if isinstance(messages[place], ToolResult):
            continue
        if start < len(messages) and size.to_tokens(ratio) > tail_tokens:
            break
        start = place
    task, entries = _take_apart(beginning.parts)
    older = (*messages[:first], *messages[first + 1 : start])
    return Divided(task, entries, older, tuple(messages[start:]))


def compose(task: _Parts, entries: Sequence[str], tail: Sequence[Message]) -> list[Message]:
    """Return the history that goes on from these entries; without any, what came before is not told of."""
    told = (NOTES, *entries) if entries else ()
    return [UserMessage((*task, *(TextPart(f"{_GAP}{text}") for text in told))), *tail]


def to_summary(text: str) -> str:
    """Return a model's notes as an entry, which is the last to be left out later."""
    return f"{_SUMMARY}\n{text.strip()}"


def to_asked(prompt: UserMessage, most_characters: int) -> str:
    """Return the prompt of a run as an entry."""
    return f"{_ASKED}\n{cut(to_text(prompt.parts), most_characters)}"


def write_transcript(divided: Divided, most_characters: int) -> str:
    """Return the older part as text for whoever takes notes of it; where it is too long its middle is missing."""
    turns = (*divided.entries, *_to_entries(divided.older, RESULT_CHARACTERS, TEXT_CHARACTERS))
    return cut(_GAP.join(turns), most_characters)


def cut_by_rule(divided: Divided, most_characters: int) -> list[str]:
    """Return the older part as entries that have at most so many characters together, but for a line or two.

    Results and long texts lose their middle, and where that is not enough more of it; then whole turns are left out,
    the oldest first, and a model's notes last.
    """
    entries: list[str] = []
    for terse in (1, _TERSE):
        texts = TEXT_CHARACTERS // terse
        entries = [
            cut(entry, texts if not entry.startswith(_SUMMARY) else TEXT_CHARACTERS) for entry in divided.entries
        ]
        entries += _to_entries(divided.older, RESULT_CHARACTERS // terse, texts)
        if _length(entries) <= most_characters:
            return entries
    dropped: set[int] = set()
    excess = _length(entries) - most_characters
    for place in sorted(range(len(entries)), key=lambda place: (entries[place].startswith(_SUMMARY), place)):
        if excess <= 0:
            break
        dropped.add(place)
        excess -= len(entries[place]) + len(_GAP)
    kept = [entry for place, entry in enumerate(entries) if place not in dropped]
    turns = "1 older turn is" if len(dropped) == 1 else f"{len(dropped)} older turns are"
    return [f"[{turns} left out here]", *kept]


def cut_task(task: _Parts, most_tokens: int, ratio: float) -> _Parts:
    """Return the task, of which only what fits is kept."""
    if estimate_tokens([UserMessage(task)], ratio) <= most_tokens:
        return task
    return (TextPart(cut(to_text(task), int(most_tokens * ratio))),)


def cut_results(tail: Sequence[Message], most_tokens: int, ratio: float) -> tuple[Message, ...]:
    """Return the tail with its longest results cut to what fits; nothing else of it changes."""
    if estimate_tokens(tail, ratio) <= most_tokens:
        return tuple(tail)
    texts = [len(message.text) for message in tail if isinstance(message, ToolResult)]
    size = size_of(tail)
    others = size._replace(characters=size.characters - sum(texts))
    keeps_images = others.to_tokens(ratio) <= most_tokens // 2
    if not keeps_images:
        others = others._replace(images=0)
    limit = _level(texts, (most_tokens - others.to_tokens(ratio)) * ratio)
    return tuple(
        _cut_result(message, limit, keeps_images=keeps_images) if isinstance(message, ToolResult) else message
        for message in tail
    )


def cut(text: str, most_characters: int) -> str:
    """Return a text without its middle where it is longer than so many characters, and in its place what is missing."""
    if len(text) <= most_characters:
        return text
    end = most_characters // 3
    start = most_characters - end
    missing = text[start : len(text) - end]
    lines = missing.count("\n")
    told = f", {lines:,} line{'s' if lines > 1 else ''}" if lines else ""
    return f"{text[:start]}\n[... {len(missing):,} characters{told}, left out here ...]\n{text[len(text) - end :]}"


def to_text(parts: Sequence[TextPart | ImagePart]) -> str:
    """Return what is said in words, and how many images are missing."""
    images = sum(isinstance(part, ImagePart) for part in parts)
    text = "".join(part.text for part in parts if isinstance(part, TextPart))
    told = f"[{'1 image is' if images == 1 else f'{images} images are'} left out here]"
    return "\n".join(filter(None, (text, told if images else "")))


def _take_apart(parts: _Parts) -> tuple[_Parts, tuple[str, ...]]:
    """Return the task in a first message, and the entries that an earlier compaction has put behind it."""
    places = (
        place
        for place, part in enumerate(parts)
        if isinstance(part, TextPart) and part.text == f"{_GAP}{NOTES}" and place > 0
    )
    place = next(places, None)
    if place is None:
        return parts, ()
    entries = (part.text.removeprefix(_GAP) for part in parts[place + 1 :] if isinstance(part, TextPart))
    return parts[:place], tuple(entries)


def _to_entries(messages: Iterable[Message], result_characters: int, text_characters: int) -> list[str]:
    """Return a text for each turn: a message with the results of its calls."""
    entries: list[list[str]] = []
    names: dict[str, str] = {}
    for message in messages:
        match message:
            case UserMessage(parts):
                entries.append([f"user: {cut(to_text(parts), text_characters)}"])
            case AssistantMessage():
                entries.append(list(_tell_reply(message, result_characters, text_characters)))
                names |= {call.id: call.name for call in message.tool_calls}
            case ToolResult(call_id, parts):
                entries = entries or [[]]
                entries[-1].append(f"{names.get(call_id, 'a tool')} gave: {cut(to_text(parts), result_characters)}")
    return ["\n".join(lines) for lines in entries if lines]


def _tell_reply(reply: AssistantMessage, result_characters: int, text_characters: int) -> Iterator[str]:
    if reply.text.strip():
        yield f"assistant: {cut(reply.text.strip(), text_characters)}"
    for call in reply.tool_calls:
        yield f"assistant called {call.name}: {cut(call.arguments, result_characters)}"


def _cut_result(result: ToolResult, most_characters: int, *, keeps_images: bool) -> ToolResult:
    images = tuple(part for part in result.parts if isinstance(part, ImagePart))
    if len(result.text) <= most_characters and (keeps_images or not images):
        return result
    text = cut(result.text, most_characters)
    if keeps_images:
        return replace(result, parts=(TextPart(text), *images))
    return replace(result, parts=(TextPart(to_text((TextPart(text), *images))),))


def _level(lengths: Sequence[int], room: float) -> int:
    """Return how long each may be at most, so that all together fit into the room."""
    left = len(lengths)
    for length in sorted(lengths):
        if length * left > room:
            return max(_LEAST_CHARACTERS, int(room / left))
        room -= length
        left -= 1
    return max(lengths, default=0)


def _length(entries: Sequence[str]) -> int:
    return sum(len(entry) + len(_GAP) for entry in entries)
