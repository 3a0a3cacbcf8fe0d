from __future__ import annotations

import asyncio
import codecs
import os
import pty
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cline_cli.agent.messages import ImagePart, JsonObject, TextPart
from cline_cli.commands._prompt import MAX_IMAGE_BYTES, MAX_WHOLE_BYTES, Prompt, Wanted, read_prompt
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.machine.input import Patience

HASTY = Patience(silence_s=0.02, told_s=0.05, unknown_s=0.1, recheck_s=0.05)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
ZIP = b"PK\x03\x04" + bytes(100)
linux_only = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir(0o700)
    return folder


@pytest.fixture
def wanted(tmp_path: Path, spool: Path) -> Wanted:
    return Wanted(
        typed="Explain.",
        files=(),
        mode="auto",
        requires_stdin=False,
        has_tools=True,
        takes_images=None,
        max_bytes=200_000,
        workspace=tmp_path / "work",
        open_spool=lambda: spool,
    )


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        with suppress(OSError):
            os.close(descriptor)


def environment(stdin: int | None) -> Environment:
    is_terminal = stdin is not None and os.isatty(stdin)
    return Environment({}, None, None, stdin, None, None, is_terminal, False, False)


def read(wanted: Wanted, stdin: int | None, said: list[str] | None = None) -> Prompt:
    async def tell(notice: str) -> None:
        assert said is not None, f"nothing was to be said: {notice}"
        said.append(notice)

    return asyncio.run(read_prompt(wanted, environment(stdin), tell, HASTY))


def piped(wanted: Wanted, data: bytes) -> Prompt:
    """Return the prompt when a pipe brings the data and ends."""
    reading, writing = os.pipe()
    os.write(writing, data[:1000])
    rest = threading.Thread(target=write_and_close, args=(writing, data[1000:]), daemon=True)
    rest.start()
    try:
        return read(wanted, reading, [])
    finally:
        os.close(reading)
        rest.join()


def write_and_close(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def from_file(wanted: Wanted, data: bytes) -> Prompt:
    path = wanted.workspace.parent / "stdin-of-the-test"
    path.write_bytes(data)
    with path.open("rb") as file:
        return read(wanted, file.fileno())


def list_names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def text_of(prompt: Prompt) -> str:
    return "".join(part.text for part in prompt.message.parts if isinstance(part, TextPart))


def images_of(prompt: Prompt) -> list[ImagePart]:
    return [part for part in prompt.message.parts if isinstance(part, ImagePart)]


@pytest.mark.parametrize(
    ("typed", "data", "text"),
    [
        ("Explain.", b"some text\n\n", "Explain.\n\nsome text"),
        ("Explain.", b"  indented\r\n\r\n", "Explain.\n\n  indented"),
        ("Explain.", b"", "Explain."),
        ("Explain.", b" \n\t\r\n", "Explain."),
        ("", b"only this\n", "only this"),
        ("-", b"only this\n", "only this"),
        ("Explain.", b"\xff\xfe", "Explain.\n\n\ufffd\ufffd"),
        ("Explain.", codecs.BOM_UTF8 + "é".encode(), "Explain.\n\né"),
        ("Explain.", codecs.BOM_UTF8, "Explain."),
        ("Explain.", codecs.BOM_UTF16_LE + "é𝄞".encode("utf-16-le"), "Explain.\n\né𝄞"),
        ("Explain.", codecs.BOM_UTF16_BE + "é𝄞".encode("utf-16-be"), "Explain.\n\né𝄞"),
        ("a\udcffb", b"x", "a\ufffdb\n\nx"),
    ],
)
def test_the_message_is_the_prompt_and_what_was_piped_in(wanted: Wanted, typed: str, data: bytes, text: str) -> None:
    assert text_of(from_file(replace(wanted, typed=typed), data)) == text


@pytest.mark.parametrize(
    ("data", "stdin"),
    [
        (b"text", {"kind": "file", "status": "sent", "bytes": 4}),
        (b"", {"kind": "file", "status": "empty", "bytes": 0}),
        (b"\n\n", {"kind": "file", "status": "empty", "bytes": 2}),
        (b"a\xffb\xff", {"kind": "file", "status": "sent", "bytes": 4, "replaced": 2}),
        (PNG, {"kind": "file", "status": "attached", "bytes": len(PNG)}),
    ],
)
def test_it_is_told_what_became_of_standard_input(wanted: Wanted, data: bytes, stdin: JsonObject) -> None:
    prompt = from_file(wanted, data)
    assert prompt.stdin == stdin
    assert not prompt.is_stdin_open
    assert prompt.read_roots == ()


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY])
def test_the_prompt_stands_alone_when_standard_input_is_dev_null(wanted: Wanted, flags: int) -> None:
    descriptor = os.open(os.devnull, flags)  # nohup opens it for writing only
    try:
        prompt = read(wanted, descriptor)
    finally:
        os.close(descriptor)
    assert text_of(prompt) == "Explain."
    assert prompt.stdin == {"kind": "null", "status": "empty", "bytes": 0}


