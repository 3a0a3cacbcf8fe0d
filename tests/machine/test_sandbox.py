from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from cline_cli.machine import sandbox_levels as module
from cline_cli.machine.process import Command, Completed, end_leftovers, list_leftovers, run_process
from cline_cli.machine.sandbox import Level, Places, Report, Sandbox, UnmetError, Wanted, explain
from cline_cli.machine.sandbox_levels import find_places, open_sandbox, to_bwrap, to_seatbelt, why_unconfined

_T = TypeVar("_T")
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock and bubblewrap are of Linux")
LEVELS: tuple[Level, ...] = ("bubblewrap", "landlock")
VARIABLES = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def works(level: Level) -> bool:
    """Whether a level can be had on this machine, asked without any code of ours."""
    if level == "bubblewrap":
        program = shutil.which("bwrap")
        argv = [str(program), "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true"]
        return program is not None and subprocess.run(argv, capture_output=True, check=False).returncode == 0
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # lazy: only here

    create_ruleset, version = 444, 1
    abi = ctypes.CDLL(None).syscall(create_ruleset, None, ctypes.c_size_t(0), ctypes.c_uint32(version))
    return int(abi) > 0


def levels() -> list[object]:
    found: list[object] = []
    for level in LEVELS:
        mark = pytest.mark.skipif(not works(level), reason=f"{level} does not work on this machine")
        found.append(pytest.param(level, marks=mark))
    return found


@pytest.fixture
def places(tmp_path: Path, outside: Path) -> Places:
    workspace = Path(os.path.realpath(tmp_path)) / "ws"
    (workspace / ".git" / "hooks").mkdir(parents=True)
    (workspace / ".git" / "config").write_text("[core]\n")
    found = find_places(workspace, None, VARIABLES)
    return found._replace(writable=(workspace,), outside=outside)


def within(level: Level, places: Places, work: Callable[[Sandbox], Awaitable[_T]], *, has_network: bool = True) -> _T:
    async def go() -> _T:
        sandbox = await open_sandbox(Wanted("require", has_network), places, VARIABLES, (level,))
        try:
            return await work(sandbox)
        finally:
            await end_leftovers()
            sandbox.close()

    return asyncio.run(go())


async def run(sandbox: Sandbox, places: Places, line: str, timeout_s: float = 10) -> Completed:
    launcher = await sandbox.enter()
    assert launcher
    return await run_process(
        Command(("/bin/bash", "-c", line), places.workspace, VARIABLES, timeout_s, launcher=launcher)
    )


def said(completed: Completed) -> str:
    return (completed.head + completed.tail).decode()


@pytest.mark.parametrize("level", levels())
def test_what_is_told_is_what_commands_find(level: Level, places: Places, outside: Path, port: int) -> None:
    line = (
        f"touch {outside}/a 2>/dev/null && echo outside; touch a && echo inside;"
        f" mv a {outside}/b 2>/dev/null && echo moved; ln -s {outside} l; touch l/c 2>/dev/null && echo through;"
        " touch .git/hooks/x 2>/dev/null && echo hook; echo x >> .git/config 2>/dev/null && echo config;"
        f" kill -0 {os.getpid()} 2>/dev/null && echo signal;"
        f" (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo network"
    )

    async def work(sandbox: Sandbox) -> tuple[Report, str]:
        return sandbox.report, said(await run(sandbox, places, line))

    for has_network in (True, False):
        report, printed = within(level, places, work, has_network=has_network)
        found = set(printed.split())
        assert report.level == level
        assert "inside" in found
        assert {"outside", "moved", "through"} & found == set()
        assert ("write" in report.enforced) is True
        assert ("protected" in report.enforced) is not ({"hook", "config"} <= found)
        assert ("signal" in report.enforced) is ("signal" not in found)
        assert ("network" in report.enforced) is ("network" not in found) is not has_network
        assert set(report.enforced).isdisjoint(report.not_enforced)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("level", levels())
def test_a_command_behaves_as_without_a_sandbox(level: Level, places: Places) -> None:
    async def work(sandbox: Sandbox) -> list[Completed]:
        lines = (
            "echo out; echo err >&2; exit 7",
            "kill -TERM $$",
            "cat; echo end of input",
            "ps -o sid= -p $$ | tr -d ' '; echo $$",
            "yes | head -c 100 | wc -c",
            "sleep 20",
            "printf '%s' \"$LANG\"; ls /proc/self/fd | wc -l",
        )
        return [await run(sandbox, places, line, timeout_s=1.5 if line == "sleep 20" else 10) for line in lines]

    exits, signalled, reads, session, pipe, late, surroundings = within(level, places, work)
    assert (said(exits), exits.exit_code) == ("out\nerr\n", 7)
    assert (signalled.exit_code, signalled.signal_name) == (None, "SIGTERM")
    assert said(reads) == "end of input\n"
    assert len(set(said(session).split())) == 1
    assert said(pipe).strip() == "100"
    assert late.is_timed_out
    assert late.duration_s < 5
    assert said(surroundings).startswith("C.UTF-8")


