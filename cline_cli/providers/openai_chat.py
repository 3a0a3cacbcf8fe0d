"""The wire format of chat completions: the Cline API, OpenRouter, and whatever else speaks OpenAI's.

Sources: requests and streams of the original command (3.x) as observed in 2026-11, the documentation of the Cline API
(docs.cline.bot/api) and of OpenRouter (openrouter.ai/docs), both read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping

from cline_cli import __version__
from cline_cli.agent.provider import Provider, Request
from cline_cli.config.paths import Paths
from cline_cli.errors import ProviderError
from cline_cli.network.http import Network
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers._chat_dialects import find_dialect
from cline_cli.providers._chat_relaxing import relax
from cline_cli.providers._complaints import Complaint
from cline_cli.providers._draft import call_ids
from cline_cli.providers._openai_reply import ReplyReader
from cline_cli.providers._openai_request import RequestWriter
from cline_cli.providers._openai_schema import is_about_schema
from cline_cli.providers._remote import Remote, bearer
from cline_cli.providers._text_calls import TextCalls


def connect(endpoint: Endpoint, network: Network, paths: Paths) -> Provider:  # noqa: ARG001  # as every provider's
    """Return the provider at an endpoint. Sends nothing yet."""
    return Remote(endpoint, network, ChatCodec(endpoint.provider))


def make_headers(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the headers of every request; a plain server gets none of those that name the program.

    Raises:
        KeyRefusedError: the key cannot be sent.
    """
    headers = dict(bearer(endpoint))
    if find_dialect(endpoint.provider).names_program:
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


class ChatCodec:
    """Chat completions as one provider speaks them; `provider` is its name."""

    def __init__(self, provider: str) -> None:
        row = PROVIDERS.get(provider)
        self._provider = provider
        self._reads_text_calls = row is not None and row.reads_text_calls
        self._writer = RequestWriter(provider)

    def address(self, base_url: str, request: Request) -> str:  # noqa: ARG002  # as every codec's
        return f"{base_url}/chat/completions"

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:
        return make_headers(endpoint)

    def write(self, request: Request) -> bytes:
        return self._writer.write(request)

    def relax(self, complaint: Complaint, error: ProviderError) -> str:
        if is_about_schema(complaint, error):
            self._writer.leave_out_schema()
            return "the server takes no JSON schema"
        relaxed = relax(self._writer.dialect, complaint, error)
        if relaxed is None:
            return ""
        self._writer.speak(relaxed.dialect)
        return relaxed.why

    def read(self, request: Request) -> ReplyReader:
        may_call = self._reads_text_calls and request.may_call and bool(request.tools)
        text_calls = TextCalls(request.tools) if may_call else None
        return ReplyReader(self._provider, call_ids(request.messages), text_calls=text_calls)
