"""The wire format of Anthropic's messages: its own API, and whatever else speaks it.

Sources: platform.claude.com/docs ("Messages", "Streaming messages", "Errors", "Thinking", "Effort", "Prompt caching",
"Structured outputs") and the types of Anthropic's Python SDK 2.14, all read 2026-11. Of the API's two versions the
older one is spoken, which others who serve this format know; what changed in 2026-10-21 is nothing that is sent here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from cline_cli.agent.provider import Provider, Request
from cline_cli.config.paths import Paths
from cline_cli.errors import ContentFilteredError, ContextWindowError, ProviderError, UnknownModelError
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._anthropic_reply import ReplyReader
from cline_cli.providers._anthropic_request import Extra, RequestWriter
from cline_cli.providers._complaints import Complaint
from cline_cli.providers._draft import call_ids
from cline_cli.providers._remote import Remote, sendable_key

VERSION = "2023-06-01"


class _Relaxation(NamedTuple):
    extra: Extra
    complaint: str
    """A pattern of what a server says that refuses it; a text, compiled when it is first needed."""
    cause: str


# In this order: the first that was sent and fits is left out, and another complaint leads to the next.
_RELAXATIONS = (
    _Relaxation(
        "old thinking",
        r"(?i)^(?!.*but found).*(signature|redacted_thinking|thinking\W{1,3}block)",
        "the server does not take back what was thought before",
    ),
    _Relaxation("cache marks", r"(tools|system)\S*cache_control", "the server caches no tools and no system prompt"),
    _Relaxation("automatic cache", r"cache_control", "the server does not cache by itself"),
    _Relaxation(
        "schema",
        r"(?i)output_config(?!\.effort)|output_format|structured.output|json.schema|(?<!input_)schema|grammar"
        r"|additionalProperties",
        "the server takes no JSON schema",
    ),
    _Relaxation(
        "thinking", r"(?i)thinking|budget_tokens|effort|output_config", "the server cannot be told how to think"
    ),
)
_MOST_TOKENS = r"max_tokens\S* \d+ > (\d{1,9})\b"
_FINAL = (ContextWindowError, ContentFilteredError, UnknownModelError)
"""Errors that are of something else, whatever words they hold."""


def connect(endpoint: Endpoint, network: Network, paths: Paths) -> Provider:  # noqa: ARG001  # as every provider's
    """Return the provider at an endpoint. Sends nothing yet."""
    return Remote(endpoint, network, MessagesCodec(endpoint.provider))


def make_headers(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the headers of every request.

    Raises:
        KeyRefusedError: the key cannot be sent.
    """
    key = {"x-api-key": sendable_key(endpoint)} if endpoint.key else {}
    return {**key, "anthropic-version": VERSION}


class MessagesCodec:
    """Messages as one provider takes them; `provider` is its name."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._writer = RequestWriter()

    def address(self, base_url: str, request: Request) -> str:  # noqa: ARG002  # as every codec's
        """Return the URL to post to; a base URL that is a bare host means the API's first version there."""
        return f"{base_url}/messages" if urlsplit(base_url).path else f"{base_url}/v1/messages"

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:
        return make_headers(endpoint)

    def write(self, request: Request) -> bytes:
        return self._writer.write(request)

    def relax(self, complaint: Complaint, error: ProviderError) -> str:
        if complaint.status not in {400, 422} or isinstance(error, _FINAL):
            return ""
        most = re.search(_MOST_TOKENS, complaint.words)
        if most and self._writer.limit_tokens(int(most[1])):
            return "the model gives fewer tokens"
        said = f"{complaint.code} {complaint.words}"
        for extra, pattern, cause in _RELAXATIONS:
            if self._writer.can_leave_out(extra) and re.search(pattern, said):
                self._writer.leave_out(extra)
                return cause
        return ""

    def read(self, request: Request) -> ReplyReader:
        return ReplyReader(self._provider, call_ids(request.messages))
