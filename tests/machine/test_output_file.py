from __future__ import annotations

import asyncio
import os
import pty
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.errors import ClineError, UsageError
from cline_cli.machine.output_file import check_output

MUCH = bytes(range(256)) * 4096
"""1 MiB: more than any pipe takes without a reader."""
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from cline_cli.machine.output_file import check_output
file = check_output(sys.argv[1], Path.cwd(), os.environ)
os.write(1, b"before\\n")
asyncio.run(file.deliver(b"answer\\n"))
os.write(1, b"after\\n")
"""


def deliver(path: Path | str, data: bytes = b"answer\n", folder: Path = Path(), **variables: str) -> None:
    asyncio.run(check_output(str(path), folder, variables, own=()).deliver(data))


def complaint(path: Path | str, folder: Path = Path()) -> str:
    with pytest.raises(UsageError) as error:
        check_output(str(path), folder, {}, own=())
    assert error.value.exit_code == 2
    return str(error.value)


def open_descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))  # noqa: PTH208  # names, not paths


@contextmanager
def opened(path: Path, flags: int = os.O_WRONLY | os.O_CREAT) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def run_shell(line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which $CLINE stands for the program."""
    command = f'{sys.executable} -c "$PROGRAM"'
    environment = {**os.environ, "PROGRAM": PROGRAM, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        ["bash", "-c", line.replace("$CLINE", command)], cwd=folder, env=environment, capture_output=True, check=True
    )


@given(st.binary())
def test_every_byte_is_in_the_file_when_there_was_none(data: bytes) -> None:
    path = Path("new.txt")
    deliver(path, data)
    assert path.read_bytes() == data
    path.unlink()


