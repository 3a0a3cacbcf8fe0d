"""The run's side of the launcher: commands that are started from within a sandbox, and seen from outside of it."""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from cline_cli.machine._descendants import find_tree, read_processes, send_signal

ANSWER_S = 5.0
"""Within which the launcher answers; else something has stopped it, and it is ended."""
SETTLE_S = 1.0
STORM_PROCESSES = 8_000
"""More than there were at first: commands multiply and outrun the launcher, which should have ended that long since."""
_WATCH_S = 0.3
_LAUNCHER = Path(__file__).with_name("launcher.py")
_MAX_BYTES = 1 << 16
Json = Mapping[str, object]
_T = TypeVar("_T")


class LauncherLostError(OSError):
    """The launcher has ended or does not answer: a command may have killed it."""


class ConfinedShell:
    """A command that the launcher started, with the face of a Popen object."""

    def __init__(self, launcher: Launcher, number: int, pid: int) -> None:
        self.pid = pid
        """As this process sees it."""
        self.returncode: int | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._launcher, self._number = launcher, number

    def poll(self) -> int | None:
        return self.returncode

    def end(self, status: int) -> None:
        if self.returncode is None:
            self.returncode = status
        if not self.ended.done():
            self.ended.set_result(None)

    async def settle(self, *, is_outrun: bool) -> None:
        """Wait until it is known how it ended, after it was killed; with `is_outrun` what it started lives on.

        Then, or if nothing is told, all of the sandbox is ended.
        """
        await asyncio.wait({self.ended}, timeout=SETTLE_S)
        if self.returncode is None or is_outrun:
            self._launcher.lose()

    def release(self) -> None:
        """Let its number be used again."""
        self._launcher.release(self._number)


