"""An API over HTTP, and its client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import orjson

from beamish import Application, ChildSpec, DynamicSupervisor, Registry
from transaction_tracker import InvalidTransactionError
from transaction_tracker.alerts import AlertBoard
from transaction_tracker.api import WEB, EventSignals, Following, Service, Web, WebOptions
from transaction_tracker.domain import BlockRef, Event, Link, Outcome, Tracked
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.follower import Verdict
from transaction_tracker.metrics import Gauges, Metrics
from transaction_tracker.service.metrics import SourceReading, read_gauges
from transaction_tracker.store import STORE, OpenTransactions, Step, Store, Stored
from transaction_tracker.store.access import Scope, create_token
from transaction_tracker.store.owned import OwnedFor, unlimited
from transaction_tracker.tracker import (
    REGISTRY,
    SUPERVISOR,
    TrackerContext,
    TransactionTracker,
    via,
)

PATIENCE = 50.0
SOURCE = "somewhere:1"
TEN = Link(10, "ten", "nine")


class Somewhere:
    """A source at which every id of eight or more letters and digits is valid."""

    name = SOURCE

    def identify(self, text: str) -> str:
        if len(text) < 8 or not text.isalnum():
            raise InvalidTransactionError("expected eight or more letters and digits")
        return text.lower()


class Stand(Application):
    """Run everything but the follower, so that only the test changes states."""

    strategy = "rest_for_one"

    def __init__(self, service: Service, options: WebOptions, database: str | Path) -> None:
        super().__init__()
        self.service = service
        self.options = options
        self.database = database
        self.open_transactions = OpenTransactions()

    def children(self) -> list[ChildSpec]:
        context = TrackerContext(Somewhere(), self.open_transactions, 12)  # type: ignore[arg-type]
        return [
            Store.child_spec(self.database, self.open_transactions, self.announce, name=STORE),
            Registry.child_spec(keys="unique", name=REGISTRY, meta={TrackerContext.KEY: context}),
            DynamicSupervisor.child_spec(name=SUPERVISOR),
            Web.child_spec(self.service, self.options, name=WEB),
        ]

    async def announce(self, stored: Stored) -> None:
        for tracked in stored.rows:
            TransactionTracker.settle(via(tracked.id), tracked)
        self.service.feed.announce(stored)


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Client:
    """A client of one API."""

    url: str
    session: aiohttp.ClientSession
    service: Service
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        headers = self.headers | options.pop("headers", {})
        if self.token is not None:
            headers = {"Authorization": f"Bearer {self.token}"} | headers
        async with self.session.request(
            method, self.url + path, headers=headers, **options
        ) as reply:
            lowered = {name.lower(): value for name, value in reply.headers.items()}
            return Reply(reply.status, lowered, await reply.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Reply:
        return await self.ask("POST", path, **options)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def with_token(self, token: str | None) -> "Client":
        return replace(self, token=token)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a raw connection, for requests that no HTTP client sends."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def serving(
    *,
    following: Callable[[], Following] | None = None,
    database: str | Path = ":memory:",
    owned_for: OwnedFor = unlimited,
    shard: Shard | None = None,
    **options: Any,
) -> AsyncIterator[Client]:
    """Run an API with some options."""
    now = following or (lambda: Following(10, 0.0, verdict=Verdict("ok")))

    async def gauges() -> Gauges:
        open_transactions = TrackerContext.current().open_transactions
        return await read_gauges({None: SourceReading(now(), open_transactions)}, alerts)

    metrics, alerts = Metrics(runtime=False), AlertBoard()
    service = Service(
        following=now,
        gauges=gauges,
        feed=EventSignals(),
        metrics=metrics,
        alerts=alerts,
        owned_for=owned_for,
        shard=shard,
    )
    settings = WebOptions(**({"port": 0, "shutdown_seconds": 1.0} | options))
    metrics.attach()
    try:
        async with Stand(service, settings, database):
            await Store.claim(SOURCE)
            connector = aiohttp.TCPConnector(force_close=True)
            async with aiohttp.ClientSession(connector=connector) as session:
                yield Client(await Web.url(WEB), session, service)
    finally:
        metrics.detach()


async def make_token(*scopes: Scope, **options: Any) -> str:
    """Create a token, and return its text."""
    text, _ = await Store.run(partial(create_token, label="a test", scopes=scopes, **options))
    return text


async def register(client: Client, *ids: str) -> None:
    """Register transactions."""
    reply = await client.post("/v1/transactions", json=[{"id": one} for one in ids])
    assert reply.json["refused"] == 0, reply.body


async def move(key: str, **changes: Any) -> Tracked:
    """Store one transition of a transaction."""
    before = await TransactionTracker.status(key)
    after = msgspec.structs.replace(before, version=before.version + 1, **changes)
    await Store.commit(Step(SOURCE, (Event(before.state, after),)))
    return after


async def mine(key: str) -> Tracked:
    """Store that a transaction is in block ten."""
    anchor = BlockRef(TEN.number, TEN.hash)
    return await move(key, state="mined", anchor=anchor, outcome=Outcome(True, 21))


async def eventually(condition: Callable[[], object]) -> None:
    """Poll until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)
