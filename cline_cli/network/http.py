"""The client every request goes through: one connection for a run, deadlines, and failures put into plain words.

Nothing else imports httpx, and no exception of httpx leaves this module: it raises the errors of `errors.py` and the
two below, which mean "worth another try". No message here is made from a header or a body that was sent, so that no key
can be in one. Redirects are followed only where nothing but an address is sent: a key would go along.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from cline_cli.errors import ProviderError, ServerError, UnreachableError
from cline_cli.network.deadline import Deadline
from cline_cli.network.decoding import ACCEPTED, Decoder, UndecodableError
from cline_cli.network.trust import load_trust
from cline_cli.text import one_line

if TYPE_CHECKING:
    import httpx

CONNECT_S = 10.0
IDLE_S = 300.0
"""How long a server may stay silent, before its answer or in the middle of it."""
REQUEST_S = 1800.0
"""How long a request may take, from its first byte to the last one of its answer."""
QUICK_S = 2.0
"""A connection that fails within this time is worth another try; three tries then take less than ten seconds."""
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


class NoConnectionError(UnreachableError):
    """No connection came about, quickly: another try may succeed."""


class CutOffError(ServerError):
    """The connection broke before the answer was whole: another try may succeed."""


class Response:
    """An answer whose body is still to come; made by `Network.post` and `get`, and of use inside their blocks."""

    def __init__(
        self, response: httpx.Response, place: str, deadline: Deadline, explain: Callable[[Exception], ProviderError]
    ) -> None:
        self.status = response.status_code
        self.place = place
        """Who was asked, for messages: "host:port"."""
        self.headers: Mapping[str, str] = dict(response.headers.items())
        """Names in lower case."""
        self._chunks = response.aiter_raw()
        self._decoder = Decoder(self.headers.get("content-encoding", ""))
        self._pieces: Iterator[bytes] = iter(())
        """Of the chunk that came last, what has not been given out."""
        self._deadline = deadline
        self._explain = explain

    async def receive(self) -> bytes:
        """Return the next piece of the body, decompressed; b"" at its end.

        Raises:
            CutOffError: it broke off.
            ServerError: nothing came for too long, or all of it has taken too long.
        """
        try:
            return await self._deadline.wait_for(self._take_piece())
        except _failures() as error:
            raise self._explain(error) from None

    async def _take_piece(self) -> bytes:
        piece = next(self._pieces, b"")
        if piece:
            await asyncio.sleep(0)  # a chunk may hold a thousand times its size: signals and deadlines come through
        while not piece:
            chunk = await anext(self._chunks, b"")
            if not chunk:
                break
            self._pieces = self._decoder.feed(chunk)
            piece = next(self._pieces, b"")
        return piece

    async def read(self, max_bytes: int) -> bytes:
        """Return the rest of the body, or no more than its first `max_bytes`.

        Raises:
            ServerError: as for `receive`.
        """
        body = bytearray()
        while len(body) < max_bytes and (chunk := await self.receive()):
            body += chunk
        return bytes(body[:max_bytes])

    async def drain(self, timeout_s: float) -> None:
        """Wait for the end of a body that has nothing more to say, so that the connection can be used again."""
        with contextlib.suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(timeout_s):
                while await self.receive():
                    pass

    async def aclose(self) -> None:
        """Let go of what is still to come."""
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()


class Network:
    """The way out of this process; used within one event loop, and closed at its end."""

    def __init__(
        self,
        *,
        connect_s: float = CONNECT_S,
        idle_s: float = IDLE_S,
        request_s: float | None = REQUEST_S,
        variables: Mapping[str, str] = os.environ,
    ) -> None:
        """`request_s` is for all of a request, its answer among it; None is for what may be of any size."""
        self._connect_s = connect_s
        self._idle_s = idle_s
        self._request_s = request_s
        self._variables = variables
        self._clients: dict[str, httpx.AsyncClient] = {}

    @contextlib.asynccontextmanager
    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> AsyncGenerator[Response, None]:
        """Send a request and give its answer, whatever its status; leaving the block lets go of it.

        Raises:
            NoConnectionError, CutOffError: worth another try.
            UnreachableError, ServerError, ProviderError: not worth one.
        """
        async with self._exchange("POST", url, headers, body) as response:
            yield response

    @contextlib.asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Response, None]:
        """Ask for what is public, follow redirects, and give the answer; `headers` go along and hold no secret.

        Raises:
            NoConnectionError, CutOffError, UnreachableError, ServerError, ProviderError: as for `post`.
        """
        async with self._exchange("GET", url, headers, None, follows=True) as response:
            yield response

    @contextlib.asynccontextmanager
    async def inquire(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Response, None]:
        """Ask a server that is sent a key, and give its answer; a redirect is not followed.

        Raises:
            NoConnectionError, CutOffError, UnreachableError, ServerError, ProviderError: as for `post`.
        """
        async with self._exchange("GET", url, headers, None) as response:
            yield response

    @contextlib.asynccontextmanager
    async def visit(self, url: str, headers: Mapping[str, str], address: str) -> AsyncGenerator[Response, None]:
        """Ask a stranger's server for a page and give its answer; a redirect is an answer, too.

        `address` is the IP address to connect to, whatever the name in the URL leads to by then; empty leaves that to
        the proxy on the way.

        Raises:
            NoConnectionError, CutOffError, UnreachableError, ServerError, ProviderError: as for `post`.
        """
        async with self._exchange("GET", url, headers, None, address=address, takes_redirects=True) as response:
            yield response

    @contextlib.asynccontextmanager
    async def _exchange(  # noqa: PLR0913  # the ways in which the four above differ
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        follows: bool = False,
        address: str = "",
        takes_redirects: bool = False,
    ) -> AsyncGenerator[Response, None]:
        place = _place_of(url)
        started = asyncio.get_running_loop().time()
        deadline = Deadline(place, self._request_s)
        try:
            client = self._client_for(is_secure=follows or url.lower().startswith("https:"))
            accepted = {"Accept-Encoding": ACCEPTED}
            request = client.build_request(method, url, headers={**accepted, **headers}, content=body)
            if address:  # the Host header is made already, and the certificate has to be that of the name
                request.extensions["sni_hostname"] = request.url.host
                request.url = request.url.copy_with(host=address)
            answer = await deadline.wait_for(client.send(request, stream=True, follow_redirects=follows))
        except _failures() as error:
            is_quick = asyncio.get_running_loop().time() - started < QUICK_S
            raise self._explain(error, place, is_quick=is_quick) from None
        try:
            if answer.has_redirect_location and not takes_redirects:
                raise _redirected(place, answer.headers["location"])
            async with contextlib.aclosing(self._open(answer, place, deadline)) as response:
                yield response
        finally:
            await answer.aclose()

    def _open(self, answer: httpx.Response, place: str, deadline: Deadline) -> Response:
        """Return an answer to be read; raises ProviderError: nobody here can read it."""
        try:
            return Response(answer, place, deadline, lambda error: self._explain(error, place, is_quick=False))
        except UndecodableError as error:
            message = f"{place} sent an answer that cannot be read: {error}"
            raise ProviderError(message, "Something on the way to it may do that: a proxy, a gateway") from None

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        while self._clients:
            await self._clients.popitem()[1].aclose()

    def _client_for(self, *, is_secure: bool) -> httpx.AsyncClient:
        """Return the client for a scheme: only that for https pays for reading certificates (20 ms)."""
        import httpx  # lazy: 60 ms, and a run on an embedded model needs no network

        client = self._clients.get("https" if is_secure else "http")
        if client is None:
            trust = load_trust(self._variables) if is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            timeout = httpx.Timeout(self._idle_s, connect=self._connect_s, pool=None)
            try:
                client = httpx.AsyncClient(verify=trust, timeout=timeout, limits=httpx.Limits(keepalive_expiry=None))
            except (ValueError, ImportError, httpx.InvalidURL):
                hint = "It has to look like http://host:port; SOCKS is not supported"
                raise UnreachableError(f"cannot use the proxy in ${self._proxy_variable()}", hint) from None
            self._clients["https" if is_secure else "http"] = client
        return client

    def _proxy_variable(self) -> str:
        return next((name for name in PROXY_VARIABLES if self._variables.get(name)), "")

    def _explain(self, error: Exception, place: str, *, is_quick: bool) -> ProviderError:
        """Return our error for one of httpx, raised on the way to or from `place`."""
        import httpx  # lazy: as above

        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | httpx.ProxyError):
            return self._unreachable(error, place, is_quick=is_quick)
        if isinstance(error, httpx.TimeoutException):
            verb = "took" if isinstance(error, httpx.WriteTimeout) else "sent"
            hint = "Try again later, or wait longer with --idle-timeout"
            return ServerError(f"{place} {verb} nothing for {self._idle_s:g} s: timed out", hint)
        if isinstance(error, httpx.TooManyRedirects):
            return ProviderError(f"{place} redirects again and again")
        if isinstance(error, httpx.LocalProtocolError | UnicodeEncodeError):
            return ProviderError(f"cannot send the request to {place}: a header of it is not valid")
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | UnicodeError):
            hint = "A base URL looks like https://host/path; save another with `cline auth -b URL`"
            return UnreachableError(f"cannot reach {place}: that is not a URL", hint)
        what = f"the connection to {place} broke off"
        if isinstance(error, UndecodableError):
            what = f"{place} sent an answer that cannot be decompressed: {error}"
        return CutOffError(what, "Try again later")

    def _unreachable(self, error: httpx.TransportError, place: str, *, is_quick: bool) -> UnreachableError:
        import httpx  # lazy: as above

        proxy = self._proxy_variable()
        suspects = f"the network, the base URL and the proxy in ${proxy}" if proxy else "the network and the base URL"
        hint = f"Check {suspects}"
        if isinstance(error, httpx.ProxyError):
            return UnreachableError(f"cannot reach {place}: the proxy refused: {one_line(str(error), 200)}", hint)
        if isinstance(error, httpx.ConnectTimeout):
            return UnreachableError(f"cannot reach {place}: timed out after {self._connect_s:g} s", hint)
        cause = _cause_of(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "If you trust it, put its authority's certificate into a file and set SSL_CERT_FILE to that file"
            return UnreachableError(f"cannot trust {place}: {one_line(cause.verify_message, 200)}", hint)
        if isinstance(cause, ssl.SSLError):
            hint = "Is it http:// instead of https://?"
            return UnreachableError(f"cannot reach {place}: TLS failed ({cause.reason or 'no reason given'})", hint)
        kind = NoConnectionError if is_quick else UnreachableError
        return kind(f"cannot reach {place}: {_words_for(cause)}", hint)


def _failures() -> tuple[type[Exception], ...]:
    """Return what may be raised while a request is under way; asked for only when something was."""
    import httpx  # lazy: as above

    return (httpx.HTTPError, httpx.InvalidURL, UnicodeError, UndecodableError)


def _place_of(url: str) -> str:
    """Return "host:port" for messages, or the URL itself, without what may be secret in it, if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.hostname is None or port is None:
        return repr(one_line(url.rpartition("@")[2].partition("?")[0], 80))
    host = one_line(parts.hostname, 200)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _redirected(place: str, location: str) -> ProviderError:
    """Name the other host, but not the path: a server may put into it what it was sent."""
    target = _place_of(location) if "://" in location else "another path"
    return ProviderError(
        f"{place} redirects to {target}, which is not followed because the key would go along",
        "If that is right, save it as the base URL with `cline auth -b URL`",
    )


def _cause_of(error: BaseException) -> OSError | None:
    """Return what the operating system or TLS said, from under the layers of the client."""
    while True:
        if isinstance(error, OSError) and (error.errno is not None or isinstance(error, ssl.SSLError)):
            return error
        inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
        if inner is None:
            return None
        error = inner


def _words_for(cause: OSError | None) -> str:
    if isinstance(cause, socket.gaierror):
        return "there is no host of that name"
    return os.strerror(cause.errno).lower() if cause and cause.errno else "no connection"


def check_proxies(variables: Mapping[str, str]) -> None:
    """See that the proxies of the environment can be used, as far as that is known without a connection.

    Raises:
        UnreachableError: one of them cannot.
    """
    Network(variables=variables)._client_for(is_secure=False)  # any client takes all of them
