"""What a wire format is: a request as an address, headers and bytes, and a reader that puts its reply together.

    Request ──Codec.write──> body ──POST Codec.address──> bytes ──Codec.read──> Reader: deltas, one AssistantMessage

Both are pure. Sending, waiting and trying again stand once, in `_remote.py`. Nothing of a reply counts until its reader
has finished it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cline_cli.agent.messages import AssistantMessage, JsonValue
from cline_cli.agent.provider import Request, TextDelta, ThinkingDelta, ToolCallDelta
from cline_cli.errors import ProviderError
from cline_cli.providers import Endpoint
from cline_cli.providers._complaints import Complaint

ReplyDelta = TextDelta | ThinkingDelta | ToolCallDelta


class ServerSaidError(Exception):
    """Instead of going on with its reply, the server sent an error; `said` is the JSON of it."""

    def __init__(self, said: JsonValue) -> None:
        super().__init__()
        self.said = said


class Reader(Protocol):
    """Reads one reply. One that raises is of no use any more, and what it gave out is void."""

    @property
    def is_done(self) -> bool:
        """The server said that there is nothing more to come."""
        ...

    @property
    def is_finished(self) -> bool:
        """The reply is whole; its usage may still be to come."""
        ...

    def feed(self, data: bytes) -> list[ReplyDelta]:
        """Return what the next piece of the stream adds, wherever it was cut.

        Raises:
            ServerSaidError: the stream goes on with an error.
            CutOffError: an event is damaged.
            ProviderError: an event, or the whole reply, is larger than any that makes sense.
        """
        ...

    def feed_whole(self, body: bytes) -> list[ReplyDelta]:
        """Return what is in the body of a reply that was not streamed; raises as `feed` does."""
        ...

    def finish(self) -> AssistantMessage:
        """Return the whole reply, after its last byte.

        Raises:
            CutOffError: it ended before it was whole, or holds a call of no tool.
        """
        ...


class Codec(Protocol):
    """One wire format, for one provider and one run."""

    def address(self, base_url: str, request: Request) -> str:
        """Return the URL to post to; `base_url` has no final slash."""
        ...

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:
        """Return the format's own headers, the key's among them.

        Raises:
            KeyRefusedError: the key cannot be sent.
        """
        ...

    def write(self, request: Request) -> bytes:
        """Return the body. The same history gives the same bytes at its beginning, however much follows."""
        ...

    def relax(self, complaint: Complaint, error: ProviderError) -> str:
        """Leave out of every later body what a server refuses that could be done without.

        Returns in few words why, for people ("the server takes no JSON schema"); "" where there is no such thing.
        """
        ...

    def read(self, request: Request) -> Reader:
        """Return a reader for the reply to this request."""
        ...
