"""Reports of a stop: the whole application on a virtual clock, with a node that stops it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import orjson

from transaction_tracker import (
    ProviderSettings,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.api.app import create_app
from transaction_tracker.sources.ethereum import SecretUrl
from txtrack_devnode import Chain, DevelopmentNode
from txtrack_devnode.faults import FrozenHead, Hang
from txtrack_devnode.request_handler import Response

from ..lives.world import SimulatedNode, network, simulated_clock  # noqa: TID252
from ..simulated import simulate  # noqa: TID252

BLOCK_SECONDS = 12.0
LIMIT = 60.0
REPORT_SECONDS = 10.0
CONFIRMATIONS = 2


class PoisonedNode(SimulatedNode):
    """A node that can leave the field ``transactions`` out of its blocks."""

    poisoned = False

    async def answer(self, body: bytes) -> Response | None:
        reply = await super().answer(body)
        if not self.poisoned or reply is None or reply.body is None:
            return reply
        changed = orjson.dumps(_without_transactions(orjson.loads(reply.body)))
        return mock.Mock(**{**_fields(reply), "body": changed})


def _fields(reply: Response) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in ("status", "headers", "share")}


def _without_transactions(value: Any) -> Any:
    """Return a response with the transactions of each block removed: it cannot be applied."""
    if isinstance(value, list):
        return [_without_transactions(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_transactions(item) for key, item in value.items()}
    return kept | {"transactions": None} if "parentHash" in kept else kept


@dataclass
class World:
    """The application, its nodes and its log."""

    chain: Chain
    nodes: list[PoisonedNode]
    app: TransactionTrackerApplication
    log: list[logging.LogRecord]

    async def get(self, path: str) -> tuple[int, str]:
        """Send a request to the API, without a socket."""
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

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
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        await create_app(self.app._service())(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], body.decode()

    async def gauge(self, name: str) -> float | None:
        _, page = await self.get("/metrics")
        lines = (line.split() for line in page.splitlines())
        found = (line[1] for line in lines if line and line[0] == f"transaction_tracker_{name}")
        return next((float(value) for value in found), None)

    def logged(self, level: int) -> list[str]:
        """Return the messages of a level, without those of the alerts."""
        messages = [record.getMessage() for record in self.log if record.levelno == level]
        return [message for message in messages if not message.startswith("alert ")]

    async def mine_for(self, seconds: float) -> None:
        """Mine a block with a transaction at each block time."""
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, BLOCK_SECONDS))
            self.mine()

    def mine(self) -> str:
        """Mine a block with a transaction; return the transaction's hash."""
        sender, to = self.chain.accounts[:2]
        transaction = self.chain.submit(sender, to, 1)
        self.chain.mine(1)
        return transaction.hash


def new_chain() -> Chain:
    """Return a new chain; two of them with the same transactions have the same blocks."""
    return Chain(accounts=2, seed=0)


@contextmanager
def log_records() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger = logging.getLogger("transaction_tracker")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield records
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def running(folder: Path, main: Callable[[World], Awaitable[None]], nodes: int = 1) -> None:
    """Run the application until it has applied some blocks, then run the test."""

    async def run() -> None:
        async with simulated_clock():
            chain = new_chain()
            servers = [PoisonedNode(f"node{number}", chain, number) for number in range(nodes)]
            settings = Settings(
                providers=tuple(ProviderSettings(SecretUrl(f"{node.url}")) for node in servers),
                chain_id=31337,
                confirmations=CONFIRMATIONS,
                database=folder / "stops.db",
            )
            app = TransactionTrackerApplication(settings)
            with network(*servers), log_records() as log:
                async with app:
                    world = World(chain, servers, app, log)
                    await world.mine_for(5 * BLOCK_SECONDS)
                    await asyncio.sleep(1.0)
                    assert (await world.get("/readyz"))[0] == 200
                    log.clear()
                    await main(world)

    simulate(run, 0, max_steps=10_000_000)


async def halted(world: World) -> str:
    """Check the API, the log and the metrics of a halt; return the reason."""
    status, body = await world.get("/readyz")
    assert status == 503, body
    detail = json.loads(body)["detail"]
    assert len(world.logged(logging.ERROR)) == 1, world.logged(logging.ERROR)
    assert await world.gauge("source_halted") == 1
    assert await world.gauge("source_lagging") == 0
    return str(detail)


def test_unreadable_block_is_reported_with_block_and_field(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        last = world.chain.head
        world.nodes[0].poisoned = True
        await world.mine_for(LIMIT + REPORT_SECONDS)

        detail = await halted(world)
        assert f"after block {last.number} ({last.hash})" in detail
        assert "transactions must be an array" in detail
        (line,) = world.logged(logging.ERROR)
        assert f"after block {last.number} ({last.hash})" in line
        assert "transactions must be an array" in line
        age = await world.gauge("last_block_applied_seconds")
        assert age is not None
        assert age >= LIMIT

        world.nodes[0].poisoned = False
        await world.mine_for(2 * LIMIT)
        assert (await world.get("/readyz"))[0] == 200
        assert await world.gauge("source_halted") == 0
        assert any("makes progress again" in line for line in world.logged(logging.INFO))
        assert len(world.logged(logging.ERROR)) == 1

    running(tmp_path, main)


def test_head_that_stops_is_a_warning(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        world.nodes[0].node.faults.inject(FrozenHead())
        await world.mine_for(LIMIT + REPORT_SECONDS)

        status, body = await world.get("/readyz")
        assert (status, "source lagging" in body) == (200, True)
        assert world.logged(logging.ERROR) == []
        assert sum("lagging" in line for line in world.logged(logging.WARNING)) == 1
        assert await world.gauge("source_lagging") == 1
        assert await world.gauge("source_halted") == 0

    running(tmp_path, main)


def test_node_that_hangs_halts_the_source(tmp_path: Path) -> None:
    async def main(world: World) -> None:
        world.nodes[0].node.faults.inject(Hang())
        await world.mine_for(LIMIT + REPORT_SECONDS)

        assert "node0" in await halted(world)

    running(tmp_path, main)


def test_head_that_advances_below_our_last_block_halts_the_source(tmp_path: Path) -> None:
    """The node restarts with an old copy, below a block in which a transaction has ended."""

    async def main(world: World) -> None:
        await world.mine_for(15 * BLOCK_SECONDS)
        transaction = world.mine()
        await TransactionTracker.start(transaction)
        await world.mine_for(4 * BLOCK_SECONDS)
        await TransactionTracker.wait(transaction, until="confirmed", timeout=LIMIT)
        ours, world.chain = world.chain, new_chain()
        world.mine()
        assert ours.block_by_hash(world.chain.head.hash) is not None
        for node in world.nodes:
            node.node = DevelopmentNode(chain=world.chain, seed="an old copy")
        for _ in range(10):
            await asyncio.sleep((LIMIT + REPORT_SECONDS) / 10)
            world.mine()
        assert world.chain.head.number < ours.head.number - CONFIRMATIONS

        status, body = await world.get("/readyz")
        assert status == 503, body
        assert await world.gauge("source_halted") == 1

    running(tmp_path, main)
