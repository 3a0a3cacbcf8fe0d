"""A file from a server, from any byte on: taken up again where it was cut off, within limits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable

from cline_cli.errors import ProviderError
from cline_cli.network.http import CutOffError, Network, Response
from cline_cli.network.retry import choose_delay_s

Pause = Callable[[float], Awaitable[None]]


async def download(
    network: Network, url: str, offset: int, total_bytes: int, pause: Pause = asyncio.sleep
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file from `offset` on; the file must have `total_bytes`, as far as the server says.

    `pause` waits for so many seconds before another try.

    What the server sends is not counted: a server that said nothing, or lied, may send less or more.

    Raises:
        UnreachableError, ServerError, ProviderError: it cannot be had there, or it broke off too often.
    """
    failures = 0
    while True:
        try:
            async with network.get(url, _headers_from(offset)) as response:
                skipped = _find_skipped(response, offset, total_bytes)
                while chunk := await response.receive():
                    kept = chunk[skipped:]
                    skipped -= len(chunk) - len(kept)
                    if kept:
                        offset, failures = offset + len(kept), 0
                        yield kept
            return
        except CutOffError:
            failures += 1
            delay_s = choose_delay_s("cut off", failures, None, 0)
            if delay_s is None:
                raise
            await pause(delay_s)


def _headers_from(offset: int) -> dict[str, str]:
    # Compressed, the bytes of a range would not be those of the file.
    return {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}


def _find_skipped(response: Response, offset: int, total_bytes: int) -> int:
    """Return how many bytes of the body come before `offset`: all of them where the server knows no ranges.

    Raises:
        ProviderError: it is not that file, or there is none.
    """
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""), re.ASCII)
        if match is None or int(match[1]) > offset or "content-encoding" in response.headers:
            raise ProviderError(f"{response.place} sent another part of the file than it was asked for")
        _check_total(response, match[2], total_bytes)
        return offset - int(match[1])
    if response.status != 200:
        raise ProviderError(f"{response.place} answered with HTTP {response.status} instead of the file")
    if "content-encoding" not in response.headers:
        _check_total(response, response.headers.get("content-length", "*"), total_bytes)
    return offset


def _check_total(response: Response, told: str, total_bytes: int) -> None:
    if told != "*" and (not told.isdecimal() or int(told) != total_bytes):
        raise ProviderError(f"the file at {response.place} has {told} bytes instead of {total_bytes}")
