"""Wait for a signal, the client's disconnect or a timeout."""

import asyncio
from typing import Any

from starlette.types import Receive


async def first(signal: asyncio.Event, gone: asyncio.Future[None], seconds: float) -> bool:
    """Wait for ``signal`` or the disconnect; return ``False`` after ``seconds`` without either."""
    is_set: asyncio.Future[Any] = asyncio.ensure_future(signal.wait())
    pending: list[asyncio.Future[Any]] = [is_set, gone]
    try:
        done, _ = await asyncio.wait(pending, timeout=seconds, return_when="FIRST_COMPLETED")
    finally:
        is_set.cancel()
    return bool(done)


async def disconnected(receive: Receive) -> None:
    """Wait until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
