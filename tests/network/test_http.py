from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from cline_cli.errors import ClineError, ProviderError, ServerError, UnreachableError
from cline_cli.network.http import CutOffError, Network, NoConnectionError
from tests.fake_server import EVENT_STREAM, PATH, FakeServer, Turn, hang, slow, status, stream_bytes, text

BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
CERTIFICATE = Path(__file__).with_name("localhost.pem")


async def post(url: str, network: Network | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    network = network or Network()
    try:
        async with network.post(url, headers or {}, BODY) as response:
            return response.status, await response.read(10**6)
    finally:
        await network.close()


def play(turn: Turn, network: Network | None = None) -> tuple[int, bytes]:
    with FakeServer(turn) as server:
        return asyncio.run(post(server.origin + PATH, network))


def fail(url: str, network: Network | None = None) -> ClineError:
    with pytest.raises(ClineError) as caught:
        asyncio.run(post(url, network))
    return caught.value


def test_answer_comes_with_status_headers_and_bytes_when_the_server_answers() -> None:
    async def ask(url: str) -> None:
        network = Network()
        async with network.post(url, {"X-Case": "one"}, BODY) as response:
            assert response.status == 418
            assert response.headers["x-request-id"] == "r1"
            assert await response.read(10**6) == b"short and stout"
        await network.close()
        await network.close()

    with FakeServer(status(418, "short and stout", {"X-Request-Id": "r1"})) as server:
        asyncio.run(ask(server.origin + PATH))
    assert server.requests[0].headers["x-case"] == "one"
    assert server.requests[0].size_bytes == len(BODY)


def test_bytes_come_as_they_are_sent_when_the_answer_is_streamed() -> None:
    async def first_chunk(url: str) -> bytes:
        network = Network()
        async with network.post(url, {}, BODY) as response:
            first = await response.receive()
        await network.close()
        return first

    with FakeServer(stream_bytes(b"data: x\n\n", then="hang")) as server:
        assert asyncio.run(first_chunk(server.origin + PATH)) == b"data: x\n\n"


def test_one_connection_serves_all_requests_when_each_answer_was_read() -> None:
    async def ask(url: str) -> None:
        network = Network()
        for _ in range(3):
            async with network.post(url, {}, BODY) as response:
                while b"[DONE]" not in await response.receive():
                    pass
                await response.drain(5)
        await network.close()

    with FakeServer(*[text("hi")] * 3) as server:
        asyncio.run(ask(server.origin + PATH))
    assert server.connections == 1


def test_drain_gives_up_when_the_server_does_not_end() -> None:
    async def ask(url: str) -> None:
        network = Network()
        async with network.post(url, {}, BODY) as response:
            await response.drain(0.01)
        await network.close()

    with FakeServer(stream_bytes(b"data: x\n\n", then="hang")) as server:
        asyncio.run(ask(server.origin + PATH))


def test_read_is_bounded_when_the_body_is_long() -> None:
    async def ask(url: str) -> bytes:
        network = Network()
        async with network.post(url, {}, BODY) as response:
            body = await response.read(10)
        await network.close()
        return body

    with FakeServer(status(500, "x" * 1000)) as server:
        assert asyncio.run(ask(server.origin + PATH)) == b"x" * 10


def test_body_is_decompressed_when_it_is_gzipped() -> None:
    turn = Turn((gzip.compress(b"data: x\n\n"),), headers={**EVENT_STREAM, "Content-Encoding": "gzip"})
    assert play(turn) == (200, b"data: x\n\n")


def test_answer_counts_as_cut_off_when_its_compression_is_broken() -> None:
    turn = Turn((b"no gzip at all",), headers={**EVENT_STREAM, "Content-Encoding": "gzip"})
    with pytest.raises(CutOffError, match="cannot be decompressed: it is damaged"):
        play(turn)


def refused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_host_port_and_cause_are_named_when_the_connection_is_refused() -> None:
    url = refused_url()
    error = fail(url)
    assert isinstance(error, NoConnectionError)
    assert error.message == f"cannot reach {url[7:-1]}: connection refused"
    assert error.hint == "Check the network and the base URL"


def test_host_is_named_when_it_does_not_exist() -> None:
    host = "a" * 64 + ".invalid"  # too long for a label, so that no resolver is asked
    error = fail(f"https://user:secret@{host}/path?secret")
    assert isinstance(error, NoConnectionError)
    assert error.message == f"cannot reach {host}:443: there is no host of that name"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/path",
        "ftp://host/",
        "http://",
        "https:///x",
        "http://[::1",
        "http://xn--/",
        "http://\0/",
        "http://\ud800/",
    ],
)
def test_url_is_refused_when_it_is_none(url: str) -> None:
    error = fail(url)
    assert isinstance(error, UnreachableError)
    assert not isinstance(error, NoConnectionError)
    assert "that is not a URL" in error.message
    assert "cline auth -b URL" in error.hint


def test_secrets_of_a_url_are_left_out_when_it_is_wrong() -> None:
    assert "secret" not in str(fail("ftp://user:secret@host/?key=secret"))


