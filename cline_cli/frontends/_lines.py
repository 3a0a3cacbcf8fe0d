"""What the front ends of JSON lines share: lines that come out whole, and JSON that is safe to print and to parse."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import Tool
from cline_cli.frontends.manner import Manner
from cline_cli.frontends.text import Question, ask_on_terminal, inquire_on_terminal
from cline_cli.machine.output import Output

COST_DIGITS = 10
"""Of a US dollar; sums of bills have no more, but for what floating point adds."""
MAX_DEPTH = 200
"""How deep a document of the model may be nested: jq 1.6 reads no line that is nested deeper than 256."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_encode_in_ascii = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


class LineWriter:
    """Writes lines whole and in order. What a cancelled write has left is written before anything else."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = asyncio.Lock()
        self._waiting: deque[memoryview] = deque()
        """Lines that are not out yet; of the first perhaps only the end."""

    async def write(self, lines: Iterable[str]) -> None:
        """Write lines, each with its newline; each is one write where it fits.

        Raises:
            OSError: as `Output.write`.
        """
        self._waiting.extend(memoryview(line.encode()) for line in lines)
        async with self._lock:
            while self._waiting:
                taken = await self._output.write_some(self._waiting[0])
                if taken < len(self._waiting[0]):
                    self._waiting[0] = self._waiting[0][taken:]
                else:
                    self._waiting.popleft()


class LinesFrontEnd:
    """What a front end of lines is, but for the lines: `show` is each one's own."""

    def __init__(
        self,
        stdout: Output,
        manner: Manner,
        *,
        now: Callable[[], float] = time.time,
        question: Question = ask_on_terminal,
    ) -> None:
        """Write to stdout; `now` tells the seconds since 1970."""
        self._writer = LineWriter(stdout)
        self._manner = manner
        self._now = now
        self._question = question
        self._model = manner.facts.model

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> Allow | Deny:
        """Put the question of a tool call to the person at the terminal."""
        return await self._question(tool, arguments, patterns)

    async def inquire(self, question: str, options: tuple[str, ...]) -> str:
        return await inquire_on_terminal(question, options)

    async def close(self) -> None:
        """Do nothing: a pipe has no state to be restored."""


def to_json(value: JsonValue) -> str:
    """Return the value as JSON on one line, in which every character can be seen and encoded.

    A value with any that cannot (controls, line separators, bidi controls, lone surrogates) is escaped down to ASCII.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = _encode(value)
    return text if text.isprintable() else _encode_in_ascii(value)


def parse_json(text: str) -> JsonValue:
    """Return the value of a JSON text from outside, one that `to_json` takes and that other programs can read.

    Raises:
        ValueError: it is no JSON, is nested deeper than MAX_DEPTH, or has a number that JSON cannot say.
    """
    try:
        value: JsonValue = json.loads(text, parse_float=_parse_finite, parse_constant=_parse_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not _is_shallow(value, MAX_DEPTH):
        raise ValueError("nested too deeply")
    return value


def parse_if_json(text: str) -> JsonValue:
    """Return the object or array that the text is in JSON, or the text."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return parse_json(text)
    except ValueError:
        return text


def to_milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def to_cost(cost_usd: float | None) -> float | None:
    """Return the cost, or None for one that is not known or not a finite number."""
    return round(cost_usd, COST_DIGITS) if cost_usd is not None and math.isfinite(cost_usd) else None


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no JSON number")
    return number


def _is_shallow(value: JsonValue, levels: int) -> bool:
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return True
    children = value.values() if isinstance(value, Mapping) else value
    return levels > 0 and all(_is_shallow(child, levels - 1) for child in children)
