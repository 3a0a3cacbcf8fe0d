"""What the guided set-up finds out and does outside of its questions: servers, keys, the embedded model."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Coroutine
from typing import TypeVar

from cline_cli.app import new_session_id
from cline_cli.catalog.runtime import describe_missing, is_installed, read_host
from cline_cli.catalog.weights import Weights, choose_default, find_installed, machine_memory
from cline_cli.commands._async import run_to_end
from cline_cli.commands._guided import Embedded
from cline_cli.commands._local_work import install_weights
from cline_cli.config.paths import Paths
from cline_cli.config.settings import ProviderSettings, Settings, find_base_url
from cline_cli.environment import Environment
from cline_cli.errors import ServerError, UsageError
from cline_cli.network.http import Network
from cline_cli.network.route import find_proxy
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers.key_check import check_key
from cline_cli.providers.local_servers import CONNECT_S, TOTAL_S, LocalServer, Place, find_local_servers

CHECK_S = 20.0
"""Within which a provider has said whether it takes a key."""
_Result = TypeVar("_Result")


class RealOutside:
    """The network and this machine, for a person who is set up in this environment."""

    def __init__(self, environment: Environment, paths: Paths, settings: Settings) -> None:
        self._environment = environment
        self._paths = paths
        self._settings = settings

    def find_servers(self) -> tuple[LocalServer, ...]:
        """Return the servers of this machine that answer; a proxy is not asked for its own."""
        places: list[Place] = []
        for name, row in PROVIDERS.items():
            url = self.find_address(name) if row.is_key_optional else ""
            proxy = find_proxy(url, self._environment.variables) if url else None
            if url and (proxy is None or proxy.is_bypassed):
                places.append(Place(name, url))
        network = Network(connect_s=CONNECT_S, idle_s=TOTAL_S, variables=self._environment.variables)
        return self._run(find_local_servers(places, network), network)

    def find_address(self, provider: str) -> str:
        """Return where a run would ask this provider, or an empty text."""
        with contextlib.suppress(UsageError):  # a variable that holds no address: whoever means it is told by a run
            own = PROVIDERS[provider].base_url
            return find_base_url(provider, own, self._environment.variables, self._settings)
        return ""

    def find_embedded(self) -> Embedded:
        """Return the embedded model for this machine."""
        weights = choose_default(machine_memory())
        problem = None if is_installed() else describe_missing(read_host())
        return Embedded(weights, find_installed(self._paths, weights.name) is not None, problem)

    def check_key(self, endpoint: Endpoint, model: str) -> tuple[str, ...]:
        """Return the models of a provider that takes the key; asks where a run would, and once.

        Raises:
            ProviderError: as `check_key` of providers, or nothing came in time.
        """
        saved = Settings(providers={endpoint.provider: ProviderSettings(base_url=endpoint.base_url)})
        own = PROVIDERS[endpoint.provider].base_url
        url = find_base_url(endpoint.provider, own, self._environment.variables, saved)
        endpoint = dataclasses.replace(endpoint, base_url=url, session_id=new_session_id(), is_tried_once=True)
        network = Network(variables=self._environment.variables)

        async def check() -> tuple[str, ...]:
            try:
                async with asyncio.timeout(CHECK_S):
                    return await check_key(endpoint, model, network, self._paths)
            except TimeoutError:
                message = f"{endpoint.provider} did not answer within {CHECK_S:g} s: timed out"
                raise ServerError(message, "Try again later") from None

        return self._run(check(), network)

    def install(self, weights: Weights) -> None:
        """Fetch the embedded model, as `cline local install` does.

        Raises:
            ClineError: it cannot be had.
        """
        install_weights(weights, None, self._environment, self._paths)

    @staticmethod
    def _run(work: Coroutine[None, None, _Result], network: Network) -> _Result:
        async def close_after() -> _Result:
            try:
                return await work
            finally:
                await network.close()

        return run_to_end(close_after())
