from __future__ import annotations

from cline_cli.tools._progress import MAX_BYTES, PAUSE_S, Progress


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


def test_output_is_passed_on_at_once_and_then_seldom() -> None:
    reported: list[str] = []
    clock = Clock()
    progress = Progress(reported.append, clock)
    progress.add(b"first\n")
    progress.add(b"second\n")
    progress.add(b"third\n")
    assert reported == ["first\n"]
    clock.now += PAUSE_S
    progress.add(b"fourth\n")
    assert reported == ["first\n", "second\nthird\nfourth\n"]
    progress.add(b"last\n")
    progress.flush()
    progress.flush()
    assert reported[2:] == ["last\n"]


def test_only_the_end_is_passed_on_when_there_is_much() -> None:
    reported: list[str] = []
    progress = Progress(reported.append, Clock())
    progress.add(b"first")
    progress.add(b"a" * MAX_BYTES)
    progress.add(b"b" * (MAX_BYTES - 1))
    progress.flush()
    assert reported == ["first", "a" + "b" * (MAX_BYTES - 1)]


def test_a_character_is_whole_when_it_came_in_two_pieces() -> None:
    reported: list[str] = []
    clock = Clock()
    progress = Progress(reported.append, clock)
    progress.add(b"\xc3")
    progress.add(b"\xa4")
    progress.flush()
    assert "".join(reported) == "ä"