def test_the_path_is_relative_when_a_folder_is_given(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    deliver("inner/../new.txt", folder=tmp_path)
    assert (tmp_path / "new.txt").read_bytes() == b"answer\n"


def test_a_file_is_replaced_in_one_step_when_it_was_there(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(b"x" * 100)
    path.chmod(0o640)
    with path.open("rb") as reader:
        deliver(path)
        assert reader.read() == b"x" * 100
    assert path.read_bytes() == b"answer\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["old.txt"]


@pytest.mark.parametrize("is_there", [True, False])
def test_the_target_is_written_when_the_path_is_a_link(tmp_path: Path, is_there: bool) -> None:
    target = tmp_path / "target.txt"
    if is_there:
        target.write_bytes(b"old")
    (tmp_path / "link").symlink_to(target)
    deliver(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"answer\n"


def test_nothing_is_made_when_the_place_is_only_looked_at(tmp_path: Path) -> None:
    before = open_descriptors()
    check_output(str(tmp_path / "new.txt"), tmp_path, {}, own=())
    assert not (tmp_path / "new.txt").exists()
    assert open_descriptors() == before


def test_a_place_is_refused_when_nothing_can_be_written_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("none/target")
    assert complaint("") == "--output has no file name"
    assert complaint(tmp_path) == f"--output cannot write {tmp_path}: it is a folder. Give another file"
    assert "it is a folder" in complaint(".", tmp_path)
    assert "it is a folder" in complaint("new/", tmp_path)
    assert f"none/x: there is no folder {tmp_path}/none" in complaint("none/x", tmp_path)
    assert f"there is no folder {tmp_path}/none" in complaint("dangling", tmp_path)
    assert "Not a directory" in complaint("file/x", tmp_path)
    assert "Too many levels of symbolic links" in complaint("loop", tmp_path)
    assert "File name too long" in complaint("x" * 300, tmp_path)
    assert "--output cannot write a<U+202E>b: " in complaint("a\u202eb\0", tmp_path)


def test_a_place_is_refused_when_it_is_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert "it is a socket" in complaint("socket", Path.cwd())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_is_refused_when_it_is_not_ours_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o400)
    os.mkfifo(tmp_path / "pipe", 0o400)
    (tmp_path / "folder").mkdir(0o500)
    assert "file: Permission denied" in complaint("file", tmp_path)
    assert "pipe: Permission denied" in complaint("pipe", tmp_path)
    assert "may not be written to" in complaint("folder/x", tmp_path)


def test_the_file_is_as_it_was_when_it_cannot_be_written_after_all(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    output = check_output("folder/x\u202e", tmp_path, {}, own=())
    folder.rmdir()
    with pytest.raises(ClineError) as error:
        asyncio.run(output.deliver(b"x"))
    assert str(error.value) == "cannot write folder/x<U+202E>: No such file or directory"
    assert error.value.exit_code == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_an_error_is_raised_when_there_is_no_space() -> None:
    before = open_descriptors()
    with pytest.raises(ClineError, match=r"^cannot write /dev/full: No space left on device$"):
        deliver("/dev/full")
    assert open_descriptors() == before


def test_a_device_is_written_to_when_it_is_one() -> None:
    deliver("/dev/null", MUCH)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_terminal_is_written_to_when_it_is_one() -> None:
    reader, writer = pty.openpty()
    try:
        deliver(os.ttyname(writer))
        assert os.read(reader, 100) == b"answer\r\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_every_byte_comes_through_when_a_pipe_has_a_reader(fifo: Path) -> None:
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(fifo.read_bytes()), daemon=True)
    thread.start()
    deliver(fifo, MUCH)
    thread.join(10)
    assert received == [MUCH]
    assert fifo.is_fifo()


def test_others_get_their_turn_when_a_pipe_has_no_reader_yet(fifo: Path) -> None:
    async def main() -> bytes:
        task = asyncio.create_task(check_output(str(fifo), fifo.parent, {}, own=()).deliver(b"answer"))
        await asyncio.sleep(0.1)
        assert not task.done()
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        try:
            await task
            return os.read(reader, 100)
        finally:
            os.close(reader)

    assert asyncio.run(main()) == b"answer"


@pytest.mark.parametrize("has_reader", [False, True])
def test_no_descriptor_stays_open_when_writing_to_a_pipe_is_cancelled(fifo: Path, has_reader: bool) -> None:
    async def main() -> None:
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK) if has_reader else None
        before = open_descriptors()
        task = asyncio.create_task(check_output(str(fifo), fifo.parent, {}, own=()).deliver(MUCH))
        await asyncio.sleep(0.1)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert open_descriptors() == before
        if reader is not None:
            os.close(reader)

    asyncio.run(main())


def test_an_error_is_raised_when_the_reader_of_a_pipe_goes(fifo: Path) -> None:
    async def main() -> None:
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        task = asyncio.create_task(check_output(str(fifo), fifo.parent, {}, own=()).deliver(MUCH))
        await asyncio.sleep(0.1)
        os.close(reader)
        with pytest.raises(ClineError, match="Broken pipe"):
            await task

    asyncio.run(main())


def test_a_pipe_is_not_replaced_when_it_came_after_the_check(tmp_path: Path) -> None:
    output = check_output("late", tmp_path, {}, own=())
    os.mkfifo(tmp_path / "late")
    reader = os.open(tmp_path / "late", os.O_RDONLY | os.O_NONBLOCK)
    try:
        asyncio.run(output.deliver(b"answer"))
        assert os.read(reader, 100) == b"answer"
    finally:
        os.close(reader)
    assert (tmp_path / "late").is_fifo()


def test_nothing_is_waited_for_when_a_socket_came_after_the_check() -> None:
    output = check_output("late", Path.cwd(), {}, own=())
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("late")
        with pytest.raises(ClineError, match="cannot write late: No such device or address"):
            asyncio.run(asyncio.wait_for(output.deliver(b"answer"), 5))


@pytest.mark.parametrize("summary", ["summary.md", "./inner/../summary.md", "link.md"])
def test_the_step_summary_is_appended_to_when_the_path_names_it(tmp_path: Path, summary: str) -> None:
    (tmp_path / "inner").mkdir()
    path = tmp_path / "summary.md"
    (tmp_path / "link.md").symlink_to(path)
    for _ in range(2):
        deliver(path, folder=tmp_path, GITHUB_STEP_SUMMARY=summary)
    assert path.read_bytes() == b"answer\nanswer\n"


def test_a_file_is_replaced_when_it_is_another_one_than_the_step_summary(tmp_path: Path) -> None:
    path = tmp_path / "out.md"
    path.write_bytes(b"old")
    for summary in ("", "summary.md"):
        deliver(path, folder=tmp_path, GITHUB_STEP_SUMMARY=summary, GITHUB_OUTPUT=str(path))
        assert path.read_bytes() == b"answer\n"


@pytest.mark.parametrize("template", ["/dev/fd/{}", "/proc/self/fd/{}", "/dev/./fd/{}"])
def test_it_is_written_behind_all_when_the_path_names_a_descriptor(tmp_path: Path, template: str) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before ")
    with opened(path) as descriptor:
        deliver(template.format(descriptor))
        os.write(descriptor, b"after")
    assert path.read_bytes() == b"before answer\nafter"


def test_a_descriptor_is_refused_when_it_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    with opened(tmp_path / "in", os.O_RDONLY) as descriptor:
        assert f"descriptor {descriptor} is not open for writing" in complaint(f"/dev/fd/{descriptor}")
    assert "descriptor 999999999 is not open for writing" in complaint("/dev/fd/999999999")
    assert "descriptor 9999999999 is not open for writing" in complaint("/dev/fd/9999999999")


def test_a_socket_is_written_to_when_it_is_a_descriptor_of_ours() -> None:
    here, there = socket.socketpair()
    with here, there:
        deliver(f"/dev/fd/{here.fileno()}")
        assert there.recv(100) == b"answer\n"


@pytest.mark.parametrize("name", ["out", "link", "hard"])
def test_nothing_is_lost_when_stdout_goes_to_the_same_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"much that was there ")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "hard").hardlink_to(path)
    with opened(path) as stdout:
        output = check_output(name, tmp_path, {}, own=(stdout,))
        asyncio.run(output.deliver(b"answer "))
        os.write(stdout, b"after")
    assert path.read_bytes() == b"much that was there answer after"


