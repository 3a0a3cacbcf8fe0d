from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from cline_cli.config.credentials import read_key_line
from cline_cli.machine.bell import ringing

PATIENCE_S = 20


class RangError(Exception):
    pass


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def raising() -> Iterator[None]:
    """Let SIGUSR1 raise."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise RangError

    before = signal.signal(signal.SIGUSR1, ring)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def rescues(pipe: tuple[int, int], raising: None) -> Iterator[list[bytes]]:
    """Have SIGUSR1 taken by another thread, so that no system call of this one is interrupted.

    Gives the lines that had to be written in the end, so that the wait was over.
    """
    rescues: list[bytes] = []
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    is_over = threading.Event()

    def take() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        os.write(pipe[1], b"sk-half")
        while select.select([pipe[0]], [], [], 0)[0] and not is_over.wait(0.01):
            pass
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        if not is_over.wait(PATIENCE_S):
            rescues.append(b"-and-whole\n")
            os.write(pipe[1], rescues[-1])

    thread = threading.Thread(target=take)
    thread.start()
    yield rescues
    is_over.set()
    thread.join()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


def test_a_signal_ends_the_wait_for_a_key_when_it_interrupts_no_read(
    pipe: tuple[int, int], rescues: list[bytes]
) -> None:
    with pytest.raises(RangError):
        read_key_line(pipe[0])
    assert not rescues


def test_the_wait_goes_on_when_a_signal_does_nothing(pipe: tuple[int, int]) -> None:
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    try:
        with ringing() as bell:
            signal.raise_signal(signal.SIGUSR1)
            os.write(pipe[1], b"x")
            bell.wait_for(pipe[0])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert os.read(pipe[0], 9) == b"x"


def test_the_next_listener_is_as_before() -> None:
    with ringing():
        pass
    assert signal.set_wakeup_fd(-1) == -1