def test_the_prompt_stands_alone_when_standard_input_is_closed(wanted: Wanted) -> None:
    prompt = read(wanted, None)
    assert text_of(prompt) == "Explain."
    assert prompt.stdin == {"kind": "none", "status": "none", "bytes": 0}


def test_a_terminal_is_not_read_when_a_prompt_was_typed(wanted: Wanted) -> None:
    outer, inner = pty.openpty()
    try:
        os.write(outer, b"typed ahead\n")
        prompt = read(replace(wanted, mode="wait"), inner)
        assert os.read(inner, 100) == b"typed ahead\n"
    finally:
        os.close(outer)
        os.close(inner)
    assert text_of(prompt) == "Explain."
    assert prompt.stdin == {"kind": "terminal", "status": "none", "bytes": 0}


def test_a_terminal_is_read_to_its_end_when_the_prompt_is_a_dash(wanted: Wanted) -> None:
    outer, inner = pty.openpty()
    said: list[str] = []
    try:
        os.write(outer, b"from the\nkeyboard\n\x04")
        prompt = read(replace(wanted, typed="-"), inner, said)
    finally:
        os.close(outer)
        os.close(inner)
    assert text_of(prompt) == "from the\nkeyboard"
    assert prompt.stdin == {"kind": "terminal", "status": "sent", "bytes": 18}
    assert said == ["reading the prompt from the terminal; Ctrl-D ends it"]


@linux_only
def test_the_run_goes_on_when_an_idle_pipe_is_held_by_nobody_else(wanted: Wanted, pipe: tuple[int, int]) -> None:
    prompt = read(wanted, pipe[0])
    assert text_of(prompt) == "Explain."
    assert prompt.stdin == {"kind": "pipe", "status": "idle", "bytes": 0}
    assert prompt.is_stdin_open


@linux_only
def test_the_run_goes_on_when_an_idle_socket_is_held_by_nobody_else(wanted: Wanted) -> None:
    here, there = socket.socketpair()
    with here, there:
        prompt = read(wanted, here.fileno())
    assert prompt.stdin == {"kind": "socket", "status": "idle", "bytes": 0}


def test_a_socket_is_read_to_its_end(wanted: Wanted) -> None:
    here, there = socket.socketpair()
    with here:
        with there:
            there.sendall(b"by socket")
        assert text_of(read(wanted, here.fileno())) == "Explain.\n\nby socket"


@linux_only
def test_a_producer_is_waited_for_when_it_is_slow(wanted: Wanted, pipe: tuple[int, int]) -> None:
    said: list[str] = []

    async def tell(notice: str) -> None:
        said.append(notice)
        producer.communicate(b"late")

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=pipe[1]) as producer:
        os.close(pipe[1])
        prompt = asyncio.run(read_prompt(wanted, environment(pipe[0]), tell, HASTY))
    assert text_of(prompt) == "Explain.\n\nlate"
    assert said == [f"waiting for stdin from cat (pid {producer.pid})"]


@pytest.mark.parametrize(
    "changes", [{"mode": "wait"}, {"requires_stdin": True}, {"typed": ""}, {"typed": "-"}], ids=str
)
def test_a_silent_pipe_is_waited_for_when_it_is_needed(
    wanted: Wanted, pipe: tuple[int, int], changes: dict[str, object]
) -> None:
    said: list[str] = []

    async def tell(notice: str) -> None:
        said.append(notice)
        os.write(pipe[1], b"late")
        os.close(pipe[1])

    asked = replace(wanted, **changes)  # type: ignore[arg-type]
    prompt = asyncio.run(read_prompt(asked, environment(pipe[0]), tell, HASTY))
    assert text_of(prompt).endswith("late")
    way_out = "; < /dev/null does without it" if asked.typed == "Explain." else ""
    assert said == [f"waiting for standard input to end{way_out}"]