def test_a_file_is_replaced_when_ours_only_read_it(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"old")
    with opened(path, os.O_RDONLY) as stdin:
        asyncio.run(check_output("notes", tmp_path, {}, own=(stdin, 999999)).deliver(b"new"))
        assert os.read(stdin, 10) == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("line", "content"),
    [
        ("$CLINE out > out", b"before\nanswer\nafter\n"),
        ("$CLINE out >> out", b"old\nbefore\nanswer\nafter\n"),
        ("$CLINE /dev/stdout > out", b"before\nanswer\nafter\n"),
        ("$CLINE /dev/stdout | cat > out", b"before\nanswer\nafter\n"),
        ("{ echo first; $CLINE /dev/stdout; echo last; } > out", b"first\nbefore\nanswer\nafter\nlast\n"),
        ("$CLINE /dev/stderr 2> out", b"answer\n"),
        ("$CLINE /dev/fd/3 3> out", b"answer\n"),
        ("$CLINE stdout | cat > out", b"before\nanswer\nafter\n"),
        ("$CLINE out < out", b"answer\n"),
        ("$CLINE >(cat > out); sleep 0.2", b"answer\n"),
    ],
)
def test_the_answer_is_where_the_shell_meant_it_when_descriptors_are_redirected(
    tmp_path: Path, line: str, content: bytes
) -> None:
    (tmp_path / "out").write_bytes(b"old\n")
    (tmp_path / "stdout").symlink_to("/dev/stdout")
    run_shell(line, tmp_path)
    assert (tmp_path / "out").read_bytes() == content
