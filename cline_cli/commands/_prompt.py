"""The first user message: what was typed, the files of -f, and what comes on standard input.

    typed ───────────────────────────┐
    -f FILE ──> _read_file ──────────┼──> one text and its images ──> UserMessage
    stdin ──> is it read? ──> Spool ─┘

`Prompt.stdin` tells `run_result` what became of standard input:

    kind      none (closed), terminal, null (/dev/null), pipe, socket, file, device
    status    none         it is closed, or a terminal, and was not read
              empty        it ended without anything but white space
              sent         it is in the message
              spooled      it is in the file `path`, and the message tells of it
              attached     it is an image, and goes with the message
              idle         it was silent, nobody seemed to be going to write, and the run went on without it
              ignored      --stdin ignore
              left_alone   it is a file that somebody else is reading
    bytes     how many were read
    path      only with "spooled"
    replaced  only where bytes were not in the text's encoding: how many U+FFFD the message shows for them
"""

from __future__ import annotations

import asyncio
import codecs
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from cline_cli.agent.messages import ImagePart, JsonObject, JsonValue, TextPart, UserMessage
from cline_cli.environment import Environment
from cline_cli.errors import UsageError
from cline_cli.machine.contents import UTF_8, BinaryError, Encoding, detect_encoding, detect_image
from cline_cli.machine.input import (
    PATIENCE,
    PIECE_BYTES,
    Patience,
    StdinMode,
    WaitingNotice,
    is_coming,
    is_partly_read,
    kind_of,
    read_into,
)
from cline_cli.redaction import MaskedBytes, Redactor
from cline_cli.session.spool import (
    EXTRACT_BYTES,
    SNIFFED_BYTES,
    Keeping,
    Spool,
    decode,
    describe_extract,
    to_head,
    to_tail,
)
from cline_cli.workspace.mentions import list_names

MAX_NAMES = 200
"""Of a folder that is mentioned."""
MAX_IMAGE_BYTES = 10_000_000
MAX_WHOLE_BYTES = 20_000_000
"""Of a text that has to go into the message, because there are no tools to read it with."""
_Status = Literal["none", "empty", "sent", "spooled", "attached", "idle", "ignored", "left_alone"]
_Tell = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wanted:
    typed: str
    """The prompt as it was typed, stripped; `-` alone stands for standard input, empty for none."""
    files: tuple[str, ...]
    """Of -f, in order, relative to the workspace."""
    mode: StdinMode
    requires_stdin: bool
    """Empty input is an error, so it is waited for."""
    has_tools: bool
    """Without them no file can be read: all goes into the message."""
    takes_images: bool | None
    """Of the model; None where it is not known, and images are sent."""
    max_bytes: int
    """Of text in the message, from each source."""
    workspace: Path
    open_spool: Callable[[], Path]
    """Makes the folder for what is too large, 0700; raises OSError. It is called when something is."""
    make_mask: Callable[[], MaskedBytes] = lambda: MaskedBytes(Redactor(()))
    """For what goes into a file there."""
    mentioned: tuple[str, ...] = ()
    """Files and folders that the prompt mentions, as -f in all but that one which cannot be read is only told."""


@dataclass(frozen=True, slots=True)
class Prompt:
    message: UserMessage
    stdin: JsonObject
    """What became of standard input; the module tells its keys."""
    read_roots: tuple[Path, ...]
    """Files and folders outside the workspace that the message refers to."""
    is_stdin_open: bool
    """The run goes on without it, and whoever holds its other end may still write."""


class _Kind(NamedTuple):
    """What the first bytes say; neither an image nor binary is text."""

    image: str = ""
    """The media type."""
    binary: str = ""
    """What it is: "a zip archive"."""
    encoding: Encoding = UTF_8


class _Content(NamedTuple):
    """What one source gives to the message."""

    text: str = ""
    image: ImagePart | None = None
    replaced: int = 0
    root: Path | None = None
    """What has to be readable, because the text refers to it."""


