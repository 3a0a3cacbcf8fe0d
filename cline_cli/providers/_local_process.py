"""The parent's side of the embedded model's child process: start it, send requests, read events, end it.

`_local_child.py` holds the protocol. There is one child a run, and one request at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.errors import ContextWindowError, ProviderError

_MAX_LINE_BYTES = 4 * 1024 * 1024
_MAX_COMPLAINT_CHARACTERS = 4000
_END_S = 0.5
"""How long a killed child may take to be gone."""
_PASSED_ON = {
    "PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME",
    "PYTHONUSERBASE", "CUDA_VISIBLE_DEVICES",
}  # fmt: skip
"""Variables the child gets: what an interpreter needs to start, and nothing that may hold a key."""


def choose_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the child."""
    return {name: value for name, value in variables.items() if name in _PASSED_ON}


class Child:
    """A started child process. Not for use from several tasks at once."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, memory_bytes: int) -> None:
        self.folder = folder
        """Ours alone; what the child saves and restores lies in it."""
        self.version = ""
        """Of the runtime, once it is ready."""
        self._process = process
        self._memory_bytes = memory_bytes
        self._number = 0
        self._running: int | None = None
        self._complaints = ""
        self._listener = asyncio.create_task(self._listen())

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def wait_ready(self) -> None:
        """Return when the model is loaded.

        Raises:
            ProviderError: the child ended instead, or talks nonsense.
        """
        while not self.version:
            event = await self._read()
            if event.get("event") == "ready":
                self.version = str(event.get("version") or "unknown")

    async def request(self, request: JsonObject) -> AsyncGenerator[JsonObject, None]:
        """Send a request and yield its events; the last has an "end". Closed early, it stops the child's work.

        Raises:
            ContextWindowError: the prompt is longer than the context.
            ProviderError: the child refused, ended, or talks nonsense.
        """
        self._number = number = self._number + 1
        await self.send({"id": number, **request})
        self._running = number
        try:
            while self._running == number:
                event = await self._read()
                if event.get("id") != number:
                    continue  # what was cancelled earlier still speaks
                if "error" in event:
                    self._running = None
                    raise _refusal(event)
                if "end" in event:
                    self._running = None
                yield event
        finally:
            if self._running == number:
                self._running = None
                with contextlib.suppress(ProviderError):
                    self._write({"cancel": number})

    async def close(self) -> None:
        """Kill the child, and remove its folder."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        if self._process.stdin:
            self._process.stdin.close()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def send(self, message: JsonObject) -> None:
        """Send a line.

        Raises:
            ProviderError: the child has ended.
        """
        self._write(message)
        assert self._process.stdin is not None, "it was started with a pipe"
        try:
            await self._process.stdin.drain()
        except OSError:
            raise await self._explain_end() from None

    def _write(self, message: JsonObject) -> None:
        assert self._process.stdin is not None, "it was started with a pipe"
        if self._process.stdin.is_closing():
            raise ProviderError("the local model has ended")
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> JsonObject:
        assert self._process.stdout is not None, "it was started with a pipe"
        try:
            line = await self._process.stdout.readline()
            if not line.endswith(b"\n"):
                raise await self._explain_end()
            event = json.loads(line)
        except ValueError as error:  # a line without end, or no JSON
            raise ProviderError("the process of the local model talks nonsense", "Try again") from error
        if not isinstance(event, dict):
            raise ProviderError("the process of the local model talks nonsense", "Try again")
        return event

    async def _listen(self) -> None:
        """Keep the end of what the native library complains about."""
        assert self._process.stderr is not None, "it was started with a pipe"
        while data := await self._process.stderr.read(65536):
            self._complaints = (self._complaints + data.decode("utf-8", "replace"))[-_MAX_COMPLAINT_CHARACTERS:]

    async def _explain_end(self) -> ProviderError:
        """Return what to tell a person about a child that ended by itself."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._process.wait()
                await asyncio.shield(self._listener)
        code = self._process.returncode
        if code == -signal.SIGKILL:
            needed = f"it needs {self._memory_bytes / 1e9:.1f} GB"
            return ProviderError(
                f"the local model was killed, probably for lack of memory: {needed}",
                "Close other programs, or take the smaller one: -m qwen2.5-coder-0.5b",
            )
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            return ProviderError(f"the local model crashed ({name}){_last_line(self._complaints)}", "Try again")
        return ProviderError(f"the local model ended (exit code {code}){_last_line(self._complaints)}", "Try again")


async def start_child(
    argv: Sequence[str], settings: Mapping[str, JsonValue], variables: Mapping[str, str], memory_bytes: int
) -> Child:
    """Start the child and hand it its settings; it loads the model while the caller goes on.

    Raises:
        ProviderError: it cannot be started.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="cline-"))
    except OSError as error:
        raise ProviderError(f"no temporary folder for the local model: {error.strerror}", "Set TMPDIR") from error
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=choose_variables(variables),
            cwd=folder,
            start_new_session=True,
            limit=_MAX_LINE_BYTES,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ProviderError(f"the local model cannot be started: {error.strerror}", "Try again") from error
    child = Child(process, folder, memory_bytes)
    try:
        await child.send({**settings, "folder": str(folder)})  # the first line is the settings
    except BaseException:
        await child.close()
        raise
    return child


def _refusal(event: JsonObject) -> ProviderError:
    text = str(event["error"])
    if event.get("kind") == "too_long":
        return ContextWindowError(
            f"the prompt is too long for the local model: {text}", "Send less, or use a provider with a larger model"
        )
    return ProviderError(f"the local model refused the request: {text}", "Try again")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:300]}" if lines else ""