@pytest.mark.parametrize("level", levels())
def test_what_cannot_be_started_is_told(level: Level, places: Places) -> None:
    async def work(sandbox: Sandbox) -> None:
        launcher = await sandbox.enter()
        with pytest.raises(FileNotFoundError):
            await run_process(Command(("/no/such", "x"), places.workspace, VARIABLES, launcher=launcher))
        with pytest.raises(FileNotFoundError):
            await run_process(Command(("/bin/true",), Path("/no/where"), VARIABLES, launcher=launcher))
        assert said(await run(sandbox, places, "echo still there")) == "still there\n"

    within(level, places, work)


@pytest.mark.parametrize("level", levels())
def test_a_later_command_may_end_what_an_earlier_one_left(level: Level, places: Places) -> None:
    async def work(sandbox: Sandbox) -> None:
        started = time.monotonic()
        await run(sandbox, places, "sleep 300 & echo $! > pid; setsid sleep 301 & (setsid sleep 302 &)")
        assert time.monotonic() - started < 5
        assert {left.command for left in list_leftovers()} == {"sleep 300", "sleep 301", "sleep 302"}
        await run(sandbox, places, "kill $(cat pid); sleep 0.2")
        assert {left.command for left in list_leftovers()} == {"sleep 301", "sleep 302"}
        await end_leftovers()
        assert list_leftovers() == ()
        assert said(await run(sandbox, places, "echo on")) == "on\n"

    within(level, places, work)


@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("line", ["kill -9 $PPID; sleep 1", "kill -9 -1", "kill -STOP $PPID"])
def test_a_command_that_turns_on_its_sandbox_does_not_end_the_run(level: Level, places: Places, line: str) -> None:
    async def work(sandbox: Sandbox) -> str:
        await run(sandbox, places, line, timeout_s=1)
        return said(await run(sandbox, places, "echo on"))

    assert within(level, places, work) == "on\n"


@pytest.mark.parametrize("level", levels())
def test_processes_that_multiply_are_ended_and_the_run_goes_on(level: Level, places: Places) -> None:
    async def work(sandbox: Sandbox) -> str:
        await run(sandbox, places, "f() { f | f & }; f")
        await asyncio.sleep(1)
        await end_leftovers()
        return said(await run(sandbox, places, "echo on"))

    assert within(level, places, work) == "on\n"


@pytest.mark.parametrize("level", levels())
def test_all_ends_with_the_process_that_opened_it(level: Level, places: Places, tmp_path: Path) -> None:
    program = f"""
import asyncio, os
from pathlib import Path
from cline_cli.machine.process import Command, run_process
from cline_cli.machine.sandbox import Places, Wanted
from cline_cli.machine.sandbox_levels import open_sandbox
async def go():
    workspace = Path({str(places.workspace)!r})
    places = Places(workspace, (workspace,), (), Path({str(places.outside)!r}))
    sandbox = await open_sandbox(Wanted("require"), places, dict(os.environ), ({level!r},))
    argv = ("/bin/bash", "-c", "echo $$ > inner; setsid sleep 300 & touch started; sleep 300")
    await run_process(Command(argv, workspace, dict(os.environ), launcher=sandbox.launcher))
asyncio.run(go())
"""
    variables = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parent.parent.parent)}
    child = subprocess.Popen([sys.executable, "-c", program], env=variables)
    deadline = time.monotonic() + 20
    while not (places.workspace / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    mark = str(places.workspace).encode()

    def is_left() -> bool:
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and (entry / "cwd").readlink() == places.workspace:
                    return True
                if (
                    entry.name.isdecimal()
                    and mark in (entry / "cmdline").read_bytes()
                    and entry.name != str(os.getpid())
                ):
                    return True
            except OSError:
                continue
        return False

    while is_left():
        assert time.monotonic() < deadline, "something lives on"
        time.sleep(0.02)


@LINUX
def test_each_level_that_is_taken_away_is_told_and_the_next_one_taken(places: Places, tmp_path: Path) -> None:
    async def level_of(variables: dict[str, str], levels: tuple[Level, ...], mode: str = "auto") -> Report:
        found = await open_sandbox(Wanted(mode), places, variables, levels)  # type: ignore[arg-type]
        found.close()
        return found.report

    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "bwrap").write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    (broken / "bwrap").chmod(0o755)
    for variables in ({**VARIABLES, "PATH": "/nowhere"}, {**VARIABLES, "PATH": str(broken)}):
        if works("landlock"):
            assert asyncio.run(level_of(variables, ("bubblewrap", "landlock"), "require")).level == "landlock"
        with pytest.raises(UnmetError, match="bubblewrap: "):
            asyncio.run(level_of(variables, ("bubblewrap",), "require"))


