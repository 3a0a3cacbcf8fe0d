"""What the tests of whole processes share: the command beside a scripted server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Result, RunCline
from tests.fake_server import FakeServer, Turn

KEY = "sk-test-canary-7d1f4b"
Ask = Callable[..., Result]
Serve = Callable[..., tuple[FakeServer, Ask]]


@pytest.fixture
def serve(cline: RunCline) -> Iterator[Serve]:
    """Return a function that starts a server with scripted turns and gives a `cline` that speaks to it."""
    servers: list[FakeServer] = []

    def start(*turns: Turn, repeat_last: bool = False) -> tuple[FakeServer, Ask]:
        server = FakeServer(*turns, repeat_last=repeat_last)
        server.__enter__()
        servers.append(server)

        def ask(*argv: str, **options: object) -> Result:
            return cline(*argv, **{"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin, **options})

        return server, ask

    yield start
    for server in servers:
        server.__exit__(None, None, None)