class _Stdin(NamedTuple):
    content: _Content
    status: _Status
    size: int = 0
    path: Path | None = None


async def read_prompt(wanted: Wanted, environment: Environment, tell: _Tell, patience: Patience = PATIENCE) -> Prompt:
    """Return the first message. Cancelling it leaves no file, no descriptor and no reader behind.

    Raises:
        UsageError: there is no prompt, or something that cannot be read, or that the model does not take.
        ClineError: what is too large cannot be written to a file.
    """
    typed = "" if wanted.typed == "-" else _valid(wanted.typed)
    files = [await _read_file(name, wanted) for name in wanted.files]
    files += [content for name in wanted.mentioned if (content := await _read_mentioned(name, wanted, tell))]
    stdin = await _read_stdin(wanted, environment, tell, patience)
    piped = stdin.content
    if wanted.requires_stdin and not (piped.text or piped.image):
        raise UsageError("standard input is empty, and --require-stdin asks for some", "Pipe something in")
    if not (typed or piped.text or piped.image):
        raise UsageError("no prompt was given, and standard input is empty", 'Give one: cline "Explain this."')
    sources = [*files, piped] if typed else [piped, *files]
    text = "\n\n".join(filter(None, (typed, *(source.text for source in sources))))
    images = tuple(source.image for source in sources if source.image)
    return Prompt(
        message=UserMessage(((TextPart(text),) if text else ()) + images),
        stdin=_report(stdin, _kind_of_stdin(environment)),
        read_roots=tuple(dict.fromkeys(source.root for source in sources if source.root)),
        is_stdin_open=stdin.status == "idle",
    )


async def _read_mentioned(name: str, wanted: Wanted, tell: _Tell) -> _Content | None:
    path = wanted.workspace / name
    try:
        if path.is_dir():
            names = list_names(path)
            shown = "\n".join(names[:MAX_NAMES]) + (
                f"\n[and {len(names) - MAX_NAMES} more]" if names[MAX_NAMES:] else ""
            )
            return _Content(f'<folder_content path="{_valid(str(_real(path)))}">\n{shown}\n</folder_content>')
        return await _read_file(name, wanted)
    except UsageError as error:
        await tell(f"@{_valid(name)} is not attached: {error.message}")
    except OSError as error:
        await tell(f"@{_valid(name)} is not attached: {error.strerror}")
    return None


async def _read_stdin(wanted: Wanted, environment: Environment, tell: _Tell, patience: Patience) -> _Stdin:
    """Raises ClineError."""
    descriptor, kind = environment.stdin, _kind_of_stdin(environment)
    is_typed = wanted.typed not in {"", "-"}
    is_free_to_go = is_typed and wanted.mode == "auto" and not wanted.requires_stdin
    if descriptor is None or kind == "none" or (kind == "terminal" and wanted.typed != "-"):
        return _Stdin(_Content(), "none")
    if wanted.mode == "ignore":
        return _Stdin(_Content(), "ignored")
    if kind == "null":  # not even looked into: nohup opens it for writing only
        return _Stdin(_Content(), "empty")
    if is_free_to_go and is_partly_read(descriptor):
        await tell("standard input is a file that something else is reading: it is left alone")
        return _Stdin(_Content(), "left_alone")
    notice = None
    if kind == "terminal":
        await tell("reading the prompt from the terminal; Ctrl-D ends it")
    else:
        way_out = "; < /dev/null does without it" if is_typed else ""
        notice = WaitingNotice(tell, f"waiting for standard input to end{way_out}", patience)
        if is_free_to_go and not await is_coming(descriptor, notice, patience):
            return _Stdin(_Content(), "idle")
    with Spool(lambda first: _plan(first, "standard input", wanted), wanted.open_spool, wanted.make_mask()) as spool:
        await read_into(descriptor, spool.take, notice)
        spool.finish()
        return _from_spool(spool)