def test_without_any_level_a_run_goes_on_unless_it_must_not(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "why_unconfined", lambda variables: "")
    found = asyncio.run(open_sandbox(Wanted("auto"), places, VARIABLES, ()))
    assert found.report.level == "none"
    assert found.report.enforced == ()
    assert found.launcher is None
    for wanted in (Wanted("require"), Wanted("auto", has_network=False)):
        with pytest.raises(UnmetError):
            asyncio.run(open_sandbox(wanted, places, VARIABLES, ()))
    assert asyncio.run(open_sandbox(Wanted("off"), places, VARIABLES)).report == Report(detail="it is off")


def test_where_jobs_install_packages_writes_are_not_confined_by_themselves() -> None:
    assert why_unconfined({"CI": "1"}, ()) == "CI is set, where jobs install what they need"
    assert why_unconfined({"container": "podman"}, ()) == "this is a container"
    assert why_unconfined({}, ("/",)) == "this is a container"
    assert why_unconfined({}, ()) == ""


@LINUX
def test_a_run_in_ci_says_that_writes_are_not_confined(places: Places, outside: Path) -> None:
    async def go() -> tuple[Report, str]:
        sandbox = await open_sandbox(Wanted("auto"), places, {**VARIABLES, "CI": "1"})
        try:
            launcher = await sandbox.enter()
            argv = ("/bin/bash", "-c", f"touch {outside}/a && echo written")
            return sandbox.report, said(
                await run_process(Command(argv, places.workspace, VARIABLES, launcher=launcher))
            )
        finally:
            sandbox.close()

    report, printed = asyncio.run(go())
    assert printed == "written\n"
    assert "write" not in report.enforced
    assert "CI is set" in report.detail
    assert ("signal" in report.enforced) is (report.level == "landlock")


def test_caches_and_temporary_folders_are_writable_and_the_home_is_not(tmp_path: Path) -> None:
    home = Path(os.path.realpath(tmp_path)) / "home"
    for name in (".cache", ".npm", ".ssh", "work/.cline"):
        (home / name).mkdir(parents=True)
    found = find_places(home / "work", home, {"TMPDIR": str(home), "XDG_CACHE_HOME": "relative"}, (home / ".ssh",))
    assert {home / "work", home / ".cache", home / ".npm"} <= set(found.writable)
    assert home not in found.writable
    assert home / "work" / ".cline" in found.protected


def test_what_the_workspace_lies_in_is_not_protected(tmp_path: Path) -> None:
    state = Path(os.path.realpath(tmp_path))
    (state / "ws").mkdir()
    assert state not in find_places(state / "ws", None, {}, (state,)).protected


def test_the_lines_for_bubblewrap_and_seatbelt_name_every_place(tmp_path: Path) -> None:
    odd = tmp_path / 'a "b" \\c'
    places = Places(odd, (odd, Path("/tmp")), (odd / ".git",))
    words = to_bwrap("bwrap", places, Wanted("auto", has_network=False), confines_writes=True)
    assert "--unshare-net" in words
    assert [words[at + 1] for at, word in enumerate(words) if word == "--bind"] == [str(odd), "/tmp"]
    assert [words[at + 1] for at, word in enumerate(words) if word == "--ro-bind"] == ["/", str(odd / ".git")]
    profile = to_seatbelt(places, has_network=False, confines_writes=True)
    escaped = str(odd).replace("\\", "\\\\").replace('"', '\\"')
    assert f'(subpath "{escaped}")' in profile
    assert profile.index("(allow file-write*") < profile.rindex("(deny file-write*")
    assert "(deny network*)" in profile
    assert "file-write" not in to_seatbelt(places, has_network=True, confines_writes=False)


@pytest.mark.parametrize(
    ("report", "printed", "told"),
    [
        (
            Report("bubblewrap", "", ("write",)),
            "touch: cannot touch 'x': Read-only file system",
            "blocked by the sandbox",
        ),
        (Report("landlock", "", ("write",)), "touch: x: Permission denied", "perhaps blocked by the sandbox"),
        (
            Report("landlock", "", ("write", "network")),
            "curl: (6) Could not resolve host: x",
            "do not reach the network",
        ),
        (Report("landlock", "", ("write",)), "curl: (6) Could not resolve host: x", ""),
        (Report(), "Permission denied", ""),
        (Report("landlock", "", ("write", "network")), "1 failed", ""),
    ],
)
def test_a_refusal_is_explained_to_the_model(report: Report, printed: str, told: str) -> None:
    note = explain(report, printed)
    assert told in note
    assert bool(note) is bool(told)


def test_a_report_is_one_line() -> None:
    assert Report().describe() == "none"
    told = Report("landlock", "Landlock ABI 7", ("write",), ("read",)).describe()
    assert told == "landlock (Landlock ABI 7), confines write; not read"
