"""What is installed: this program, its Python, the packages it needs, every `cline` on PATH, git and ripgrep."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from cline_cli import __version__
from cline_cli.commands._doctor_report import Check, Status
from cline_cli.machine.process import Command, end_leftovers, run_process

DISTRIBUTION = "cline-cli"
COMMAND = "cline"
ESSENTIAL = frozenset({"httpx"})
"""Without it no provider is reached; what else is needed to start has been imported by now."""
HEAD_BYTES = 4096
"""So much of a file tells what kind of program it is."""
ASK_S = 2.0
MAX_ANSWER_BYTES = 4096


class Program(NamedTuple):
    """One command of our name."""

    path: str
    """As PATH leads to it."""
    is_ours: bool
    """It starts this very installation."""
    kind: str
    """For people."""


class Answer(NamedTuple):
    path: str
    """Empty where there is no such program."""
    line: str
    """The first line it printed, or why there is none."""
    is_version: bool = False


AskProgram = Callable[[str], Awaitable[Answer]]


def read_distribution() -> importlib.metadata.Distribution | None:
    """Return what the installer wrote down of this program; None where it runs without having been installed."""
    try:
        return importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_program(distribution: importlib.metadata.Distribution | None) -> Iterator[Check]:
    """Say which version runs, on which Python."""
    if distribution is None:
        yield Check("version", "note", f"{__version__}, not installed: it runs from its sources")
    elif distribution.version != __version__:
        text = f"{__version__}, but {distribution.version} is what was installed"
        yield Check("version", "note", text, "Install it again, so that its packages fit")
    else:
        yield Check("version", "ok", f"{__version__}{_describe_installer(distribution)}")
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable or 'its path is not known'}")


def _describe_installer(distribution: importlib.metadata.Distribution) -> str:
    folders = sys.prefix.replace("\\", "/")
    if "/pipx/venvs/" in folders:
        installer = "pipx"
    elif "/uv/tools/" in folders:
        installer = "uv tool"
    else:
        installer = (distribution.read_text("INSTALLER") or "").strip()
    by = f", installed with {installer}" if installer else ""
    with contextlib.suppress(ValueError):  # a file of the installer's, and no part of this program
        match json.loads(distribution.read_text("direct_url.json") or "{}"):
            case {"url": str(url), "dir_info": {"editable": True}}:
                return f"{by} from the sources in {unquote(urlsplit(url).path)}"
    return by


def check_packages(
    requirements: list[str], read_version: Callable[[str], str | None], *, is_verbose: bool
) -> Iterator[Check]:
    """Compare the packages that are there with what was declared: `httpx<0.29,>=0.28`; of an extra, what is there.

    What only developers need, in the extra `dev`, is not looked at.
    """
    count = 0
    for requirement in requirements:
        declared, _, marker = requirement.partition(";")
        match = re.match(r"\s*([A-Za-z0-9._-]+)(.*)", declared)
        if match is None or re.search(r"""extra\s*==\s*['"]dev['"]""", marker):
            continue
        name, ranges = match[1], match[2].strip(" ()")
        version = read_version(name)
        if version is None:
            if "extra" not in marker:
                status: Status = "fatal" if name in ESSENTIAL else "bad"
                yield Check(name, status, f"{name} is not installed", _reinstall(f"{name}{ranges}"))
            continue
        count += 1
        if not is_in_range(version, ranges):
            yield Check(name, "bad", f"{name} {version} is outside of {ranges}", _reinstall(f"{name}{ranges}"))
        elif is_verbose:
            yield Check(name, "ok", f"{version} ({ranges})")
    if not is_verbose:
        yield Check("packages", "ok", f"{count} are there; -v lists them")


