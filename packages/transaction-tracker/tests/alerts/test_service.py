"""The alerts of a complete service: what it observes, and what it shows while parts of it fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from beamish import GenServer, process
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.alerts import ALERTS, AlertOptions, names
from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.delivery import endpoints
from transaction_tracker.domain import Registration
from transaction_tracker.domain.alert import Alert
from transaction_tracker.store import STORE, Store
from transaction_tracker.store.access import create_token
from transaction_tracker.tracker import FOLLOWER
from txtrack_devnode import Chain, DevelopmentNode

from ..delivery.receiver import Receiver  # noqa: TID252 - the one receiver of scripted responses
from .support import PATIENCE, Stand, silent_database, until

# Alerts are raised and cleared at the first evaluation that shows or no longer shows their fault.
AT_ONCE = AlertOptions(clear_after=0, provider_down=0)


@dataclass
class World:
    """A service, its node and a receiver of its alerts."""

    application: TransactionTrackerApplication
    node: DevelopmentNode
    receiver: Receiver
    url: str

    async def told(self, kind: str, change: str) -> Any:
        """Have the faults evaluated until a webhook has told a change; return its data."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for came in self.receiver.received:
                    message = came.message
                    if (message["type"], message["data"]["kind"]) == (f"alert.{change}", kind):
                        return message["data"]
                names.evaluate()
                await asyncio.sleep(0.01)

    @property
    def active(self) -> tuple[Alert, ...]:
        return self.application._alerts.active


@asynccontextmanager
async def serving(node: DevelopmentNode, folder: Path) -> AsyncIterator[World]:
    settings = Settings(
        node.url,
        confirmations=2,
        database=folder / "service.db",
        poll_interval=0.02,
        web=WebOptions(port=0),
        allow_private=("127.0.0.1",),
        alerts=AT_ONCE,
    )
    application = TransactionTrackerApplication(settings)
    async with Receiver() as receiver, application:
        await endpoints.add(receiver.url, states=[], alerts=AT_ONCE.kinds)
        process.send(names.KEEPER, names.SyncAlerts())
        await until(lambda: application._alerts.endpoints)
        yield World(application, node, receiver, await Web.url(WEB))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with DevelopmentNode(chain=Chain(accounts=4)) as node, serving(node, tmp_path) as world:
        yield world


async def test_provider_that_stops_responding_is_reported_until_it_responds(
    world: World,
) -> None:
    pool = world.application.pool
    assert pool is not None
    (name,) = [status.name for status in pool.status()]

    await world.node.die()
    raised = await world.told("provider.down", "raised")
    assert (raised["subject"], raised["severity"]) == (name, "critical")

    await world.node.revive()
    await pool.resume(name)
    assert (await world.told("provider.down", "cleared"))["id"] == raised["id"]


async def test_parked_transaction_is_reported_until_it_is_registered_again(world: World) -> None:
    sender, shop = world.node.chain.accounts[:2]
    key = world.node.chain.submit(sender, shop, 1).hash
    await TransactionTracker.start(key)
    await TransactionTracker.wait(key, until="pending")

    Store.park(key, "poison")
    raised = await world.told("tracker.parked", "raised")
    assert raised["subject"] == key
    assert "poison" in raised["text"]

    await Store.register([Registration(key, 2)])
    assert (await world.told("tracker.parked", "cleared"))["id"] == raised["id"]


async def test_crash_of_the_alerts_leaves_the_service_alone(world: World) -> None:
    before = [process.whereis(name) for name in (STORE, FOLLOWER, WEB)]

    for name in (names.WATCHER, names.SENDER, names.KEEPER):
        old = process.whereis(name)
        process.exit(name, "kill")
        await until(lambda name=name, old=old: process.whereis(name) not in (None, old))

    assert [process.whereis(name) for name in (STORE, FOLLOWER, WEB)] == before


async def test_crash_of_the_store_leaves_the_alerts_alone(world: World) -> None:
    both = (ALERTS, names.WATCHER, names.SENDER, names.KEEPER)
    before, store = [process.whereis(name) for name in both], process.whereis(STORE)

    process.exit(STORE, "kill")
    await until(lambda: process.whereis(WEB) and process.whereis(STORE) not in (None, store))

    assert [process.whereis(name) for name in both] == before
    await Store.pause_deliveries()
    process.send(names.KEEPER, names.SyncAlerts())
    await world.told("finality_violation", "raised")


async def test_alerts_and_metrics_are_shown_while_the_database_does_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, _ = await Store.run(partial(create_token, label="test", scopes=["read"]))
    headers = {"Authorization": f"Bearer {text}"}
    await Store.pause_deliveries()
    process.send(names.KEEPER, names.SyncAlerts())
    await world.told("finality_violation", "raised")
    # Each request loads the tokens again.
    monkeypatch.setattr("transaction_tracker.api.access.REFRESH_SECONDS", -1.0)

    async with aiohttp.ClientSession(headers=headers) as session:

        async def get(path: str) -> tuple[int, str]:
            async with session.get(world.url + path) as response:
                return response.status, await response.text()

        assert (await get("/v1/alerts"))[0] == 200
        async with silent_database(Stand()):
            alerts, metrics = await get("/v1/alerts?active=true"), await get("/metrics")

    assert (alerts[0], metrics[0]) == (200, 200)
    assert '"kind":"finality_violation"' in alerts[1]
    line = 'alerts_active{kind="finality_violation",severity="critical"} 1.0'
    assert line in metrics[1]
    assert "transaction_tracker_outbox_pending" not in metrics[1]
    assert GenServer.whereis(STORE) is not None
