from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.frontends.console.screen import Line, Position, Screen, Size, measure, rewraps
from cline_cli.machine.output import Output
from tests.frontends.emulator import Emulator


class Recorder(Output):
    """An output that a terminal of the tests shows."""

    def __init__(self, columns: int = 40, rows: int = 10) -> None:
        super().__init__(None)
        self.terminal = Emulator(columns, rows)
        self.writes: list[str] = []
        self.is_stuck = False
        self.is_waiting = False
        self.may_write = asyncio.Event()
        self.may_write.set()

    async def write(self, data: bytes) -> None:
        text = data.decode()
        self.is_waiting = True
        await self.may_write.wait()
        self.is_waiting = False
        if self.is_stuck:
            self.terminal.feed(text[:1])
            await asyncio.Event().wait()
        self.writes.append(text)
        self.terminal.feed(text)


def line(text: str) -> Line:
    return Line(text, len(text))


def lines(*texts: str) -> list[Line]:
    return [line(text) for text in texts]


WORDS = st.lists(st.text(st.sampled_from("abc "), max_size=38), max_size=14)


@given(st.lists(st.tuples(WORDS, WORDS), max_size=8))
def test_what_was_printed_stays_and_what_was_live_goes(frames: list[tuple[list[str], list[str]]]) -> None:
    output = Recorder()
    screen = Screen(output, lambda: Size(40, 10))

    async def main() -> None:
        for printed, live in frames:
            await screen.show(lines(*printed), lines(*live))
            shown = [text.rstrip() for texts, _ in frames[: frames.index((printed, live)) + 1] for text in texts]
            assert output.terminal.text[: len(shown)] == shown
        await screen.show()

    asyncio.run(main())
    assert output.terminal.text == [text.rstrip() for printed, _ in frames for text in printed] + [""]


@given(st.lists(st.tuples(WORDS, WORDS, st.integers(0, 13), st.integers(0, 38)), max_size=8), st.booleans())
def test_the_cursor_stands_where_it_is_put_and_what_was_printed_stays(
    frames: list[tuple[list[str], list[str], int, int]], is_rewrapping: bool
) -> None:
    output = Recorder()
    screen = Screen(output, lambda: Size(40, 10), is_rewrapping=is_rewrapping)
    printed: list[str] = []

    async def main() -> None:
        for new, live, row, column in frames:
            await screen.show(lines(*new), lines(*live), Position(row, column))
            printed.extend(text.rstrip() for text in new)
            shown = live[-9:]
            wanted = row - (len(live) - len(shown))
            terminal = output.terminal
            assert [text.rstrip() for text in terminal.text[: len(printed)]] == printed
            if shown:
                is_put = 0 <= wanted < len(shown)
                place = (wanted, column) if is_put else (len(shown) - 1, len(shown[-1]))
                assert (terminal.row - len(printed), terminal.column) == place
        await screen.show()

    asyncio.run(main())
    assert output.terminal.text == [*printed, ""]


def test_only_rows_above_the_cursor_are_gone_over_when_a_terminal_that_cuts_became_narrower() -> None:
    output = Recorder(40, 10)
    size = Size(40, 10)
    screen = Screen(output, lambda: size, is_rewrapping=False)

    async def main() -> None:
        nonlocal size
        await screen.show(lines("done"), lines("x" * 35, "y" * 35, "z"), Position(2, 1))
        for row in output.terminal.lines:  # the terminal cuts them
            del row[25:]
        output.terminal.columns = 25
        size = Size(25, 10)
        await screen.show((), lines("new", "line"), Position(1, 4))

    asyncio.run(main())
    assert output.terminal.text == ["done", "new", "line"]


def test_a_live_line_does_not_wrap_when_the_terminal_is_narrower_already() -> None:
    output = Recorder()
    show(Screen(output, lambda: Size(40, 10), is_rewrapping=False), ([], lines("live")))
    assert output.writes == ["\x1b[?7llive\x1b[?7h"]


@pytest.mark.parametrize(
    ("variables", "is_known"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "screen", "TMUX": "/tmp/x,1,0"}, True),
        ({"TERM": "tmux-256color"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": ""}, False),
    ],
)
def test_a_terminal_that_breaks_its_lines_anew_is_known_by_its_name(variables: dict[str, str], is_known: bool) -> None:
    assert rewraps(variables) is is_known


