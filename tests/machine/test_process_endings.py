from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cline_cli.machine._descendants import Process, describe, find_tree, read_processes, send_signal
from cline_cli.machine.process import (
    Command,
    Completed,
    child_variables,
    end_leftovers,
    kill_all,
    list_leftovers,
    run_process,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="descendants are found through /proc")


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    yield
    asyncio.run(end_leftovers())
    assert list_leftovers() == ()


def shell(text: str, timeout_s: float | None = None) -> Command:
    return Command(("/bin/bash", "-c", text), Path.cwd(), child_variables(os.environ, ()), timeout_s)


def output_of(completed: Completed) -> list[int]:
    return [int(word) for word in (completed.head + completed.tail).split()]


def is_alive(pid: int) -> bool:
    process = read_processes().get(pid)
    return process is not None and not process.is_zombie


async def gone(pid: int) -> None:
    while is_alive(pid):
        await asyncio.sleep(0.01)


@asynccontextmanager
async def run_until(text: str, count: int) -> AsyncIterator[tuple[asyncio.Task[Completed], list[int]]]:
    """Yield a running command and the numbers it has printed, once there are so many."""
    numbers: list[int] = []
    seen = asyncio.Event()

    def take(piece: bytes) -> None:
        numbers.extend(int(word) for word in piece.split())
        if len(numbers) >= count:
            seen.set()

    task = asyncio.create_task(run_process(shell(text), take))
    await seen.wait()
    try:
        yield task, numbers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_output_until_then_is_kept_when_the_time_is_up() -> None:
    completed = asyncio.run(run_process(shell("echo so far; sleep 300", 1.0)))
    assert completed.is_timed_out
    assert completed.head + completed.tail == b"so far\n"
    assert completed.signal_name == "SIGTERM"


def test_children_with_and_without_sessions_are_ended_when_the_time_is_up() -> None:
    completed = asyncio.run(run_process(shell("sleep 300 & echo $!; setsid sleep 300 & echo $!; sleep 300", 1.0)))
    pids = output_of(completed)
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


def test_a_command_is_killed_when_it_ignores_the_request_to_end() -> None:
    completed = asyncio.run(run_process(shell("trap '' TERM; echo $$; while :; do sleep 1; done", 1.0)))
    assert completed.signal_name == "SIGKILL"
    assert not is_alive(output_of(completed)[0])


def test_a_command_may_clean_up_when_the_time_is_up() -> None:
    completed = asyncio.run(run_process(shell("trap 'echo 1; exit 5' TERM; sleep 300 & wait", 1.0)))
    assert output_of(completed) == [1]
    assert (completed.exit_code, completed.is_timed_out) == (5, True)


@pytest.mark.parametrize("ignores", ["", "trap '' TERM; "])
def test_all_it_started_is_gone_when_a_command_is_cancelled(ignores: str) -> None:
    async def cancel() -> None:
        text = f"{ignores}sleep 300 & echo $!; setsid sleep 300 & echo $!; echo $$; while :; do sleep 300; done"
        async with run_until(text, 3) as (task, pids):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not any(is_alive(pid) for pid in pids)

    asyncio.run(cancel())
    assert list_leftovers() == ()


def test_everything_is_killed_when_it_is_cancelled_again_meanwhile() -> None:
    async def cancel_twice() -> None:
        text = "trap '' TERM; echo $$; while :; do sleep 300; done"
        async with run_until(text, 1) as (task, pids):
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await gone(pids[0])

    asyncio.run(cancel_twice())


@pytest.mark.parametrize(
    "start",
    [
        "sleep 300 & echo $!",
        "setsid sleep 300 & echo $!",
        "(setsid sh -c 'echo $$; exec sleep 300' &)",
        "nohup sh -c 'trap \"\" TERM HUP; echo $$; sleep 300; sleep 300' 2>/dev/null & sleep 0.2",
    ],
)
def test_a_background_process_lives_on_until_leftovers_are_ended(start: str) -> None:
    async def leave() -> None:
        completed = await run_process(shell(start))
        assert completed.is_output_held
        assert completed.exit_code == 0
        (pid,) = output_of(completed)
        assert pid in [leftover.pid for leftover in list_leftovers()]
        assert any("sleep" in leftover.command for leftover in list_leftovers())
        ended = await end_leftovers(grace_s=0.1)
        assert pid in [leftover.pid for leftover in ended]
        assert not is_alive(pid)
        assert list_leftovers() == ()

    asyncio.run(leave())


