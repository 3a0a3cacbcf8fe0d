from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cline_cli.machine.files import scratch_file
from cline_cli.machine.process import Command, Completed, child_variables, end_leftovers, list_leftovers, run_process


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    yield
    asyncio.run(end_leftovers())
    assert list_leftovers() == ()


def shell(text: str) -> Command:
    return Command(("/bin/sh", "-c", text), Path.cwd(), child_variables(os.environ, ()))


def run(command: str | Command) -> Completed:
    return asyncio.run(run_process(shell(command) if isinstance(command, str) else command))


def test_output_and_exit_code_come_back_when_a_command_ends() -> None:
    completed = run("echo out; echo err >&2; echo more; exit 3")
    assert completed.head + completed.tail == b"out\nerr\nmore\n"
    assert (completed.exit_code, completed.signal_name, completed.is_timed_out) == (3, "", False)


def test_the_signal_is_named_when_one_ended_the_command() -> None:
    completed = run("kill -9 $$")
    assert (completed.exit_code, completed.signal_name) == (None, "SIGKILL")


def test_stderr_is_left_out_when_only_stdout_is_wanted() -> None:
    completed = run(replace(shell("echo out; echo err >&2"), drops_errors=True))
    assert completed.head + completed.tail == b"out\n"


def test_reading_ends_at_once_when_a_command_reads_stdin() -> None:
    assert run("cat; echo end").head == b"end\n"


def test_our_own_stdin_is_not_read_by_a_command() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"ours")
    os.close(writing)
    saved = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert run("cat").head == b""
        assert os.read(0, 10) == b"ours"
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reading)


def test_no_terminal_can_be_opened_by_a_command() -> None:
    completed = run("cat </dev/tty || echo none")
    assert b"none" in completed.head + completed.tail


def test_a_short_output_is_whole_when_it_just_fits() -> None:
    completed = run(replace(shell("printf 0123456789ab"), max_bytes=12))
    assert (completed.head, completed.tail, completed.omitted_bytes) == (b"0123", b"456789ab", 0)


def test_beginning_and_end_are_kept_when_there_is_too_much_output() -> None:
    completed = run(replace(shell("printf 0123456789abc"), max_bytes=12))
    assert (completed.head, completed.tail, completed.omitted_bytes) == (b"0123", b"56789abc", 1)


def test_memory_stays_flat_when_a_command_prints_half_a_gigabyte() -> None:
    run("echo warm")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    completed = run(replace(shell("head -c 500000000 /dev/zero"), max_bytes=100_000))
    assert completed.omitted_bytes == 500_000_000 - 100_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (8_000 if sys.platform == "linux" else 8_000_000)


def test_the_command_is_ended_when_it_has_printed_all_that_is_wanted() -> None:
    completed = run(replace(shell("yes"), max_bytes=10_000, stops_when_full=True))
    assert completed.head == b"y\n" * 5_000
    assert not completed.is_timed_out


def test_output_is_passed_on_while_it_comes() -> None:
    async def answer() -> bytes:
        pieces: list[bytes] = []
        seen = asyncio.Event()

        def take(piece: bytes) -> None:
            pieces.append(piece)
            seen.set()

        fifo = Path.cwd() / "fifo"
        os.mkfifo(fifo)
        task = asyncio.create_task(run_process(shell("echo first; read line < fifo; echo $line"), take))
        await seen.wait()
        assert pieces == [b"first\n"]
        await asyncio.to_thread(fifo.write_text, "second\n")
        await task
        return b"".join(pieces)

    assert asyncio.run(answer()) == b"first\nsecond\n"


def test_variables_are_dropped_and_questions_avoided_when_an_environment_is_made() -> None:
    made = child_variables({"A": "1", "CLINE_API_KEY": "canary", "PAGER": "less", "CI": "1"}, {"CLINE_API_KEY"})
    assert (made["A"], made["CI"], made["PAGER"], made["GIT_TERMINAL_PROMPT"]) == ("1", "1", "cat", "0")
    assert "canary" not in str(made)
    completed = run(replace(shell("env"), variables=made))
    assert b"canary" not in completed.head + completed.tail


def test_an_error_is_raised_when_a_program_or_folder_is_missing() -> None:
    with pytest.raises(FileNotFoundError):
        run(replace(shell("true"), argv=("/no/such/program",)))
    with pytest.raises(FileNotFoundError):
        run(replace(shell("true"), cwd=Path("/no/such/folder")))


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_an_error_is_raised_when_a_word_cannot_be_given_to_a_program(word: str) -> None:
    with pytest.raises(ValueError, match=r"null byte|surrogates"):
        run(replace(shell("true"), argv=("/bin/echo", word)))


def test_an_open_file_is_handed_over_when_it_is_named() -> None:
    with scratch_file(b"content") as descriptor:
        completed = run(replace(shell(f"cat /dev/fd/{descriptor}"), descriptors=(descriptor,)))
    assert completed.head + completed.tail == b"content"


def test_no_other_open_file_is_handed_over() -> None:
    with scratch_file(b"secret") as descriptor:
        os.set_inheritable(descriptor, True)
        completed = run(f"cat /dev/fd/{descriptor}")
    assert b"secret" not in completed.head + completed.tail


def test_several_commands_run_at_the_same_time() -> None:
    async def meet() -> list[bytes]:
        os.mkfifo("fifo")
        both = (run_process(shell("echo hello > fifo")), run_process(shell("cat fifo")))
        return [completed.head + completed.tail for completed in await asyncio.gather(*both)]

    assert asyncio.run(meet()) == [b"", b"hello\n"]


def test_no_descriptor_stays_open_when_commands_have_ended() -> None:
    folder = Path("/dev/fd")
    run("true")
    before = len(list(folder.iterdir()))
    for _ in range(20):
        run("echo hello")
    assert len(list(folder.iterdir())) == before