def test_no_style_is_written_when_there_are_to_be_no_colours() -> None:
    output = Recorder()
    screen = Screen(output, lambda: Size(40, 10), has_colour=False)
    show(screen, ([Line("\x1b[1;31mred\x1b[0m", 3)], [Line("\x1b[2mdim\x1b[0m", 3)]))
    assert "".join(output.writes) == "red\ndim"


def show(screen: Screen, *frames: tuple[list[Line], list[Line]]) -> None:
    async def main() -> None:
        for printed, live in frames:
            await screen.show(printed, live)

    asyncio.run(main())


def test_only_the_last_lines_are_live_when_they_are_more_than_the_screen() -> None:
    output = Recorder(rows=5)
    show(Screen(output, lambda: Size(40, 5)), ([], lines(*"abcdefgh")))
    assert output.terminal.text == ["e", "f", "g", "h"]


def test_a_line_is_not_live_when_it_would_wrap() -> None:
    output = Recorder()
    show(Screen(output, lambda: Size(40, 10)), ([], lines("short", "x" * 40)))
    assert output.terminal.text == ["short"]


def test_a_line_printed_for_good_may_wrap() -> None:
    output = Recorder()
    show(Screen(output, lambda: Size(40, 10)), ([], lines("live", "live")), (lines("x" * 100), lines("live")), ([], []))
    assert output.terminal.text == ["x" * 40, "x" * 40, "x" * 20, ""]


@pytest.mark.parametrize("size", [Size(19, 24), Size(80, 3), Size(1, 1)])
def test_nothing_is_live_when_the_terminal_is_tiny(size: Size) -> None:
    output = Recorder(size.columns, size.rows)
    show(Screen(output, lambda: size), (lines("done"), lines("live")))
    assert "".join(output.writes) == "done\n"


def test_nothing_is_written_when_nothing_has_changed() -> None:
    output = Recorder()
    show(Screen(output, lambda: Size(40, 10)), ([], []), ([], lines("a")), ([], lines("a")), ([], []), ([], []))
    assert len(output.writes) == 2


def test_wrapped_live_lines_are_taken_away_when_the_terminal_became_narrower() -> None:
    output = Recorder(40, 10)
    size = Size(40, 10)
    screen = Screen(output, lambda: size)
    show(screen, (lines("done"), lines("x" * 30, "y" * 30)))
    output.terminal = Emulator(25, 10)
    output.terminal.feed("done\n" + "x" * 30 + "\n" + "y" * 30)
    size = Size(25, 10)
    show(screen, ([], lines("live")))
    assert output.terminal.text == ["done", "live"]


def test_the_next_lines_begin_anew_when_a_write_was_cut_short() -> None:
    output = Recorder()
    screen = Screen(output, lambda: Size(40, 10))

    async def main() -> None:
        output.is_stuck = True
        task = asyncio.create_task(screen.show(lines("whole")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        output.is_stuck = False
        await screen.show(lines("whole"))

    asyncio.run(main())
    assert output.terminal.text == ["w", "whole", ""]


@pytest.fixture
def terminal() -> Iterator[int]:
    descriptors = pty.openpty()
    yield descriptors[1]
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("real", "variables", "size"),
    [
        ((24, 80), {}, Size(80, 24)),
        ((24, 80), {"COLUMNS": "60"}, Size(60, 24)),
        ((24, 80), {"COLUMNS": "200"}, Size(80, 24)),
        ((24, 80), {"COLUMNS": "0"}, Size(80, 24)),
        ((24, 80), {"COLUMNS": "wide"}, Size(80, 24)),
        ((0, 0), {}, Size(80, 24)),
        ((0, 0), {"COLUMNS": "100"}, Size(100, 24)),
    ],
)
def test_the_size_is_the_terminals_and_never_wider_than_wanted(
    terminal: int, real: tuple[int, int], variables: dict[str, str], size: Size
) -> None:
    termios.tcsetwinsize(terminal, real)
    assert measure(terminal, variables) == size


def test_a_size_is_assumed_when_there_is_no_terminal() -> None:
    assert measure(None, {}) == Size(80, 24)
