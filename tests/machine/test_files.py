from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cline_cli.machine.files import (
    ChangedError,
    NotRegularError,
    locked,
    open_folder,
    open_regular,
    scratch_file,
    write_atomic,
    write_confined,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A real path, with nothing in it."""
    path = Path(os.path.realpath(tmp_path)) / "folder"
    path.mkdir()
    return path


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def read(path: Path) -> bytes:
    descriptor = open_regular(path)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


@pytest.mark.usefixtures("umask")
def test_the_umask_is_obeyed_when_a_new_file_is_written(folder: Path) -> None:
    write_atomic(folder / "new", b"text")
    assert (folder / "new").read_bytes() == b"text"
    assert mode_of(folder / "new") == 0o640


@pytest.mark.usefixtures("umask")
def test_a_mode_is_exact_when_it_is_given(folder: Path) -> None:
    write_atomic(folder / "key", b"text", mode=0o666)
    assert mode_of(folder / "key") == 0o666
    write_atomic(folder / "key", b"text", mode=0o600)
    assert mode_of(folder / "key") == 0o600


@pytest.mark.parametrize("mode", [0o755, 0o600, 0o444, 0o4755])
def test_the_mode_is_kept_when_a_file_is_replaced(folder: Path, mode: int) -> None:
    (folder / "script").write_bytes(b"old")
    (folder / "script").chmod(mode)
    write_atomic(folder / "script", b"new")
    assert (folder / "script").read_bytes() == b"new"
    assert mode_of(folder / "script") == mode


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept_when_a_file_is_replaced(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    os.chown(folder / "file", 1234, 2345)
    write_atomic(folder / "file", b"new")
    status = (folder / "file").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


@pytest.mark.skipif(sys.platform != "linux", reason="extended attributes are read as Linux has them")
def test_extended_attributes_are_kept_when_a_file_is_replaced(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    try:
        os.setxattr(folder / "file", "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has none")
    write_atomic(folder / "file", b"new")
    assert os.getxattr(folder / "file", "user.note") == b"kept"


def test_the_target_is_replaced_when_a_link_is_written(folder: Path) -> None:
    (folder / "target").write_bytes(b"old")
    (folder / "link").symlink_to("target")
    write_atomic(folder / "link", b"new")
    assert (folder / "link").is_symlink()
    assert (folder / "target").read_bytes() == b"new"


def test_a_second_name_keeps_the_old_content_when_a_file_is_replaced(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    (folder / "second").hardlink_to(folder / "file")
    write_atomic(folder / "file", b"new")
    assert (folder / "second").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["file", "ü" * 120, "🎉" * 60])
def test_nothing_else_is_left_in_the_folder_when_a_file_is_written(folder: Path, name: str) -> None:
    write_atomic(folder / name, b"text")
    assert names_in(folder) == [name]


def test_nothing_changes_when_a_write_fails(folder: Path) -> None:
    (folder / "is_folder").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        write_atomic(folder / "is_folder", b"text")
    with pytest.raises(FileNotFoundError):
        write_atomic(folder / "none" / "file", b"text")
    with pytest.raises(OSError, match="File name too long"):
        write_atomic(folder / ("x" * 300), b"text")
    assert names_in(folder) == ["is_folder"]


def test_readers_see_old_or_new_when_a_file_is_replaced_again_and_again(folder: Path) -> None:
    path = folder / "file"
    path.write_bytes(b"a" * 100_000)
    ended = threading.Event()

    def write() -> None:
        for letter in (b"b", b"a") * 20:
            write_atomic(path, letter * 100_000)
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not ended.is_set():
        assert path.read_bytes() in {b"a" * 100_000, b"b" * 100_000}
    thread.join()


def test_a_file_is_old_or_new_when_its_writer_is_killed_at_any_moment(folder: Path) -> None:
    program = f"""
import os
from pathlib import Path
from cline_cli.machine.files import write_confined
path = Path({str(folder)!r}) / "file"
for number in range(10**9):
    data = (b"old", b"new")[number % 2] * 100_000
    write_confined(path, data, expected=os.lstat(path))
    print(number, flush=True)
"""
    (folder / "file").write_bytes(b"new" * 100_000)
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    for attempt in range(12):
        with subprocess.Popen([sys.executable, "-c", program], env=variables, stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            writer.stdout.readline()
            time.sleep(attempt * 0.0007)
            writer.kill()
        assert (folder / "file").read_bytes() in {b"old" * 100_000, b"new" * 100_000}
        left = [path.name for path in folder.iterdir() if path.name != "file" and path.is_file()]
        assert not [name for name in left if (folder / name).stat().st_size != 300_000], "a torn one has no name"


def test_missing_folders_are_made_when_a_new_file_is_written_confined(folder: Path) -> None:
    write_confined(folder / "a" / "b" / "file", b"text", expected=None)
    assert (folder / "a" / "b" / "file").read_bytes() == b"text"


def test_a_file_is_replaced_when_it_is_as_it_was_read(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    write_confined(folder / "file", b"new", expected=(folder / "file").stat())
    assert (folder / "file").read_bytes() == b"new"


def test_the_users_version_stays_when_a_file_was_changed_meanwhile(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    expected = (folder / "file").stat()
    (folder / "file").write_bytes(b"user")
    with pytest.raises(ChangedError):
        write_confined(folder / "file", b"new", expected=expected)
    assert (folder / "file").read_bytes() == b"user"


def test_the_users_version_stays_when_a_file_was_made_or_removed_meanwhile(folder: Path) -> None:
    (folder / "file").write_bytes(b"user")
    with pytest.raises(ChangedError):
        write_confined(folder / "file", b"new", expected=None)
    assert (folder / "file").read_bytes() == b"user"
    expected = (folder / "file").stat()
    (folder / "file").unlink()
    with pytest.raises(ChangedError):
        write_confined(folder / "file", b"new", expected=expected)
    assert names_in(folder) == []


def test_no_link_is_followed_when_one_has_appeared_in_the_path(folder: Path) -> None:
    (folder / "outside").mkdir()
    (folder / "outside" / "file").write_bytes(b"outside")
    (folder / "link").symlink_to("outside")
    (folder / "file").symlink_to("outside/file")
    with pytest.raises(OSError, match="Not a directory"):
        read(folder / "link" / "file")
    with pytest.raises(OSError, match="Not a directory"):
        write_confined(folder / "link" / "new", b"new", expected=None)
    with pytest.raises(NotRegularError):
        read(folder / "file")
    with pytest.raises(ChangedError):
        write_confined(folder / "file", b"new", expected=None)
    assert names_in(folder / "outside") == ["file"]
    assert (folder / "outside" / "file").read_bytes() == b"outside"


@pytest.mark.parametrize(("swapped", "target"), [("inner", "outside"), ("inner/file", "../outside/file")])
def test_nothing_outside_is_touched_when_links_are_put_in_the_way(folder: Path, swapped: str, target: str) -> None:
    for name in ("inner", "outside"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)
    place, away, link = folder / swapped, folder / f"{swapped}-away", folder / f"{swapped}-link"
    link.symlink_to(target)
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            with suppress(FileNotFoundError):
                place.rename(away)
                link.rename(place)
                place.rename(link)
                away.rename(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(1_000):
            with suppress(OSError):
                assert read(folder / "inner" / "file") == b"inner"
            with suppress(OSError):
                write_confined(folder / "inner" / "file", b"inner", expected=(folder / "inner" / "file").stat())
    finally:
        ended.set()
        thread.join()
    assert names_in(folder / "outside") == ["file"]
    assert (folder / "outside" / "file").read_text() == "outside"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_stays_when_its_folder_may(folder: Path) -> None:
    (folder / "file").write_bytes(b"old")
    (folder / "file").chmod(0o444)
    with pytest.raises(PermissionError):
        write_confined(folder / "file", b"new", expected=(folder / "file").stat())
    assert (folder / "file").read_bytes() == b"old"


def test_an_ordinary_file_is_read(folder: Path) -> None:
    (folder / "file").write_bytes(b"text")
    assert read(folder / "file") == b"text"


def test_opening_does_not_wait_when_it_is_no_ordinary_file(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "link").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(folder)
        bound.bind("socket")
        kinds = {"fifo": "a named pipe", "socket": "a socket", ".": "a folder", "link": "a symbolic link"}
        for name, kind in kinds.items():
            with pytest.raises(NotRegularError) as caught:
                open_regular(folder.parent / folder.name if name == "." else folder / name)
            assert caught.value.kind == kind
    with pytest.raises(NotRegularError) as caught:
        open_regular(Path("/dev/null"))
    assert caught.value.kind == "a device"


def test_no_descriptor_stays_open_when_a_path_is_walked(folder: Path) -> None:
    before = len(names_in(Path("/dev/fd")))
    for _ in range(3):
        with open_folder(folder):
            pass
        with pytest.raises(FileNotFoundError), open_folder(folder / "none"):
            pass
        with pytest.raises(FileNotFoundError):
            open_regular(folder / "none")
    assert len(names_in(Path("/dev/fd"))) == before


def test_a_scratch_file_can_be_read_from_its_beginning_and_has_no_name() -> None:
    with scratch_file(b"content") as descriptor:
        assert os.read(descriptor, 100) == b"content"
        assert os.fstat(descriptor).st_nlink == 0


def test_a_second_process_waits_when_a_lock_is_held(folder: Path) -> None:
    code = (
        "import fcntl, os, sys\n"
        "descriptor = os.open(sys.argv[1], os.O_RDWR)\n"
        "try:\n"
        "    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except BlockingIOError:\n"
        "    sys.exit(9)\n"
    )
    with locked(folder / "lock"):
        assert subprocess.run([sys.executable, "-c", code, folder / "lock"], check=False).returncode == 9
    assert subprocess.run([sys.executable, "-c", code, folder / "lock"], check=False).returncode == 0
