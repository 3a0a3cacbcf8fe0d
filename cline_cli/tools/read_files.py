"""`read_files`: text with line numbers, images as images, and for anything else what it is."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from cline_cli.agent.messages import ImagePart, JsonObject, JsonValue
from cline_cli.agent.tool import Report, Scope, ToolError, ToolOutput, ToolSpec
from cline_cli.machine.contents import LATIN_1, SNIFFED_BYTES, BinaryError, Encoding, detect_encoding, detect_image
from cline_cli.tools import _inputs as inputs
from cline_cli.tools._opened import open_file, resolve_to_read
from cline_cli.tools._results import MAX_RESULT_BYTES, Item, ItemError, count, one_line, to_output
from cline_cli.tools._window import Window
from cline_cli.tools._workplace import Workplace

MAX_CALL_BYTES = 3 * MAX_RESULT_BYTES
"""Of all files of a call together."""
MAX_IMAGE_BYTES = 5_000_000
MAX_FILES = 50
_PIECE_BYTES = 262_144
_COUNTED_BYTES = 16 * 1024 * 1024
"""How far to read on, after the last line that is shown, to say how many there are."""
_SKIPPED_BYTES = 512 * 1024 * 1024
"""How far to read to come to the first line that is shown."""
_PATHS = ("path", "file_path", "filePath", "file", "filename")

SPEC = ToolSpec(
    name="read_files",
    description=(
        "Read text files, or images. Lines come as `NN | text`; long files in part, with what is left out said."
        " Read all you need in one call."
    ),
    parameters={
        "type": "object",
        "properties": {
            "files": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": {"type": "string"},
                        "start_line": {"type": ["integer", "null"], "minimum": 1},
                        "end_line": {"type": ["integer", "null"], "description": "inclusive"},
                        "start_byte": {"type": ["integer", "null"], "description": "from 0; for very long lines"},
                        "end_byte": {"type": ["integer", "null"], "description": "exclusive"},
                    },
                    "required": ["path"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["files"],
        "additionalProperties": False,
    },
    effect="reads",
)


class _Wanted(NamedTuple):
    path: str
    start: int
    end: int | None
    start_byte: int | None = None
    end_byte: int | None = None

    @property
    def query(self) -> str:
        if self.start_byte is not None:
            return f"{self.path} from byte {self.start_byte}"
        if self.end is not None:
            return f"{self.path} {self.start}-{self.end}"
        return f"{self.path} {self.start}-" if self.start > 1 else self.path


class ReadFiles:
    spec = SPEC

    def __init__(self, workplace: Workplace) -> None:
        self._confinement = workplace.confinement

    def normalize(self, arguments: JsonObject) -> JsonObject:
        files: list[dict[str, JsonValue]] = []
        given = inputs.first(arguments, "files", "paths", "file_paths")
        for item in inputs.items(arguments if given is None else given):
            _add(files, inputs.unpack(item))
        if not files:
            raise ToolError('read_files needs {"files": [{"path": "src/a.py"}]}')
        if len(files) > MAX_FILES:
            raise ToolError(f"read_files takes at most {MAX_FILES} files a call, not {len(files)}")
        return {"files": files}

    def summary(self, arguments: JsonObject) -> str:
        try:
            wanted = self._read(arguments)
        except ToolError:
            return "read files"
        more = f" (+{len(wanted) - 1} more)" if len(wanted) > 1 else ""
        return one_line(f"read {wanted[0].path}{more}")

    def scope(self, arguments: JsonObject) -> Scope:  # noqa: ARG002  # the protocol's
        return Scope()

    async def run(self, arguments: JsonObject, report: Report) -> ToolOutput:  # noqa: ARG002  # the protocol's
        room = MAX_CALL_BYTES
        found: list[Item] = []
        files = self._read(arguments)
        for wanted in files:
            try:
                item = await self._read_one(wanted, min(room, MAX_RESULT_BYTES))
            except ItemError as error:
                item = Item(wanted.query, error=str(error))
            room = max(0, room - len(item.result.encode("utf-8", "replace")))
            # The summary names a single file already.
            name = f"{wanted.path}: " if item.display and len(files) > 1 else ""
            found.append(replace(item, display=f"{name}{item.display}"))
        return to_output(found)

    def _read(self, arguments: JsonObject) -> list[_Wanted]:
        files = self.normalize(arguments)["files"]
        assert isinstance(files, list), "normalize makes a list of objects"
        return [_to_wanted(file) for file in files]

    async def _read_one(self, wanted: _Wanted, max_bytes: int) -> Item:
        """Raises ItemError."""
        if max_bytes < MAX_RESULT_BYTES // 10:
            raise ItemError(
                f"left out: the files before it are {MAX_CALL_BYTES:,} bytes already; read it in another call"
            )
        descriptor = open_file(resolve_to_read(self._confinement, wanted.path), wanted.path)
        try:
            return await _read_open(descriptor, wanted, max_bytes)
        except OSError as error:
            raise ItemError(f"{wanted.path}: {error.strerror}") from error
        except BinaryError as error:
            size = count(os.fstat(descriptor).st_size, "byte")
            raise ItemError(f"{wanted.path} is {error} ({size}), not text") from error
        finally:
            os.close(descriptor)


def build(workplace: Workplace) -> ReadFiles:
    return ReadFiles(workplace)


def _add(files: list[dict[str, JsonValue]], item: JsonValue) -> None:
    """Add what an item of the list asks for; a range that stands alone belongs to the file before it."""
    if isinstance(item, Mapping):
        path, ranges = inputs.first(item, *_PATHS), {}
        for name, value in (
            ("start_line", inputs.first(item, "start_line", "startLine", "start")),
            ("end_line", inputs.first(item, "end_line", "endLine", "end")),
            ("start_byte", inputs.first(item, "start_byte", "offset")),
            ("end_byte", inputs.first(item, "end_byte")),
        ):
            line = inputs.number(value, name)
            if line is not None:
                ranges[name] = line
    else:
        path, ranges = item, {}
    if path is not None:
        files.extend({"path": inputs.text(one, "path"), **ranges} for one in inputs.items(path))
    elif ranges and files:
        files[-1].update(ranges)
    else:
        raise ToolError('each file is a path, or an object with one: {"path": "src/a.py", "start_line": 1}')


def _to_wanted(file: JsonValue) -> _Wanted:
    assert isinstance(file, Mapping), "normalize makes a list of objects"
    start = max(1, inputs.number(file.get("start_line"), "start_line") or 1)
    end = inputs.number(file.get("end_line"), "end_line")
    # -1 is written for "to the end".
    start_byte = inputs.number(file.get("start_byte"), "start_byte")
    wanted = _Wanted(inputs.text(file["path"], "path"), start, None if end == -1 else end, start_byte)
    end_byte = inputs.number(file.get("end_byte"), "end_byte")
    if end_byte is not None:
        wanted = wanted._replace(start_byte=start_byte or 0, end_byte=end_byte)
    if wanted.start_byte is not None and not 0 <= wanted.start_byte < (end_byte or wanted.start_byte + 1):
        raise ToolError(f"{wanted.path}: bytes {wanted.start_byte} to {end_byte} are no part of a file")
    if wanted.end is not None and wanted.end < start:
        raise ToolError(f"{wanted.path}: end_line {wanted.end} comes before start_line {start}")
    return wanted


async def _read_open(descriptor: int, wanted: _Wanted, max_bytes: int) -> Item:
    """Raises BinaryError, ItemError, OSError."""
    head = os.read(descriptor, SNIFFED_BYTES)
    media_type = detect_image(head)
    if media_type:
        return _read_image(descriptor, wanted, media_type)
    encoding = detect_encoding(head)
    if wanted.start_byte is not None:
        return _read_bytes(descriptor, wanted, encoding, max_bytes)
    window = Window(wanted.start, wanted.end, max_bytes)
    try:
        is_whole = await _fill(window, descriptor, encoding)
    except UnicodeDecodeError:
        if encoding.bom:
            raise BinaryError(f"damaged {encoding.label} text") from None
        encoding = LATIN_1
        window = Window(wanted.start, wanted.end, max_bytes)
        is_whole = await _fill(window, descriptor, encoding)
    return _describe(window, wanted, encoding, is_whole, os.fstat(descriptor).st_size)


def _read_bytes(descriptor: int, wanted: _Wanted, encoding: Encoding, max_bytes: int) -> Item:
    """Return the text from a byte on, without line numbers. Raises OSError."""
    start = wanted.start_byte or 0
    size = os.fstat(descriptor).st_size
    wanted_bytes = max_bytes if wanted.end_byte is None else min(max_bytes, wanted.end_byte - start)
    data = os.pread(descriptor, wanted_bytes, start)
    shown = data[len(encoding.bom) :] if start == 0 else data
    end = start + len(data)
    more = f"; start_byte {end} goes on" if end < size else ""
    note = f"[bytes {start:,} to {end:,} of {size:,}{more}]"
    return Item(wanted.query, f"{shown.decode(encoding.name, 'replace')}\n{note}", display=count(len(data), "byte"))


async def _fill(window: Window, descriptor: int, encoding: Encoding) -> bool:
    """Feed the file to the window; return whether that was all of it.

    Raises:
        UnicodeDecodeError: it is not in that encoding.
        OSError: it cannot be read.
    """
    decoder = codecs.getincrementaldecoder(encoding.name)()
    position = os.lseek(descriptor, len(encoding.bom), os.SEEK_SET)
    full_at: int | None = None
    while True:
        piece = os.read(descriptor, _PIECE_BYTES)
        window.feed(decoder.decode(piece, final=not piece))
        if not piece:
            window.close()
            return True
        position += len(piece)
        if window.is_full and full_at is None:
            full_at = position
        if position > (full_at + _COUNTED_BYTES if full_at is not None else _SKIPPED_BYTES):
            return False
        await asyncio.sleep(0)


def _read_image(descriptor: int, wanted: _Wanted, media_type: str) -> Item:
    """Raises ItemError, OSError."""
    size = os.fstat(descriptor).st_size
    if size > MAX_IMAGE_BYTES:
        raise ItemError(f"{wanted.path} is {media_type}, {size:,} bytes, which is too large to be shown")
    os.lseek(descriptor, 0, os.SEEK_SET)
    data = bytearray()
    while len(data) <= MAX_IMAGE_BYTES and (piece := os.read(descriptor, _PIECE_BYTES)):
        data += piece
    label = f"{media_type}, {size:,} bytes"
    return Item(
        wanted.query,
        result=f"[{label}: shown beside this]",
        display=label,
        image=ImagePart(media_type, bytes(data)),
    )


def _describe(window: Window, wanted: _Wanted, encoding: Encoding, is_whole: bool, size: int) -> Item:
    """Raises ItemError."""
    if is_whole and window.total == 0:
        return Item(wanted.query, "[the file is empty]", display="empty")
    if window.end < window.start:
        lines = f"has {count(window.total, 'line')}" if is_whole else f"is {size:,} bytes long"
        hint = "" if is_whole else ": use run_commands with sed -n to get at it"
        raise ItemError(f"{wanted.path} {lines}; line {window.start} was not reached{hint}")
    notes = [encoding.label] if encoding.label else []
    goes_on = not is_whole or window.end < window.total
    if window.start > 1 or goes_on:
        total = f"{window.total:,}" if is_whole else f"more than {window.total:,}"
        notes.append(f"lines {window.start}-{window.end} of {total}")
    if goes_on and (wanted.end is None or window.end < wanted.end):
        notes.append(f"read on with start_line {window.end + 1}")
    footer = f"\n[{'; '.join(notes)}]" if notes else ""
    of_all = f" of {window.total:,}" if is_whole and window.end - window.start + 1 < window.total else ""
    return Item(wanted.query, window.text + footer, display=f"lines {window.start}-{window.end}{of_all}")
