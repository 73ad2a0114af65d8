"""The whole application in a simulation: real code, scripted nodes, a virtual clock."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from beamish import StartError
from transaction_tracker import (
    ProviderSettings,
    Settings,
    State,
    StoredEvent,
    Tracked,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.api.app import create_app
from transaction_tracker.store import Store

from ..simulated import simulate  # noqa: TID252
from .chain import Chain, Json
from .clock import now, virtual_clock
from .node import Node, network

BLOCK_SECONDS = 12.0
CONFIRMATIONS = 12
DROP_BLOCKS = 5
DROP_SECONDS = 60.0
# Most of a simulation is time between two events, where nothing costs more than the polls. A test
# that counts requests or polls sets its own.
POLL_SECONDS = 3.0
ENDS = ("confirmed", "failed", "replaced", "dropped", "expired", "invalid")
# Longer than a block, a failover or a request to other nodes takes.
PATIENCE = 180.0


@dataclass(frozen=True)
class Reply:
    """Response of the HTTP API."""

    status: int
    content: Any


class World:
    """Nodes, and an application that uses them.

    Args:
        *nodes: Providers, in the order of preference.
        database: File; without it, nothing survives a stop of the application.
        **settings: Changes to the default settings.

    Attributes:
        app: The application; ``None`` while it does not run.
        events: Hash and state of each reported event, in order.
        on_event: Called with each reported event.
    """

    def __init__(self, *nodes: Node, database: Path | str = ":memory:", **settings: object) -> None:
        self.nodes = list(nodes)
        self.app: TransactionTrackerApplication | None = None
        self._api: FastAPI | None = None
        self.events: list[tuple[str, State]] = []
        self.on_event: Callable[[StoredEvent], object] | None = None
        usual: dict[str, Any] = {
            "chain_id": nodes[0].chain.id,
            "confirmations": CONFIRMATIONS,
            "drop_after_blocks": DROP_BLOCKS,
            "drop_after_seconds": DROP_SECONDS,
            "poll_interval": POLL_SECONDS,
        }
        self.settings = Settings(
            providers=tuple(ProviderSettings(node.url) for node in nodes),  # type: ignore[arg-type]
            database=database,
            **(usual | settings),
        )

    # -- Running

    def play(self, main: Callable[[], Awaitable[None]], seed: int = 0) -> None:
        """Run ``main`` while the application runs, on a virtual clock."""

        async def body() -> None:
            await self.start()
            await main()

        self.simulate(body, seed)

    def simulate(self, main: Callable[[], Awaitable[None]], seed: int = 0) -> None:
        """Run ``main`` on a virtual clock; ``main`` starts the application."""

        async def body() -> None:
            with virtual_clock(), network(self.nodes):
                try:
                    await main()
                finally:
                    await self.stop()

        simulate(body, seed, max_steps=5_000_000)

    async def start(self) -> None:
        """Start the application, or fail the test."""
        refused = await self.try_start()
        assert refused is None, f"the application did not start: {refused}"

    async def try_start(self) -> str | None:
        """Start the application; return the reason if the start is refused."""
        app = TransactionTrackerApplication(self.settings, on_event=self._note)
        try:
            await app.__aenter__()
        except StartError as error:
            return _whole_text(error)
        self.app = app
        return None

    def reconfigure(self, *urls: str) -> None:
        """Set the providers for the next start."""
        providers = tuple(ProviderSettings(url) for url in urls)  # type: ignore[arg-type]
        self.settings = self.settings.replace(providers=providers)

    async def stop(self) -> None:
        """Stop the application, if it runs."""
        app, self.app, self._api = self.app, None, None
        if app is not None:
            await app.__aexit__(None, None, None)

    # -- Time

    async def blocks(
        self, count: int, *chains: Chain, seconds: float = BLOCK_SECONDS, **header: object
    ) -> None:
        """Mine empty blocks on all of these chains (the first node's if none), one at a time."""
        for _ in range(count):
            for chain in chains or (self.nodes[0].chain,):
                chain.mine(**header)  # type: ignore[arg-type]
            await asyncio.sleep(seconds)

    async def reaches(self, chain: Chain, *, within: float = PATIENCE) -> None:
        """Wait until the head of a chain is applied, or fail the test."""
        deadline = now() + within
        while self.tip_hash != chain.head.hash and now() < deadline:
            await asyncio.sleep(0.1)
        assert self.app is not None
        assert self.tip_hash == chain.head.hash, (
            f"the tracker stands at {self.app.tip}; the head is block {chain.head.number}"
        )

    async def until(self, condition: Callable[[], Awaitable[bool]], within: float) -> bool:
        """Wait until a condition holds; return whether it did in time."""
        deadline = now() + within
        while not await condition():
            if now() >= deadline:
                return False
            await asyncio.sleep(0.5)
        return True

    @property
    def tip_hash(self) -> str | None:
        """Hash of the newest applied block."""
        tip = None if self.app is None else self.app.tip
        return None if tip is None else tip.hash

    # -- Transactions

    async def track(self, *transactions: Json, **options: Any) -> None:
        """Track transactions."""
        for item in transactions:
            await TransactionTracker.start(item["hash"], **options)

    async def status(self, item: Json) -> Tracked:
        """Return the status of a transaction."""
        return await TransactionTracker.status(item["hash"])

    async def becomes(self, item: Json, state: State, *, within: float = PATIENCE) -> Tracked:
        """Wait until a transaction is in a state, or fail the test."""

        async def is_reached() -> bool:
            return (await self.status(item)).state == state

        await self.until(is_reached, within)
        tracked = await self.status(item)
        assert tracked.state == state, (tracked, await self.history(item))
        return tracked

    async def history(self, item: Json) -> list[State]:
        """Return the states that a transaction has had."""
        return [state for _, state in await Store.history(item["hash"])]

    async def ends(self, item: Json) -> list[State]:
        """Return the ends that a transaction has had."""
        return [state for state in await self.history(item) if state in ENDS]

    # -- The HTTP API

    async def get(self, path: str) -> Reply:
        """Send a request to the HTTP API, without a socket."""
        assert self.app is not None
        if self._api is None:
            self._api = create_app(self.app._service())
        sent: list[Json] = []
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1")],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8080),
            "state": {},
        }

        async def receive() -> Json:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._api(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Reply(sent[0]["status"], json.loads(body))

    async def _note(self, event: StoredEvent) -> None:
        self.events.append((event.tracked.id, event.tracked.state))
        if self.on_event is not None:
            self.on_event(event)


def chain_of(length: int, chain_id: int = 1, **header: object) -> Chain:
    """Return a chain of empty blocks whose head has the number ``length``."""
    chain = Chain(chain_id)
    chain.grow(length, **header)
    return chain


def _whole_text(error: BaseException | None) -> str:
    """Return the texts of an error and of its causes."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__
    return "; ".join(texts)