class Launcher:
    """A process within a sandbox that starts commands there. Made by `start_launcher`."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket, *, is_namespace: bool) -> None:
        """Speak to a process; with `is_namespace` all that it starts ends with it, whatever that does."""
        self.is_namespace = is_namespace
        self.pid = 0
        """Of the launcher itself, once it is ready; what is around it, such as bwrap, has others."""
        self._process = process
        self._channel = channel
        self._buffer = b""
        self._files: list[int] = []
        self._waiting: list[asyncio.Future[Json]] = []
        self._shells: dict[int, ConfinedShell] = {}
        self._starts: dict[int, asyncio.Future[tuple[Json, int]]] = {}
        self._count = 0
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._usual = _count_processes()
        self.is_lost = False
        channel.setblocking(False)
        asyncio.get_running_loop().add_reader(channel, self._read)

    @property
    def root(self) -> int:
        """The number of the outermost process."""
        return self._process.pid

    async def wait_until_ready(self) -> None:
        """Raises LauncherLostError."""
        await self._wait_for(self._ready)

    async def ask(self, message: Json) -> Json:
        """Send a message that is answered by one. Raises LauncherLostError."""
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        await self._send(message)
        return await self._wait_for(answer)

    async def start(
        self,
        argv: tuple[str, ...],
        cwd: Path,
        variables: Mapping[str, str],
        files: tuple[int, ...],
        numbers: tuple[int, ...],
    ) -> ConfinedShell:
        """Start a command with these open files as its first three and the numbered ones.

        Raises:
            OSError: it could not be started; LauncherLostError among them.
        """
        self._count += 1
        number = self._count
        started: asyncio.Future[tuple[Json, int]] = asyncio.get_running_loop().create_future()
        self._starts[number] = started
        body: Json = {
            "op": "run",
            "id": number,
            "argv": argv,
            "cwd": str(cwd),
            "env": dict(variables),
            "descriptors": numbers,
        }
        try:
            await self._send(body, (*files, *numbers))
            answer, descriptor = await self._wait_for(started)
        finally:
            del self._starts[number]
        if answer["op"] == "failed":
            code = int(str(answer["errno"]))
            raise OSError(code, os.strerror(code), str(answer["filename"]) or None)
        shell = ConfinedShell(self, number, _pid_of(descriptor))
        os.close(descriptor)
        self._shells[number] = shell
        return shell

    async def guard(self) -> None:
        """Have it kill everything in the sandbox when processes multiply there: from there a signal reaches only those.

        Raises:
            LauncherLostError: it has ended.
        """
        # Among thousands that want the processor it has to get it; what it starts does not take after it.
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setscheduler(self.pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        await self._send({"op": "guard"})

    def release(self, number: int) -> None:
        self._shells.pop(number, None)
        with contextlib.suppress(OSError):
            self._channel.send(_encode({"op": "release", "id": number}))

    def lose(self, *, leaves: bool = False) -> None:
        """End the launcher and all that came from it: it does not answer, or is not needed any more.

        With `leaves` what it started lives on.
        """
        if self.is_lost:
            return
        self.is_lost = True
        if leaves:
            with contextlib.suppress(OSError):
                self._channel.send(_encode({"op": "leave"}))
        with contextlib.suppress(ValueError, RuntimeError):
            asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        if not leaves:
            self.kill()
        for file in self._files:
            os.close(file)
        for shell in self._shells.values():
            shell.end(-9)
        lost = LauncherLostError(0, "the sandbox was ended from within")
        futures: list[asyncio.Future[Any]] = [*self._waiting, *self._starts.values(), self._ready]
        for future in futures:
            _fail(future, lost)

    def kill(self) -> None:
        """Kill it with everything below it, at once."""
        import signal  # lazy: loaded long since, and wanted here only

        # With bubblewrap this is all: its processes end with the first of them.
        processes = read_processes() if not self.is_namespace else {}
        mine = {one.identity for one in processes.values() if one.pid == self.root}
        with contextlib.suppress(OSError):
            os.killpg(self.root, signal.SIGKILL)
        send_signal(find_tree(mine, processes), signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)

    async def _wait_for(self, future: asyncio.Future[_T]) -> _T:
        """Raises LauncherLostError."""
        try:
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError:
            self.lose()
            raise LauncherLostError(0, "the sandbox does not answer") from None

    async def _send(self, message: Json, files: tuple[int, ...] = ()) -> None:
        """Raises LauncherLostError."""
        if self.is_lost:
            raise LauncherLostError(0, "the sandbox was ended from within")
        data = memoryview(_encode(message))
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_S):
                while data:
                    try:
                        sent = self._channel.sendmsg([data], ancillary)
                    except BlockingIOError:
                        await asyncio.sleep(0.005)
                        continue
                    data, ancillary = data[sent:], []
        except (OSError, TimeoutError):
            loop.call_soon(self.lose)
            raise LauncherLostError(0, "the sandbox was ended from within") from None

    def _watch(self) -> None:
        """End the sandbox when processes multiply in it: they outrun every signal but the one to what they are in."""
        if self.is_lost:
            return
        if _count_processes() > self._usual + STORM_PROCESSES:
            self.lose()
        else:
            asyncio.get_running_loop().call_later(_WATCH_S, self._watch)

    def _read(self) -> None:
        try:
            data, ancillary, _, _ = self._channel.recvmsg(_MAX_BYTES, socket.CMSG_SPACE(256), socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found = array.array("i")
                found.frombytes(payload[: len(payload) - len(payload) % found.itemsize])
                self._files.extend(found)
        if not data:
            self.lose()
            return
        self._buffer += data
        while b"\n" in self._buffer:
            line, self._buffer = self._buffer.split(b"\n", 1)
            self._take(json.loads(line))

    def _take(self, message: Json) -> None:
        operation = message["op"]
        if operation == "ready":
            descriptor = self._files.pop(0)
            self.pid = _pid_of(descriptor)
            os.close(descriptor)
            self._ready.set_result(None)
            asyncio.get_running_loop().call_later(_WATCH_S, self._watch)
        elif operation == "exited":
            shell = self._shells.get(int(str(message["id"])))
            if shell:
                shell.end(int(str(message["status"])))
        elif operation in {"started", "failed"}:
            descriptor = self._files.pop(0) if operation == "started" else -1
            started = self._starts.get(int(str(message["id"])))
            if started and not started.done():
                started.set_result((message, descriptor))
            elif descriptor >= 0:  # whoever asked for it was cancelled
                os.close(descriptor)
        elif self._waiting:
            answer = self._waiting.pop(0)
            if not answer.done():
                answer.set_result(message)


async def start_launcher(around: tuple[str, ...], *, is_namespace: bool = False) -> Launcher:
    """Start a launcher within a program such as bwrap, or with nothing around it.

    Raises:
        OSError: it does not start.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        process = subprocess.Popen(
            (*around, sys.executable, "-I", "-S", str(_LAUNCHER), str(its.fileno())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            start_new_session=True,
            pass_fds=(its.fileno(),),
        )
    except BaseException:
        ours.close()
        raise
    finally:
        its.close()
    launcher = Launcher(process, ours, is_namespace=is_namespace)
    try:
        await launcher.wait_until_ready()
    except BaseException:
        launcher.lose()
        raise
    return launcher


def _count_processes() -> int:
    try:
        return sum(name.isdecimal() for name in os.listdir("/proc"))  # noqa: PTH208  # asked again and again
    except OSError:
        return 0


def _fail(future: asyncio.Future[Any], error: LauncherLostError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # looked at, in case nobody waits any more


def _encode(message: Json) -> bytes:
    # Words that are not UTF-8 hold surrogates, which JSON writes as escapes.
    return json.dumps(message).encode() + b"\n"


def _pid_of(pidfd: int) -> int:
    """Return the number by which this process knows another one, whatever its own is within its namespace."""
    info = Path(f"/proc/self/fdinfo/{pidfd}").read_text("ascii")
    match = re.search(r"^Pid:\s*(-?\d+)", info, re.MULTILINE)
    return int(match[1]) if match else -1
