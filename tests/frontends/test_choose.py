from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cline_cli.agent.events import Event, IterationStarted, MessageFinished, RunFinished
from cline_cli.agent.messages import AssistantMessage, TextPart, Usage
from cline_cli.agent.provider import TextDelta
from cline_cli.environment import Environment
from cline_cli.frontends.choose import choose_front_end
from cline_cli.frontends.console.front_end import ConsoleFrontEnd
from cline_cli.frontends.json_lines import JsonLinesFrontEnd
from cline_cli.frontends.manner import Manner, OutputFormat
from cline_cli.frontends.say_lines import SayLinesFrontEnd
from cline_cli.frontends.text import TextFrontEnd

XTERM = {"TERM": "xterm-256color"}


@pytest.fixture
def terminal() -> Iterator[int]:
    descriptors = pty.openpty()
    yield descriptors[1]
    for descriptor in descriptors:
        os.close(descriptor)


def environment(stdout: int | None, variables: dict[str, str]) -> Environment:
    is_terminal = stdout is not None and os.isatty(stdout)
    return Environment(variables, Path("/"), Path("/"), None, stdout, None, False, is_terminal, False)


@pytest.mark.parametrize(
    ("variables", "manner", "kind"),
    [
        (XTERM, Manner(), ConsoleFrontEnd),
        (XTERM, Manner(output_format="plain"), TextFrontEnd),
        ({**XTERM, "NO_COLOR": "1"}, Manner(), TextFrontEnd),
        ({**XTERM, "NO_COLOR": ""}, Manner(), ConsoleFrontEnd),
        ({**XTERM, "NO_COLOR": "1", "FORCE_COLOR": "1"}, Manner(), TextFrontEnd),
        ({**XTERM, "NO_COLOR": "1"}, Manner(output_format="rich"), ConsoleFrontEnd),
        ({"TERM": "dumb"}, Manner(), TextFrontEnd),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, Manner(), TextFrontEnd),
        ({}, Manner(), TextFrontEnd),
        ({"FORCE_COLOR": "1"}, Manner(), ConsoleFrontEnd),
        ({"FORCE_COLOR": "0"}, Manner(), TextFrontEnd),
        (XTERM, Manner(holds=True), TextFrontEnd),
        (XTERM, Manner(output_format="rich", holds=True), TextFrontEnd),
    ],
)
def test_the_screen_is_live_when_the_terminal_can_and_nobody_objects(
    terminal: int, variables: dict[str, str], manner: Manner, kind: type
) -> None:
    assert type(choose_front_end(environment(terminal, variables), manner)) is kind


@pytest.mark.parametrize("output_format", [None, "rich", "plain"])
def test_it_is_text_when_stdout_is_no_terminal(tmp_path: Path, output_format: str | None) -> None:
    manner = Manner(output_format=output_format)  # type: ignore[arg-type]
    with (tmp_path / "out").open("wb") as file:
        for stdout in (file.fileno(), None):
            chosen = choose_front_end(environment(stdout, {**XTERM, "FORCE_COLOR": "1"}), manner)
            assert type(chosen) is TextFrontEnd


@pytest.mark.parametrize(("output_format", "kind"), [("json", JsonLinesFrontEnd), ("say", SayLinesFrontEnd)])
def test_it_is_lines_when_they_are_asked_for_wherever_stdout_goes(
    terminal: int, tmp_path: Path, output_format: OutputFormat, kind: type
) -> None:
    with (tmp_path / "out").open("wb") as file:
        for stdout in (terminal, file.fileno(), None):
            assert type(choose_front_end(environment(stdout, XTERM), Manner(output_format))) is kind


def answer(stdout: int, manner: Manner) -> list[int]:
    """Stream an answer in two pieces to a file, and return its size after each event."""

    async def main() -> list[int]:
        front_end = choose_front_end(environment(stdout, {}), manner)
        sizes: list[int] = []
        events: list[Event] = [
            IterationStarted(1, has_tools=False),
            TextDelta("one "),
            TextDelta("two"),
            MessageFinished(AssistantMessage((TextPart("one two"),), "stop")),
            RunFinished("one two", Usage(), 1, 0, 0, None),
        ]
        for event in events:
            await front_end.show(event)
            sizes.append(os.fstat(stdout).st_size)
        return sizes

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("flags", "manner", "sizes"),
    [
        (os.O_TRUNC, Manner(), [0, 3, 7, 8, 8]),
        (os.O_APPEND, Manner(), [0, 0, 0, 0, 8]),
        (os.O_APPEND, Manner(streams=True), [0, 0, 0, 0, 8]),
        (os.O_TRUNC, Manner(holds=True), [0, 0, 0, 0, 8]),
    ],
)
def test_the_answer_is_written_at_once_when_others_may_append_to_the_file(
    tmp_path: Path, flags: int, manner: Manner, sizes: list[int]
) -> None:
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT | flags, 0o600)
    try:
        assert answer(descriptor, manner) == sizes
    finally:
        os.close(descriptor)


def test_answers_do_not_mix_when_several_runs_append_to_one_file(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from cline_cli.agent.events import IterationStarted, MessageFinished, RunFinished
from cline_cli.agent.messages import AssistantMessage, TextPart, Usage
from cline_cli.agent.provider import TextDelta
from cline_cli.environment import read_environment
from cline_cli.frontends.choose import choose_front_end
from cline_cli.frontends.manner import Manner

async def main(letter):
    front_end = choose_front_end(read_environment(), Manner())
    sys.stdin.readline()
    await front_end.show(IterationStarted(1, has_tools=False))
    for _ in range(500):
        await front_end.show(TextDelta(letter * 40))
    text = letter * 20_000
    await front_end.show(MessageFinished(AssistantMessage((TextPart(text),), "stop")))
    await front_end.show(RunFinished(text, Usage(), 1, 0, 0, None))

asyncio.run(main(sys.argv[1]))
"""
    path = tmp_path / "log"
    with path.open("ab") as file:
        running = [
            subprocess.Popen([sys.executable, "-c", program, letter], stdin=subprocess.PIPE, stdout=file)
            for letter in "abcd"
        ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=50)
        assert process.returncode == 0
    assert sorted(path.read_text().splitlines()) == [letter * 20_000 for letter in "abcd"]


def test_a_pipe_streams_when_nothing_else_is_asked_for() -> None:
    reader, writer = os.pipe()

    async def main() -> None:
        front_end = choose_front_end(environment(writer, {}), Manner())
        await front_end.show(IterationStarted(1, has_tools=False))
        await front_end.show(TextDelta("one"))

    asyncio.run(main())
    assert os.read(reader, 10) == b"one"
    os.close(reader)
    os.close(writer)


def test_nothing_heavy_is_imported_when_stdout_is_a_pipe() -> None:
    program = """
import sys
from cline_cli.environment import read_environment
from cline_cli.frontends.choose import choose_front_end
from cline_cli.frontends.manner import Manner
choose_front_end(read_environment(), Manner())
heavy = {"rich", "pygments", "markdown_it", "typer", "httpx", "keyring", "tomlkit", "termios"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