@pytest.mark.parametrize("then", ["close", "reset"])
def test_answer_counts_as_cut_off_when_the_connection_breaks(then: str) -> None:
    with pytest.raises(CutOffError, match=r"the connection to 127\.0\.0\.1:\d+ broke off"):
        play(Turn((b"data: x\n\n",), then="close" if then == "close" else "reset"))


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_answer_counts_as_cut_off_when_it_is_not_whole(answer: bytes) -> None:
    async def ask() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(BODY)
            writer.write(answer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            await post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    with pytest.raises(CutOffError):
        asyncio.run(ask())


@pytest.mark.parametrize("turn", [hang(), stream_bytes(b"data: x\n\n", then="hang"), slow(["a"] * 9, 60)])
def test_request_ends_when_the_server_stays_silent(turn: Turn) -> None:
    with pytest.raises(ServerError, match=r"sent nothing for 0\.05 s: timed out") as caught:
        play(turn, Network(idle_s=0.05))
    assert not isinstance(caught.value, CutOffError)


def test_request_ends_when_its_answer_comes_for_ever() -> None:
    with FakeServer(slow(["a"] * 1000, 0.01)) as server:
        error = fail(server.origin + PATH, Network(request_s=0.1, idle_s=50))
    assert isinstance(error, ServerError)
    assert not isinstance(error, CutOffError)
    assert re.fullmatch(r"the request to 127\.0\.0\.1:\d+ took longer than 0\.1 s in all: timed out", error.message)
    assert "--request-timeout" in error.hint


def test_request_ends_when_no_answer_comes_in_all_its_time() -> None:
    with FakeServer(hang()) as server:
        assert "0.05 s in all" in fail(server.origin + PATH, Network(request_s=0.05, idle_s=50)).message


def test_answer_may_take_any_time_when_no_end_is_set() -> None:
    assert play(slow(["a"] * 5, 0.01), Network(request_s=None))[0] == 200


def test_request_ends_when_the_server_takes_none_of_it() -> None:
    async def ask() -> ClineError:
        async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.close()

        over = asyncio.Event()
        async with await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
            network = Network(idle_s=0.1)
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            with pytest.raises(ClineError) as caught:
                async with network.post(url, {}, b"x" * (32 << 20)):
                    pass
            await network.close()
            over.set()
        return caught.value

    assert re.fullmatch(r"127\.0\.0\.1:\d+ took nothing for 0\.1 s: timed out", asyncio.run(ask()).message)


def test_request_ends_when_no_connection_comes_about() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:  # fills the queue of the listener, so that the next one is left waiting
            client.setblocking(False)
            client.connect_ex(address)
        error = fail(f"http://127.0.0.1:{address[1]}/", Network(connect_s=0.1))
        for client in waiting:
            client.close()
    assert not isinstance(error, NoConnectionError)
    assert error.message == f"cannot reach 127.0.0.1:{address[1]}: timed out after 0.1 s"


def test_redirect_is_not_followed_when_a_server_asks_for_it() -> None:
    with FakeServer(status(302, "", {"Location": "https://u:p@evil.example/sk-echoed?k=sk-echoed"})) as server:
        error = fail(server.origin + PATH)
    assert type(error) is ProviderError
    assert "redirects to evil.example:443, which is not followed" in error.message
    assert "sk-echoed" not in str(error)
    assert len(server.requests) == 1


def test_redirect_is_not_followed_when_it_stays_on_the_host() -> None:
    with FakeServer(status(308, "", {"Location": "/v2"})) as server:
        assert "redirects to another path" in fail(server.origin + PATH).message


@pytest.mark.parametrize("value", ["Bearer sk-\u00e9", "Bearer sk-secret\r\nX: y"])
def test_key_stays_secret_when_it_cannot_be_a_header(value: str) -> None:
    with FakeServer() as server, pytest.raises(ProviderError, match="a header of it is not valid") as caught:
        asyncio.run(post(server.origin + PATH, headers={"Authorization": value}))
    assert "sk-" not in str(caught.value)


def test_proxy_is_used_when_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    with FakeServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        asyncio.run(post("http://host.invalid/v1"))
        assert proxy.requests[0].path == "http://host.invalid/v1"
        proxy.failures.clear()


def test_proxy_is_named_when_it_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", refused_url())
    assert "the proxy in $HTTPS_PROXY" in fail("https://host.invalid/v1").hint


def test_proxy_is_named_when_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")

    async def ask() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await post("https://host.invalid/v1")

    with pytest.raises(UnreachableError, match="the proxy refused: 407"):
        asyncio.run(ask())


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1"])
def test_proxy_is_refused_when_it_is_of_another_kind(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("ALL_PROXY", proxy)
    assert fail("http://host.invalid/").message == "cannot use the proxy in $ALL_PROXY"


def with_tls(action: Callable[[str], object]) -> object:
    async def serve_and_act() -> object:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(BODY)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(action, f"https://127.0.0.1:{port}/")

    return asyncio.run(serve_and_act())


def test_remedy_is_named_when_a_certificate_is_not_trusted() -> None:
    error = with_tls(fail)
    assert isinstance(error, UnreachableError)
    assert not isinstance(error, NoConnectionError)
    assert "cannot trust 127.0.0.1:" in error.message
    assert "self-signed certificate" in error.message
    assert "SSL_CERT_FILE" in error.hint


@pytest.mark.parametrize("name", ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"])
def test_certificate_is_trusted_when_a_variable_names_its_file(name: str) -> None:
    assert with_tls(lambda url: asyncio.run(post(url, Network(variables={name: str(CERTIFICATE)})))) == (200, b"hi")


def test_certificate_is_trusted_when_openssl_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert with_tls(lambda url: asyncio.run(post(url))) == (200, b"hi")


def test_variable_is_named_when_its_certificates_cannot_be_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    for path, reason in ((broken, ""), (tmp_path / "none.pem", "No such file or directory")):
        error = fail("https://127.0.0.1:1/", Network(variables={"NODE_EXTRA_CA_CERTS": str(path)}))
        assert f"cannot use the certificates in {path}: {reason}" in error.message
        assert "$NODE_EXTRA_CA_CERTS" in error.hint


def test_scheme_is_doubted_when_the_server_speaks_no_tls() -> None:
    with FakeServer() as server:
        error = fail(server.origin.replace("http:", "https:"))
    assert "TLS failed" in error.message
    assert error.hint == "Is it http:// instead of https://?"