def test_nothing_is_cut_when_a_byte_has_come_and_the_rest_is_slow(wanted: Wanted, pipe: tuple[int, int]) -> None:
    async def tell(notice: str) -> None:
        os.write(pipe[1], b"last")
        os.close(pipe[1])

    os.write(pipe[1], b"first, ")
    prompt = asyncio.run(read_prompt(wanted, environment(pipe[0]), tell, HASTY))
    assert text_of(prompt) == "Explain.\n\nfirst, last"


def test_standard_input_is_not_touched_when_it_is_to_be_ignored(wanted: Wanted, pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"not for us")
    prompt = read(replace(wanted, mode="ignore"), pipe[0])
    assert prompt.stdin == {"kind": "pipe", "status": "ignored", "bytes": 0}
    assert not prompt.is_stdin_open
    assert os.read(pipe[0], 100) == b"not for us"


@pytest.mark.parametrize(
    ("changes", "is_read"),
    [({}, False), ({"mode": "wait"}, True), ({"typed": ""}, True), ({"requires_stdin": True}, True)],
    ids=str,
)
def test_a_file_that_somebody_else_reads_is_left_alone_unless_it_is_asked_for(
    wanted: Wanted, changes: dict[str, object], is_read: bool
) -> None:
    Path("list").write_text("one\ntwo\n")
    said: list[str] = []
    with Path("list").open("rb", buffering=0) as file:
        file.readline()
        prompt = read(replace(wanted, **changes), file.fileno(), said)  # type: ignore[arg-type]
        assert file.tell() == (8 if is_read else 4)
    if is_read:
        assert text_of(prompt).endswith("two")
    else:
        assert prompt.stdin == {"kind": "file", "status": "left_alone", "bytes": 0}
        assert said == ["standard input is a file that something else is reading: it is left alone"]


@pytest.mark.parametrize("data", [b"", b" \n", codecs.BOM_UTF8])
@pytest.mark.parametrize("files", [(), ("notes.txt",)])
def test_there_is_no_prompt_when_neither_words_nor_input_were_given(
    wanted: Wanted, data: bytes, files: tuple[str, ...]
) -> None:
    Path("notes.txt").write_text("notes")
    with pytest.raises(UsageError, match="no prompt was given, and standard input is empty"):
        from_file(replace(wanted, typed="", files=files), data)


@pytest.mark.parametrize("mode", ["auto", "ignore"])
def test_an_empty_input_is_an_error_when_some_is_required(wanted: Wanted, mode: str) -> None:
    with pytest.raises(UsageError, match="standard input is empty, and --require-stdin asks for some"):
        from_file(replace(wanted, requires_stdin=True, mode=mode), b"\n")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--require-stdin"):
        read(replace(wanted, requires_stdin=True), None)


