"""Installs the weights of a model: one source after another, until the digest of the whole is right; removes them.

FILE.partial ──grows by whichever source──> all bytes ──right digest──> FILE
     ^                                          └──wrong digest──> nothing, and once more from the beginning
     └── kept when a source fails, and by an interruption: the next one goes on from there
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cline_cli.catalog._weights_partial import Partial
from cline_cli.catalog._weights_sources import FetchPart, FileSource, PartsSource, ServerSource, Source, SourceError
from cline_cli.catalog.weights import Weights, fetched_bytes, find_whole, lock_path, partial_path, parts_folder, size_of
from cline_cli.errors import ClineError, ProviderError, UnreachableError
from cline_cli.network.http import Network

__all__ = ["FetchPart", "Means", "Report", "SourceError", "hold_lock", "install", "remove"]

_LOCK_POLL_S = 0.2


class Report(Protocol):
    """Whoever shows how far it is."""

    def begin(self, done_bytes: int) -> None:
        """A source begins to give what follows so many bytes."""

    def move(self, done_bytes: int) -> None:
        """So many bytes are there."""

    async def tell(self, sentence: str) -> None:
        """Say something in between, without a full stop."""


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class Means:
    """What an installation works with."""

    network: Network
    fetch_part: FetchPart
    report: Report
    free_bytes: Callable[[Path], int] = _free_bytes


async def install(weights: Weights, folder: Path, origin: str | None, means: Means) -> Path:
    """Fetch a model into a folder, unless it is there, and return its file; `origin` is the only file or URL to try.

    Cancelling it keeps what was fetched so far, for the next time.

    Raises:
        ClineError: no source gave the right bytes, there is no space, or the folder cannot be written.
    """
    _make(folder)
    async with hold_lock(folder, weights, means.report):
        if whole := find_whole(folder, weights):
            return whole
        await means.report.tell(_announce(weights, folder))
        failures: list[ClineError] = []
        for source in _sources(weights, folder, origin, means):
            if failures:
                await means.report.tell(f"{failures[-1].message}; trying {source.place}")
            try:
                return await _install_from(source, weights, folder, means)
            except (SourceError, ProviderError) as error:
                failures.append(error)
        raise _failed(weights, failures)


def remove(folder: Path, weights: Weights) -> int:
    """Remove a model's file and what an interrupted installation left; return how many bytes that frees.

    Raises:
        OSError: it cannot be removed.
    """
    freed = 0
    for path in (folder / weights.file, partial_path(folder, weights)):
        size = size_of(path)
        if size is not None:
            path.unlink()
            freed += size
    shutil.rmtree(parts_folder(folder, weights), ignore_errors=True)
    return freed


@contextlib.asynccontextmanager
async def hold_lock(folder: Path, weights: Weights, report: Report) -> AsyncGenerator[None, None]:
    """Wait until nobody else installs or removes that model, and hold the lock.

    Raises:
        ClineError: the folder cannot be written.
    """
    path = lock_path(folder, weights)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _cannot_make(folder, error) from None
    try:
        is_told = False
        while not _try_lock(descriptor):  # a wait in flock itself could not be interrupted
            if not is_told:
                await report.tell(f"another cline is installing {weights.name}; waiting for it")
                is_told = True
            await asyncio.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: two may spoil each other's file, and the digest tells
        return True
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_make(folder, error) from None


def _cannot_make(folder: Path, error: OSError) -> ClineError:
    cause = (error.strerror or str(error)).lower()
    return ClineError(f"cannot write to {folder}: {cause}", "Name another folder in $CLINE_MODELS_DIR")


def _sources(weights: Weights, folder: Path, origin: str | None, means: Means) -> Iterator[Source]:
    if origin is None:
        yield ServerSource(weights.url, weights, means.network)
        yield PartsSource(weights, parts_folder(folder, weights), means.fetch_part, means.report.move)
    elif "://" in origin:
        yield ServerSource(origin, weights, means.network)
    else:
        yield FileSource(Path(origin), weights)


async def _install_from(source: Source, weights: Weights, folder: Path, means: Means) -> Path:
    """Go on with what is there; if that and this source do not fit together, begin again."""
    target = folder / weights.file
    for is_last in (False, True):
        with Partial(partial_path(folder, weights), weights.size_bytes) as partial:
            await partial.catch_up()
            begun_bytes = partial.size_bytes
            if begun_bytes < weights.size_bytes:
                _check_space(source, weights, begun_bytes, folder, means.free_bytes)
                await _fill(partial, source, weights, means)
            if partial.hex_digest() == weights.sha256:
                partial.finish(target)
                return target
            partial.drop()
        if is_last or begun_bytes == 0:
            break
        await means.report.tell("what was fetched earlier does not fit; fetching everything again")
    raise SourceError(f"what {source.place} gives has the wrong sha256: not kept")


async def _fill(partial: Partial, source: Source, weights: Weights, means: Means) -> None:
    """Append what the source gives until the file has its size."""
    begun_bytes = partial.size_bytes
    means.report.begin(begun_bytes)
    async with aclosing(source.read(begun_bytes)) as chunks:
        async for chunk in chunks:
            if partial.size_bytes + len(chunk) > weights.size_bytes:
                partial.cut(begun_bytes)
                raise SourceError(f"{source.place} gives more than {weights.size_bytes} bytes")
            partial.append(chunk)
            means.report.move(partial.size_bytes)
    if partial.size_bytes < weights.size_bytes:
        given = partial.size_bytes
        partial.cut(begun_bytes)
        raise SourceError(f"{source.place} gives {given} bytes instead of {weights.size_bytes}")


def _check_space(
    source: Source, weights: Weights, begun_bytes: int, folder: Path, free_bytes: Callable[[Path], int]
) -> None:
    needed = weights.size_bytes - begun_bytes + source.spare_bytes
    free = free_bytes(folder)
    if free < needed:
        message = f"not enough space in {folder}: {_megabytes(needed)} needed, {_megabytes(free)} free"
        raise ClineError(
            message, f"Make {_megabytes(needed - free)} of room, or name another folder in $CLINE_MODELS_DIR"
        )


def _announce(weights: Weights, folder: Path) -> str:
    there = fetched_bytes(folder, weights)
    rest = f"; {there / 1e6:.0f} MB of it are there already" if there else ""
    return f"fetching {weights.name}, {weights.size_bytes / 1e6:.0f} MB, into {folder}{rest}"


def _failed(weights: Weights, failures: list[ClineError]) -> ClineError:
    message = f"cannot fetch {weights.name}: {failures[-1].message}"
    hint = f"Download {weights.url} where you can, and run `cline local install {weights.name} --from FILE`"
    is_unreachable = all(isinstance(failure, ProviderError) for failure in failures)
    return UnreachableError(message, hint) if is_unreachable else ClineError(message, hint)


def _megabytes(count: int) -> str:
    """Return a size that is enough: rounded up."""
    return f"{-(-count // 10**6)} MB"
