"""Waiting for what comes first: something new, the client's leaving, or the end of patience."""

import asyncio

from starlette.types import Receive


async def first(signal: asyncio.Event, gone: asyncio.Future[None], seconds: float) -> bool:
    """Wait until ``signal`` is set or the client is gone; say whether either came in time."""
    more = asyncio.ensure_future(_set(signal))
    try:
        done, _ = await asyncio.wait([more, gone], timeout=seconds, return_when="FIRST_COMPLETED")
    finally:
        more.cancel()
    return bool(done)


async def disconnected(receive: Receive) -> None:
    """Wait until the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set(signal: asyncio.Event) -> None:
    await signal.wait()
