"""The end of a request as a whole: however steadily its answer comes, it does not come for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from cline_cli.errors import ServerError

_Result = TypeVar("_Result")


class Deadline:
    """Begins when it is made, in the event loop that it is used in; without `request_s` there is no end."""

    def __init__(self, place: str, request_s: float | None) -> None:
        self._place = place
        self._request_s = request_s
        self._until_s = None if request_s is None else asyncio.get_running_loop().time() + request_s

    async def wait_for(self, work: Awaitable[_Result]) -> _Result:
        """Return what comes of the work, which is cancelled when time is up.

        Raises:
            ServerError: time is up.
        """
        timeout = asyncio.timeout_at(self._until_s)
        try:
            async with timeout:
                return await work
        except TimeoutError:
            if not timeout.expired():
                raise
        message = f"the request to {self._place} took longer than {self._request_s:g} s in all: timed out"
        raise ServerError(message, "Ask for less at once, or give it more time with --request-timeout")
