"""Asks a provider which models it serves, within a time, for `cline models`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cline_cli.commands._async import run_to_end
from cline_cli.errors import ServerError, UnreachableError
from cline_cli.network.http import Network
from cline_cli.providers import Endpoint
from cline_cli.providers.listing import list_models

OWN_TIMEOUT_S = 2.0
"""For a server of one's own, which is near."""
TIMEOUT_S = 20.0


def ask_server(endpoint: Endpoint, variables: Mapping[str, str], *, is_own: bool) -> tuple[str, ...]:
    """Return the names of the models that a provider says it serves; `is_own` is a server of one's own.

    Raises:
        ProviderError: it refuses, cannot be reached, or takes too long.
    """
    return run_to_end(ask_in_time(endpoint, variables, OWN_TIMEOUT_S if is_own else TIMEOUT_S, is_own=is_own))


async def ask_in_time(
    endpoint: Endpoint, variables: Mapping[str, str], timeout_s: float, *, is_own: bool
) -> tuple[str, ...]:
    """Do the same on an event loop.

    Raises:
        ProviderError: as above.
    """
    network = Network(variables=variables)
    try:
        async with asyncio.timeout(timeout_s):
            return await list_models(endpoint, network)
    except TimeoutError:
        message = f"{endpoint.provider} sent no list of models within {timeout_s:g} s: timed out"
        raise ServerError(message, "Try again later") from None
    except UnreachableError as error:
        if is_own:
            error.hint = f"Start it, or say where it is: cline auth {endpoint.provider} -b URL"
        raise
    finally:
        await network.close()
