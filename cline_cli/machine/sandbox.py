"""What confines the commands of a run: what was asked for, and what is true of it. How it is done: sandbox_levels."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from cline_cli.machine._confined import Launcher, LauncherLostError

Mode = Literal["auto", "require", "off"]
Level = Literal["bubblewrap", "landlock", "seatbelt", "none"]
Protection = Literal["write", "protected", "signal", "network"]


class Wanted(NamedTuple):
    """What a run asks for."""

    mode: Mode = "auto"
    has_network: bool = True
    leaves: bool = False
    """What commands leave running lives on when it is closed."""

    @property
    def is_strict(self) -> bool:
        """Whether the run must not start without it: also where the network alone was asked to be off."""
        return self.mode == "require" or not self.has_network


class Places(NamedTuple):
    workspace: Path
    """A real path."""
    writable: tuple[Path, ...]
    """Real paths, the workspace among them."""
    protected: tuple[Path, ...] = ()
    """What is in one of those and must stay as it is."""
    outside: Path | None = None
    """A folder that this process may write to and commands must not; None where there is none."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is true of the sandbox of a run."""

    level: Level = "none"
    detail: str = ""
    """"bwrap" or "Landlock ABI 7"; with level none, why."""
    enforced: tuple[str, ...] = ()
    not_enforced: tuple[str, ...] = ("write", "network", "signal", "read")

    def describe(self) -> str:
        """Return it in one line."""
        if self.level == "none":
            return f"none ({self.detail})" if self.detail else "none"
        kept = f"confines {', '.join(self.enforced)}" if self.enforced else "confines nothing"
        return f"{self.level} ({self.detail}), {kept}; not {', '.join(self.not_enforced)}"


@dataclass(slots=True)
class Sandbox:
    """That of a run; commands may end it from within, and then it is opened again."""

    report: Report
    launcher: Launcher | None = None
    """Where commands are started; None without a sandbox."""
    open_again: Callable[[], Awaitable[Sandbox]] | None = None

    async def enter(self) -> Launcher | None:
        """Return where to start commands; None where they are not confined.

        Raises:
            LauncherLostError: the sandbox was ended, and cannot be opened again as it was.
        """
        if self.launcher is None or not self.launcher.is_lost or self.open_again is None:
            return self.launcher
        try:
            again = await self.open_again()
        except OSError as error:
            raise LauncherLostError(0, f"the sandbox was ended and does not open again: {error}") from error
        if again.report != self.report and again.launcher:
            again.launcher.lose()
            raise LauncherLostError(0, "the sandbox was ended, and would be another if it were opened again")
        self.launcher = again.launcher
        return self.launcher

    def close(self, *, leaves: bool = False) -> None:
        """End it and, unless it leaves them, all processes in it. May be called twice."""
        if self.launcher:
            self.launcher.lose(leaves=leaves)


class UnmetError(Exception):
    """What was asked for is not to be had here; the message says what is missing."""


_WRITE_REFUSED = r"Read-only file system|Permission denied|Operation not permitted|EROFS|EACCES|EPERM"
_NETWORK_REFUSED = (
    r"Network is unreachable|name resolution|Could not resolve host|Name or service not known|Operation not permitted"
    r"|Connection refused|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|getaddrinfo"
)


def explain(report: Report, printed: str) -> str:
    """Return what to tell a model of a failed command that the sandbox may have refused something; mostly nothing."""
    notes = []
    if "write" in report.enforced and re.search(_WRITE_REFUSED, printed):
        certainly = "Read-only file system" in printed and report.level == "bubblewrap"
        notes.append(
            f"{'blocked by' if certainly else 'perhaps blocked by'} the sandbox: commands may write in the workspace,"
            " temporary folders and caches only"
        )
    if "network" in report.enforced and re.search(_NETWORK_REFUSED, printed):
        notes.append("perhaps blocked by the sandbox: commands do not reach the network")
    return "; ".join(notes)