def read_version(name: str) -> str | None:
    """Return the version of a package, or None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def is_in_range(version: str, ranges: str) -> bool:
    """Return whether a version satisfies `>=1.2,<2`; what cannot be read is taken to be satisfied."""
    found = _release(version)
    for each in filter(None, re.split(r"\s*,\s*", ranges)):
        match = re.fullmatch(r"(>=|<=|==|!=|>|<)\s*([0-9.]+)", each)
        if match is None:
            continue
        wanted = _release(match[2])
        order = (found > wanted) - (found < wanted)
        if order not in {">=": (0, 1), "<=": (-1, 0), "==": (0,), "!=": (-1, 1), ">": (1,), "<": (-1,)}[match[1]]:
            return False
    return True


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without zeros at its end: those of 1.2.0rc1 are (1, 2)."""
    match = re.match(r"\d{1,18}(\.\d{1,18})*", version)
    numbers = [int(number) for number in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _reinstall(requirement: str) -> str:
    return f"Install {DISTRIBUTION} again, or run: {sys.executable} -m pip install '{requirement}'"


def find_programs(path: str, cwd: Path | None, executable: str) -> tuple[Program, ...]:
    """Return every command of our name on PATH, in its order, each once. Starts none of them.

    `executable` is the Python that runs now: a script that starts it is this installation's.
    """
    found: dict[str, Program] = {}
    for entry in path.split(os.pathsep) if path else ():
        folder = Path(entry) if entry else Path()
        if not folder.is_absolute():
            if cwd is None:
                continue
            folder = cwd / folder
        candidate = folder / COMMAND
        if not os.path.isfile(candidate) or not os.access(candidate, os.X_OK):
            continue
        real = os.path.realpath(candidate)
        if real not in found:
            found[real] = _identify(str(candidate), real, executable)
    return tuple(found.values())


def _identify(path: str, real: str, executable: str) -> Program:
    try:
        head = _read_head(real)
    except OSError:
        return Program(path, False, "a program that cannot be read")
    text = head.decode("latin-1")
    if "cline_cli" in text:
        python = re.search(r"(/[^\s'\"]*)/(?:python|pypy)", text)
        folder = python[1] if python else ""
        # The folder, not the file behind it: environments share one interpreter through links.
        is_ours = os.path.realpath(folder) == os.path.realpath(os.path.dirname(executable))  # noqa: PTH120
        return Program(path, is_ours, "this one" if is_ours else f"another installation of this program, in {folder}")
    if re.search(r"^#!.*\b(node|bun|deno)\b", text) or "/node_modules/" in real:
        return Program(path, False, "a Node.js program, most likely the original command")
    if text.startswith("#!"):
        interpreter = text[2:].partition("\n")[0].strip()
        return Program(path, False, f"a script for {interpreter}")
    is_binary = head.startswith((b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"))
    return Program(path, False, "a compiled program" if is_binary else "another program")


def _read_head(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def check_path(programs: tuple[Program, ...], script: str | None) -> Iterator[Check]:
    """Say what a shell starts that is told `cline`; `script` is this installation's, or None where it has none."""
    if not programs:
        remedy = f"Add {os.path.dirname(script)} to PATH" if script else ""  # noqa: PTH120
        yield Check("PATH", "note", "no folder of PATH has a cline", remedy)
        return
    first, *others = programs
    if first.is_ours:
        yield Check("PATH", "ok", first.path)
    else:
        remedy = f"Put the folder of {script} before it in PATH, or remove it" if script else "Remove it, or leave it"
        yield Check("PATH", "bad", f"a shell starts {first.path}, which is {first.kind}", remedy)
    for other in others:
        status: Status = "ok" if other.is_ours else "note"
        yield Check("PATH", status, f"after it comes {other.path}, {other.kind}")


def find_script(executable: str) -> str | None:
    """Return the command beside a Python, where the installer put it."""
    path = os.path.join(os.path.dirname(executable), COMMAND)  # noqa: PTH118, PTH120
    return path if os.path.isfile(path) else None


def program_asker(variables: Mapping[str, str], timeout_s: float = ASK_S) -> AskProgram:
    """Return what asks a program for its version; one in a relative folder of PATH is not started."""
    folders = [entry for entry in variables.get("PATH", "").split(os.pathsep) if os.path.isabs(entry)]  # noqa: PTH117

    async def ask(name: str) -> Answer:
        path = shutil.which(name, path=os.pathsep.join(folders)) if folders else None
        if path is None:
            return Answer("", "not found")
        argv = (path, "--version")
        limits = (timeout_s, MAX_ANSWER_BYTES)
        command = Command(argv, Path("/"), variables, *limits, stops_when_full=True, drops_errors=True)
        try:
            done = await run_process(command)
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else ""
            return Answer(path, f"does not start: {cause or error}")
        line = done.head.decode("utf-8", "replace").strip().partition("\n")[0]
        if done.is_timed_out:
            return Answer(path, f"did not answer within {timeout_s:g} s")
        if done.exit_code or not line:
            return Answer(path, f"does not tell its version (exit code {done.exit_code})")
        return Answer(path, line, is_version=True)

    return ask


async def check_tools(ask: AskProgram) -> tuple[Check, ...]:
    """Say which git and which ripgrep there are."""
    try:
        git, ripgrep = await asyncio.gather(ask("git"), ask("rg"))
    finally:
        await end_leftovers()
    return (
        _check_tool("git", git, "A model that works on a repository runs it"),
        _check_tool("ripgrep", ripgrep, "Searching works without it, only slower"),
    )


def _check_tool(name: str, answer: Answer, remedy: str) -> Check:
    if answer.is_version:
        version = re.sub(rf"^{name}( version)?\s+", "", answer.line)
        return Check(name, "ok", f"{version}, {answer.path}")
    return Check(name, "note", f"{answer.path} {answer.line}".strip(), remedy)