def _from_spool(spool: Spool, what: str = "Standard input") -> _Stdin:
    kind = _classify(spool.first)
    if spool.path is None:
        content = _whole(spool.data, kind)
        status: _Status = "attached" if content.image else "sent" if content.text else "empty"
        return _Stdin(content, status, spool.size)
    path, root = _valid(str(spool.path)), spool.path.parent
    if kind.image or kind.binary:
        text = f"[{what} is {_name(kind)}, {spool.size:,} bytes. It is in the file {path}]"
        return _Stdin(_Content(text, root=root), "spooled", spool.size, spool.path)
    lines = (
        ""
        if kind.encoding.name.startswith("utf-16")
        else f", {spool.lines:,} {'line' if spool.lines == 1 else 'lines'}"
    )
    content = _extract(f"{what}: {spool.size:,} bytes{lines}", path, kind.encoding, spool.head, spool.tail, spool.size)
    return _Stdin(content._replace(root=root), "spooled", spool.size, spool.path)


async def _read_file(name: str, wanted: Wanted) -> _Content:
    """Raises UsageError."""
    if name == "-":
        raise UsageError("-f takes the name of a file, not -", "Standard input goes with the prompt anyway")
    try:
        descriptor = _open_file(wanted.workspace / name, name)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                return await _take_pipe(descriptor, name, wanted)
            return await _take_file(descriptor, name, wanted)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(f"cannot read {_valid(name)}: {error.strerror}") from error


def _open_file(path: Path, name: str) -> int:
    """Return a descriptor of a file or a named pipe, links followed: a person has named it.

    Raises UsageError, OSError.
    """
    # Opening alone can do something to a device, so what it is is asked before, and made sure of afterwards.
    _require_ordinary(path.stat(), name)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _require_ordinary(os.fstat(descriptor), name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_ordinary(status: os.stat_result, name: str) -> None:
    """Raises UsageError."""
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"cannot read {_valid(name)}: it is a folder", "Give files with -f")
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        raise UsageError(f"cannot read {_valid(name)}: it is no ordinary file", "Pipe it in: cline ... < FILE")


async def _take_pipe(descriptor: int, name: str, wanted: Wanted) -> _Content:
    """Take all that comes through a named pipe: `-f <(git diff)`. Raises ClineError."""
    shown = _valid(name)
    with Spool(lambda first: _plan(first, name, wanted), wanted.open_spool, wanted.make_mask()) as spool:
        await read_into(descriptor, spool.take)
        spool.finish()
        content = _from_spool(spool, shown).content
    text = content.text if content.image is None else f"[{content.image.media_type}: it is attached]"
    return content._replace(text=_enclose(shown, text))