def test_an_error_says_so_when_standard_input_cannot_be_read(wanted: Wanted) -> None:
    descriptor = os.open("written", os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(UsageError, match="cannot read standard input: Bad file descriptor"):
            read(wanted, descriptor)
    finally:
        os.close(descriptor)


def test_ten_megabytes_arrive_whole_in_a_file_and_are_shown_by_their_ends(wanted: Wanted, spool: Path) -> None:
    data = b"".join(b"line %d\n" % number for number in range(900_000))[:10_000_000]
    prompt = piped(wanted, data)
    path = spool / "stdin.txt"
    assert path.read_bytes() == data
    assert prompt.stdin == {"kind": "pipe", "status": "spooled", "bytes": 10_000_000, "path": str(path)}
    assert prompt.read_roots == (spool,)
    text = text_of(prompt)
    lines = data.count(b"\n") + 1
    assert text.startswith(f"Explain.\n\n[Standard input: 10,000,000 bytes, {lines:,} lines. All of it is in {path}, ")
    assert "read_files reads it" in text
    assert "]\nline 0\nline 1\n" in text
    assert text.endswith(f"{data[-15:].decode()}\n[end]")
    assert 38_000 < len(text) < 41_000


def test_a_text_is_sent_whole_when_it_is_just_not_too_large(wanted: Wanted) -> None:
    assert text_of(from_file(wanted, b"x" * 200_000)) == "Explain.\n\n" + "x" * 200_000


def test_a_large_text_in_another_encoding_is_shown_decoded_and_kept_as_it_came(wanted: Wanted, spool: Path) -> None:
    lines = "".join(f"Zeile {number} über 𝄞\n" for number in range(20_000))
    data = codecs.BOM_UTF16_LE + lines.encode("utf-16-le")
    prompt = from_file(wanted, data)
    assert (spool / "stdin.txt").read_bytes() == data
    assert "]\nZeile 0 über 𝄞\n" in text_of(prompt)
    assert "\nZeile 19999 über 𝄞\n[end]" in text_of(prompt)
    assert "replaced" not in prompt.stdin


def test_a_large_text_goes_into_the_message_when_there_are_no_tools(wanted: Wanted) -> None:
    wanted = replace(wanted, has_tools=False, open_spool=lambda: pytest.fail("no file is wanted"))
    text = "x" * 5_000_000
    assert text_of(from_file(wanted, text.encode())) == f"Explain.\n\n{text}"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * (MAX_WHOLE_BYTES + 1), "standard input is larger than 20 MB, which no model takes at once"),
        (ZIP, "standard input is a zip archive, which is not text"),
        (b"a\0b", "standard input is binary data, which is not text"),
        (PNG + bytes(MAX_IMAGE_BYTES), "standard input is an image of more than 10 MB"),
    ],
    ids=["text", "zip", "NUL", "image"],
)
def test_an_error_says_so_when_there_are_no_tools_to_read_it_with(wanted: Wanted, data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        from_file(replace(wanted, has_tools=False), data)


def test_a_sentence_says_so_when_it_cannot_be_written_to_a_file(wanted: Wanted) -> None:
    with pytest.raises(ClineError, match="cannot write standard input to /proc") as caught:
        from_file(replace(wanted, open_spool=lambda: Path("/proc")), b"x" * 300_000)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("typed", ["Explain.", ""])
@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 jpeg", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (PNG + bytes(1_000_000), "image/png"),
    ],
    ids=["png", "jpeg", "gif", "webp", "large"],
)
def test_an_image_is_attached(wanted: Wanted, typed: str, data: bytes, media_type: str) -> None:
    prompt = from_file(replace(wanted, typed=typed), data)
    assert prompt.message.parts == (*([TextPart(typed)] if typed else []), ImagePart(media_type, data))


def test_an_image_is_an_error_when_the_model_takes_none(wanted: Wanted) -> None:
    with pytest.raises(UsageError, match=r"standard input is an image \(image/png\), and the model takes none"):
        from_file(replace(wanted, takes_images=False), PNG)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (ZIP, "a zip archive"),
        (b"text\0text", "binary data"),
        (PNG + bytes(MAX_IMAGE_BYTES), "an image (image/png)"),
    ],
    ids=["zip", "NUL", "image"],
)
def test_what_is_not_text_goes_to_a_file_and_is_described(wanted: Wanted, spool: Path, data: bytes, name: str) -> None:
    prompt = from_file(wanted, data)
    path = spool / "stdin.bin"
    assert path.read_bytes() == data
    assert text_of(prompt) == (f"Explain.\n\n[Standard input is {name}, {len(data):,} bytes. It is in the file {path}]")
    assert prompt.stdin == {"kind": "file", "status": "spooled", "bytes": len(data), "path": str(path)}
    assert images_of(prompt) == []


def test_files_stand_between_the_prompt_and_standard_input(wanted: Wanted, tmp_path: Path) -> None:
    Path("a.txt").write_text("alpha\n")
    (tmp_path / "b.txt").write_text("beta\n\n")
    prompt = from_file(replace(wanted, files=("a.txt", str(tmp_path / "b.txt"))), b"piped")
    assert text_of(prompt) == (
        f'Explain.\n\n<file_content path="{tmp_path}/work/a.txt">\nalpha\n</file_content>'
        f'\n\n<file_content path="{tmp_path}/b.txt">\nbeta\n</file_content>\n\npiped'
    )
    assert prompt.read_roots == ()


def test_files_come_after_standard_input_when_it_is_the_prompt(wanted: Wanted) -> None:
    Path("a.txt").write_text("alpha")
    text = text_of(from_file(replace(wanted, typed="-", files=("a.txt",)), b"Explain this."))
    assert text.startswith("Explain this.\n\n<file_content ")


