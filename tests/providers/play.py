"""Requests over one wire format to a scripted server, and what came of them; and the ways in which bytes can come."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing

from cline_cli.agent.messages import AssistantMessage, JsonObject
from cline_cli.agent.provider import Delta, Request
from cline_cli.errors import ProviderError
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._codec import Codec
from cline_cli.providers._remote import Remote
from tests.fake_server import FakeServer


class Play:
    """What came of requests, one after the other: all deltas, the last error, and how long they would have slept."""

    def __init__(
        self,
        server: FakeServer,
        endpoint: Endpoint,
        codec: Codec,
        requests: Sequence[Request],
        *,
        network: Network | None = None,
        now_s: float = 0,
        jitter: float = 0,
    ) -> None:
        """The server is started for it, and ended."""
        self.deltas: list[Delta] = []
        self.error: ProviderError | None = None
        self.slept: list[float] = []
        self.server = server
        remote = Remote(
            endpoint, network or Network(idle_s=5), codec, sleep=self._sleep, jitter=lambda: jitter, now=lambda: now_s
        )
        with server:
            asyncio.run(self._run(remote, requests))

    async def _run(self, remote: Remote, requests: Sequence[Request]) -> None:
        try:
            for request in requests:
                async with aclosing(remote.stream(request)) as deltas:
                    async for delta in deltas:
                        self.deltas.append(delta)
        except ProviderError as error:
            self.error = error
        await remote.close()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    @property
    def bodies(self) -> list[JsonObject]:
        return [request.body for request in self.server.requests]

    @property
    def requests(self) -> int:
        return len(self.server.requests)

    @property
    def message(self) -> AssistantMessage:
        assert self.error is None, self.error
        message = self.deltas[-1]
        assert isinstance(message, AssistantMessage)
        return message


def ways_to_come(raw: bytes) -> Iterator[Sequence[bytes]]:
    """Yield a stream in pieces: every byte alone, cut in two at every place, and with the other ends of lines."""
    yield [raw[place : place + 1] for place in range(len(raw))]
    yield from ([raw[:place], raw[place:]] for place in range(len(raw)))
    yield [raw.replace(b"\n", b"\r\n")]
    yield [raw.replace(b"\n", b"\r")]
