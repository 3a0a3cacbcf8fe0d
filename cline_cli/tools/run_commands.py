"""`run_commands`: shell commands in the workspace, one after another, each with what it printed and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.machine.files import scratch_file
from cline_cli.machine.process import Command, Completed, LauncherLostError, run_process
from cline_cli.machine.sandbox import explain
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._printed import elide
from cline_cli.tools._progress import Progress
from cline_cli.tools._results import MAX_RESULT_BYTES, Item, one_line, to_output
from cline_cli.tools._workplace import Workplace

DEFAULT_TIMEOUT_S = 120
MAX_TIMEOUT_S = 3600
MAX_COMMANDS = 20
_CALL_BYTES = 3 * MAX_RESULT_BYTES
_LEAST_BYTES = 4_000
"""What each command may show, however much those before it have shown."""
_LONG_COMMAND_BYTES = 100_000
"""Linux refuses a single word of 128 KiB."""
_HEREDOC = re.compile(r"<<-?\s*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)")
_SHELLS = frozenset({"bash", "sh", "zsh"})

SPEC = ToolSpec(
    name="run_commands",
    description=(
        "Run shell commands in the workspace folder, one after another. Each gets a fresh bash: cd and variables do not"
        " carry over. No terminal and no stdin. Background processes (`server &`) live until the run ends."
    ),
    parameters={
        "type": "object",
        "properties": {
            "commands": {"type": "array", "items": {"type": "string"}},
            "timeout": {
                "type": ["integer", "null"],
                "description": f"seconds for each command, default {DEFAULT_TIMEOUT_S}",
            },
        },
        "required": ["commands"],
        "additionalProperties": False,
    },
    effect="changes",
)


class RunCommands:
    spec = SPEC

    def __init__(self, workplace: Workplace) -> None:
        self._folder = workplace.confinement.workspace
        self._variables = workplace.variables
        self._sandbox = workplace.sandbox

    def normalize(self, arguments: JsonObject) -> JsonObject:
        commands, timeout_s = _read(arguments)
        return {"commands": commands, **({"timeout": timeout_s} if timeout_s != DEFAULT_TIMEOUT_S else {})}

    def summary(self, arguments: JsonObject) -> str:
        try:
            commands, _ = _read(arguments)
        except ToolError:
            return "run commands"
        more = f" (+{len(commands) - 1} more)" if len(commands) > 1 else ""
        return f"$ {one_line(commands[0])}{more}"

    def scope(self, arguments: JsonObject) -> Scope:
        return Scope(commands=tuple(_read(arguments)[0]))

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:
        commands, timeout_s = _read(arguments)
        room = _CALL_BYTES
        found: list[Item] = []
        for command in commands:
            item = await self._run_one(command, timeout_s, max(_LEAST_BYTES, min(room, MAX_RESULT_BYTES)), report)
            room -= len(item.result.encode())
            found.append(item)
        return to_output(found)

    async def _run_one(self, command: str, timeout_s: int, max_bytes: int, report: Report) -> Item:
        progress = Progress(report, asyncio.get_running_loop().time)
        try:
            launcher = await self._sandbox.enter()
            with _to_command(command, self._folder, self._variables, timeout_s) as prepared:
                completed = await run_process(replace(prepared, launcher=launcher), progress.add)
        except LauncherLostError as error:
            return Item(command, error=f"it was not run: {error.strerror}")
        except OSError as error:
            where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
            return Item(command, error=f"it could not be started: {error.strerror}{where}")
        except ValueError:
            return Item(command, error="it could not be started: it holds a NUL or a broken character")
        progress.flush()
        item = _describe(command, completed, timeout_s, max_bytes)
        note = explain(self._sandbox.report, item.result) if item.error else ""
        return replace(item, result=f"{item.result.rstrip()}\n[{note}]") if note else item


def build(workplace: Workplace) -> RunCommands:
    return RunCommands(workplace)


def _read(arguments: JsonObject) -> tuple[list[str], int]:
    """Return the commands and the seconds each may take.

    Raises:
        ToolError: it cannot be told what is meant.
    """
    if any(arguments.get(name) not in (None, "", ".") for name in ("cwd", "workdir", "working_directory")):
        raise ToolError("commands run in the workspace folder; to work elsewhere write: cd FOLDER && COMMAND")
    given = inputs.first(arguments, "commands")
    found = [_to_text(item) for item in inputs.items(arguments if given is None else given)]
    commands = _join_heredocs([command for several in found for command in several])
    if not commands or not all(command.strip() for command in commands):
        raise ToolError('run_commands needs {"commands": ["make test"]}, and no empty command')
    if len(commands) > MAX_COMMANDS:
        raise ToolError(f"run_commands takes at most {MAX_COMMANDS} commands a call, not {len(commands)}")
    timeout_s = inputs.number(inputs.first(arguments, "timeout", "timeout_seconds"), "timeout") or DEFAULT_TIMEOUT_S
    if not 1 <= timeout_s <= MAX_TIMEOUT_S:
        raise ToolError(f"timeout is in seconds, 1 to {MAX_TIMEOUT_S}, not {timeout_s}")
    return commands, timeout_s


def _to_text(item: JsonValue) -> list[str]:
    """Return the commands in one item: a string, {"command"}, {"cmd"}, {"command", "args"}."""
    unpacked = inputs.unpack(item)
    if isinstance(unpacked, Mapping) and inputs.first(unpacked, "command", "cmd") is not None:
        item = unpacked
    if not isinstance(item, Mapping):
        return [inputs.text(item, "a command")]
    words = [inputs.text(word, "a command") for word in inputs.items(inputs.first(item, "command", "cmd"))]
    arguments = [inputs.text(word, "an argument") for word in inputs.items(item.get("args"))]
    is_program = len(words) > 1 and Path(words[0]).name in _SHELLS and words[1].startswith("-")
    if is_program:
        return [shlex.join([*words, *arguments])]
    if arguments and len(words) == 1:
        return [f"{words[0]} {shlex.join(arguments)}"]
    return words


def _join_heredocs(commands: list[str]) -> list[str]:
    """Put a here-document together again whose lines were given as commands of their own."""
    joined: list[str] = []
    waiting = list(commands)
    while waiting:
        command = waiting.pop(0)
        opened = _HEREDOC.search(command)
        if opened and opened["end"] in waiting and opened["end"] not in command.splitlines():
            length = waiting.index(opened["end"]) + 1
            command = "\n".join([command, *waiting[:length]])
            del waiting[:length]
        joined.append(command)
    return joined


@contextlib.contextmanager
def _to_command(text: str, folder: Path, variables: Mapping[str, str], timeout_s: int) -> Iterator[Command]:
    """Raises OSError, ValueError."""
    shell = next((path for path in ("/bin/bash", "/usr/bin/bash") if os.access(path, os.X_OK)), "/bin/sh")
    if len(text.encode()) <= _LONG_COMMAND_BYTES:
        yield Command((shell, "-c", text), folder, variables, timeout_s)
        return
    with scratch_file(text.encode()) as script:
        argv = (shell, f"/dev/fd/{script}")
        yield Command(argv, folder, variables, timeout_s, descriptors=(script,))


def _describe(command: str, completed: Completed, timeout_s: int, max_bytes: int) -> Item:
    result = elide(completed.head, completed.omitted_bytes, completed.tail, max_bytes)
    if completed.is_output_held:
        result = f"{result.rstrip()}\n[what it started in the background is still running]".lstrip()
    seconds = f"{completed.duration_s:.1f} s" if completed.duration_s < 10 else f"{completed.duration_s:.0f} s"
    if completed.is_timed_out:
        error, display = f"timed out after {timeout_s} s and was ended; the result is what it printed", "timed out"
    elif completed.signal_name:
        error, display = f"ended by {completed.signal_name}", completed.signal_name
    else:
        code = completed.exit_code or 0
        error, display = f"exit code {code}{_signal_of(code)}" if code else "", f"exit {code}"
    return Item(command, result or "(no output)", error, f"{display}, {seconds}")


def _signal_of(code: int) -> str:
    """Shells report a child that a signal ended as 128 and its number."""
    try:
        return f" ({signal.Signals(code - 128).name})" if code > 128 else ""
    except ValueError:
        return ""