def test_a_file_is_found_from_the_workspace_and_through_a_link(wanted: Wanted, tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text("alpha")
    (wanted.workspace / "link.txt").symlink_to(tmp_path / "target.txt")
    os.chdir(tmp_path)
    assert f'<file_content path="{tmp_path}/target.txt">\nalpha\n' in text_of(
        read(replace(wanted, files=("link.txt",)), None)
    )


def test_an_image_in_a_file_is_attached_and_named(wanted: Wanted) -> None:
    Path("a.png").write_bytes(PNG)
    prompt = from_file(replace(wanted, files=("a.png",)), b"GIF89a")
    assert images_of(prompt) == [ImagePart("image/png", PNG), ImagePart("image/gif", b"GIF89a")]
    assert f"[image/png, {len(PNG)} bytes: it is attached]" in text_of(prompt)
    with pytest.raises(UsageError, match="is an image"):
        read(replace(wanted, files=("a.png",), takes_images=False), None)


@pytest.mark.parametrize("is_inside", [True, False])
def test_a_large_file_is_shown_by_its_ends_and_may_be_read(wanted: Wanted, tmp_path: Path, is_inside: bool) -> None:
    path = (wanted.workspace if is_inside else tmp_path) / "large.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    prompt = read(replace(wanted, files=(str(path),)), None)
    assert prompt.read_roots == (() if is_inside else (path,))
    text = text_of(prompt)
    assert f"[{path.stat().st_size:,} bytes. All of it is in {path}, and read_files" in text
    assert "]\nline 0\nline 1\n" in text
    assert text.endswith("\nline 99999\n[end]\n</file_content>")
    assert len(text) < 41_000
    whole = text_of(read(replace(wanted, files=(str(path),), has_tools=False), None))
    assert path.read_text() in whole


@pytest.mark.parametrize("name", ["a.zip", "/proc/version"])
def test_a_file_outside_that_is_described_or_has_no_size_is_taken(wanted: Wanted, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.zip":
        path.write_bytes(ZIP)
    elif not path.exists():
        pytest.skip("there is no /proc here")
    prompt = read(replace(wanted, files=(str(path),)), None)
    if name == "a.zip":
        assert f'"{path}">\n[a zip archive, 104 bytes]\n</file_content>' in text_of(prompt)
        assert prompt.read_roots == (path,)
    else:
        assert path.read_text().strip() in text_of(prompt)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.txt", "cannot read missing.txt: No such file or directory"),
        (".", "cannot read .: it is a folder"),
        (os.devnull, "cannot read /dev/null: it is no ordinary file"),
        ("loop", "cannot read loop: Too many levels of symbolic links"),
        ("-", "-f takes the name of a file, not -"),
        ("", "cannot read : it is a folder"),
    ],
)
def test_an_error_names_the_file_when_it_cannot_be_read(wanted: Wanted, name: str, words: str) -> None:
    Path("loop").symlink_to("loop")
    with pytest.raises(UsageError) as caught:
        read(replace(wanted, files=(name,)), None)
    assert caught.value.message == words


@pytest.mark.parametrize("content", [ZIP, b"x" * (MAX_WHOLE_BYTES + 1)], ids=["zip", "large"])
def test_an_error_names_the_file_when_there_are_no_tools_to_read_it_with(wanted: Wanted, content: bytes) -> None:
    Path("a.dat").write_bytes(content)
    with pytest.raises(UsageError, match=r"^a\.dat is "):
        read(replace(wanted, files=("a.dat",), has_tools=False), None)


def test_nothing_is_left_behind_when_it_is_cancelled_in_a_flood(
    wanted: Wanted, spool: Path, pipe: tuple[int, int]
) -> None:
    async def main() -> None:
        async def tell(notice: str) -> None:
            pass

        before = list_names(Path("/dev/fd"))
        task = asyncio.create_task(read_prompt(wanted, environment(pipe[0]), tell))
        while not list_names(spool):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not asyncio.get_running_loop().remove_reader(pipe[0])
        assert list_names(Path("/dev/fd")) == before
        assert list_names(spool) == []

    with subprocess.Popen(["yes"], stdout=pipe[1]) as flood:
        asyncio.run(main())
        flood.kill()
