"""The wire format of OpenAI's responses, which its reasoning models do best with.

Sources: OpenAI's API description by way of its Python SDK (openai 3.57: `types/responses`) and its guides on reasoning,
function calling, streaming and errors (developers.openai.com/api/docs/guides), all read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cline_cli.agent.provider import Provider, Request
from cline_cli.config.paths import Paths
from cline_cli.errors import ContentFilteredError, ContextWindowError, ProviderError
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers._complaints import Complaint
from cline_cli.providers._draft import call_ids
from cline_cli.providers._openai_responses_reply import ReplyReader
from cline_cli.providers._openai_responses_request import RequestWriter
from cline_cli.providers._openai_schema import is_about_schema
from cline_cli.providers._remote import Remote, bearer

# Texts, compiled when they are first needed: most runs are never refused.
_DISPENSABLE = (
    ("schema", r"text[._]format", "the server takes no JSON schema"),
    ("stream", r"verified to stream|'stream'", "the server does not stream this model"),
    (
        "encrypted",
        r"invalid_encrypted_content|encrypted content .*(verified|decrypted)|following item|not persisted",
        "the server does not take back what was thought before",
    ),
    ("include", r"encrypted[ _]content|'include|parameter:? include", "the server does not encrypt what is thought"),
    ("encrypted", r"encrypted[ _]content", "the server does not take back what was thought before"),
    ("summary", r"reasoning[ ._]summar", "the server does not summarize what is thought"),
    ("reasoning", r"reasoning|\beffort\b|'(low|medium|high)'", "the server cannot be told how long to think"),
    ("phase", r"\bphase\b", "the server knows no phases"),
    ("cache key", r"prompt_cache_key", "the server takes no key for its cache"),
)
"""What can be done without, how its refusal is told, and the same for people. The first that is still there counts.

The words are those of OpenAI's errors as users report them (github.com issues: openai/codex 8119, continuedev/continue
7129 and 9602, openai/openai-agents-js 546, openai/openai-python 2194; read 2026-11) and the names of its fields.
"""


def connect(endpoint: Endpoint, network: Network, paths: Paths) -> Provider:  # noqa: ARG001  # as every provider's
    """Return the provider at an endpoint. Sends nothing yet."""
    return Remote(endpoint, network, ResponsesCodec(endpoint.provider, endpoint.session_id))


def make_headers(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the headers of every request.

    Raises:
        KeyRefusedError: the key cannot be sent.
    """
    return bearer(endpoint)


class ResponsesCodec:
    """Responses as one provider speaks them, for one session; `provider` is its name."""

    def __init__(self, provider: str, session_id: str) -> None:
        self._provider = provider
        self._writer = RequestWriter(session_id)

    def address(self, base_url: str, request: Request) -> str:  # noqa: ARG002  # as every codec's
        return f"{base_url}/responses"

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:
        return make_headers(endpoint)

    def write(self, request: Request) -> bytes:
        return self._writer.write(request)

    def relax(self, complaint: Complaint, error: ProviderError) -> str:
        if complaint.status not in {0, 400, 404, 422} or isinstance(error, ContextWindowError | ContentFilteredError):
            return ""
        if is_about_schema(complaint, error) and self._writer.leave_out("schema"):
            return "the server takes no JSON schema"
        said = f"{complaint.code} {complaint.words}".lower()
        for name, words, cause in _DISPENSABLE:
            if re.search(words, said) and self._writer.leave_out(name):
                return cause
        return ""

    def read(self, request: Request) -> ReplyReader:
        return ReplyReader(self._provider, call_ids(request.messages))
