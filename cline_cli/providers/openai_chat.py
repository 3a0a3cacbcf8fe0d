"""The wire format of chat completions: the Cline API, OpenRouter, and whatever else speaks OpenAI's.

Sources: requests and streams of the original command (3.x) as observed in 2026-11, the documentation of the Cline API
(docs.cline.bot/api) and of OpenRouter (openrouter.ai/docs), both read 2026-11.

    Request ──RequestWriter──> body ──POST {base}/chat/completions──> bytes ──ReplyReader──> deltas, one message
                                                                       └─ an error ──read_answer, to_error──> ours

The three are pure; this module sends, waits and tries again. Nothing of a reply counts until it is whole: when one
breaks off, what was given out is discarded and the request is made once more.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

from cline_cli import __version__
from cline_cli.agent.messages import AssistantMessage, Message
from cline_cli.agent.provider import Delta, Provider, ReplyDiscarded, Request, Waiting
from cline_cli.config.paths import Paths
from cline_cli.errors import KeyRefusedError, ProviderError, ServerError
from cline_cli.network.http import CutOffError, Network, NoConnectionError, Response
from cline_cli.network.retry import MAX_WAIT_S, Failure, choose_delay_s, read_asked_s, say_duration
from cline_cli.network.sse import MAX_EVENT_BYTES
from cline_cli.providers import Endpoint
from cline_cli.providers._openai_errors import MAX_ERROR_BYTES, Complaint, read_answer, read_error, to_error
from cline_cli.providers._openai_reply import ReplyDelta, ReplyReader, ServerSaidError
from cline_cli.providers._openai_request import GATEWAYS, RequestWriter
from cline_cli.providers._openai_schema import is_about_schema

DRAIN_S = 0.1
"""How long the end of a reply that is done is waited for, to keep its connection."""


def connect(endpoint: Endpoint, network: Network, paths: Paths) -> Provider:  # noqa: ARG001  # as every provider's
    """Return the provider at an endpoint. Sends nothing yet."""
    return OpenAIChat(endpoint, network)


class _TryFailedError(Exception):
    """One try did not give a reply; `error` is what it comes to if there is no other."""

    def __init__(self, failure: Failure, error: ProviderError, cause: str = "", asked_s: float | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.error = error
        self.cause = cause or error.message
        """In few words, for whoever waits."""
        self.asked_s = asked_s
        self.is_about_schema = False
        """It was the response format that the server refused."""


class OpenAIChat:
    def __init__(
        self,
        endpoint: Endpoint,
        network: Network,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._network = network
        self._sleep = sleep
        self._jitter = jitter
        self._now = now
        self._writer = RequestWriter(endpoint.provider)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Yield the deltas of one reply, and its message last.

        Raises:
            ProviderError: of the kind that fits; what was worth another try has been tried again.
        """
        headers = make_headers(self._endpoint)
        body = self._writer.write(request)
        taken_ids = _call_ids(request.messages)
        failures = 0
        while True:
            reader = ReplyReader(self._endpoint.provider, taken_ids)
            is_shown = False
            try:
                async with aclosing(self._try(headers, body, reader, request.model)) as deltas:
                    async for delta in deltas:
                        is_shown = True
                        yield delta
                message = reader.finish()
            except (_TryFailedError, CutOffError, NoConnectionError) as error:
                failed = _explain(error)
            else:
                yield message
                return
            if failed.is_about_schema and (without := self._writer.write_without_schema(request)) != body:
                body = without
                if is_shown:
                    yield ReplyDiscarded("the server takes no JSON schema")
                continue
            failures += 1
            delay_s = choose_delay_s(failed.failure, failures, failed.asked_s, self._jitter())
            if delay_s is None or self._endpoint.is_tried_once:
                raise _give_up(failed, failures)
            if is_shown:
                yield ReplyDiscarded(failed.cause)
            yield Waiting(delay_s, failed.cause)
            await self._sleep(delay_s)

    def measure(self, request: Request) -> int:
        """Return the size of the body that this request would send, in bytes."""
        return len(self._writer.write(request))

    async def close(self) -> None:
        await self._network.close()

    async def _try(
        self, headers: Mapping[str, str], body: bytes, reader: ReplyReader, model: str
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Send the request once and yield what comes; the reader is then finished."""
        url = f"{self._endpoint.base_url}/chat/completions"
        async with self._network.post(url, headers, body) as response:
            kind = response.headers.get("content-type", "").lower()
            if not 200 <= response.status < 300:
                raise await self._refused(response, model)
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
                raise self._failed(read_error(error.said, self._endpoint.key), model) from None
            await response.drain(DRAIN_S)

    async def _refused(self, response: Response, model: str) -> _TryFailedError:
        try:
            body = await response.read(MAX_ERROR_BYTES)
        except ServerError:  # the status alone says enough
            body = b""
        complaint = read_answer(response.status, response.headers, body, self._endpoint.key)
        return self._failed(complaint, model, read_asked_s(response.headers, self._now()))

    def _failed(self, complaint: Complaint, model: str, asked_s: float | None = None) -> _TryFailedError:
        what = "rate limit" if complaint.status == 429 else "server error"
        error = to_error(complaint, self._endpoint, model)
        failed = _TryFailedError(complaint.status, error, f"{what} ({complaint.status})", asked_s)
        failed.is_about_schema = is_about_schema(complaint, error)
        return failed


def make_headers(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the headers of every request to an endpoint; a plain server gets none of those that name the program.

    Raises:
        KeyRefusedError: the key cannot be sent.
    """
    headers = {"Content-Type": "application/json", "User-Agent": f"Cline/{__version__}"}
    if endpoint.key:
        if not endpoint.key.isascii() or not endpoint.key.isprintable() or " " in endpoint.key:
            message = f"the key from {endpoint.key_source} is unauthorized: it holds a space or a strange character"
            raise KeyRefusedError(message, f"Give another one with `cline auth {endpoint.provider}`")
        headers["Authorization"] = f"Bearer {endpoint.key}"
    if endpoint.provider in GATEWAYS:
        headers |= {"HTTP-Referer": "https://cline.bot", "X-Title": "Cline"}
    if endpoint.provider == "cline":
        headers |= {
            "X-Task-ID": endpoint.session_id,
            "X-CLIENT-TYPE": "cline-cli",
            "X-CLIENT-VERSION": __version__,
            "X-CORE-VERSION": __version__,
            "X-PLATFORM": "cli",
            "X-PLATFORM-VERSION": __version__,
            "X-IS-MULTIROOT": "false",
        }
    return headers


def _call_ids(messages: Sequence[Message]) -> frozenset[str]:
    replies = (message for message in messages if isinstance(message, AssistantMessage))
    return frozenset(call.id for reply in replies for call in reply.tool_calls)


async def _receive(response: Response, reader: ReplyReader) -> bytes:
    """Return the next piece; once the reply is whole, it does not matter how its stream ends."""
    try:
        return await response.receive()
    except ServerError:
        if reader.is_finished:
            return b""
        raise


def _explain(error: _TryFailedError | CutOffError | NoConnectionError) -> _TryFailedError:
    if isinstance(error, _TryFailedError):
        return error
    return _TryFailedError("no connection" if isinstance(error, NoConnectionError) else "cut off", error)


def _give_up(failed: _TryFailedError, failures: int) -> ProviderError:
    """Return the error of the last try, with how many there were, or when the server wants to be asked again."""
    error = failed.error
    if failures > 1:
        error.message += f" ({failures} tries)"
    if failed.asked_s is not None and failed.asked_s > MAX_WAIT_S:
        error.hint = f"Try again in {say_duration(failed.asked_s)}"
    return error
