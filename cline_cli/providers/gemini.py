"""The wire format of the Gemini API: `streamGenerateContent`, of Google and of whatever else speaks it.

Sources: ai.google.dev/api/generate-content and ai.google.dev/gemini-api/docs (function calling, thought signatures,
thinking, structured output, caching, troubleshooting), the types of google-genai 3.6, all read 2026-11. A prompt is
cached without being marked: a prefix that stays the same is all that it takes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from cline_cli.agent.provider import Provider, Request
from cline_cli.config.paths import Paths
from cline_cli.errors import ContentFilteredError, ContextWindowError, ProviderError
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._complaints import Complaint
from cline_cli.providers._draft import call_ids
from cline_cli.providers._gemini_reply import ReplyReader
from cline_cli.providers._gemini_request import RequestWriter
from cline_cli.providers._remote import Remote, sendable_key

# Texts, compiled when they are first needed: most runs are never refused.
_ABOUT_SIGNATURES = r"(?i)thought[ _-]?signature"
_ABOUT_THINKING = r"(?i)thinking|include_?thoughts"
_ABOUT_SCHEMA = r"(?i)response[ _]?(json[ _]?)?(schema|mime)|json (mode|schema)|schema produces a constraint"


def connect(endpoint: Endpoint, network: Network, paths: Paths) -> Provider:  # noqa: ARG001  # as every provider's
    """Return the provider at an endpoint. Sends nothing yet."""
    return Remote(endpoint, network, GeminiCodec(endpoint.provider))


def make_headers(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the headers of every request.

    Raises:
        KeyRefusedError: the key cannot be sent.
    """
    return {"x-goog-api-key": sendable_key(endpoint)} if endpoint.key else {}


class GeminiCodec:
    """The Gemini API as one provider speaks it; `provider` is its name."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._writer = RequestWriter()

    def address(self, base_url: str, request: Request) -> str:
        name = request.model.removeprefix("google/").removeprefix("models/")
        return f"{base_url}/models/{quote(name, safe='')}:streamGenerateContent?alt=sse"

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:
        return make_headers(endpoint)

    def write(self, request: Request) -> bytes:
        return self._writer.write(request)

    def relax(self, complaint: Complaint, error: ProviderError) -> str:
        if complaint.status != 400 or isinstance(error, ContextWindowError | ContentFilteredError):
            return ""
        if re.search(_ABOUT_SIGNATURES, complaint.words):
            self._writer.leave_out_signatures()
            return "the server refuses a signature of earlier thinking"
        if re.search(_ABOUT_SCHEMA, complaint.words):
            self._writer.leave_out_schema()
            return "the server takes no JSON schema"
        if re.search(_ABOUT_THINKING, complaint.words):
            self._writer.leave_out_thinking()
            return "the model does not think as it is told"
        return ""

    def read(self, request: Request) -> ReplyReader:
        return ReplyReader(self._provider, call_ids(request.messages))
