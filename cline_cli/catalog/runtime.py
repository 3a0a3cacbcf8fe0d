"""What runs the embedded models: one package, which has wheels for most platforms and is no part of a plain install."""

from __future__ import annotations

import importlib.util
import platform
import sys
from typing import NamedTuple

REQUIREMENT = "xllamacpp==2026.10.11549"
"""As pip is asked for it; the extra `local` names the same."""
_MODULE = "xllamacpp"
_PLATFORMS = {"Linux x86_64", "Linux aarch64", "Darwin x86_64", "Darwin arm64", "Windows AMD64"}
"""Those with a wheel of that version (read 2026-11); on Linux for glibc only."""


class Host(NamedTuple):
    system: str
    """As platform.system() says it; likewise the machine."""
    machine: str
    libc: str
    """ "glibc", or anything else, on Linux."""
    prefix: str
    """The environment that this command is installed in, which tells by what it was."""


class Problem(NamedTuple):
    message: str
    hint: str


def read_host() -> Host:
    """Return the facts of this machine and installation."""
    return Host(platform.system(), platform.machine(), platform.libc_ver()[0], sys.prefix)


def is_installed() -> bool:
    """Return whether the runtime is there, without loading it."""
    return importlib.util.find_spec(_MODULE) is not None


def describe_missing(host: Host) -> Problem:
    """Return what to tell a person who has no runtime: how to get it, or that there is none for this machine."""
    is_musl = host.system == "Linux" and host.libc != "glibc"
    if is_musl or f"{host.system} {host.machine}" not in _PLATFORMS:
        kind = f"{host.system} on {host.machine}" + (" with another C library than glibc" if is_musl else "")
        return Problem(
            f"the embedded models do not run on {kind}: their runtime is not made for it",
            "Use a provider with a key (cline auth), or a local server behind -P openai-compatible",
        )
    return Problem("the runtime of the embedded models is not installed", f"Run: {_installing_command(host.prefix)}")


def _installing_command(prefix: str) -> str:
    folders = prefix.replace("\\", "/")
    if "/pipx/venvs/" in folders:
        return f"pipx inject cline-cli {REQUIREMENT}"
    if "/uv/tools/" in folders:
        return "uv tool install 'cline-cli[local]'"
    return f"{sys.executable} -m pip install {REQUIREMENT}"
