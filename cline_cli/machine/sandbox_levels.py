"""The sandboxes there are, from the strongest that works here to none, and where commands may write in them.

    bubblewrap   a view of the disk of its own, and its own processes      Linux, where the program bwrap works
    landlock     Landlock for writes and signals, seccomp for the network  Linux 5.13, with signals 6.12
    seatbelt     sandbox-exec                                              macOS
    none

Nothing is believed: a launcher is started within it and tries what commands must not be able to do, and what it was
prevented from is what is told. Reading is not confined, nor are sockets of this machine's programs, such as docker's.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from cline_cli.machine._confined import Launcher, start_launcher
from cline_cli.machine.sandbox import Level, Places, Report, Sandbox, UnmetError, Wanted

LEVELS: Final[tuple[Level, ...]] = ("bubblewrap", "landlock", "seatbelt")
DEVICES: Final = tuple(
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd")
)
CACHES: Final = (
    *(".cache", ".npm", ".yarn", ".pnpm-store", ".cargo/registry", ".cargo/git", ".gradle", ".m2", ".ivy2", "go/pkg"),
    *(".nuget/packages", ".gem", ".bundle/cache", ".composer/cache", ".pub-cache", ".bun/install/cache"),
    *(".local/share/pnpm/store", ".terraform.d/plugin-cache", "Library/Caches"),
)
"""Below the home folder, those that are there: what build tools and package managers keep between runs. Folders with
programs for the shell to find are not among them."""
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")


def find_places(
    workspace: Path, home: Path | None, variables: Mapping[str, str], protected: tuple[Path, ...] = ()
) -> Places:
    """Return where commands may write, of what is there: the workspace, folders for temporary files, and caches."""
    named = [Path(variables[name]) for name in ("TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR") if variables.get(name)]
    candidates = [workspace, Path("/tmp"), Path("/var/tmp"), *named]  # noqa: S108  # commands expect it
    candidates += [home / cache for cache in CACHES] if home else []
    real = [Path(os.path.realpath(path)) for path in candidates if path.is_absolute()]
    # A cache of "/" or of the home folder itself would be no confinement.
    too_wide = {Path("/"), *((Path(os.path.realpath(home)),) if home else ())} - {workspace}
    writable = tuple(dict.fromkeys(path for path in real if path.is_dir() and path not in too_wide))
    kept = (*(workspace / name for name in (".git/hooks", ".git/config", ".cline", ".clinerules/hooks")), *protected)
    # What the workspace lies in cannot be protected without it.
    existing = [place for path in kept if (place := Path(os.path.realpath(path))).exists()]
    existing = [place for place in existing if not workspace.is_relative_to(place)]
    inside = tuple(dict.fromkeys(place for place in existing if any(map(place.is_relative_to, writable))))
    outside = (*((home,) if home else ()), Path("/"), Path("/var"), Path("/opt"), Path("/etc"))
    free = (Path(os.path.realpath(path)) for path in outside)
    probe = next(
        (path for path in free if os.access(path, os.W_OK | os.X_OK) and not any(map(path.is_relative_to, writable))),
        None,
    )
    return Places(workspace, writable, inside, probe)


def why_unconfined(variables: Mapping[str, str], marks: tuple[str, ...] = _CONTAINER_MARKS) -> str:
    """Return why writes are not confined by themselves here, where jobs install packages; empty where they are."""
    if variables.get("CI"):
        return "CI is set, where jobs install what they need"
    if variables.get("container") or variables.get("KUBERNETES_SERVICE_HOST"):
        return "this is a container"
    return "this is a container" if any(os.path.exists(mark) for mark in marks) else ""


async def open_sandbox(
    wanted: Wanted, places: Places, variables: Mapping[str, str], levels: tuple[Level, ...] = LEVELS
) -> Sandbox:
    """Start the strongest sandbox that does what is wanted.

    Raises:
        UnmetError: there is none, and the run must not start without.
    """
    if wanted.mode == "off":
        return Sandbox(Report(detail="it is off"))
    confines_writes = True
    why = why_unconfined(variables) if wanted.mode == "auto" else ""
    if why:
        confines_writes = False
        if wanted.has_network:
            return await _guard_run(wanted, places, variables, why)
    tried: list[str] = []
    for level in levels:
        try:
            sandbox = await _try_level(level, wanted, places, variables, confines_writes=confines_writes)
        except OSError as error:
            tried.append(f"{level}: {error.strerror or error}")
            continue
        missing = _find_missing(sandbox.report, wanted, confines_writes=confines_writes)
        if not missing:

            async def open_again(chosen: Level = level, *, confines_writes: bool = confines_writes) -> Sandbox:
                return await _try_level(chosen, wanted, places, variables, confines_writes=confines_writes)

            sandbox.open_again = open_again
            return sandbox
        assert sandbox.launcher, "a level has one"
        sandbox.launcher.lose()
        tried.append(f"{level}: {', '.join(missing)} would not be confined")
    told = "; ".join(tried) or "nothing is known that works here"
    if wanted.is_strict:
        raise UnmetError(told)
    return Sandbox(Report(detail=told))


async def _guard_run(wanted: Wanted, places: Places, variables: Mapping[str, str], why: str) -> Sandbox:
    """Keep commands from killing the run, where they may write everywhere.

    For root only: what is confined gets no other user's rights any more, so that sudo would not work.
    """
    nothing = Sandbox(Report(detail=f"writes are not confined: {why}"))
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        return nothing

    async def open_it() -> Sandbox:
        sandbox = await _try_level("landlock", wanted, places, variables, confines_writes=False)
        sandbox.report = replace(sandbox.report, detail=f"{sandbox.report.detail}; writes are not confined: {why}")
        return sandbox

    try:
        sandbox = await open_it()
    except OSError:
        return nothing
    sandbox.open_again = open_it
    return sandbox


def _find_missing(report: Report, wanted: Wanted, *, confines_writes: bool) -> list[str]:
    needed = (["write"] if confines_writes else []) + ([] if wanted.has_network else ["network"])
    return [name for name in needed if name not in report.enforced]


async def _try_level(
    level: Level, wanted: Wanted, places: Places, variables: Mapping[str, str], *, confines_writes: bool
) -> Sandbox:
    """Raises OSError: it does not work here."""
    around: tuple[str, ...] = ()
    if level == "bubblewrap":
        program = _find_program("bwrap", variables)
        around = to_bwrap(program, places, wanted, confines_writes=confines_writes)
    elif level == "seatbelt":
        program = _find_program("sandbox-exec", variables)
        around = (program, "-p", to_seatbelt(places, has_network=wanted.has_network, confines_writes=confines_writes))
    elif not sys.platform.startswith("linux"):
        raise OSError(0, "it is of Linux")
    launcher = await start_launcher(around, is_namespace=level == "bubblewrap")
    try:
        detail = "bwrap" if level == "bubblewrap" else "sandbox-exec"
        if level == "landlock":
            written = [*map(str, places.writable), *DEVICES] if confines_writes else None
            confined = await launcher.ask(
                {"op": "confine", "write": written, "network": wanted.has_network, "scope": True}
            )
            if confined["error"]:
                raise OSError(0, str(confined["error"]))
            detail = f"Landlock ABI {confined['abi']}"
        report = await _probe(launcher, level, detail, places, wanted, confines_writes=confines_writes)
        if "signal" in report.enforced:
            await launcher.guard()
    except BaseException:
        launcher.lose()
        raise
    return Sandbox(report, launcher)


async def _probe(
    launcher: Launcher, level: Level, detail: str, places: Places, wanted: Wanted, *, confines_writes: bool
) -> Report:
    """Let the launcher try, and return what it was prevented from. Raises LauncherLostError."""
    protected = next((path for path in places.protected if path.is_dir()), None)
    with _listening(is_wanted=not wanted.has_network) as port:
        found = await launcher.ask(
            {
                "op": "probe",
                "outside": str(places.outside) if places.outside and confines_writes else "",
                "protected": str(protected) if protected and confines_writes else "",
                "pid": os.getpid(),
                "port": port,
            }
        )
    names = {"write": "outside", "protected": "protected", "signal": "signal", "network": "network"}
    enforced = [name for name, tried in names.items() if found.get(tried)]
    # Where there is nowhere else that we could write, commands of ours cannot either.
    if confines_writes and places.outside is None:
        enforced.insert(0, "write")
    if level == "bubblewrap" and places.protected and not protected and confines_writes:
        enforced.append("protected")
    missing = [name for name in names if name not in enforced and (name != "protected" or places.protected)]
    return Report(level, detail, tuple(enforced), (*missing, "read", "unix sockets"))


@contextmanager
def _listening(*, is_wanted: bool) -> Iterator[int]:
    """Hold a port of this machine open that a probe may try to reach; 0 where none is wanted."""
    if not is_wanted:
        yield 0
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def to_bwrap(program: str, places: Places, wanted: Wanted, *, confines_writes: bool) -> tuple[str, ...]:
    """Return the beginning of a command line that bubblewrap confines."""
    words = [program, "--unshare-pid", *(() if wanted.leaves else ("--die-with-parent",))]
    words += () if wanted.has_network else ("--unshare-net",)
    if not confines_writes:
        words += ["--bind", "/", "/", *(("--cap-add", "ALL") if os.geteuid() == 0 else ())]
    else:
        words += ["--ro-bind", "/", "/"]
        for path in places.writable:
            words += ["--bind", str(path), str(path)]
        for path in places.protected:
            words += ["--ro-bind", str(path), str(path)]
    return (*words, "--dev-bind", "/dev", "/dev", "--proc", "/proc", "--")


def to_seatbelt(places: Places, *, has_network: bool, confines_writes: bool) -> str:
    """Return the profile for sandbox-exec."""

    def quote(path: object) -> str:
        escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    lines = ["(version 1)", "(allow default)", "(deny signal)", "(allow signal (target same-sandbox))"]
    if confines_writes:
        allowed = " ".join(f"(subpath {quote(path)})" for path in (*places.writable, "/dev"))
        lines += ["(deny file-write*)", f"(allow file-write* {allowed})"]
        lines += [f"(deny file-write* (subpath {quote(path)}))" for path in places.protected]
    if not has_network:
        lines += ["(deny network*)", "(allow network* (local unix-socket))", "(allow network* (remote unix-socket))"]
    return "\n".join(lines)


def _find_program(name: str, variables: Mapping[str, str]) -> str:
    """Raises OSError: there is no such program on PATH."""
    found = shutil.which(name, path=variables.get("PATH"))
    if found is None:
        raise OSError(0, f"there is no program {name}")
    return os.path.realpath(found)
