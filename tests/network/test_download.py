from __future__ import annotations

import asyncio
import gzip
import socket
from contextlib import aclosing

import pytest

from cline_cli.errors import ClineError, ProviderError, UnreachableError
from cline_cli.network.download import download
from cline_cli.network.http import CutOffError, Network
from tests.network.file_server import FileServer

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)


def fetch(url: str, offset: int = 0, received: bytearray | None = None) -> bytes:
    received = bytearray() if received is None else received

    async def no_pause(delay_s: float) -> None:
        assert 0 < delay_s < 10

    async def run() -> bytes:
        network = Network(connect_s=2, idle_s=2, variables={})
        try:
            async with aclosing(download(network, url, offset, SIZE, no_pause)) as chunks:
                async for chunk in chunks:
                    received.extend(chunk)
        finally:
            await network.close()
        return bytes(received)

    return asyncio.run(run())


def fail(server: FileServer, offset: int = 0) -> ClineError:
    with server.serve(), pytest.raises(ClineError) as caught:
        fetch(server.url, offset)
    return caught.value


@pytest.mark.parametrize("is_chunked", [False, True])
def test_the_whole_file_comes_when_nothing_is_there(is_chunked: bool) -> None:
    with FileServer(CONTENT, is_chunked=is_chunked).serve() as server:
        assert fetch(server.url) == CONTENT
    assert server.ranges == [None]


def test_only_the_rest_is_asked_for_when_some_is_there() -> None:
    with FileServer(CONTENT).serve() as server:
        assert fetch(server.url, 1000) == CONTENT[1000:]
    assert server.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_what_is_there_is_passed_over_when_the_server_knows_no_ranges(is_chunked: bool) -> None:
    with FileServer(CONTENT, has_ranges=False, is_chunked=is_chunked).serve() as server:
        assert fetch(server.url, 1000) == CONTENT[1000:]


def test_it_goes_on_where_it_was_when_the_connection_breaks_off() -> None:
    with FileServer(CONTENT, cuts=[3000, 0, 50]).serve() as server:
        assert fetch(server.url) == CONTENT
    assert server.ranges == [None, "bytes=3000-", "bytes=3000-", "bytes=3050-"]


def test_it_never_gives_up_when_every_connection_brings_something() -> None:
    with FileServer(CONTENT, cuts=[1000] * 9).serve() as server:
        assert fetch(server.url) == CONTENT


def test_what_came_before_the_cut_is_given_when_it_breaks_off_too_often() -> None:
    received = bytearray()
    with FileServer(CONTENT, cuts=[70, 0, 0, 0, 0, 0]).serve() as server, pytest.raises(CutOffError):
        fetch(server.url, 0, received)
    assert received == CONTENT[:70]
    assert server.ranges == [None, *["bytes=70-"] * 4]


def test_a_redirect_is_followed_when_the_file_lies_elsewhere() -> None:
    with FileServer(CONTENT, redirects_from="/resolve/main/x").serve() as server:
        assert fetch(f"{server.origin}/resolve/main/x", 10) == CONTENT[10:]
    assert server.ranges == ["bytes=10-"]


def test_it_ends_when_redirects_go_in_a_circle() -> None:
    error = fail(FileServer(CONTENT, redirects_from="/file.gguf"))
    assert str(error).endswith("redirects again and again")


@pytest.mark.parametrize("offset", [0, 1000])
def test_nothing_is_taken_when_the_server_has_a_file_of_another_size(offset: int) -> None:
    error = fail(FileServer(CONTENT, told_bytes=77), offset)
    assert "has 77 bytes instead of 10240" in str(error)


def test_nothing_is_taken_when_the_range_is_another() -> None:
    assert "another part of the file" in str(fail(FileServer(CONTENT, is_shifted=True), 1000))


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_the_status_is_told_when_it_is_no_success(status: int) -> None:
    error = fail(FileServer(b"no", status=status))
    assert isinstance(error, ProviderError)
    assert f"HTTP {status} instead of the file" in str(error)


def test_a_compressed_answer_is_unpacked_when_the_server_insists() -> None:
    with FileServer(gzip.compress(CONTENT), encoding="gzip").serve() as server:
        assert fetch(server.url) == CONTENT


def test_nothing_is_taken_when_a_part_of_a_compressed_file_comes() -> None:
    assert "another part" in str(fail(FileServer(CONTENT, encoding="gzip"), 1000))


def test_one_sentence_tells_when_nobody_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with pytest.raises(UnreachableError, match=f"cannot reach 127.0.0.1:{port}: connection refused"):
            fetch(f"http://127.0.0.1:{port}/file")


def test_no_password_is_told_when_the_address_holds_one() -> None:
    with FileServer(b"no", status=401).serve() as server, pytest.raises(ProviderError) as caught:
        fetch(server.url.replace("://", "://user:hunter2@") + "?token=hunter2")
    assert "hunter2" not in str(caught.value)
