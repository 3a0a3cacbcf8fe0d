from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from cline_cli.commands._progress import Progress
from cline_cli.machine.output import Output
from tests.fakes import FakeClock

TOTAL = 500_000_000


class Desk:
    """A progress line whose output is a file."""

    def __init__(self, file: Path, columns: int | None) -> None:
        self.file = file
        self.clock = FakeClock()
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        width = None if columns is None else lambda: columns
        self.progress = Progress("qwen2.5-coder-0.5b", TOTAL, Output(self._descriptor), self.clock, width)

    @property
    def written(self) -> str:
        return self.file.read_bytes().decode()

    async def wait_for(self, text: str) -> None:
        while text not in self.written:
            await asyncio.sleep(0.01)

    def show(self, *moves: int, begun_bytes: int = 0, seconds: float = 1) -> None:
        """Draw after each move, a second apart."""

        async def run() -> None:
            async with self.progress.shown():
                self.progress.begin(begun_bytes)
                for done_bytes in moves:
                    self.clock.now += seconds
                    self.progress.move(done_bytes)
                    await self.wait_for(f"{done_bytes * 100 // TOTAL}%")

        asyncio.run(run())

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def pipe(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "err", None)


@pytest.fixture
def terminal(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "err", 80)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (120, f"qwen2.5-coder-0.5b  [{'#' * 16}{'-' * 24}]   40%  200/500 MB  25.0 MB/s  0:12"),
        (79, f"qwen2.5-coder-0.5b  [{'#' * 8}{'-' * 14}]   40%  200/500 MB  25.0 MB/s  0:12"),
        (60, "qwen2.5-coder-0.5b   40%  200/500 MB  25.0 MB/s  0:12"),
        (39, " 40%  200/500 MB  25.0 MB/s  0:12"),
        (24, " 40%  200/500 MB  0:12"),
        (12, " 40%  0:12"),
        (5, " 40%"),
        (2, ""),
    ],
)
def test_the_line_says_what_fits(terminal: Desk, width: int, line: str) -> None:
    terminal.show(TOTAL // 5, TOTAL * 2 // 5, seconds=4)
    assert terminal.progress.line(width) == line


def test_no_rate_is_told_when_nothing_has_moved(terminal: Desk) -> None:
    terminal.progress.begin(TOTAL // 2)
    assert terminal.progress.line(39) == "qwen2.5-coder-0.5b   50%  250/500 MB"


def test_what_was_there_before_counts_for_no_rate(terminal: Desk) -> None:
    terminal.show(TOTAL // 2 + 10_000_000, begun_bytes=TOTAL // 2, seconds=2)
    assert "5.0 MB/s" in terminal.progress.line(79)


def test_the_rate_is_that_of_the_last_seconds(terminal: Desk) -> None:
    moves = [100_000_000 + 5_000_000 * second for second in range(1, 9)]
    terminal.show(100_000_000, *moves)
    assert "5.0 MB/s" in terminal.progress.line(79)


def test_hours_are_told_when_it_takes_hours(terminal: Desk) -> None:
    terminal.show(200_000, seconds=5)
    assert terminal.progress.line(79).endswith("40 kB/s  3:28:15")


def test_one_line_is_drawn_again_and_taken_away_when_it_is_a_terminal(terminal: Desk) -> None:
    terminal.show(TOTAL // 4, TOTAL // 2)
    assert "\n" not in terminal.written
    assert terminal.written.startswith("\r")
    assert terminal.written.endswith("\r\x1b[K")


def test_a_sentence_stands_above_the_line_when_it_is_told(terminal: Desk) -> None:
    async def run() -> None:
        async with terminal.progress.shown():
            await terminal.progress.tell("first")
            terminal.progress.begin(0)
            terminal.clock.now += 1
            terminal.progress.move(TOTAL // 2)
            await terminal.wait_for("50%")
            await terminal.progress.tell("the \x1b[2Jnext")

    asyncio.run(run())
    assert terminal.written.startswith("cline: first\n\r")
    assert "\r\x1b[Kcline: the next\n" in terminal.written


def test_a_line_a_tenth_is_written_when_it_is_no_terminal(pipe: Desk) -> None:
    pipe.show(*(TOTAL * tenth // 10 + 1 for tenth in (1, 2, 6)))
    assert pipe.written.splitlines() == [
        "cline: qwen2.5-coder-0.5b: 10% of 500 MB, 50.0 MB/s",
        "cline: qwen2.5-coder-0.5b: 20% of 500 MB, 50.0 MB/s",
        "cline: qwen2.5-coder-0.5b: 60% of 500 MB, 100.0 MB/s",
    ]


def test_the_tenths_before_are_not_written_when_it_goes_on(pipe: Desk) -> None:
    async def begin() -> None:
        async with pipe.progress.shown():
            pipe.progress.begin(TOTAL * 6 // 10 + 1)
            await asyncio.sleep(0.25)

    asyncio.run(begin())
    assert pipe.written == ""
    pipe.show(TOTAL * 7 // 10 + 1, begun_bytes=TOTAL * 6 // 10 + 1)
    assert pipe.written.splitlines() == ["cline: qwen2.5-coder-0.5b: 70% of 500 MB, 50.0 MB/s"]


def test_the_work_goes_on_when_nobody_can_be_told() -> None:
    async def run() -> None:
        progress = Progress("x", 10, Output(None), FakeClock(), lambda: 80)
        async with progress.shown():
            progress.begin(0)
            await progress.tell("anything")

    asyncio.run(run())


def test_it_ends_when_the_reader_takes_nothing() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)

    async def run() -> None:
        progress = Progress("x", 10, Output(writer), FakeClock(), lambda: 80)
        async with progress.shown():
            progress.begin(0)
            await asyncio.sleep(0.25)

    asyncio.run(run())
    os.close(reader)
    os.close(writer)
