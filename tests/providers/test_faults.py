"""A reply that breaks off after any byte, in every wire format, with all floors of a run above it.

What happened is counted at the server and on the disk.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cline_cli.agent.loop import Agent
from cline_cli.agent.messages import JsonObject, TextPart, user_text
from cline_cli.agent.tool import Report, Scope, ToolOutput, ToolSpec
from cline_cli.errors import ClineError, ServerError
from cline_cli.frontends.json_lines import JsonLinesFrontEnd
from cline_cli.frontends.manner import Manner, RunFacts
from cline_cli.machine.output import Output
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._codec import Codec
from cline_cli.providers._remote import Remote
from cline_cli.providers.anthropic import MessagesCodec
from cline_cli.providers.gemini import GeminiCodec
from cline_cli.providers.openai_chat import ChatCodec
from cline_cli.providers.openai_responses import ResponsesCodec
from tests.cutting_server import CuttingServer, Kind, render
from tests.dialects import Said
from tests.fake_server import USAGE, FakeServer, say
from tests.fakes import approve_all

FORMATS: dict[str, tuple[str, str, Callable[[], Codec]]] = {
    "openai_chat": ("cline", "anthropic/claude-sonnet-4.6", lambda: ChatCodec("cline")),
    "anthropic": ("anthropic", "claude-sonnet-4-6", lambda: MessagesCodec("anthropic")),
    "openai_responses": ("openai-native", "gpt-5.4", lambda: ResponsesCodec("openai-native", "session-1")),
    "gemini": ("gemini", "gemini-2.5-pro", lambda: GeminiCodec("gemini")),
}
WORKS = Said(("I app", "end 🙂."), (("call_1", "append", '{"line": "once 漢"}'),), "tool_calls", USAGE)
STEPS = {"openai_chat": 1, "anthropic": 17, "openai_responses": 19, "gemini": 13}
"""Bytes from one cut to the next. That no reader takes a part for the whole is tested at every byte beside each."""


class Append:
    """Appends a line to a file: what ran, and how often, is seen there."""

    spec = ToolSpec(
        "append",
        "Appends.",
        {"type": "object", "properties": {"line": {"type": "string"}}, "required": ["line"]},
        "reads",
    )

    def __init__(self, file: Path) -> None:
        self._file = file

    def normalize(self, arguments: JsonObject) -> JsonObject:
        return arguments

    def summary(self, arguments: JsonObject) -> str:
        return f"append {arguments['line']}"

    def scope(self, arguments: JsonObject) -> Scope:
        return Scope()

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{arguments['line']}\n")
        return ToolOutput((TextPart("appended"),), "done")


class Memory(Output):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__(None)
        self.data = b""

    async def write_some(self, data: memoryview) -> int:
        self.data += bytes(data)
        return len(data)


class Played(NamedTuple):
    error: ClineError | None
    lines: list[str]
    """Of the file."""
    told: list[JsonObject]
    """What `--json` printed."""


async def sleep_no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


async def play(name: str, server: FakeServer, network: Network, file: Path) -> Played:
    """Let one run end; `file` is empty after it."""
    provider, model, make_codec = FORMATS[name]
    endpoint = Endpoint(provider, server.base_url, "sk-canary-faults-11", "-k", "session-1")
    remote = Remote(endpoint, network, make_codec(), sleep=sleep_no_time)
    tool = Append(file)
    agent = Agent(remote, model, "Be brief.", {"append": tool}, (tool.spec,), approve_all)
    out = Memory()
    front_end = JsonLinesFrontEnd(out, Manner("json", facts=RunFacts("s-1", provider, model)))
    error: ClineError | None = None
    async for event in agent.run(user_text("go")):
        await front_end.show(event)
        error = getattr(event, "error", None)
    return Played(error, take_lines(file), [json.loads(line) for line in out.data.splitlines()])


def take_lines(file: Path) -> list[str]:
    lines = file.read_text("utf-8").splitlines()
    file.write_text("")
    return lines


def text_that_counts(told: list[JsonObject]) -> str:
    """Return the text of the deltas, without those that were told to be void."""
    kept = text = ""
    for line in told:
        event = line.get("event")
        if not isinstance(event, dict):
            continue
        if event["type"] == "iteration_start":
            kept, text = kept + text, ""
        elif event["type"] == "content_start" and event["contentType"] == "text":
            text += str(event["text"])
        elif event["type"] == "notice" and event["reason"] == "reply_discarded":
            text = ""
    return kept + text


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_call_runs_once_and_no_text_is_doubled_when_a_reply_breaks_off_at_any_byte(
    name: str, then: Kind, tmp_path: Path
) -> None:
    raw = render(name, WORKS)
    server, network, file = CuttingServer(say(Said(("Done", "."), usage=USAGE))), Network(idle_s=5), tmp_path / "lines"
    file.touch()
    asked: list[int] = []

    async def main() -> None:
        for place in (*range(0, len(raw), STEPS[name]), len(raw)):
            server.begin(raw, place, then, cuts=1)
            played = await play(name, server, network, file)
            assert (played.error, played.lines) == (None, ["once 漢"]), place
            assert text_that_counts(played.told) == "I append 🙂.Done.", place
            assert len(server.answers) == 1, place
            asked.append(len(server.works))
        await network.close()

    with server:
        asyncio.run(main())
    # What lacks its end is asked for again, what is whole is not, and nothing is asked for a third time.
    assert asked == sorted(asked, reverse=True)
    assert {*asked} == {1, 2}
    assert asked.count(2) * STEPS[name] > raw.rindex(b"once")


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("name", FORMATS)
def test_no_call_runs_and_the_run_fails_when_no_reply_is_ever_whole(name: str, then: Kind, tmp_path: Path) -> None:
    raw = render(name, WORKS)

    server, network, file = CuttingServer(say(Said(("Done", "."), usage=USAGE))), Network(idle_s=5), tmp_path / "lines"
    file.touch()

    async def main() -> None:
        for place in range(0, raw.rindex(b"once"), 97):
            server.begin(raw, place, then, cuts=100)
            played = await play(name, server, network, file)
            assert isinstance(played.error, ServerError), place
            assert (played.error.exit_code, played.lines) == (75, []), place
            assert (len(server.works), len(server.answers)) == (5, 0), place
            assert text_that_counts(played.told) in "I append 🙂.", place
        await network.close()

    with server:
        asyncio.run(main())