async def _take_file(descriptor: int, name: str, wanted: Wanted) -> _Content:
    """Raises UsageError, OSError."""
    real = _real(wanted.workspace / name)
    path = _valid(str(real))
    data = await _read_most(descriptor, SNIFFED_BYTES)
    kind, keeping = _classify(data), _plan(data, name, wanted)
    data += await _read_most(descriptor, keeping.max_bytes + 1 - len(data))
    size = max(os.fstat(descriptor).st_size, len(data))
    if len(data) <= keeping.max_bytes:
        content = _whole(data, kind)
        text = content.text if content.image is None else f"[{kind.image}, {size:,} bytes: it is attached]"
        return content._replace(text=_enclose(path, text))
    if keeping.too_large:
        raise keeping.too_large
    root = None if real.is_relative_to(_real(wanted.workspace)) else real
    if kind.image or kind.binary:
        return _Content(_enclose(path, f"[{_name(kind)}, {size:,} bytes]"), root=root)
    shown = min(EXTRACT_BYTES, len(data) // 2)
    tail = os.pread(descriptor, shown, size - shown)
    content = _extract(f"{size:,} bytes", path, kind.encoding, data[:shown], tail, size)
    return content._replace(text=_enclose(path, content.text), root=root)


async def _read_most(descriptor: int, max_bytes: int) -> bytes:
    """Raises OSError."""
    data = bytearray()
    while len(data) < max_bytes and (piece := os.read(descriptor, min(PIECE_BYTES, max_bytes - len(data)))):
        data += piece
        await asyncio.sleep(0)
    return bytes(data)


def _plan(first: bytes, what: str, wanted: Wanted) -> Keeping:
    """Return how much of it may go into the message, by its first bytes.

    Raises:
        UsageError: it may not go at all.
    """
    kind, what = _classify(first), _valid(what)
    if kind.image and wanted.takes_images is False:
        raise UsageError(f"{what} is an image ({kind.image}), and the model takes none", "Choose one that does: -m")
    if kind.binary and not wanted.has_tools:
        raise UsageError(
            f"{what} is {kind.binary}, which is not text", "Without -n it goes to a file that the model can work on"
        )
    if not wanted.has_tools:
        return _plan_whole(kind, what)
    if kind.image or kind.binary:
        return Keeping(MAX_IMAGE_BYTES if kind.image else 0, "stdin.bin")
    return Keeping(wanted.max_bytes, "stdin.txt")


def _plan_whole(kind: _Kind, what: str) -> Keeping:
    """Return the same for what goes into the message or nowhere."""
    if kind.image:
        too_large = UsageError(f"{what} is an image of more than {MAX_IMAGE_BYTES // 1_000_000} MB", "Make it smaller")
        return Keeping(MAX_IMAGE_BYTES, "", too_large)
    too_large = UsageError(
        f"{what} is larger than {MAX_WHOLE_BYTES // 1_000_000} MB, which no model takes at once",
        "Without -n it goes to a file that the model can read",
    )
    return Keeping(MAX_WHOLE_BYTES, "", too_large)


def _classify(first: bytes) -> _Kind:
    image = detect_image(first)
    if image:
        return _Kind(image=image)
    if first in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:  # alone it announces nothing
        return _Kind()
    try:
        return _Kind(encoding=detect_encoding(first))
    except BinaryError as error:
        return _Kind(binary=str(error))


def _name(kind: _Kind) -> str:
    return kind.binary or f"an image ({kind.image})"


def _whole(data: bytes, kind: _Kind) -> _Content:
    """Return all of it; white space alone counts as nothing."""
    if kind.image:
        return _Content(image=ImagePart(kind.image, data))
    text, replaced = decode(data[len(kind.encoding.bom) :], kind.encoding.name)
    return _Content(text.rstrip("\r\n") if text.strip() else "", replaced=replaced)


def _extract(what: str, path: str, encoding: Encoding, head: bytes, tail: bytes, size: int) -> _Content:
    start, end = to_head(head[len(encoding.bom) :], encoding.name), to_tail(tail, encoding.name, size - len(tail))
    shown = f"{start.text}{end.text}".encode(encoding.name, "replace")
    told = describe_extract(what, path, start.text, end.text, max(0, size - len(shown)))
    return _Content(told, replaced=start.replaced + end.replaced)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _enclose(path: str, text: str) -> str:
    return f'<file_content path="{path}">\n{text}\n</file_content>'


def _kind_of_stdin(environment: Environment) -> str:
    return "terminal" if environment.is_stdin_terminal else kind_of(environment.stdin)


def _report(stdin: _Stdin, kind: str) -> JsonObject:
    report: dict[str, JsonValue] = {"kind": kind, "status": stdin.status, "bytes": stdin.size}
    if stdin.path:
        report["path"] = _valid(str(stdin.path))
    if stdin.content.replaced:
        report["replaced"] = stdin.content.replaced
    return report


def _valid(text: str) -> str:
    """Return text from the command line or a file name that can be sent: bytes that were not UTF-8 become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
