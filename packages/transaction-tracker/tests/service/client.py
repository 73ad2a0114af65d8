"""A client of the service's HTTP API."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import aiohttp

from transaction_tracker.cli.client import server_events

from .program import PATIENCE

Json = dict[str, Any]


class Client:
    """A client of the service.

    Args:
        url: URL of the service.
        session: HTTP session.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **query: object) -> Any:
        params = {name: str(value) for name, value in query.items()}
        async with self._session.get(f"{self.url}{path}", params=params) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def post(self, path: str, body: object) -> Any:
        async with self._session.post(f"{self.url}{path}", json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def page(self, path: str) -> str:
        async with self._session.get(f"{self.url}{path}") as response:
            return await response.text()

    async def reach(self, transaction: str, until: str) -> Json:
        """Wait until a transaction is in a state."""
        path = f"/v1/transactions/{transaction}/wait"
        answer = await self.get(path, until=until, timeout=50)
        found: Json = answer["transaction"]
        assert answer["reached"], found
        assert until in (found["state"], "terminal"), found
        return found

    async def events(self) -> list[Json]:
        """Read all events, in small pages."""
        found: list[Json] = []
        after = ""
        while True:
            query = {"after": after} if after else {}
            page = await self.get("/v1/events", limit=7, **query)
            found += page["events"]
            after = page["next"]
            if not page["more"]:
                return found

    async def stream(self, last_event_id: str, enough: int) -> list[Json]:
        """Read a number of events from the stream, starting after an event like a browser."""
        headers = {"Last-Event-ID": last_event_id}
        found: list[Json] = []
        async with (
            asyncio.timeout(PATIENCE),
            self._session.get(f"{self.url}/v1/stream", headers=headers) as response,
            aclosing(_events(response)) as events,
        ):
            async for event in events:
                found.append(event)
                if len(found) == enough:
                    break
        return found


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[Json, None]:
    async for event in server_events(response.content):
        if event.data:
            yield json.loads(event.data) | {"cursor": event.id}


async def eventually(condition: Callable[[], Awaitable[object] | object]) -> None:
    """Poll until a condition is true."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)
