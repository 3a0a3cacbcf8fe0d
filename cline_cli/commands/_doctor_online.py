"""`cline doctor --online`: one small request to whom a run would ask, tried once, and what came of it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping
from contextlib import aclosing
from importlib import import_module
from typing import NamedTuple

from cline_cli.agent.messages import AssistantMessage, TextPart, UserMessage
from cline_cli.agent.provider import Provider, Request
from cline_cli.app import Chosen
from cline_cli.commands._async import run_to_end
from cline_cli.commands._doctor_report import Check, Status
from cline_cli.config.paths import Paths
from cline_cli.errors import ProviderError, RateLimitedError, ServerError
from cline_cli.network.http import Network

TIMEOUT_S = 20.0
MAX_TOKENS = 256
"""Of the answer: a model that reasons needs some before its first word."""


class Online(NamedTuple):
    check: Check
    model: str = ""
    """As the server names it; empty where it did not answer."""
    duration_ms: int | None = None


def check_online(chosen: Chosen | None, paths: Paths, variables: Mapping[str, str]) -> Online:
    """Ask whom a run would ask; None is a run that would not get so far."""
    if chosen is None:
        return Online(Check("online", "note", "nobody was asked: a run would not get so far"))
    if not chosen.endpoint.base_url:
        return Online(Check("online", "ok", "nobody was asked: the model runs on this machine"))
    return run_to_end(_ask(chosen, paths, variables))


async def _ask(chosen: Chosen, paths: Paths, variables: Mapping[str, str]) -> Online:
    network = Network(variables=variables)
    endpoint = dataclasses.replace(chosen.endpoint, is_tried_once=True)
    provider: Provider = import_module(f"cline_cli.providers.{chosen.row.module}").connect(endpoint, network, paths)
    try:
        return await ask_once(provider, chosen.model)
    finally:
        await provider.close()
        await network.close()


async def ask_once(provider: Provider, model: str, timeout_s: float = TIMEOUT_S) -> Online:
    """Send one small request, and say what came of it."""
    request = Request(model, "", (UserMessage((TextPart("Reply with the word ok."),)),), max_tokens=MAX_TOKENS)
    started_s = time.monotonic()
    name = ""
    try:
        async with asyncio.timeout(timeout_s), aclosing(provider.stream(request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, AssistantMessage):
                    name = delta.model or model
    except TimeoutError:
        text = f"no answer within {timeout_s:g} s: timed out"
        return Online(Check("online", "bad", text, "A run waits longer; else try again later"))
    except ProviderError as error:
        # What passes by itself keeps no run from starting: it tries again.
        status: Status = "bad" if isinstance(error, RateLimitedError | ServerError) else "fatal"
        text = f"{error.message.rstrip('.')} (a run would end with {error.exit_code})"
        return Online(Check("online", status, text, error.hint))
    duration_ms = round((time.monotonic() - started_s) * 1000)
    return Online(Check("online", "ok", f"answered in {duration_ms} ms by {name}"), name, duration_ms)
