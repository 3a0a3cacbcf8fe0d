"""A provider at the other end of a line: sends a request, waits, tries again, and gives out what its codec reads.

    write ──> post ──> receive ──> read ──> deltas, one message
      ^         └ a failure ──> relax, or wait and try again, or give up
      └─────────────────────────┘

Nothing of a reply counts until it is whole: when one breaks off, what was given out is discarded and the request is
made once more. So no tool ever runs because of a reply that was cut, nor twice because it was asked for twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

from cline_cli import __version__
from cline_cli.agent.provider import Delta, ReplyDiscarded, Request, Waiting
from cline_cli.errors import KeyRefusedError, ProviderError, ServerError
from cline_cli.network.http import CutOffError, Network, NoConnectionError, Response
from cline_cli.network.retry import Failure, RetryBudget, choose_delay_s, is_too_long, read_asked_s, say_return
from cline_cli.network.sse import MAX_EVENT_BYTES
from cline_cli.providers import Endpoint
from cline_cli.providers._codec import Codec, Reader, ReplyDelta, ServerSaidError
from cline_cli.providers._complaints import MAX_ERROR_BYTES, Complaint, read_answer, read_error, to_error
from cline_cli.redaction import Redactor

DRAIN_S = 0.1
"""How long the end of a reply that is done is waited for, to keep its connection."""


class Remote:
    """The provider at an endpoint, over one wire format, for one run."""

    def __init__(  # the last three are for tests
        self,
        endpoint: Endpoint,
        network: Network,
        codec: Codec,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._network = network
        self._codec = codec
        self._sleep = sleep
        self._jitter = jitter
        self._now = now
        self._budget = RetryBudget()
        self._redactor = Redactor([endpoint.key])

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one reply, and its message last.

        Raises:
            ProviderError: of the kind that fits; what was worth another try has been tried again.
        """
        headers = {"Content-Type": "application/json", "User-Agent": f"Cline/{__version__}"}
        headers |= self._codec.headers(self._endpoint)
        body = self._codec.write(request)
        failures = 0
        while True:
            reader = self._codec.read(request)
            is_shown = False
            try:
                async with aclosing(self._try(headers, body, reader, request)) as deltas:
                    async for delta in deltas:
                        is_shown = True
                        yield delta
                message = reader.finish()
            except (_TryFailedError, ProviderError) as error:
                failed = self._explain(error)
            else:
                yield replace(message, model=self._redactor.redact(message.model))
                return
            if failed.complaint and (cause := self._codec.relax(failed.complaint, failed.error)):
                body, before = self._codec.write(request), body
                if body != before:
                    if is_shown:
                        yield ReplyDiscarded(cause)
                    continue
            failures += 1
            delay_s = choose_delay_s(failed.failure, failures, failed.asked_s, self._jitter())
            if delay_s is None or self._endpoint.is_tried_once:
                raise self._give_up(failed, failures)
            if not self._budget.spend(delay_s):
                failed.error.message += f", and {self._budget.describe()} have been spent in this run"
                raise self._give_up(failed, failures)
            if is_shown:
                yield ReplyDiscarded(failed.cause)
            yield Waiting(delay_s, failed.cause)
            await self._sleep(delay_s)

    def measure(self, request: Request) -> int:
        """Return the size of the body that this request would send, in bytes."""
        return len(self._codec.write(request))

    async def close(self) -> None:
        await self._network.close()

    async def _try(
        self, headers: Mapping[str, str], body: bytes, reader: Reader, request: Request
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Send the request once and yield what comes; the reader is then finished."""
        url = self._codec.address(self._endpoint.base_url, request)
        async with self._network.post(url, headers, body) as response:
            kind = response.headers.get("content-type", "").lower()
            if not 200 <= response.status < 300:
                raise await self._refused(response, url, request.model)
            if "html" in kind:
                message = f"{self._endpoint.provider} answered with a web page at {url}"
                raise ProviderError(message, "Check the base URL; `cline auth -b URL` saves one")
            try:
                if "json" in kind:
                    for delta in reader.feed_whole(await response.read(MAX_EVENT_BYTES + 1)):
                        yield delta
                while not reader.is_done and (chunk := await _receive(response, reader)):
                    for delta in reader.feed(chunk):
                        yield delta
            except ServerSaidError as error:
                raise self._failed(read_error(error.said, self._endpoint.key), url, request.model) from None
            await response.drain(DRAIN_S)

    async def _refused(self, response: Response, url: str, model: str) -> _TryFailedError:
        try:
            body = await response.read(MAX_ERROR_BYTES)
        except ServerError:  # the status alone says enough
            body = b""
        complaint = read_answer(response.status, response.headers, body, self._endpoint.key)
        asked_s = read_asked_s(response.headers, self._now())
        return self._failed(complaint._replace(asked_s=asked_s or complaint.asked_s), url, model)

    def _explain(self, error: _TryFailedError | ProviderError) -> _TryFailedError:
        """Return what a try came to; raises what is not worth another one."""
        if isinstance(error, _TryFailedError):
            return error
        # Another server may be named in it, or whatever else an answer is made of.
        error.message = self._redactor.redact(error.message)
        if not isinstance(error, CutOffError | NoConnectionError):
            raise error
        return _TryFailedError("no connection" if isinstance(error, NoConnectionError) else "cut off", error)

    def _failed(self, complaint: Complaint, url: str, model: str) -> _TryFailedError:
        what = "rate limit" if complaint.status == 429 else "server error"
        error = to_error(complaint, self._endpoint, url, model)
        cause = f"{what} ({complaint.status})"
        return _TryFailedError(complaint.status, error, cause, complaint=complaint)

    def _give_up(self, failed: _TryFailedError, failures: int) -> ProviderError:
        """Return the error of the last try, with how many there were, or when the server wants to be asked again."""
        error = failed.error
        if failures > 1:
            error.message += f" ({failures} tries)"
        if failed.asked_s is not None and is_too_long(failed.failure, failed.asked_s):
            error.hint = f"Try again {say_return(failed.asked_s, self._now())}"
        return error


class _TryFailedError(Exception):
    """One try did not give a reply; `error` is what it comes to if there is no other."""

    def __init__(
        self, failure: Failure, error: ProviderError, cause: str = "", complaint: Complaint | None = None
    ) -> None:
        super().__init__()
        self.failure = failure
        self.error = error
        self.cause = cause or error.message
        """In few words, for whoever waits."""
        self.complaint = complaint
        """None where the server did not get to say anything."""
        self.asked_s = complaint.asked_s if complaint else None


def bearer(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the header that most formats carry a key in; none without one.

    Raises:
        KeyRefusedError: the key cannot be sent.
    """
    return {"Authorization": f"Bearer {sendable_key(endpoint)}"} if endpoint.key else {}


def sendable_key(endpoint: Endpoint) -> str:
    """Return the key, which can stand in a header.

    Raises:
        KeyRefusedError: it cannot.
    """
    if not endpoint.key.isascii() or not endpoint.key.isprintable() or " " in endpoint.key:
        message = f"the key from {endpoint.key_source} is unauthorized: it holds a space or a strange character"
        raise KeyRefusedError(message, f"Give another one with `cline auth {endpoint.provider}`")
    return endpoint.key


async def _receive(response: Response, reader: Reader) -> bytes:
    """Return the next piece; once the reply is whole, it does not matter how its stream ends."""
    try:
        return await response.receive()
    except ServerError:
        if reader.is_finished:
            return b""
        raise
