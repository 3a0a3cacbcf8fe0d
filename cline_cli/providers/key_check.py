"""Is this key taken? Asked with the cheapest request that tells, and told together with the models there are.

most             the list of models, which nobody gets without a key
openrouter       what it says of the key itself: its list is public (openrouter.ai/docs/api-reference, read 2026-11)
OPEN_LISTS       an answer of a few tokens: their lists are public as well, and say nothing of a key
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from importlib import import_module

from cline_cli.agent.messages import TextPart, UserMessage
from cline_cli.agent.provider import Provider, Request
from cline_cli.config.paths import Paths
from cline_cli.errors import (
    ContentFilteredError,
    ContextWindowError,
    EmptyReplyError,
    KeyRefusedError,
    ProviderError,
    UnknownModelError,
)
from cline_cli.network.http import Network
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers._complaints import MAX_ERROR_BYTES, read_answer, to_error
from cline_cli.providers.listing import list_models

KEY_PATHS: Mapping[str, str] = {"openrouter": "/key"}
"""Where a provider tells what it knows of a key."""
OPEN_LISTS = frozenset({"cline", "huggingface", "nvidia", "requesty", "sambanova", "vercel-ai-gateway"})
"""Their lists of models are given to whoever asks."""
MAX_TOKENS = 16
"""Of the answer that is paid for: the least that OpenAI's models take."""
_KEY_IS_TAKEN = (UnknownModelError, ContentFilteredError, ContextWindowError, EmptyReplyError)
"""What a server complains of only after it has looked at the key."""


async def check_key(endpoint: Endpoint, model: str, network: Network, paths: Paths) -> tuple[str, ...]:
    """See that the provider takes the key, and return the names of its models, none where it does not list them.

    `model` answers where only an answer tells; empty where none is known, and then the key is not looked at.

    Raises:
        KeyRefusedError: it does not.
        NoCreditError: it does, and nothing can be paid with it.
        ProviderError: that cannot be told.
    """
    provider = endpoint.provider
    if provider in KEY_PATHS:
        await _ask_of_key(endpoint, network)
    elif provider in OPEN_LISTS:
        if model:
            await _let_answer(endpoint, model, network, paths)
    else:
        return await _list_with_key(endpoint, model, network, paths)
    try:
        return await list_models(endpoint, network)
    except ProviderError:  # the key is good, and a model can be named without a list
        return ()


async def _list_with_key(endpoint: Endpoint, model: str, network: Network, paths: Paths) -> tuple[str, ...]:
    """Return the list, or none where the key is good and only kept from the list: some keys are made so."""
    try:
        return await list_models(endpoint, network)
    except KeyRefusedError as error:
        if "(403)" not in error.message or not model:
            raise
    await _let_answer(endpoint, model, network, paths)
    return ()


async def _ask_of_key(endpoint: Endpoint, network: Network) -> None:
    headers: Mapping[str, str] = import_module(
        f"cline_cli.providers.{PROVIDERS[endpoint.provider].module}"
    ).make_headers(endpoint)
    url = f"{endpoint.base_url}{KEY_PATHS[endpoint.provider]}"
    async with network.inquire(url, headers) as response:
        if not 200 <= response.status < 300:
            body = await response.read(MAX_ERROR_BYTES)
            raise to_error(read_answer(response.status, response.headers, body, endpoint.key), endpoint, url, "")


async def _let_answer(endpoint: Endpoint, model: str, network: Network, paths: Paths) -> None:
    """Ask for an answer, and let go of it as soon as it begins."""
    module = import_module(f"cline_cli.providers.{PROVIDERS[endpoint.provider].module}")
    provider: Provider = module.connect(endpoint, network, paths)
    request = Request(model, "", (UserMessage((TextPart("Reply with the word ok."),)),), max_tokens=MAX_TOKENS)
    try:
        async with aclosing(provider.stream(request)) as deltas:
            async for _ in deltas:
                return
    except _KEY_IS_TAKEN:
        return