def test_a_background_process_may_go_on_printing_when_its_command_has_returned() -> None:
    async def leave() -> bytes:
        text = "(while [ ! -e stop ]; do echo noise || touch broken; done; touch stopped) &"
        assert (await run_process(shell(text))).is_output_held
        await run_process(shell("touch stop; while [ ! -e stopped ]; do sleep 0.01; done"))
        return (await run_process(shell("ls"))).head

    assert asyncio.run(leave()).split() == [b"stop", b"stopped"]


def test_leftovers_are_remembered_when_another_command_runs() -> None:
    async def leave() -> None:
        (pid,) = output_of(await run_process(shell("sleep 300 >/dev/null & echo $!")))
        await run_process(shell("true"))
        assert [leftover.pid for leftover in list_leftovers()] == [pid]

    asyncio.run(leave())


def test_a_dead_background_process_is_waited_for_when_nobody_else_does() -> None:
    async def leave() -> bytes:
        (pid,) = output_of(await run_process(shell("sleep 0.2 >/dev/null & echo $!")))
        completed = await run_process(shell(f"while kill -0 {pid} 2>/dev/null; do sleep 0.05; done; echo gone", 20))
        return completed.head

    assert asyncio.run(leave()) == b"gone\n"


def test_a_dead_session_leader_is_waited_for_after_a_while_when_nobody_else_does() -> None:
    async def leave() -> bytes:
        (pid,) = output_of(await run_process(shell("setsid sleep 0.2 >/dev/null & echo $!")))
        completed = await run_process(shell(f"while kill -0 {pid} 2>/dev/null; do sleep 0.05; done; echo gone", 20))
        return completed.head

    assert asyncio.run(leave()) == b"gone\n"


def test_children_of_other_rooms_are_left_alone_when_leftovers_are_ended() -> None:
    async def end_others() -> None:
        await run_process(shell("sleep 300 >/dev/null &"))
        with subprocess.Popen(["sleep", "300"]) as later:  # noqa: ASYNC220  # as another room might
            await end_leftovers()
            assert later.poll() is None
            later.kill()

    with subprocess.Popen(["sleep", "300"], start_new_session=True) as earlier:
        asyncio.run(end_others())
        assert earlier.poll() is None
        earlier.kill()


@pytest.mark.parametrize("has_session", [False, True])
def test_the_exit_status_of_another_rooms_child_is_not_taken_when_it_ends(has_session: bool) -> None:
    async def end_one() -> int:
        await run_process(shell("true"))
        other = subprocess.Popen(["sh", "-c", "exit 7"], start_new_session=has_session)  # noqa: ASYNC220  # nor waited for
        await run_process(shell("sleep 0.1"))
        return other.wait()  # it has ended

    assert asyncio.run(end_one()) == 7


def test_commands_and_leftovers_die_at_once_when_all_are_killed() -> None:
    async def kill() -> None:
        (left,) = output_of(await run_process(shell("trap '' TERM; sleep 300 >/dev/null & echo $!")))
        text = "trap '' TERM; setsid sleep 300 & echo $!; echo $$; wait"
        async with run_until(text, 2) as (task, pids):
            kill_all()
            await task
            await asyncio.gather(*(gone(pid) for pid in (left, *pids)))

    asyncio.run(kill())


def test_a_process_is_not_signalled_when_its_number_is_another_ones_now() -> None:
    with subprocess.Popen(["sleep", "300"]) as child:
        seen = read_processes()[child.pid]
        send_signal([seen._replace(started=seen.started - 1)], signal.SIGKILL)
        assert child.poll() is None
        send_signal([seen], signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL


def test_every_descendant_is_found_when_a_tree_is_asked_for() -> None:
    table = {pid: Process(pid, parent, 0, 0, pid, is_zombie=False) for pid, parent in ((1, 0), (2, 1), (3, 2), (4, 1))}
    assert {process.pid for process in find_tree({(2, 2)}, table)} == {2, 3}
    assert find_tree({(2, 99)}, table) == set()


def test_a_name_with_parentheses_does_not_disturb_when_processes_are_read(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    fields = "S 3 12 12 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 0"
    (tmp_path / "12" / "stat").write_text(f"12 (a) R (b c) {fields}")
    (tmp_path / "13").mkdir()
    (tmp_path / "self").mkdir()
    assert read_processes(tmp_path) == {12: Process(12, 3, 12, 12, 4711, is_zombie=False)}
    (tmp_path / "12" / "cmdline").write_bytes(b"tail\0-f\0" + b"x" * 500)
    assert describe(read_processes(tmp_path)[12], tmp_path).startswith("tail -f xxx")
    assert read_processes(tmp_path / "none") == {}
